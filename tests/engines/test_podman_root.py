#!/usr/bin/env python3
"""podman of root: what it does with containers, from create to rm, with runc and with shimbox.
SPDX-License-Identifier: Apache-2.0

Needs root, podman and runc. Which configs podman makes, and what a container is like inside, is
compared by tests/run/test_podman.py in many variants.
"""

import os
import signal
import unittest

from engine import FULL, RUNTIMES, Terminal, is_frozen
from facts import FACTS, compare_facts, parse_facts
from known import KNOWN, SYSTEM
from podman import IMAGE, PodmanTest

LIFE = """trap "echo got; exit 5" TERM; trap "echo usr1" USR1; trap "trap '' TERM; echo deaf" USR2
echo started; while :; do sleep 0.1; done"""

# Options of podman run, and a program, for the second tier.
OPTIONS = [
    (["--init"], ["cat", "/proc/1/comm"]),
    (["--privileged"], ["grep", "CapEff", "/proc/self/status"]),
    (["-v={folder}/rootfs:/v:O"], ["sh", "-c", "touch /v/new && ls /v"]),
    (["--memory=64m", "--cpus=0.5", "--pids-limit=20"], ["id"]),
    (["--security-opt=seccomp=unconfined"], ["grep", "Seccomp:", "/proc/self/status"]),
    (["--sysctl=net.ipv4.ip_forward=1"], ["cat", "/proc/sys/net/ipv4/ip_forward"]),
    (["--device=/dev/fuse", "--device-cgroup-rule=c 1:3 rwm"], ["ls", "/dev"]),
    (["--group-add=keep-groups"], ["id"]),
    (["--tz=UTC", "--shm-size=1m", "--umask=077"], ["sh", "-c", "umask; df /dev/shm | tail -n 1"]),
    (["--pid=container:other", "--ipc=container:other", "--uts=container:other"], ["cat", "/proc/1/comm"]),
    (["--user=1234:5678", "--workdir=/tmp"], ["sh", "-c", "id; pwd"]),
    (["--cgroupns=host"], ["true"]),
]


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

    def one_by_one(self):
        self.make("run", "runc", "sleep", "1000", options=["-d", "--name=other"])
        for options, words in OPTIONS:
            with self.subTest(options):
                code, _, err = self.run_both(*words, options=[o.format(folder=self.folder) for o in options])
                self.assertEqual((code, err), (0, ""))
        self.ask("rm", "--force", "--time=0", "other")

    def later(self):
        """exec in the background, restart, and a pod whose containers share namespaces."""
        pair = self.make_both("run", "later", "sleep", "1000", options=["-d"])
        for name, runtime in zip(pair, RUNTIMES):
            self.ask("exec", "-d", name, "sh", "-c", "echo text >/made")
            self.wait_for(lambda: self.call_podman("exec", name, "cat", "/made").stdout == "text\n", "nothing is made")
            self.ask("restart", "--time=0", name)
            self.assertEqual(self.ask("exec", name, "cat", "/made"), "text\n")
            self.ask("--runtime", runtime, "pod", "create", f"--name=pod-{runtime}", "--infra-image", IMAGE,
                     "--infra-command=/bin/sleep 1000", "--network=none", "--share=ipc,uts,pid",
                     "--cgroup-parent", self.parent)
            done = self.call_podman("--runtime", runtime, "run", "--rm", f"--pod=pod-{runtime}", "--ulimit=host",
                                    IMAGE, "sh", "-c", "hostname; cat /proc/1/comm; exit 3")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (3, f"pod-{runtime}\nsleep\n", ""))
            self.ask("pod", "rm", "--force", "--time=0", f"pod-{runtime}")
        self.ask("rm", "--force", "--time=0", *pair)

    if FULL:
        test_options_one_by_one, test_later = one_by_one, later

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
