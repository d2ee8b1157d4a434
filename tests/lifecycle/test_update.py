#!/usr/bin/env python3
"""`update`, as far as that goes without controllers; see tests/vm/test_container_limits.py.
SPDX-License-Identifier: Apache-2.0

Version 2 is mounted on /sys/fs/cgroup in this file's own mount namespace. Two files there hold limits without
any controller.
"""

import json
import pathlib
import unittest

from lifecycle import CGROUPS, CgroupTest
from test_cgroup import old_controllers

FILES = ("cgroup.max.depth", "cgroup.max.descendants")


class Update(CgroupTest):
    def update(self, resources, message=None):
        """The limits by standard input; refused with that message."""
        words = ["update", "--resources", "-", "c"]
        with open(f"{self.dir}/resources", "w+", encoding="utf-8") as file:
            file.write(resources if isinstance(resources, str) else json.dumps(resources))
            file.seek(0)
            return self.bad(message, *words, stdin=file) if message else self.good(*words, stdin=file)

    def refused(self, message, resources):
        before = self.limits()
        self.update(resources, message)
        self.assertEqual(self.limits(), before)

    def limits(self):
        return [(self.cgroup / name).read_text().strip() for name in FILES]

    def test_states(self):
        """Created, running and paused; not when it has ended, or is not there."""
        self.bad("c: container does not exist", "update", "c")
        self.create("c")
        record = self.record("c")
        depth = 3
        for command in (None, "start", "pause"):
            if command:
                self.good(command, "c")
            with self.subTest(command):
                depth += 1
                self.assertEqual(self.update({"unified": {"cgroup.max.depth": str(depth)}}), "")
                self.assertEqual(self.limits(), [str(depth), "max"])
        self.assertEqual(self.status("c"), "paused")
        file = pathlib.Path(self.dir, "limits.json")
        file.write_text('{"unified": {"cgroup.max.descendants": "9"}}')
        self.good("update", "-r", str(file), "c")
        self.assertEqual(self.limits(), [str(depth), "9"])
        self.assertEqual(self.record("c"), record)
        # 0 is no limit, and nothing at all is allowed: engines send it so.
        self.good("update", "c")
        self.update({"memory": {"limit": 0, "swap": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0},
                     "pids": {"limit": 0}, "blockIO": {"weight": 0}})
        self.good("resume", "c")
        self.stop("c")
        self.refused("c: container not running", {"unified": {"cgroup.max.depth": "1"}})
        self.good("delete", "c")

    def test_all_or_nothing(self):
        """What was there is there again, whatever comes in the end."""
        self.create("c")
        self.update({"unified": {"cgroup.max.depth": "7", "cgroup.max.descendants": "8"}})
        self.assertEqual(self.limits(), ["7", "8"])
        self.refused(f"cannot set cgroup.max.descendants of cgroup {self.cgroup} to 'many': ",
                     {"unified": {"cgroup.max.depth": "9", "cgroup.max.descendants": "many"}})
        # No lock stays behind, neither of the container nor of its cgroup.
        self.good("delete", "c")
        self.assertFalse(self.cgroup.exists())

    def test_devices(self):
        """The filter is replaced, while the container runs; what it has open stays open."""
        config = self.config("mknod=/nodes/a,c,240,1", "mknod=/nodes/b,c,240,1", "sigwait", "open=/nodes/a,r",
                             "open=/nodes/b,r", "open=/dev/null,rw")
        config["linux"]["cgroupsPath"] = f"/{self.cgroup.name}"
        config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
        config["process"]["capabilities"] = {kind: ["CAP_MKNOD"] for kind in ("bounding", "effective", "permitted")}
        config["mounts"].append({"destination": "/nodes", "type": "tmpfs", "source": "x"})
        self.write(config)
        output = f"{self.dir}/facts"
        pid = self.create("c", output=output)
        self.good("start", "c")
        self.wait_for(lambda: "mknod:/nodes/b" in pathlib.Path(output).read_text(), "the program runs")
        deny = {"allow": False, "access": "rwm"}
        self.refused("to 'many': ", {"unified": {"cgroup.max.depth": "many"}, "devices": [deny, {
            "allow": True, "type": "c", "major": 240, "access": "r"}]})
        self.update({"devices": [deny, {"allow": True, "type": "c", "major": 240, "minor": 1, "access": "r"}]})
        self.update({"unified": {"cgroup.max.depth": "5"}})
        self.good("kill", "c", "TERM")
        self.wait_stopped(pid)
        facts = dict(line.split("=", 1) for line in pathlib.Path(output).read_text().splitlines() if "=" in line)
        self.assertEqual([facts.get(f"open:{node}") for node in ("/nodes/a", "/nodes/b", "/dev/null")],
                         ["ENXIO", "ENXIO", "ok"])
        self.good("delete", "c")

    def test_refusals(self):
        """One line that names it, and nothing changes."""
        self.create("c")
        for message, resources in (
                ("standard input:1:1: ", "{"),
                ("expected an object", "[]"),
                ("/memory/limit: ", {"memory": {"limit": "1g"}}),
                ("/linux/resources/memory/swap: less than the limit, with which it is counted together",
                 {"memory": {"limit": 2 << 20, "swap": 1 << 20}}),
                ("/linux/resources/memory/swap: needs a limit as well", {"memory": {"swap": 1 << 20}}),
                ("/linux/resources/hugepageLimits: cannot be applied: ",
                 {"unified": {"cgroup.max.depth": "2"}, "hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}),
                ("/linux/resources/cpu/realtimeRuntime: cannot be applied: ", {"cpu": {"realtimeRuntime": 5}}),
                ("/unified/cgroup.procs: not the name of a file that holds a limit",
                 {"unified": {"cgroup.procs": "1"}}),
                ("cannot set nothing.max: there is no controller nothing in /sys/fs/cgroup",
                 {"unified": {"cgroup.max.depth": "2", "nothing.max": "2"}})):
            with self.subTest(message):
                self.refused(message, resources)
        before = self.limits()
        for message, *words in (
                ("one container ID is wanted, 0 are given", "update"),
                ("one container ID is wanted, 2 are given", "update", "c", "d"),
                ("cannot open /nowhere: ", "update", "-r", "/nowhere", "c"),
                ("option --memory: not together with --resources", "update", "--memory", "1g", "-r", "-", "c"),
                *((f"option --{name} is not supported", "update", f"--{name}", "1", "c")
                  for name in ("kernel-memory", "kernel-memory-tcp", "cpu-rt-period", "cpu-rt-runtime", "blkio-weight",
                               "l3-cache-schema", "mem-bw-schema")),
                *((f"option --memory: '{value}' is not a number of bytes, such as 512m", "update", "--memory", value, "c")
                  for value in ("-2", "m", "1x", "1 2", "1..2", "1.", ".5", "1mm", "1bi", "99999999999g", "1e3", "nan")),
                ("option --memory-swap: '5q' is not a number", "update", "--memory-swap", "5q", "c"),
                ("option --memory-reservation: 'a' is not a number", "update", "--memory-reservation=a", "c"),
                ("option --cpu-period: '-1' is not a whole number from 0 upwards", "update", "--cpu-period", "-1", "c"),
                ("option --cpu-quota: '1.5' is not a whole number", "update", "--cpu-quota", "1.5", "c"),
                ("option --cpu-burst: 'x' is not", "update", "--cpu-burst", "x", "c"),
                ("option --cpu-share: '18446744073709551616' is not", "update", "--cpu-share",
                 "18446744073709551616", "c"),
                ("option --cpu-idle: '2' is not 0 or 1", "update", "--cpu-idle", "2", "c"),
                ("option --cpuset-cpus: '0-' is not a list such as 0-3,7", "update", "--cpuset-cpus", "0-", "c"),
                ("option --cpuset-mems: 'x' is not a list", "update", "--cpuset-mems", "x", "c"),
                ("option --pids-limit: '--5' is not a whole number", "update", "--pids-limit", "--5", "c")):
            with self.subTest(" ".join(words)):
                self.bad(message, *words)
        self.assertEqual(self.limits(), before)
        if "memory" in old_controllers():
            result = self.bad("cannot set memory.max: there is no controller memory in /sys/fs/cgroup: ", "update",
                              "--memory", "64m", "c")
            self.assertIn("(version 1 has it; boot with ", result.stderr)
        self.good("delete", "c")

    def test_another_cgroup(self):
        """One of the same name that has taken its place is not the container's."""
        pid = self.create("c")
        self.good("start", "c")
        (CGROUPS / "cgroup.procs").write_text(str(pid))
        self.wait_for(lambda: "populated 0" in (self.cgroup / "cgroup.events").read_text(), "it has left")
        self.cgroup.rmdir()
        self.cgroup.mkdir()
        self.addCleanup(self.cgroup.rmdir)
        self.refused("c: the container has no cgroup of its own", {"unified": {"cgroup.max.depth": "2"}})
        self.good("delete", "--force", "c")


if __name__ == "__main__":
    unittest.main()
