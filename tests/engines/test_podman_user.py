#!/usr/bin/env python3
"""podman of an ordinary user, with runc and with shimbox.
SPDX-License-Identifier: Apache-2.0

Needs root (to become that user), podman, uidmap and runc.
"""

import os
import signal
import unittest

from engine import User, run_quietly, skip_loudly
from podman import PodmanTest

LOOP = 'trap "echo got; exit 5" TERM; echo started; while :; do sleep 0.1; done'


class Ordinary(PodmanTest):
    needs = (*PodmanTest.needs, "newuidmap")
    driver = "vfs"  # needs neither fuse nor a kernel

    @classmethod
    def start_engine(cls):
        cls.user = User()
        own = cls.folder / "own"
        for folder in (own, own / "home", own / "run"):
            folder.mkdir(mode=0o700)
            os.chown(folder, cls.user.uid, cls.user.gid)
        cls.environment = {"HOME": own / "home", "XDG_RUNTIME_DIR": own / "run", "TMPDIR": own, "USER": "shimtest"}
        cls.starter = ("setpriv", f"--reuid={cls.user.uid}", f"--regid={cls.user.gid}", "--init-groups",
                       "--inh-caps=-all")
        done = run_quietly([*cls.starter, "unshare", "--user", "true"])
        if done.returncode != 0:
            skip_loudly(cls(), f"no user namespaces for ordinary users: {done.stderr}")
        super().start_engine()

    @classmethod
    def clean_up(cls):
        super().clean_up()
        # The process that keeps podman's user namespace.
        for pid, line in cls.processes().items():
            if "catatonit -P" in line:
                os.kill(pid, signal.SIGKILL)

    @classmethod
    def states(cls):
        return [*super().states(), *(str(path) for path in cls.folder.glob("own/run/runc/[!.]*")),
                *(str(path) for path in cls.folder.glob("own/run/shimbox/[!.]*"))]

    def test_run(self):
        facts = ("uid", "gid", "groups", "caps", "seccomp", "nnp", "read=/proc/self/uid_map")
        code, out, err = self.run_both("probe", *facts)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"0 {self.user.uid} 1", " ".join(out.split()))
        self.assertEqual(self.run_both("sh", "-c", "echo out; echo err >&2; exit 3"), (3, "out\n", "err\n"))
        # The caller's own ids inside.
        code, out, err = self.run_both("probe", *facts, options=["--userns=keep-id"])
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"uid={self.user.uid}\n", out)

    def test_life(self):
        pair = self.make_both("run", "life", "sh", "-c", LOOP, options=["-d"])
        self.wait_logs(pair, "started\n")
        pids = self.check_states(pair, "running")
        for name, pid in zip(pair, pids):
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, self.user.uid)
            done = self.call_podman("exec", name, "sh", "-c", "id -u; cat /proc/1/comm; exit 9")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (9, "0\nsh\n", ""))
        self.ask("stop", "--time=30", *pair)
        self.check_states(pair, "exited", 5)
        self.wait_logs(pair, "started\ngot\n")
        self.ask("start", *pair)
        self.ask("kill", *pair)
        self.ask("wait", *pair)
        self.check_states(pair, "exited", 137)
        self.ask("start", *pair)
        self.ask("rm", "--force", "--time=0", *pair)
        self.assertEqual(self.states(), [])


if __name__ == "__main__":
    unittest.main()
