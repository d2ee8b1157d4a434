"""Containers for the tests of container-init, made by a foreign parent.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "run"))
# pylint: disable=wrong-import-position
from container import ContainerTest, Result, parse_facts, skip_loudly  # noqa: E402,F401
from parent import SECONDS, Parent  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(number, *arguments):
    """The same number on every architecture, from 424 on."""
    result = LIBC.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class ForeignTest(ContainerTest):
    """What a container leaves behind is looked for after each test, as for run."""

    def setUp(self):
        super().setUp()
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def tearDown(self):
        self.stack.close()
        super().tearDown()

    def write(self, config):
        with tempfile.NamedTemporaryFile("w", dir=self.dir, suffix=".json", delete=False) as file:
            json.dump(config, file)
        os.chmod(file.name, 0o644)
        return file.name

    def begin(self, config, *options, **more):
        """A Parent of this configuration's container."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        parent = Parent([self.shimbox, "container-init", "--config", self.write(config),
                         "--sync-fd", "SYNC", *options], **more)
        self.stack.callback(self.end, parent)
        return parent

    def end(self, parent):
        """However the test has ended."""
        parent.close()
        if parent.process.poll() is None:
            parent.process.kill()
        with contextlib.suppress(ValueError): # read before
            parent.process.communicate(timeout=SECONDS)

    def result(self, parent):
        """How container-init ended, which it must."""
        stdout, stderr = parent.process.communicate(timeout=SECONDS)
        return Result(parent.process.returncode, stdout, stderr)

    def plain(self, *options, stdin=None, **more):
        """container-init without a socket."""
        done = subprocess.run([self.shimbox, "container-init", *options], input=stdin or "", text=True,
                              capture_output=True, timeout=SECONDS, check=False, **more)
        return Result(done.returncode, done.stdout, done.stderr)

    def kinds(self, *facts):
        """Configurations that take different ways: with privilege, and with a user namespace."""
        return (("root", self.config(*facts)),
                ("mapped", self.map_user(self.config(*facts), [(0, 100000, 65536)])))

    def gone(self, pid):
        """The process has ended, reaped or not."""
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state in "ZX"

    def wait_gone(self, *pids):
        for pid in pids:
            self.wait_for(lambda pid=pid: self.gone(pid), f"process {pid} is left")

    def become_subreaper(self):
        """The container's process comes to us when container-init ends."""
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.addCleanup(LIBC.prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def kill(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
