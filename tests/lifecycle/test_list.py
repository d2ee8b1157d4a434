#!/usr/bin/env python3
"""`list` of many containers: the same few system calls for each of them, nothing that is asked again, and
all the same what is true of each.
SPDX-License-Identifier: Apache-2.0
"""

import collections
import ctypes
import errno
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from lifecycle import CgroupTest, process_start, process_state, skip_loudly

TOOLS = pathlib.Path(os.environ["PROBE"]).resolve().parent
STEPPER, DENY = TOOLS / "stepper", TOOLS / "deny"
OPEN_BY_HANDLE_AT = {"x86_64": 304, "aarch64": 265}[os.uname().machine]
PIDFS = 0x50494446
# What one costs that runs: its record, its process, the events of its cgroup.
BY_HANDLE = {"openat": 2, "stat": 1, "read": 2, "open_by_handle_at": 1}
BY_INODE = {"openat": 2, "stat": 2, "read": 2, "pidfd_open": 1}
# Where inodes of pidfds tell nothing, or `start` has not come to its end.
BY_PROC = {"openat": 3, "stat": 2, "read": 3, "close": 1}
# For many of them at once; and what grows with the answer.
SHARED = ("poll", "ppoll", "close_range")
GROWING = ("mmap", "munmap", "brk", "madvise", "mremap", "getdents64", "write", "writev")


def has_pidfs():
    """Since Linux 6.9, by stat(1)."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        told = subprocess.run(["stat", "-f", "-L", "-c", "%t", f"/proc/self/fd/{pidfd}"], pass_fds=[pidfd],
                              check=True, capture_output=True, text=True).stdout
    finally:
        os.close(pidfd)
    return int(told, 16) == PIDFS


def has_handles():
    """Whether a process can be had by its inode: since Linux 6.14."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        handle = struct.pack("=IiQ", 8, 0xfe, os.fstat(pidfd).st_ino)
        found = ctypes.CDLL(None).open_by_handle_at(pidfd, handle, os.O_CLOEXEC)
    finally:
        os.close(pidfd)
    if found >= 0:
        os.close(found)
    return found >= 0


def ended_inode():
    """That of a process that is gone: no other one will ever have it."""
    process = subprocess.Popen(["sleep", "1000"])
    pidfd = os.pidfd_open(process.pid)
    try:
        return os.fstat(pidfd).st_ino
    finally:
        os.close(pidfd)
        process.kill()
        process.wait()


class List(CgroupTest):
    def setUp(self):
        super().setUp()
        self.many = pathlib.Path(self.dir, "many")
        self.many.mkdir(mode=0o700)
        self.addCleanup(shutil.rmtree, self.many)

    def put(self, name, text, mode=0o400, root=None):
        """An entry of that name, with that as its record."""
        folder = (root or self.many) / name
        folder.mkdir(mode=0o700)
        file = folder / "state.json"
        file.write_text(text)
        file.chmod(mode)
        return file

    def text(self, name):
        return pathlib.Path(self.root, name, "state.json").read_text()

    def copy(self, source, name, *changes, **more):
        """An entry with the record of another, but for its ID and these changes."""
        text = self.text(source)
        for old, new in ((f'"id":"{source}"', f'"id":"{name}"'), *changes):
            self.assertIn(old, text)
            text = text.replace(old, new)
        return self.put(name, text, **more)

    def start(self, name):
        """One with a cgroup of its own, that runs."""
        config = self.config("sigwait")
        config["linux"]["cgroupsPath"] = f"/{self.cgroup.name}-{name}"
        self.write(config)
        self.create(name)
        self.good("start", name)

    def calls(self, root, prefix):
        """How often `list` makes each system call (tests/faults/stepper.c), and its lines."""
        report, trace = f"{self.dir}/report", f"{self.dir}/trace"
        done = subprocess.run([*prefix, STEPPER, report, trace, "-", "-", self.shimbox, "--root", root, f"--trace={trace}",
                               "list"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        rows = [line.split("\t") for line in pathlib.Path(report).read_text().splitlines()]
        counted = collections.Counter(row[4] for row in rows if row[0] == "call" and row[1] == "0")
        # Two names of one thing, for one libc or the other.
        counted["openat"] += counted.pop("open", 0)
        counted["stat"] = sum(counted.pop(name, 0) for name in ("fstat", "newfstatat"))
        for name in [name for name in counted if name in GROWING]:
            del counted[name]
        return counted, done.stdout.splitlines()

    def slope(self, mode, prefix=()):
        """What each container costs more, by system call."""
        counts = {}
        for number in (1, 21, 61):
            root = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
            self.addCleanup(shutil.rmtree, root)
            for i in range(number):
                self.copy("c", f"c{i}", mode=mode, root=root)
            counts[number], lines = self.calls(root, prefix)
            self.assertEqual(len(lines), number + 1)
            self.assertEqual({line.split()[2] for line in lines[1:]}, {"running"})
        for name in SHARED:
            self.assertLessEqual(counts[61][name], 8, name)
        more = {name: counts[61][name] - counts[21][name] for name in counts[61] if name not in SHARED}
        # One of those that stay open meanwhile may lie apart from the others.
        more["close"] -= more["close"] % 40 if more["close"] % 40 <= 2 else 0
        for name, number in more.items():
            self.assertEqual(number % 40, 0, name)
        return {name: number // 40 for name, number in more.items() if number}

    def test_slope(self):
        self.start("c")
        self.assertEqual(self.record("c")["cgroup"], f"/{self.cgroup.name}-c")
        by_inode = BY_INODE if has_pidfs() else BY_PROC
        self.assertEqual(self.slope(0o400), BY_HANDLE if has_handles() else by_inode)
        for number in (errno.ENOSYS, errno.EPERM, errno.ESTALE):
            self.assertEqual(self.slope(0o400, [DENY, str(OPEN_BY_HANDLE_AT), str(number)]), by_inode)
        self.assertEqual(self.slope(0o600), BY_PROC)
        self.good("delete", "--force", "c")

    def check(self, expected):
        """The statuses, in both forms of the answer and in both quick ways, and what `state` says, which asks the
        long way."""
        broken = sorted(name for name, status in expected.items() if status == "broken")
        for form, prefix in (("table", ()), ("json", ()), ("table", (DENY, OPEN_BY_HANDLE_AT, errno.ENOSYS))):
            told = self.shim("list", "--format", form, root=self.many, prefix=tuple(map(str, prefix)))
            if form == "json":
                found = {entry["id"]: (entry["status"], entry["pid"]) for entry in json.loads(told.stdout)}
            else:
                rows = [line.split() for line in told.stdout.splitlines()[1:]]
                found = {row[0]: (row[2], int(row[1])) for row in rows}
            self.assertEqual(list(found), sorted(expected))
            self.assertEqual({name: status for name, (status, _) in found.items()}, expected, form)
            for name, (status, pid) in found.items():
                self.assertEqual(pid > 0, status not in ("stopped", "broken"), name)
            self.assertEqual([line.split(": ")[2] for line in told.stderr.splitlines()], broken, told.stderr)
        for name in sorted(set(expected) - set(broken)):
            self.assertEqual(json.loads(self.good("state", name, root=self.many))["status"], expected[name], name)

    def test_truth(self):
        """Whatever is to be told of a container, in whichever way it is found out."""
        for name in ("run", "paused", "frozen", "ended"):
            self.start(name)
        config = self.config("sigwait")
        config["linux"]["cgroupsPath"] = f"/{self.cgroup.name}-new"
        self.write(config)
        self.create("new")
        self.good("pause", "paused")
        frozen = pathlib.Path(f"{self.cgroup}-frozen")
        (frozen / "cgroup.freeze").write_text("1")
        self.wait_for(lambda: "frozen 1" in (frozen / "cgroup.events").read_text(), "it is not frozen")
        # Not waited for by who has started it: it is there still, and its number is taken.
        self.stop("ended")
        expected = {}
        for name, status in (("run", "running"), ("paused", "paused"), ("frozen", "paused"), ("ended", "stopped"),
                             ("new", "created")):
            for mode in (0o400, 0o600):
                # What is not started is not sealed.
                if (name, mode) != ("new", 0o400):
                    self.copy(name, f"{name}-{mode:o}", mode=mode)
                    expected[f"{name}-{mode:o}"] = status
        init = self.record("run")["init"]
        inode = f',"inode":{init["inode"]}'
        self.copy("run", "old", (inode, ""))
        self.copy("paused", "old-paused", (f',"inode":{self.record("paused")["init"]["inode"]}', ""))
        expected |= {"old": "running", "old-paused": "paused"}
        # Another process of that number (with another start, for what asks for that), or another boot.
        other = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(lambda: (other.kill(), other.wait()))
        ended = f',"inode":{ended_inode()}'
        self.copy("run", "taken", (f'"pid":{init["pid"]}', f'"pid":{other.pid}'), (inode, ended))
        self.copy("run", "taken-old", (f'"pid":{init["pid"]}', f'"pid":{other.pid}'), (inode, ""))
        self.copy("run", "gone", (f'"pid":{init["pid"]}', '"pid":4194303'), (inode, ended))
        self.copy("run", "rebooted", (self.record("run")["boot"], "00000000-0000-4000-8000-000000000000"))
        expected |= {"taken": "stopped", "taken-old": "stopped", "gone": "stopped", "rebooted": "stopped"}
        # Whose first thread has ended is there all the same.
        self.copy("run", "leaderless", (f'"pid":{init["pid"]},"start":{init["start"]}{inode}', self.leaderless()))
        expected["leaderless"] = "running"
        # Another cgroup in that one's place.
        self.copy("paused", "moved", (f'"cgroupInode":{self.record("paused")["cgroupInode"]}', '"cgroupInode":1'),
                  mode=0o600)
        self.copy("paused", "nowhere", (f'"/{self.cgroup.name}-paused"', f'"/{self.cgroup.name}-none"'))
        self.copy("paused", "free", (f'"cgroup":"/{self.cgroup.name}-paused"', '"cgroup":""'))
        expected |= {"moved": "running", "nowhere": "running", "free": "running"}
        self.forms(expected)
        self.check(expected)
        for name in ("run", "paused", "frozen", "ended", "new"):
            self.good("delete", "--force", name)
        self.reap()
        # The very same records.
        self.check({name: status if status == "broken" or name == "leaderless" else "stopped"
                    for name, status in expected.items()})

    def leaderless(self):
        """A process whose first thread has ended, as a record has it."""
        number = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
        process = subprocess.Popen([sys.executable, "-c", "import ctypes, threading, time; "
                                    "threading.Thread(target=time.sleep, args=[1000]).start(); "
                                    f"ctypes.CDLL(None).syscall({number}, 0)"])
        self.addCleanup(lambda: (process.kill(), process.wait()))
        end = time.monotonic() + 60
        while process_state(process.pid) != "Z":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        pidfd = os.pidfd_open(process.pid)
        self.addCleanup(os.close, pidfd)
        return f'"pid":{process.pid},"start":{process_start(process.pid)},"inode":{os.fstat(pidfd).st_ino}'

    def forms(self, expected):
        """Texts that are not those of `run` and `start`, or no records at all."""
        self.copy("run", "notes", ("}}\n", '},"annotations":{"a{":"}\\"]"}}\n'))
        self.copy("run", "large", ("}}\n", '},"annotations":{"a":"' + "x" * 70000 + '"}}\n'))
        self.copy("run", "escaped", (f'"bundle":"{self.bundle}', '"bundle":"/a\\"b'))
        self.copy("run", "foreign", (f'"bundle":"{self.bundle}', '"bundle":"/\u00e4'))
        self.copy("run", "blanks", (',"owner":', ' , "owner": '))
        expected |= dict.fromkeys(("notes", "large", "escaped", "foreign", "blanks"), "running")
        self.put("cut", self.text("run")[:-20])
        self.copy("run", "unclosed", ("}}\n", '},"annotations":{"a":"b"}\n'))
        self.copy("run", "behind", ("}}\n", "}}\n\n{}"))
        self.copy("run", "other", ('"id":"other"', '"id":"another"'))
        self.copy("run", "relative", (f'"bundle":"{self.bundle}', '"bundle":"relative'))
        self.copy("run", "newer", ('{"version":1,', '{"version":2,'))
        self.copy("run", "minus", ('"owner":0', '"owner":-1'))
        self.copy("run", "zeros", ('"owner":0', '"owner":00'))
        self.copy("run", "huge", ('"start":', '"start":99999999999999999999'))
        self.copy("run", "shared", mode=0o666)
        self.copy("run", "stolen").parent.joinpath("state.json").unlink()
        (self.many / "stolen" / "state.json").symlink_to(pathlib.Path(self.root, "run", "state.json"))
        expected |= dict.fromkeys(("cut", "unclosed", "behind", "other", "relative", "newer", "minus", "zeros", "huge",
                                   "shared", "stolen"), "broken")
        # No entries.
        (self.many / "link").symlink_to(pathlib.Path(self.root, "run"))
        (self.many / "file").touch()
        (self.many / ".hidden").mkdir()

    def test_same_tick(self):
        """A process that has begun in the very same tick is still another one."""
        if not has_pidfs():
            skip_loudly(self, "inodes of pidfds are all the same before Linux 6.9")
        self.start("c")
        init = self.record("c")["init"]
        other = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(lambda: (other.kill(), other.wait()))
        self.copy("c", "twin", (f'"pid":{init["pid"]},"start":{init["start"]},"inode":{init["inode"]}',
                                f'"pid":{other.pid},"start":{process_start(other.pid)},"inode":{ended_inode()}'))
        self.copy("c", "c")
        for prefix in ((), (str(DENY), str(OPEN_BY_HANDLE_AT), str(errno.ENOSYS))):
            rows = [line.split()[:3] for line in self.good("list", root=self.many, prefix=prefix).splitlines()[1:]]
            self.assertEqual(rows, [["c", str(init["pid"]), "running"], ["twin", "0", "stopped"]])
        self.good("delete", "--force", "c")

    def test_few_descriptors(self):
        """With hardly any descriptors to be had it takes longer, and says the same."""
        self.start("c")
        for i in range(60):
            self.copy("c", f"c{i}")
        whole = self.good("list", root=self.many)
        few = self.good("list", root=self.many, prefix=("prlimit", "--nofile=16:16", "--"))
        self.assertEqual(few, whole)
        self.assertEqual({line.split()[2] for line in few.splitlines()[1:]}, {"running"})
        self.good("delete", "--force", "c")


if __name__ == "__main__":
    unittest.main()
