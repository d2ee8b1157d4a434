"""Engines that use runc and shimbox by turns, and what the two must have in common.
SPDX-License-Identifier: Apache-2.0

Expects $SHIMBOX and $PROBE, and root. Importing it isolates the mounts of this process (container.py),
and gives it a /run of its own, where engines leave what cannot be put elsewhere.
"""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "run"))
# pylint: disable=wrong-import-position
from container import AS_ROOT, User, skip_loudly  # noqa: E402, F401
from facts import SHIMBOX, Folder, call_helper, run_quietly  # noqa: E402

RUNTIMES = {"runc": shutil.which("runc") or "/usr/sbin/runc", "shimbox": os.path.abspath(SHIMBOX)}
CGROUPS = "/sys/fs/cgroup"
FULL = bool(os.environ.get("TEST_FULL"))

if AS_ROOT:
    assert ctypes.CDLL(None).mount(b"run", b"/run", b"tmpfs", 0, b"mode=755") == 0


class EngineTest(Folder):
    """An engine, a root file system for its image, and a parent cgroup, which must be empty in the end,
    as must be the states of both runtimes."""

    needs = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for command in ("runc", *cls.needs):
            if not shutil.which(command):
                skip_loudly(cls(), f"{command} is not there")
        cls.parent = "/" + cls.folder.name
        cls.addClassCleanup(cls.check_left)
        cls.addClassCleanup(cls.clean_up)
        call_helper("make_rootfs", cls.folder / "rootfs")
        cls.archive = cls.folder / "layer.tar"
        run_quietly(["tar", "-C", cls.folder / "rootfs", "-cf", cls.archive, "."])
        cls.start_engine()

    @classmethod
    def start_engine(cls):
        """Start it where it has to be, and make its image."""

    @classmethod
    def clean_up(cls):
        """Remove all containers, and end it."""

    @classmethod
    def check_left(cls):
        """Engines clean up behind themselves in processes of their own, which may take a moment."""
        end = time.monotonic() + 60
        while (processes := cls.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cgroups = cls.cgroups()
        left = [path for path in cgroups if not cls.engines(os.path.basename(path))]
        for path in sorted(cgroups, reverse=True):
            cls.remove_cgroup(path)
        states = cls.states()
        assert not (processes or left or states), f"left are {processes}, {left}, {states}"

    @staticmethod
    def remove_cgroup(path):
        """Whatever is about to end in there."""
        end = time.monotonic() + 60
        while True:
            try:
                return os.rmdir(path)
            except FileNotFoundError:
                return None
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    @classmethod
    def engines(cls, name):
        """A cgroup that engines leave there, with either runtime: the parent, conmon's, that of a pod."""
        return name in (cls.folder.name, "conmon") or re.fullmatch("[0-9a-f]{64}", name)

    @classmethod
    def processes(cls):
        """Those whose command line or environment names the folder: {pid: command line}."""
        found, name = {}, os.fsencode(cls.folder.name)
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes()
                if int(folder.name) != os.getpid() and (
                        name in line or name in (folder / "environ").read_bytes()):
                    found[int(folder.name)] = line.replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                pass
        return found

    @classmethod
    def cgroups(cls):
        """The parent and what is below, in all hierarchies."""
        found = []
        for folder, _, _ in os.walk(CGROUPS):
            if cls.folder.name in os.path.relpath(folder, CGROUPS).split(os.sep):
                found.append(folder)
        return found

    @classmethod
    def states(cls):
        """What is in the runtimes' own directories, but for our cache."""
        return [str(path) for name in ("runc", "shimbox", "containerd/runc/*")
                for path in pathlib.Path("/run").glob(f"{name}/[!.]*")]

    def wait_for(self, condition, what, seconds=120):
        end = time.monotonic() + seconds
        while not (answer := condition()):
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)
        return answer


class Terminal:
    """A command on a terminal of its own, of a size: (columns, lines)."""

    def __init__(self, command, size, **more):
        self.master, slave = pty.openpty()
        self.text = ""
        self.resize(*size)
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **more)
        os.close(slave)

    def resize(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def write(self, text):
        os.write(self.master, text.encode())

    def read_until(self, text, seconds=120):
        """Until it has printed the text, or, for None, until it has ended. Returns all so far."""
        end = time.monotonic() + seconds
        while text is None or text not in self.text:
            assert time.monotonic() < end, f"no {text!r} in {self.text!r}"
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                part = os.read(self.master, 4096)
            except OSError:  # EIO: nobody has it any more
                part = b""
            if not part:
                assert text is None, f"no {text!r} in {self.text!r}"
                break
            self.text += part.decode(errors="replace")
        return self.text.replace("\r", "")

    def end(self):
        """Returns its exit code."""
        self.read_until(None)
        os.close(self.master)
        return self.process.wait(timeout=120)


def is_frozen(pid):
    """Is it in a frozen cgroup of any version? Asked of the kernel."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for top in (CGROUPS, f"{CGROUPS}/unified") if not controllers else (f"{CGROUPS}/{controllers}",):
            for name, word in (("cgroup.events", "frozen 1"), ("freezer.state", "FROZEN")):
                file = pathlib.Path(top + path, name)
                if file.exists() and word in file.read_text():
                    return True
    return False
