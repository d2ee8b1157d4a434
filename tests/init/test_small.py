"""The binary that holds init alone: all that init does, in less memory than tini, dumb-init, catatonit.
SPDX-License-Identifier: Apache-2.0

Everything of test_init.py, and what is special about such a binary. `make small` has built it.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import test_init  # noqa: E402
from standin import skip_loudly  # noqa: E402

SMALL = pathlib.Path(__file__).resolve().parent.parent.parent / "build/small/shimbox"
# What has to stand between the name and the program for each of them to act alike.
PEERS = {"tini-static": ["-s", "--"], "dumb-init": ["--"], "catatonit": ["--"]}


class Small(test_init.Init):
    """As another name and alone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shutil.copy(SMALL, cls.shimbox)
        cls.tini = shutil.copy(SMALL, f"{cls.dir}/tini")

    # ---- the form ----

    def test_size(self):
        self.assertLessEqual(SMALL.stat().st_size, 48 * 1024)

    def test_form(self):
        """As the whole binary, but that constants are in the segment of the code."""
        headers = subprocess.run(["readelf", "-hldW", SMALL], capture_output=True, text=True, check=True).stdout
        for line in (r"Type: *DYN", r"GNU_STACK .* RW +0x", r"FLAGS_1.*NOW PIE"):
            self.assertRegex(headers, line)
        for word in ("INTERP", "NEEDED", "RWE", "TEXTREL"):
            self.assertNotIn(word, headers)
        self.assertEqual(len(re.findall(r"^  LOAD ", headers, re.M)), 2, headers)

    # ---- names ----

    def test_any_name(self):
        """The whole command line is init's, whatever the file is called."""
        script = ["sh", "-c", "exit 3"]
        for command in ([self.tini, *script], [self.tini, "--", *script], [self.tini, "-s", "-g", "--", *script],
                        [self.tini, "init", *script], [self.shimbox, *script], [self.shimbox, "init", *script],
                        ["bash", "-c", f"exec -a init {self.tini} sh -c 'exit 3'"]):
            done = self.run_command(command)
            self.assertEqual((done.status, done.stdout, done.stderr), (3, "", ""), command)
        # Only once, and only in the first place.
        done = self.run_command([self.tini, "--", "init", "true"])
        self.assertEqual((done.status, done.stderr), (0, ""))

    def test_version(self):
        version = pathlib.Path(test_init.__file__).resolve().parents[2].joinpath("Makefile").read_text()
        version = re.search(r"^VERSION := (.*)$", version, re.M)[1]
        for command in ([self.tini, "--version"], [self.shimbox, "init", "--version"]):
            done = self.run_command(command)
            self.assertEqual((done.status, done.stdout, done.stderr), (0, f"shimbox {version}, with init alone\n", ""))

    def test_help(self):
        done = self.run_command([self.tini, "--help"])
        self.assertEqual((done.status, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("Usage: shimbox init [options]"), done)
        self.assertIn("--rewrite FROM:TO", done.stdout)

    def test_what_is_not_there(self):
        for option in ("--list", "--man", "--install=/tmp", "--completions=bash", "--trace", "--root=/tmp"):
            done = self.run_command([self.shimbox, option])
            self.assertEqual((done.status, done.stdout), (125, ""), option)
            self.assertRegex(done.stderr, rf"^shimbox init: unknown option {option.partition('=')[0]} \(.*\)\n$")
        done = self.init("touch", f"{self.dir}/made", env={"SHIMBOX_TRACE": f"{self.dir}/trace"})
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1))
        self.assertIn(f"cannot write a trace to {self.dir}/trace", done.stderr)
        self.assertFalse(os.path.exists(f"{self.dir}/made") or os.path.exists(f"{self.dir}/trace"))

    def test_chain(self):
        """Links that it does not hold are programs."""
        done = self.init("--", "limits", "--umask", "077", "--", "true", env={"PATH": self.dir})
        self.assertEqual((done.status, done.stdout, done.stderr),
                         (127, "", "shimbox init: cannot execute limits: No such file or directory\n"))
        done = self.init("--", "init", "-e", "9", "--", "sh", "-c", "exit 9")
        self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""))

    # ---- memory ----

    def memory(self, *command):
        """RssAnon and VmRSS in KiB of a process 1 that waits for sleep(1)."""
        process = subprocess.Popen(["unshare", "-pf", "--kill-child", *command, "sleep", "100"],
                                   stdin=subprocess.DEVNULL)
        try:
            test_init.wait_until(lambda: test_init.children_of(process.pid), "process 1")
            (first,) = test_init.children_of(process.pid)

            def program_runs():
                return [pid for pid in test_init.children_of(first)
                        if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "sleep"]

            test_init.wait_until(program_runs, "sleep")
            test_init.wait_until(lambda: test_init.state_of(first) == "S", "idle")
            status = pathlib.Path(f"/proc/{first}/status").read_text()
            return [int(re.search(rf"^{key}:\s+(\d+) kB$", status, re.M)[1]) for key in ("RssAnon", "VmRSS")]
        finally:
            process.kill()
            process.wait()

    def test_memory(self):
        private, total = self.memory(self.shimbox, "init", "--")
        self.assertLessEqual(private, 40)
        peers = {name: arguments for name, arguments in PEERS.items() if shutil.which(name)}
        if not peers:
            skip_loudly(self, "neither tini, dumb-init nor catatonit is installed")
        for name, arguments in peers.items():
            self.assertLess(total, self.memory(name, *arguments)[1], name)
