"""Bounds of a function where all controllers are there, and layers by an older kernel.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/spark"))
from spark import MIB, SparkTest  # noqa: E402 (its folder comes first)


class Limits(SparkTest):
    def left_over(self):
        """The cgroups of functions, too."""
        return super().left_over() | {f"cgroup {path}" for path in pathlib.Path("/sys/fs/cgroup").glob("**/spark-*")}

    def test_values(self):
        """The function sees its own in its cgroup; its guard is one process more."""
        files = ("memory.max", "memory.swap.max", "pids.max", "cpu.max", "cpu.weight")
        facts = self.good("--memory 64Mi --pids 10 --cpu 500m", "/bin/probe",
                          *(f"read=/sys/fs/cgroup/{name}" for name in files)).facts
        self.assertEqual([facts[f"read:/sys/fs/cgroup/{name}"].removesuffix("\\n") for name in files],
                         [str(64 * MIB), "0", "11", "50000 100000", "59"])

    def test_memory(self):
        """Who takes too much is killed, and it is said why."""
        answer = self.call("--memory 16Mi", "tail", "/dev/zero")
        self.assertEqual((answer.status, answer.stdout, answer.stderr), (
            137, b"", "shimbox spark: the function was ended by SIGKILL (out of memory)\n"))
        answer = self.call("--memory 16Mi --json", "tail", "/dev/zero")
        report = answer.report
        self.assertEqual((answer.status, report["exit"], report["signal"], report["oom"], report["end"]),
                         (137, 137, "SIGKILL", True, "ended"))
        self.assertEqual(report["error"], "the function was ended by SIGKILL (out of memory)")
        if "peak_memory" in report:
            self.assertGreater(report["peak_memory"], 14 * MIB)
            self.assertLessEqual(report["peak_memory"], 17 * MIB)
        answer = self.shell("--memory 16Mi --json", "tail /dev/zero; echo went on; head -c 1000 /dev/zero | wc -c")
        self.assertEqual((answer.status, answer.stdout, answer.report["oom"]), (0, b"went on\n1000\n", True), answer)
        answer = self.call("--memory 64Mi --json", "/bin/true")
        self.assertEqual((answer.status, answer.report["oom"]), (0, False))

    def test_files_count(self):
        """What it writes is memory, too, unless it goes to a directory."""
        answer = self.shell("--memory 16Mi --json", "head -c 40000000 /dev/zero >/large")
        self.assertEqual((answer.status != 0, answer.report["oom"]), (True, True), answer)
        answer = self.shell(f"--memory 16Mi --scratch {self.scratch}", "head -c 40000000 /dev/zero >/large; wc -c </large")
        self.assertEqual((answer.status, answer.stdout, answer.stderr), (0, b"40000000\n", ""), answer)

    def test_pids(self):
        script = "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; echo all"
        answer = self.shell("--pids 5", script)
        self.assertNotEqual(answer.status, 0)
        self.assertNotIn(b"all", answer.stdout)
        self.assertIn("fork", answer.stderr)
        answer = self.shell("--pids 9", script)
        self.assertEqual((answer.status, answer.stdout, answer.stderr), (0, b"all\n", ""), answer)

    def test_cpu(self):
        """In each period in which it ran it got its share of a tenth, and not much more; a busy loop
        without a limit would have ten times that. (An emulated processor's ticks are coarse.)"""
        # The emulator may have to wait for a processor itself: what the last period got more then counts less
        # among more of them.
        for seconds in (3, 6, 12):
            answer = self.shell("--cpu 100m", f"timeout {seconds} sh -c 'while :; do :; done'; cat /sys/fs/cgroup/cpu.stat")
            told = dict(line.split() for line in answer.stdout.decode().splitlines() if " " in line)
            ratio = int(told["usage_usec"]) / (int(told["nr_periods"]) * 10000)
            if int(told["nr_throttled"]) > 5 and ratio < 3:
                break
        self.assertGreater(int(told["nr_throttled"]), 5, answer)
        self.assertLess(ratio, 3, answer)

    def test_killed(self):
        """The one of a spark that was killed is swept by the next."""
        process = self.begin("--memory 64Mi", "/bin/sh", "-c", "echo ready; exec sleep 1000")
        process.stdout.readline()
        process.kill()
        self.end(process)
        self.wait_for(lambda: self.swept() == [], "it stays")

    def swept(self):
        self.good("", "/bin/true")
        return [path for path in pathlib.Path("/sys/fs/cgroup").glob("**/spark-*")] + os.listdir(self.root)


class Layers(SparkTest):
    SCRIPT = ("echo changed >/etc/hosts && rm /etc/passwd && mkdir /new && mv /bin/vi /new/vi && ln /etc/hosts /new/hosts "
              "&& chmod 700 /home && ! ls /bin/vi 2>/dev/null && cat /etc/hosts")

    def test_changes(self):
        """Files are changed, removed, renamed; the owners are the host's."""
        for options in ("", f"--scratch {self.scratch}"):
            self.assertEqual(self.good(options, "/bin/sh", "-c", self.SCRIPT).stdout, b"changed\n")
        facts = self.good("", "/bin/probe", "stat=/bin/busybox", "stat=/home/user", "mount=/").facts
        self.assertEqual((facts["stat:/bin/busybox.uid"], facts["stat:/home/user.uid"]), ("0", "1000"))

    def test_directories(self):
        """Those of the root file system are removed and made anew. A tmpfs has user.* attributes since Linux
        6.6, by which an overlay tells that; before, the function is told, and the directory stays."""
        script = "rm -r /home 2>/dev/null; echo $?; mkdir /home 2>/dev/null; echo $?; ls -A /home; mkdir /opt; ls -d /opt"
        new = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 6)
        self.assertEqual(self.good("", "/bin/sh", "-c", script).stdout, b"0\n0\n/opt\n" if new else b"1\n1\n/opt\n")
        self.assertEqual(self.good(f"--scratch {self.scratch}", "/bin/sh", "-c", script).stdout, b"0\n0\n/opt\n")
