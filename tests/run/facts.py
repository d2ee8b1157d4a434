"""Facts from inside containers, made with shimbox and with its peers, and their differences.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SHIMBOX = os.environ["SHIMBOX"]
TESTS = pathlib.Path(__file__).resolve().parent.parent

# What the probe is asked for: everything that a config.json decides.
FACTS = [
    "uid", "gid", "groups", "caps", "securebits", "nnp", "dumpable", "pdeathsig", "seccomp",
    "personality", "umask", "pid", "ppid", "sid", "pgid", "cwd", "hostname", "domainname",
    "rlimits", "fds", "env", "args", "signals", "oom_score_adj", "ns", "mounts", "interfaces",
    "list=/", "list=/dev", "list=/etc", "list=/proc/acpi", "list=/sys/firmware", "read=/proc/keys",
    *(f"stat=/dev/{name}" for name in (
        "", "null", "zero", "full", "tty", "random", "urandom", "ptmx", "fd", "stdin", "pts", "shm",
        "mqueue", "fuse")),
    "open=/proc/sys/kernel/hostname,w", "open=/proc/irq,path", "open=/dev/null,rw",
    "open=/new-in-root,create", "unlink=/new-in-root", "mkdir=/proc/new", "chown=/tmp,0,0",
]

# Numbers that tell containers apart, not runtimes.
CHANCE = re.compile(r"stat:.*\.(dev|inode)|stat:/dev/fd\.size")


def parse_facts(text):
    """The lines key=value as a dictionary; a namespace becomes `host` or `other`."""
    facts = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        assert equals, f"no fact: {line!r}"
        if CHANCE.fullmatch(key):
            continue
        if key.startswith("ns."):
            name = key.partition(".")[2]
            inode = re.search(r"\d+", os.readlink(f"/proc/self/ns/{name}"))[0]
            value = "host" if value == inode else "other"
        facts[key] = value
    return facts


class Difference:
    """One known difference: which keys, what the peer has, what shimbox has, and why."""

    def __init__(self, key, peer, shimbox, why):
        self.key, self.peer, self.shimbox = (re.compile(p) for p in (key, peer, shimbox))
        self.why, self.used = why, False

    def explains(self, key, peer, shimbox):
        found = (self.key.fullmatch(key) and self.peer.fullmatch(peer)
                 and self.shimbox.fullmatch(shimbox))
        self.used = self.used or bool(found)
        return bool(found)


def compare_facts(peer, shimbox, known):
    """The lines that say what differs for no known reason; a fact that is absent is `-`."""
    lines = []
    for key in sorted({*peer, *shimbox}):
        values = peer.get(key, "-"), shimbox.get(key, "-")
        if values[0] != values[1] and not any(d.explains(key, *values) for d in known):
            lines.append(f"{key}: {values[0]!r}, with shimbox {values[1]!r}")
    return lines


def run_quietly(command, **more):
    """Run to the end; standard input is empty, and bytes that are no text are shown as such."""
    return subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", timeout=120, check=False, **more)


def call_helper(function, *arguments):
    """Call a function of tests/lib/helpers.bash."""
    done = run_quietly(["bash", "-c", '. "$0"; "$@"', TESTS / "lib/helpers.bash", function,
                        *arguments])
    assert done.returncode == 0, (function, done.stdout, done.stderr)


class Folder(unittest.TestCase):
    """Tests with a folder of their own that everybody may enter; root only."""

    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            print(f"# SKIPPED: {cls.__name__}: the uid is {os.getuid()}, needs 0")
            raise unittest.SkipTest("needs root")
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="real-"))
        cls.folder.chmod(0o755)
        cls.addClassCleanup(cls.remove_folder)

    @classmethod
    def remove_folder(cls):
        left = [line.split()[4] for line in open("/proc/self/mountinfo") if str(cls.folder) in line]
        assert not left, f"mounts are left: {left}"
        shutil.rmtree(cls.folder)

    def assert_quiet(self, done, code=0, stderr=""):
        self.assertEqual((done.returncode, done.stderr), (code, stderr), done.stdout[-2000:])
        return done.stdout
