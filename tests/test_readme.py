#!/usr/bin/env python3
"""The README says what is so: its commands, the applets, the exit codes, the fields.
SPDX-License-Identifier: Apache-2.0

Each ```console block is played in order, in one folder, by one shell that stays; what it prints is
compared with what the README shows. Times and apt's version may differ.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent
SHIMBOX = pathlib.Path(os.environ["SHIMBOX"]).resolve()
README = (TOP / "README.md").read_text()
EXIT = (TOP / "core/base/exit.h").read_text()


def find_blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def split_block(block):
    """The (command, output) pairs of a block."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    assert parts[0] == "", parts[0]
    return list(zip(parts[1::2], parts[2::2]))


def normalise(text):
    text = re.sub(r"^apt \S+ \(\w+\)$", "apt VERSION", text, flags=re.MULTILINE)
    return re.sub(r"^ *\d+ us  ", "  N us  ", text, flags=re.MULTILINE)


def table_below(heading):
    """The rows, as lists of cells, of the first table of a section."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = section[section.index("\n|"):].strip().split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="readme-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "bin").mkdir()
        (self.folder / "bin/shimbox").symlink_to(SHIMBOX)

    def play(self, command):
        environment = dict(os.environ, PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        return done.stdout

    def test_commands(self):
        """All but the demo, which has a test of its own."""
        played = 0
        for block in find_blocks("console"):
            if block.startswith("$ ./build.sh demo\n"):
                continue
            for command, output in split_block(block):
                with self.subTest(command):
                    self.assertEqual(normalise(self.play(command)), normalise(output.rstrip("\n") +
                                     ("\n" if output.strip() else "")))
                played += 1
        self.assertGreater(played, 12)

    def test_demo(self):
        """demo.sh, on a root file system that is there, prints what the README shows of it."""
        rootfs = self.folder / "build/demo/rootfs"
        helper = f'. "{TOP}/tests/lib/helpers.bash"; debian_rootfs "{rootfs}"'
        subprocess.run(["bash", "-c", helper], check=True, stdin=subprocess.DEVNULL)
        shutil.copy(SHIMBOX, self.folder / "build/shimbox")
        (block,) = [b for b in find_blocks("console") if b.startswith("$ ./build.sh demo\n")]
        shown = block.split("\n", 2)[2]
        said = self.play(f"{TOP}/tests/demo.sh build/shimbox")
        self.assertEqual(normalise(said), normalise(shown))

    def test_applets(self):
        rows = [(name.strip("`"), summary) for name, summary in table_below("Applets")]
        listed = self.play("shimbox --help").split("Applets:\n")[1].split("\n\n")[0]
        told = [tuple(line.split(None, 1)) for line in listed.splitlines()]
        self.assertEqual(rows, told)
        self.assertEqual([name for name, _ in rows], self.play("shimbox --list").split())

    def test_exit_codes(self):
        defined = re.findall(r"^#define (EXIT_\w+) +(\d+)(?: +/\* (.*?) \*/)?$", EXIT, re.MULTILINE)
        self.assertEqual(EXIT.count("#define EXIT_"), len(defined))
        rows = table_below("Exit codes")
        self.assertEqual([(f"`{name}`", code) for name, code, _ in defined],
                         [(name, code) for code, name, _ in rows])
        for (name, _, comment), (_, _, when) in zip(defined, rows):
            if comment:
                self.assertEqual(when, comment, name)

    def test_fields(self):
        """What the table calls applied is what core/oci/fields.c has as applied, by last name."""
        known = re.findall(r'\{"(/[^"]+)", (YES|NO)\}', (TOP / "core/oci/fields.c").read_text())
        applied = {part for path, yes in known if yes == "YES" for part in path.split("/")}
        refused = {path.split("/")[-1]: path for path, yes in known if yes == "NO"}
        rows = table_below("What is applied of config.json")
        words = [set(re.findall(r"`([\w.]+)`", " ".join(row[i] for row in rows))) for i in (1, 2)]
        for word in words[0] - {"cgroup", "tmpcopyup"}:
            self.assertTrue(set(word.split(".")) <= applied, word)
        options = {"remount", "idmap", "ridmap", "mand", "resources", "hooks"}
        for word in words[1] - options:
            self.assertIn(word, refused)
        for name, path in refused.items():
            if re.match(r"/(process|linux|hostname|domainname)", path):
                self.assertTrue(name in words[1] or "/resources/" in path or
                                name in {"username", "commandLine"}, path)


if __name__ == "__main__":
    unittest.main()
