#!/usr/bin/env python3
"""The container's own cgroup, and its device rules, as far as that goes without controllers; see
tests/vm/test_container_limits.py.
SPDX-License-Identifier: Apache-2.0

Version 2 is mounted on /sys/fs/cgroup in this file's own mount namespace. Its tree is that of the whole
machine all the same: each test works below a cgroup of its own.
"""

import json
import os
import pathlib
import subprocess
import time
import unittest

from container import ContainerTest, skip_loudly

ROOT = pathlib.Path("/sys/fs/cgroup")
NO_CGROUPS = "while umount -R /sys/fs/cgroup 2>/dev/null; do :; done; exec \"$@\""
DENY = {"allow": False, "access": "rwm"}


def old_controllers():
    """Those that version 1 has."""
    lines = [line.split(":") for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    return {name for line in lines for name in line[1].split(",") if name and "=" not in name}


def is_empty(path):
    """No process is in it or below, nor is one about to end there."""
    return "populated 0" in (path / "cgroup.events").read_text()


def remove(path):
    """A cgroup with all below, and whatever runs there."""
    if not path.exists():
        return
    (path / "cgroup.kill").write_text("1")
    for _ in range(6000):
        if is_empty(path):
            break
        time.sleep(0.01)
    for folder, _, _ in os.walk(path, topdown=False):
        os.rmdir(folder)


class Containers(ContainerTest):
    """What tests here and in the test machine use."""

    def setUp(self):
        # Pids are not unique: the tree is that of other pid namespaces, too.
        self.name = f"/shimbox-test-{os.urandom(4).hex()}-{self._testMethodName}"
        self.cgroup_id = self.name[1:]
        self.top = ROOT / self.cgroup_id
        super().setUp()
        self.addCleanup(remove, self.top)

    def left_over(self):
        """The cgroups of this test, too."""
        found = {f"cgroup {folder}" for folder, _, _ in os.walk(self.top)} if self.top.exists() else set()
        return super().left_over() | found

    def outer(self):
        """A command that goes on in the cgroup NAME/outer, which stays until the test is over."""
        (self.top / "outer").mkdir(parents=True, exist_ok=True)
        self.before = self.left_over()
        return ["sh", "-c", f'echo 0 >{self.top}/outer/cgroup.procs; exec "$@"', "sh"]

    def limited(self, *facts, path="/a", host=False, **resources):
        """A configuration with a cgroup NAME/a and these resources; host: in the host's namespace."""
        config = self.config(*facts)
        if path:
            config["linux"]["cgroupsPath"] = self.name + path
        if resources:
            config["linux"]["resources"] = resources
        if host:
            config["linux"]["namespaces"].remove({"type": "cgroup"})
        return config

    def mount(self, config, *options):
        config["mounts"] += [
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*options]}]
        return config

    def own_cgroup(self, config, *options, **more):
        """What the program finds as its cgroup of version 2."""
        text = self.ask(config, *options, **more)["read:/proc/self/cgroup"]
        (line,) = [line for line in text.split("\\n") if line.startswith("0::")]
        return line[3:]

    def keep_top(self):
        """Cgroups above the container's stay, as with runc."""
        self.top.mkdir(exist_ok=True)
        self.before = self.left_over()


class Cgroup(Containers):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", ROOT], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", ROOT], check=True)

    OWN = "read=/proc/self/cgroup"

    def test_paths(self):
        self.keep_top()
        outer = self.outer()
        self.assertEqual(self.own_cgroup(self.limited(self.OWN, host=True)), f"{self.name}/a")
        self.assertEqual(self.own_cgroup(self.limited(self.OWN)), "/")
        config = self.limited(self.OWN, path="", host=True)
        self.assertEqual(self.own_cgroup(config, prefix=outer), f"{self.name}/outer")
        self.assertEqual(self.own_cgroup(config, "an-id", prefix=outer), f"{self.name}/outer/an-id")
        config["linux"]["resources"] = {"devices": [DENY]}
        self.assertRegex(self.own_cgroup(config, prefix=outer), f"^{self.name}/outer/shimbox-[0-9]+$")
        self.assertEqual(self.own_cgroup(config, "an-id", prefix=outer), f"{self.name}/outer/an-id")
        for path, found in (("b", "/outer/b"), ("c/d", "/outer/c/d"), (f"{self.name}/e/f", "/e/f")):
            config["linux"]["cgroupsPath"] = path
            self.assertEqual(self.own_cgroup(config, "an-id", prefix=outer), self.name + found)
        for path in ("outer/c", "e"):
            (self.top / path).rmdir()

    def test_default_specification(self):
        """Its limits alone are no reason for a cgroup, with a name it has one."""
        outer = self.outer()
        for more, found in (((), "/outer"), (("an-id",), "/outer/an-id")):
            process = subprocess.Popen([*outer, self.shimbox, "run", "--rootfs", self.rootfs, *more, "--",
                                        "/bin/probe", "print=there", "sleep=60000"], stdout=subprocess.PIPE)
            self.addCleanup(process.stdout.close)
            self.assertEqual(process.stdout.readline(), b"there\n")
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            text = pathlib.Path(f"/proc/{children[0]}/cgroup").read_text()
            process.kill()
            process.wait()
            self.assertIn(f"\n0::{self.name}{found}\n", f"\n{text}")
        # Killed, it has left its cgroup behind; the next one of that name takes it away.
        self.assertTrue((self.top / "outer/an-id").exists())
        self.wait_for(lambda: is_empty(self.top / "outer/an-id"), "its program goes on")
        config = self.limited(self.OWN, path="", host=True)
        self.assertEqual(self.own_cgroup(config, "an-id", prefix=outer), f"{self.name}/outer/an-id")
        self.assertFalse((self.top / "outer/an-id").exists())

    def test_namespace(self):
        """A mount of type cgroup shows the container's own cgroup as its root, or nothing else."""
        self.keep_top()
        for more in ({}, {"devices": [DENY]}):
            for host in (False, True):
                facts = self.ask(self.mount(self.limited(self.OWN, "mount=/sys/fs/cgroup", "list=/sys/fs/cgroup",
                                                         "mkdir=/sys/fs/cgroup/x", host=host, **more), "ro"))
                self.assertEqual(facts["mount:/sys/fs/cgroup.type"], "cgroup2")
                self.assertEqual(facts["mount:/sys/fs/cgroup.root"], f"{self.name}/a" if host else "/")
                self.assertIn("cgroup.events", facts["list:/sys/fs/cgroup"].split())
                self.assertEqual(facts["mkdir:/sys/fs/cgroup/x"], "EROFS")
                self.assertNotIn(self.cgroup_id, facts["list:/sys/fs/cgroup"])

    def test_bad_paths(self):
        for path in ("/", "..", "/..", "a/../b", "/a/./b", "a//b", "//a", "a/", "/" + "x" * 4000):
            config = self.config("uid")
            config["linux"]["cgroupsPath"] = path
            self.refused(config, "/linux/cgroupsPath: ")
        config["linux"]["cgroupsPath"] = "user.slice:shimbox:x"
        self.refused(config, '/linux/cgroupsPath: "user.slice:shimbox:x" is for systemd')
        config["linux"]["cgroupsPath"] = 7
        self.refused(config, "/linux/cgroupsPath: expected a string")

    def test_unsupported(self):
        for field, value in (("memory/kernel", 4096), ("memory/kernelTCP", 4096), ("memory/swappiness", 60),
                             ("memory/disableOOMKiller", True), ("cpu/realtimeRuntime", 1000),
                             ("cpu/realtimePeriod", 1000), ("blockIO", {"weight": 10}),
                             ("hugepageLimits", [{"pageSize": "2MB", "limit": 1}]),
                             ("network", {"classID": 5}), ("rdma", {"mlx5_1": {"hcaObjects": 3}})):
            section, _, name = field.partition("/")
            config = self.limited("uid", **{section: {name: value} if name else value})
            self.refused(config, f"/linux/resources/{field}: cannot be applied")
        self.ask(self.limited("uid", memory={"disableOOMKiller": False, "kernel": -1}, blockIO={}, network={},
                              hugepageLimits=[], rdma={}, cpu={"realtimeRuntime": 0}))
        self.top.rmdir()

    def test_unified(self):
        self.keep_top()
        config = self.mount(self.limited("read=/sys/fs/cgroup/cgroup.max.depth",
                                         unified={"cgroup.max.depth": "3"}), "ro")
        self.assertEqual(self.ask(config)["read:/sys/fs/cgroup/cgroup.max.depth"], "3\\n")
        for name in ("../x.max", "cgroup.procs", "cgroup.freeze", "x/y.max", "memory"):
            self.refused(self.limited("uid", unified={name: "1"}), "/linux/resources/unified/")
        self.refused(self.limited("uid", unified={"cgroup.max.depth": "many"}),
                     f"cannot set cgroup.max.depth of cgroup {self.top}/a to 'many': Invalid argument")
        self.refused(self.limited("uid", unified={"nothing.max": "1"}), "there is no controller nothing")

    def test_taken(self):
        """A cgroup with processes is nobody else's."""
        self.keep_top()
        process = subprocess.Popen(["sh", "-c", f"mkdir {self.top}/a && echo 0 >{self.top}/a/cgroup.procs && echo && "
                                    "exec sleep 1000"], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"\n")
        self.before = self.left_over()
        result = self.refused(self.limited("uid"), f"cannot use cgroup {self.top}/a: ")
        self.assertIn("esource busy (it has processes)", result.stderr)
        self.assertIsNone(process.poll())
        process.kill()
        process.wait()
        self.wait_for(lambda: is_empty(self.top / "a"), "its process goes on")
        self.ask(self.limited("uid"))
        self.keep_top()

    def test_failures(self):
        """Nothing stays, whatever fails."""
        self.keep_top()
        config = self.limited("uid")
        config["process"]["args"] = ["/bin/none"]
        self.assertEqual(self.run_config(config).status, 1)
        config = self.limited("uid", devices=[DENY])
        config["mounts"].append({"destination": "/x", "type": "nosuchfs", "source": "x"})
        self.refused(config, "/mounts/2")
        config = self.limited("uid")
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": (1 << 63)}]
        self.assertEqual(self.run_config(config).status, 1)

    def test_everything_ends(self):
        """Processes that outlive the first one, in cgroups of their own below."""
        self.keep_top()
        script = ("mkdir /sys/fs/cgroup/b /sys/fs/cgroup/b/c; sleep 1000 & echo $! >/sys/fs/cgroup/b/c/cgroup.procs; "
                  "setsid sleep 1000 & echo $! >/sys/fs/cgroup/b/cgroup.procs; cat /sys/fs/cgroup/b/c/cgroup.procs")
        for pid in (True, False):
            config = self.mount(self.limited(), "rw")
            config["process"]["args"] = ["/bin/sh", "-c", script]
            if not pid:
                config["linux"]["namespaces"].remove({"type": "pid"})
                config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": "/proc",
                                       "options": ["rbind"]}
            result = self.run_config(config)
            self.assertEqual((result.status, result.stderr), (0, ""), result)
            self.assertRegex(result.stdout, r"^\d+\n$")

    def test_devices(self):
        rules = [DENY, {"allow": True, "type": "c", "major": 240, "access": "rw"},
                 {"allow": False, "type": "c", "major": 240, "minor": 7},
                 {"allow": True, "type": "b", "major": 240, "minor": 3, "access": "r"}]
        nodes = [("c", 1, 3), ("c", 1, 5), ("c", 240, 1), ("c", 240, 7), ("b", 240, 3), ("b", 240, 4), ("c", 1, 1)]
        made = [f"mknod=/node{i},{kind},{major},{minor}" for i, (kind, major, minor) in enumerate(nodes)]
        opened = [f"open=/node{i},{mode}" for i in range(len(nodes)) for mode in ("r", "rw")]
        results = {}
        for name, resources in (("free", {}), ("default", {"devices": [DENY]}), ("rules", {"devices": rules})):
            config = self.limited(*made, *opened, **resources)
            for kind in ("bounding", "effective", "permitted"):
                config["process"].setdefault("capabilities", {})[kind] = ["CAP_MKNOD", "CAP_DAC_OVERRIDE"]
            config["mounts"].append({"destination": "/nodes", "type": "tmpfs", "source": "x"})
            config["process"]["args"] = [word.replace("=/node", "=/nodes/") for word in config["process"]["args"]]
            facts = self.ask(config)
            self.assertEqual({facts[f"mknod:/nodes/{i}"] for i in range(len(nodes))}, {"ok"})
            results[name] = ["".join("-" if answer == "EPERM" else letter
                                     for answer, letter in zip(facts[f"open:/nodes/{i}"], ("r", "w")))
                             for i in range(len(nodes))]
        self.assertEqual(results["free"][:6], ["rw"] * 6)
        self.assertEqual(results["default"], ["rw", "rw", "--", "--", "--", "--", "--"])
        self.assertEqual(results["rules"], ["rw", "rw", "rw", "--", "r-", "--", "--"])
        self.top.rmdir()

    def test_set_up_needs_devices(self):
        """Rules hold for the program, not for what makes its container: nodes are bound and made."""
        self.keep_top()
        config = self.limited("open=/dev/node,r", devices=[DENY, {"allow": True, "type": "c", "major": 240,
                                                                  "access": "r"}])
        config["linux"]["devices"] = [{"path": "/dev/node", "type": "c", "major": 240, "minor": 1}]
        self.assertEqual(self.ask(config)["open:/dev/node"], "ENXIO")

    def test_delegated(self):
        """The user of the program owns the cgroup that it sees as its own and can write to."""
        self.keep_top()
        outer = self.outer()
        facts = [f"stat=/sys/fs/cgroup{file}" for file in ("", "/cgroup.procs", "/cgroup.subtree_control",
                                                           "/cgroup.threads", "/cgroup.max.depth")]
        for option, owner in (("rw", "0"), ("ro", "65534")):
            config = self.mount(self.limited(*facts, "mkdir=/sys/fs/cgroup/below"), option)
            self.map_user(config, [(0, 100000, 65536)])
            told = self.ask(config)
            self.assertEqual([told[f"stat:{fact[5:]}.uid"] for fact in facts], [owner] * 4 + ["65534"])
            self.assertEqual(told["mkdir:/sys/fs/cgroup/below"], "ok" if option == "rw" else "EROFS")
        config = self.mount(self.limited(*facts, path="", host=True), "rw")
        self.assertEqual(self.ask(config, "an-id", prefix=outer)[f"stat:{facts[0][5:]}.uid"], "0")

    def test_left_out(self):
        """Limits whose controllers version 1 has: said once; not of those of the default specification."""
        if "memory" not in old_controllers() or "pids" not in old_controllers():
            skip_loudly(self, "no controllers of version 1 here")
        self.keep_top()
        limits = {"memory": {"limit": 1 << 26, "swap": 1 << 27}, "pids": {"limit": 7}}
        result = self.run_config(self.limited("uid", **limits))
        self.assertEqual((result.status, result.stderr), (
            0, "shimbox run: warning: limits are left out: cgroup version 1 has the controllers of pids.max "
            "memory.swap.max memory.max\n"), result)
        self.refused(self.limited("uid", **limits), "(--strict)", "--strict")
        self.ask(self.limited("uid", pids={"limit": 32768}, devices=[DENY]), "--strict")

    def test_not_mounted(self):
        if not old_controllers():
            skip_loudly(self, "no controllers of version 1 here")
        prefix = ["unshare", "--mount", "sh", "-c", NO_CGROUPS, "sh"]
        limits = {"pids": {"limit": 7}}
        result = self.run_config(self.limited("uid", **limits), prefix=prefix)
        self.assertEqual((result.status, result.stderr), (
            0, "shimbox run: warning: limits are left out: no cgroup of version 2 is mounted\n"), result)
        self.refused(self.limited("uid", **limits), "no cgroup of version 2 is mounted (--strict)", "--strict",
                     prefix=prefix)
        self.ask(self.limited("uid", path="", devices=[DENY]), prefix=prefix)
        self.ask(self.limited("uid", path=""), "an-id", prefix=prefix)

    def test_left_waiting(self):
        """container-init that ends before its container has nobody to remove a cgroup: its parent does."""
        fifo = f"{self.dir}/fifo"
        os.mkfifo(fifo)
        self.addCleanup(os.unlink, fifo)
        for config in (self.limited("uid"), self.limited("uid", path="", pids={"limit": 7})):
            done = subprocess.run([self.shimbox, "container-init", "--config", "-", "--exec-fifo", fifo],
                                  input=json.dumps(config), capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (125, ""), done)
            self.assertIn("/linux/resources: limits of a container that is left waiting take a parent", done.stderr)

    def test_without_clone3(self):
        """The child moves itself."""
        self.keep_top()
        prefix = ["strace", "-f", "-o", "/dev/null", "-e", "trace=clone3", "-e", "inject=clone3:error=ENOSYS"]
        self.assertEqual(self.own_cgroup(self.limited(self.OWN, host=True), prefix=prefix), f"{self.name}/a")
        self.assertEqual(self.own_cgroup(self.limited(self.OWN), prefix=prefix), "/")

    def test_joined_namespaces(self):
        self.keep_top()
        config = self.limited(self.OWN, host=True)
        for kind in ("ipc", "uts"):
            config["linux"]["namespaces"].remove({"type": kind})
            config["linux"]["namespaces"].append({"type": kind, "path": f"/proc/{os.getpid()}/ns/{kind}"})
        self.assertEqual(self.own_cgroup(config), f"{self.name}/a")

    def test_ordinary_user(self):
        user = self.need_user()
        self.keep_top()
        config = self.user_config(self.OWN)
        config["linux"]["cgroupsPath"] = f"{self.name}/own/a"
        self.refused(config, f"cannot make cgroup {self.top}/own: Permission denied", as_user=True)
        # Nobody has asked for these.
        del config["linux"]["cgroupsPath"]
        config["linux"]["resources"] = {"devices": [DENY]}
        self.ask(config, as_user=True)
        self.ask(config, "--strict", self.cgroup_id, as_user=True)
        (self.top / "own/shell").mkdir(parents=True)
        for path in ("own", "own/cgroup.procs", "own/cgroup.subtree_control", "own/shell", "own/shell/cgroup.procs"):
            os.chown(self.top / path, user.uid, user.gid)
        self.before = self.left_over()

        def become():
            (self.top / "own/shell/cgroup.procs").write_text("0")
            user.preexec()

        config["linux"]["cgroupsPath"] = f"{self.name}/own/a"
        self.refused(config, "Permission denied (to enter the cgroup, cgroup.procs must be writable there, and "
                     "in the nearest cgroup above", as_user=True)
        self.assertNotIn("a", os.listdir(self.top / "own"))
        config["linux"]["namespaces"].remove({"type": "cgroup"})
        self.assertEqual(self.own_cgroup(config, preexec_fn=become, cwd="/", as_user=False), f"{self.name}/own/a")
        config["linux"]["resources"] = {"devices": [DENY, {"allow": True, "type": "c", "major": 10}]}
        result = self.run_config(config, preexec_fn=become, cwd="/")
        self.assertEqual((result.status, result.stderr), (
            0, "shimbox run: warning: /linux/resources/devices is left out: it needs CAP_BPF and CAP_NET_ADMIN\n"),
                         result)
        self.refused(config, "/linux/resources/devices: the rules cannot be applied without CAP_BPF and "
                     "CAP_NET_ADMIN (--strict)", "--strict", preexec_fn=become, cwd="/")


if __name__ == "__main__":
    unittest.main()
