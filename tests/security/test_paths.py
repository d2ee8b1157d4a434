"""Published attacks by the files of an image, replayed against `run`. None may succeed.
SPDX-License-Identifier: Apache-2.0

Each test names what it replays; test_rows.py lists them all.
"""

import errno
import os
import shutil
import subprocess
import unittest

from attack import DENY, OPENAT2, Attack
from bundle import Exchange


class Paths(Attack):
    """Links and exchanges in the root file system."""

    def test_2019_18837_mount_through_link_of_image(self):
        (self.rootfs / "l1").symlink_to(self.canary)
        (self.rootfs / "l2").symlink_to("../../canary")
        self.bundle.mount("/l1/x")
        self.bundle.mount("/l2/z")
        self.bundle.mount("/l2/file", "bind", "/etc/hostname", ["bind"])
        facts = self.facts(f"stat={self.canary}/x", "stat=/l1/x")
        self.assertEqual(facts["stat:/l1/x.type"], "dir")
        self.assertEqual(facts[f"stat:{self.canary}/x.type"], "dir")

    def test_2019_19921_proc_is_a_link(self):
        (self.rootfs / "bad").mkdir()
        for name in ("proc", "sys"):
            with self.subTest(name):
                (self.rootfs / name).rmdir()
                (self.rootfs / name).symlink_to("/bad")
                self.check_refused(self.bundle.run(), "/mounts/", f"/{name} is a symbolic link")
                (self.rootfs / name).unlink()
                (self.rootfs / name).mkdir()

    def test_2019_19921_proc_is_exchanged_with_a_link(self):
        (self.rootfs / "bad").mkdir()
        (self.rootfs / "link").symlink_to("bad")
        self.config["linux"]["maskedPaths"] = ["/proc/interrupts"]
        self.config["linux"]["readonlyPaths"] = ["/proc/sys"]
        # Wherever the folder with proc on it is when the program looks, it is protected.
        script = ("for p in proc link bad; do [ ! -d /$p/self/ ] || busybox stat -c '%t:%T' "
                  "/$p/interrupts; done; busybox grep -c ' /[a-z]*/sys ro' /proc/self/mountinfo")
        with Exchange(self.rootfs / "proc", self.rootfs / "link") as exchange:
            for _ in self.rounds(exchange):
                done = self.bundle.run("/bin/sh", "-c", "export PATH=/bin; " + script)
                if "shimbox" in done.stderr:
                    self.check_refused(done)
                    continue
                for line in done.stdout.splitlines():
                    self.assertIn(line, ("1:3", "1"), done)
        self.assertGreater(exchange.count, 100)

    def test_2021_30465_mount_target_is_exchanged(self):
        (self.rootfs / "a").mkdir()
        (self.rootfs / "link").symlink_to(self.canary)
        for i in range(10):
            (self.rootfs / f"a/b{i}/c").mkdir(parents=True)
            self.bundle.mount(f"/a/b{i}/c")
        with Exchange(self.rootfs / "a", self.rootfs / "link") as exchange:
            for _ in self.rounds(exchange):
                done = self.bundle.run("/bin/busybox", "grep", "canary", "/proc/self/mountinfo")
                self.assertEqual(done.stderr if done.returncode == 0 else "", "")
                inside = f"{self.rootfs}"
                for line in done.stdout.splitlines():
                    self.assertNotIn(str(self.canary), line.replace(inside, "").split()[3], line)
        self.assertGreater(exchange.count, 100)

    def test_2024_45310_folder_is_made_through_exchanged_link(self):
        (self.rootfs / "a").mkdir()
        (self.rootfs / "link").symlink_to(self.canary)
        self.bundle.mount("/a/new/deep/er")
        self.bundle.mount("/a/file", "bind", "/etc/hostname", ["bind"])
        with Exchange(self.rootfs / "a", self.rootfs / "link") as exchange:
            for _ in self.rounds(exchange):
                self.bundle.run()
                shutil.rmtree(self.rootfs / "a/new", ignore_errors=True)
                shutil.rmtree(self.rootfs / "link/new", ignore_errors=True)
                self.assertFalse(self.bundle.canary_changes())
        self.assertGreater(exchange.count, 100)

    def test_2025_31133_null_device_is_a_link(self):
        self.bundle.drop_mounts("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        (self.rootfs / "dev/null").symlink_to("/etc/secret")
        (self.rootfs / "etc/secret").write_text("mine\n")
        self.config["linux"]["maskedPaths"] = ["/proc/interrupts"]
        self.check_refused(self.bundle.run(), "/dev/null exists, and is not the device 1:3")
        self.assertEqual((self.rootfs / "etc/secret").read_text(), "mine\n")

    def test_2025_31133_masks_show_the_null_device(self):
        self.config["linux"]["maskedPaths"] = ["/proc/interrupts", "/proc/keys", "/proc/nothing"]
        facts = self.facts("stat=/proc/interrupts", "stat=/proc/keys")
        self.assertEqual(facts["stat:/proc/interrupts.rdev"], "1:3")
        self.assertEqual(facts["stat:/proc/keys.rdev"], "1:3")

    def test_2025_52565_devpts_is_a_link(self):
        self.bundle.drop_mounts("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        (self.rootfs / "dev/pts").symlink_to(self.canary)
        self.bundle.mount("/dev/pts", "devpts", options=["newinstance"])
        self.bundle.run()
        self.bundle.run()  # what the first one has left is in nobody's way
        (self.rootfs / "dev/ptmx").unlink(missing_ok=True)
        (self.rootfs / "dev/ptmx").symlink_to(self.canary / "secret")
        self.check_refused(self.bundle.run(), "/dev/ptmx")

    def test_2025_52565_devpts_is_exchanged(self):
        """ptmx and the multiplexer of a new devpts, while dev/pts becomes a link again and again."""
        self.bundle.drop_mounts("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        (self.rootfs / "dev/pts").mkdir()
        (self.rootfs / "dev/link").symlink_to(self.canary)
        self.bundle.mount("/dev/pts", "devpts", options=["newinstance", "ptmxmode=0666"])
        inside = f"{self.rootfs}"
        with Exchange(self.rootfs / "dev/pts", self.rootfs / "dev/link") as exchange:
            for _ in self.rounds(exchange):
                done = self.bundle.run("/bin/busybox", "cat", "/proc/self/mountinfo")
                if done.returncode != 0:
                    self.check_refused(done, "shimbox run: ")
                for line in done.stdout.splitlines():
                    self.assertNotIn(str(self.canary), line.replace(inside, "").split()[3], line)
                self.assertFalse(self.bundle.canary_changes())
        self.assertGreater(exchange.count, 100)

    def test_2026_41579_dev_is_a_link(self):
        for target in (str(self.canary), "../canary", "../../../../../../.." + str(self.canary)):
            for kept in (True, False):
                with self.subTest(target, kept=kept):
                    if not kept:
                        self.bundle.drop_mounts("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
                    shutil.rmtree(self.rootfs / "dev") if (
                        not (self.rootfs / "dev").is_symlink()) else (
                        (self.rootfs / "dev").unlink())
                    (self.rootfs / "dev").symlink_to(target)
                    self.bundle.run()
                    self.assertFalse(self.bundle.canary_changes())

    def test_2026_88264_console_and_devices_are_links(self):
        self.bundle.drop_mounts("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        self.config["linux"]["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10,
                                            "minor": 229, "uid": 777, "gid": 777}]
        (self.rootfs / "dev/fuse").symlink_to(self.canary / "secret")
        self.check_refused(self.bundle.run(), "/linux/devices/0", "/dev/fuse exists")
        (self.rootfs / "dev/fuse").unlink()
        (self.rootfs / "dev/fuse").symlink_to(self.canary / "new")
        self.check_refused(self.bundle.run(), "/linux/devices/0", "/dev/fuse exists")

    def test_2026_88265_null_is_a_link_and_uid_is_other(self):
        self.bundle.drop_mounts("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        secret = self.rootfs / "etc/secret"
        secret.write_text("mine\n")
        (self.rootfs / "dev/null").symlink_to("/etc/secret")
        self.config["process"]["user"] = {"uid": 777, "gid": 777}
        for stream in (subprocess.PIPE, subprocess.DEVNULL):
            self.bundle.run("/bin/busybox", "echo", "text", stdout=stream)
            self.assertEqual(secret.read_text(), "mine\n")
            self.assertEqual(secret.stat().st_uid, self.uid)

    def test_2025_24965_files_are_written_through_no_link(self):
        for name in ("etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab", "run", "tmp/x",
                     "dev/null", "dev/fd", "dev/console", "sys/fs", ".dockerenv", "bin/mount"):
            path = self.rootfs / name
            if not path.exists():
                path.symlink_to(self.canary / name.replace("/", "-"))
        self.check_runs(self.bundle.run())

    def test_bwrap_2026_87766_links_to_oldroot(self):
        for name, target in (("link", "/oldroot" + str(self.canary)), ("magic", "/proc/1/root"),
                             ("here", "/proc/self/cwd"), ("fd", "/proc/self/fd/3")):
            (self.rootfs / name).symlink_to(target)
            self.bundle.mount(f"/{name}/x{self.canary}/folder/y")
        done = self.bundle.run()
        self.assertIn(done.returncode, (0, 1), done)
        self.assertFalse(list(self.canary.glob("folder/*")))

    def test_bwrap_801_usual_links_work(self):
        (self.rootfs / "var").mkdir(mode=0o711)
        (self.rootfs / "var/run").symlink_to("/run")
        self.bundle.mount("/var/run/lock/x")
        self.assertEqual(self.facts("stat=/run/lock/x")["stat:/run/lock/x.type"], "dir")

    def test_flatpak_2024_42472_bind_source_is_exchanged(self):
        source = self.bundle.folder / "source"
        (source / "a").mkdir(parents=True)
        (source / "a/secret").write_text("public\n")
        (source / "link").symlink_to(self.canary)
        self.bundle.mount("/x", "bind", str(source / "a"), ["bind", "ro"])
        with Exchange(source / "a", source / "link") as exchange:
            for _ in self.rounds(exchange):
                # Either folder may be met; but what is mounted is one of them, and no fd leaks.
                done = self.bundle.run("/bin/probe", "fds")
                self.assertEqual(done.stdout.splitlines()[:1], ["fds=0 1 2"], done)
        self.assertGreater(exchange.count, 100)

    def test_passwd_of_image_is_a_device_or_endless(self):
        passwd = self.rootfs / "etc/passwd"
        for target in ("/dev/zero", "/dev/tty", "/dev/random", "/proc/kmsg", "/bin", "/etc/passwd"):
            with self.subTest(target):
                passwd.unlink()
                passwd.symlink_to(target)
                facts = self.facts("env", timeout=120)
                self.assertEqual(facts["env.HOME"], "/")
        with self.subTest("fifo"):
            passwd.unlink()
            os.mkfifo(passwd)
            self.assertEqual(self.facts("env", timeout=120)["env.HOME"], "/")


class Proc(Attack):
    """What stands for /proc, and what is protected in it."""

    def test_2019_16884_volume_over_proc(self):
        (self.bundle.folder / "fake").mkdir()
        fake = str(self.bundle.folder / "fake")
        for target in ("/proc", "/proc/self", "/proc/sys", "/proc/../proc/"):
            with self.subTest(target):
                self.bundle.mount(target, "bind", fake, ["bind"])
                self.check_refused(self.bundle.run(), "/mounts/", "/proc")
                self.config["mounts"].pop()
        self.bundle.mount("/proc")
        self.check_refused(self.bundle.run(), "/mounts/", "/proc")

    def test_2019_16884_lxcfs_files_are_allowed(self):
        file = self.bundle.folder / "uptime"
        file.write_text("1 1\n")
        self.bundle.mount("/proc/uptime", "bind", str(file), ["bind"])
        self.assertEqual(self.facts("read=/proc/uptime")["read:/proc/uptime"], "1 1\\n")

    def test_no_pivot_leaves_no_proc_without_masks(self):
        # GHSA-fh74-hm69-rqjw: with the host's procfs still mounted somewhere in the namespace, the
        # kernel allows a fresh one in a nested user namespace, in which nothing is masked.
        self.config["linux"]["maskedPaths"] = ["/proc/kcore", "/proc/sys"]
        self.config["process"]["user"] = {"uid": 1000, "gid": 1000}
        script = "mount -t proc proc /tmp && busybox ls -d /tmp/sys/kernel"
        for options in ((), ("--no-pivot",)):
            with self.subTest(options):
                done = self.bundle.run("/bin/busybox", "unshare", "-Urmpf", "/bin/sh", "-c",
                                       f"export PATH=/bin; busybox {script}", options=options)
                self.assertNotEqual(done.returncode, 0, done)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, "not permitted|denied")

    def test_2023_25809_cgroups_of_host_are_read_only(self):
        self.bundle.drop_namespace("cgroup")
        self.bundle.namespaces.append({"type": "user"})
        self.config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        self.config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        self.bundle.drop_mounts("/sys/fs/cgroup")
        self.bundle.mount("/sys/fs/cgroup", "cgroup", options=["nosuid", "rw"])
        facts = self.facts("mount=/sys/fs/cgroup", "mkdir=/sys/fs/cgroup/x")
        # If it can be written to at all, it is no more than the container's own.
        if "ro" not in facts["mount:/sys/fs/cgroup.options"].split(","):
            self.assertRegex(facts["mount:/sys/fs/cgroup.root"], "^/.")
        self.assertIn(facts["mkdir:/sys/fs/cgroup/x"], ("EROFS", "EACCES"))

    def test_2022_0492_release_agent(self):
        facts = self.facts("mkdir=/sys/fs/cgroup/x", "write=/sys/fs/cgroup/release_agent,/x")
        self.assertNotIn("ok", facts.values())

    def test_2025_52881_what_is_protected_is_exchanged(self):
        """Somebody with access to a shared volume swaps what stands for /proc: attr and sysctls."""
        volume = self.bundle.folder / "volume"
        (volume / "proc/sys/kernel").mkdir(parents=True)
        (volume / "link").symlink_to(self.canary)
        self.bundle.mount("/vol", "bind", str(volume), ["rbind"])
        self.bundle.mount("/vol/proc/sys", "bind", str(self.canary), ["rbind", "ro"])
        self.config["linux"]["readonlyPaths"] = ["/proc/sys", "/vol/proc/sys"]
        self.config["linux"]["maskedPaths"] = ["/proc/kcore", "/vol/proc/sys/folder"]
        with Exchange(volume / "proc", volume / "link") as exchange:
            for _ in self.rounds(exchange):
                done = self.bundle.run("/bin/probe", "write=/proc/sys/kernel/core_pattern,x",
                                       "write=/proc/self/attr/current,x", "mount=/proc/sys")
                if done.returncode != 0:
                    self.check_refused(done, "shimbox run: ")
                    continue
                facts = dict(line.split("=", 1) for line in done.stdout.splitlines())
                self.assertIn("ro", facts["mount:/proc/sys.options"].split(","))
                self.assertEqual(facts["write:/proc/sys/kernel/core_pattern"], "EROFS")
                self.assertFalse(self.bundle.canary_changes())
        self.assertGreater(exchange.count, 100)

    def test_nspawn_2026_40226_configuration_of_the_image(self):
        """What an image has under the names of configurations is not read."""
        for folder in (self.rootfs, self.rootfs / "etc", self.rootfs / "etc/shimbox"):
            folder.mkdir(exist_ok=True)
            for name in ("config.json", "shimbox.json", "rootfs.nspawn"):
                (folder / name).write_text('{"ociVersion": "1.0.0", "process": {"args": ["/x"]}}')
        self.assertEqual(self.facts("uid")["uid"], "0")


class Blocked(Paths):
    """The same where openat2 is not there: the walk has to be as good."""

    starter = (DENY, str(OPENAT2), str(errno.ENOSYS))


class Rootless(Paths):
    """The same by an ordinary user."""

    options = ("--rootless",)

    def setUp(self):
        super().setUp()
        self.become_nobody()

    def test_devices_are_bound_again(self):
        """Without a mount on /dev the first container leaves plain files in the root."""
        self.bundle.drop_mounts("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        for _ in range(2):
            self.assertEqual(self.facts("stat=/dev/null")["stat:/dev/null.rdev"], "1:3")
            self.assertTrue((self.rootfs / "dev/null").is_file())


class Filtered(Blocked):
    """And where a filter forbids it."""

    starter = (DENY, str(OPENAT2), str(errno.EPERM))


if __name__ == "__main__":
    unittest.main()
