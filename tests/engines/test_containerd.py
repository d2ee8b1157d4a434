#!/usr/bin/env python3
"""containerd with `ctr run --runc-binary`, with runc and with shimbox.
SPDX-License-Identifier: Apache-2.0

Needs root, containerd and runc. The containerd is one of the test's own.
"""

import hashlib
import io
import json
import os
import platform
import re
import signal
import subprocess
import tarfile
import unittest

from engine import FULL, RUNTIMES, EngineTest, Terminal, is_frozen, run_quietly
from facts import FACTS, compare_facts, parse_facts
from known import KNOWN, SYSTEM

CONFIG = """version = 2
root = "{folder}/lib"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/socket"
[ttrpc]
  address = "{folder}/ttrpc"
[debug]
  level = "warn"
"""
IMAGE = "localhost/busybox:latest"
LOOP = 'trap "exit 5" TERM; trap "trap \\"\\" TERM; echo deaf" USR1; echo started; while :; do sleep 0.1; done'

# Options of ctr run, and what the probe is asked with them.
OPTIONS = [
    (["--privileged"], ["caps", "seccomp", "open=/dev/null,rw"]),
    (["--read-only"], ["open=/new,create"]),
    (["--net-host"], ["ns", "interfaces"]),
    (["--env=A=b", "--cwd=/home/user"], ["env", "cwd"]),
    (["--mount=type=bind,src={folder}/rootfs/etc,dst=/v,options=rbind:ro"], ["read=/v/passwd", "open=/v/new,create"]),
    (["--uidmap=0:200000:65536", "--gidmap=0:300000:65536"], ["uid", "gid", "ns", "read=/proc/self/gid_map"]),
    (["--seccomp"], ["seccomp", "nnp"]),
    (["--allow-new-privs"], ["nnp"]),
    (["--cap-add=CAP_SYS_ADMIN", "--cap-drop=CAP_CHOWN"], ["caps", "chown=/tmp,1,1"]),
    (["--memory-limit=67108864"], ["uid"]),
    (["--cpus=0.5"], ["uid"]),
    (["--device=/dev/fuse"], ["stat=/dev/fuse"]),
    (["--with-ns=uts:/proc/1/ns/uts"], ["ns", "hostname"]),
    (["--no-pivot"], ["list=/"]),
    (["--cwd=/not/there"], ["cwd"]),
    (["--snapshotter=native"], ["uid"]),
    (["--null-io"], ["uid"]),
]


def add_blob(archive, data, kind):
    """Returns its descriptor."""
    digest = hashlib.sha256(data).hexdigest()
    add_file(archive, f"blobs/sha256/{digest}", data)
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}


def add_file(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def write_image(path, layer):
    """An OCI image layout as a tar file."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    with tarfile.open(path, "w") as archive:
        blob = add_blob(archive, layer.read_bytes(), "layer.v1.tar")
        config = {"architecture": machine, "os": "linux", "config": {"Env": ["PATH=/bin", "FROM=image"]},
                  "rootfs": {"type": "layers", "diff_ids": [blob["digest"]]}}
        config = add_blob(archive, json.dumps(config).encode(), "config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": config, "layers": [blob]}
        manifest = add_blob(archive, json.dumps(manifest).encode(), "manifest.v1+json")
        manifest["annotations"] = {"io.containerd.image.name": IMAGE}
        add_file(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        add_file(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())


class Containerd(EngineTest):
    needs = ("containerd", "ctr", "containerd-shim-runc-v2")

    @classmethod
    def start_engine(cls):
        folder = cls.folder
        (folder / "config.toml").write_text(CONFIG.format(folder=folder))
        with open(folder / "log", "w", encoding="utf-8") as log:
            cls.process = subprocess.Popen(["containerd", "--config", folder / "config.toml"], stdout=log, stderr=log)
        write_image(folder / "image.tar", cls.archive)
        cls.wait_for(cls(), lambda: cls.call("version").returncode == 0, "containerd does not answer")
        done = cls.call("images", "import", folder / "image.tar")
        assert done.returncode == 0, done

    @classmethod
    def command(cls, *arguments):
        return ["ctr", "--address", cls.folder / "socket", "--namespace", "test", *arguments]

    @classmethod
    def call(cls, *arguments):
        return run_quietly(cls.command(*arguments))

    @classmethod
    def clean_up(cls):
        for name in cls.call("containers", "list", "-q").stdout.split():
            cls.call("tasks", "rm", "--force", name)
            cls.call("containers", "rm", name)
        if hasattr(cls, "process"):
            cls.process.terminate()
            cls.process.wait(timeout=120)

    def ask(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def run_words(self, runtime, name, *arguments, options=("--rm",)):
        return ["run", "--runc-binary", RUNTIMES[runtime], "--fifo-dir", self.folder / "fifo",
                "--cgroup", f"{self.parent}/{name}", *options, IMAGE, name, *arguments]

    def run_both(self, *arguments, options=("--rm",)):
        """ctr run with each. Returns what they did."""
        return [self.call(*self.run_words(runtime, f"one-{runtime}", *arguments, options=options))
                for runtime in RUNTIMES]

    def tasks(self):
        """{name: status}, and the pids."""
        rows = [line.split() for line in self.ask("tasks", "list").splitlines()[1:]]
        return {row[0]: row[2] for row in rows}, {row[0]: int(row[1]) for row in rows}

    def test_run(self):
        """Facts, streams, exit codes."""
        peer, ours = self.run_both("probe", *FACTS)
        self.assertEqual((peer.returncode, peer.stderr, ours.returncode, ours.stderr), (0, "", 0, ""))
        facts = [{k: v for k, v in parse_facts(done.stdout).items() if not SYSTEM.fullmatch(k)}
                 for done in (peer, ours)]
        self.assertGreater(len(facts[1]), 100)
        lines = compare_facts(*facts, KNOWN)
        self.assertEqual(lines, [], "\n" + "\n".join(lines))
        self.assertEqual(facts[1]["env.FROM"], "image")
        for done in self.run_both("sh", "-c", "echo out; echo err >&2; exit 3"):
            self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "out\n", "err\n"))

    def one_by_one(self):
        for options, facts in OPTIONS:
            options = [option.format(folder=self.folder) for option in options]
            peer, ours = self.run_both("probe", *facts, options=["--rm", *options])
            with self.subTest(options):
                self.assertEqual((peer.returncode, peer.stderr, ours.returncode, ours.stderr), (0, "", 0, ""))
                self.assertEqual(*[parse_facts(done.stdout) for done in (peer, ours)])
                self.assertEqual(bool(ours.stdout), options != ["--null-io"])

    if FULL:
        test_options = one_by_one

    def test_errors(self):
        """The shim takes the text from the runtime's log."""
        for words in (["/nothing"], ["/etc"]):
            for done, name in zip(self.run_both(*words), RUNTIMES):
                self.assertEqual((done.returncode, done.stdout), (1, ""), done)
                self.assertRegex(done.stderr, "^ctr: failed to create shim task: OCI runtime create failed: .*"
                                 f"{words[0]}.*: unknown\n$", name)
        self.assertEqual(self.states(), [])

    def test_life(self):
        pair = [f"life-{runtime}" for runtime in RUNTIMES]
        for runtime, name in zip(RUNTIMES, pair):
            self.ask(*self.run_words(runtime, name, "sh", "-c", LOOP, options=["--detach"]))
        self.assertEqual(self.tasks()[0], dict.fromkeys(pair, "RUNNING"))
        pids = self.tasks()[1]
        seen = []
        for name in pair:
            done = self.call("tasks", "exec", "--fifo-dir", self.folder / "fifo", "--exec-id", "e", name, "sh", "-c",
                             "echo $0; id -u; cat /proc/1/comm; echo err >&2; exit 7")
            failed = self.call("tasks", "exec", "--exec-id", "f", name, "/nothing")
            self.assertRegex(failed.stderr, "^ctr: OCI runtime exec failed: .*/nothing.*: unknown\n$")
            listed = self.ask("tasks", "ps", name).splitlines()[1:]
            self.assertIn(str(pids[name]), [line.split()[0] for line in listed])
            self.talk(name)
            self.ask("tasks", "pause", name)
            frozen = is_frozen(pids[name])
            status = self.tasks()[0][name]
            self.ask("tasks", "resume", name)
            seen.append((done.returncode, done.stdout, done.stderr, failed.returncode, frozen, status,
                         is_frozen(pids[name]), self.tasks()[0][name]))
            self.ask("tasks", "kill", name)
        self.assertEqual(*seen)
        self.assertEqual(seen[1], (7, "sh\n0\nsh\n", "err\n", 1, True, "PAUSED", False, "RUNNING"))
        for name in pair:
            self.wait_for(lambda: self.tasks()[0][name] == "STOPPED", f"{name} does not stop")
            done = self.call("tasks", "rm", name)
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            self.assertIn("exit code 5", done.stderr)
            self.ask("containers", "rm", name)
        self.assertEqual(self.states(), [])

    def talk(self, name):
        terminal = Terminal(self.command("tasks", "exec", "--tty", "--exec-id", "t", name, "sh", "-c",
                                         'tty; read line; echo "<$line>"; exit 8'), (80, 24))
        terminal.read_until("/dev/pts/0")
        terminal.write("words\n")
        terminal.read_until("<words>")
        self.assertEqual(terminal.end(), 8)

    def test_forced(self):
        """Killed by SIGKILL, from outside, and removed while it runs."""
        for words in ("kill", "outside", "rm")[0 if FULL else 1:]:
            for runtime in RUNTIMES:
                name = f"{words}-{runtime}"
                self.ask(*self.run_words(runtime, name, "sleep", "1000", options=["--detach"]))
                if words == "kill":
                    self.ask("tasks", "kill", "--signal=KILL", name)
                elif words == "outside":
                    os.kill(self.tasks()[1][name], signal.SIGKILL)
                if words != "rm":
                    self.wait_for(lambda: self.tasks()[0][name] == "STOPPED", f"{name} does not stop")
                done = self.call("tasks", "rm", "--force", name)
                self.assertEqual((done.returncode, re.sub(r'time="[^"]*" ', "", done.stderr)),
                                 (0, f'level=warning msg="task {name} exit with non-zero exit code 137"\n'))
                self.ask("containers", "rm", name)
        self.assertEqual(self.states(), [])


if __name__ == "__main__":
    unittest.main()
