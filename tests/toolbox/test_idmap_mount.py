"""idmap-mount: owners as stat(2) tells them, refusals with their cause, and nothing left.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn, skip_loudly  # noqa: E402
from bundle import libc  # noqa: E402

CLONE_NEWNS = 0x20000
KERNEL = tuple(map(int, re.match(r"(\d+)\.(\d+)", platform.release()).groups()))
OVERFLOW = 65534
RANGES = [((0, 0), 100000, 10), ((10, 20), 300000, 1), ((1000, 2000), 5000, 1000)]


def owner(path):
    status = os.stat(path)
    return status.st_uid, status.st_gid


class IdmapMount(StandIn):
    """In a mount namespace of its own."""

    tool = "idmap-mount"

    @classmethod
    def setUpClass(cls):
        assert libc.unshare(CLONE_NEWNS) == 0
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        super().setUpClass()
        cls.base = tempfile.mkdtemp(dir=cls.dir)
        os.chmod(cls.base, 0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "idmap", cls.base], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-R", "-l", cls.base], check=True)

    def setUp(self):
        super().setUp()
        self.place = pathlib.Path(tempfile.mkdtemp(dir=self.base))
        os.chmod(self.place, 0o755)
        self.src, self.dst = self.place / "src", self.place / "dst"
        self.src.mkdir()
        self.dst.mkdir()
        (self.src / "file").write_text("text")
        (self.dst / "below").write_text("")

    def tearDown(self):
        for line in reversed(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()):
            if line.split()[4].startswith(str(self.place)):
                subprocess.run(["umount", "-l", line.split()[4]], check=False,
                               stderr=subprocess.DEVNULL)
        super().tearDown()

    def mounts(self, path=None):
        """(options, propagation fields) of what is mounted on path, in order."""
        found = []
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            words = line.split()
            if words[4] == str(path or self.dst):
                found.append((set(words[5].split(",")), words[6:words.index("-")]))
        return found

    def done(self, *arguments, **more):
        done = self.stand_in(*arguments, **more)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        return done

    def refused(self, words, *arguments, **more):
        """One line, and what is mounted is what was."""
        before = pathlib.Path("/proc/self/mountinfo").read_text()
        done = self.stand_in(*arguments, **more)
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1), done)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, done.stderr)
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), before)
        return done

    def file_system(self, kind):
        """A directory on a new file system of that kind."""
        point = self.place / kind
        point.mkdir()
        if kind == "tmpfs":
            subprocess.run(["mount", "-t", "tmpfs", "own", point], check=True)
            return point
        maker = shutil.which(f"mkfs.{kind}")
        listed = pathlib.Path("/proc/filesystems").read_text().split()
        if not maker or kind not in listed:
            skip_loudly(self, f"no mkfs.{kind}, or not in /proc/filesystems: {kind}")
        image = f"{self.dir}/{kind}.img"
        with open(image, "wb") as file:
            file.truncate((16 if kind == "ext4" else 320) << 20)
        subprocess.run([maker, "-q", image], check=True, stdin=subprocess.DEVNULL)
        mounted = subprocess.run(["mount", "-o", "loop", image, point], check=False,
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            skip_loudly(self, f"mount -o loop: {mounted.stderr.strip()}")
        os.unlink(image)
        return point

    def check_owners(self, kind):
        top = self.file_system(kind)
        options = []
        for (uid, gid), host, size in RANGES:
            options += ["-u", f"{uid}:{host}:{size}", "-g", f"{gid}:{host}:{size}"]
        cases = [((uid + step, gid + step), (host + step, host + step))
                 for (uid, gid), host, size in RANGES for step in {0, size - 1}]
        cases += [((500, 500), (OVERFLOW, OVERFLOW)), ((0, 500), (100000, OVERFLOW))]
        for number, (disk, _) in enumerate(cases):
            (top / f"f{number}").write_text("x")
            os.chown(top / f"f{number}", *disk)
        os.chmod(top, 0o1777)
        done = self.stand_in(*options, top, self.dst)
        self.assertEqual(done.status, 0, done)
        self.assertIn("own ids are not mapped", done.stderr)
        for number, (disk, shown) in enumerate(cases):
            self.assertEqual(owner(self.dst / f"f{number}"), shown)
            self.assertEqual(owner(top / f"f{number}"), disk)
        for number, (disk, shown) in enumerate(cases[:-2]):
            # The directory may be written by all; created as somebody who is mapped.
            new = self.dst / f"new{number}"
            made = self.run_command(["setpriv", f"--reuid={shown[0]}", f"--regid={shown[1]}",
                                     "--clear-groups", "touch", new])
            self.assertEqual((made.status, made.stderr), (0, ""))
            self.assertEqual((owner(new), owner(top / f"new{number}")), (shown, disk))
        made = self.run_command(["touch", self.dst / "none"])
        self.assertIn("Value too large", made.stderr)
        self.done("--umount", self.dst)
        self.assertEqual(self.mounts(), [])
        self.assertTrue((self.dst / "below").exists())

    def test_owners_on_tmpfs(self):
        self.check_owners("tmpfs")

    def test_owners_on_ext4(self):
        self.check_owners("ext4")

    def test_owners_on_xfs(self):
        self.check_owners("xfs")

    def test_file_on_file(self):
        self.done("--both", "0:0:1", self.src / "file", self.dst / "below")
        self.assertEqual((self.dst / "below").read_text(), "text")
        self.assertEqual(len(self.mounts(self.dst / "below")), 1)
        self.refused("directory", "--both", "0:0:1", self.src, self.dst / "below")
        self.refused("directory", "--both", "0:0:1", self.src / "file", self.dst)

    def test_flags_and_propagation(self):
        rows = [("--readonly", "ro"), ("--nosuid", "nosuid"), ("--nodev", "nodev"),
                ("--noexec", "noexec"), ("--noatime", "noatime"), ("--nosymfollow", "nosymfollow")]
        for option, flag in rows:
            self.done("--both", "0:0:1", option, self.src, self.dst)
            (options, propagation), = self.mounts()
            self.assertIn(flag, options)
            self.assertIn("idmapped", options)
            self.assertEqual(propagation, [])
            self.done("--umount", self.dst)
        trace = self.run_command(["strace", "-f", "-e", "trace=mount_setattr,move_mount",
                                  self.shimbox, "idmap-mount", "--both", "0:0:1",
                                  *[option for option, _ in rows], self.src, self.dst])
        self.assertEqual(trace.status, 0, trace)
        calls = re.findall(r"(mount_setattr|move_mount)\(", trace.stderr)
        self.assertEqual(calls, ["mount_setattr", "move_mount"], trace.stderr)
        self.assertTrue({flag for _, flag in rows} <= self.mounts()[0][0])
        self.done("--umount", self.dst)
        for word, pattern in (("private", r"^$"), ("shared", r"^shared:\d+$"),
                              ("unbindable", "^unbindable$")):
            self.done("--both", "0:0:1", "--propagation", word, self.src, self.dst)
            self.assertRegex(" ".join(self.mounts()[0][1]), pattern)
            self.done("--umount", self.dst)

    def test_recursive(self):
        (self.src / "sub").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "sub", self.src / "sub"], check=True)
        (self.src / "sub/inner").write_text("")
        self.done("--both", "0:7:1", "--both", "1:0:1", self.src, self.dst)
        self.assertFalse((self.dst / "sub/inner").exists())
        self.done("--umount", self.dst)
        self.done("--both", "0:7:1,1:0:1", "-r", "--nosuid", self.src, self.dst)
        self.assertEqual(owner(self.dst / "sub/inner"), (7, 7))
        for path in (self.dst, self.dst / "sub"):
            self.assertTrue({"idmapped", "nosuid"} <= self.mounts(path)[0][0])
        self.assertFalse({"idmapped", "nosuid"} & self.mounts(self.src / "sub")[0][0])
        self.refused("below", "--umount", self.dst)

    def test_one_below_that_cannot(self):
        """The one that refuses is named, and nothing is attached."""
        (self.src / "sub").mkdir()
        subprocess.run(["mount", "-t", "proc", "proc", self.src / "sub"], check=True)
        self.refused([str(self.src / "sub"), "proc"], "--both", "0:0:1", "-r", self.src, self.dst)

    def test_beneath_and_replace(self):
        subprocess.run(["mount", "-t", "tmpfs", "old", self.dst], check=True)
        (self.dst / "old").write_text("")
        if KERNEL < (6, 5):
            self.refused("6.5", "--both", "0:0:1", "--beneath", self.src, self.dst)
            return
        self.done("--both", "0:0:1", "--beneath", self.src, self.dst)
        self.assertTrue((self.dst / "old").exists())
        self.done("--umount", self.dst)
        self.assertEqual((self.dst / "file").read_text(), "text")
        self.done("--both", "0:0:1", "--replace", "--readonly", self.src, self.dst)
        self.assertEqual(len(self.mounts()), 1)
        self.assertIn("ro", self.mounts()[0][0])
        self.refused("proc", "--both", "0:0:1", "--replace", "/proc", self.dst)
        self.done("--umount", self.dst)

    def test_symbolic_links(self):
        link = self.place / "link"
        link.symlink_to(self.dst)
        self.refused(str(link), "--both", "0:0:1", self.src, link)
        (self.place / "up").symlink_to(self.place)
        self.refused("up/dst", "--both", "0:0:1", self.src, self.place / "up/dst")
        self.done("--both", "0:0:1", "--follow", self.src, self.place / "up/dst")
        self.assertEqual(len(self.mounts()), 1)

    def test_maps(self):
        for options in (["--userns", "/proc/self/ns/user"], ["--userns", str(os.getpid())]):
            self.refused("initial", *options, self.src, self.dst)
        with subprocess.Popen([self.shimbox, "userns-fd", "--both", "0:50:1,1:0:1", "--hold"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            path = holder.stdout.readline().strip()
            descriptor = os.open(path, os.O_RDONLY)
            os.set_inheritable(descriptor, True)
            for word in (path, path.split("/")[2], f"fd:{descriptor}"):
                self.done("--userns", word, self.src, self.dst, pass_fds=[descriptor])
                self.assertEqual(owner(self.dst / "file"), (50, 50))
                self.done("--umount", self.dst)
            os.close(descriptor)
        done = self.run_command([self.shimbox, "userns-fd", "--both", "0:50:1,1:0:1", "--",
                                 "idmap-mount", self.src, self.dst])
        self.assertEqual((done.status, done.stderr), (0, ""))
        self.assertEqual(owner(self.dst / "file"), (50, 50))
        self.refused("userns-fd", self.src, self.place)

    def test_detached(self):
        """The mount is made here, and attached within other namespaces."""
        for inner in (["unshare", "--mount", "--"],
                      ["unshare", "--mount", "--", "idmap-mount", "--attach", self.dst, "--",
                       "unshare", "--uts", "--"]):
            attach = [] if "--attach" in inner else ["idmap-mount", "--attach", self.dst, "--"]
            done = self.done("--both", "0:50:1,1:0:1", "--detached", self.src, "--", *inner,
                             *attach, self.probe, f"stat={self.dst}/file", "fds", "env")
            self.assertEqual([done.facts.get(f"stat:{self.dst}/file.{key}") for key in
                              ("uid", "gid")], ["50", "50"], done)
            self.assertEqual(done.facts["fds"], "0 1 2")
            self.assertEqual(self.mounts(), [])
        with subprocess.Popen(["unshare", "-m", "sh", "-c", "echo up; read -r line; cat "
                               f"{self.dst}/file"], stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE) as other:
            self.assertEqual(other.stdout.readline(), "up\n")
            self.done("--both", "0:50:1,1:0:1", "--detached", self.src, "--", "nsenter", "-t",
                      other.pid, "-m", "--", "idmap-mount", "--attach", self.dst)
            self.assertEqual(other.communicate("\n")[0], "text")
        self.assertEqual(self.mounts(), [])
        self.refused("--detached", "--attach", self.dst)
        self.refused("no command", "--both", "0:0:1", "--detached", self.src)

    def test_idmapped_source(self):
        self.done("--both", "0:50:1,1:0:1", self.src, self.dst)
        other = self.place / "other"
        other.mkdir()
        arguments = ["--both", "0:60:1,1:0:1", self.dst, other]
        if KERNEL < (6, 15):
            self.refused("idmapped already", *arguments)
            return
        self.done(*arguments)
        self.assertEqual(owner(other / "file"), (60, 60))
        self.assertEqual(owner(self.dst / "file"), (50, 50))

    def test_overlay(self):
        """Its layers can be idmapped, itself not."""
        for name in ("upper", "work"):
            (self.place / name).mkdir()
        self.done("--both", "0:50:1,1:0:1", self.src, self.dst)
        point = self.place / "overlay"
        point.mkdir()
        layers = f"lowerdir={self.dst},upperdir={self.place}/upper,workdir={self.place}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", point], check=True)
        self.assertEqual(owner(point / "file"), (50, 50))
        self.refused(["overlay", "layers"], "--both", "0:0:1", point, self.place / "upper")

    def test_probe(self):
        done = self.done("--probe", self.src)
        self.assertEqual(done.stdout, "yes\n")
        done = self.stand_in("--probe", "/proc")
        self.assertEqual((done.status, done.stderr), (1, ""), done)
        self.assertRegex(done.stdout, "^no: .*proc")
        done = self.stand_in("--probe", self.src, as_user=True)
        self.assertEqual((done.status, done.stderr), (1, ""), done)
        self.assertRegex(done.stdout, "^no: .*CAP_SYS_ADMIN")

    def test_as_ordinary_user(self):
        """Only in file systems of its own user namespace."""
        self.refused("CAP_SYS_ADMIN", "--map", "root", self.src, self.dst, as_user=True)
        script = f'mount -t tmpfs own {self.src} && : > {self.src}/new && mkdir {self.src}/at && ' \
                 f'"$0" idmap-mount --both 0:0:1 {self.src} {self.src}/at && ' \
                 f'stat -c %u:%g {self.src}/at/new'
        done = self.run_command([self.shimbox, "unshare", "-r", "-m", "--", "sh", "-c", script,
                                 self.shimbox], as_user=True)
        self.assertEqual((done.status, done.stdout, done.stderr), (0, "0:0\n", ""))
        done = self.run_command([self.shimbox, "unshare", "-r", "-m", "--", "idmap-mount", "--both",
                                 "0:0:1", self.src, self.dst], as_user=True)
        self.assertEqual((done.status, done.stdout), (125, ""), done)
        self.assertIn("another user namespace", done.stderr)

    def test_failures(self):
        self.refused("proc", "--both", "0:0:1", "/proc", self.dst)
        self.refused("/nowhere", "--both", "0:0:1", "/nowhere", self.dst)
        self.refused("/nowhere", "--both", "0:0:1", self.src, "/nowhere")
        self.refused("cannot unmount", "--umount", self.dst)
        for call in ("open_tree", "mount_setattr", "move_mount"):
            with self.subTest(call):
                before = self.mounts()
                done = self.run_command(
                    ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                     f"inject={call}:error=ENOSYS", self.shimbox, "idmap-mount", "--both", "0:0:1",
                     self.src, self.dst])
                self.assertEqual((done.status, done.stderr.count("\n")), (125, 1), done)
                self.assertRegex(done.stderr, r"5\.\d+", "the version that has it")
                self.assertEqual(self.mounts(), before)

    def test_bad_usage(self):
        both = ["--both", "0:0:1"]
        rows = [
            ([*both, "a"], "SRC and DST"), ([*both, "--detached"], "SRC"),
            ([*both, "--userns", "1", "a", "b"], "--userns"), (["--userns", "x", "a", "b"], "'x'"),
            ([*both, "--propagation", "rshared", "a", "b"], "rshared"),
            ([*both, "--beneath", "--replace", "a", "b"], "exclude"),
            (["--probe", "/", "--umount", "/"], "exclude"), (["--umount", "/x", *both], "map"),
            (["--attach", "/x", "--readonly"], "flags"), ([*both, "--map", "root", "a", "b"], "map"),
            (["--detached", "--beneath", "a", "--", "true"], "DST"),
        ]
        for arguments, words in rows:
            with self.subTest(arguments):
                self.refused(words, *arguments)
