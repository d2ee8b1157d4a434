#!/usr/bin/env python3
"""run: kernel parameters, clocks, domain name and session keyring of a container.
SPDX-License-Identifier: Apache-2.0

What is wrong in a configuration by itself is in tests/core/config_kernel.c.
"""

import ctypes
import errno
import fcntl
import json
import os
import pathlib
import subprocess
import time

from container import PROBE, ContainerTest, host_facts, parse_facts, skip_loudly

DENY = os.path.join(os.path.dirname(os.path.abspath(PROBE)), "deny")
X86 = os.uname().machine == "x86_64"


class Kernel(ContainerTest):
    def mapped(self, *facts):
        return self.map_user(self.config(*facts), [(0, 100000, 65536)])

    def ways(self, *facts):
        """Title, a configuration, and how to run it."""
        yield "root", self.config(*facts), {}
        yield "root, user namespace", self.mapped(*facts), {}
        yield "rootless", self.user_config(*facts), {"as_user": True}
        yield "rootless, one id", self.user_config(*facts, subordinate=False), {"as_user": True}

    def deny(self, number, code):
        """The prefix that makes a system call fail; numbers are of x86_64."""
        if not X86 and number < 424:
            skip_loudly(self, "system call numbers of x86_64")
        return [DENY, str(number), str(code)]

    def hold(self, *options, user=None):
        """A process in namespaces of its own, by util-linux's unshare; returns its pid."""
        ready = pathlib.Path(f"{self.dir}/ready.{self.id()}")
        ready.touch()
        if user:
            os.chown(ready, user.uid, user.gid)
        process = subprocess.Popen(
            ["unshare", *options, "--fork", "--kill-child", "sh", "-c",
             'echo up >"$1"; exec sleep 1000', "sh", ready], stdin=subprocess.DEVNULL,
            preexec_fn=user.preexec if user else None)
        self.holders = getattr(self, "holders", []) + [process]
        self.wait_for(lambda: ready.stat().st_size, "the holder")
        ready.unlink()
        return int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())

    def tearDown(self):
        for process in getattr(self, "holders", []):
            process.kill()
            process.wait()
        super().tearDown()

    # ---- domain name ----

    def test_domainname_set(self):
        before = host_facts("domainname")
        for title, config, more in self.ways("domainname"):
            with self.subTest(title):
                for name in ("inside.example", "x" * 64):
                    config["domainname"] = name
                    self.assertEqual(self.ask(config, **more)["domainname"], name)
        self.assertEqual(host_facts("domainname"), before)

    # ---- kernel parameters ----

    FILES = {
        "net.ipv4.ip_forward": ("1", "1"),
        "net/ipv4/ping_group_range": ("5 6", "5\\x096"),
        "net.ipv4.conf.lo.forwarding": ("1", "1"),
        "kernel.domainname": ("by-sysctl", "by-sysctl"),
    }
    IPC = {
        "kernel.msgmax": ("4000", "4000"), "kernel/sem": ("100 200 30 40", "100\\x09200\\x0930\\x0940"),
        "kernel.shm_rmid_forced": ("1", "1"), "fs.mqueue.msg_max": ("7", "7"),
    }

    @staticmethod
    def path(name):
        return "/proc/sys/" + name.replace(".", "/")

    def check_sysctls(self, config, wanted, **more):
        """Set them, and read each in the container."""
        config["linux"]["sysctl"] = {name: value for name, (value, _) in wanted.items()}
        config["process"]["args"] = ["/bin/probe", *(f"read={self.path(name)}" for name in wanted)]
        facts = self.ask(config, **more)
        for name, (_, found) in wanted.items():
            self.assertEqual(facts[f"read:{self.path(name)}"], found + "\\n", name)

    def test_sysctl_each_namespace(self):
        wanted = {**self.FILES, **self.IPC}
        before = {name: pathlib.Path(self.path(name)).read_text() for name in wanted}
        for title, config, more in self.ways():
            with self.subTest(title):
                own = dict(wanted)
                if more or "user" in title:
                    own["user.max_net_namespaces"] = ("5", "5")
                    # Before Linux 5.19 these belong to the host's root.
                    try_it = "echo 1 >/proc/sys/kernel/shm_rmid_forced"
                    if subprocess.run(["unshare", "-Ur", "--ipc", "sh", "-c", try_it], check=False,
                                      stderr=subprocess.DEVNULL).returncode:
                        own = {name: own[name] for name in own if name not in self.IPC}
                if title == "rootless, one id":
                    del own["net/ipv4/ping_group_range"]  # names groups that are not mapped
                self.check_sysctls(config, own, **more)
        after = {name: pathlib.Path(self.path(name)).read_text() for name in wanted}
        self.assertEqual(after, before)

    def test_sysctl_forms(self):
        """The first separator decides; values are written in order, an empty one too."""
        config = self.config("read=/proc/sys/net/ipv4/ip_local_reserved_ports",
                             "read=/proc/sys/net/ipv4/conf/a.b/forwarding")
        pid = self.hold("--net")
        subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "link", "set", "lo", "name", "a.b"],
                       check=True)
        config["linux"]["namespaces"].remove({"type": "network"})
        config["linux"]["namespaces"].append({"type": "network", "path": f"/proc/{pid}/ns/net"})
        config["linux"]["sysctl"] = {
            "net.ipv4.ip_local_reserved_ports": "8080,9090", "net/ipv4/ip_local_reserved_ports": "",
            "net.ipv4.conf.a/b.forwarding": "1", "net/ipv4/conf/a.b/forwarding": "0",
            "net/ipv4/conf/a.b.//../x": "1",
        }
        self.refused(config, "not the name of a kernel parameter")
        del config["linux"]["sysctl"]["net/ipv4/conf/a.b.//../x"]
        facts = self.ask(config)
        self.assertEqual(facts["read:/proc/sys/net/ipv4/ip_local_reserved_ports"], "\\n")
        self.assertEqual(facts["read:/proc/sys/net/ipv4/conf/a.b/forwarding"], "0\\n")
        del config["linux"]["sysctl"]["net/ipv4/conf/a.b/forwarding"]
        self.assertEqual(self.ask(config)["read:/proc/sys/net/ipv4/conf/a.b/forwarding"], "1\\n")

    def test_sysctl_joined(self):
        """A namespace that is joined is as good, unless it is the host's own."""
        pid = self.hold("--net", "--ipc", "--uts")
        config = self.config()
        for kind, file in (("network", "net"), ("ipc", "ipc"), ("uts", "uts")):
            config["linux"]["namespaces"].remove({"type": kind})
            config["linux"]["namespaces"].append({"type": kind, "path": f"/proc/{pid}/ns/{file}"})
        self.check_sysctls(config, {**self.FILES, **self.IPC})
        before = pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text()
        for entry in config["linux"]["namespaces"]:
            if entry["type"] == "network":
                entry["path"] = f"/proc/{os.getpid()}/ns/net"
        result = self.refused(config, "the network namespace to join is the host's")
        self.assertIn("/linux/sysctl: ", result.stderr)
        self.assertEqual(pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text(), before)

    def test_sysctl_errors(self):
        for name, value, message in (
            ("net.no.such", "1", "cannot set sysctl net.no.such to '1': cannot open "
             "/proc/sys/net/no/such: No such file or directory (this kernel has none of that name"),
            ("net.ipv4.ip_forward", "x", "cannot set sysctl net.ipv4.ip_forward to 'x': cannot write "),
            ("net.ipv4", "1", "cannot set sysctl net.ipv4 to '1': cannot open /proc/sys/net/ipv4: "),
        ):
            with self.subTest(name):
                config = self.config("uid")
                config["linux"]["sysctl"] = {name: value}
                self.assertIn("/linux/sysctl: ", self.refused(config, message).stderr)

    def test_sysctl_covered(self):
        """What somebody mounted below /proc is not written to."""
        cover = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                 'mount -t tmpfs cover /proc/sys/net && mkdir /proc/sys/net/ipv4 &&'
                 ' echo old >/proc/sys/net/ipv4/ip_forward || exit 99; "$@"; code=$?;'
                 ' read -r now </proc/sys/net/ipv4/ip_forward; [ "$now" = old ] || exit 98; exit $code',
                 "sh"]
        wanted = {"net.ipv4.ip_forward": ("1", "1")}
        self.check_sysctls(self.config(), wanted, prefix=cover)
        # A private procfs for a pid namespace that is somebody else's is not to be had.
        config = self.mapped("uid")
        config["linux"]["namespaces"].remove({"type": "pid"})
        config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": "/proc",
                               "options": ["rbind"]}
        self.check_sysctls(config, wanted)
        result = self.refused(config, "cannot open /proc/sys/net/ipv4/ip_forward: ", prefix=cover)
        self.assertIn("something is mounted on it, or above it", result.stderr)

    def test_sysctl_without_openat2(self):
        wanted = {"net.ipv4.ip_forward": ("1", "1"), "kernel.msgmax": ("4000", "4000")}
        for code in (errno.ENOSYS, errno.EPERM):
            self.check_sysctls(self.config(), wanted, prefix=[DENY, "437", str(code)])
        config = self.config("uid")
        config["linux"]["sysctl"] = {"net.no.such": "1"}
        self.refused(config, "No such file", prefix=[DENY, "437", str(errno.ENOSYS)])

    # ---- clocks ----

    CLOCKS = {"monotonic": ("monotonic", "raw", "coarse"), "boottime": ("boottime",)}
    NANOSECONDS = 10 ** 9

    def need_time_namespaces(self):
        """Skip where the system's own tool cannot make one either."""
        done = subprocess.run(["unshare", "--time", "true"], capture_output=True, text=True, check=False)
        if done.returncode:
            skip_loudly(self, done.stderr)

    @staticmethod
    def nanoseconds(text):
        seconds, _, rest = text.partition(".")
        return int(seconds) * Kernel.NANOSECONDS + int(rest)

    def clocks(self, facts):
        """The clocks in nanoseconds, as the system call and as the mapped page tell them."""
        return {key.removeprefix("clock."): self.nanoseconds(value)
                for key, value in facts.items() if key.startswith("clock.")}

    def check_clocks(self, config, offsets, **more):
        """Inside, each clock is between what it was before and after, plus its offset."""
        config["linux"]["timeOffsets"] = {
            clock: {"secs": secs, "nanosecs": nanosecs} for clock, (secs, nanosecs) in offsets.items()}
        before = self.clocks(host_facts("clock"))
        facts = self.ask(config, **more)
        after = self.clocks(host_facts("clock"))
        inside = self.clocks(facts)
        moved = {name: secs * self.NANOSECONDS + nanosecs for clock, (secs, nanosecs) in offsets.items()
                 for name in self.CLOCKS[clock]}
        self.assertEqual(len(inside), 10)
        for name, value in inside.items():
            offset = moved.get(name.removeprefix("vdso."), 0)
            self.assertLessEqual(before[name] + offset, value, name)
            self.assertLessEqual(value, after[name] + offset, name)
        self.assertNotEqual(facts["ns.time"], host_facts("ns")["ns.time"])
        return facts

    def test_time_offsets(self):
        self.need_time_namespaces()
        for title, config, more in self.ways("clock", "ns", "uid"):
            config["linux"]["namespaces"].append({"type": "time"})
            for offsets in ({}, {"monotonic": (86400, 5), "boottime": (10 ** 8, 999999999)},
                            {"boottime": (-20, 1)}, {"monotonic": (-30, 500000000)}):
                with self.subTest(title, offsets=offsets):
                    self.assertEqual(self.check_clocks(config, offsets, **more)["uid"], "0")

    def test_time_joined(self):
        self.need_time_namespaces()
        pid = self.hold("--time", "--monotonic", "5000", "--boottime", "7000")
        for make in (self.config, self.mapped):
            config = make("read=/proc/self/timens_offsets", "ns")
            config["linux"]["namespaces"].append({"type": "time", "path": f"/proc/{pid}/ns/time"})
            facts = self.ask(config)
            self.assertEqual(facts["ns.time"], os.readlink(f"/proc/{pid}/ns/time")[6:-1])
            offsets = facts["read:/proc/self/timens_offsets"].replace("\\n", " ").split()
            self.assertEqual(offsets, ["monotonic", "5000", "0", "boottime", "7000", "0"])

    def test_time_with_joined_user_namespace(self):
        """A new time namespace in a user namespace that exists: as root, and as its owner."""
        self.need_time_namespaces()
        for user in (None, self.need_user()):
            pid = self.hold("--user", "--map-root-user", "--net", user=user)
            config = self.config("clock", "ns", "uid",
                                 rootfs=self.user_rootfs if user else self.rootfs)
            linux = config["linux"]
            linux["namespaces"].remove({"type": "network"})
            linux["namespaces"] += [{"type": "time"}] + [
                {"type": kind, "path": f"/proc/{pid}/ns/{file}"}
                for kind, file in (("user", "user"), ("network", "net"))]
            facts = self.check_clocks(config, {"monotonic": (1000, 0)}, as_user=bool(user))
            self.assertEqual(facts["ns.user"], os.readlink(f"/proc/{pid}/ns/user")[6:-1])

    def test_time_owner(self):
        """It belongs to the container's user namespace."""
        self.need_time_namespaces()
        config = self.mapped("sigwait")
        config["linux"]["namespaces"].append({"type": "time"})
        process = self.start(config, "--pid-file", f"{self.dir}/pid")
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        pid = int(pathlib.Path(f"{self.dir}/pid").read_text())
        fd = os.open(f"/proc/{pid}/ns/time", os.O_RDONLY)
        owner = fcntl.ioctl(fd, 0xb701)  # NS_GET_USERNS
        inode = os.fstat(owner).st_ino
        wanted = os.stat(f"/proc/{pid}/ns/user").st_ino
        os.close(fd)
        os.close(owner)
        process.terminate()
        self.finish(process)
        os.unlink(f"{self.dir}/pid")
        self.assertEqual(inode, wanted)

    def test_time_errors(self):
        self.need_time_namespaces()
        uptime = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        for title, config, more in self.ways("uid"):
            for clock, secs in (("monotonic", -uptime - 1000), ("boottime", -uptime - 1000),
                                ("monotonic", 1 << 62), ("boottime", -(1 << 63))):
                if title.startswith("root") and "," in title:
                    continue
                with self.subTest(title, clock=clock, secs=secs):
                    config["linux"]["namespaces"] = [
                        n for n in config["linux"]["namespaces"] if n["type"] != "time"
                    ] + [{"type": "time"}]
                    config["linux"]["timeOffsets"] = {clock: {"secs": secs}}
                    result = self.refused(config, f"cannot move the {clock} clock by {secs} s: ", **more)
                    self.assertIn("/linux/timeOffsets: ", result.stderr)
                    self.assertIn("(it would be negative, or too large)", result.stderr)

    def test_time_no_such_namespaces(self):
        self.need_time_namespaces()
        config = self.config("uid")
        config["linux"]["namespaces"].append({"type": "time"})
        self.refused(config, "this kernel has no time namespaces", prefix=self.deny(272, errno.EINVAL))
        self.refused(config, "cannot enter the new time namespace: ", prefix=self.deny(308, errno.EPERM))

    def test_time_trace(self):
        """The picture stays whole when a process of it moves its clock, by creating or joining."""
        self.need_time_namespaces()
        pid = self.hold("--time", "--monotonic", "100000")
        for entry, offsets in (({"type": "time"}, {"monotonic": {"secs": -100}}),
                               ({"type": "time", "path": f"/proc/{pid}/ns/time"}, {})):
            config = self.config("uid")
            config["linux"]["namespaces"].append(entry)
            config["linux"]["timeOffsets"] = offsets
            file = f"{self.dir}/trace.json"
            path = f"{self.dir}/config.json"
            pathlib.Path(path).write_text(json.dumps(config))
            subprocess.run([self.shimbox, f"--trace={file}", "run", "--config", path], check=True,
                           stdout=subprocess.DEVNULL)
            events = [e for e in json.loads(pathlib.Path(file).read_text()) if e["ph"] == "X"]
            end = max(e["ts"] + e["dur"] for e in events if e["pid"] == 1)
            self.assertGreater(len(events), 20)
            for event in events:
                self.assertTrue(0 <= event["ts"] <= event["ts"] + event["dur"] <= end, event)
            os.unlink(file)
            os.unlink(path)

    # ---- session keyring ----

    KEYCTL = {"x86_64": 250, "aarch64": 219}

    def need_keyrings(self):
        """Skip where there is none for a reason of the kernel's."""
        if "keyring-id.serial" not in (facts := host_facts("keyring-id")) or \
                not facts["keyring-id.serial"].isdigit():
            skip_loudly(self, f"no session keyring: {facts}")

    def test_keyring_new(self):
        """Named after the container; who may search it besides its owner's processes."""
        self.need_keyrings()
        outside = host_facts("keyring-id")["keyring-id.serial"]
        for title, config, more in self.ways("keyring", "keyring-id"):
            for name, own, options in (("_ses.key-new", 0x3f130000, ["key-new"]),
                                       ("_ses", 0x3f030000, [])):
                with self.subTest(title, name=name):
                    facts = self.ask(config, *options, **more)
                    permissions = own | (0x80000 if title == "root" else 8)
                    self.assertEqual(facts["keyring"], f"keyring;0;0;{permissions:08x};{name}")
                    self.assertNotEqual(facts["keyring-id.serial"], outside)

    def test_keyring_no_new_one(self):
        self.need_keyrings()
        outside = host_facts("keyring", "keyring-id")
        facts = self.ask(self.config("keyring", "keyring-id"), "--no-new-keyring", "kept")
        self.assertEqual(facts, outside)

    def test_keyring_user(self):
        """It belongs to the container's root, whoever the program is."""
        self.need_keyrings()
        config = self.config("keyring")
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        self.assertEqual(self.ask(config, "key-user")["keyring"],
                         "keyring;0;0;3f1b0000;_ses.key-user")

    def test_keyring_somebody_elses(self):
        """A keyring of that name which another user made and lets everybody search."""
        self.need_keyrings()
        number = self.KEYCTL.get(os.uname().machine)
        if number is None:
            skip_loudly(self, "the number of keyctl is not known")
        user = self.need_user()
        ends = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            user.preexec()
            ring = libc.syscall(number, 1, b"_ses.key-trap", 0, 0, 0)
            code = libc.syscall(number, 5, ring, ctypes.c_ulong(0x3f3f3f3f), 0, 0)
            os.write(ends[0][1], b"0" if ring > 0 and code == 0 else b"1")
            os.close(ends[1][1])
            os.read(ends[1][0], 1)
            os._exit(0)
        try:
            self.assertEqual(os.read(ends[0][0], 1), b"0")
            self.refused(self.config("uid"),
                         f"session keyring _ses.key-trap belongs to uid {user.uid}: ", "key-trap")
            self.ask(self.config("uid"), "--no-new-keyring", "key-trap")
        finally:
            for end in (*ends[0], *ends[1]):
                os.close(end)
            os.waitpid(child, 0)

    def test_keyring_kernel_without(self):
        """Then, and where a filter says no, there is nothing to protect."""
        self.need_keyrings()
        for code in (errno.ENOSYS, errno.EPERM):
            self.assertEqual(self.ask(self.config("uid"), prefix=self.deny(250, code))["uid"], "0")
        for code, words in ((errno.EDQUOT, "the user's keys are used up"),
                            (errno.ENOMEM, "cannot join a new session keyring")):
            result = self.refused(self.config("uid"), words, prefix=self.deny(250, code))
            self.assertIn("cannot join a new session keyring", result.stderr)

    # ---- runc and crun ----

    FACTS = ("keyring", "oom_score_adj", "personality", "machine", "domainname", "scheduler", "ioprio",
             "mempolicy", "affinity", "read=/proc/self/timens_offsets",
             "read=/proc/sys/net/ipv4/ip_forward", "read=/proc/sys/kernel/msgmax")
    CGROUP2 = "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec \"$@\""

    def peer(self, runtime, config):
        bundle = pathlib.Path(f"{self.dir}/peer")
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(config))
        command = [runtime, "--root", f"{self.dir}/state", "run", "--bundle", str(bundle), "key-peer"]
        if runtime == "crun":
            command = ["unshare", "-m", "sh", "-c", self.CGROUP2, "sh", *command]
        # Not /dev/null: crun gives what stdin is to the root of the container.
        done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
        (bundle / "config.json").unlink()
        bundle.rmdir()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return parse_facts(done.stdout)

    def test_peers_facts(self):
        """The same facts as with runc and crun, of the fields that they know."""
        self.need_keyrings()
        for runtime in ("runc", "crun"):
            for mapped in (False, True):
                config = (self.mapped if mapped else self.config)(*self.FACTS)
                config["process"]["oomScoreAdj"] = 500
                config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4000"}
                if runtime == "crun":
                    config["linux"]["personality"] = {"domain": "LINUX32"}
                    config["domainname"] = "peer.example"
                with self.subTest(runtime, mapped=mapped):
                    ours = self.ask(config, "key-peer")
                    theirs = self.peer(runtime, config)
                    if runtime == "crun":
                        # It calls the keyring by the ID alone, and leaves it to the first root.
                        theirs["keyring"] = ours["keyring"]
                    self.assertEqual(theirs, ours)
