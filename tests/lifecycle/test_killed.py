#!/usr/bin/env python3
"""create, start and delete are killed at each of their steps: what is left is found, and removed by
delete --force.
SPDX-License-Identifier: Apache-2.0

The stepper of tests/faults tells where a command can be killed.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from lifecycle import LifecycleTest, process_state

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
# pylint: disable=wrong-import-position
import test_steps as steps  # noqa: E402

STEPPER = pathlib.Path(os.environ["PROBE"]).resolve().parent / "stepper"
DEBUG = os.environ.get("TEST_BUILD") == "debug"


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
        end = time.monotonic() + 20
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
        self.assertIsNotNone(stepper.wait(20))
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
        self.good("delete", "--force", "c")
        report = self.finish_step(stepper)
        for pid in pids:
            self.wait_stopped(pid)
        if os.path.isdir(self.root):
            self.assertEqual(os.listdir(self.root), [])
        self.wait_for(lambda: not self.inside(), "a process is left")
        return report

    def records(self):
        path = pathlib.Path(self.root, "c", "state.json")
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

    def kill_at(self, words, call):
        """Killed at that point. Whether it was met may be a matter of which process is faster."""
        stepper = self.step(words, call.point, "kill=0")
        report = self.forced(stepper)
        return report.hit is not None

    def test_create(self):
        words = ("create", "--bundle", self.bundle, "c")
        met = 0
        points = self.points(words)
        for call in points:
            with self.subTest(str(call)):
                met += self.kill_at(words, call)
        self.assertGreater(met, len(points) * 3 // 4)
        self.assertGreater(len(points), 5 if DEBUG else 30)

    def test_run_detached(self):
        words = ("run", "--detach", "--bundle", self.bundle, "c")
        points = [call for call in self.points(words) if call.role == "shimbox"]
        met = 0
        for call in points[-12:]:
            with self.subTest(str(call)):
                met += self.kill_at(words, call)
        self.assertGreater(met, 2 if DEBUG else 8)

    def check_steps(self, words, prepare, least):
        prepare()
        points = self.points(words)
        met = 0
        for call in points:
            with self.subTest(str(call)):
                prepare()
                met += self.kill_at(words, call)
        self.assertGreater(met, 1 if DEBUG else least)

    def test_start(self):
        """It is created or runs then, and whichever it is, it can be deleted."""
        self.check_steps(("start", "c"), lambda: self.create("c"), 5)

    def test_delete(self):
        def running():
            self.create("c")
            self.good("start", "c")
        self.check_steps(("delete", "--force", "c"), running, 5)

        def stopped():
            pid = self.create("c")
            os.kill(pid, signal.SIGKILL)
            self.wait_stopped(pid)
        self.check_steps(("delete", "c"), stopped, 4)


if __name__ == "__main__":
    __import__("unittest").main()
