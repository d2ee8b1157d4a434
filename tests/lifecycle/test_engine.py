#!/usr/bin/env python3
"""podman with shimbox for its runtime: what it does with containers, from create to rm.
SPDX-License-Identifier: Apache-2.0

Needs root and podman. What a container is like inside is compared elsewhere (tests/run/test_podman.py);
this is about the commands.
"""

import os
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "run"))
# pylint: disable=wrong-import-position
from facts import SHIMBOX, Folder, call_helper, run_quietly  # noqa: E402

# What other versions bring: podman shows what the runtime says as the container's own.
WARNING = re.compile(r"shimbox create: warning: /linux/(resources/\w+|cgroupsPath|seccomp) is not applied yet\r?\n")


class Engine(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.folder
        (folder / "containers.conf").write_text("[containers]\ndefault_ulimits = []\n")
        cls.podman = ["podman", "--root", folder / "store", "--runroot", folder / "runroot",
                      "--tmpdir", folder / "tmp", "--storage-driver", "overlay",
                      "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", SHIMBOX]
        cls.environment = dict(os.environ, CONTAINERS_CONF=str(folder / "containers.conf"))
        cls.addClassCleanup(cls.remove_store)
        call_helper("make_rootfs", folder / "busybox")
        archive = folder / "busybox.tar"
        run_quietly(["tar", "-C", folder / "busybox", "-cf", archive, "."])
        done = cls.call_podman("import", archive, "localhost/busybox")
        assert done.returncode == 0, done.stderr

    @classmethod
    def call_podman(cls, *arguments):
        return run_quietly([*cls.podman, *arguments], env=cls.environment)

    @classmethod
    def remove_store(cls):
        cls.call_podman("rm", "--all", "--force", "--time", "0")
        for place in ("store/overlay", "runroot", "store"):
            run_quietly(["umount", "-R", cls.folder / place])

    def ask(self, *arguments, status=0):
        """Returns both streams without what is known."""
        done = self.call_podman(*arguments)
        self.assertEqual(done.returncode, status, done)
        return WARNING.sub("", done.stdout), WARNING.sub("", done.stderr)

    def start(self, *arguments, options=(), how="run", status=0):
        return self.ask(how, "--network=none", "--pids-limit=0", "--ulimit=host", *options, "localhost/busybox",
                        *arguments, status=status)

    def state(self, name):
        return self.ask("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name)[0].strip()

    def states(self):
        """What is left in the runtime's own directory, but for its cache."""
        names = os.listdir("/run/shimbox") if os.path.isdir("/run/shimbox") else []
        return sorted(name for name in names if not name.startswith("."))

    def test_run(self):
        self.assertEqual(self.start("sh", "-c", "echo out; echo err >&2; exit 3", options=["--rm"], status=3),
                         ("out\n", "err\n"))
        self.assertEqual(self.start("id", "-u", options=["--rm", "--uidmap=0:100000:65536"]), ("0\n", ""))
        out, err = self.start("touch", "/x", options=["--rm", "--read-only"], status=1)
        self.assertEqual((out, err), ("", "touch: /x: Read-only file system\n"))
        self.assertEqual(self.states(), [])

    def test_cannot_be_executed(self):
        """The codes of podman for that follow from the runtime's words."""
        for program, status in (("nothing", 127), ("/nothing", 127), ("/etc", 126)):
            with self.subTest(program):
                out, err = self.start(program, options=["--rm"], status=status)
                self.assertEqual(out, "")
                self.assertIn("/process/args: cannot ", err)
        self.assertEqual(self.states(), [])

    def test_life(self):
        self.start("sh", "-c", 'trap "exit 5" TERM; echo started; while :; do sleep 0.1; done',
                   options=["--name=life"], how="create")
        self.assertEqual(self.state("life"), "created 0")
        self.ask("start", "life")
        self.assertEqual(self.state("life"), "running 0")
        self.assertEqual(len(self.states()), 1)
        while "started" not in self.ask("logs", "life")[0]:
            pass
        self.assertIn("trap", self.ask("top", "life", "args")[0])
        self.ask("stop", "--time=20", "life")
        self.assertEqual(self.state("life"), "exited 5")
        self.assertEqual(self.ask("logs", "life")[0], "started\n")
        self.ask("start", "life")
        self.ask("kill", "life")
        self.ask("wait", "life")
        self.assertEqual(self.state("life"), "exited 137")
        self.ask("start", "life")
        self.ask("pause", "life")
        self.assertEqual(self.state("life"), "paused 0")
        self.ask("unpause", "life")
        self.assertEqual(self.state("life"), "running 0")
        self.ask("stop", "--time=20", "life")
        self.ask("rm", "life")
        self.assertEqual(self.states(), [])

    def test_forced(self):
        self.start("sleep", "1000", options=["--name=forced", "-d"])
        self.assertEqual(self.state("forced"), "running 0")
        self.ask("rm", "--force", "--time=0", "forced")
        self.assertEqual(self.states(), [])

    def test_terminal(self):
        """By the console socket of conmon."""
        self.start("tty", options=["--name=terminal", "-t"], how="create")
        self.assertEqual(self.ask("start", "--attach", "terminal")[0], "/dev/pts/0\n")
        self.ask("rm", "terminal")
        self.assertEqual(self.states(), [])


if __name__ == "__main__":
    unittest.main()
