#!/usr/bin/env python3
"""run: signals, exit codes, orphans, and what remains when somebody is killed.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import signal
import subprocess
import time

from container import ContainerTest


class Lifetime(ContainerTest):
    def callers(self, *facts):
        yield "root", self.config(*facts), {}
        yield "mapped", self.map_user(self.config(*facts), [(0, 100000, 65536)]), {}
        yield "user", self.user_config(*facts), {"as_user": True}

    def inside(self):
        """Processes whose root is this test's root file system: those of the container."""
        found = []
        folder = f"/{pathlib.Path(self.dir).name}/" # /tmp may be a mount
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if folder in (entry / "mountinfo").read_text() and \
                            (entry / "mountinfo").read_text() != pathlib.Path("/proc/self/mountinfo").read_text():
                        found.append(int(entry.name))
                except OSError:
                    pass
        return found

    def without_pid_namespace(self, *facts):
        config = self.config(*facts)
        config["linux"]["namespaces"].remove({"type": "pid"})
        config["mounts"][0] = {"destination": "/proc", "type": "proc", "source": "proc"}
        return config

    def test_exit_codes(self):
        for title, config, more in self.callers():
            for code in (0, 1, 2, 7, 125, 126, 127, 128, 137, 255):
                with self.subTest(title, code=code):
                    config["process"]["args"] = ["/bin/probe", f"exit={code}"]
                    result = self.run_config(config, **more)
                    self.assertEqual((result.status, result.stdout, result.stderr), (code, "", ""))

    def test_killed_by_signal(self):
        """Pid 1 of a pid namespace is not killed by its own signals, but for a fault or SIGKILL from
        outside; so the others are tried without one."""
        for number in (1, 2, 3, 6, 9, 11, 13, 14, 15, 24, 31, 34, 64):
            with self.subTest(number):
                result = self.run_config(self.without_pid_namespace(f"raise={number}"))
                self.assertEqual((result.status, result.stdout, result.stderr), (128 + number, "", ""))

    def test_pid_1_killed_from_outside(self):
        process = self.start(self.config("sigwait"), "--pid-file", f"{self.dir}/pid")
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        os.kill(int(pathlib.Path(f"{self.dir}/pid").read_text()), signal.SIGKILL)
        self.assertEqual(self.finish(process).status, 137)

    def test_forwarded(self):
        numbers = (1, 2, 3, 10, 12, 13, 14, 18, 23, 28, 34, 64)
        for title, config, more in self.callers("sigwait"):
            with self.subTest(title):
                process = self.start(config, **more)
                self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
                for number in numbers:
                    process.send_signal(number)
                    line = process.stdout.readline()
                    self.assertRegex(line, rf"^signal={number} ")
                process.send_signal(15)
                result = self.finish(process)
                self.assertIn("signal=15", result.stdout)
                self.assertEqual((result.status, result.stderr), (0, ""))

    def test_stopped_and_continued(self):
        """A stop of the caller's is a stop of ours; the container goes on, and is heard later."""
        process = self.start(self.config("sigwait"))
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGCONT)
        lines = sorted(process.stdout.readline().split()[0] for _ in range(2))
        self.assertEqual(lines, ["signal=10", "signal=18"])
        process.terminate()
        self.assertEqual(self.finish(process).status, 0)

    def test_terminated(self):
        """SIGTERM ends a program that does not ask for anything else; pid 1 has to ask."""
        config = self.without_pid_namespace("print=up", "sleep=100000")
        process = self.start(config)
        process.stdout.readline()
        process.terminate()
        self.assertEqual(self.finish(process).status, 143)

    def test_killed(self):
        """kill -9 of shimbox: the container ends with it."""
        for title, config, more in self.callers("print=up", "sleep=100000"):
            with self.subTest(title):
                process = self.start(config, **more)
                process.stdout.readline()
                self.assertNotEqual(self.inside(), [])
                process.kill()
                self.finish(process)
                self.wait_for(lambda: not self.inside(), "the container outlives shimbox")
        for uid in (0, 1000):
            config = self.without_pid_namespace("print=up", "sleep=100000")
            config["process"]["user"]["uid"] = uid
            process = self.start(config)
            process.stdout.readline()
            process.kill()
            self.finish(process)
            self.wait_for(lambda: not self.inside(), "the container outlives shimbox")

    def test_everything_ends_with_pid_1(self):
        for title, config, more in self.callers("orphan=100000", "print=bye"):
            with self.subTest(title):
                result = self.run_config(config, **more)
                self.assertEqual((result.status, result.stderr), (0, ""))
                self.assertEqual(self.inside(), [])

    def test_everything_ends_without_pid_namespace(self):
        """Orphans come to shimbox; they are ended when the program ends, daemons included."""
        config = self.without_pid_namespace()
        config["process"]["args"] = [
            "/bin/sh", "-c", "for i in 1 2 3; do (setsid sleep 1000 &); done; sleep 1000 & exit 5"]
        result = self.run_config(config, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertEqual(result.status, 5)
        self.assertEqual(self.inside(), [])
        config = self.without_pid_namespace("orphan=100000", "exit=6")
        self.assertEqual(self.run_config(config).status, 6)
        self.assertEqual(self.inside(), [])

    def test_children_from_before_are_spared(self):
        """A shell that started something and then became shimbox: that is not the container's."""
        sleeper = pathlib.Path(self.dir) / "sleeper"
        script = f'sleep 1000 & echo $! >{sleeper}; exec "$@"'
        result = self.run_config(self.without_pid_namespace("exit=4"), prefix=["sh", "-c", script, "sh"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pid = int(sleeper.read_text())
        try:
            self.assertEqual(result.status, 4)
            self.wait_for(lambda: pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n", "it has ended")
        finally:
            os.kill(pid, signal.SIGKILL)

    def test_orphans_are_reaped(self):
        """Without a pid namespace shimbox is their reaper: no zombie stays for long."""
        process = self.start(self.without_pid_namespace("zombies=50", "print=up", "sleep=100000"))
        while process.stdout.readline() not in ("print=up\n", "up\n", ""):
            pass
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        self.wait_for(lambda: len(children.read_text().split()) == 1, "zombies stay")
        self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(self.finish(process).status, 143)

    def test_terminated_during_set_up(self):
        """At any time of its start: a clean end, or the program's."""
        config = self.map_user(self.config("sleep=1"), [(0, 100000, 65536)])
        for delay in range(0, 120, 4):
            process = self.start(config)
            time.sleep(delay / 10000)
            process.terminate()
            result = self.finish(process)
            self.assertIn(result.status, (-15, 143, 1, 0), result)
            if result.status == 1:
                self.assertRegex(result.stderr, r"^shimbox run: .*ended by signal 15 during the container's set-up")
        # Before it has signals by descriptor, it ends at once, and what it has made by then after it.
        self.wait_for(lambda: not self.inside(), "the container outlives shimbox")

    def test_killed_during_set_up(self):
        config = self.map_user(self.config("sleep=100000"), [(0, 100000, 65536)])
        for delay in range(0, 120, 3):
            process = self.start(config)
            time.sleep(delay / 10000)
            process.kill()
            self.finish(process)
        self.wait_for(lambda: not self.inside(), "the container outlives shimbox")

    def test_ignored_by_the_caller(self):
        """nohup and friends: what the caller ignores is passed on all the same."""
        process = self.start(self.config("sigwait"),
                             prefix=["sh", "-c", 'trap "" HUP INT USR1; exec "$@"', "sh"])
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        for number in (1, 2, 10):
            process.send_signal(number)
            self.assertRegex(process.stdout.readline(), rf"^signal={number} ")
        process.terminate()
        self.assertEqual(self.finish(process).status, 0)

    def test_group_signal_stays_outside(self):
        """kill(0) inside does not reach the caller."""
        config = self.without_pid_namespace()
        config["process"]["args"] = ["/bin/sh", "-c", "trap : USR2; kill -USR2 0; exit 4"]
        # shimbox would pass on what reaches it; a shell in its group is another one that would be reached.
        result = self.run_config(config, start_new_session=True,
                                 prefix=["sh", "-c", "trap 'echo hurt' USR2; \"$@\"; echo code $?", "sh"])
        self.assertEqual((result.status, result.stdout, result.stderr), (0, "code 4\n", ""))

    def test_background_process_group(self):
        """Ctrl-C reaches shimbox once, and the program once through it."""
        process = self.start(self.config("sigwait"), start_new_session=True)
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)
        result = self.finish(process)
        self.assertEqual([line.split()[0] for line in result.stdout.splitlines()], ["signal=2", "signal=15"])

    def test_pid_file(self):
        path = pathlib.Path(f"{self.dir}/pid")
        process = self.start(self.config("sigwait"), "--pid-file", path)
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        pid = int(path.read_text())
        self.assertEqual(path.read_text(), str(pid))
        self.assertIn(pid, self.inside())
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        self.assertEqual(children.split(), [str(pid)])
        process.terminate()
        self.assertEqual(self.finish(process).status, 0)
        self.assertFalse(os.path.exists(f"{self.rootfs}/pid"))
        path.unlink(missing_ok=True)
        self.refused(self.config("uid"), "No such file or directory", "--pid-file", "/no/such/pid")
        self.refused(self.config("uid"), "cannot execute /bin/missing", "--pid-file", path, "--",
                     "/bin/missing")
        self.assertFalse(path.exists())
