"""Containers that are created, started, killed and deleted, for the tests of these commands.
SPDX-License-Identifier: Apache-2.0

What is true of a container is read from /proc and from its files, not asked of the commands.
"""

import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "run"))
# pylint: disable=wrong-import-position
from container import ContainerTest, Result, skip_loudly  # noqa: E402, F401

PR_SET_CHILD_SUBREAPER = 36


def process_start(pid):
    """Field 22 of /proc/PID/stat, or None."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def process_state(pid):
    """The letter of /proc/PID/stat, or None."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


CGROUPS = pathlib.Path("/sys/fs/cgroup")


class LifecycleTest(ContainerTest):
    """A bundle, and a state directory, which must be empty in the end. Containers become children of
    this process, as they become an engine's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        cls.bundle = f"{cls.dir}/bundle"
        os.mkdir(cls.bundle)

    def setUp(self):
        super().setUp()
        self.root = f"{self.dir}/state-{self._testMethodName}"
        self.write(self.config("sigwait"))

    def tearDown(self):
        left = sorted(os.listdir(self.root)) if os.path.isdir(self.root) else []
        for name in left:
            self.shim("delete", "--force", name)
        self.reap()
        self.assertEqual(left, [], "containers left behind")
        super().tearDown()

    def write(self, config, bundle=None):
        pathlib.Path(bundle or self.bundle, "config.json").write_text(json.dumps(config))

    def shim(self, *arguments, prefix=(), root=None, **more):
        """shimbox --root ROOT ARGUMENTS..., to its end."""
        more.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run([*prefix, self.shimbox, "--root", root or self.root, *arguments], text=True,
                              errors="replace", check=False, timeout=120, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **more)
        return Result(done.returncode, done.stdout, done.stderr)

    def good(self, *arguments, **more):
        """The same, which must succeed and say nothing on standard error. Returns what it answers."""
        result = self.shim(*arguments, **more)
        self.assertEqual((result.status, result.stderr), (0, ""), result)
        return result.stdout

    def bad(self, message, *arguments, **more):
        """The same, which must fail with one line that holds the message."""
        result = self.shim(*arguments, **more)
        self.assertEqual((result.status, result.stdout), (1, ""), result)
        self.assertIn(message, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result)
        self.assertRegex(result.stderr, rf"^shimbox {arguments[0]}: ")
        return result

    def begin_quietly(self, *words, prefix=(), **more):
        """A command whose streams are kept open by what it starts. It must succeed and say nothing."""
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        with open(f"{self.dir}/said", "w+", encoding="utf-8") as said:
            done = subprocess.run([*prefix, self.shimbox, "--root", self.root, *words], stdout=subprocess.DEVNULL,
                                  stderr=said, text=True, check=False, timeout=120, **more)
            said.seek(0)
            self.assertEqual((done.returncode, said.read()), (0, ""))

    def create(self, name, *options, output=None, **more):
        """Create it; what its program writes goes to a file. Returns its pid."""
        # The container has these as well, and keeps them open: so no pipe, whose end would not come.
        with open(output or os.devnull, "w", encoding="utf-8") as stdout, \
                open(f"{self.dir}/stderr", "w+", encoding="utf-8") as stderr:
            done = subprocess.run(
                [self.shimbox, "--root", self.root, "create", "--bundle", self.bundle, *options, name],
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, check=False, timeout=120, **more)
            stderr.seek(0)
            self.assertEqual((done.returncode, stderr.read()), (0, ""))
        return self.record(name)["init"]["pid"]

    def record(self, name):
        return json.loads(pathlib.Path(self.root, name, "state.json").read_text())

    def state(self, name):
        return json.loads(self.good("state", name))

    def status(self, name):
        return self.state(name)["status"]

    def reap(self):
        """Children that have ended; not those that a subprocess object waits for."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return

    def wait_stopped(self, pid, seconds=60):
        end = time.monotonic() + seconds
        while process_state(pid) not in (None, "Z", "X"):
            self.assertLess(time.monotonic(), end, f"{pid} does not end")
            time.sleep(0.005)

    def wait_asleep(self, pid):
        """It has not ended, and is not about to: one that is killed wakes."""
        self.wait_for(lambda: process_state(pid) == "S", f"{pid} has ended")

    def wait_ready(self, pid):
        """Until the probe's sigwait runs in there: a signal that comes to a first process that has not
        asked for it yet is lost."""
        # rt_sigtimedwait, on x86_64 and aarch64
        self.wait_for(lambda: pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0] in ("128", "137"),
                      f"{pid} is not ready")

    def stop(self, name):
        """Kill it from outside, and wait until it is gone."""
        pid = self.record(name)["init"]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.wait_stopped(pid)


class CgroupTest(LifecycleTest):
    """The same, with a cgroup of version 2 for each test's container, wherever the machine has those."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not (CGROUPS / "cgroup.controllers").exists():
            subprocess.run(["mount", "-t", "cgroup2", "cgroup2", CGROUPS], check=True)
            cls.addClassCleanup(subprocess.run, ["umount", CGROUPS], check=True)

    def setUp(self):
        self.cgroup = CGROUPS / f"shimbox-test-{os.urandom(4).hex()}"
        super().setUp()
        config = self.config("sigwait")
        config["linux"]["cgroupsPath"] = f"/{self.cgroup.name}"
        self.write(config)
