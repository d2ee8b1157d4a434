#!/usr/bin/env python3
"""Many containers, and many programs in one: all succeed, and nothing is left of them.
SPDX-License-Identifier: Apache-2.0

The second tier; TEST_MANY=N makes it N times smaller. Needs root and a cgroup version 2.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lifecycle"))
# pylint: disable=wrong-import-position
from lifecycle import LifecycleTest, skip_loudly  # noqa: E402

SMALLER = int(os.environ.get("TEST_MANY", "1"))
AT_ONCE, IN_SEQUENCE, EXECS = 200 // SMALLER, 2000 // SMALLER, 1000 // SMALLER


def unified():
    """Where the version 2 hierarchy is, or None."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        if line.split(" - ")[1].startswith("cgroup2 "):
            return line.split()[4]
    return None


class Many(LifecycleTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or not unified():
            skip_loudly(self, "this is not root, or there is no cgroup version 2")
        self.parent = tempfile.mkdtemp(prefix="many-", dir=unified())
        self.addCleanup(os.rmdir, self.parent)
        os.mkdir(self.root, 0o700)
        # One life before the counting: what the first one makes for all later ones is there then.
        self.live("first", 0)
        self.counts = self.count()
        self.began = time.monotonic()

    def tearDown(self):
        seconds = time.monotonic() - self.began
        end = time.monotonic() + 60
        while self.count() != self.counts and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.count(), self.counts)
        print(f"# {self._testMethodName}: {seconds:.1f} s; before and after: {self.counts}")
        super().tearDown()

    def count(self):
        """Mounts, cgroups, processes that are children, states, files, descriptors, keyrings."""
        self.reap()
        words = pathlib.Path("/proc/keys").read_text().split()
        return {
            "mounts": len(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()),
            "cgroups": sum(len(below) for _, below, _ in os.walk(self.parent)),
            "processes": sum(len(file.read_text().split())
                             for file in pathlib.Path("/proc/self/task").glob("*/children")),
            "states": len(list(pathlib.Path(self.root).glob("[!.]*"))),
            "files": sum(len(below) + len(files) for top in (self.root, "/tmp", "/run/shimbox")
                         for folder, below, files in os.walk(top) if not folder.startswith(self.bundle)),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "keyrings": sum(word.startswith("_ses.many-") for word in words),
        }

    def call(self, *words, code=0):
        """A command whose streams a container may keep. It must end so and say nothing on standard error."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as stderr:
            done = subprocess.run([self.shimbox, "--root", self.root, *words], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=stderr, check=False, timeout=300)
            stderr.seek(0)
            self.assertEqual((done.returncode, stderr.read()), (code, ""), words)

    def make_bundle(self, name, *facts):
        """The config of one container, in a cgroup below the parent."""
        config = self.config(*facts)
        config["linux"]["cgroupsPath"] = f"/{os.path.basename(self.parent)}/{name}"
        bundle = f"{self.dir}/bundle/{name}"
        os.makedirs(bundle, exist_ok=True)
        self.write(config, bundle)
        return bundle

    def live(self, name, code):
        """From create to delete; its program ends with the code."""
        bundle = self.make_bundle("in-sequence", f"exit={code}")
        self.call("create", "--bundle", bundle, name)
        pid = self.record(name)["init"]["pid"]
        self.call("start", name)
        ended, status = os.waitpid(pid, 0)
        self.assertEqual((ended, os.waitstatus_to_exitcode(status)), (pid, code))
        self.call("delete", name)

    def test_at_once(self):
        """All commands of one kind at the same time."""
        names = [f"many-{number}" for number in range(AT_ONCE)]
        bundles = {name: self.make_bundle(name, "sigwait") for name in names}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            def everyone(*words, **more):
                for future in [pool.submit(self.call, *[w if w != "ID" else name for w in words],
                                           *(["--bundle", bundles[name], name] if more else []))
                               for name in names]:
                    future.result()

            everyone("create", bundle=True)
            self.assertEqual(self.states(), {"created": AT_ONCE})
            everyone("start", "ID")
            self.assertEqual(self.states(), {"running": AT_ONCE})
            self.assertEqual(sum(len(below) for _, below, _ in os.walk(self.parent)), AT_ONCE)
            everyone("exec", "ID", "/bin/probe", "uid")
            everyone("pause", "ID")
            self.assertEqual(self.states(), {"paused": AT_ONCE})
            everyone("resume", "ID")
            everyone("kill", "ID", "KILL")
            self.wait_for(lambda: self.states() == {"stopped": AT_ONCE}, "not all end", 60)
            everyone("delete", "ID")
            # And in one command each, removed while they run.
            everyone("run", "--detach", bundle=True)
            self.assertEqual(self.states(), {"running": AT_ONCE})
            everyone("delete", "--force", "ID")
        self.assertEqual(self.states(), {})

    def states(self):
        """How many containers are in which state."""
        self.reap()
        found = {}
        for entry in json.loads(self.good("list", "--format=json")) or []:
            found[entry["status"]] = found.get(entry["status"], 0) + 1
        return found

    def test_in_sequence(self):
        for number in range(IN_SEQUENCE):
            self.live("many-0", number % 256)

    def test_exec(self):
        """Half of them one by one, half of them as many at once as there may be."""
        self.call("run", "--detach", "--bundle", self.make_bundle("many-0", "sigwait"), "many-0")
        for number in range(EXECS // 2):
            self.call("exec", "many-0", "/bin/probe", f"exit={number % 256}", code=number % 256)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            list(pool.map(lambda code: self.call("exec", "many-0", "/bin/probe", f"exit={code}", code=code),
                          [number % 256 for number in range(EXECS // 2)]))
        self.assertEqual(json.loads(self.good("ps", "--format=json", "many-0")), [self.record("many-0")["init"]["pid"]])
        self.call("delete", "--force", "many-0")


if __name__ == "__main__":
    unittest.main()
