"""Faults around `run`: resources that are short or missing, system calls that a kernel lacks for
good, signals during the set-up.
SPDX-License-Identifier: Apache-2.0

After each fault: one line that says what failed, status 1, and nothing left behind. What fails once,
at one system call of one step, is in test_steps.py.
"""

import errno
import signal
import subprocess
import unittest

from fault import DEBUG, DENY, Fault
from bundle import libc

# Those numbers that are the same on every machine, and clone3, openat2.
NUMBERS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
           "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442}

# What musl says, and glibc.
WORDS = {"EPERM": "Operation not permitted", "ENOSYS": "Function not implemented",
         "EMFILE": "(No file descriptors available|Too many open files)"}


class Denied(Fault):
    """A system call that always fails, as on an older kernel or under a filter."""

    def test_what_cannot_be_done_without(self):
        for name in sorted(set(NUMBERS) - {"openat2", "clone3"}):
            for code in ("EPERM", "ENOSYS"):
                with self.subTest(name, errno=code):
                    done = self.run_faulty([DENY, str(NUMBERS[name]), str(getattr(errno, code))])
                    self.assertEqual(self.check_answer(done), 1, done)
                    self.assertRegex(done.stderr, WORDS[code])

    def test_without_openat2_the_walk_serves(self):
        for code in (errno.ENOSYS, errno.EPERM):
            done = self.run_faulty([DENY, str(NUMBERS["openat2"]), str(code)])
            self.assertEqual(self.check_answer(done), 0, done)

    def test_without_clone3_clone_serves(self):
        done = self.run_faulty([DENY, str(NUMBERS["clone3"]), str(errno.ENOSYS)])
        self.assertEqual(self.check_answer(done), 0, done)
        done = self.run_faulty([DENY, str(NUMBERS["clone3"]), str(errno.EPERM)])
        self.assertEqual(self.check_answer(done), 1, done)


def strace(*rules):
    command = ["strace", "-o", "/dev/null", "-qq"]
    for rule in rules:
        command += ["-e", rule]
    return command


class Signals(Fault):
    """Signals while the container is set up."""

    def test_signals_during_the_setup(self):
        # The first fsync(2) is of the state, before anything is made; the second, of the pid file.
        for name, when in (("clone3", 1), ("sendmsg", 1), ("signalfd4", 1), ("fsync", 2)):
            for number in ("TERM", "INT", "HUP", "USR1", "WINCH", "PIPE"):
                with self.subTest(name, signal=number):
                    done = self.run_faulty(
                        strace(f"trace={name}", f"inject={name}:signal={number}:when={when}"))
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
            [*strace("trace=fsync,close_range", "inject=fsync:signal=USR1:when=2",
                     "inject=close_range:delay_enter=100000"), "-f"],
            "/bin/busybox", "sh", "-c",
            "trap 'echo got; exit 3' USR1; i=0; while [ $i -lt 600 ]; do busybox sleep 0.1; i=$((i+1)); done")
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

    def on_full(self, **more):
        """Run it with --log, --root and --pid-file in a tmpfs that has no room for another file:
        but for the one of the three that is there already."""
        full = self.bundle.folder / "full"
        full.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=2,mode=755", "tmpfs", str(full)],
                       check=True)
        (full / "file").touch()
        try:
            done = self.run_faulty(**more)
            self.assertEqual(sorted(p.name for p in full.iterdir()), ["file"])
            return done
        finally:
            subprocess.run(["umount", str(full)], check=True)
            full.rmdir()

    def check_full(self, done, step, word):
        record = self.record()
        self.check_line(done)
        self.assertEqual((record["step"], record["errno"]), (step, errno.ENOSPC), record)
        self.assertIn(word, done.stderr)
        self.assertIn("No space left", done.stderr)
        self.check_nothing_left()

    def test_full_disk_under_the_pid_file(self):
        self.pid_file = self.bundle.folder / "full/pid"
        self.check_full(self.on_full(), "write pid file", "full/pid")

    def test_full_disk_under_the_state(self):
        self.states = self.bundle.folder / "full"
        self.check_full(self.on_full(), "claim ID", "fault-test")
        self.states = self.bundle.folder / "full/deeper"
        self.check_full(self.on_full(), "claim ID", "full/deeper")

    def test_full_disk_under_the_log(self):
        self.log = self.bundle.folder / "full/log"
        done = self.on_full()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Ashimbox( run)?: cannot open the log [^\n]+No space left"
                                      r"[^\n]*\n\Z")
        self.check_nothing_left()

    def memory(self):
        codes = []
        for kilobytes in [*range(4000, 800, -400), *range(800, 200, -20)]:
            with self.subTest(kilobytes):
                limit = kilobytes * 1024
                done = self.run_faulty(["prlimit", f"--as={limit}:{limit}"])
                if done.returncode in (-9, -11, 139, 137, 127):
                    self.pid_file.unlink(missing_ok=True)
                    self.check_nothing_left([str(self.states / "fault-test")])
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
        # As often as something is mounted there.
        done = self.run_faulty(["unshare", "-m", "sh", "-c",
                                "while umount -l /proc 2>/dev/null; do :; done; exec \"$@\"", "sh"])
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
