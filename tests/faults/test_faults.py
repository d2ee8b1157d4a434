"""Faults during `run`: system calls that fail, processes that are killed, resources that are short.
SPDX-License-Identifier: Apache-2.0

After each fault: one line that says what failed, status 1, and nothing left behind.
"""

import errno
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
# pylint: disable=wrong-import-position
from bundle import FULL, Bundle, libc  # noqa: E402

DENY = os.path.join(os.path.dirname(os.path.abspath(os.environ["PROBE"])), "deny")
DEBUG = os.environ.get("TEST_BUILD") == "debug"

# Numbers of x86_64; on others, only those from 424 on, which are the same everywhere.
NUMBERS = {
    "ioctl": 16, "access": 21, "socket": 41, "socketpair": 53, "sendmsg": 46, "recvmsg": 47,
    "setsid": 112, "sethostname": 170, "umask": 95, "chdir": 80, "fchdir": 81, "getcwd": 79,
    "pivot_root": 155, "mount": 165, "umount2": 166, "setgroups": 116, "setresuid": 117,
    "setresgid": 119, "capget": 125, "capset": 126, "prctl": 157, "prlimit64": 302,
    "signalfd4": 289, "mkdirat": 258, "mknodat": 259, "symlinkat": 266, "fstat": 5, "fstatfs": 138,
    "poll": 7, "wait4": 61, "memfd_create": 319, "execveat": 322, "readlink": 89, "sendfile": 40,
    "openat": 257, "open": 2, "read": 0, "fchown": 93, "clone": 56,
    "pidfd_send_signal": 424, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431,
    "fsmount": 432, "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442,
}
if os.uname().machine != "x86_64":
    NUMBERS = {name: number for name, number in NUMBERS.items() if number >= 424}

# What musl says, and glibc.
WORDS = {"EPERM": "Operation not permitted", "ENOSYS": "Function not implemented",
         "ENOMEM": "(Out of memory|Cannot allocate memory)",
         "EMFILE": "(No file descriptors available|Too many open files)"}

# Without these it goes on: another way is there, or what they tell is not needed.
DISPENSABLE = {
    "access", "clone", "memfd_create", "pidfd_send_signal", "readlink", "sendfile", "umask",
    "fchown", "openat2", "capget",
}
# clone3 is done without only where it is missing; likewise mknodat where it is forbidden.
DISPENSABLE_WITH = {("clone3", "ENOSYS"), ("mknodat", "EPERM"), ("setgroups", "EPERM"),
                    ("poll", "EPERM"), ("execveat", "EPERM"), ("signalfd4", "ENOSYS")}
# Then it fails for what it was asked for, not knowing better.
VAGUE = {"sendmsg", "fstatfs"}


class Fault(unittest.TestCase):
    """A bundle with everything in it that a fault could hit, and the state before."""

    @classmethod
    def setUpClass(cls):
        # What the run leaves behind becomes our child; nobody else mounts here, and what is mounted
        # in a copy of this namespace comes back to it, unless it is made not to.
        assert libc.prctl(36, 1, 0, 0, 0) == 0 and libc.unshare(0x20000) == 0
        for propagation in ("rprivate", "rshared"):
            subprocess.run(["mount", f"--make-{propagation}", "/"], check=True)

    def setUp(self):
        self.bundle = Bundle()
        self.config = self.bundle.config
        self.pid_file = self.bundle.folder / "pid"
        (self.bundle.rootfs / "sub").mkdir()
        (self.bundle.rootfs / "sub/dir").mkdir()
        self.bundle.mount("/sub/dir", "bind", str(self.bundle.canary), ["rbind", "ro"])
        self.config["linux"]["maskedPaths"] = ["/proc/interrupts", "/proc/scsi", "/sys/firmware"]
        self.config["linux"]["readonlyPaths"] = ["/proc/sys"]
        self.bundle.run("/bin/probe", "uid")  # makes what is documented to stay in the root
        self.files = self.names()
        self.mounts = self.mount_lines()

    def tearDown(self):
        changes = self.bundle.canary_changes()
        self.bundle.remove()
        self.assertFalse(changes)

    def names(self):
        return sorted(str(p) for p in self.bundle.folder.rglob("*"))

    @staticmethod
    def mount_lines():
        return set(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())

    def run_faulty(self, before, *program, timeout=20, **more):
        return self.bundle.run(*(program or ("/bin/probe", "uid")), before=before, timeout=timeout,
                               options=["--pid-file", str(self.pid_file)], **more)

    def check_nothing_left(self, but=()):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
                time.sleep(0.01)
            except ChildProcessError:
                break
        else:
            children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text()
            self.fail("processes are left: " + " ".join(
                pathlib.Path(f"/proc/{pid}/stat").read_text() for pid in children.split()))
        # One that others removed is gone here as well.
        self.assertEqual(self.mount_lines() - self.mounts, set())
        self.assertEqual([n for n in self.names() if n not in but], self.files)

    def check_answer(self, done, *words, ran=False):
        """It failed as it should, or did all that it should."""
        done.stderr = re.sub(r"(?m)^==\d+==WARNING: reading executable name .*\n", "", done.stderr)
        if done.returncode == 0:
            self.assertEqual((done.stdout.splitlines()[:1], done.stderr), (["uid=0"], ""), done)
            self.pid_file.unlink()
        else:
            self.assertEqual(done.returncode, 1, done)
            self.assertEqual(done.stdout != "", ran)
            self.assertRegex(done.stderr, r"\Ashimbox( run)?: [^\n]+\n\Z")
            for word in words:
                self.assertIn(word, done.stderr)
        self.check_nothing_left()
        return done.returncode


class Denied(Fault):
    """A system call that always fails."""

    def test_every_system_call(self):
        for name, number in NUMBERS.items():
            for code in ("EPERM", "ENOSYS", "ENOMEM"):
                if DEBUG and name in ("read", "open", "openat", "fstat", "readlink", "prlimit64"):
                    continue  # the sanitizer's own start needs them
                with self.subTest(name, errno=code):
                    done = self.run_faulty([DENY, str(number), str(getattr(errno, code))])
                    failed = self.check_answer(done, ran=name == "wait4")
                    if name in DISPENSABLE or (name, code) in DISPENSABLE_WITH:
                        continue
                    self.assertEqual(failed, 1, done)
                    if name not in VAGUE:
                        self.assertRegex(done.stderr, WORDS[code])

    def test_without_openat2_the_walk_serves(self):
        for code in (errno.ENOSYS, errno.EPERM):
            done = self.run_faulty([DENY, str(NUMBERS["openat2"]), str(code)])
            self.assertEqual(self.check_answer(done), 0, done)

    def test_without_clone3_clone_serves(self):
        done = self.run_faulty([DENY, str(NUMBERS["clone3"]), str(errno.ENOSYS)])
        self.assertEqual(self.check_answer(done), 0, done)


def strace(*rules):
    command = ["strace", "-o", "/dev/null", "-qq"]
    for rule in rules:
        command += ["-e", rule]
    return command


class Counted(Fault):
    """A fault at the N-th call of a system call, by strace."""

    def count_calls(self, follow):
        """How often each process calls what: {name: most calls of one process}."""
        log = self.bundle.folder / "log"
        done = self.run_faulty(["strace", *follow, "-qq", "-o", str(log)])
        self.assertEqual(done.returncode, 0, done)
        self.pid_file.unlink()
        counts = {}
        for line in log.read_text().splitlines():
            match = re.match(r"(\d+ +)?(\w+)\(", line)
            if match:
                process = counts.setdefault(match[1], {})
                process[match[2]] = process.get(match[2], 0) + 1
        log.unlink()
        most = {}
        for process in counts.values():
            for name, count in process.items():
                most[name] = max(most.get(name, 0), count)
        return most

    @staticmethod
    def moments(count):
        return range(1, count + 1) if FULL else sorted({1, 2, count // 2 + 1, count} & set(
            range(1, count + 1)))

    def check_killed(self):
        temporary = [n for n in self.names() if n == str(self.pid_file) or
                     n.startswith(str(self.bundle.folder / ".shimbox-"))]
        for name in temporary:
            os.unlink(name)
        self.check_nothing_left()
        # Between its creation and its renaming the file has another name; nothing can remove that.
        self.assertLessEqual(len(temporary), 1)

    def test_parent_is_killed(self):
        skipped = {"execve", "exit_group", "arch_prctl"}
        for name, count in self.count_calls([]).items():
            for moment in self.moments(count) if name not in skipped else ():
                with self.subTest(name, moment=moment):
                    self.run_faulty(
                        strace(f"trace={name}", f"inject={name}:signal=KILL:when={moment}"),
                        "/bin/busybox", "sleep", "0.3")
                    self.check_killed()

    def test_child_is_killed(self):
        parent = self.count_calls([])
        for name, count in self.count_calls(["-f"]).items():
            if name in parent and not FULL and name not in ("sendmsg", "recvmsg", "close"):
                continue
            if name in ("execve", "execveat", "exit_group"):
                continue
            for moment in self.moments(count):
                with self.subTest(name, moment=moment):
                    done = self.run_faulty(
                        [*strace(f"trace={name}", f"inject={name}:signal=KILL:when={moment}"),
                         "-f"])
                    self.assertIn(done.returncode, (0, 1, 137, -9), done)
                    if done.returncode == 1:
                        self.assertRegex(done.stderr, r"\Ashimbox run: [^\n]+\n\Z")
                        self.assertFalse(self.pid_file.exists())
                    self.check_killed()

    def test_signals_during_the_setup(self):
        for name in ("clone3", "sendmsg", "signalfd4", "fsync"):
            for number in ("TERM", "INT", "HUP", "USR1", "WINCH", "PIPE"):
                with self.subTest(name, signal=number):
                    done = self.run_faulty(
                        strace(f"trace={name}", f"inject={name}:signal={number}:when=1"))
                    self.assertIn(done.returncode, (0, 1, 128 + 10), done)
                    self.pid_file.unlink(missing_ok=True)
                    self.check_nothing_left()

    def test_early_signal_reaches_the_program(self):
        # The parent gets it when its side of the set-up is done and the program does not run yet.
        # The first process of a pid namespace would be spared by the kernel.
        self.bundle.drop_namespace("pid")
        self.bundle.drop_mounts("/proc")
        self.bundle.mount("/proc", "bind", "/proc", ["rbind", "ro"])
        self.config["linux"]["maskedPaths"] = self.config["linux"]["readonlyPaths"] = []
        done = self.run_faulty(
            [*strace("trace=fsync,close_range", "inject=fsync:signal=USR1:when=1",
                     "inject=close_range:delay_enter=100000"), "-f"],
            "/bin/busybox", "sh", "-c",
            "trap 'echo got; exit 3' USR1; for i in 1 2 3 4 5 6 7 8 9; do busybox sleep 0.1; done")
        self.assertIn(done.returncode, (3, 138), done)

    def test_pid_file_of_somebody_else_stays(self):
        self.pid_file.write_text("1")
        done = self.run_faulty([DENY, str(NUMBERS["move_mount"]), str(errno.EPERM)])
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.pid_file.read_text(), "1")


class Short(Fault):
    """Resources that are short or missing."""

    def test_descriptors(self):
        codes = []
        self.config["process"]["rlimits"] = []
        for limit in range(40, 2, -1):
            with self.subTest(limit):
                done = self.run_faulty(["prlimit", f"--nofile={limit}:{limit}"])
                if limit < 6 and done.returncode not in (0, 1):
                    continue  # no file can be opened to start a program at all
                codes.append(self.check_answer(done))
                if codes[-1]:
                    self.assertRegex(done.stderr, WORDS["EMFILE"])
        self.assertEqual((codes[0], codes[-1]), (0, 1))

    def memory(self):
        codes = []
        for kilobytes in [*range(4000, 800, -400), *range(800, 200, -20)]:
            with self.subTest(kilobytes):
                limit = kilobytes * 1024
                done = self.run_faulty(["prlimit", f"--as={limit}:{limit}"])
                if done.returncode in (-9, -11, 139, 137, 127):
                    self.pid_file.unlink(missing_ok=True)
                    self.check_nothing_left()
                    continue  # it, or the program, cannot even be loaded
                codes.append(self.check_answer(done))
        self.assertEqual(codes[0], 0)

    # The sanitizer reserves terabytes of address space, so no limit means anything there.
    if not DEBUG:
        test_memory = memory

    def with_rootfs(self, options, prepare):
        """A root file system that is a mount of its own."""
        other = self.bundle.folder / "other"
        other.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(other)], check=True)
        try:
            (other / "bin").mkdir()
            for name in ("probe", "busybox"):
                (other / "bin" / name).write_bytes((self.bundle.rootfs / "bin" / name).read_bytes())
                (other / "bin" / name).chmod(0o755)
            prepare(other)
            self.config["root"]["path"] = str(other)
            return self.run_faulty([])
        finally:
            subprocess.run(["umount", str(other)], check=True)
            other.rmdir()

    def test_full_root(self):
        def fill(folder):
            try:
                for i in range(100):
                    (folder / f"file{i}").touch()
            except OSError:
                return
            self.fail("it is not full")

        done = self.with_rootfs("nr_inodes=10", fill)
        self.assertEqual(self.check_answer(done, "/mounts/0", "No space left"), 1)

    def test_read_only_root_without_mount_points(self):
        def protect(folder):
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)

        done = self.with_rootfs("size=16m", protect)
        self.assertEqual(self.check_answer(done, "/mounts/0", "Read-only"), 1)

    def test_without_proc(self):
        done = self.run_faulty(["unshare", "-m", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh"])
        self.assertEqual(self.check_answer(done, "/proc"), 1)

    def test_ignored_sigchld(self):
        done = self.run_faulty([], "/bin/probe", "exit=7", preexec_fn=lambda: signal.signal(
            signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((done.returncode, done.stderr), (7, ""))
        self.pid_file.unlink()

    def test_closed_standard_streams(self):
        for closed in range(1, 8):
            with self.subTest(closed):
                redirect = "".join(f" {fd}>&-" for fd in range(3) if closed >> fd & 1)
                done = self.run_faulty(["sh", "-c", f"exec \"$@\"{redirect}", "sh"],
                                       "/bin/probe", "exit=7")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "", ""))
                self.pid_file.unlink()
                self.check_nothing_left()


if __name__ == "__main__":
    unittest.main()
