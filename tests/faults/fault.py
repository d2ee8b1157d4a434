"""What the tests of faults have in common: a bundle, and what must be as it was afterwards.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
# pylint: disable=wrong-import-position
import cgroup2  # noqa: E402
from bundle import Bundle, libc  # noqa: E402

TOOLS = os.path.dirname(os.path.abspath(os.environ["PROBE"]))
DENY, STEPPER = os.path.join(TOOLS, "deny"), os.path.join(TOOLS, "stepper")
DEBUG = os.environ.get("TEST_BUILD") == "debug"


def mount_lines():
    return set(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())


def own_cgroup():
    """A new cgroup of version 2 below its own that this process goes on in, below which run makes those
    of its containers: others are made and removed by other tests meanwhile. None where that cannot be had."""
    own = re.search("^0::/(.*)", pathlib.Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    target = cgroup2.mount_point()
    if not target or not own:
        return None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fault-test-", dir=f"{target}/{own[1]}"))
    (folder / "cgroup.procs").write_text("0")
    return folder


def cgroups(top):
    """Those below it."""
    return {folder for folder, _, _ in os.walk(top) if folder != str(top)} if top else set()


def own_descriptors():
    return sorted(os.listdir("/proc/self/fd"))


NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
         "kmsg": (1, 11), "tty": (5, 0)}


class Fault(unittest.TestCase):
    """A bundle, and the state before."""

    options = ()  # of spec
    run_options = ()
    spared = frozenset()  # children of the test's own

    @classmethod
    def setUpClass(cls):
        # What the run leaves behind becomes our child; nobody else mounts here, and what is mounted
        # in a copy of this namespace comes back to it, unless it is made not to.
        assert libc.prctl(36, 1, 0, 0, 0) == 0 and libc.unshare(0x20000) == 0
        for propagation in ("rprivate", "rshared"):
            subprocess.run(["mount", f"--make-{propagation}", "/"], check=True)
        cls.make_dev()
        cls.cgroup = own_cgroup()
        if cls.cgroup:
            cls.addClassCleanup(cls.leave_cgroup)

    @classmethod
    def leave_cgroup(cls):
        (cls.cgroup.parent / "cgroup.procs").write_text("0")
        for folder, _, _ in os.walk(cls.cgroup, topdown=False):
            os.rmdir(folder)

    @classmethod
    def drop_cgroups(cls):
        """Those of a run that was killed: the next one has nothing to do with them."""
        for folder in sorted(cgroups(cls.cgroup), reverse=True):
            for _ in range(6000):
                if "populated 0" in pathlib.Path(folder, "cgroup.events").read_text():
                    break
                time.sleep(0.01)
            os.rmdir(folder)

    @classmethod
    def make_dev(cls):
        """A /dev of our own: the nodes must be whose they were, and that of the machine is shared
        with everybody, other tests too."""
        folder = tempfile.mkdtemp(prefix="dev-test-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "dev", folder], check=True)
        for name, minor in NODES.items():
            os.mknod(f"{folder}/{name}", 0o666 | stat.S_IFCHR, os.makedev(*minor))
            os.chmod(f"{folder}/{name}", 0o666)
        os.symlink("/proc/self/fd", f"{folder}/fd")
        subprocess.run(["mount", "--bind", folder, "/dev"], check=True)
        subprocess.run(["umount", folder], check=True)
        os.rmdir(folder)

    def setUp(self):
        self.bundle = Bundle(*self.options)
        self.config = self.bundle.config
        self.pid_file = self.bundle.folder / "pid"
        self.log = self.bundle.folder / "log"
        self.states = self.bundle.folder / "states"
        self.states.mkdir(mode=0o711)
        (self.bundle.rootfs / "sub/dir").mkdir(parents=True)
        self.spared = set()
        self.prepare()
        # Makes what is documented to stay in the root.
        done = self.run_faulty(options=self.run_options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.pid_file.unlink()
        self.log.unlink(missing_ok=True)
        self.files = self.names()
        self.mounts = mount_lines()

    def prepare(self):
        """What the configuration has beyond the default one."""
        self.bundle.mount("/sub/dir", "bind", str(self.bundle.canary), ["rbind", "ro"])
        self.config["linux"]["maskedPaths"] = ["/proc/interrupts", "/proc/scsi", "/sys/firmware"]
        self.config["linux"]["readonlyPaths"] = ["/proc/sys"]

    def tearDown(self):
        changes = self.bundle.canary_changes()
        self.bundle.remove()
        self.assertFalse(changes)
        self.assertEqual(cgroups(self.cgroup), set())

    def names(self):
        return sorted(str(p) for p in self.bundle.folder.rglob("*"))

    def command(self, *before, more=(), options=()):
        """shimbox with a log, a state and a pid file, all in the bundle's folder."""
        shimbox, run, *rest = self.bundle.command("--pid-file", str(self.pid_file))
        return [*before, shimbox, "--log", str(self.log), "--log-format", "json",
                "--root", str(self.states), *more, run, *rest, *options, "fault-test"]

    def run_faulty(self, before=(), *program, timeout=120, more=(), options=(), **arguments):
        """Run the program (by default: probe uid), with a command before it."""
        self.bundle.write(*(program or ("/bin/probe", "uid")))
        self.log.unlink(missing_ok=True)
        arguments.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.command(*before, more=more, options=options), timeout=timeout,
                              check=False, errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **arguments)

    def record(self):
        """The one record in the log, {} where there is none."""
        try:
            lines = self.log.read_text().splitlines()
            self.log.unlink()
        except FileNotFoundError:
            return {}
        lines = [json.loads(line) for line in lines]
        errors = [line for line in lines if line["level"] == "error"]
        self.assertLessEqual(len(errors), 1, lines)
        return errors[0] if errors else {}

    def children(self):
        """Those that the test did not make itself."""
        listed = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return set(listed.split()) - self.spared

    def wait_for_children(self):
        end = time.monotonic() + 60
        while children := self.children():
            for pid in children:
                os.waitpid(int(pid), os.WNOHANG)
            if time.monotonic() > end:
                self.fail("processes are left: " + " ".join(
                    pathlib.Path(f"/proc/{pid}/stat").read_text() for pid in children))
            time.sleep(0.002)

    def check_nothing_left(self, but=()):
        """No process, mount, file, or state. but: names that may be there."""
        self.wait_for_children()
        self.log.unlink(missing_ok=True)
        # A mount that others removed is gone here as well.
        self.assertEqual(mount_lines() - self.mounts, set())
        self.assertEqual([n for n in self.names() if n not in but], self.files)
        owners = {name: os.stat(f"/dev/{name}").st_uid for name in NODES}
        self.assertEqual(set(owners.values()), {0}, owners)

    def check_line(self, done):
        """It failed, and said so in one line (helpers may have had theirs)."""
        done.stderr = re.sub(r"(?m)^(==\d+==WARNING: reading executable name|new[ug]idmap:) .*\n", "",
                             done.stderr)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, r"\Ashimbox( run)?: [^\n]+\n\Z")

    def check_answer(self, done, *words, ran=False):
        """It failed as it should, or did all that it should."""
        record = self.record()
        if done.returncode == 0:
            self.assertEqual((done.stdout.splitlines()[:1], done.stderr), (["uid=0"], ""), done)
            self.pid_file.unlink()
        else:
            self.check_line(done)
            self.assertEqual(done.stdout != "", ran)
            for word in words:
                self.assertIn(word, done.stderr)
            if record:
                self.assertIn(record["msg"], done.stderr)
                self.assertIn("step", record)
        self.check_nothing_left()
        return done.returncode
