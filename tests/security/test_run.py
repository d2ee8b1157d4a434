"""Published attacks on container runtimes, replayed against `run`. None may succeed.
SPDX-License-Identifier: Apache-2.0

Each test names what it replays. The canary is a folder outside of the root file system; after each
test it must be as it was.
"""

import hashlib
import os
import pathlib
import signal
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
# pylint: disable=wrong-import-position
from bundle import FULL, SHIMBOX, Bundle, Exchange  # noqa: E402

SECONDS = 60 if FULL else 2


class Attack(unittest.TestCase):
    """A bundle for each test."""

    options = ()

    def setUp(self):
        self.bundle = Bundle(*self.options)
        self.config = self.bundle.config
        self.rootfs, self.canary = self.bundle.rootfs, self.bundle.canary

    def tearDown(self):
        changes = self.bundle.canary_changes()
        self.bundle.remove()
        self.assertFalse(changes, "the canary was changed")

    def check_refused(self, done, *words, code=1):
        self.assertEqual(done.returncode, code, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def check_runs(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def facts(self, *wanted, **more):
        out = self.check_runs(self.bundle.run("/bin/probe", *wanted, **more))
        return dict(line.split("=", 1) for line in out.splitlines())


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
        end = time.monotonic() + SECONDS
        with Exchange(self.rootfs / "proc", self.rootfs / "link") as exchange:
            while time.monotonic() < end:
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
        end = time.monotonic() + SECONDS
        with Exchange(self.rootfs / "a", self.rootfs / "link") as exchange:
            while time.monotonic() < end:
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
        end = time.monotonic() + SECONDS
        with Exchange(self.rootfs / "a", self.rootfs / "link") as exchange:
            while time.monotonic() < end:
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
        (self.rootfs / "dev/ptmx").unlink(missing_ok=True)
        (self.rootfs / "dev/ptmx").symlink_to(self.canary / "secret")
        self.check_refused(self.bundle.run(), "/dev/ptmx")

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
            self.assertEqual(secret.stat().st_uid, 0)

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
        end = time.monotonic() + SECONDS
        with Exchange(source / "a", source / "link"):
            while time.monotonic() < end:
                # Either folder may be met; but what is mounted is one of them, and no fd leaks.
                done = self.bundle.run("/bin/probe", "fds")
                self.assertEqual(done.stdout.splitlines()[:1], ["fds=0 1 2"], done)

    def test_passwd_of_image_is_a_device_or_endless(self):
        passwd = self.rootfs / "etc/passwd"
        for target in ("/dev/zero", "/dev/tty", "/dev/random", "/proc/kmsg", "/bin", "/etc/passwd"):
            with self.subTest(target):
                passwd.unlink()
                passwd.symlink_to(target)
                facts = self.facts("env", timeout=10)
                self.assertEqual(facts["env.HOME"], "/")
        with self.subTest("fifo"):
            passwd.unlink()
            os.mkfifo(passwd)
            self.assertEqual(self.facts("env", timeout=10)["env.HOME"], "/")


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
        self.assertIn("ro", facts["mount:/sys/fs/cgroup.options"].split(","))
        self.assertIn(facts["mkdir:/sys/fs/cgroup/x"], ("EROFS", "EACCES"))

    def test_2022_0492_release_agent(self):
        facts = self.facts("mkdir=/sys/fs/cgroup/x", "write=/sys/fs/cgroup/release_agent,/x")
        self.assertNotIn("ok", facts.values())


class Privileges(Attack):
    """What the program gets."""

    def test_2022_24769_no_inheritable_capabilities(self):
        for user in (0, 1000):
            self.config["process"]["user"] = {"uid": user, "gid": user}
            facts = self.facts("caps")
            self.assertEqual(facts["caps.inh"], "0" * 16)
            self.assertEqual(facts["caps.amb"], "0" * 16)

    def test_2026_30892_ids_that_overflow(self):
        for field in ("uid", "gid"):
            for value in (-1, 4294967295, 4294967296, 2**64, "0", 1.5, "1x"):
                with self.subTest(field, value=value):
                    user = {"uid": 1, "gid": 1, field: value}
                    self.config["process"]["user"] = user
                    done = self.bundle.run("/bin/probe", "uid")
                    self.check_refused(done, f"/process/user/{field}")
        self.config["process"]["user"] = {"uid": 1, "gid": 1, "additionalGids": [4294967295]}
        self.check_refused(self.bundle.run(), "/process/user/additionalGids")

    def test_2026_30892_mappings_that_overflow(self):
        self.bundle.namespaces.append({"type": "user"})
        good = {"containerID": 0, "hostID": 100000, "size": 65536}
        for wrong in ({"hostID": 4294967296}, {"hostID": 4294967295}, {"size": 0},
                      {"hostID": -1}, {"size": 4294967296}, {"containerID": 4294967295}):
            with self.subTest(wrong):
                self.config["linux"]["uidMappings"] = [good | wrong]
                self.config["linux"]["gidMappings"] = [good]
                self.check_refused(self.bundle.run(), "/linux/uidMappings")

    def test_2021_43784_six_thousand_mappings(self):
        self.bundle.namespaces.append({"type": "user"})
        self.config["linux"]["uidMappings"] = [
            {"containerID": i, "hostID": 100000 + i, "size": 1} for i in range(6000)]
        self.config["linux"]["gidMappings"] = self.config["linux"]["uidMappings"][:1]
        self.check_refused(self.bundle.run(), "/linux/uidMappings", "340")

    def test_containerd_2023_25173_groups_are_exactly_those_asked_for(self):
        self.config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 7]}
        done = self.bundle.run("/bin/probe", "groups",
                               before=["setpriv", "--groups", "0,4,27,44"])
        self.assertEqual(self.check_runs(done), "groups=5 7\n")

    def test_containerd_2026_47262_huge_passwd(self):
        with open(self.rootfs / "etc/passwd", "w", encoding="ascii") as file:
            file.truncate(1 << 30)
        done = self.bundle.run("/bin/probe", "uid", timeout=60,
                               before=["prlimit", "--as=67108864"] if "debug" not in SHIMBOX
                               else [])
        self.assertEqual(self.check_runs(done).splitlines()[0], "uid=0")

    def test_2014_8989_setgroups_stays_denied(self):
        self.bundle.namespaces.append({"type": "user"})
        self.config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 65534, "size": 1}]
        self.config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 65534, "size": 1}]
        self.config["process"]["capabilities"] = {
            kind: ["CAP_SETGID"] for kind in ("bounding", "effective", "permitted")}
        os.chown(self.rootfs / "dev", 65534, 65534)
        for folder in self.rootfs.iterdir():
            os.chown(folder, 65534, 65534)
        os.chown(self.rootfs, 65534, 65534)
        public = self.bundle.folder / "shimbox"
        shutil.copy(SHIMBOX, public)
        for mount in self.config["mounts"]:
            mount["options"] = [o for o in mount.get("options", []) if not o.startswith("gid=")]
        self.bundle.write("/bin/probe", "setgroups=0", "uid")
        done = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
             str(public), "run", "--bundle", str(self.bundle.folder)],
            capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL)
        self.assertIn("setgroups:0=EPERM", done.stdout.splitlines(), done)

    def test_bwrap_2016_8659_set_uid_and_file_capabilities(self):
        copy = self.bundle.folder / "shimbox"
        shutil.copy(SHIMBOX, copy)
        user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                "--inh-caps=-all"]
        for prepare in (["chmod", "4755"], ["chmod", "2755"], ["setcap", "cap_sys_admin+ep"],
                        ["setcap", "cap_setuid+p"]):
            with self.subTest(prepare):
                shutil.copy(SHIMBOX, copy)
                copy.chmod(0o755)
                tool = shutil.which(prepare[0], path=os.environ["PATH"] + ":/sbin:/usr/sbin")
                subprocess.run([tool, *prepare[1:], str(copy)], check=True)
                done = subprocess.run([*user, str(copy), "run", "--", "shimbox", "--list"],
                                      capture_output=True, text=True, check=False)
                self.check_refused(done, "cannot run", code=2)


class Covers(Attack):
    """What a mount of the host covers stays covered in a user namespace."""

    def test_submounts_of_a_bind_stay_locked(self):
        source = self.bundle.folder / "source"
        (source / "covered").mkdir(parents=True)
        (source / "covered/secret").write_text("secret\n")
        source.chmod(0o755)
        subprocess.run(["mount", "-t", "tmpfs", "cover", source / "covered"], check=True)
        try:
            self.check_covered(source)
        finally:
            subprocess.run(["umount", source / "covered"], check=True)

    def check_covered(self, source):
        maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        self.config["linux"].update(uidMappings=maps, gidMappings=maps)
        self.bundle.namespaces.append({"type": "user"})
        (self.rootfs / "mnt").mkdir()
        self.bundle.mount("/mnt", "bind", str(source), ["rbind"])
        for sets in ("bounding", "effective", "permitted"):
            self.config["process"]["capabilities"][sets].append("CAP_SYS_ADMIN")
        done = self.bundle.run("/bin/busybox", "umount", "/mnt/covered")
        self.assertNotEqual(done.returncode, 0)
        done = self.bundle.run("/bin/busybox", "ls", "/mnt", "/mnt/covered")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "/mnt:\ncovered\n\n/mnt/covered:\n"), done)


class Descriptors(Attack):
    """What leaks, and what leads out."""

    def test_util_linux_2026_78408_no_descriptor_is_left(self):
        for number, path in ((3, self.canary), (9, self.canary / "secret"), (77, self.canary)):
            fd = os.open(path, os.O_RDONLY)
            os.dup2(fd, number + 100)
            os.close(fd)
        leak = "exec 3<&103 9<&109 77<&177 \"$@\""
        try:
            facts = self.facts("fds", before=["bash", "-c", leak, "bash"],
                               pass_fds=(103, 109, 177))
        finally:
            for number in (103, 109, 177):
                os.close(number)
        self.assertEqual(facts["fds"], "0 1 2")

    def test_2024_21626_working_directory_is_a_leaked_folder(self):
        for after in ("", "/../..", "/self/cwd"):
            for number in range(3, 31):
                with self.subTest(after, number=number):
                    self.config["process"]["cwd"] = f"/proc/self/fd/{number}{after}"
                    done = self.bundle.run("/bin/probe", "cwd", "exists=/bin/probe")
                    if done.returncode != 0:
                        self.check_refused(done, "/process/cwd")
                        continue
                    # The container's own root, or its own /proc.
                    self.assertRegex(done.stdout, r"^cwd=/(proc/1/fd)?\nexists:/bin/probe=yes\n$")

    def with_leaked_folder(self, *arguments, options=()):
        shutil.copy(self.rootfs / "bin/probe", self.bundle.folder / "outside")
        fd = os.open(self.bundle.folder, os.O_RDONLY)
        os.dup2(fd, 20)
        try:
            return self.bundle.run(*arguments, pass_fds=(20,), options=options)
        finally:
            os.close(fd)
            os.close(20)

    def test_2024_21626_working_directory_is_the_callers_leak(self):
        self.config["process"]["cwd"] = "/proc/self/fd/20"
        self.check_refused(self.with_leaked_folder("/bin/probe", "cwd"), "/process/cwd")

    def test_2024_21626_program_behind_a_leaked_folder(self):
        done = self.with_leaked_folder("/proc/self/fd/20/outside", "exe")
        self.check_refused(done, "/process/args")

    def test_2024_21626_program_behind_descriptors_of_the_setup(self):
        for number in range(3, 21):
            with self.subTest(number):
                done = self.bundle.run(f"/proc/self/fd/{number}/self/root/bin/true")
                self.check_refused(done, "/process/args")
                done = self.bundle.run(f"/proc/self/fd/{number}/bin/probe", "uid")
                self.check_refused(done, "/process/args")

    def test_preserved_descriptors_are_the_callers_only(self):
        done = self.bundle.run("/bin/probe", "fds", options=["--preserve-fds", "20"])
        self.assertEqual(self.check_runs(done).splitlines()[0], "fds=0 1 2")

    def test_2019_5736_own_binary_is_not_the_file(self):
        copy = self.bundle.folder / "shimbox"
        shutil.copy(SHIMBOX, copy)
        before = hashlib.sha256(copy.read_bytes()).hexdigest()
        # The program is shimbox itself: whoever is its root reopens /proc/self/exe for writing.
        script = ("exec 9</proc/self/exe; for i in $(busybox seq 50); do "
                  "for p in /proc/[0-9]*; do (echo x >$p/exe) 2>/dev/null && echo written; "
                  "(echo x >$p/fd/9) 2>/dev/null && echo written; done; done; echo done")
        self.bundle.write("/bin/sh", "-c", "export PATH=/bin; " + script)
        (self.rootfs / "bin/seq").symlink_to("busybox")
        done = subprocess.run([copy, "run", "--bundle", self.bundle.folder], capture_output=True,
                              text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(done.stdout, "done\n", done)
        for program in (["/proc/self/exe", "--version"], ["/proc/self/exe"]):
            self.bundle.write(*program)
            subprocess.run([copy, "run", "--bundle", self.bundle.folder], capture_output=True,
                           check=False, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(hashlib.sha256(copy.read_bytes()).hexdigest(), before)

    def test_docker_cp_2019_14271_nothing_of_the_image_runs_outside(self):
        log = self.bundle.folder / "strace"
        done = self.bundle.run(before=[
            "strace", "-f", "-y", "-o", str(log), "-e", "trace=%file,pivot_root,execveat,openat2"])
        self.check_runs(done)
        lines = log.read_text().splitlines()
        pivot = next(i for i, line in enumerate(lines) if "pivot_root(" in line)
        for line in lines[:pivot]:
            if str(self.rootfs) in line and "open" in line:
                self.assertIn("O_PATH", line)
            if "exec" in line.split("(")[0]:
                self.assertNotIn(str(self.rootfs), line)


class Neighbours(Attack):
    """What the program could do to those beside it."""

    def test_flatpak_2026_97029_kill_0_stays_inside(self):
        self.bundle.write("/bin/busybox", "sh", "-c", "/bin/busybox kill -USR2 0")
        outer = subprocess.Popen(
            ["sh", "-c", "trap 'echo hurt' USR2; \"$@\"; echo code $?", "sh",
             *self.bundle.command()],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL)
        out, _ = outer.communicate(timeout=30)
        self.assertNotIn("hurt", out)
        self.assertIn("code", out)

    def test_kill_0_without_pid_namespace(self):
        self.bundle.drop_namespace("pid")
        self.bundle.drop_mounts("/proc")
        self.bundle.mount("/proc", "bind", "/proc", ["rbind", "ro"])
        self.test_flatpak_2026_97029_kill_0_stays_inside()

    def test_2016_9962_descriptors_of_the_setup_in_joined_namespaces(self):
        """A privileged process of the joined user and pid namespaces looks for descriptors."""
        hunter = subprocess.Popen([sys.executable, "-c", HUNTER], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            child = hunter.stdout.readline().strip()
            self.assertTrue(child.isdigit(), child)
            for kind, name in (("user", "user"), ("pid", "pid")):
                self.bundle.drop_namespace(kind)
                self.bundle.namespaces.append(
                    {"type": kind, "path": f"/proc/{child}/ns/{name}"})
            slow = ["strace", "-f", "-o", "/dev/null", "-e", "trace=setresgid",
                    "-e", "inject=setresgid:delay_enter=50000"]
            for i in range(20 if not FULL else 500):
                self.check_runs(self.bundle.run("/bin/probe", "uid", before=slow if i % 2 else []))
        finally:
            out, err = hunter.communicate(timeout=30)
        self.assertEqual((out, err), ("done\n", ""))


HUNTER = r"""
import ctypes, os, select, sys
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child:
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write("0 100000 65536")
    os.write(go[1], b"x")
    os.waitpid(child, 0)
    sys.exit(0)
check(libc.unshare(0x10000000 | 0x20000000 | 0x00020000))
os.write(ready[1], b"x")
os.read(go[0], 1)
os.setresgid(0, 0, 0)
os.setgroups([])
os.setresuid(0, 0, 0)
inner = os.fork()
if inner:
    os.waitpid(inner, 0)
    sys.exit(0)
told = os.readlink("/proc/self")
check(libc.mount(b"proc", b"/proc", b"proc", 0, None))
print(told, flush=True)
found = set()
while not select.select([0], [], [], 0)[0]:
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        # /proc/PID/fd belongs to an id that is not mapped here; this needs the right to trace alone.
        target = libc.syscall(434, int(pid), 0)
        for number in range(3, 20):
            fd = libc.syscall(438, target, number, 0)
            if fd >= 0:
                found.add(os.readlink(f"/proc/self/fd/{fd}").split(":")[0])
                os.close(fd)
        if target >= 0:
            os.close(target)
for line in sorted(found):
    print("found", line)
print("done")
"""


if __name__ == "__main__":
    unittest.main()
