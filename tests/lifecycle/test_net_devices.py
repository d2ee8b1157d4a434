#!/usr/bin/env python3
"""linux.netDevices: interfaces of this namespace that a container gets, or that stay where they are.
SPDX-License-Identifier: Apache-2.0

All of it in a network namespace of this file's own; what is in the container's is told by ip(8).
"""

import ctypes
import json
import os
import pathlib
import subprocess
import unittest

from lifecycle import LifecycleTest, skip_loudly

CLONE_NEWNET = 0x40000000


def ip(*words, pid=None, check=True):
    """What it answers, as JSON."""
    before = ["nsenter", "-t", str(pid), "-n"] if pid else []
    done = subprocess.run([*before, "ip", "-j", *words], capture_output=True, text=True, check=check)
    return json.loads(done.stdout or "[]")


def seen(pid=None):
    """{interface: (up, mtu, hardware, addresses of global scope)} but for lo."""
    found = {}
    for one in ip("address", pid=pid):
        addresses = sorted(f"{a['local']}/{a['prefixlen']} {a.get('address', '')} {a.get('broadcast', '')}".rstrip()
                           for a in one["addr_info"] if a["scope"] == "global" and not a.get("dynamic"))
        found[one["ifname"]] = ("UP" in one["flags"], one["mtu"], one["address"], addresses)
    found.pop("lo")
    return found


class NetDevices(LifecycleTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0
        # Those that a kernel puts into each.
        cls.always = set(seen())

    def setUp(self):
        super().setUp()
        # The kernel ends network namespaces later, in the background, and with them those of the last test.
        self.wait_for(lambda: set(seen()) == self.always, "interfaces are left")
        for name in ("one0", "two0"):
            # A pair goes with either of its ends.
            if subprocess.run(["ip", "link", "add", name, "mtu", "1300", "type", "veth", "peer", f"{name}-peer"],
                              check=False, capture_output=True).returncode != 0:
                skip_loudly(self, "this kernel has no veth interfaces")
            self.addCleanup(subprocess.run, ["ip", "link", "delete", name], check=False, capture_output=True)
        for words in (["10.1.0.2/24", "broadcast", "10.1.0.255"], ["10.1.0.3/24"], ["fd00:1::2/64"],
                      ["10.7.0.1", "peer", "10.7.0.9/32"], ["10.2.0.2/24", "valid_lft", "900", "preferred_lft", "900"],
                      ["10.3.0.2/24", "scope", "link"]):
            subprocess.run(["ip", "address", "add", *words, "dev", "one0"], check=True)
        subprocess.run(["ip", "link", "set", "one0", "up"], check=True)
        self.devices = seen()
        self.wanted = ["10.1.0.2/24  10.1.0.255", "10.1.0.3/24", "10.7.0.1/32 10.7.0.9", "fd00:1::2/64"]
        self.assertEqual(self.devices["one0"][3], self.wanted)
        self.addCleanup(self.shim, "delete", "--force", "c")

    def configured(self, devices, *facts, user=False, path=None):
        config = self.config(*(facts or ["sigwait"]))
        config["linux"]["netDevices"] = devices
        if user:
            config["linux"]["namespaces"].append({"type": "user"})
            config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
                {"containerID": 0, "hostID": 100000, "size": 1000}]
        if path:
            config["linux"]["namespaces"].remove({"type": "network"})
            config["linux"]["namespaces"].append({"type": "network", "path": path})
        return config

    def here(self):
        return self.mine(seen())

    def mine(self, devices=None):
        """But for those that are always there, and the other ends."""
        return {name: what for name, what in (self.devices if devices is None else devices).items()
                if name not in self.always and not name.endswith("-peer")}

    def check_moved(self, pid):
        inside = seen(pid)
        mtu, hardware = self.devices["one0"][1:3]
        self.assertEqual(inside["eth0"], (True, mtu, hardware, self.wanted))
        self.assertEqual(inside["two0"], (True, *self.devices["two0"][1:3], []))
        self.assertEqual(self.here(), {})

    def test_moved(self):
        """In a new namespace, with and without ids of its own."""
        for user in (False, True):
            with self.subTest(user=user):
                self.write(self.configured({"one0": {"name": "eth0"}, "two0": {}}, user=user))
                pid = self.create("c")
                self.check_moved(pid)
                self.good("delete", "c")
                # They go with the namespace, as those that are virtual do.
                self.wait_for(lambda: set(seen()) == self.always, "the end")
            if not user:
                self.doCleanups()
                self.setUp()

    def test_joined(self):
        """In a namespace that is there; with a template of which the first number is taken."""
        other = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link add eth0 type veth peer eth9; echo; exec sleep 1000"],
                                 stdout=subprocess.PIPE)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        self.addCleanup(other.stdout.close)
        other.stdout.readline()
        path = f"/proc/{other.pid}/ns/net"
        for name in ("eth0", "lo"):
            self.write(self.configured({"two0": {}, "one0": {"name": name}}, path=path))
            self.bad(f"/linux/netDevices/one0: cannot move an interface to the name {name}: File exists",
                     "create", "-b", self.bundle, "c")
            self.assertEqual(self.here(), self.mine())
        self.write(self.configured({"one0": {"name": "eth%d"}}, path=path))
        self.create("c")
        self.assertEqual(seen(other.pid)["eth1"][3], self.wanted)
        self.assertEqual(set(self.here()), {"two0"})
        self.good("delete", "c")

    def test_name_is_taken(self):
        """By somebody, between looking and moving: the kernel has moved it by then, and it comes back."""
        for seconds in (1, 5, 20):
            other = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
            self.addCleanup(other.wait)
            self.addCleanup(other.kill)
            self.addCleanup(other.stdout.close)
            other.stdout.readline()
            self.write(self.configured({"one0": {"name": "eth0"}}, path=f"/proc/{other.pid}/ns/net"))
            code, taken, text = self.create_late(other.pid, seconds)
            if taken:
                break
            # Where much else runs, it may be too late for the name. Once more, and slower.
            self.doCleanups()
            self.setUp()
        self.assertEqual(code, 1)
        self.assertIn("/linux/netDevices/one0: cannot move the interface one0 to another network namespace: "
                      "File exists", text)
        self.assertEqual(set(seen(other.pid)), {"eth0", "eth9"} | self.always)
        self.assertEqual(self.here(), self.mine())
        self.assertEqual(os.listdir(self.root), [])

    def create_late(self, pid, seconds):
        """Every request of `create` to the kernel comes so late. Returns its exit code, whether eth0 could be
        made in that process's namespace before it was moved there, and the trace."""
        trace = f"{self.dir}/trace"
        # What is told of a step is told at its end.
        before = "enter the network namespace of the container"
        with open(trace, "w+", encoding="utf-8") as file, subprocess.Popen(
                ["strace", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e", f"inject=sendto:delay_enter={seconds}s",
                 self.shimbox, "--trace", "--root", self.root, "create", "-b", self.bundle, "c"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file) as process:
            self.wait_for(lambda: before in pathlib.Path(trace).read_text(), "the step", 300)
            made = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "link", "add", "eth0", "type", "veth", "peer",
                                   "eth9"], check=False, capture_output=True).returncode
            code = process.wait(300)
        return code, made == 0, pathlib.Path(trace).read_text()

    def test_run(self):
        """The program sees them, and they come back when it cannot be executed."""
        self.write(self.configured({"one0": {}}, "interfaces"))
        self.assertIn("one0", self.good("run", "-b", self.bundle, "c"))
        self.doCleanups()
        self.setUp()
        for change in (lambda c: c["process"].update(args=["/nothing"]),
                       lambda c: c["process"].update(cwd="/bin/probe"),
                       lambda c: c["mounts"].append({"destination": "/x", "type": "nothing"})):
            config = self.configured({"one0": {"name": "in"}, "two0": {"name": "out"}})
            change(config)
            self.write(config)
            result = self.shim("run", "-b", self.bundle, "c")
            self.assertNotEqual(result.status, 0)
            self.assertEqual(result.stderr.count("\n"), 1, result)
            self.assertEqual(self.here(), self.mine(), result)

    def test_refused(self):
        def refuse(message, config):
            self.write(config)
            self.bad(message, "create", "-b", self.bundle, "c")
            self.assertEqual(os.listdir(self.root) if os.path.isdir(self.root) else [], [])
            self.assertEqual(self.here(), self.mine())
        refuse("/linux/netDevices/none0: cannot find the interface none0: No such device",
               self.configured({"one0": {}, "none0": {}}))
        refuse("/linux/netDevices/lo: cannot move", self.configured({"one0": {}, "lo": {"name": "else0"}}))
        refuse("/linux/netDevices/two0: cannot move an interface to the name same: File exists",
               self.configured({"one0": {"name": "same"}, "two0": {"name": "same"}}))
        for name in ("a" * 16, "a b", "a/b", ".", "..", "a%s", "%d%d", "a:b", "a%"):
            refuse("/linux/netDevices/one0/name: ", self.configured({"one0": {"name": name}}))
        for name in ("", "a" * 16, "a%d", "..", "a b"):
            refuse("not the name of an interface", self.configured({name: {}}))
        config = self.configured({"one0": {}})
        config["linux"]["namespaces"].remove({"type": "network"})
        refuse("/linux/netDevices: needs a network namespace in /linux/namespaces", config)
        refuse("/linux/netDevices: the network namespace to join is the host's",
               self.configured({"one0": {}}, path="/proc/self/ns/net"))
        refuse("/linux/netDevices: expected an object, found an array", self.configured(["one0"]))
        self.write(self.configured({"one0": {}}))
        result = self.shim("create", "-b", self.bundle, "c", prefix=["setpriv", "--bounding-set=-net_admin"])
        self.assertEqual((result.status, result.stdout), (1, ""))
        self.assertIn("/linux/netDevices: moving interfaces needs CAP_NET_ADMIN", result.stderr)
        self.assertEqual(self.here(), self.mine())


if __name__ == "__main__":
    unittest.main()
