"""Stand-ins beside the tools of util-linux: the same command line, the same facts seen from inside.
SPDX-License-Identifier: Apache-2.0

What a program finds is told by the probe (tests/probe), never by the product.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "run"))
# pylint: disable=wrong-import-position
from container import PROBE, SHIMBOX, User, parse_facts, skip_loudly  # noqa: E402

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


class Result:
    """A finished command."""

    def __init__(self, status, stdout, stderr):
        self.status, self.stdout, self.stderr = status, stdout, stderr
        self.facts = parse_facts(stdout)

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.stdout}\nstderr: {self.stderr}"


def own_namespaces():
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}


class StandIn(unittest.TestCase):
    """Runs a stand-in and its original on the same arguments, as root and as an ordinary user."""

    maxDiff = None
    tool = None

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="toolbox-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        os.chmod(cls.dir, 0o755)
        cls.shimbox = shutil.copy(SHIMBOX, f"{cls.dir}/shimbox")
        cls.probe = shutil.copy(PROBE, f"{cls.dir}/probe")
        for path in (cls.shimbox, cls.probe):
            os.chmod(path, 0o755)
        cls.original = shutil.which(cls.tool) if cls.tool else None
        cls.user = User()

    def setUp(self):
        self.before = pathlib.Path("/proc/self/mountinfo").read_text()

    def tearDown(self):
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), self.before)

    def run_command(self, command, as_user=False, **more):
        if as_user:
            more["preexec_fn"] = self.user.preexec
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("cwd", "/")
        more.setdefault("timeout", 120)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/"}
        environment.update(more.pop("env", {}))
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              errors="replace", check=False, env=environment, **more)
        return Result(done.returncode, done.stdout, done.stderr)

    def stand_in(self, *arguments, **more):
        return self.run_command([self.shimbox, self.tool, *arguments], **more)

    def both(self, *arguments, **more):
        """What the stand-in and the original say to the same arguments."""
        return (self.stand_in(*arguments, **more),
                self.run_command([self.original, *arguments], **more))

    def same_facts(self, options, facts, as_user=False, normal=lambda f: f, **more):
        """Both run the probe well, and it finds the same."""
        ours, theirs = self.both(*options, self.probe, *facts, as_user=as_user, **more)
        self.assertEqual((theirs.status, theirs.stderr), (0, ""), theirs)
        self.assertEqual((ours.status, ours.stderr), (0, ""), ours)
        self.assertEqual(normal(ours.facts), normal(theirs.facts))
        self.assertNotEqual(ours.facts, {})
        return ours

    def same_failure(self, options, words, as_user=False, program=("true",), **more):
        """Both fail with the same code; ours is one line that has these words."""
        ours, theirs = self.both(*options, *program, as_user=as_user, **more)
        self.assertEqual(ours.status, theirs.status, f"{ours}\n{theirs}")
        self.assertEqual(ours.stdout, "")
        self.assertEqual(ours.stderr.count("\n"), 1, ours)
        self.assertTrue(ours.stderr.startswith(f"shimbox {self.tool}: "), ours)
        self.assertIn(words, ours.stderr)


def new_or_own(facts):
    """Namespaces by whether they are this process's own: their numbers differ each time; so do pids,
    but for the first one."""
    own = own_namespaces()

    def normal(key, value):
        if key.startswith("ns."):
            return "own" if value in own[key[3:]] else "new"
        return "any" if key == "pid" and value != "1" else value

    return {key: normal(key, value) for key, value in facts.items()}


__all__ = ["StandIn", "Result", "new_or_own", "own_namespaces", "skip_loudly", "PROBE", "SHIMBOX"]
