#!/usr/bin/env python3
"""spark: what a function changes is its own, and goes with it.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import shutil
import subprocess

from spark import DEBUG, MIB, SparkTest, give_away, picture, skip_loudly

CAPABILITIES = [f"CAP_{name}" for name in (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "MKNOD", "SETUID", "SETGID", "KILL", "SYS_ADMIN", "LINUX_IMMUTABLE", "SETFCAP")]

# Directories that cannot be read, names that a remover might use itself, links that lead elsewhere,
# chains that are too long for a path, and owners that the caller is not.
HOSTILE = """
mkdir /h && cd /h
ln -s {outside} link; ln -s {outside}/kept keptlink; ln -s / root; ln -s .. up
mkdir -p .removed-0/.removed-0/.removed-1 .removed-1 x/.removed-2; touch .removed-2 x/f; ln -s {outside} .removed-3
mkdir -p closed/in/side; touch closed/in/f; chmod 0 closed/in/side closed/in/f closed/in closed
mkdir -p a/b; touch a/b/c; chown -R 77:88 a; chmod 0555 a/b a
mkfifo p; mkdir "$(printf 'a\\nb')" ; mkdir -- -rf '*'; touch "$(printf '\\377\\001')"; touch -- --help
mkdir sticky; chmod 1777 sticky; chown 5 sticky; touch sticky/f; chmod 6777 sticky/f
rm -r /etc; mkdir /etc; touch /etc/new; rm /bin/vi; mv /home /home2; ln /etc/new /etc/hard
chattr +i /h/x/f 2>/dev/null && echo immutable
exec /bin/probe dig=/h,{levels}
"""


class Changes(SparkTest):
    def bundle(self, name="bundle", user=False):
        """One whose program may do a lot."""
        path = pathlib.Path(self.dir, name)
        path.mkdir(exist_ok=True)
        config = self.config(rootfs=self.user_rootfs if user else self.rootfs)
        config["process"]["capabilities"] = {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")}
        (path / "config.json").write_text(json.dumps(config))
        return str(path)

    def outside(self):
        path = pathlib.Path(self.dir, "outside")
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
        (path / "kept").write_text("kept")
        return path

    def test_all_the_same(self):
        """The root file system is as it was, and the next one sees nothing of the one before."""
        script = ("echo changed >/etc/hosts; rm -r /home; mkdir /home; touch /home/new /new; chmod 700 /bin; "
                  "ln -s x /link; mv /var /var2; cat /etc/hosts; ls /home /var2")
        before = picture(self.rootfs)
        for options in ("", f"--scratch {self.scratch}"):
            for _ in range(2):
                answer = self.good(options, "/bin/sh", "-c", script)
                self.assertEqual(answer.stdout, b"changed\n/home:\nnew\n\n/var2:\ntmp\n")
        self.assertEqual(picture(self.rootfs), before)

    def test_mounts(self):
        """Nothing of the host is among its mounts, and the parts of its root are not reachable."""
        facts = self.good(f"--scratch {self.scratch}", "/bin/probe", "mounts", "list=/", "mount=/").facts
        mounted = [key for key in facts if key.startswith("mounts:") and key.endswith(".type")]
        kinds = {facts[key] if isinstance(facts[key], str) else "twice" for key in mounted}
        self.assertEqual(kinds, {"overlay", "proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup2", "devtmpfs"})
        host = {line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()}
        self.assertFalse({key[7:-5] for key in mounted} & {path for path in host if path.startswith("/tmp/")})
        for key, value in facts.items():
            if key.startswith("mounts:") and not key.endswith((".type", ".source", ".options", ".root", ".propagation")):
                self.assertNotIn(self.dir, str(value), key)
        self.assertEqual([key for key in facts if key.endswith(".propagation") and "shared" in facts[key]], [])

    def test_scratch(self):
        """What is there goes there, is closed to others, and is away afterwards."""
        process = self.begin(f"--scratch {self.scratch}", "/bin/sh", "-c",
                             f"head -c {MIB} /dev/zero >/large; chmod 666 /large; echo ready; cat")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        place, = pathlib.Path(self.scratch).iterdir()
        self.assertEqual((place.name, place.stat().st_mode & 0o7777), (f"spark-{process.pid}", 0o711))
        inner, = place.iterdir()
        self.assertEqual((inner.stat().st_mode & 0o7777, inner.stat().st_uid), (0o700, 100000))
        self.assertEqual((inner / "upper/large").stat().st_size, MIB)
        self.assertEqual(os.listdir(self.root), [f".spark-{process.pid}"])
        answer = self.end(process)
        self.assertEqual((answer.status, answer.stderr), (0, ""))
        self.assertEqual((os.listdir(self.scratch), os.listdir(self.root)), ([], []))

    def test_scratch_is_taken(self):
        """What has the name already is none of ours, and stays."""
        script = ("mkdir {0}/spark-$$; touch {0}/spark-$$/kept; exec {1} --root {2} spark --scratch {0} {3} -- true"
                  ).format(self.scratch, self.shimbox, self.root, self.rootfs)
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=20)
        place, = pathlib.Path(self.scratch).iterdir()
        self.assertEqual(os.listdir(place), ["kept"])
        shutil.rmtree(place)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (125, "", f"shimbox spark: cannot create {place}: File exists\n"))

    def test_hostile(self):
        """Whatever is in there, it is removed, and nothing is outside."""
        outside = self.outside()
        kept = picture(outside)
        script = HOSTILE.format(outside=outside, levels=200 if DEBUG else 2000)
        before = picture(self.rootfs)
        # Below a directory of this name, as an attacker would have it.
        answer = self.good(f"--scratch {self.scratch}", "/bin/sh", "-c", script, source=self.bundle())
        self.assertEqual(answer.stdout, b"dig:/h=ok\n")
        self.assertEqual((os.listdir(self.scratch), picture(outside), picture(self.rootfs)), ([], kept, before))

    def test_hostile_of_a_user(self):
        """Subordinate ids own a part of it, which their user may not touch."""
        self.need_user()
        outside = self.outside()
        kept = picture(outside)
        script = HOSTILE.format(outside=outside, levels=200 if DEBUG else 2000)
        before = picture(self.user_rootfs)
        answer = self.good(f"--scratch {self.user_scratch}", "/bin/sh", "-c", script, as_user=True,
                           source=self.bundle("user-bundle", user=True))
        self.assertEqual(answer.stdout, b"dig:/h=ok\n")
        self.assertEqual((os.listdir(self.user_scratch), picture(outside), picture(self.user_rootfs)), ([], kept, before))

    def test_removed_in_the_way(self):
        """A cwd, an open file and a mount of the function in there are no obstacle."""
        script = ("mkdir -p /a/b/c; mount -t tmpfs x /a/b; touch /a/b/f; cd /a/b; sleep 1000 & cd /; exec 3</bin/sh; "
                  "mount --bind /etc /a; (cd /var; exec setsid sleep 1000) & echo done")
        answer = self.good(f"--scratch {self.scratch}", "/bin/sh", "-c", script, source=self.bundle())
        self.assertEqual(answer.stdout, b"done\n")
        self.assertEqual(os.listdir(self.scratch), [])

    def test_devices(self):
        """One in a root file system is none in a function, and it cannot make one."""
        own = f"{self.dir}/device"
        os.mkdir(own)
        for name in ("bin", "dev", "proc", "sys", "tmp", "etc"):
            os.mkdir(f"{own}/{name}")
        shutil.copy(f"{self.rootfs}/bin/probe", f"{own}/bin/probe")
        os.mknod(f"{own}/null", 0o20666, os.makedev(1, 3))
        for options in ("", "--readonly", f"--scratch {self.scratch}"):
            facts = self.good(options, "/bin/probe", "open=/null,rw", "mknod=/made,c,1,3", "open=/dev/null,rw",
                              source=own).facts
            self.assertEqual((facts["open:/null"], facts["open:/dev/null"]), ("EACCES", "ok"))
            self.assertIn(facts["mknod:/made"], ("EPERM", "EROFS"))

    def test_copy(self):
        """Where there can be no overlay, as over two of them, there is a copy."""
        lower = f"{self.dir}/ovl"
        for name in ("1", "2", "3", "4", "r"):
            os.makedirs(f"{lower}/{name}")
        shutil.copytree(self.rootfs, f"{lower}/r", symlinks=True, dirs_exist_ok=True)
        give_away(f"{lower}/r", 100000)
        os.lchown(f"{lower}/r/etc/hosts", 100007, 100008)
        os.mknod(f"{lower}/r/null", 0o20666, os.makedev(1, 3))
        os.chmod(f"{lower}/r/etc/group", 0o4751)
        # Layers upon layers: there is a most that the kernel allows (FILESYSTEM_MAX_STACK_DEPTH).
        top = f"{lower}/r"
        for below in ("1", "2"):
            target = f"{lower}/{below}"
            done = subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={top}:{lower}/4", "overlay", target],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                skip_loudly(self, f"no overlay: {done.stderr}")
            self.addCleanup(subprocess.run, ["umount", target], check=True)
            top = target
        self.before = self.left_over()
        before = picture(top)
        for options in ("", f"--scratch {self.scratch}"):
            with self.subTest(options):
                facts = self.good(options, "/bin/probe", "mount=/", "stat=/etc/hosts", "stat=/etc/group", "exists=/null",
                                  "stat=/bin/sh", "write=/etc/passwd,x", "mkdir=/new", "unlink=/etc/group",
                                  source=top).facts
                self.assertEqual(facts["mount:/.type"], "tmpfs")
                self.assertEqual([facts[key] for key in ("stat:/etc/hosts.mode", "stat:/etc/hosts.uid", "stat:/etc/group.mode", "stat:/bin/sh.type",
                                                         "write:/etc/passwd", "mkdir:/new", "unlink:/etc/group")],
                                 ["0644", "7", "4751", "link", "ok", "ok", "ok"])
                self.assertEqual(picture(top), before)
