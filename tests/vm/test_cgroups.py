"""cgroup-run where all controllers are there: limits that are set, and that hold.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/toolbox"))
from test_cgroup_run import Cgroups  # noqa: E402 (its folder comes first)

# The mount of a cgroup namespace of its own, where a command goes on.
APART = "mount -t cgroup2 none /mnt; exec \"$@\""


class Limits(Cgroups):
    def value(self, file, path=""):
        return (pathlib.Path(f"{self.top}{path}") / file).read_text().strip()

    def test_each_option(self):
        rows = [
            (["--memory", "64Mi"], "memory.max", str(64 << 20)),
            (["-m", "1.5Gi"], "memory.max", str(3 << 29)),
            (["--memory", "max"], "memory.max", "max"),
            (["--memory-high", "32M"], "memory.high", str(32000000 // 4096 * 4096)),
            (["--memory-low", "16Mi"], "memory.low", str(16 << 20)),
            (["--memory-low", "0"], "memory.low", "0"),
            (["--swap", "8Mi"], "memory.swap.max", str(8 << 20)),
            (["--swap", "0"], "memory.swap.max", "0"),
            (["--cpu", "500m"], "cpu.max", "50000 100000"),
            (["-c", "1.5"], "cpu.max", "150000 100000"),
            (["--cpu", "1m"], "cpu.max", "1000 100000"),
            (["--cpu", "max"], "cpu.max", "max 100000"),
            (["--cpu-weight", "77"], "cpu.weight", "77"),
            (["--pids", "5"], "pids.max", "5"),
            (["-p", "max"], "pids.max", "max"),
            (["--cpus", "0-1"], "cpuset.cpus", "0-1"),
            (["--mems", "0"], "cpuset.mems", "0"),
            (["--set", "memory.oom.group=1"], "memory.oom.group", "1"),
            (["-s", "cpu.max.burst=1000"], "cpu.max.burst", "1000"),
            (["-s", "hugetlb.2MB.max=2097152"], "hugetlb.2MB.max", "2097152"),
        ]
        for number, (options, file, wanted) in enumerate(rows):
            with self.subTest(options):
                self.run_it(*options, f"{self.name}/{number}")
                self.assertEqual(self.value(file, f"/{number}"), wanted)
        self.run_it("--pids", "7", "--memory", "1Gi", "--cpus", "1", f"{self.name}/all")
        self.assertEqual([self.value(file, "/all") for file in ("pids.max", "memory.max", "cpuset.cpus")],
                         ["7", str(1 << 30), "1"])
        facts = self.run_it("--cpus", "1", f"{self.name}/one", "--", self.probe, "affinity")
        self.assertEqual(facts["affinity"], "1")

    def test_only_what_is_needed(self):
        (self.top / "sibling").mkdir(parents=True)
        self.assertEqual(self.own_cgroup("--pids", "9", f"{self.name}/a/b/c"), f"{self.name}/a/b/c")
        self.assertEqual(self.left(), {"": "pids", "/a": "pids", "/a/b": "pids", "/a/b/c": "", "/sibling": ""})
        self.run_it("--memory", "1Gi", f"{self.name}/a/b")
        self.assertEqual(self.left(), {"": "memory pids", "/a": "memory pids", "/a/b": "pids", "/a/b/c": "",
                                       "/sibling": ""})
        self.assertEqual(self.value("pids.max", "/a/b/c"), "9")

    def test_memory(self):
        done = self.stand_in("--memory", "16Mi", "--swap", "0", self.name, "--", "tail", "/dev/zero", timeout=120)
        self.assertEqual((done.status, done.stdout), (-signal.SIGKILL, ""), done)
        events = dict(line.split() for line in self.value("memory.events").splitlines())
        self.assertGreaterEqual(int(events["oom_kill"]), 1)

    def test_pids(self):
        done = self.stand_in("--pids", "3", self.name, "--", "sh", "-c",
                             "for i in 1 2 3 4 5; do sleep 5 & done; echo all", timeout=120)
        self.assertNotEqual(done.status, 0)
        self.assertNotIn("all", done.stdout)
        self.assertGreaterEqual(int(self.value("pids.events").split()[1]), 1)

    def test_cpu(self):
        done = self.stand_in("--cpu", "100m", self.name, "--", "timeout", "2", "sh", "-c", "while :; do :; done",
                             timeout=120)
        self.assertEqual((done.status, done.stdout, done.stderr), (124, "", ""), done)
        told = dict(line.split() for line in self.value("cpu.stat").splitlines())
        self.assertGreater(int(told["nr_throttled"]), 0)

    def test_all_or_nothing(self):
        wrong = ["--pids", "5", "--memory", "1Gi", "--set", "pids.nothing=1"]
        self.refused(f"cannot set pids.nothing of cgroup {self.top}/a/b to '1': No such file or directory (there "
                     "is no such file)", *wrong, f"{self.name}/a/b", "--", "echo", "ran")
        self.assertFalse(self.top.exists())
        (self.top / "a").mkdir(parents=True)
        self.refused("cannot set pids.nothing", *wrong, f"{self.name}/a/b", "--", "echo", "ran")
        self.run_it("--pids", "77", f"{self.name}/a/b")
        self.refused("cannot set pids.nothing", *wrong, f"{self.name}/a/b", "--", "echo", "ran")
        self.assertEqual(self.value("pids.max", "/a/b"), "77")
        for options, words in ((["--cpus", "4000"], "cannot set cpuset.cpus of cgroup"),
                               (["--set", "cpu.max=much"], "to 'much': Invalid argument"),
                               (["--set", "cpu.stat=1"], "cannot set cpu.stat of cgroup")):
            self.refused(words, *options, f"{self.name}/c", "--", "echo", "ran")

    def test_processes_in_the_way(self):
        process = self.start(f"{self.name}/a")
        pid = process.pid
        self.refused(f"cannot enable the controller pids in cgroup {self.top}/a: ", "--pids", "5",
                     f"{self.name}/a/b", "--", "echo", "ran")
        self.refused(f"(processes are in it, such as {pid}: move them into a cgroup below, or give a PATH "
                     "elsewhere)", "--pids", "5", f"{self.name}/a/b")
        self.assertEqual(self.left(), {"": "", "/a": ""})
        self.run_it("--kill", f"{self.name}/a")
        # This very process is in the way, and moves.
        below = [self.name, self.tool, "--pids", "5"]
        self.assertEqual(self.own_cgroup(*below, "b"), f"{self.name}/b")
        self.assertEqual(self.left(), {"": "pids", "/a": "", "/b": ""})
        # It cannot be where controllers are enabled for others.
        self.refused(f"cannot join cgroup {self.top}: ", self.name, "--", "echo", "ran")
        self.refused("(controllers are enabled for the cgroups below it; give a PATH below)", self.name, "--",
                     "echo", "ran")

    def test_back_where_it_was(self):
        """The link moves out of the way, fails, and moves back; also where a shell stays in the way."""
        for folder in ("a", "b"):
            (self.top / folder).mkdir(parents=True)
        wrong = ["--pids", "5", "-s", "pids.nothing=1", "below", "--", "echo", "ran"]
        self.refused("cannot set pids.nothing", command=[self.shimbox, self.tool, f"{self.name}/a", self.tool,
                                                         *wrong])
        process = self.start(f"{self.name}/b", f"{self.shimbox} {self.tool} {' '.join(wrong)} 2>&1; echo $?; "
                             "exec sleep 1000")
        self.assertIn(b"cannot enable the controller pids", process.stdout.readline())
        self.assertEqual(process.stdout.readline(), b"125\n")
        self.assertEqual(self.left(), {"": "", "/a": "", "/b": ""})

    def test_others_keep_their_limits(self):
        """A cgroup that appears before it fails may use the controllers: they stay. strace holds the third
        write back, which is the one that fails."""
        (self.top / "a").mkdir(parents=True)
        slow = subprocess.Popen(["strace", "-o", "/dev/null", "-e", "trace=write", "-e",
                                 "inject=write:delay_enter=20000000:when=3", self.shimbox, self.tool, "-s",
                                 "pids.max=many", f"{self.name}/a/two"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(slow.stderr.close)
        while self.value("cgroup.subtree_control", "/a") != "pids":
            self.assertIsNone(slow.poll())
            time.sleep(0.01)
        (self.top / "a/one").mkdir()
        (self.top / "a/one/pids.max").write_text("8")
        self.assertIsNone(slow.poll())
        self.assertEqual(slow.wait(timeout=120), 125)
        self.assertIn("cannot set pids.max of cgroup", slow.stderr.read())
        self.assertEqual(self.value("pids.max", "/a/one"), "8")
        self.assertEqual(self.left(), {"": "pids", "/a": "pids", "/a/one": ""})
        (self.top / "a/one").rmdir()
        self.refused("cannot set cpu.max", "-s", "cpu.max=many", f"{self.name}/a/two")

    def test_not_enabled_above(self):
        (self.top / "a").mkdir(parents=True)
        command = [self.shimbox, self.tool, f"{self.name}/a", "unshare", "--cgroup", "--mount", "--", "sh", "-c",
                   APART, "sh", self.shimbox, self.tool]
        self.refused("cannot set memory.max: there is no controller memory in /mnt: ", command=[
            *command, "--memory", "1Gi", "x", "--", "echo", "ran"])
        self.refused("(the cgroup above has not enabled it in its cgroup.subtree_control)", command=[
            *command, "--memory", "1Gi", "/x", "--", "echo", "ran"])
        (self.top / "cgroup.subtree_control").write_text("+pids")
        done = self.run_command([*command, "--pids", "6", "x", "--", self.probe, "read=/proc/self/cgroup"])
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertEqual(done.facts["read:/proc/self/cgroup"], "0::/x\\n")
        self.assertEqual(self.value("pids.max", "/a/x"), "6")

    def test_ordinary_user(self):
        user = self.user
        owner = f"{user.uid}:{user.gid}"
        self.run_it("--delegate", owner, "--pids", "50", self.name)
        for name in ("shell", "scope"):
            self.run_it("--delegate", owner, f"{self.name}/{name}")

        def become(name="shell"):
            (self.top / name / "cgroup.procs").write_text("0")
            user.preexec()

        found = self.own_cgroup("--pids", "5", f"{self.name}/job", preexec_fn=become)
        self.assertEqual(found, f"{self.name}/job")
        self.assertEqual((self.value("pids.max", "/job"), self.value("pids.max")), ("5", "50"))
        self.assertEqual(self.value("cgroup.subtree_control"), "pids")
        # The user's own limit is not the user's.
        self.refused(f"cannot set pids.max of cgroup {self.top} to '60': Permission denied", "--pids", "60",
                     self.name, preexec_fn=become)
        # What systemd-run --user --scope -p Delegate=yes gives: alone in a cgroup of the user's own.
        found = self.own_cgroup("--pids", "4", "job", preexec_fn=lambda: become("scope"))
        self.assertEqual(found, f"{self.name}/scope/job")
        self.assertEqual(self.value("pids.max", "/scope/job"), "4")
        self.run_it("--delete", f"{self.name}/scope/job", preexec_fn=become)

    def test_user_without_the_cgroup_above(self):
        user = self.user
        (self.top / "root/user").mkdir(parents=True)
        for path in ("root/user", "root/user/cgroup.procs", "root/user/cgroup.subtree_control"):
            os.chown(self.top / path, user.uid, user.gid)

        def become():
            (self.top / "root/user/cgroup.procs").write_text("0")
            user.preexec()

        self.refused(f"cannot enable the controller pids in cgroup {self.top}: Permission denied (it is not "
                     "delegated to this user)", "--pids", "4", "job", "--", "echo", "ran", preexec_fn=become)

    def test_kill_a_fork_bomb(self):
        process = self.start(f"{self.name}/a", "while :; do sh -c 'sleep 100 & sleep 100' & sleep 0.01; done")
        time.sleep(0.5)
        self.run_it("--kill", "--delete", f"{self.name}/a", timeout=120)
        self.assertEqual(process.wait(), -signal.SIGKILL)
        self.assertEqual(self.left(), {"": ""})
