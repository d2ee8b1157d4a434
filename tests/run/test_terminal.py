#!/usr/bin/env python3
"""run: process.terminal and consoleSize, before a caller's terminal and without one.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

from caller import Caller, input_waiting
from container import PROBE, ContainerTest, parse_facts, skip_loudly

PTS = {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
       "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}


def sleeps(pid):
    """It waits for something."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


class Terminal(ContainerTest):
    """One class: its root file system takes long to make."""

    def terminal_config(self, *facts, make=None):
        config = (make or self.config)(*facts)
        config["process"]["terminal"] = True
        config["mounts"].append(dict(PTS))
        return config

    def shell(self, script, **more):
        config = self.terminal_config(**more)
        config["process"]["args"] = ["/bin/sh", "-c", script]
        return config

    def callers(self, *facts):
        yield "root", self.terminal_config(*facts), {}
        yield "mapped", self.map_user(self.terminal_config(*facts), [(0, 100000, 65536)]), {}
        yield "user", self.terminal_config(*facts, make=self.user_config), {"as_user": True}

    def command(self, config, *options):
        with tempfile.NamedTemporaryFile("w", dir=self.dir, suffix=".json", delete=False) as file:
            json.dump(config, file)
        os.chmod(file.name, 0o644)
        return [self.shimbox, "run", "--config", file.name, *options]

    @contextlib.contextmanager
    def call(self, config, *options, as_user=False, **more):
        """Run it before a terminal, which must be as it was in the end."""
        if as_user:
            more.update(preexec=self.need_user().preexec, cwd="/")
        with Caller(self.command(config, *options), **more) as caller:
            yield caller
            if caller.process.poll() is not None:
                self.assertEqual(caller.modes(), caller.before)
                self.assertEqual(input_waiting(caller.terminal), 0)

    def ask_terminal(self, config, *options, code=0, **more):
        """Run it to its end and return the facts that are shown."""
        with self.call(config, *options, **more) as caller:
            status, text = caller.finish()
        self.assertEqual(status, code, text)
        return parse_facts(text.replace("\r\n", "\n"))

    # ---- inside: What the program has.

    FACTS = ("tty", "fds", "sid", "pid", "pgroup-of-tty", "stat=/dev/console", "stat=/dev/pts/0",
             "list=/dev/pts", "stat=/dev/tty", "mount=/dev/console")

    def test_facts(self):
        for title, config, more in self.callers(*self.FACTS):
            with self.subTest(title):
                facts = self.ask_terminal(config, **more)
                for fd in range(3):
                    self.assertEqual(facts[f"tty.{fd}"], "yes")
                    self.assertEqual(facts[f"tty.{fd}.size"], "101x33")
                    self.assertEqual(facts[f"fds.{fd}"], "char:136:0,rw")
                self.assertEqual(facts["fds"], "0 1 2")
                self.assertEqual(facts["tty.controlling"], "ok")
                self.assertEqual((facts["sid"], facts["pgroup-of-tty"]), ("1", "1"))
                self.assertEqual(facts["list:/dev/pts"], "0 ptmx")
                for path in ("/dev/console", "/dev/pts/0"):
                    self.assertEqual(facts[f"stat:{path}.rdev"], "136:0")
                    self.assertEqual(facts[f"stat:{path}.mode"], "0620")
                    self.assertEqual(facts[f"stat:{path}.uid"], "0")
                self.assertEqual(facts["mount:/dev/console.type"], "devpts")


    def test_owner_is_the_user(self):
        config = self.terminal_config("stat=/dev/pts/0", "stat=/dev/console", "tty")
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        facts = self.ask_terminal(config)
        self.assertEqual(facts["stat:/dev/pts/0.uid"], "1000")
        self.assertEqual(facts["stat:/dev/console.uid"], "1000")
        self.assertEqual(facts["tty.controlling"], "ok")

    def test_pushed_input_stays_inside(self):
        """TIOCSTI reaches the container's own terminal only; see call()."""
        config = self.terminal_config("tiocsti=0", "tiocsti=1", "tiocsti=2")
        config["process"]["capabilities"] = {
            key: ["CAP_SYS_ADMIN"] for key in ("bounding", "effective", "permitted")}
        # Each x is echoed by that terminal, before the line of the next fact.
        self.assertEqual({key.lstrip("x") for key in self.ask_terminal(config)},
                         {"tiocsti:0", "tiocsti:1", "tiocsti:2"})

    def test_no_pivot(self):
        facts = self.ask_terminal(self.terminal_config("tty", "list=/dev/pts"), "--no-pivot")
        self.assertEqual((facts["tty.controlling"], facts["list:/dev/pts"]), ("ok", "0 ptmx"))

    def test_bound_dev(self):
        """The host's instance serves; nothing is made in its /dev."""
        config = self.terminal_config("tty", "fds")
        config["mounts"][1:] = [{"destination": "/dev", "type": "bind", "source": "/dev",
                                 "options": ["rbind"]}]
        before = sorted(os.listdir("/dev"))
        facts = self.ask_terminal(config)
        self.assertEqual((facts["tty.controlling"], facts["tty.0.size"]), ("ok", "101x33"))
        self.assertEqual(sorted(os.listdir("/dev")), before)

    def test_without_devpts(self):
        config = self.terminal_config("tty")
        config["mounts"].pop()
        self.refused(config, "shimbox run: /process/terminal: cannot open a terminal, /dev/ptmx of "
                     "the container: No such file or directory (a mount of type devpts on /dev/pts")

    def test_console_that_is_a_link(self):
        """Where no file system is mounted on /dev, the image's own file is what is there. Devices
        are made in this root, so it is one of its own, which nobody copies."""
        canary, rootfs = f"{self.dir}/canary", f"{self.dir}/rootfs-console"
        config = self.terminal_config("tty")
        config["mounts"] = [config["mounts"][0], config["mounts"][2]]
        config["root"]["path"] = rootfs
        for name in ("dev/pts", "proc"):
            os.makedirs(f"{rootfs}/{name}")
        os.symlink(canary, f"{rootfs}/dev/console")
        self.refused(config, "/process/terminal: /dev/console of the container is neither")
        self.assertFalse(os.path.lexists(canary))

    def test_option(self):
        command = [self.shimbox, "run", "--tty", "--rootfs", self.rootfs, "--", "/bin/probe", "tty",
                   "env"]
        with Caller(command) as caller:
            code, text = caller.finish()
        facts = parse_facts(text.replace("\r\n", "\n"))
        self.assertEqual((code, facts["tty.controlling"], facts["env.TERM"]), (0, "ok", "xterm"))
        self.refused(self.config("uid"), "--tty: not together with", "--tty")

    def test_config_from_standard_input(self):
        """Then the controlling terminal is what is typed on."""
        text = json.dumps(self.shell("read x; echo got $x"))
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        with Caller([self.shimbox, "run", "--config", "-"], stdin=read) as caller:
            os.close(read)
            caller.type("word\r")
            self.assertIn("got word", caller.finish()[1])
            self.assertEqual(caller.modes(), caller.before)

    # ---- size

    def test_size_follows(self):
        with self.call(self.shell(
                "trap 'stty size; exit 0' WINCH; echo up; while :; do sleep 0.05; done")) as caller:
            caller.expect("up")
            caller.resize(44, 111)
            self.assertEqual(caller.finish(), (0, "\r\n44 111\r\n"))

    def test_precedence(self):
        """The caller's terminal, as with runc; else consoleSize."""
        config = self.terminal_config("tty")
        config["process"]["consoleSize"] = {"height": 7, "width": 70}
        self.assertEqual(self.ask_terminal(config)["tty.0.size"], "101x33")
        self.assertEqual(self.ask_terminal(config, rows=0, columns=0)["tty.0.size"], "70x7")
        result = self.run_config(config)
        self.assertEqual((result.status, result.stderr), (0, ""))
        self.assertEqual(result.facts["tty.0.size"], "70x7")
        config["process"]["terminal"] = False
        self.assertEqual(self.run_config(config).facts["tty.0"], "no")

    # ---- modes: The caller's terminal is raw while the program runs, and as it was after each way
    # out, which call() checks.

    def test_keys_reach_the_program(self):
        with self.call(self.shell("trap 'echo int' INT; trap 'echo quit' QUIT; echo up;"
                                  "while ! read x; do :; done; exit 9")) as caller:
            caller.expect("up")
            self.assertTrue(caller.raw)
            caller.type("\3")
            caller.expect("int")
            caller.type("\x1c")
            caller.expect("quit")
            caller.type("x\r")
            self.assertEqual(caller.finish()[0], 9)

    def test_ended_by_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number), self.call(
                    self.shell(f"trap 'exit 5' {number.value}; echo up; while :; do sleep 0.05; done")
            ) as caller:
                caller.expect("up")
                caller.process.send_signal(number)
                self.assertEqual(caller.finish()[0], 5)

    def test_program_killed(self):
        with self.call(self.shell("echo up; sleep 1000"), "--pid-file", f"{self.dir}/pid") as caller:
            caller.expect("up")
            self.assertTrue(caller.raw)
            with open(f"{self.dir}/pid") as file:
                os.kill(int(file.read()), signal.SIGKILL)
            self.assertEqual(caller.finish()[0], 137)

    def test_late_failure(self):
        config = self.terminal_config()
        config["process"]["args"] = ["/missing"]
        with self.call(config) as caller:
            self.assertEqual(caller.finish(), (1, "shimbox run: /process/args: cannot execute "
                                               "/missing: No such file or directory\r\n"))

    def test_stopped_and_continued(self):
        with self.call(self.shell("echo up; read x; echo got $x")) as caller:
            caller.expect("up")
            self.assertTrue(caller.raw)
            # An orphaned process group cannot be stopped by SIGTSTP, and the leader of the session
            # is one; SIGSTOP can.
            caller.process.send_signal(signal.SIGTSTP)
            # Not before it sleeps again: a SIGCONT is lost to a SIGTSTP that comes after it.
            self.wait_for(lambda: caller.modes() == caller.before and sleeps(caller.process.pid),
                          "the modes do not come back")
            caller.process.send_signal(signal.SIGCONT)
            self.wait_for(lambda: caller.raw, "it is not raw again")
            caller.process.send_signal(signal.SIGSTOP)
            self.assertEqual(caller.wait_stopped(), signal.SIGSTOP)
            caller.resize(20, 60)
            caller.process.send_signal(signal.SIGCONT)
            caller.type("word\r")
            caller.expect("got word")
            self.assertEqual(caller.finish()[0], 0)

    def test_job_of_a_shell(self):
        """Started in the background it stops, in the foreground it goes on; SIGTSTP stops it with
        the shell's modes on the terminal."""
        command = " ".join(self.command(self.shell("echo up; read x; echo got $x; exit 4"),
                                        "--pid-file", f"{self.dir}/job"))
        with Caller(["bash", "--norc", "--noprofile", "--noediting", "-i"],
                    env={"PATH": os.environ["PATH"], "PS1": "$ "}) as caller:
            # It may have stopped before a `wait` for that would begin. (The words are not what is echoed.)
            caller.type(f"{command} & until [[ $(jobs) == *Stop''ped* ]]; do sleep 0.05; done; jobs;"
                        " echo first $(stty size)\r")
            caller.expect("Stopped")
            caller.expect("first 33 101")
            caller.type("fg\r")
            caller.expect("up")
            self.wait_for(lambda: caller.raw, "it is not raw")
            job = int(subprocess.run(["pgrep", "-s", str(caller.process.pid), "-x", "shimbox"],
                                     capture_output=True, text=True).stdout.split()[0])
            os.kill(job, signal.SIGTSTP)
            caller.expect("Stopped")
            self.assertFalse(caller.raw)
            caller.type("fg\r")
            self.wait_for(lambda: caller.raw, "it is not raw again")
            caller.type("word\r")
            caller.expect("got word")
            caller.expect("$ ")
            caller.type("echo code $?\r")
            caller.expect("code 4")
            caller.type("exit\r")
            caller.finish()

    def test_job_control_inside(self):
        config = self.terminal_config()
        config["process"]["args"] = ["/bin/sh", "-i"]
        with self.call(config) as caller:
            caller.expect("# ")
            # The words are put together, so that they are not what is echoed.
            caller.type("sh -c 'trap \"echo contin\"\"ued\" CONT; echo star\"\"ted; "
                        "while :; do sleep 0.1; done'\r")
            caller.expect("started")
            caller.type("\x1a")
            caller.expect("Stopped")
            self.assertIsNone(caller.process.poll())
            caller.type("fg\r")
            caller.expect("continued")
            caller.type("\3")
            caller.type("echo on $((40+2)); exit 6\r")
            caller.expect("on 42")
            self.assertEqual(caller.finish()[0], 6)

    # ---- bytes: What passes, and how it ends.

    def test_same_bytes_as_runc(self):
        bundle = f"{self.dir}/bundle"
        os.mkdir(bundle)
        config = self.shell(
            "until stty size >/dev/null 2>&1; do :; done;"  # runc gives the size late
            "stty -a | grep -o '.onlcr'; printf 'a\\nb\\r\\n'; read x; echo got $x")
        config["root"]["path"] = self.rootfs
        with open(f"{bundle}/config.json", "w") as file:
            json.dump(config, file)
        shown = []
        for command in (["runc", "--root", f"{self.dir}/state", "run", f"tty-{os.urandom(4).hex()}"],
                        [self.shimbox, "run", "--bundle", "."]):
            with Caller(command, cwd=bundle) as caller:
                text = caller.expect("b\r")
                caller.type("word\r")
                shown.append((text, *caller.finish()))
        self.assertEqual(shown[1], shown[0])
        self.assertIn("-onlcr", shown[1][0])

    def test_large_output(self):
        config = self.shell("i=0; while [ $i -lt 20 ]; do cat /data; i=$((i+1)); done")
        data = "".join(f"line {i} {'x' * 50}\n" for i in range(8000))
        with open(f"{self.rootfs}/data", "w") as file:
            file.write(data)
        result = self.run_config(config)
        self.assertEqual((result.status, result.stderr), (0, ""))
        self.assertEqual(len(result.stdout), 20 * len(data))
        self.assertTrue(result.stdout == 20 * data)

    def test_slow_reader(self):
        """The last output is not lost when nobody reads it until the program has ended, nor what it has to
        wait with."""
        process, reader = self.start_blocked("seq 2000; echo end; exit 3")
        with os.fdopen(os.dup(reader)) as output:
            self.assertEqual(output.read().splitlines(), [*map(str, range(1, 2001)), "end"])
        self.assertEqual(self.finish(process).status, 3)
        config = self.shell("seq 30000 & wait; echo end; exit 3")
        process = self.start(config, stdin=subprocess.PIPE)
        time.sleep(0.5)
        usage = os.times()
        result = self.finish(process)
        self.assertEqual(result.status, 3)
        self.assertEqual(result.stdout.splitlines(), [*map(str, range(1, 30001)), "end"])
        self.assertLess(os.times().children_system - usage.children_system, 5)

    def start_blocked(self, script):
        """A program that has ended, after more than shimbox can write. Returns the process, and the pipe."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
        process = self.start(self.shell(script), stdin=subprocess.PIPE, stdout=writer)
        os.close(writer)
        # shimbox has heard of its end when it has no child any more.
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        self.wait_for(lambda: select.select([reader], [], [], 0)[0] and not children.read_text(), "it does not end")
        return process, reader

    def test_large_input(self):
        config = self.shell("stty raw -echo; echo up; head -c 3000000 | md5sum")
        data = os.urandom(3000000)
        process = self.start(config, stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "up\n")
        process.stdin.buffer.write(data)
        process.stdin.buffer.flush()
        result = self.finish(process)
        self.assertEqual(result.stdout.split()[0], hashlib.md5(data).hexdigest())

    def test_end_of_input(self):
        """It is typed: ^D, twice behind an unfinished line."""
        for text in ("", "whole line\n", "unfinished"):
            with self.subTest(text), tempfile.TemporaryFile("w+") as file:
                file.write(text)
                file.seek(0)
                result = self.run_config(self.shell("stty -echo; sleep 0.1; cat; echo end"),
                                         stdin=file)
                self.assertEqual((result.status, result.stderr), (0, ""))
                self.assertTrue(result.stdout.endswith(text + "end\n"), result)

    def test_closed_output(self):
        """The terminal is hung up, which the program notices."""
        config = self.shell("trap 'exit 7' HUP; while echo y; do :; done; exit 7")
        process = self.start(config, stdin=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(120), 7)
        self.assertEqual(process.stderr.read(), "")
        process.stdin.close()
        process.stderr.close()

    def test_full_output(self):
        with open("/dev/full", "w") as full:
            result = self.run_config(self.shell("echo x; sleep 1000"), stdout=full)
        self.assertEqual(result.status, 1)
        self.assertRegex(result.stderr, r"\Ashimbox run: cannot write to standard output: [^\n]+\n\Z")

    def test_blocked_output_can_be_ended(self):
        """The program has ended, and nobody reads what it wrote: more than a pipe takes."""
        process, reader = self.start_blocked("seq 2000")
        self.assertEqual(os.read(reader, 2), b"1\n")
        time.sleep(0.1)
        self.assertIsNone(process.poll())
        # Once, for while shimbox ends the signal has its own effect.
        process.terminate()
        self.assertEqual(self.finish(process).status, 0)

    def test_streams_keep_their_flags(self):
        with self.call(self.shell("echo up; read x")) as caller:
            caller.expect("up")
            self.assertFalse(fcntl.fcntl(caller.terminal, fcntl.F_GETFL) & os.O_NONBLOCK)
            caller.type("\r")
            caller.finish()

    def test_who_holds_the_terminal_open(self):
        """What outlives the program does not keep run."""
        for namespace in (True, False):
            config = self.shell("sleep 1000 & setsid sleep 1000 & echo up; exit 5")
            if not namespace:
                config["linux"]["namespaces"].remove({"type": "pid"})
            with self.subTest(namespace), self.call(config) as caller:
                self.assertEqual(caller.finish()[0], 5)

    def test_terminal_nobody_has_open(self):
        """It can be opened again later; nothing is lost."""
        result = self.run_config(self.shell(
            "echo one; exec </dev/null >/dev/null 2>&1; sleep 0.3; echo two >/dev/pts/0; exit 2"))
        self.assertEqual((result.status, result.stdout, result.stderr), (2, "one\ntwo\n", ""))

    # ---- faults

    def test_killed(self):
        """kill -9 of shimbox ends the container; the modes of the terminal cannot be helped."""
        with self.call(self.shell("echo up; sleep 1000")) as caller:
            caller.expect("up")
            caller.process.kill()
            caller.process.wait()
            caller.before = caller.modes()

    def test_denied(self):
        """ioctl that always fails, from before the caller's terminal and without."""
        deny = os.path.join(os.path.dirname(os.path.abspath(PROBE)), "deny")
        if os.uname().machine != "x86_64":
            skip_loudly(self, "the number of ioctl is that of x86_64")
        config = self.terminal_config("uid")
        config["linux"]["namespaces"].remove({"type": "network"})  # loopback needs ioctl
        for code in (errno.EPERM, errno.ENOSYS, errno.ENOMEM):
            with self.subTest(code):
                self.refused(config, "/process/terminal: ", prefix=[deny, "16", str(code)])


if __name__ == "__main__":
    import unittest
    unittest.main()
