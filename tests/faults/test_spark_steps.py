"""The steps that only `spark` has: their system calls fail, and each process is killed between them.
SPDX-License-Identifier: Apache-2.0

The rest of the set-up is `run`'s, see test_steps.py, whose stepper and report this uses. What a call
has made is gone afterwards, or, when spark itself was killed, with the next call.
"""

import ctypes
import errno
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "spark"))
# pylint: disable=wrong-import-position
from spark import FULL, Answer, SparkTest  # noqa: E402
from fault import STEPPER  # noqa: E402
from test_steps import NEVER, Report, read_table  # noqa: E402

# How the trace calls what is only done for a function, or otherwise than for a container.
OURS = re.compile("sweep|make /|read the conf|open root file|idmap|find the container's|connect streams|make a tmpfs for|make an "
                  "overlay|attach root|attach the root|open the root|guard program|own standard|close descriptors|unblock|"
                  "wait|release|end what|move what|remove |.*state")


class Steps(SparkTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Those whose parent is killed become our children.
        assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
        cls.table = read_table()

    def step(self, point="-", action="-"):
        trace, report = pathlib.Path(self.dir, "trace"), pathlib.Path(self.dir, "report")
        command = self.command(f"--scratch {self.scratch}", "/bin/sh", "-c", "cat; echo err >&2; mkdir -p /a/b")
        done = subprocess.run([STEPPER, report, trace, point, action, command[0], f"--trace={trace}", *command[1:]],
                              input=b"in\n", capture_output=True, check=False, timeout=120)
        found = Report(report, self.table)
        report.unlink()
        trace.unlink(missing_ok=True)
        return Answer(done.returncode, done.stdout, done.stderr), found

    def chosen(self, report):
        """The first of its kind in each step."""
        seen = set()
        for call in report.calls:
            key = call.process, re.sub(r"/\S+|\d+", "", call.text), call.name
            # json-c has words of its own for a missing random number.
            if call.name in NEVER | {"mmap", "munmap", "madvise", "close", "getrandom"} or key in seen or not OURS.match(call.text):
                continue
            seen.add(key)
            yield call

    def wait_for_children(self):
        listed = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
        end = time.monotonic() + 60
        while children := listed.read_text().split():
            for pid in children:
                os.waitpid(int(pid), os.WNOHANG)
            self.assertLess(time.monotonic(), end, f"processes are left: {children}")
            time.sleep(0.002)

    def left(self):
        return os.listdir(self.scratch) + os.listdir(self.root)

    def sweep(self):
        self.assertEqual(self.good("", "/bin/true").stdout, b"")
        self.assertEqual(self.left(), [])

    def test_failures(self):
        """It goes on, or says in one line what was wrong, and takes away what it has made."""
        good, report = self.step()
        self.assertEqual((good.status, good.stdout, good.stderr), (0, b"in\n", "err\n"))
        calls = list(self.chosen(report))
        self.assertGreater(len(calls), 40)
        for number, call in enumerate(calls):
            if not FULL and number % 5:
                continue
            code = (errno.EPERM, errno.ENOMEM)[number // 5 % 2]
            with self.subTest(str(call), errno=errno.errorcode[code]):
                answer, report = self.step(call.point, f"fail={code}")
                self.wait_for_children()
                removing = call.text.startswith(("remove", "sweep"))
                if answer.status == 0:
                    self.assertEqual(answer.stdout, good.stdout)
                    lines = [line for line in answer.stderr.splitlines() if line != "err"]
                    self.assertLessEqual(len(lines), 1, answer)
                    self.assertTrue(all(": warning: " in line for line in lines), answer)
                else:
                    own = answer.stderr.removeprefix("err\n")
                    self.assertRegex(own, r"\A(shimbox( spark)?: warning: [^\n]+\n)*shimbox( spark)?: [^\n]+\n\Z", answer)
                if not removing:
                    self.assertEqual(self.left(), [], answer)
                self.sweep()

    def kill(self, victim):
        """Before the first system call of each of its segments that are ours."""
        report = self.step()[1]
        points = {}
        for call in report.calls:
            if call.role and call.process == 0 and OURS.match(call.text):
                points.setdefault(re.sub(r"/\S+|\d+", "", call.text), call)
        for number, call in enumerate(points.values()):
            if not FULL and number % 3:
                continue
            with self.subTest(str(call), victim=victim):
                answer, report = self.step(call.point, f"kill={victim}")
                self.wait_for_children()
                if not report.hit:
                    self.assertEqual(answer.status, 0, answer)
                elif victim == 0:
                    self.assertEqual(answer.status, 137, answer)
                else:
                    self.assertIn(answer.status, (0, 125, 137), answer)
                    self.assertEqual(self.left(), [])
                self.sweep()

    def test_spark_is_killed(self):
        self.kill(0)

    def test_guard_is_killed(self):
        self.kill(1)

    def test_program_is_killed(self):
        self.kill(2)


if __name__ == "__main__":
    unittest.main()
