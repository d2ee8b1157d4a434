"""Bundles to run hostile things in, and what must be unchanged afterwards.
SPDX-License-Identifier: Apache-2.0

Expects $SHIMBOX and $PROBE, and root.
"""

import ctypes
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import threading

SHIMBOX = os.path.abspath(os.environ["SHIMBOX"])
PROBE = os.path.abspath(os.environ["PROBE"])
BUSYBOX = shutil.which("busybox")
FULL = bool(os.environ.get("TEST_FULL"))
RENAME_EXCHANGE = 2

libc = ctypes.CDLL(None, use_errno=True)


def snapshot(folder):
    """Everything about the files below a folder, but for the times of access."""
    facts = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = os.lstat(path)
        text = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        facts[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_nlink,
                            status.st_mtime_ns, status.st_rdev, text)
    return facts


class Bundle:
    """A busybox root file system, its config, and the canary: a folder beside it that nothing of
    the container may reach."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bundle-test-"))
        self.folder.chmod(0o755)
        self.rootfs, self.canary = self.folder / "rootfs", self.folder / "canary"
        for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
            (self.rootfs / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, self.rootfs / "bin/busybox")
        shutil.copy(PROBE, self.rootfs / "bin/probe")
        (self.rootfs / "bin/sh").symlink_to("busybox")
        (self.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        (self.rootfs / "etc/group").write_text("root:x:0:\n")
        self.canary.mkdir()
        (self.canary / "secret").write_text("secret\n")
        (self.canary / "folder").mkdir()
        self.before = snapshot(self.canary)
        made = subprocess.run([SHIMBOX, "spec", "-o", "-", *options, "--", "/bin/probe", "uid"],
                              stdout=subprocess.PIPE, check=True)
        self.config = json.loads(made.stdout)
        self.shimbox = SHIMBOX
        self.starter = ()  # a command that starts every run

    def remove(self):
        shutil.rmtree(self.folder)

    def canary_changes(self):
        after = snapshot(self.canary)
        return {k for k in self.before.keys() | after.keys()
                if self.before.get(k) != after.get(k)}

    def mount(self, destination, kind="tmpfs", source=None, options=()):
        self.config["mounts"].append({"destination": destination, "type": kind,
                                      "source": source or kind, "options": list(options)})

    def drop_mounts(self, *destinations):
        self.config["mounts"] = [m for m in self.config["mounts"]
                                 if m["destination"] not in destinations]

    def drop_namespace(self, kind):
        self.namespaces[:] = [n for n in self.namespaces if n["type"] != kind]

    @property
    def namespaces(self):
        return self.config["linux"]["namespaces"]

    def write(self, *program):
        if program:
            self.config["process"]["args"] = list(program)
        (self.folder / "config.json").write_text(json.dumps(self.config))

    def command(self, *options):
        return [self.shimbox, "run", "--bundle", str(self.folder), *options]

    def run(self, *program, options=(), before=(), timeout=120, **more):
        """Run it: with `program` instead of the config's, and options of run."""
        self.write(*program)
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([*self.starter, *before, *self.command(*options)], timeout=timeout, check=False,
                              errors="replace", **more)


class Exchange:
    """Exchanges two names all the time, as somebody with access to the folder could."""

    def __init__(self, one, other):
        self.names = os.fsencode(one), os.fsencode(other)
        self.going, self.count = True, 0
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while self.going:
            if libc.renameat2(-100, self.names[0], -100, self.names[1], RENAME_EXCHANGE) == 0:
                self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.thread.join()
