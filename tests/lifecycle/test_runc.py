#!/usr/bin/env python3
"""The same commands to runc and to shimbox, in the same states: exit codes, what kind of error, the
form of what is answered.
SPDX-License-Identifier: Apache-2.0

Needs root and runc.
"""

import json
import os
import re
import shutil
import subprocess

from lifecycle import LifecycleTest, skip_loudly

# What engines look for, whatever stands around it.
CLASSES = ("does not exist", "not running", "already running", "has stopped", "that is not stopped",
           "unknown signal", "invalid container ID|is not allowed", "already exists|is in use",
           "invalid format option|unknown word", "executable file not found|cannot find",
           "no such file or directory|No such file or directory", "exactly|minimum|is wanted|is given|unexpected")


def kind_of(text):
    """Which of those the error is."""
    for kind in CLASSES:
        if re.search(kind, text):
            return kind
    return text and "something else: " + text


class Runc(LifecycleTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("runc"):
            skip_loudly(self, "runc is not there")
        self.states = {"runc": f"{self.dir}/runc-state", "shimbox": self.root}
        config = self.config("sigwait")
        # With runc the cgroups are the machine's, and those of this test's container have its name.
        config["linux"]["namespaces"].remove({"type": "cgroup"})
        config["annotations"] = {"one": "1"}
        self.write(config)
        self.name = f"lifecycle-test-{os.urandom(4).hex()}"

    def tearDown(self):
        self.call("runc", "delete", "--force", self.name)
        super().tearDown()

    def call(self, runtime, *words):
        """Returns the exit code, and what it printed."""
        program = "runc" if runtime == "runc" else self.shimbox
        path = f"{self.dir}/{runtime}"
        with open(path + ".out", "w", encoding="utf-8") as out, open(path + ".err", "w", encoding="utf-8") as err:
            done = subprocess.run([program, "--root", self.states[runtime], *words], cwd=self.bundle,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False, timeout=120)
        with open(path + ".out", encoding="utf-8") as out, open(path + ".err", encoding="utf-8") as err:
            return done.returncode, out.read(), err.read()

    def both(self, *words):
        """The same exit code, and the same kind of error. Returns what each has answered."""
        words = [self.name if word == "ID" else word for word in words]
        answers = []
        for runtime in ("runc", "shimbox"):
            code, out, err = self.call(runtime, *words)
            answers.append((code, kind_of(err) if code else err, out))
        with self.subTest(" ".join(words)):
            self.assertEqual(answers[0][:2], answers[1][:2])
        return answers[0][2], answers[1][2]

    def check_state(self, status):
        """The same members, in the same order, with the same values but for those of the machine."""
        states = [json.loads(text) for text in self.both("state", "ID")]
        self.assertEqual(list(states[0]), list(states[1]))
        for state in states:
            self.assertEqual(state["status"], status)
            self.assertRegex(state.pop("created"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
            self.assertEqual(state.pop("pid") == 0, status == "stopped")
            # That of the config, or the newest that it knows.
            state.pop("ociVersion")
        self.assertEqual(*states)

    def check_list(self):
        one, other = self.both("list")
        for first, second in zip(one.splitlines(), other.splitlines()):
            self.assertEqual([w for i, w in enumerate(re.split("  +", first)) if i not in (1, 4)],
                             [w for i, w in enumerate(re.split("  +", second)) if i not in (1, 4)])
        self.assertEqual(one.splitlines()[0].split("CREATED")[0], other.splitlines()[0].split("CREATED")[0])
        listed = [json.loads(text) for text in self.both("list", "--format", "json")]
        self.assertEqual([[list(c) for c in l] for l in listed][0], [[list(c) for c in l] for l in listed][1])
        self.assertEqual(*self.both("list", "-q"))

    def test_life(self):
        """One container each, from its creation to its end."""
        self.assertEqual(*self.both("list"))
        self.assertEqual(*self.both("list", "-f", "json"))
        for words in (("state", "ID"), ("start", "ID"), ("kill", "ID"), ("kill", "ID", "0"), ("delete", "ID"),
                      ("delete", "--force", "ID"), ("ps", "ID"), ("create",), ("state", "a", "b"), ("kill",),
                      ("create", "a/b"), ("create", "--bundle", "/nothing", "ID"), ("list", "-f", "xml"),
                      ("create", "ID"), ("create", "ID"), ("kill", "ID", "NONSENSE"), ("kill", "ID", "0")):
            self.both(*words)
        self.check_state("created")
        self.check_list()
        self.both("start", "ID")
        self.check_state("running")
        for words in (("start", "ID"), ("create", "ID"), ("run", "-d", "ID"), ("delete", "ID"),
                      ("kill", "ID", "0"), ("kill", "--all", "ID", "0"), ("kill", "ID", "usr1")):
            self.both(*words)
        one, other = self.both("ps", "--format", "json", "ID")
        self.assertEqual(len(json.loads(one)), len(json.loads(other)))
        one, other = self.both("ps", "ID")
        self.assertEqual(one.splitlines()[0].split(), other.splitlines()[0].split())
        self.assertEqual(*[re.split(r"\s+", text.splitlines()[1], maxsplit=7)[7] for text in (one, other)])
        self.both("kill", "ID", "KILL")
        for runtime in ("runc", "shimbox"):
            self.wait_for(lambda: '"stopped"' in self.call(runtime, "state", self.name)[1], "no end")
            self.reap()
        self.check_state("stopped")
        self.check_list()
        for words in (("start", "ID"), ("kill", "ID"), ("kill", "ID", "0"), ("kill", "--all", "ID", "9"),
                      ("create", "ID"), ("delete", "ID"), ("delete", "ID"), ("state", "ID")):
            self.both(*words)

    def test_program_that_is_not_there(self):
        for program in ("nothing", "/nothing"):
            config = self.config()
            config["linux"]["namespaces"].remove({"type": "cgroup"})
            config["process"]["args"] = [program]
            self.write(config)
            self.both("create", "ID")
            self.both("state", "ID")


if __name__ == "__main__":
    __import__("unittest").main()
