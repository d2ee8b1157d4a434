#!/usr/bin/env python3
"""create and start, and run --detach: streams, descriptors, terminals, who the parent is, and what
goes wrong.
SPDX-License-Identifier: Apache-2.0
"""

import array
import os
import pathlib
import signal
import socket
import subprocess
import termios

from lifecycle import LifecycleTest, process_state


class Create(LifecycleTest):
    def parent(self, pid):
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    def read(self, name):
        return pathlib.Path(self.dir, name).read_text()

    def finish_container(self, pid):
        """Until it has ended by itself; returns its wait status."""
        self.wait_stopped(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_streams_and_exit(self):
        """The program has the streams of create; it is the child of who gets orphans, and its end is
        told there."""
        self.write(self.config("uid", "exit=7"))
        pid = self.create("c", output=f"{self.dir}/out")
        self.assertEqual(self.parent(pid), os.getpid())
        self.assertEqual(self.read("out"), "")
        self.good("start", "c")
        self.assertEqual(self.finish_container(pid), 7)
        self.assertIn("uid=0\n", self.read("out"))
        self.assertEqual(self.status("c"), "stopped")
        self.good("delete", "c")

    def test_descriptors_while_it_waits(self):
        """Nothing that leads to the host is open but what the start takes; and nobody looks inside."""
        pid = self.create("c")
        # It says that it is created, then closes the channel.
        self.wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= 5, "more is open")
        links = {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
        self.assertEqual({n for n in links if n < 3}, {0, 1, 2})
        others = sorted(link for n, link in links.items() if n > 2)
        self.assertEqual(others, ["/proc", f"{self.root}/c/start.fifo"])
        # Not dumpable: its files in /proc are root's, whoever it is.
        self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0)
        self.good("start", "c")
        # The kernel closes one after the other, and then executes the program.
        self.wait_ready(pid)
        self.assertEqual(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2"])
        self.good("delete", "--force", "c")

    def test_preserved_descriptors(self):
        file = os.open(f"{self.dir}/given", os.O_RDWR | os.O_CREAT)
        os.dup2(file, 3, inheritable=True)
        os.dup2(file, 4, inheritable=True)
        self.write(self.config("fds"))
        for number, expected in ((0, []), (1, [3]), (2, [3, 4])):
            with self.subTest(number):
                pid = self.create("c", "--preserve-fds", str(number), output=f"{self.dir}/out",
                                  pass_fds=(3, 4))
                self.good("start", "c")
                self.assertEqual(self.finish_container(pid), 0)
                self.assertEqual(self.read("out").splitlines()[0],
                                 "fds=" + " ".join(map(str, [0, 1, 2, *expected])))
                self.good("delete", "c")
        os.close(file)

    def test_pid_file(self):
        """In the caller's directory, not the bundle's; without it where nothing was created."""
        pid = self.create("c", "--pid-file", "pid", cwd=self.dir)
        self.assertEqual(self.read("pid"), str(pid))
        self.good("delete", "c")
        os.unlink(f"{self.dir}/pid")
        config = self.config()
        config["process"]["args"] = ["/nothing"]
        self.write(config)
        self.bad("/process/args: cannot execute /nothing: No such file or directory", "create", "--bundle",
                 self.bundle, "--pid-file", f"{self.dir}/pid", "c")
        self.assertFalse(os.path.exists(f"{self.dir}/pid"))
        config["process"]["args"] = ["/etc"]
        self.write(config)
        self.bad("/process/args: cannot execute /etc: Permission denied", "create", "--bundle", self.bundle, "c")

    def test_bundle_is_here(self):
        """Without --bundle; and what changes in config.json after create changes nothing."""
        with open(f"{self.dir}/out", "w", encoding="utf-8") as out:
            done = subprocess.run([self.shimbox, "--root", self.root, "create", "c"], cwd=self.bundle,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
        self.assertEqual((done.returncode, self.read("out")), (0, ""))
        self.assertEqual(self.state("c")["bundle"], self.bundle)
        self.write({"nothing": "useful"})
        self.good("start", "c")
        self.wait_for(lambda: self.read("out") == "sigwait=ready\n", "the program")
        self.good("delete", "--force", "c")

    def listen(self, name):
        server = socket.socket(socket.AF_UNIX)
        server.bind(f"{self.dir}/{name}")
        server.listen(1)
        server.settimeout(120)
        self.addCleanup(server.close)
        return server

    def accept(self, server):
        """The message and the descriptor that came."""
        connection, _ = server.accept()
        connection.settimeout(120)
        data, extra, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        connection.close()
        self.assertEqual([(level, kind) for level, kind, _ in extra], [(socket.SOL_SOCKET, socket.SCM_RIGHTS)])
        fds = array.array("i", extra[0][2])
        self.assertEqual(len(fds), 1)
        return data, fds[0]

    def terminal_config(self, *facts):
        config = self.config(*facts)
        config["process"].update(terminal=True, consoleSize={"height": 17, "width": 71})
        config["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                 "options": ["newinstance", "ptmxmode=0666"]})
        return config

    def test_console_socket(self):
        """The master comes by the socket, with the name that runc gives; the program is on the other
        side."""
        server = self.listen("console")
        self.write(self.terminal_config("sigwait"))
        for number, words in enumerate((("create", "--bundle", self.bundle, "--console-socket"),
                                        ("run", "--detach", "--bundle", self.bundle, "--console-socket"))):
            with self.subTest(words[0]):
                self.good(*words, f"{self.dir}/console", f"c{number}")
                data, master = self.accept(server)
                self.assertEqual(data, b"/dev/ptmx")
                self.assertTrue(os.isatty(master))
                self.assertEqual(termios.tcgetwinsize(master), (17, 71))
                if words[0] == "create":
                    self.good("start", f"c{number}")
                text = b""
                while b"sigwait=ready" not in text:
                    text += os.read(master, 4096)
                pid = self.record(f"c{number}")["init"]["pid"]
                self.assertEqual({os.readlink(f"/proc/{pid}/fd/{n}") for n in (0, 1, 2)}, {"/dev/pts/0"})
                os.close(master)
                self.good("delete", "--force", f"c{number}")

    def test_console_socket_wrong(self):
        server = self.listen("console-wrong")
        path = f"{self.dir}/console-wrong"
        # A listener that is gone.
        self.listen("gone").close()
        terminal, plain = self.terminal_config("sigwait"), self.config("sigwait")
        create = ("create", "--bundle", self.bundle)
        for message, config, words in (
                ("/process/terminal: cannot allocate tty if", terminal, create),
                ("/process/terminal: cannot allocate tty if", terminal,
                 ("run", "--detach", "--bundle", self.bundle)),
                ("--console-socket: for a detached container with process.terminal", plain,
                 (*create, "--console-socket", path)),
                ("--console-socket: for a detached container with process.terminal", terminal,
                 ("run", "--bundle", self.bundle, "--console-socket", path)),
                (f"cannot connect to console socket {self.dir}/no: No such file or directory", terminal,
                 (*create, "--console-socket", f"{self.dir}/no")),
                (f"cannot connect to console socket {self.dir}/gone: Connection refused", terminal,
                 (*create, "--console-socket", f"{self.dir}/gone")),
                ("cannot connect to console socket /xxx", terminal,
                 (*create, "--console-socket", "/" + 200 * "x"))):
            with self.subTest(message, words=words[0]):
                self.write(config)
                self.bad(message, *words, "c")
                self.assertEqual(os.listdir(self.root), [])
        server.close()

    def test_program_that_cannot_be_executed(self):
        """What only the execution tells, start tells; the container has stopped then."""
        path = pathlib.Path(self.rootfs, "bin/no-program")
        path.write_text("no program")
        path.chmod(0o755)
        config = self.config()
        config["process"]["args"] = ["/bin/no-program"]
        self.write(config)
        pid = self.create("c")
        self.assertEqual(self.status("c"), "created")
        self.bad("cannot execute /bin/no-program: Exec format error", "start", "c")
        self.wait_stopped(pid)
        self.assertEqual(self.status("c"), "stopped")
        self.bad("cannot start a container that has stopped", "start", "c")
        self.good("delete", "c")
        # As one command: nothing stays.
        self.bad("cannot execute /bin/no-program: Exec format error", "run", "--detach", "--bundle",
                 self.bundle, "c")
        self.assertEqual(os.listdir(self.root), [])

    def test_killed_while_it_waits(self):
        """The first process of a pid namespace, too, is ended by TERM as long as it waits; and a start
        does not wait for one that is dead."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            pid = self.create("c")
            os.kill(pid, number)
            self.wait_stopped(pid)
            self.bad("cannot start a container that has stopped", "start", "c")
            self.good("delete", "c")
        # Stopped by a signal, it can be killed all the same.
        pid = self.create("c")
        os.kill(pid, signal.SIGSTOP)
        self.wait_for(lambda: process_state(pid) == "T", "no stop")
        self.good("delete", "--force", "c")
        self.wait_stopped(pid)

    def test_user_namespaces(self):
        self.write(self.map_user(self.config("uid", "exit=3"), [(0, 100000, 65536)]))
        pid = self.create("c", output=f"{self.dir}/out")
        self.assertIn("100000", pathlib.Path(f"/proc/{pid}/uid_map").read_text())
        self.good("start", "c")
        self.assertEqual(self.finish_container(pid), 3)
        self.assertTrue(self.read("out").startswith("uid=0\n"))
        self.good("delete", "c")

    def test_ordinary_user(self):
        """All commands, under a root of its own."""
        user = self.need_user()
        bundle, root = f"{self.dir}/user-bundle", f"{self.dir}/user-state"
        os.mkdir(bundle)
        self.write(self.user_config("sigwait"), bundle)
        runtime = {"XDG_RUNTIME_DIR": root, "PATH": os.environ["PATH"]}
        os.mkdir(root, 0o700)
        os.chown(root, user.uid, user.gid)

        def call(*words):
            # The container has the streams of create.
            with open(f"{self.dir}/user-{words[0]}.out", "w", encoding="utf-8") as out:
                done = subprocess.run([self.shimbox, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                      check=False, preexec_fn=user.preexec, cwd="/", env=runtime, timeout=120)
            return done.returncode, self.read(f"user-{words[0]}.out")
        self.assertEqual(call("create", "--bundle", bundle, "c"), (0, ""))
        self.assertEqual(os.stat(f"{root}/shimbox/c").st_uid, user.uid)
        self.assertIn('"status": "created"', call("state", "c")[1])
        self.assertEqual(call("start", "c"), (0, ""))
        self.assertIn(" running ", call("list")[1])
        self.assertEqual(call("kill", "c", "0"), (0, ""))
        # Root does not take another's state for its own.
        self.bad("it must belong to uid 0", "state", "c", root=f"{root}/shimbox")
        self.assertEqual(call("delete", "--force", "c"), (0, ""))
        self.assertEqual(os.listdir(f"{root}/shimbox"), [])

    def test_unapplied_fields(self):
        """A warning each, or refused with --strict."""
        config = self.config("sigwait")
        config["process"]["user"]["username"] = "x"
        self.write(config)
        with open(f"{self.dir}/err", "w", encoding="utf-8") as err:
            done = subprocess.run([self.shimbox, "--root", self.root, "create", "-b", self.bundle, "c"],
                                  stdin=subprocess.DEVNULL, stdout=err, stderr=err, check=False)
        self.assertEqual((done.returncode, self.read("err")),
                         (0, "shimbox create: warning: /process/user/username is not applied\n"))
        self.good("delete", "c")
        self.bad("/process/user/username", "create", "--strict", "-b", self.bundle, "c")
        self.assertEqual(os.listdir(self.root), [])

    def test_wrong_config(self):
        """Nothing is left of what could not be created."""
        for message, change in (
                ("/process/args: no program to run", lambda c: c["process"].pop("args")),
                ("/root: no root file system", lambda c: c.pop("root")),
                ("cannot open root file system", lambda c: c["root"].update(path="/nothing")),
                ("/ociVersion", lambda c: c.update(ociVersion="2.0")),
                ("/annotations/a: expected a string", lambda c: c.update(annotations={"a": 1})),
                ("/mounts/2", lambda c: c["mounts"].append(
                    {"destination": "/x", "type": "nothing", "source": "x"}))):
            with self.subTest(message):
                config = self.config("sigwait")
                change(config)
                self.write(config)
                self.bad(message, "create", "--bundle", self.bundle, "c")
                self.assertEqual(os.listdir(self.root), [])
        os.unlink(f"{self.bundle}/config.json")
        self.bad(f"cannot open {self.bundle}/config.json", "create", "--bundle", self.bundle, "c")
        self.bad("cannot open /nothing/config.json", "create", "--bundle", "/nothing", "c")
        self.assertEqual(os.listdir(self.root), [])


if __name__ == "__main__":
    __import__("unittest").main()
