"""Limits of a container where all controllers are there: set, and held.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/lifecycle"))
from lifecycle import LifecycleTest, process_state  # noqa: E402 (its folder comes first)
from test_cgroup import DENY, ROOT, Containers  # noqa: E402 (its folder comes first)

MIB = 1 << 20


class Limits(Containers):
    def inside(self, files, resources, version="1.0.2", **more):
        """The values of these files as the program sees them in its own cgroup."""
        config = self.mount(self.limited(*(f"read=/sys/fs/cgroup/{file}" for file in files), **resources), "ro")
        config["ociVersion"] = version
        facts = self.ask(config, **more)
        return [facts[f"read:/sys/fs/cgroup/{file}"].removesuffix("\\n") for file in files]

    def shell(self, script, **resources):
        config = self.mount(self.limited(**resources), "ro")
        config["process"]["args"] = ["/bin/sh", "-c", script]
        return self.finish(self.start(config), 120)

    def enabled(self, path=""):
        return (pathlib.Path(f"{self.top}{path}") / "cgroup.subtree_control").read_text().strip()

    def test_each(self):
        self.keep_top()
        rows = {
            "memory.max": str(64 * MIB), "memory.low": str(16 * MIB), "memory.swap.max": str(32 * MIB),
            "memory.high": str(48 * MIB), "cpu.weight": "59", "cpu.max": "20000 50000", "cpu.max.burst": "10000",
            "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "11", "hugetlb.2MB.max": str(2 * MIB),
        }
        found = self.inside(rows, {
            "memory": {"limit": 64 * MIB, "reservation": 16 * MIB, "swap": 96 * MIB, "useHierarchy": True},
            "cpu": {"shares": 512, "quota": 20000, "period": 50000, "burst": 10000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 11},
            "unified": {"memory.high": "48M", "hugetlb.2MB.max": "2M"},
            "devices": [DENY],
        })
        self.assertEqual(dict(zip(rows, found)), rows)
        self.assertEqual(set(self.enabled().split()), {"cpu", "cpuset", "hugetlb", "memory", "pids"})
        rows = {"memory.max": "max", "memory.low": "max", "memory.swap.max": "max", "cpu.idle": "1",
                "cpu.max": "max 100000", "pids.max": "max"}
        found = self.inside(rows, {"memory": {"limit": -1, "reservation": -1}, "pids": {"limit": -1},
                                   "cpu": {"idle": 1, "shares": 2, "quota": -1}})
        self.assertEqual(dict(zip(rows, found)), rows)
        # No limit before runtime-spec 1.3, and one since then.
        self.assertEqual(self.inside(["pids.max"], {"pids": {"limit": 0}}, "1.3.0"), ["1"])
        self.assertEqual(self.inside(["pids.max"], {"pids": {"limit": 0}}), ["max"])

    def test_bad_values(self):
        """The kernel's no, before the program has run; nothing stays."""
        self.keep_top()
        for resources, words in (
                ({"cpu": {"period": 1}}, "cannot set cpu.max of cgroup"),
                ({"cpu": {"quota": 1000, "burst": 2000}}, "cannot set cpu.max.burst of cgroup"),
                ({"cpu": {"cpus": "4000"}}, "cannot set cpuset.cpus of cgroup"),
                ({"memory": {"limit": 4096, "swap": 1}}, "/linux/resources/memory/swap: "),
                ({"unified": {"memory.nothing": "1"}}, "(there is no such file)"),
                ({"unified": {"nothing.max": "1"}}, "there is no controller nothing in /sys/fs/cgroup")):
            self.refused(self.limited("print=ran", **resources), words)

    def test_memory(self):
        """The one that takes too much is killed, and it is said why."""
        self.keep_top()
        result = self.shell("tail /dev/zero; echo $?", memory={"limit": 16 * MIB, "swap": 16 * MIB})
        self.assertEqual((result.status, result.stdout), (0, "137\n"), result)
        self.assertIn("shimbox run: warning: out of memory: the kernel has killed 1 of the container's processes\n",
                      result.stderr)

    def test_little_memory(self):
        """The set-up is not what a limit is for, nor are the 64 pages that a processor keeps in reserve. (On one
        processor, where the kernel alone would let it start four times of ten; later reserves may still kill.)"""
        self.keep_top()
        before = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, {min(before)})
        config = self.mount(self.limited("uid", "read=/sys/fs/cgroup/memory.high",
                                         memory={"limit": 224 << 10, "swap": 224 << 10}), "ro")
        for _ in range(2):
            results = [self.finish(self.start(config)) for _ in range(10)]
            good = [result for result in results if result.status == 0]
            if len(good) >= 8:
                break
        self.assertGreaterEqual(len(good), 8, results)
        # What was there before the reserves were asked for.
        self.assertEqual({result.facts["read:/sys/fs/cgroup/memory.high"] for result in good}, {"max\\n"})

    def test_check_before(self):
        self.keep_top()
        self.refused(self.limited("print=ran", memory={"limit": 4096, "checkBeforeUpdate": True}),
                     f"cannot limit the memory of cgroup {self.top}/a to 4096: ")
        self.ask(self.limited("uid", memory={"limit": 64 * MIB, "checkBeforeUpdate": True}))

    def test_pids(self):
        self.keep_top()
        result = self.shell("for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; echo all", pids={"limit": 5})
        self.assertNotEqual(result.status, 0)
        self.assertNotIn("all", result.stdout)
        self.assertIn("fork", result.stderr)

    def test_cpu(self):
        """In each period in which it ran it got its quota, and not much more."""
        self.keep_top()
        # The emulator may have to wait for a processor itself: what the last period got more then counts less
        # among more of them.
        for seconds in (3, 6, 12):
            result = self.shell(f"timeout {seconds} sh -c 'while :; do :; done'; cat /sys/fs/cgroup/cpu.stat",
                                cpu={"quota": 10000, "period": 100000})
            told = dict(line.split() for line in result.stdout.splitlines())
            ratio = int(told["usage_usec"]) / (int(told["nr_periods"]) * 10000)
            if int(told["nr_throttled"]) > 5 and 0.3 < ratio < 1.6:
                break
        self.assertGreater(int(told["nr_throttled"]), 5, result)
        self.assertLess(ratio, 1.6, result)
        self.assertGreater(ratio, 0.3, result)

    def test_siblings(self):
        """Only what is needed is enabled, and whoever is there keeps its limits."""
        (self.top / "sibling").mkdir(parents=True)
        (ROOT / "cgroup.subtree_control").write_text("+pids")
        (self.top / "cgroup.subtree_control").write_text("+pids")
        (self.top / "sibling/pids.max").write_text("77")
        self.before = self.left_over()
        self.ask(self.limited("uid", path="/b/c", memory={"limit": 64 * MIB}))
        self.assertEqual((self.enabled(), self.enabled("/b"), self.enabled("/sibling")), ("memory pids", "memory", ""))
        self.assertEqual((self.top / "sibling/pids.max").read_text(), "77\n")
        (self.top / "b").rmdir()

    def test_in_the_way(self):
        """Where processes are, no controllers can be given on: the container goes beside its caller, or
        it is said who is in the way."""
        outer = self.outer()
        config = self.limited("read=/proc/self/cgroup", path="", host=True, pids={"limit": 9})
        facts = self.ask(config, "an-id", prefix=outer)
        self.assertEqual(facts["read:/proc/self/cgroup"], f"0::{self.name}/an-id\\n")
        config["linux"]["cgroupsPath"] = "b/c"
        facts = self.ask(config, prefix=outer)
        self.assertEqual(facts["read:/proc/self/cgroup"], f"0::{self.name}/b/c\\n")
        (self.top / "b").rmdir()
        config["linux"]["cgroupsPath"] = f"{self.name}/outer/x"
        result = self.refused(config, f"cannot enable the controller pids in cgroup {self.top}/outer: ", prefix=outer)
        self.assertIn("(processes are in it, such as ", result.stderr)
        self.assertIn("move them into a cgroup below, or give a PATH elsewhere)", result.stderr)

    def test_exec_beside(self):
        """Where the first process has made room and given controllers away, exec goes to where that is;
        to a cgroup below on demand; and not between them."""
        self.keep_top()
        config = self.mount(self.limited(memory={"limit": 64 * MIB}, pids={"limit": 50}))
        config["process"]["args"] = ["/bin/sh", "-c", "cd /sys/fs/cgroup && mkdir init sub && echo 0 >init/cgroup.procs"
                                     " && echo +pids +memory >cgroup.subtree_control; sleep 600"]
        states = ["--root", f"{self.dir}/states"]
        path = pathlib.Path(self.dir, "exec.json")
        path.write_text(json.dumps(config))

        def shim(*words):
            done = subprocess.run([self.shimbox, *states, *words], capture_output=True, text=True, check=False,
                                  timeout=120)
            return done.returncode, done.stdout, done.stderr
        subprocess.run([self.shimbox, *states, "run", "--detach", "--config", path, "c"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(shim, "delete", "--force", "c")
        ask = ["c", "/bin/probe", "read=/proc/self/cgroup"]
        # Not asked by an exec: while that is in its cgroup, no controllers can be given away.
        self.wait_for(lambda: self.enabled("/a") == "memory pids", "its init", 60)
        for words, place in (([], "init"), (["--cgroup", "sub"], "sub"), (["--cgroup", "/init"], "init")):
            self.assertEqual(shim("exec", *words, *ask), (0, f"read:/proc/self/cgroup=0::/{place}\\n\n", ""))
        status, out, err = shim("exec", "--cgroup", "/", *ask)
        self.assertEqual((status, out, err.count("\n")), (255, "", 1), err)
        self.assertIn("controllers are enabled for the cgroups below it", err)
        self.assertEqual(shim("delete", "--force", "c"), (0, "", ""))
        os.rmdir(self.dir + "/states")

    def test_devices(self):
        self.keep_top()
        config = self.limited("mknod=/nodes/a,c,240,1", "mknod=/nodes/b,c,240,2", "open=/nodes/a,r", "open=/nodes/b,r",
                              "open=/dev/null,rw", devices=[DENY, {"allow": True, "type": "c", "major": 240,
                                                                   "minor": 2, "access": "r"}])
        config["process"]["capabilities"] = {kind: ["CAP_MKNOD"] for kind in ("bounding", "effective", "permitted")}
        config["mounts"].append({"destination": "/nodes", "type": "tmpfs", "source": "x"})
        facts = self.ask(config)
        self.assertEqual([facts[f"open:{node}"] for node in ("/nodes/a", "/nodes/b", "/dev/null")],
                         ["EPERM", "ENXIO", "ok"])

    def test_ordinary_user(self):
        user = self.need_user()
        (self.top / "shell").mkdir(parents=True)
        for path in (self.top, self.top / "shell"):
            for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
                os.chown(path / name, user.uid, user.gid)
        (ROOT / "cgroup.subtree_control").write_text("+pids")
        self.before = self.left_over()

        def become():
            (self.top / "shell/cgroup.procs").write_text("0")
            user.preexec()

        config = self.mount(self.user_config("read=/sys/fs/cgroup/pids.max", "stat=/sys/fs/cgroup"), "rw")
        config["linux"]["resources"] = {"pids": {"limit": 8}}
        facts = self.ask(config, preexec_fn=become, cwd="/")
        self.assertEqual(facts["read:/sys/fs/cgroup/pids.max"], "8\\n")
        self.assertEqual(facts["stat:/sys/fs/cgroup.uid"], "0")
        self.assertEqual(self.enabled(), "pids")
        # What is not delegated cannot be had, and is not forgotten.
        (self.top / "closed/user").mkdir(parents=True)
        for name in ("", "cgroup.procs", "cgroup.subtree_control"):
            os.chown(self.top / "closed/user" / name, user.uid, user.gid)
        self.before = self.left_over()

        def become_other():
            (self.top / "closed/user/cgroup.procs").write_text("0")
            user.preexec()

        self.refused(config, f"cannot enable the controller pids in cgroup {self.top}/closed: Permission denied (it is "
                     "not delegated to this user)", preexec_fn=become_other, cwd="/")


class Update(Containers, LifecycleTest):
    """`update`, `events` and `stats` of a container that runs."""

    FILES = ("memory.max", "memory.low", "memory.swap.max", "cpu.max", "cpu.max.burst", "cpu.weight", "cpu.idle",
             "cpuset.cpus", "cpuset.mems", "pids.max")

    def begin(self, **resources):
        config = self.limited(**resources)
        config["process"]["args"] = ["/bin/sh", "-c", "while :; do sleep 100; done"]
        self.write(config)
        self.keep_top()
        self.create("c")
        self.good("start", "c")

    def value(self, file):
        return (self.top / "a" / file).read_text().strip()

    def values(self):
        return {file: self.value(file) for file in self.FILES if (self.top / "a" / file).exists()}

    def update(self, resources, message=None):
        """By a file; refused with that message, with nothing changed."""
        path = pathlib.Path(self.dir, "resources.json")
        path.write_text(json.dumps(resources))
        before = self.values()
        if message:
            self.bad(message, "update", "--resources", str(path), "c")
            self.assertEqual(self.values(), before)
        else:
            self.good("update", "--resources", str(path), "c")

    def test_each_option(self):
        self.begin()
        self.assertFalse((self.top / "a/pids.max").exists())
        rows = [
            ("--pids-limit 11", {"pids.max": "11"}),
            ("--memory 64m --memory-swap 96m", {"memory.max": str(64 * MIB), "memory.swap.max": str(32 * MIB)}),
            ("--memory 128MiB", {"memory.max": str(128 * MIB), "memory.swap.max": str(32 * MIB)}),
            ("--memory 0.25g --memory-swap 268435456", {"memory.max": str(256 * MIB), "memory.swap.max": "0"}),
            ("--memory-reservation 16M", {"memory.low": str(16 * MIB), "memory.max": str(256 * MIB)}),
            ("--memory -1", {"memory.max": "max", "memory.swap.max": "max"}),
            ("--cpu-quota 20000", {"cpu.max": "20000 100000"}),
            ("--cpu-period 50000", {"cpu.max": "20000 50000"}),
            ("--cpu-burst 15000", {"cpu.max": "20000 50000", "cpu.max.burst": "15000"}),
            ("--cpu-burst 5000 --cpu-quota 10000", {"cpu.max": "10000 50000", "cpu.max.burst": "5000"}),
            ("--cpu-burst 0 --cpu-quota -1", {"cpu.max": "max 50000", "cpu.max.burst": "0"}),
            ("--cpu-share 512", {"cpu.weight": "59", "cpu.idle": "0"}),
            ("--cpu-idle 1", {"cpu.idle": "1"}),
            ("--cpu-idle 0 --cpu-share 512", {"cpu.weight": "59", "cpu.idle": "0"}),
            ("--cpuset-cpus 0 --cpuset-mems 0", {"cpuset.cpus": "0", "cpuset.mems": "0"}),
            ("--pids-limit 0", {"pids.max": "11"}),
            ("--pids-limit -1", {"pids.max": "max"}),
        ]
        for options, wanted in rows:
            with self.subTest(options):
                self.assertEqual(self.good("update", *options.split(), "c"), "")
                self.assertEqual({file: self.value(file) for file in wanted}, wanted)
        self.update({"memory": {"limit": 96 * MIB, "swap": 128 * MIB}, "pids": {"limit": 7},
                     "cpu": {"quota": 30000, "shares": 2}, "unified": {"memory.high": "80M"}})
        self.assertEqual([self.value(file) for file in ("memory.max", "memory.swap.max", "pids.max", "cpu.max",
                                                        "cpu.weight", "memory.high")],
                         [str(96 * MIB), str(32 * MIB), "7", "30000 50000", "1", str(80 * MIB)])
        # Whatever fails comes last: all that was before is put back, the weight that idle takes as well.
        self.good("update", "--cpu-share", "512", "c")
        last = {"unified": {"memory.nothing": "1"}}
        for resources in ({"cpu": {"idle": 1}}, {"cpu": {"quota": 5000, "burst": 4000, "period": 20000}},
                          {"memory": {"limit": 64 * MIB, "swap": 64 * MIB}, "pids": {"limit": 3}},
                          {"memory": {"limit": 512 * MIB, "swap": 512 * MIB, "reservation": MIB}},
                          {"cpu": {"cpus": "1", "mems": "0", "shares": 1024}}):
            with self.subTest(resources):
                self.update({**resources, **last}, "cannot set memory.nothing of cgroup")
        self.update({"cpu": {"cpus": "4000"}, "memory": {"limit": MIB}}, "cannot set cpuset.cpus of cgroup")
        self.update({"pids": {"limit": 3}, "unified": {"nothing.max": "1"}}, "there is no controller nothing")
        self.good("delete", "--force", "c")

    def test_without_swap(self):
        """A kernel that counts no swap has no file for it: a limit that means nothing then is left out, also
        where the controller comes with it."""
        hidden = ["strace", "-qq", "-o", "/dev/null", "-P", "memory.swap.max", "-e", "trace=faccessat,openat",
                  "-e", "inject=faccessat,openat:error=ENOENT"]
        self.begin()
        self.assertFalse((self.top / "a/memory.max").exists())
        self.good("update", "--memory", "64m", "--memory-swap", "64m", "c", prefix=hidden)
        self.assertEqual((self.value("memory.max"), self.value("memory.swap.max")), (str(64 * MIB), "max"))
        # One that means something is not.
        self.bad("cannot set memory.swap.max of cgroup", "update", "--memory", "32m", "--memory-swap", "64m", "c",
                 prefix=hidden)
        self.assertEqual(self.value("memory.max"), str(64 * MIB))
        self.good("delete", "--force", "c")

    @staticmethod
    def watches(pid):
        """It has looked at what was before when it sleeps with the file open."""
        try:
            links = [os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        except FileNotFoundError:
            return False
        return any(link.endswith("/memory.events") for link in links) and process_state(pid) == "S"

    def test_it_holds(self):
        """A limit that is lowered kills the hog, of which an event tells; others are felt, too."""
        self.begin(memory={"limit": 64 * MIB, "swap": 64 * MIB}, pids={"limit": 30})
        path = pathlib.Path(self.dir, "events")
        with open(path, "w", encoding="utf-8") as out:
            events = subprocess.Popen([self.shimbox, "--root", self.root, "events", "--interval", "1h", "c"],
                                      stdout=out, stderr=subprocess.PIPE, text=True)
        for end in (events.wait, events.stderr.close, events.kill):
            self.addCleanup(end)
        self.wait_for(lambda: self.watches(events.pid), "it waits")
        self.update({"memory": {"limit": 4096, "checkBeforeUpdate": True}},
                    f"cannot limit the memory of cgroup {self.top}/a to 4096: ")
        self.good("update", "--memory", "16m", "--memory-swap", "16m", "c")
        for count in (1, 2):
            result = self.shim("exec", "c", "tail", "/dev/zero")
            self.assertEqual((result.status, result.stdout), (137, ""), result)
            self.wait_for(lambda count=count: path.read_text().count("\n") >= count, "the event comes")
        self.check_stats()
        self.good("update", "--pids-limit", "6", "c")
        # With streams of their own, for they stay.
        result = self.shim("exec", "c", "sh", "-c",
                           "for i in 1 2 3 4 5 6 7 8; do sleep 100 >/dev/null 2>&1 & done; echo all")
        self.assertNotEqual(result.status, 0)
        self.assertEqual(result.stdout, "")
        self.assertIn("fork", result.stderr)
        self.good("update", "--cpu-quota", "30000", "--pids-limit", "30", "c")
        self.shim("exec", "c", "timeout", "3", "sh", "-c", "while :; do :; done")
        throttling = json.loads(self.good("stats", "c"))["data"]["cpu"]["throttling"]
        self.assertGreater(throttling["throttledPeriods"], 0)
        self.assertGreater(throttling["throttledTime"], 0)
        self.assertGreaterEqual(throttling["periods"], throttling["throttledPeriods"])
        self.good("kill", "c", "KILL")
        self.assertEqual((events.wait(120), events.stderr.read()), (0, ""))
        self.assertEqual([json.loads(line) for line in path.read_text().splitlines()], [{"type": "oom", "id": "c"}] * 2)
        self.good("delete", "c")

    def check_stats(self):
        """The figures are those of the files, and what these have no figure for is not there."""
        data = json.loads(self.good("stats", "c"))["data"]
        self.assertEqual(data["pids"], {"current": int(self.value("pids.current")), "limit": 30})
        memory = data["memory"]
        self.assertEqual((memory["usage"]["limit"], memory["swap"]["limit"]), (16 * MIB, 16 * MIB))
        self.assertLessEqual(memory["usage"]["usage"], 16 * MIB)
        self.assertGreater(memory["usage"]["usage"], 0)
        self.assertEqual(memory["swap"]["usage"] - memory["usage"]["usage"], int(self.value("memory.swap.current")))
        self.assertEqual(memory["usage"].get("max"),
                         int(self.value("memory.peak")) if (self.top / "a/memory.peak").exists() else None)
        self.assertEqual(set(memory["raw"]), {line.split()[0] for line in self.value("memory.stat").splitlines()})
        self.assertEqual(memory["cache"], memory["raw"]["file"])
        self.assertEqual(memory["event_count"], {line.split()[0]: int(line.split()[1])
                                                 for line in self.value("memory.events").splitlines()})
        self.assertEqual(memory["event_count"]["oom_kill"], 2)
        self.assertNotIn("throttling", data["cpu"])
        self.assertNotIn("ioServiceBytesRecursive", data.get("blkio", {}))
        # With the controller, what was read and written, by device.
        for path in (ROOT, self.top):
            (path / "cgroup.subtree_control").write_text("+io")
        self.shim("exec", "c", "cat", "/bin/busybox")
        # What it has written may go to the disk at any time.
        for _ in range(20):
            before = self.value("io.stat")
            blkio = json.loads(self.good("stats", "c"))["data"].get("blkio", {})
            if self.value("io.stat") == before:
                break
        rows = [line.split() for line in before.splitlines()]
        entries = {"bytes": [], "ios": []}
        for device, *words in rows:
            for word in words:
                name, value = word.split("=")
                if name[0] in "rw":
                    entries[name[1:]].append({"major": int(device.split(":")[0]), "minor": int(device.split(":")[1]),
                                              "op": {"r": "Read", "w": "Write"}[name[0]], "value": int(value)})
        self.assertEqual([blkio.get("ioServiceBytesRecursive", []), blkio.get("ioServicedRecursive", [])],
                         [entries["bytes"], entries["ios"]])


if __name__ == "__main__":
    unittest.main()
