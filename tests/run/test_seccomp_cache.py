#!/usr/bin/env python3
"""Compiled filters that are kept: used when they are whole and ours, made anew otherwise.
SPDX-License-Identifier: Apache-2.0

Whether one was made or found is told by --trace; what it does, by the container.
"""

import os
import pathlib
import subprocess
import unittest

from container import AS_ROOT, ContainerTest
from test_seccomp import number, profile, rule

MADE, FOUND = True, False
CALL = f"call={number('getppid')}"
KEY = CALL.replace("=", ":")


class Cache(ContainerTest):
    def setUp(self):
        super().setUp()
        self.state = pathlib.Path(self.dir) / "cached"
        self.folder = self.state / ".seccomp"
        self.addCleanup(subprocess.run, ["rm", "-rf", str(self.state)], check=True)

    def seccomp(self, number_to_return=80):
        return profile("ALLOW", rule("ERRNO", "getppid", errnoRet=number_to_return))

    def run_filtered(self, seccomp, *options, as_user=False, state=None):
        """Returns what the call said, and whether a filter was made."""
        config = self.user_config(CALL) if as_user else self.config(CALL)
        config["linux"]["seccomp"] = seccomp
        trace = f"{self.dir}/wrapped"
        pathlib.Path(trace).write_text(
            "#!/bin/sh\nshimbox=$1; shift\n"
            f"exec \"$shimbox\" --root {state or self.state} --trace \"$@\"\n")
        os.chmod(trace, 0o755)
        result = self.run_config(config, *options, prefix=["sh", trace], as_user=as_user)
        self.assertEqual(result.status, 0, result)
        return result.facts[KEY], "compile the filter" in result.stderr

    def expect(self, expected, *arguments, **more):
        self.assertEqual(self.run_filtered(*arguments, **more), expected)

    def only_file(self):
        files = [entry for entry in self.folder.iterdir()]
        self.assertEqual(len(files), 1, files)
        return files[0]

    def test_kept_and_found(self):
        """With an ID only; each profile has its own, and the folder is nobody else's."""
        self.expect(("E080", MADE), self.seccomp())
        self.assertFalse(self.state.exists())
        self.expect(("E080", MADE), self.seccomp(), "one")
        self.expect(("E080", FOUND), self.seccomp(), "two")
        self.expect(("E081", MADE), self.seccomp(81), "one")
        self.expect(("E080", FOUND), self.seccomp(), "one")
        other = self.seccomp()
        # What the program does not depend on is not asked for.
        other["flags"], other["listenerPath"] = ["SECCOMP_FILTER_FLAG_LOG"], "/x"
        self.expect(("E080", FOUND), other, "one")
        self.assertEqual(self.folder.stat().st_mode & 0o7777, 0o700)
        self.assertEqual(sorted(entry.name for entry in self.state.iterdir()), [".seccomp"])
        for entry in self.folder.iterdir():
            self.assertEqual(entry.stat().st_mode & 0o7777, 0o600)
            self.assertRegex(entry.name, "^[0-9a-f]{16}$")

    def test_tampered(self):
        """Made anew, put in its place, and found from then on."""
        self.expect(("E081", MADE), self.seccomp(81), "one")
        foreign = self.only_file().read_bytes()
        self.only_file().unlink()
        self.expect(("E080", MADE), self.seccomp(), "one")
        file = self.only_file()
        good = file.read_bytes()
        elsewhere = pathlib.Path(self.dir) / "elsewhere"

        def change(text):
            return lambda: file.write_bytes(text)

        def link():
            elsewhere.write_bytes(good)
            elsewhere.chmod(0o600)
            file.unlink()
            file.symlink_to(elsewhere)

        def flip(at):
            return good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]

        cases = {
            "empty": change(b""), "header only": change(good[:24]), "truncated": change(good[:-8]),
            "longer": change(good + b"\0" * 8), "another profile's": change(foreign),
            "magic": change(flip(0)), "length of the profile": change(flip(8)),
            "length of the program": change(flip(12)), "checksum": change(flip(16)),
            "profile": change(flip(30)), "program": change(flip(len(good) - 1)),
            "huge": change(good[:8] + b"\xff" * 8 + good[16:]),
            "writable by the group": lambda: file.chmod(0o620),
            "writable by others": lambda: file.chmod(0o602), "a link": link,
            "a fifo": lambda: (file.unlink(), os.mkfifo(file, 0o600)),
        }
        if AS_ROOT:
            cases["another owner's"] = lambda: os.chown(file, 12345, 0)
        for name, spoil in cases.items():
            with self.subTest(name):
                spoil()
                self.expect(("E080", MADE), self.seccomp(), "one")
                self.assertEqual(self.only_file().read_bytes(), good)
                self.assertFalse(self.only_file().is_symlink())
                self.expect(("E080", FOUND), self.seccomp(), "one")
        elsewhere.unlink()

    def test_folder(self):
        """One that others can write to is not used, nor is a link, nor a file; nothing is lost."""
        self.state.mkdir(mode=0o711)
        for make in (lambda: (self.folder.mkdir(), self.folder.chmod(0o777)),
                     lambda: self.folder.symlink_to(self.dir), self.folder.touch):
            make()
            self.expect(("E080", MADE), self.seccomp(), "one")
            self.expect(("E080", MADE), self.seccomp(), "one")
            if self.folder.is_dir() and not self.folder.is_symlink():
                self.assertEqual(list(self.folder.iterdir()), [])
                self.folder.rmdir()
            else:
                self.folder.unlink()

    def test_bounded(self):
        """Ever new profiles do not fill the disk."""
        self.expect(("E080", MADE), self.seccomp(), "one")
        for index in range(63):
            (self.folder / f"{index:016x}").touch()
        self.expect(("E081", MADE), self.seccomp(81), "one")
        self.assertEqual(len(list(self.folder.iterdir())), 1)
        self.expect(("E081", FOUND), self.seccomp(81), "one")

    def test_left_behind(self):
        """What a run that was killed has left is in nobody's way."""
        self.expect(("E080", MADE), self.seccomp(), "one")
        (self.folder / "new.1").touch()
        self.expect(("E080", FOUND), self.seccomp(), "one")
        self.expect(("E081", MADE), self.seccomp(81), "one")

    def test_user(self):
        """An ordinary user has a cache of their own."""
        user = self.need_user()
        state = pathlib.Path(self.dir) / "user-state"
        state.mkdir()
        os.chown(state, user.uid, user.gid)
        self.addCleanup(subprocess.run, ["rm", "-rf", str(state)], check=True)
        for expected in (MADE, FOUND):
            self.expect(("E080", expected), self.seccomp(), "one", as_user=True, state=state)


if __name__ == "__main__":
    unittest.main()
