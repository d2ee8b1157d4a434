#!/usr/bin/env python3
"""`events` and `stats`, as far as that goes without controllers; see tests/vm/test_container_limits.py.
SPDX-License-Identifier: Apache-2.0

Version 2 is mounted on /sys/fs/cgroup in this file's own mount namespace.
"""

import json
import pathlib
import shutil
import subprocess
import unittest

from lifecycle import CGROUPS, CgroupTest, skip_loudly
from test_cgroup import old_controllers

LEFT_OUT = "warning: left out is what controllers tell that cgroup version 1 has:"
NO_OOM = "warning: no oom events will come: the container's cgroup has no memory controller"


class Events(CgroupTest):
    def warnings(self, name, oom=False):
        """What is to be warned of here."""
        missing = [word for word, file in (("memory", "memory.current"), ("pids", "pids.current"), ("io", "io.stat"))
                   if not (self.cgroup / file).exists()]
        lines = [f"{LEFT_OUT} {' '.join(missing)}"] if missing and old_controllers() else []
        lines += [NO_OOM] if oom and "memory" in missing else []
        return "".join(f"shimbox {name}: {line}\n" for line in lines)

    def flat(self, file):
        return {key: int(value) for key, value in
                (line.split() for line in (self.cgroup / file).read_text().splitlines())}

    def check(self, text):
        """One line: what the files tell, and nothing else. The container sleeps, so that they stay as they are."""
        self.assertEqual(text.count("\n"), 1)
        event = json.loads(text)
        self.assertEqual(list(event), ["type", "id", "data"])
        self.assertEqual((event["type"], event["id"]), ("stats", "c"))
        data, stat = event["data"], self.flat("cpu.stat")
        self.assertEqual(data["cpu"]["usage"], {"total": stat["usage_usec"] * 1000, "kernel": stat["system_usec"] * 1000,
                                                "user": stat["user_usec"] * 1000})
        wanted = {"cpu"}
        for key, name in (("cpu", "cpu"), ("memory", "memory"), ("blkio", "io")):
            try:
                lines = (self.cgroup / f"{name}.pressure").read_text().splitlines()
            except OSError:
                continue
            wanted.add(key)
            found = {line.split()[0]: {word.split("=")[0]: float(word.split("=")[1]) for word in line.split()[1:]}
                     for line in lines}
            self.assertEqual({kind: list(values) for kind, values in found.items()},
                             {kind: list(values) for kind, values in data[key]["psi"].items()})
            self.assertEqual(found["some"]["total"], data[key]["psi"]["some"]["total"])
        sizes = {path.name.split(".")[1] for path in self.cgroup.glob("hugetlb.*.max") if "rsvd" not in path.name}
        self.assertEqual(data.get("hugetlb", {}), {size: {"usage": 0, "failcnt": 0} for size in sizes})
        wanted |= {"hugetlb"} if sizes else set()
        wanted |= {"pids"} if (self.cgroup / "pids.current").exists() else set()
        self.assertEqual(set(data), wanted)
        self.assertEqual("limit" in str(data), (self.cgroup / "memory.max").exists())

    def begin(self):
        pid = self.create("c")
        self.good("start", "c")
        self.wait_ready(pid)
        self.wait_asleep(pid)
        return pid

    def test_once(self):
        self.begin()
        for name, *words in (("stats",), ("events", "--stats"), ("events", "--interval", "1h", "--stats")):
            result = self.shim(name, *words, "c")
            self.assertEqual((result.status, result.stderr), (0, self.warnings(name)), result)
            self.check(result.stdout)
        self.good("pause", "c")
        self.check(self.shim("stats", "c").stdout)
        self.good("delete", "--force", "c")

    def test_until_the_end(self):
        """Lines as time goes by; the end of the container is the end of this, whoever reaps it and when."""
        self.begin()
        with open(f"{self.dir}/events", "w+", encoding="utf-8") as out, open(f"{self.dir}/warnings", "w+",
                                                                            encoding="utf-8") as err:
            warnings = self.warnings("events", oom=True)
            with subprocess.Popen([self.shimbox, "--root", self.root, "events", "--interval", "5ms", "c"],
                                  stdout=out, stderr=err) as often, \
                    subprocess.Popen([self.shimbox, "--root", self.root, "events", "--interval", "1h", "c"],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as never:
                self.wait_for(lambda: pathlib.Path(out.name).read_text().count("\n") >= 3, "lines come")
                self.assertEqual((often.poll(), never.poll()), (None, None))
                self.good("kill", "c", "KILL")
                # Not reaped by us: a process that has ended is enough.
                self.assertEqual((often.wait(120), never.wait(120)), (0, 0))
                self.assertEqual(never.stdout.read(), b"")
            self.assertEqual(pathlib.Path(err.name).read_text(), warnings)
            for line in pathlib.Path(out.name).read_text().splitlines():
                self.assertEqual(json.loads(line)["type"], "stats")
        self.good("delete", "--force", "c")
        self.assertFalse(self.cgroup.exists())

    def test_names_of_the_container(self):
        """A container that owns its cgroup makes directories in it that are called like the kernel's files."""
        self.begin()
        for name in ("hugetlb.x.current", "memory.events", "memory.current", "pids.current", "io.stat"):
            if not (self.cgroup / name).exists():
                (self.cgroup / name).mkdir()
        result = self.shim("stats", "c")
        self.assertEqual((result.status, json.loads(result.stdout)["type"]), (0, "stats"), result)
        self.assertNotIn('"x"', result.stdout)
        with open(f"{self.dir}/events", "wb") as out, \
                subprocess.Popen([self.shimbox, "--root", self.root, "events", "--interval", "5ms", "c"],
                                 stdout=out, stderr=subprocess.DEVNULL) as events:
            self.wait_for(lambda: pathlib.Path(out.name).stat().st_size > 0, "a line comes")
            self.good("kill", "c", "KILL")
            self.assertEqual(events.wait(120), 0)
        self.good("delete", "--force", "c")
        self.assertFalse(self.cgroup.exists())

    def test_refusals(self):
        self.bad("c: container does not exist", "events", "c")
        self.bad("c: container does not exist", "stats", "c")
        self.begin()
        for message, *words in (
                ("one container ID is wanted, 0 are given", "stats"),
                ("one container ID is wanted, 2 are given", "stats", "c", "d"),
                ("one container ID is wanted, 0 are given", "events"),
                *((f"option --interval: '{word}' is not a time of up to a day such as 500ms, 5s or 1m30s",
                   "events", "--interval", word, "c")
                  for word in ("", "0", "0s", "5", "-5s", "s", "1x", "1.2.3s", "25h", "1e3s", "5s ", "nan"))):
            with self.subTest(words):
                self.bad(message, *words)
        for word in ("1m30s", "0.5h", "1.5s", "3ns", "24h"):
            self.assertEqual(self.shim("events", "--interval", word, "--stats", "c").status, 0)
        self.stop("c")
        self.bad("container with id c is not running", "events", "c")
        self.bad("container with id c is not running", "events", "--stats", "c")
        self.bad("container with id c is not running", "stats", "c")
        self.good("delete", "c")

    def test_another_cgroup(self):
        pid = self.begin()
        (CGROUPS / "cgroup.procs").write_text(str(pid))
        self.wait_for(lambda: "populated 0" in (self.cgroup / "cgroup.events").read_text(), "it has left")
        self.cgroup.rmdir()
        self.bad("c: the container has no cgroup of its own", "stats", "c")
        self.good("delete", "--force", "c")

    def test_beside_runc(self):
        """Of like containers: the names that both tell, and their order."""
        if not shutil.which("runc"):
            skip_loudly(self, "runc is not there")
        runc = ["runc", "--root", f"{self.dir}/runc-state"]
        config = json.loads(pathlib.Path(self.bundle, "config.json").read_text())
        config["linux"]["cgroupsPath"] += "-runc"
        config["linux"]["namespaces"].remove({"type": "cgroup"})
        self.write(config)
        name = self.cgroup.name
        self.addCleanup(subprocess.run, [*runc, "delete", "--force", name], check=True)
        subprocess.run([*runc, "run", "--detach", "--bundle", self.bundle, name], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        theirs = json.loads(subprocess.run([*runc, "events", "--stats", name], check=True,
                                           stdout=subprocess.PIPE).stdout)
        config["linux"]["cgroupsPath"] = f"/{name}"
        self.write(config)
        self.begin()
        ours = json.loads(self.shim("stats", "c").stdout)
        self.assertEqual([list(theirs), list(theirs["data"]["cpu"]["usage"])],
                         [list(ours), list(ours["data"]["cpu"]["usage"])])
        self.assertEqual(list(ours["data"]), [key for key in theirs["data"] if key in ours["data"]])
        self.assertEqual(set(ours["data"].get("hugetlb", {})), set(theirs["data"]["hugetlb"]))
        self.good("delete", "--force", "c")


if __name__ == "__main__":
    unittest.main()
