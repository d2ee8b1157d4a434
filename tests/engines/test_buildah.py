#!/usr/bin/env python3
"""buildah's RUN and `buildah run`, with runc and with shimbox.
SPDX-License-Identifier: Apache-2.0

Needs root, buildah and runc.
"""

import os
import re
import unittest

from engine import RUNTIMES, EngineTest, run_quietly
from facts import parse_facts

CONTAINERFILE = """FROM scratch
ADD layer.tar /
RUN echo text >/made; chown user:user /made; chmod 640 /made; echo out; echo err >&2
USER user
RUN probe uid gid groups caps ns nnp seccomp read=/made read=/data/file open=/data/new,rw mount=/ro >/tmp/facts
"""
FAILING = "FROM scratch\nADD layer.tar /\nRUN echo before; exit 9\nRUN echo after\n"


class Buildah(EngineTest):
    needs = ("buildah",)

    @classmethod
    def start_engine(cls):
        folder = cls.folder
        (folder / "containers.conf").write_text("[containers]\ndefault_ulimits = []\npids_limit = 0\n")
        cls.environment = dict(os.environ, CONTAINERS_CONF=str(folder / "containers.conf"), TMPDIR=str(folder),
                               BUILDAH_ISOLATION="oci")
        (folder / "context").mkdir()
        os.rename(cls.archive, folder / "context/layer.tar")
        cls.volume = folder / "volume"
        cls.volume.mkdir()
        (cls.volume / "file").write_text("text")
        (cls.volume / "new").touch(0o666)
        (cls.volume / "new").chmod(0o666)

    @classmethod
    def call(cls, *arguments, **more):
        return run_quietly(["buildah", "--root", cls.folder / "store", "--runroot", cls.folder / "runroot",
                            "--storage-driver", "overlay", *arguments], env=dict(cls.environment, **more))

    @classmethod
    def clean_up(cls):
        cls.call("rm", "--all")
        for place in ("store/overlay", "runroot", "store"):
            run_quietly(["umount", "-R", cls.folder / place])

    def build(self, runtime, text, *options, **more):
        (self.folder / "context/Containerfile").write_text(text)
        return self.call("build", "--network=none", f"--tag=localhost/{runtime}", *options,
                         f"--volume={self.volume}:/data", f"--volume={self.volume}:/ro:ro",
                         self.folder / "context", **more)

    def test_run(self):
        """What the steps of a build are, leave, and may do; then a later program in its result."""
        seen = []
        later = "probe uid gid stat=/made read=/ro/file open=/ro/new,rw; echo err >&2; cat /tmp/facts; exit 4"
        for runtime, path in RUNTIMES.items():
            # By the environment; below by the option.
            done = self.build(runtime, CONTAINERFILE, BUILDAH_RUNTIME=path)
            self.assertEqual(done.returncode, 0, done)
            said = [line for line in done.stdout.splitlines()
                    if not re.match("STEP|COMMIT|Successfully|--> |[0-9a-f]{64}$", line)]
            self.assertIn("err", done.stderr.splitlines())
            name = self.call("from", f"localhost/{runtime}").stdout.strip()
            options = ("run", "--runtime", path, "--network=none", f"--volume={self.volume}:/ro:ro")
            done = self.call(*options, "--user=root", name, "sh", "-c", later)
            failed = self.call(*options, name, "/nothing")
            self.assertIn("/nothing", failed.stderr)
            seen.append((said, parse_facts(done.stdout), done.returncode, done.stderr.splitlines()[0],
                         failed.returncode, failed.stdout))
        self.assertEqual(*seen)
        said, facts, *ends = seen[1]
        self.assertEqual((said, ends), (["out"], [4, "err", 1, ""]))
        self.assertEqual((facts["uid"], facts["open:/ro/new"], facts["stat:/made.uid"]), ("1000", "EROFS", "1000"))
        self.assertEqual((facts["read:/data/file"], facts["open:/data/new"]), ("text", "ok"))

    def test_failing(self):
        answers = []
        for runtime, path in RUNTIMES.items():
            done = self.build(runtime, FAILING, "--runtime", path)
            answers.append((done.returncode, done.stdout))
        self.assertEqual(*answers)
        self.assertEqual(answers[1][0], 9)
        self.assertIn("before\n", answers[1][1])
        self.assertNotIn("after\n", answers[1][1])


if __name__ == "__main__":
    unittest.main()
