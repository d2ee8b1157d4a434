#!/usr/bin/env python3
"""podman of root: what it does with containers, from create to rm, with runc and with shimbox.
SPDX-License-Identifier: Apache-2.0

Needs root, podman and runc. Which configs podman makes, and what a container is like inside, is
compared by tests/run/test_podman.py in many variants.
"""

import os
import signal
import unittest

from engine import RUNTIMES, Terminal, is_frozen
from facts import FACTS, compare_facts, parse_facts
from known import KNOWN, SYSTEM
from podman import PodmanTest

LIFE = """trap "echo got; exit 5" TERM; trap "echo usr1" USR1; trap "trap '' TERM; echo deaf" USR2
echo started; while :; do sleep 0.1; done"""


class Root(PodmanTest):
    @classmethod
    def start_engine(cls):
        cls.options = ("--cgroup-parent", cls.parent)
        super().start_engine()

    def compare(self, outputs, known=KNOWN):
        """Facts of runc and of shimbox. Returns the latter."""
        peer, ours = ({k: v for k, v in parse_facts(text).items() if not SYSTEM.fullmatch(k)} for text in outputs)
        self.assertGreater(len(ours), 100)
        lines = compare_facts(peer, ours, known)
        self.assertEqual(lines, [], "\n" + "\n".join(lines))
        return ours

    def test_life(self):
        pair = self.make_both("create", "life", "sh", "-c", LIFE)
        self.check_states(pair, "created")
        self.ask("start", *pair)
        self.wait_logs(pair, "started\n")
        self.ask("kill", "--signal=USR1", *pair)
        self.wait_logs(pair, "started\nusr1\n")
        self.ask("pause", *pair)
        self.assertTrue(all(is_frozen(pid) for pid in self.check_states(pair, "paused")))
        self.ask("unpause", *pair)
        self.assertFalse(any(is_frozen(pid) for pid in self.check_states(pair, "running")))
        self.ask("stop", "--time=30", *pair)
        self.check_states(pair, "exited", 5)
        self.wait_logs(pair, "started\nusr1\ngot\n")
        self.assertEqual([self.ask("logs", name) for name in pair], ["started\nusr1\ngot\n"] * 2)
        # By SIGKILL when its time is over; from outside; and removed while it is paused.
        self.ask("start", *pair)
        self.wait_logs(pair, "started\nusr1\ngot\nstarted\n")
        self.ask("kill", "--signal=USR2", *pair)
        self.wait_logs(pair, "started\nusr1\ngot\nstarted\ndeaf\n")
        self.call_podman("stop", "--time=1", *pair)
        self.check_states(pair, "exited", 137)
        self.ask("start", *pair)
        for pid in self.check_states(pair, "running"):
            os.kill(pid, signal.SIGKILL)
        self.ask("wait", *pair)
        self.check_states(pair, "exited", 137)
        self.ask("start", *pair)
        self.ask("pause", *pair)
        self.ask("rm", "--force", "--time=0", *pair)
        self.assertEqual(self.states(), [])

    def test_exec(self):
        """What later programs are like, and how they end; one of them has a terminal."""
        pair = self.make_both("run", "exec", "sleep", "1000", options=["-d", "--init"])
        self.compare([self.ask("exec", name, "probe", *FACTS) for name in pair])
        ours = self.compare([self.ask("exec", "--user=user", "--env=A=b", "--workdir=/home/user", name, "probe",
                                      *FACTS) for name in pair])
        self.assertEqual((ours["uid"], ours["env.A"], ours["cwd"]), ("1000", "b", "/home/user"))
        for words, code in ((("sh", "-c", "exit 9"), 9), (("nothing",), 127)):
            self.assertEqual([self.call_podman("exec", name, *words).returncode for name in pair], [code] * 2)
        for name in pair:
            with self.subTest(name):
                self.talk(name)
        self.ask("rm", "--force", "--time=0", *pair)

    def talk(self, name):
        """On a terminal: its size first and later, both directions, the exit code. podman sets the
        size when the program has started already."""
        script = """size() { echo "size $(stty size)"; [ "$(stty size)" != "22 99" ] || exit 7; }
            trap size WINCH; until [ "$(stty size)" = "33 111" ]; do sleep 0.1; done
            echo ready; read line; echo "<$line>"; while :; do sleep 0.1; done"""
        terminal = Terminal(self.command("exec", "-it", name, "sh", "-c", script), (111, 33), env=self.environment)
        terminal.read_until("ready")
        terminal.write("words\n")
        terminal.read_until("<words>")
        terminal.resize(99, 22)
        terminal.read_until("size 22 99")
        self.assertEqual(terminal.end(), 7)

    def test_options(self):
        """Many in one container, whose facts are compared."""
        volume = self.folder / "volume"
        volume.mkdir()
        (volume / "file").write_text("text")
        options = ["--rm", "--uidmap=0:200000:65536", "--gidmap=0:300000:65536", "--read-only", "--cap-drop=all",
                   "--tmpfs=/scratch:size=1m,mode=1770", f"-v={volume}:/data:ro"]
        outputs = []
        for runtime in RUNTIMES:
            code, out, err = self.make("run", runtime, "probe", *FACTS, "read=/data/file", "stat=/data/file",
                                       "open=/scratch/new,create", "open=/new,create", options=options)
            self.assertEqual((code, err), (0, ""))
            outputs.append(out)
        ours = self.compare(outputs)
        self.assertEqual((ours["ns.user"], ours["caps.bnd"], ours["read:/data/file"]), ("other", "0" * 16, "text"))
        self.assertEqual((ours["open:/scratch/new"], ours["open:/new"]), ("ok", "EROFS"))
        # runc 1.1 passes over the option for an idmapped mount, with which it is the file of uid 0 inside, too.
        self.assertEqual(ours["stat:/data/file.uid"], "65534")
        options[-1] = f"-v={volume}:/data:idmap"
        code, out, err = self.make("run", "shimbox", "probe", "stat=/data/file", options=options)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual([parse_facts(out)[f"stat:/data/file.{key}"] for key in ("uid", "gid")], ["0", "0"])

    def test_ends(self):
        """How a program ends, or cannot begin: the codes of podman follow from the runtime's words."""
        self.assertEqual(self.run_both("sh", "-c", "echo out; echo err >&2; exit 3"), (3, "out\n", "err\n"))
        self.assertEqual(self.run_both("tty", options=["-t"]), (0, "/dev/pts/0\n", ""))
        for program, code in (("nothing", 127), ("/etc", 126)):
            for runtime in RUNTIMES:
                status, out, err = self.make("run", runtime, program, options=["--rm"])
                self.assertEqual((status, out), (code, ""), err)
                self.assertIn(program, err)


if __name__ == "__main__":
    unittest.main()
