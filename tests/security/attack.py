"""What the tests of published attacks have in common.
SPDX-License-Identifier: Apache-2.0

The canary is a folder outside of the root file system; after each test it must be as it was, and so
must what of the host's sysctls is never changed by the way.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
# pylint: disable=wrong-import-position
from bundle import FULL, PROBE, SHIMBOX, Bundle  # noqa: E402

# Of each race, and there are many.
SECONDS = 60 if FULL else 1
DENY = os.path.join(os.path.dirname(PROBE), "deny")
OPENAT2 = 437
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
SYSCTLS = ["kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "kernel/panic",
           "kernel/sysrq", "kernel/randomize_va_space", "vm/overcommit_memory", "fs/suid_dumpable"]


def host_sysctls():
    """What an attacker would like to have written to."""
    found = {}
    for name in SYSCTLS:
        try:
            found[name] = pathlib.Path("/proc/sys", name).read_bytes()
        except OSError as error:
            found[name] = error.errno
    return found


class Attack(unittest.TestCase):
    """A bundle for each test."""

    options = ()
    starter = ()  # a command that starts every run

    def setUp(self):
        self.sysctls = host_sysctls()
        self.bundle = Bundle(*self.options)
        self.bundle.starter = self.starter
        self.config = self.bundle.config
        self.uid = 0
        self.rootfs, self.canary = self.bundle.rootfs, self.bundle.canary

    def become_nobody(self):
        """Run it as an ordinary user with one id, who owns the root file system."""
        self.bundle.shimbox = shutil.copy(SHIMBOX, self.bundle.folder / "shimbox")
        self.bundle.starter = [
            "sh", "-c", f"chown -hR {NOBODY}:{NOBODY} {self.rootfs} 2>/dev/null; exec \"$@\"", "sh",
            *AS_NOBODY, *self.starter]
        for name in ("uidMappings", "gidMappings"):
            self.config["linux"][name] = [{"containerID": 0, "hostID": NOBODY, "size": 1}]
        for mount in self.config["mounts"]:
            mount["options"] = [o for o in mount.get("options", []) if not o.startswith("gid=")]
        # Who runs an image could have written to it; what this one must keep stays root's.
        self.uid = NOBODY

    def tearDown(self):
        changes = self.bundle.canary_changes()
        self.bundle.remove()
        self.assertEqual(host_sysctls(), self.sysctls)
        self.assertFalse(changes, "the canary was changed")

    @staticmethod
    def rounds(exchange):
        """As long as a race is to last: some time, in which names must have been exchanged, though."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or (exchange.count <= 100 and time.monotonic() < end + 60):
            yield

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
