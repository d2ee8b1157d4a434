"""Published attacks by a container's program, replayed against `run`. None may succeed.
SPDX-License-Identifier: Apache-2.0

Each test names what it replays; test_rows.py lists them all.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import termios
import tty
import unittest

from attack import AS_NOBODY, Attack
from bundle import FULL, SHIMBOX


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
                    self.check_refused(done, "not of 64 bits" if value == 2**64 else f"/process/user/{field}")
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
        for name in ("etc/passwd", "etc/group"):
            with open(self.rootfs / name, "w", encoding="ascii") as file:
                file.truncate(1 << 30)
        done = self.bundle.run("/bin/probe", "uid", timeout=120,
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
            capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL)
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
                    self.check_refused(done, "/process/cwd")

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
                              text=True, check=False, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.stdout, "done\n", done)
        for program in (["/proc/self/exe", "--version"], ["/proc/self/exe"]):
            self.bundle.write(*program)
            subprocess.run([copy, "run", "--bundle", self.bundle.folder], capture_output=True,
                           check=False, timeout=120, stdin=subprocess.DEVNULL)
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
        out, _ = outer.communicate(timeout=120)
        self.assertNotIn("hurt", out)
        self.assertIn("code", out)

    def with_terminal(self, *facts):
        """Run it by a shell-like session leader whose terminal is its stdin, and terminal false."""
        master, slave = os.openpty()
        self.bundle.write("/bin/probe", *facts)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            os.dup2(slave, 0)
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            os.execv("/bin/sh", ["sh", "-c", "\"$@\"; echo code=$?", "sh", *self.bundle.command()])
        os.close(writer)
        with os.fdopen(reader) as file:
            out = file.read()
        os.waitpid(pid, 0)
        os.set_blocking(slave, False)
        tty.setcbreak(slave)
        try:
            pushed = os.read(slave, 100)
        except BlockingIOError:
            pushed = b""
        os.close(master)
        os.close(slave)
        self.assertIn("code=0", out)
        return out, pushed

    def test_bwrap_2017_5226_bytes_pushed_into_the_callers_terminal(self):
        out, pushed = self.with_terminal("tiocsti=0", "tiocsti=2")
        self.assertRegex(out, "tiocsti:0=(EPERM|EIO)")
        self.assertNotIn("=ok", out)
        self.assertEqual(pushed, b"")

    def test_bwrap_2017_5226_with_all_capabilities_of_a_user_namespace(self):
        maps = [{"containerID": 0, "hostID": 0, "size": 65536}]
        self.config["linux"].update(uidMappings=maps, gidMappings=maps)
        self.bundle.namespaces.append({"type": "user"})
        for sets in ("bounding", "effective", "permitted"):
            self.config["process"]["capabilities"][sets] += ["CAP_SYS_ADMIN", "CAP_SYS_TTY_CONFIG"]
        out, pushed = self.with_terminal("tiocsti=0")
        self.assertRegex(out, "tiocsti:0=(EPERM|EIO)")
        self.assertEqual(pushed, b"")

    def test_containerd_2020_15257_state_and_sockets(self):
        """Others may neither list nor enter what there is of a running container."""
        states = self.bundle.folder / "states"
        before = set(pathlib.Path("/proc/net/unix").read_text().split())
        self.bundle.write("/bin/probe", "print=ready", "sleep=500000")
        command = [SHIMBOX, "--root", str(states), *self.bundle.command()[1:], "watched"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            running.stdout.readline()
            self.assertEqual(stat.S_IMODE(states.stat().st_mode), 0o711)
            self.assertEqual(stat.S_IMODE((states / "watched").stat().st_mode), 0o700)
            after = set(pathlib.Path("/proc/net/unix").read_text().split())
            self.assertFalse([n for n in after - before if n.startswith("@") and "shimbox" in n])
        finally:
            running.kill()
            running.communicate()
            subprocess.run([SHIMBOX, "--root", str(states), "delete", "--force", "watched"], check=True)

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
            out, err = hunter.communicate(timeout=120)
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
