#!/usr/bin/env python3
"""`list` of many containers: the same few system calls for each of them, nothing that is asked again.
SPDX-License-Identifier: Apache-2.0
"""

import collections
import os
import pathlib
import shutil
import subprocess
import unittest

from lifecycle import LifecycleTest

STEPPER = pathlib.Path(os.environ["PROBE"]).resolve().parent / "stepper"
# What one costs: its folder, its record, its process, the events of its cgroup; and, by openat2(2), that.
OPENED = 4


class List(LifecycleTest):
    def calls(self, root):
        """How often `list` makes each system call (tests/faults/stepper.c), and its lines."""
        report, trace = f"{self.dir}/report", f"{self.dir}/trace"
        done = subprocess.run([STEPPER, report, trace, "-", "-", self.shimbox, "--root", root, f"--trace={trace}",
                               "list"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        rows = [line.split("\t") for line in pathlib.Path(report).read_text().splitlines()]
        counted = collections.Counter(row[4] for row in rows if row[0] == "call" and row[1] == "0")
        # Two names of one thing, for one libc or the other.
        counted["openat"] += counted.pop("open", 0)
        return counted, done.stdout.splitlines()

    def test_slope(self):
        self.create("c")
        self.good("start", "c")
        self.assertNotEqual(self.record("c")["cgroup"], "")
        counts = {}
        for number in (1, 21, 61):
            root = pathlib.Path(self.dir, f"many-{number}")
            root.mkdir(mode=0o700)
            self.addCleanup(shutil.rmtree, root)
            for i in range(number):
                (root / f"c{i}").mkdir(mode=0o700)
                file = root / f"c{i}" / "state.json"
                file.touch(mode=0o600)
                text = pathlib.Path(self.root, "c", "state.json").read_text()
                file.write_text(text.replace('"id":"c"', f'"id":"c{i}"'))
            counts[number], lines = self.calls(root)
            self.assertEqual(len(lines), number + 1)
            self.assertEqual({line.split()[2] for line in lines[1:]}, {"running"})
        for name in sorted(counts[1]):
            with self.subTest(name):
                one, some, many = (counts[number][name] for number in (1, 21, 61))
                if name in ("mmap", "munmap", "brk", "madvise", "mremap", "getdents64", "write", "writev"):
                    continue
                self.assertEqual((many - some), 2 * (some - one))
                self.assertEqual((some - one) % 20, 0)
        more = {name: (counts[61][name] - counts[21][name]) // 40 for name in counts[1]}
        self.assertEqual((more["openat"], more["openat2"]), (OPENED, 1))
        for name in ("readlink", "readlinkat", "statx", "getpid"):
            self.assertEqual(more.get(name, 0), 0, name)
        self.good("delete", "--force", "c")


if __name__ == "__main__":
    unittest.main()
