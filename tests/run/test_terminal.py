#!/usr/bin/env python3
"""run: process.terminal and consoleSize, before a caller's terminal and without one.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import json
import os
import tempfile

from caller import Caller, input_waiting
from container import ContainerTest, parse_facts

PTS = {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
       "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}


class TerminalTest(ContainerTest):
    def terminal_config(self, *facts, make=None):
        config = (make or self.config)(*facts)
        config["process"]["terminal"] = True
        config["mounts"].append(dict(PTS))
        return config

    def shell(self, script, **more):
        config = self.terminal_config(**more)
        config["process"]["args"] = ["/bin/sh", "-c", script]
        return config

    def callers(self, *facts):
        yield "root", self.terminal_config(*facts), {}
        yield "mapped", self.map_user(self.terminal_config(*facts), [(0, 100000, 65536)]), {}
        yield "user", self.terminal_config(*facts, make=self.user_config), {"as_user": True}

    def command(self, config, *options):
        with tempfile.NamedTemporaryFile("w", dir=self.dir, suffix=".json", delete=False) as file:
            json.dump(config, file)
        os.chmod(file.name, 0o644)
        return [self.shimbox, "run", "--config", file.name, *options]

    @contextlib.contextmanager
    def call(self, config, *options, as_user=False, **more):
        """Run it before a terminal, which must be as it was in the end."""
        if as_user:
            more.update(preexec=self.need_user().preexec, cwd="/")
        with Caller(self.command(config, *options), **more) as caller:
            yield caller
            if caller.process.poll() is not None:
                self.assertEqual(caller.modes(), caller.before)
                self.assertEqual(input_waiting(caller.terminal), 0)

    def ask_terminal(self, config, *options, code=0, **more):
        """Run it to its end and return the facts that are shown."""
        with self.call(config, *options, **more) as caller:
            status, text = caller.finish()
        self.assertEqual(status, code, text)
        return parse_facts(text.replace("\r\n", "\n"))


class Inside(TerminalTest):
    """What the program has."""

    FACTS = ("tty", "fds", "sid", "pid", "pgroup-of-tty", "stat=/dev/console", "stat=/dev/pts/0",
             "list=/dev/pts", "stat=/dev/tty", "mount=/dev/console")

    def test_facts(self):
        for title, config, more in self.callers(*self.FACTS):
            with self.subTest(title):
                facts = self.ask_terminal(config, **more)
                for fd in range(3):
                    self.assertEqual(facts[f"tty.{fd}"], "yes")
                    self.assertEqual(facts[f"tty.{fd}.size"], "101x33")
                    self.assertEqual(facts[f"fds.{fd}"], "char:136:0,rw")
                self.assertEqual(facts["fds"], "0 1 2")
                self.assertEqual(facts["tty.controlling"], "ok")
                self.assertEqual((facts["sid"], facts["pgroup-of-tty"]), ("1", "1"))
                self.assertEqual(facts["list:/dev/pts"], "0 ptmx")
                for path in ("/dev/console", "/dev/pts/0"):
                    self.assertEqual(facts[f"stat:{path}.rdev"], "136:0")
                    self.assertEqual(facts[f"stat:{path}.mode"], "0620")
                    self.assertEqual(facts[f"stat:{path}.uid"], "0")
                self.assertEqual(facts["mount:/dev/console.type"], "devpts")


if __name__ == "__main__":
    import unittest
    unittest.main()
