#!/usr/bin/env python3
"""run: namespaces, new and joined, ID mappings, hostname, loopback.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import subprocess

from container import ContainerTest, host_facts

# What config.json calls them, and what /proc/PID/ns does.
FILES = {"pid": "pid", "mount": "mnt", "ipc": "ipc", "uts": "uts", "network": "net",
         "cgroup": "cgroup", "user": "user"}


def namespaces(pid="self"):
    """Inodes of a process of the host."""
    found = {}
    for kind, file in FILES.items():
        found[kind] = os.readlink(f"/proc/{pid}/ns/{file}").split("[")[1].rstrip("]")
    return found


class New(ContainerTest):
    def test_each(self):
        """A namespace that is listed is new, one that is not is the caller's."""
        host = namespaces()
        for kind in ("pid", "ipc", "uts", "network", "cgroup"):
            with self.subTest(kind):
                config = self.config("ns")
                linux = config["linux"]
                linux["namespaces"] = [{"type": "mount"}, {"type": kind}]
                if kind != "pid":
                    config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": "/proc",
                                           "options": ["rbind"]}
                facts = self.ask(config)
                for other, file in FILES.items():
                    same = facts[f"ns.{file}"] == host[other]
                    self.assertEqual(same, other not in ("mount", kind), (other, facts))

    def test_all(self):
        host = namespaces()
        for make, more in ((lambda *f: self.map_user(self.config(*f), [(0, 100000, 65536)]), {}),
                           (self.user_config, {"as_user": True})):
            facts = self.ask(make("ns"), **more)
            for kind, file in FILES.items():
                self.assertNotEqual(facts[f"ns.{file}"], host[kind])

    def test_no_mount_namespace(self):
        config = self.config("ns")
        config["linux"]["namespaces"] = [{"type": "pid"}]
        self.refused(config, "/linux/namespaces: a container without a mount namespace is not supported")

    def test_ordinary_user_without_user_namespace(self):
        self.need_user()
        result = self.refused(self.config("ns", rootfs=self.user_rootfs),
                              "/linux/namespaces: an ordinary user needs a user namespace here",
                              as_user=True)
        self.assertIn("shimbox spec --rootless", result.stderr)

    def test_bad(self):
        for entries, message in (
            ([{"type": "net"}], 'unknown namespace "net"'),
            ([{"type": "pid"}, {"type": "pid"}], "pid is listed twice"),
            ([{"type": "pid", "path": "proc/1/ns/pid"}], "/linux/namespaces/1/path"),
            ([{"type": "pid", "path": "/no/such"}], "cannot open pid namespace /no/such: No such"),
            ([{"type": "pid", "path": "/etc/passwd"}], "/etc/passwd is not a namespace"),
            ([{"type": "pid", "path": "/proc/self/ns/net"}], "is not a pid namespace"),
            ([{"type": "user"}], "a new user namespace needs uidMappings and gidMappings"),
        ):
            with self.subTest(message):
                config = self.config("ns")
                config["linux"]["namespaces"] = [{"type": "mount"}, *entries]
                self.assertIn("/linux/", self.refused(config, message).stderr)

    def test_hostname(self):
        before = host_facts("hostname")
        config = self.config("hostname")
        config["hostname"] = "inside.example"
        self.assertEqual(self.ask(config)["hostname"], "inside.example")
        self.assertEqual(host_facts("hostname"), before)
        config["hostname"] = "x" * 64
        self.assertEqual(self.ask(config)["hostname"], "x" * 64)
        config["hostname"] = "x" * 65
        self.assertIn("/hostname", self.refused(config, "longer than 64 bytes").stderr)
        config["hostname"] = "x"
        config["linux"]["namespaces"].remove({"type": "uts"})
        self.refused(config, "/hostname: needs a uts namespace in /linux/namespaces")
        self.assertEqual(host_facts("hostname"), before)

    def test_loopback(self):
        for make, more in ((self.config, {}), (self.user_config, {"as_user": True})):
            facts = self.ask(make("interfaces"), **more)
            self.assertEqual(facts["interfaces.lo.up"], "yes")
            self.assertEqual([k for k in facts if k.endswith(".up")], ["interfaces.lo.up"])
        config = self.config()
        config["process"]["args"] = ["/bin/ping", "-c1", "-W2", "127.0.0.1"]
        config["process"]["capabilities"] = {key: ["CAP_NET_RAW"] for key in
                                             ("bounding", "effective", "permitted")}
        self.assertEqual(self.run_config(config).status, 0)


class Joined(ContainerTest):
    def hold(self, *options):
        """A process in namespaces of its own; returns its pid."""
        ready = f"{self.dir}/ready.{os.getpid()}"
        process = subprocess.Popen(
            ["unshare", *options, "--fork", "--kill-child", "sh", "-c",
             'echo up >"$1"; exec sleep 1000', "sh", ready], stdin=subprocess.DEVNULL)
        def end():
            process.kill()
            process.wait()
        self.holder_ends = end
        self.wait_for(lambda: os.path.exists(ready) and os.path.getsize(ready), "the holder")
        os.unlink(ready)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        return int(children.split()[0])

    def tearDown(self):
        if hasattr(self, "holder_ends"):
            self.holder_ends()
        super().tearDown()

    def join(self, config, pid, *kinds):
        linux = config["linux"]
        linux["namespaces"] = [
            n for n in linux["namespaces"] if n["type"] not in kinds
        ] + [{"type": kind, "path": f"/proc/{pid}/ns/{FILES[kind]}"} for kind in kinds]
        return config

    def check(self, config, pid, kinds, **more):
        held, host = namespaces(pid), namespaces()
        facts = self.ask(config, **more)
        for kind, file in FILES.items():
            found = facts[f"ns.{file}"]
            if kind in kinds:
                self.assertEqual(found, held[kind], kind)
                self.assertNotEqual(found, host[kind], kind)
            elif held[kind] != host[kind]:
                self.assertNotEqual(found, held[kind], kind)
        return facts

    def test_each(self):
        pid = self.hold("--pid", "--net", "--ipc", "--uts", "--cgroup", "--mount")
        for kind in ("pid", "network", "ipc", "uts", "cgroup"):
            with self.subTest(kind):
                config = self.join(self.config("ns", "pid", "ppid"), pid, kind)
                facts = self.check(config, pid, [kind])
                if kind == "pid":
                    self.assertGreater(int(facts["pid"]), 1)
                    self.assertEqual(facts["ppid"], "0")

    def test_several(self):
        pid = self.hold("--pid", "--net", "--ipc", "--uts", "--cgroup")
        kinds = ["pid", "network", "ipc", "uts", "cgroup"]
        self.check(self.join(self.config("ns"), pid, *kinds), pid, kinds)

    def test_user(self):
        """A user namespace, and those that it owns; as root and as the user who made it."""
        pid = self.hold("--user", "--map-root-user", "--net", "--ipc", "--uts", "--pid")
        kinds = ["user", "network", "ipc", "uts", "pid"]
        for some in (["user"], ["user", "network"], kinds):
            with self.subTest(some):
                config = self.config("ns", "uid", "caps")
                config["process"]["capabilities"] = {
                    key: ["CAP_KILL"] for key in ("bounding", "effective", "permitted")}
                facts = self.check(self.join(config, pid, *some), pid, some)
                self.assertEqual(facts["uid"], "0")
                self.assertEqual(int(facts["caps.eff"], 16), 1 << 5)

    def test_mount(self):
        """A joined mount namespace is taken as it is: nothing may be mounted in it."""
        pid = self.hold("--mount")
        plain = self.config("ns", "cwd")
        plain["mounts"] = []
        plain["root"]["path"] = "/"
        self.join(plain, pid, "mount")
        plain["linux"]["namespaces"].remove({"type": "pid"})
        plain["process"]["args"][0] = self.rootfs + "/bin/probe"
        facts = self.check(plain, pid, ["mount"])
        self.assertEqual(facts["cwd"], "/")
        for section, key, value, field in (
            (None, "mounts", [{"destination": "/tmp", "type": "tmpfs", "source": "x"}], "/mounts"),
            ("linux", "maskedPaths", ["/proc/kcore"], "/linux/maskedPaths"),
            ("linux", "readonlyPaths", ["/proc/sys"], "/linux/readonlyPaths"),
            ("linux", "devices", [{"path": "/dev/x", "type": "p"}], "/linux/devices"),
            ("root", "readonly", True, "/root/readonly"),
            ("root", "path", self.rootfs, "/root/path"),
        ):
            with self.subTest(field):
                config = self.config("ns", rootfs="/")
                config["mounts"] = []
                self.join(config, pid, "mount")
                (config[section] if section else config)[key] = value
                result = self.refused(config, "a mount namespace to join")
                self.assertTrue(result.stderr.startswith(f"shimbox run: {field}: "), result.stderr)

    def test_signals_and_exit_code_through_a_joined_pid_namespace(self):
        pid = self.hold("--pid")
        config = self.join(self.config("exit=7"), pid, "pid")
        self.assertEqual(self.run_config(config).status, 7)
        config = self.join(self.config("raise=9"), pid, "pid")
        self.assertEqual(self.run_config(config).status, 137)
        process = self.start(self.join(self.config("sigwait"), pid, "pid"))
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        process.terminate()
        result = self.finish(process)
        self.assertIn("signal=15", result.stdout)

    def test_joined_by_ordinary_user(self):
        user = self.need_user()
        ready = f"{self.dir}/ready.user"
        pathlib.Path(ready).touch()
        os.chown(ready, user.uid, user.gid)
        process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", "--ipc", "--uts", "--kill-child", "--fork",
             "sh", "-c", 'echo up >"$1"; exec sleep 1000', "sh", ready],
            stdin=subprocess.DEVNULL, preexec_fn=user.preexec)
        def end():
            process.kill()
            process.wait()
        self.holder_ends = end
        self.wait_for(lambda: os.path.getsize(ready), "the holder")
        pid = int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        kinds = ["user", "network", "ipc", "uts"]
        config = self.config("ns", "uid", rootfs=self.user_rootfs)
        facts = self.check(self.join(config, pid, *kinds), pid, kinds, as_user=True)
        self.assertEqual(facts["uid"], "0")


class Mappings(ContainerTest):
    MAPS = ("read=/proc/self/uid_map", "read=/proc/self/gid_map", "read=/proc/self/setgroups")

    def maps(self, facts):
        return [[tuple(map(int, line.split())) for line in facts[f"read:/proc/self/{x}_map"].split("\\n")[:-1]]
                for x in ("uid", "gid")]

    def test_root(self):
        for uids, gids in (
            ([(0, 100000, 65536)], None),
            ([(0, 0, 1)], None),
            ([(0, 100000, 10), (10, 300000, 5), (4294967000, 7, 3)], [(0, 5, 1), (1, 200000, 99)]),
            ([(i, 100 + 2 * i, 1) for i in range(340)], [(0, 0, 4294967295)]),
        ):
            with self.subTest(uids=len(uids)):
                config = self.map_user(self.config(*self.MAPS, "uid", "gid"), uids, gids)
                facts = self.ask(config)
                self.assertEqual(self.maps(facts), [sorted(uids), sorted(gids or uids)]
                                 if len(uids) < 6 else [uids, gids])
                self.assertEqual((facts["uid"], facts["gid"]), ("0", "0"))
                self.assertEqual(facts["read:/proc/self/setgroups"], "allow\\n")

    def test_without_root_inside(self):
        """No id 0 inside: then the user stays what it is mapped to."""
        config = self.map_user(self.config("uid", "gid"), [(1000, 0, 1)])
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        facts = self.ask(config)
        self.assertEqual((facts["uid"], facts["gid"]), ("1000", "1000"))

    def test_one_id(self):
        user = self.need_user()
        facts = self.ask(self.user_config(*self.MAPS, "uid", subordinate=False), as_user=True)
        self.assertEqual(self.maps(facts), [[(0, user.uid, 1)], [(0, user.gid, 1)]])
        self.assertEqual(facts["read:/proc/self/setgroups"], "deny\\n")

    def test_subordinate(self):
        user = self.need_user()
        config = self.user_config(*self.MAPS, "uid", "gid", "groups")
        config["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [7, 8]}
        facts = self.ask(config, as_user=True)
        self.assertEqual(self.maps(facts), [[(0, user.uid, 1), (1, user.subuid, 65536)],
                                            [(0, user.gid, 1), (1, user.subgid, 65536)]])
        self.assertEqual((facts["uid"], facts["gid"], facts["groups"]), ("5", "6", "7 8"))
        self.assertEqual(facts["read:/proc/self/setgroups"], "allow\\n")

    def refused_mapping(self, config):
        """newuidmap has its say first."""
        result = self.run_config(config, as_user=True)
        self.assertEqual((result.status, result.stdout), (1, ""), result)
        self.assertIn("newuidmap: ", result.stderr)
        self.assertIn("\nshimbox run: /linux/uidMappings: newuidmap failed", result.stderr)

    def test_not_the_users(self):
        user = self.need_user()
        config = self.user_config("uid", subordinate=False)
        config["linux"]["uidMappings"].append({"containerID": 1, "hostID": 500, "size": 1})
        self.refused_mapping(config)
        config = self.user_config("uid", subordinate=False)
        config["linux"]["uidMappings"][0]["hostID"] = 0
        self.refused_mapping(config)
        self.assertNotEqual(user.uid, 0)

    def test_files_belong_to_mapped_ids(self):
        config = self.map_user(self.config("stat=/proc/self", "stat=/etc/passwd", "stat=/dev"),
                               [(0, 100000, 65536)])
        facts = self.ask(config)
        self.assertEqual(facts["stat:/etc/passwd.uid"], "65534")
        self.assertEqual(facts["stat:/dev.uid"], "0")

    def test_bad(self):
        for uids, message in (
            ([(0, 1, 0)], "/linux/uidMappings/0"),
            ([(i, 4000000000 + 2 * i, 1) for i in range(340)], "/linux/uidMappings: the uid map is longer than the kernel takes"),
            ([(0, 1, 5), (4, 10, 5)], "/linux/uidMappings"),
            ([(0, 1, 5), (10, 4, 5)], "/linux/uidMappings"),
            ([(i, 100000 + 2 * i, 1) for i in range(341)], "341 ranges, the kernel takes 340"),
            ([(i, 100000 + 2 * i, 1) for i in range(6000)], "6000 ranges, the kernel takes 340"),
            ([(4294967290, 0, 10)], "/linux/uidMappings/0"),
        ):
            with self.subTest(message):
                self.refused(self.map_user(self.config("uid"), uids, [(0, 0, 1)]), message)
        config = self.config("uid")
        config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 0, "size": 1}]
        self.refused(config, "needs a user namespace in /linux/namespaces")
