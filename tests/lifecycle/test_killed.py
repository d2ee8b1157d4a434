#!/usr/bin/env python3
"""create, start and delete are killed at each of their steps: what is left is found, and removed by
delete --force.
SPDX-License-Identifier: Apache-2.0

The stepper of tests/faults tells where a command can be killed.
"""

import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import time

from lifecycle import LifecycleTest, process_state, skip_loudly

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
# pylint: disable=wrong-import-position
import test_steps as steps  # noqa: E402

STEPPER = pathlib.Path(os.environ["PROBE"]).resolve().parent / "stepper"
DEBUG = os.environ.get("TEST_BUILD") == "debug"
# Others that run at the same time have cgroups in the same place.
NAME = f"killed-{secrets.token_hex(4)}"


class Killed(LifecycleTest):
    def setUp(self):
        super().setUp()
        self.report, self.trace = pathlib.Path(self.dir, "report"), pathlib.Path(self.dir, "trace")
        self.out = f"{self.dir}/out"

    def step(self, words, point="-", action="-"):
        """Run a command of shimbox under the stepper until the command, or what was killed, has ended;
        the stepper waits for the container as well. Returns both."""
        self.trace.unlink(missing_ok=True)
        with open(self.out, "w", encoding="utf-8") as out:
            stepper = subprocess.Popen(
                [STEPPER, self.report, self.trace, point, action, self.shimbox, "--root", self.root,
                 f"--trace={self.trace}", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        listed = pathlib.Path(f"/proc/{stepper.pid}/task/{stepper.pid}/children")
        command = None
        end = time.monotonic() + 60
        while stepper.poll() is None:
            self.assertLess(time.monotonic(), end, "the command does not end")
            try:
                found = listed.read_text().split()
            except OSError:
                break
            command = command or (found and found[0])
            if command and command not in found:
                break
            time.sleep(0.002)
        return stepper

    def finish_step(self, stepper):
        self.assertIsNotNone(stepper.wait(120))
        report = steps.Report(self.report, steps.read_table())
        self.report.unlink()
        return report

    def points(self, words):
        """Where to kill the command: before the first system call of each of its steps, and of those
        of the container's process."""
        report = self.forced(self.step(words))
        chosen, seen = [], set()
        for call in sorted(report.calls, key=lambda c: (c.process, c.segment, c.number)):
            place = (call.process, call.segment) if call.role == "shimbox" else (call.process, call.step)
            # When the allocator asks for memory differs from run to run.
            if place in seen or call.name in steps.NEVER | {"mmap", "madvise", "poll"} or not call.role:
                continue
            seen.add(place)
            chosen.append(call)
        # The debug build is slow, and goes the same way.
        return chosen[::4 if DEBUG else 1]

    def forced(self, stepper):
        """Delete by force, which ends all: no process, no file."""
        pids = [r["init"]["pid"] for r in self.records() if "init" in r]
        self.assertLessEqual(self.shim("list").status, 0)
        self.delete(stepper)
        report = self.finish_step(stepper)
        for pid in pids:
            self.wait_stopped(pid)
        if os.path.isdir(self.root):
            self.assertEqual(os.listdir(self.root), [])
        self.wait_for(lambda: not self.inside(), "a process is left")
        self.assertEqual(self.cgroups(), [], "a cgroup is left")
        return report

    def cgroups(self):
        """Those of a container of this ID, beside or below that of this process."""
        own = pathlib.Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip().lstrip("/")
        return [str(path) for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
                if os.path.exists(f"{mount}/cgroup.controllers")
                for place in (pathlib.Path(mount, own), pathlib.Path(mount, own).parent)
                for path in place.glob(f"{NAME}*")]

    def delete(self, stepper):
        """Meanwhile, be a good parent to orphans: those of an exec that was killed are in the container's
        pid namespace, which does not end as long as one of them is not reaped."""
        with open(f"{self.dir}/deleted", "w+", encoding="utf-8") as out:
            process = subprocess.Popen([self.shimbox, "--root", self.root, "delete", "--force", NAME],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            own = {process.pid, stepper.pid}
            listed = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
            end = time.monotonic() + 60
            while process.poll() is None:
                self.assertLess(time.monotonic(), end, "delete does not end")
                for pid in {int(p) for p in listed.read_text().split()} - own:
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.002)
            out.seek(0)
            self.assertEqual((process.returncode, out.read()), (0, ""))

    def records(self):
        path = pathlib.Path(self.root, NAME, "state.json")
        return [json.loads(path.read_text())] if path.exists() else []

    def inside(self):
        """Processes in this test's containers."""
        own = os.readlink("/proc/self/ns/pid")
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if process_state(pid) not in (None, "Z", "X") and os.readlink(f"/proc/{pid}/ns/pid") != own:
                    found.append(pid)
            except OSError:
                pass
        return found

    def kill_at(self, words, call, prepare=lambda: None):
        """Killed at that point. Whether it is met may be a matter of which process is faster, so that it is
        tried again."""
        for _ in range(3):
            prepare()
            stepper = self.step(words, call.point, "kill=0")
            if self.forced(stepper).hit is not None:
                return True
        return False

    def test_create(self):
        words = ("create", "--bundle", self.bundle, NAME)
        met = 0
        points = self.points(words)
        for call in points:
            with self.subTest(str(call)):
                met += self.kill_at(words, call)
        self.assertGreater(met, len(points) * 3 // 4)
        self.assertGreater(len(points), 5 if DEBUG else 30)

    def test_cgroup(self):
        """At each system call between noting where the cgroup is to be and having it in the record."""
        words = ("create", "--bundle", self.bundle, NAME)
        report = self.forced(self.step(words))
        points = [call for call in sorted(report.calls, key=lambda c: (c.segment, c.number))
                  if call.role == "shimbox" and call.step == "make cgroup"]
        names = [call.name for call in points]
        if "mkdirat" not in names:
            skip_loudly(self, "no cgroup of version 2 can be made here")
        self.create(NAME)
        self.assertEqual(len(self.cgroups()), 1)
        self.good("delete", "--force", NAME)
        first = names.index("pwrite64")
        self.assertLess(first, names.index("mkdirat"))
        points = [call for call in points[first:] if call.name not in steps.NEVER][::4 if DEBUG else 1]
        met = 0
        for call in points:
            with self.subTest(str(call)):
                met += self.kill_at(words, call)
        self.assertGreater(met, len(points) // 2)

    def test_loss_of_power(self):
        """What a machine may have after it: a directory without anything, with half a record, or with
        a whole one of a container of another boot; notes of what no longer is."""
        pid = self.create("other")
        whole = pathlib.Path(self.root, "other", "state.json").read_text()
        other = whole.replace(self.record("other")["boot"], "0" * 36).replace('"id":"other"', f'"id":"{NAME}"')
        note = pathlib.Path(self.root, "other", "cgroup")
        note = note.read_text() if note.exists() else "00000000000000000001 /other\n"
        cases = [{}, {"state.json": ""}, {"state.json": whole[:100]}, {".shimbox-77-0": whole},
                 {"state.json": other, "cgroup": note, "start.fifo": ""},
                 {"state.json": "\0" * len(whole)}, {"cgroup": note}, {"state.json": other, "cgroup": "1"}]
        for files in cases:
            with self.subTest(files=list(files)):
                os.mkdir(f"{self.root}/{NAME}", 0o700)
                for name, text in files.items():
                    pathlib.Path(self.root, NAME, name).write_text(text)
                self.good("delete", "--force", NAME)
                self.assertEqual(os.listdir(self.root), ["other"])
                self.wait_asleep(pid)
        self.good("delete", "--force", "other")

    def test_run_detached(self):
        words = ("run", "--detach", "--bundle", self.bundle, NAME)
        points = [call for call in self.points(words) if call.role == "shimbox"]
        met = 0
        for call in points[-12:]:
            with self.subTest(str(call)):
                met += self.kill_at(words, call)
        self.assertGreater(met, 2 if DEBUG else 8)

    def test_run(self):
        """In the foreground: the container ends with it."""
        self.write(self.config("exit=0"))
        words = ("run", "--bundle", self.bundle, NAME)
        points = [call for call in self.points(words) if call.role == "shimbox"]
        met = 0
        for call in points[5::2 if DEBUG else 3]:
            with self.subTest(str(call)):
                met += self.kill_at(words, call)
        self.assertGreater(met, 1 if DEBUG else 5)

    def test_exec(self):
        """Killed or not, what it starts belongs to the container."""
        def running():
            self.create(NAME)
            self.good("start", NAME)
        for words in (("exec", NAME, "/bin/probe", "exit=0"), ("exec", "--detach", NAME, "/bin/probe", "sigwait")):
            self.check_steps(words, running, 3, "shimbox")

    def check_steps(self, words, prepare, least, role=None):
        prepare()
        points = [call for call in self.points(words) if role in (None, call.role)]
        met = 0
        for call in points:
            with self.subTest(str(call)):
                met += self.kill_at(words, call, prepare)
        self.assertGreater(met, 1 if DEBUG else least)

    def test_start(self):
        """It is created or runs then, and whichever it is, it can be deleted."""
        self.check_steps(("start", NAME), lambda: self.create(NAME), 5)

    def test_delete(self):
        def running():
            self.create(NAME)
            self.good("start", NAME)
        self.check_steps(("delete", "--force", NAME), running, 5)

        def stopped():
            pid = self.create(NAME)
            os.kill(pid, signal.SIGKILL)
            self.wait_stopped(pid)
        self.check_steps(("delete", NAME), stopped, 4)


if __name__ == "__main__":
    __import__("unittest").main()
