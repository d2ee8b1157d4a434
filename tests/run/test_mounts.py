#!/usr/bin/env python3
"""run: root file system, mounts and their options, masked and read-only paths, devices.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import stat
import subprocess
import tempfile

from container import ContainerTest

PROC, TMPFS, SYSFS, DEVPTS, MQUEUE, CGROUP2 = (
    "0x9fa0", "0x1021994", "0x62656572", "0x1cd1", "0x19800202", "0x63677270")


class Mounts(ContainerTest):
    def mount(self, config, destination, kind, options=(), source=None):
        config["mounts"].append({"destination": destination, "type": kind, "source": source or kind,
                                 "options": list(options)})
        return config

    def both(self, *facts):
        """The configuration for each kind of caller."""
        yield "root", self.config(*facts), {}
        yield "mapped", self.map_user(self.config(*facts), [(0, 100000, 65536)]), {}
        yield "user", self.user_config(*facts), {"as_user": True}
        yield "one id", self.user_config(*facts, subordinate=False), {"as_user": True}


class FileSystems(Mounts):
    def test_types(self):
        for title, config, more in self.both(
                "stat=/proc", "stat=/sys", "stat=/dev/pts", "stat=/dev/mqueue", "stat=/dev/shm",
                "stat=/dev/ptmx", "stat=/dev/pts/ptmx", "stat=/sys/fs/cgroup"):
            with self.subTest(title):
                self.mount(config, "/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
                self.mount(config, "/dev/pts", "devpts", ["newinstance", "ptmxmode=0666", "mode=0620"])
                self.mount(config, "/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"])
                self.mount(config, "/dev/shm", "tmpfs", ["mode=1777", "size=65536k", "noexec"])
                self.mount(config, "/sys/fs/cgroup", "cgroup", ["nosuid", "ro"])
                facts = self.ask(config, **more)
                for path, magic in (("/proc", PROC), ("/sys", SYSFS), ("/dev/pts", DEVPTS),
                                    ("/dev/mqueue", MQUEUE), ("/dev/shm", TMPFS),
                                    ("/sys/fs/cgroup", CGROUP2)):
                    self.assertEqual(facts[f"stat:{path}.fs"], magic, path)
                self.assertEqual(facts["stat:/sys.flags"], "ro nosuid nodev noexec relatime")
                self.assertEqual(facts["stat:/dev/shm.flags"].split(), ["noexec", "relatime"])
                self.assertEqual(facts["stat:/dev/shm.mode"], "1777")
                self.assertEqual(facts["stat:/dev/ptmx.link"], "pts/ptmx")
                self.assertEqual(facts["stat:/dev/pts/ptmx.mode"], "0666")
                self.assertIn("ro", facts["stat:/sys/fs/cgroup.flags"].split())

    def test_own_proc(self):
        facts = self.ask(self.config("pid", "list=/proc/1/task", "read=/proc/1/comm"))
        self.assertEqual(facts["list:/proc/1/task"], "1")
        self.assertEqual(facts["read:/proc/1/comm"], "probe\\n")

    def test_cgroup_without_namespace(self):
        """CVE-2023-25809: what is bound instead is read-only, all of it."""
        for title, config, more in self.both("stat=/sys/fs/cgroup", "mkdir=/sys/fs/cgroup/run-test"):
            with self.subTest(title):
                config["linux"]["namespaces"].remove({"type": "cgroup"})
                self.mount(config, "/sys", "sysfs", ["ro"])
                self.mount(config, "/sys/fs/cgroup", "cgroup", ["ro"])
                facts = self.ask(config, **more)
                self.assertIn("ro", facts["stat:/sys/fs/cgroup.flags"].split())
                self.assertEqual(facts["mkdir:/sys/fs/cgroup/run-test"], "EROFS")

    def test_tmpfs_options(self):
        config = self.mount(self.config("mount=/tmp", "stat=/tmp"), "/tmp", "tmpfs",
                            ["size=1m", "nr_inodes=77", "mode=0750", "uid=5", "gid=6"], "name")
        facts = self.ask(config)
        self.assertEqual(facts["mount:/tmp.source"], "name")
        for option in ("size=1024k", "nr_inodes=77", "mode=750", "uid=5", "gid=6"):
            self.assertIn(option, facts["mount:/tmp.super"].split(","))
        self.assertEqual((facts["stat:/tmp.uid"], facts["stat:/tmp.gid"]), ("5", "6"))

    def test_refused(self):
        for kind, options, message in (
            ("nosuchfs", [], "this kernel has no nosuchfs"),
            ("tmpfs", ["size=abc"], "size=abc"),
            ("tmpfs", ["nosuchoption"], "nosuchoption"),
            ("bind", ["ridmap=1"], "mount option ridmap=1 is not supported"),
            ("bind", ["bind"], "cannot mount /tmp: "),
        ):
            with self.subTest(message):
                config = self.mount(self.config("pid"), "/tmp", kind, options, "/no/such/source")
                self.assertIn("/mounts/2", self.refused(config, message).stderr)
        config = self.config("pid")
        config["mounts"].append({"destination": "/tmp"})
        self.refused(config, "/mounts/2: a mount needs a type, or the option bind")
        config["mounts"][2]["options"] = ["bind"]
        self.refused(config, "/mounts/2: a bind mount needs a source")
        config["mounts"][2] = {"destination": "tmp", "type": "tmpfs"}
        self.assertIn("/mounts/2/destination", self.refused(config, "").stderr)

    def test_needs_namespaces(self):
        """Hints where a namespace is missing, for a user namespace that does not own it."""
        for kind, namespace in (("proc", "pid"), ("sysfs", "network"), ("mqueue", "ipc")):
            with self.subTest(kind):
                config = self.user_config("uid")
                config["linux"]["namespaces"].remove({"type": namespace})
                config["mounts"] = []
                self.mount(config, "/tmp", kind)
                self.refused(config, f"needs a new {namespace} namespace", as_user=True)

    def test_proc_is_not_covered(self):
        """CVE-2019-16884, CVE-2019-19921."""
        for destination in ("/proc", "/proc/", "//proc", "/tmp/../proc", "/proc/self", "/proc/sys",
                            "/proc/1/attr"):
            with self.subTest(destination):
                config = self.mount(self.config("pid"), destination, "tmpfs")
                self.refused(config, "/proc")
        config = self.config("read=/proc/uptime")
        self.mount(config, "/proc/uptime", "bind", ["bind"], "/etc/hostname")
        self.assertEqual(self.ask(config)["read:/proc/uptime"].replace("\\n", "\n"),
                         pathlib.Path("/etc/hostname").read_text())

    def test_links_in_place_of_proc_and_sys(self):
        for name, kind in (("proc", "proc"), ("sys", "sysfs")):
            with self.subTest(name):
                path = f"{self.rootfs}/{name}"
                os.rmdir(path)
                os.symlink("tmp", path)
                try:
                    config = self.config("pid")
                    config["mounts"] = [{"destination": f"/{name}", "type": kind, "source": kind}]
                    self.refused(config, f"/{name} is a symbolic link in the root file system")
                finally:
                    os.unlink(path)
                    os.mkdir(path)


class Binds(Mounts):
    def setUp(self):
        super().setUp()
        self.source = tempfile.mkdtemp(dir=self.dir)
        os.chmod(self.source, 0o755)
        pathlib.Path(f"{self.source}/file").write_text("content")
        os.chmod(f"{self.source}/file", 0o666)
        os.mkdir(f"{self.source}/below")

    def tearDown(self):
        subprocess.run(["umount", "-qR", f"{self.source}/below"], check=False)
        super().tearDown()

    def test_file_and_directory(self):
        for title, config, more in self.both("read=/tmp/file", "read=/etc/bound", "stat=/etc/bound",
                                             "mount=/tmp", "write=/tmp/file,x"):
            with self.subTest(title):
                self.mount(config, "/tmp", "bind", ["bind", "ro"], self.source)
                if title == "mapped":
                    # Root of the user namespace may not create files in the root file system.
                    pathlib.Path(f"{self.rootfs}/etc/bound").touch()
                self.mount(config, "/etc/bound", "none", ["rbind"], f"{self.source}/file")
                facts = self.ask(config, **more)
                self.assertEqual(facts["read:/tmp/file"], "content")
                self.assertEqual(facts["read:/etc/bound"], "content")
                self.assertEqual(facts["stat:/etc/bound.type"], "file")
                self.assertEqual(facts["write:/tmp/file"], "EROFS")
                self.assertEqual(pathlib.Path(f"{self.source}/file").read_text(), "content")

    def test_relative_source(self):
        """Relative to the bundle."""
        config = self.mount(self.config("read=/tmp/file", rootfs="rootfs"), "/tmp", "bind", ["bind"],
                            os.path.basename(self.source))
        file = pathlib.Path(f"{self.dir}/config.json")
        file.write_text(json.dumps(config))
        for cwd in (self.dir, "/"):
            done = subprocess.run([self.shimbox, "run", "-b", self.dir], cwd=cwd, capture_output=True,
                                  text=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "read:/tmp/file=content\n", ""))
        config = self.map_user(config, [(0, 100000, 65536)])
        file.write_text(json.dumps(config))
        done = subprocess.run([self.shimbox, "run", "-b", "."], cwd=self.dir, capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "read:/tmp/file=content\n", ""))
        file.unlink()

    def test_source_goes_up_to_the_root(self):
        """/etc/resolv.conf is ../run/systemd/resolve/... on many hosts: that is the host's "..",
        whatever the image has there."""
        canary = f"{self.dir}/canary"
        pathlib.Path(canary).write_text("secret")
        self.addCleanup(os.unlink, canary)
        link = f"{self.source}/link"
        os.symlink("../" * 10 + self.source[1:] + "/file", link)
        for source in (link, f"/etc/..{self.source}/file", "/.." + link):
            for title, config, more in self.both("read=/tmp/file"):
                with self.subTest(title, source=source):
                    hostile = config["root"]["path"] + self.source
                    os.makedirs(hostile, exist_ok=True)
                    if not os.path.lexists(f"{hostile}/file"):
                        os.symlink(canary, f"{hostile}/file")
                    self.mount(config, "/run", "tmpfs")
                    self.mount(config, "/tmp", "tmpfs")
                    self.mount(config, "/tmp/file", "bind", ["ro"], source)
                    self.assertEqual(self.ask(config, **more), {"read:/tmp/file": "content"})
        for root in (self.rootfs, self.user_rootfs):
            subprocess.run(["rm", "-rf", root + self.dir], check=True)

    def test_more_than_may_be_open(self):
        """The soft limit is no limit of mounts, and the program gets it as it was."""
        for title, config, more in self.both("rlimits", "read=/run/149"):
            with self.subTest(title):
                self.mount(config, "/run", "tmpfs")
                for i in range(150):
                    self.mount(config, f"/run/{i}", "bind", ["ro"], f"{self.source}/file")
                facts = self.ask(config, prefix=["prlimit", "--nofile=60:2000"], **more)
                self.assertEqual(facts["read:/run/149"], "content")
                self.assertEqual((facts["rlimits.nofile.soft"], facts["rlimits.nofile.hard"]),
                                 ("60", "2000"))
        result = self.refused(config, "/file for mounting: ", prefix=["prlimit", "--nofile=60:100"], **more)
        # The words of two libraries for one errno.
        self.assertRegex(result.stderr, "Too many open files|No file descriptors available")

    def test_recursive(self):
        subprocess.run(["mount", "-t", "tmpfs", "below", f"{self.source}/below"], check=True)
        for option, found in (("bind", "none"), ("rbind", None)):
            config = self.mount(self.config("mount=/tmp/below"), "/tmp", "bind", [option], self.source)
            facts = self.ask(config)
            if found:
                self.assertEqual(facts["mount:/tmp/below"], found)
            else:
                self.assertEqual(facts["mount:/tmp/below.type"], "tmpfs")

    def test_missing_targets(self):
        for title, config, more in self.both("stat=/run/a/b/dir", "stat=/run/a/b/file", "stat=/run/a"):
            with self.subTest(title):
                self.mount(config, "/run", "tmpfs", ["mode=755"])
                self.mount(config, "/run/a/b/dir", "tmpfs")
                self.mount(config, "/run/a/b/file", "bind", ["bind"], f"{self.source}/file")
                facts = self.ask(config, **more)
                self.assertEqual(facts["stat:/run/a/b/dir.type"], "dir")
                self.assertEqual(facts["stat:/run/a/b/file.type"], "file")
                self.assertEqual(facts["stat:/run/a.mode"], "0755")

    def test_wrong_kind_of_target(self):
        config = self.mount(self.config("pid"), "/etc", "bind", ["bind"], f"{self.source}/file")
        self.assertIn("/mounts/2", self.refused(config, "cannot mount /etc: ").stderr)
        config = self.mount(self.config("pid"), "/etc/passwd", "bind", ["bind"], self.source)
        self.refused(config, "cannot mount /etc/passwd: ")

    def test_links_stay_inside(self):
        """CVE-2019-18837 and others: targets through hostile links, relative and absolute."""
        canary = tempfile.mkdtemp(dir=self.dir)
        for link, target in (("l1", canary), ("l2", "../" * 10 + canary.lstrip("/")),
                             ("l3", "/proc/1/root" + canary)):
            os.symlink(target, f"{self.rootfs}/{link}")
            self.addCleanup(os.unlink, f"{self.rootfs}/{link}")
            config = self.mount(self.config("pid", "mounts"), f"/{link}/x", "tmpfs")
            self.run_config(config)
            self.assertEqual(os.listdir(canary), [], link)
        config = self.config("pid")
        config["linux"]["devices"] = [{"path": "/l2/fifo", "type": "p"}]
        config["process"]["cwd"] = "/l2/cwd"
        self.run_config(config)
        self.assertEqual(os.listdir(canary), [])
        subprocess.run(["rm", "-rf", f"{self.rootfs}/{self.dir}"], check=True)

    # option: (present in mountinfo's per-mount options, absent)
    OPTIONS = {
        "ro": ("ro", "rw"), "rw": ("rw", "ro"),
        "nosuid": ("nosuid", ""), "suid": ("", "nosuid"),
        "nodev": ("nodev", ""), "dev": ("", "nodev"),
        "noexec": ("noexec", ""), "exec": ("", "noexec"),
        "nodiratime": ("nodiratime", ""), "diratime": ("", "nodiratime"),
        "nosymfollow": ("nosymfollow", ""), "symfollow": ("", "nosymfollow"),
        "relatime": ("relatime", "noatime"), "norelatime": ("", "relatime"),
        "noatime": ("noatime", "relatime"), "atime": ("relatime", "noatime"),
        "strictatime": ("", "relatime"), "nostrictatime": ("relatime", ""),
        "defaults": ("relatime", "ro"),
    }

    def check_options(self, facts, path, present, absent):
        options = facts[f"mount:{path}.options"].split(",")
        if present:
            self.assertIn(present, options)
        if absent:
            self.assertNotIn(absent, options)

    def test_each_option(self):
        """On a new mount, on a bind of one that has the opposite, and recursively below one."""
        opposite = {"ro": "rw", "rw": "ro", "defaults": "rw", "relatime": "noatime", "noatime": "relatime",
                    "norelatime": "relatime", "atime": "noatime", "strictatime": "relatime",
                    "nostrictatime": "strictatime"}
        below = f"{self.source}/below"
        for option, (present, absent) in self.OPTIONS.items():
            with self.subTest(option):
                config = self.mount(self.config("mount=/tmp", "mount=/tmp/below", "mount=/run"),
                                    "/run", "tmpfs", [option])
                other = opposite.get(option) or (option[2:] if option.startswith("no") else "no" + option)
                subprocess.run(["mount", "-t", "tmpfs", "-o", other, "x", below], check=True)
                try:
                    self.mount(config, "/tmp", "bind", ["rbind", option], self.source)
                    facts = self.ask(config)
                    self.check_options(facts, "/run", present, absent)
                    self.check_options(facts, "/tmp", present, absent)
                    if option != "defaults":
                        # Not recursive: what is below keeps its own.
                        if absent:
                            self.check_options(facts, "/tmp/below", absent, "")
                        self.mount(config, "/tmp", "bind", ["rbind", "r" + option], self.source)
                        facts = self.ask(config)
                        self.check_options(facts, "/tmp", present, absent)
                        self.check_options(facts, "/tmp/below", present, absent)
                finally:
                    subprocess.run(["umount", below], check=True)

    def test_later_option_wins(self):
        for options, want in ((["ro", "rw"], "rw"), (["rw", "ro"], "ro"), (["noexec", "exec"], "rw"),
                              (["noatime", "relatime"], "relatime"), (["relatime", "noatime"], "noatime")):
            for kind, source in (("bind", self.source), ("tmpfs", "x")):
                with self.subTest(options=options, kind=kind):
                    facts = self.ask(self.mount(self.config("mount=/tmp"), "/tmp", kind, options, source))
                    self.assertIn(want, facts["mount:/tmp.options"].split(","))
                    self.assertNotIn("noexec", facts["mount:/tmp.options"].split(","))

    def test_options_of_a_user(self):
        """What the host has set on a mount cannot be taken back in a user namespace."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec", "x", f"{self.source}/below"],
                       check=True)
        config = self.user_config("mount=/tmp/below", "mount=/tmp")
        self.mount(config, "/tmp", "bind", ["rbind", "nosuid"], self.source)
        facts = self.ask(config, as_user=True)
        self.check_options(facts, "/tmp/below", "ro", "rw")
        config["mounts"][-1]["options"] = ["rbind", "rexec"]
        self.assertIn("/mounts/2", self.refused(config, "Operation not permitted", as_user=True).stderr)

    def test_propagation(self):
        for option, want in (("shared", "shared"), ("slave", "master"), ("private", "private"),
                             ("unbindable", "unbindable"), ("rshared", "shared"), ("rslave", "master"),
                             ("rprivate", "private"), ("runbindable", "unbindable")):
            with self.subTest(option):
                subprocess.run(["mount", "-t", "tmpfs", "x", f"{self.source}/below"], check=True)
                config = self.mount(self.config("mount=/tmp", "mount=/tmp/below"), "/tmp", "bind",
                                    ["rbind", option], self.source)
                facts = self.ask(config)
                subprocess.run(["umount", f"{self.source}/below"], check=True)
                self.assertTrue(facts["mount:/tmp.propagation"].startswith(want), facts)
                if option[0] == "r":
                    self.assertTrue(facts["mount:/tmp/below.propagation"].startswith(want), facts)


    def test_more_than_descriptors(self):
        """Each takes a descriptor, since all are opened before the root is attached; it is said what
        to raise."""
        for title, config, more in self.both("uid"):
            with self.subTest(title):
                for _ in range(70):
                    self.mount(config, "/dev/shm", "bind", ["bind"], "/usr")
                more["prefix"] = ["prlimit", "--nofile=64:64"]
                self.refused(config, "raise the limit, ulimit -n", **more)
                # The soft limit is raised as far as the hard one allows.
                more["prefix"] = ["prlimit", "--nofile=64:1024"]
                self.assertEqual(self.ask(config, **more)["uid"], "0")


class Root(Mounts):
    def test_pivoted(self):
        """Nothing of the host is left in the mount table or in reach."""
        for title, config, more in self.both("mounts", "stat=/", "list=/", "stat=/..", "chroot=/tmp"):
            with self.subTest(title):
                facts = self.ask(config, **more)
                targets = [key.split(":", 1)[1][:-5] for key in facts if key.endswith(".type") and key.startswith("mounts:")]
                self.assertTrue(all(t == "/" or t.startswith(("/proc", "/dev")) for t in targets), targets)
                self.assertEqual(facts["stat:/.inode"], facts["stat:/...inode"])
                self.assertNotIn("work", facts["list:/"].split())
                self.assertNotIsInstance(facts["mounts:/.type"], list)

    def test_no_pivot(self):
        config = self.config("list=/", "cwd", "uid", "stat=/", "stat=/..")
        facts = self.ask(config, "--no-pivot")
        self.assertIn("bin", facts["list:/"].split())
        self.assertEqual(facts["cwd"], "/")
        self.assertEqual(facts["stat:/.inode"], facts["stat:/...inode"])

    def test_no_pivot_leaves_no_way_out(self):
        """Not even for who may unmount: see tests/vm/rootfs.sh, where it cannot be otherwise."""
        for title, config, more in self.both("list=/", "climb=/dev/x", "list=/", "reenter=/", "list=/"):
            with self.subTest(title):
                names = [f"CAP_{name}" for name in ("SYS_ADMIN", "SYS_CHROOT")]
                config["process"]["capabilities"] = {
                    kind: names for kind in ("bounding", "effective", "permitted")}
                facts = self.ask(config, "--no-pivot", **more)
                self.assertEqual(facts["climb:/dev/x"], "ok")
                self.assertEqual(facts["reenter:/.unmount"], "EINVAL")
                self.assertEqual(facts["reenter:/.enter"], "ok")
                self.assertEqual(len(facts["list:/"]), 3)
                self.assertEqual(len(set(facts["list:/"])), 1, facts)

    def test_readonly(self):
        for title, config, more in self.both("write=/etc/passwd,x", "mkdir=/x", "stat=/", "stat=/dev",
                                             "mkdir=/dev/x", "remount-rw=/"):
            with self.subTest(title):
                config["root"]["readonly"] = True
                facts = self.ask(config, **more)
                self.assertEqual(facts["mkdir:/x"], "EROFS")
                # The kernel looks at the mode first, and the file is not of every root.
                self.assertIn(facts["write:/etc/passwd"], ("EROFS", "EACCES"))
                self.assertIn("ro", facts["stat:/.flags"].split())
                self.assertNotIn("ro", facts["stat:/dev.flags"].split())
                self.assertNotEqual(facts["remount-rw:/"], "ok")
        self.assertFalse(os.path.exists(f"{self.rootfs}/x"))

    def test_propagation(self):
        for word, want in ((None, "master"), ("slave", "master"), ("rslave", "master"),
                           ("private", "private"), ("rprivate", "private"), ("shared", "shared"),
                           ("rshared", "shared"), ("unbindable", "unbindable"),
                           ("runbindable", "unbindable")):
            with self.subTest(word):
                config = self.config("mount=/", "mount=/dev")
                if word:
                    config["linux"]["rootfsPropagation"] = word
                facts = self.ask(config)
                self.assertTrue(facts["mount:/.propagation"].startswith(want), facts)
                if word and word[0] == "r" and want != "master":
                    self.assertTrue(facts["mount:/dev.propagation"].startswith(want), facts)
        config["linux"]["rootfsPropagation"] = "x"
        self.assertIn("/linux/rootfsPropagation", self.refused(config, "").stderr)

    def test_refused(self):
        for path, message in (("/no/such", "cannot open root file system /no/such: No such file"),
                              ("/etc/passwd", "cannot use root file system /etc/passwd: Not a directory")):
            with self.subTest(path):
                config = self.config("pid", rootfs=path)
                self.assertIn("/root/path", self.refused(config, message).stderr)
        config = self.config("pid")
        del config["root"]
        self.refused(config, "no root file system; give root.path, or --rootfs DIR")
        self.assertEqual(self.ask(config, "--rootfs", self.rootfs)["pid"], "1")


class Paths(Mounts):
    def test_masked(self):
        for title, config, more in self.both(
                "read=/etc/passwd", "list=/home", "stat=/home", "stat=/etc/passwd", "mkdir=/home/x",
                "exists=/absent", "list=/var", "read=/proc/uptime", "unmount=/home"):
            with self.subTest(title):
                config["linux"]["maskedPaths"] = ["/etc/passwd", "/home", "/absent", "/var", "/proc/uptime",
                                                  "/absent/below"]
                facts = self.ask(config, **more)
                self.assertEqual(facts["read:/etc/passwd"], "")
                self.assertEqual(facts["stat:/etc/passwd.rdev"], "1:3")
                self.assertEqual(facts["list:/home"], "")
                self.assertEqual(facts["list:/var"], "")
                self.assertEqual(facts["read:/proc/uptime"], "")
                self.assertEqual(facts["mkdir:/home/x"], "EROFS")
                self.assertEqual(facts["exists:/absent"], "no")
                self.assertEqual(facts["unmount:/home"], "EPERM")

    def test_below_a_file(self):
        """Only what is absent needs no protection; anything else in the way is a failure."""
        for key in ("maskedPaths", "readonlyPaths"):
            config = self.config("pid")
            config["linux"][key] = ["/etc/passwd/below"]
            self.assertIn(f"/linux/{key}/0", self.refused(config, "Not a directory").stderr)

    def test_readonly(self):
        for title, config, more in self.both(
                "write=/proc/sys/kernel/hostname,x", "mkdir=/tmp/x", "stat=/proc/sys", "stat=/etc/passwd",
                "stat=/etc", "exists=/absent", "remount-rw=/tmp"):
            with self.subTest(title):
                config["linux"]["readonlyPaths"] = ["/proc/sys", "/tmp", "/etc/passwd", "/absent"]
                facts = self.ask(config, **more)
                # The kernel looks at the mode first, and the file is not of every root.
                self.assertIn(facts["write:/proc/sys/kernel/hostname"], ("EROFS", "EACCES"))
                self.assertIn("ro", facts["stat:/proc/sys.flags"].split())
                self.assertEqual(facts["mkdir:/tmp/x"], "EROFS")
                self.assertIn("ro", facts["stat:/etc/passwd.flags"].split())
                self.assertNotIn("ro", facts["stat:/etc.flags"].split())
                self.assertEqual(facts["exists:/absent"], "no")

    def test_readonly_keeps_what_is_mounted_below(self):
        config = self.config("stat=/tmp", "stat=/tmp/below")
        self.mount(config, "/tmp", "tmpfs", ["nosuid", "nodev", "noexec"])
        self.mount(config, "/tmp/below", "tmpfs", ["noexec"])
        config["linux"]["readonlyPaths"] = ["/tmp"]
        facts = self.ask(config)
        self.assertEqual(facts["stat:/tmp.flags"].split(), ["ro", "nosuid", "nodev", "noexec", "relatime"])
        self.assertEqual(facts["stat:/tmp/below.flags"].split()[:2], ["ro", "noexec"])

    def test_links(self):
        """A masked or protected path that is a link concerns what it leads to, inside."""
        os.symlink("/etc/passwd", f"{self.rootfs}/link")
        self.addCleanup(os.unlink, f"{self.rootfs}/link")
        before = pathlib.Path("/etc/passwd").read_text()
        config = self.config("read=/etc/passwd")
        config["linux"]["maskedPaths"] = ["/link"]
        self.assertEqual(self.ask(config)["read:/etc/passwd"], "")
        self.assertEqual(pathlib.Path("/etc/passwd").read_text(), before)

    def test_relative_refused(self):
        for key in ("maskedPaths", "readonlyPaths"):
            config = self.config("pid")
            config["linux"][key] = ["proc/kcore"]
            self.assertIn(f"/linux/{key}/0", self.refused(config, "").stderr)


class Devices(Mounts):
    DEFAULT = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
    LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
             "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}

    def test_default(self):
        wanted = [f"stat=/dev/{name}" for name in [*self.DEFAULT, *self.LINKS]]
        for title, config, more in self.both(*wanted, "list=/dev", "write=/dev/null,x", "write=/dev/full,x"):
            with self.subTest(title):
                facts = self.ask(config, **more)
                for name, number in self.DEFAULT.items():
                    self.assertEqual(facts[f"stat:/dev/{name}.type"], "char")
                    self.assertEqual(facts[f"stat:/dev/{name}.rdev"], number)
                    self.assertEqual(facts[f"stat:/dev/{name}.mode"], "0666")
                for name, target in self.LINKS.items():
                    self.assertEqual(facts[f"stat:/dev/{name}.link"], target)
                self.assertEqual(facts["write:/dev/null"], "ok")
                self.assertEqual(facts["write:/dev/full"], "ENOSPC")
                self.assertEqual(sorted(facts["list:/dev"].split()), sorted([*self.DEFAULT, *self.LINKS]))

    def test_listed(self):
        config = self.config("stat=/dev/c", "stat=/dev/b", "stat=/dev/sub/p", "stat=/dev/plain", "stat=/dev/u")
        config["linux"]["devices"] = [
            {"path": "/dev/c", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4},
            {"path": "/dev/b", "type": "b", "major": 7, "minor": 300, "fileMode": 0o600},
            {"path": "/dev/sub/p", "type": "p", "fileMode": 0o622, "uid": 9},
            {"path": "/dev/plain", "type": "c", "major": 1, "minor": 3},
            {"path": "/dev/u", "type": "u", "major": 1, "minor": 9},
        ]
        facts = self.ask(config)
        for name, kind, rdev, mode, uid, gid in (("c", "char", "1:5", "0640", "3", "4"),
                                                 ("b", "block", "7:300", "0600", "0", "0"),
                                                 ("sub/p", "fifo", None, "0622", "9", "0"),
                                                 ("plain", "char", "1:3", "0666", "0", "0"),
                                                 ("u", "char", "1:9", "0666", "0", "0")):
            self.assertEqual(facts[f"stat:/dev/{name}.type"], kind)
            self.assertEqual(facts.get(f"stat:/dev/{name}.rdev"), rdev)
            self.assertEqual([facts[f"stat:/dev/{name}.{x}"] for x in ("mode", "uid", "gid")],
                             [mode, uid, gid])

    def test_listed_default(self):
        """One that is listed takes the place of the default one."""
        config = self.config("stat=/dev/null")
        config["linux"]["devices"] = [
            {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 7}]
        facts = self.ask(config)
        self.assertEqual((facts["stat:/dev/null.mode"], facts["stat:/dev/null.uid"]), ("0600", "7"))

    def test_bound_for_a_user(self):
        config = self.user_config("stat=/dev/other", "write=/dev/null,x", "stat=/dev/fuse")
        config["linux"]["devices"] = [{"path": "/dev/other", "type": "c", "major": 1, "minor": 3}]
        self.refused(config, "this user may not create device nodes, so the host's are needed", as_user=True)
        config["linux"]["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 5}]
        self.refused(config, "the host's /dev/null is not the device 1:5", as_user=True)

    def test_what_an_image_has_in_place(self):
        """CVE-2025-31133, CVE-2026-41579: a link or file where a device should be."""
        canary = f"{self.dir}/canary"
        pathlib.Path(canary).write_text("secret")
        node = f"{self.rootfs}/dev/null"
        for make in (lambda: os.symlink(canary, node), lambda: os.mkdir(node),
                     lambda: os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 5))):
            make()
            config = self.config("read=/proc/uptime")
            del config["mounts"][1]
            config["linux"]["maskedPaths"] = ["/proc/uptime"]
            self.refused(config, "/dev/null exists, and is not the device 1:3")
            subprocess.run(["rm", "-rf", node], check=True)
        self.assertEqual(pathlib.Path(canary).read_text(), "secret")
        # A plain file is as good as what an ordinary user's container leaves: it is mounted over.
        pathlib.Path(node).write_text("x")
        config["process"]["args"] = ["/bin/probe", "stat=/dev/null", "read=/proc/uptime"]
        facts = self.ask(config)
        self.assertEqual((facts["stat:/dev/null.rdev"], facts["read:/proc/uptime"]), ("1:3", ""))
        self.assertEqual(pathlib.Path(node).read_text(), "x")
        subprocess.run(f"rm -rf {self.rootfs}/dev/*", shell=True, check=True)

    def test_existing_nodes_are_fine(self):
        config = self.config("stat=/dev/null")
        del config["mounts"][1]
        for _ in range(2):
            self.assertEqual(self.ask(config)["stat:/dev/null.rdev"], "1:3")
        subprocess.run(f"rm -rf {self.rootfs}/dev/*", shell=True, check=True)

    def test_bound_dev(self):
        """A /dev that is bound is taken as it is."""
        empty = tempfile.mkdtemp(dir=self.dir)
        config = self.config("list=/dev")
        config["mounts"][1] = {"destination": "/dev", "type": "bind", "source": empty, "options": ["bind"]}
        self.assertEqual(self.ask(config)["list:/dev"], "")
        self.assertEqual(os.listdir(empty), [])

    def test_dev_is_a_link(self):
        canary = tempfile.mkdtemp(dir=self.dir)
        os.rmdir(f"{self.rootfs}/dev")
        os.symlink(canary, f"{self.rootfs}/dev")
        for mounts in (1, 2):
            config = self.config("pid")
            del config["mounts"][mounts:]
            self.run_config(config)
            self.assertEqual(os.listdir(canary), [])
        os.unlink(f"{self.rootfs}/dev")
        os.mkdir(f"{self.rootfs}/dev")
        subprocess.run(["rm", "-rf", f"{self.rootfs}/{self.dir}"], check=True)
