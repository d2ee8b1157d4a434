#!/usr/bin/env python3
"""Configs as runc and crun write them, run unchanged on Debian and on busybox, against the peer.
SPDX-License-Identifier: Apache-2.0

The files ask for a terminal, so each run is before one. shimbox runs the file as it is, with a script
from the command line. For the comparison of facts, both get the probe as program: run takes it from
the command line, for the peer a copy of the file is changed. crun refuses hybrid cgroup hierarchies
and, without a cgroup of its own, linux.resources.
"""

import json
import os
import pathlib
import unittest

from caller import run_before_terminal
from facts import FACTS, SHIMBOX, Difference, Folder, call_helper, compare_facts, parse_facts
from facts import run_quietly

CGROUP2 = "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "

MASK = r"mounts:/(proc|sys)/(acpi|firmware|keys|timer_list|kcore|scsi|dev/block)"
KNOWN = [
    Difference("pdeathsig", "0", "9", "run's container ends when run is killed"),
    Difference(r"fds\.[012]", ".*", ".*", "runc relays streams"),
    Difference("mounts:/sys.super", "ro", "rw", "ro is set on the mount, not on the file system"),
    Difference("mounts:/sys/fs/cgroup.*", ".*", ".*", "cgroup v1 comes with the cgroup module"),
    Difference(MASK + r"\..*", ".*", ".*", "masks: see test_podman.py"),
    Difference("args.*|env.PWD", ".*", ".*", "the program is called in two ways"),
    Difference(r"tty\.\d\.size", "0x0", "101x33", "the peers give the size when the program may run already"),
]
CRUN = [
    *KNOWN,
    Difference("list:/dev|stat:/dev/.size", ".*core.*|3[46]0", ".*", "crun links /dev/core"),
    Difference(r"mounts:.*\.options", ".*", ".*", "crun adds options to what it mounts"),
]


class Real(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, helper in (("busybox", "make_rootfs"), ("debian", "debian_rootfs")):
            (cls.folder / name).mkdir()
            call_helper(helper, cls.folder / name / "rootfs")

    def write_spec(self, image, *command):
        """A fresh config.json by the command; returns the bundle and the text."""
        bundle = self.folder / image
        (bundle / "config.json").unlink(missing_ok=True)
        done = run_quietly(command, cwd=bundle)
        self.assertEqual(done.returncode, 0, done.stderr)
        return bundle, (bundle / "config.json").read_text()

    def run_script(self, bundle, script, code=0):
        """Run the unchanged config with a script, and return what it prints."""
        return self.run_tty([SHIMBOX, "run", "--bundle", bundle, "--", "sh", "-c", script], code)

    def run_tty(self, command, code=0, **more):
        """Run it before a terminal, and return what that shows."""
        status, text = run_before_terminal(command, **more)
        self.assertEqual(status, code, text)
        return text

    def run_peer(self, bundle, text, runtime):
        """The facts that the peer's container has with the same config."""
        document = json.loads(text)
        document["process"].update(args=["/bin/probe", *FACTS, "tty"])
        command = [runtime, "--root", self.folder / "state", "run", f"shimbox-peer-{os.urandom(4).hex()}"]
        if runtime == "crun":
            del document["linux"]["resources"]
            command = ["unshare", "-m", "sh", "-c", CGROUP2 + " ".join(map(str, command))]
        (bundle / "config.json").write_text(json.dumps(document))
        try:
            return parse_facts(self.run_tty(command, cwd=bundle))
        finally:
            (bundle / "config.json").write_text(text)

    def compare(self, image, command, peer, known):
        bundle, text = self.write_spec(image, *command)
        theirs = self.run_peer(bundle, text, peer)
        ours = parse_facts(self.run_tty(
            [SHIMBOX, "run", "--bundle", bundle, "--", "/bin/probe", *FACTS, "tty"]))
        self.assertGreater(len(ours), 100)
        lines = compare_facts(theirs, ours, known)
        self.assertEqual(lines, [], "\n" + "\n".join(lines))
        return ours

    def test_against_runc(self):
        for image in ("busybox", "debian"):
            facts = self.compare(image, ["runc", "spec"], "runc", KNOWN)
            self.assertEqual(facts["hostname"], "runc")
            self.compare(image, ["crun", "spec"], "runc", KNOWN)

    def test_against_crun(self):
        for image in ("busybox", "debian"):
            self.compare(image, ["crun", "spec"], "crun", CRUN)

    def test_own_default(self):
        bundle, text = self.write_spec("debian", SHIMBOX, "spec")
        theirs = self.run_peer(bundle, text, "runc")
        ours = parse_facts(self.run_tty(
            [SHIMBOX, "run", "--bundle", bundle, "--", "/bin/probe", *FACTS, "tty"]))
        streams = Difference(r"tty\.\d.*", "no|-", ".*", "no terminal: runc relays streams")
        lines = compare_facts(theirs, ours, [*KNOWN, streams])
        self.assertEqual(lines, [], "\n" + "\n".join(lines))

    def test_programs(self):
        script = """apt-get --version | head -n 1 | cut -d' ' -f1
            perl -e 'print join(",", map { $_ * $_ } 1..4), "\\n"'
            printf '%s\\n' c a b | sort | tr '\\n' ' ' | tee /tmp/out 2>/dev/null; echo
            dpkg --print-architecture >/dev/null && id -un
            ls /proc/self/fd | wc -l
            exit 5"""
        for writer in ("runc", "crun"):
            bundle, text = self.write_spec("debian", writer, "spec")
            output = self.run_script(bundle, script, code=5)
            self.assertEqual(output, "apt\n1,4,9,16\na b c \nroot\n4\n")
            self.assertEqual((bundle / "config.json").read_text(), text)

    def test_busybox(self):
        for writer in ("runc", "crun"):
            bundle, _ = self.write_spec("busybox", writer, "spec")
            output = self.run_script(
                bundle, "ps | wc -l; seq 3 | awk '{n += $1} END {print n}'; touch /x || exit 9",
                code=9)
            self.assertEqual(output.splitlines()[1:], ["6", "touch: /x: Read-only file system"])

    def test_rootless_form_as_root(self):
        """Written by an ordinary user, and run by that user (see rootless.bats); here by root."""
        bundle, text = self.write_spec("busybox", "runc", "spec", "--rootless")
        self.assertIn('"user"', text)
        facts = parse_facts(self.run_tty(
            [SHIMBOX, "run", "--bundle", bundle, "--", "/bin/probe", "uid", "caps",
             "read=/proc/self/uid_map", "list=/sys"]))
        self.assertEqual(facts["uid"], "0")
        self.assertRegex(facts["read:/proc/self/uid_map"], r"^ +0 +0 +1\\n$")


if __name__ == "__main__":
    unittest.main()
