"""Calls of `spark`, for its tests.
SPDX-License-Identifier: Apache-2.0

What a function sees is told by the probe in it; what is left of it is read from /proc, from mounts,
cgroups and directories.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "run"))
# pylint: disable=wrong-import-position
from container import ContainerTest, parse_facts, skip_loudly  # noqa: E402, F401

MIB = 1 << 20
DEBUG = os.environ.get("TEST_BUILD") == "debug"
FULL = bool(os.environ.get("TEST_FULL"))


class Answer:
    """A call that has ended. stdout is bytes."""

    def __init__(self, status, stdout, stderr):
        self.status, self.stdout = status, stdout
        self.stderr = stderr.decode(errors="replace")
        self.facts = parse_facts(stdout.decode(errors="replace")) if len(stdout) < MIB else {}

    @property
    def report(self):
        """Of --json: the last line on stderr."""
        return json.loads(self.stderr.splitlines()[-1])

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.stdout[:2000]}\nstderr: {self.stderr[:4000]}"


def picture(top):
    """All that is in there: ids, modes, sizes, times."""
    found = {}
    for path, directories, files in os.walk(top):
        for name in [".", *directories, *files]:
            status = os.lstat(f"{path}/{name}")
            found[f"{path}/{name}"] = (status.st_mode, status.st_uid, status.st_gid, status.st_size,
                                       status.st_mtime_ns, status.st_ctime_ns)
    return found


def give_away(top, first):
    """All in there belongs to the ids from `first` on: what was 0's to the first of them, and so on."""
    paths = [top] + [f"{path}/{name}" for path, directories, files in os.walk(top) for name in directories + files]
    for path in paths:
        status = os.lstat(path)
        os.chown(path, first + status.st_uid, first + status.st_gid, follow_symlinks=False)
        if not os.path.islink(path):
            os.chmod(path, status.st_mode & 0o7777) # which takes set-uid bits away


class SparkTest(ContainerTest):
    """Each test has a state directory and a place for changes, both empty in the end."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root, cls.scratch = f"{cls.dir}/state", f"{cls.dir}/scratch"
        for path in (cls.root, cls.scratch):
            os.mkdir(path, 0o755)

    @classmethod
    def need_user(cls):
        first = cls.user is None
        user = super().need_user()
        if first:
            cls.user_root, cls.user_scratch = f"{cls.dir}/user-state", f"{cls.dir}/user-scratch"
            for path in (cls.user_root, cls.user_scratch):
                os.mkdir(path, 0o700)
                os.chown(path, user.uid, user.gid)
        return user

    def left_over(self):
        found = super().left_over()
        for folder in ("state", "scratch", "user-state", "user-scratch"):
            path = pathlib.Path(self.dir, folder)
            found |= {f"{folder}/{entry.name}" for entry in path.iterdir()} if path.exists() else set()
        return found

    def command(self, options, *program, source=None, as_user=False):
        """The command line of a call. options: words, or one text of them."""
        words = options.split() if isinstance(options, str) else list(options)
        return [self.shimbox, "--root", self.user_root if as_user else self.root, "spark", *words,
                source or (self.user_rootfs if as_user else self.rootfs),
                *(["--", *program] if program else [])]

    def begin(self, options, *program, source=None, as_user=False, prefix=(), **more):
        """Start a call and return the Popen object."""
        for name in ("stdin", "stdout", "stderr"):
            more.setdefault(name, subprocess.PIPE)
        if as_user:
            more.update(preexec_fn=self.need_user().preexec, cwd="/")
        return subprocess.Popen([*prefix, *self.command(options, *program, source=source, as_user=as_user)], **more)

    def end(self, process, data=b"", seconds=120):
        """Write its input, unless that is not a pipe of ours, and wait for it."""
        try:
            stdout, stderr = process.communicate(data if process.stdin else None, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Answer(process.returncode, stdout or b"", stderr or b"")

    def call(self, options, *program, data=b"", **more):
        """One call, to its end."""
        return self.end(self.begin(options, *program, **more), data)

    def shell(self, options, script, **more):
        return self.call(options, "/bin/sh", "-c", script, **more)

    def good(self, options, *program, **more):
        """A call that must end well and say nothing on stderr."""
        answer = self.call(options, *program, **more)
        self.assertEqual((answer.status, answer.stderr), (0, ""), answer)
        return answer

    def check_swept(self, left, **more):
        """The next call takes away what those that were killed have left, which `left` lists. It waits half a
        second for what is still dying of them; when that was not enough, the one after it does."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            began = time.monotonic()
            self.good("", "/bin/true", **more)
            if left() == [] or time.monotonic() - began < 0.5:
                break
        self.assertEqual(left(), [])

    def bad(self, status, message, options, *program, **more):
        """A call that must fail with that status and that line alone on stderr."""
        answer = self.call(options, *program, **more)
        self.assertEqual((answer.status, answer.stdout, answer.stderr),
                         (status, b"", f"shimbox spark: {message}\n"), answer)
        return answer
