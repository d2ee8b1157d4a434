#!/usr/bin/env python3
"""Every operation in every state of a container: what it answers, and what it changes. runtime-spec,
runtime.md; the words are runc's, which engines look for.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib

from lifecycle import LifecycleTest, process_state

MISSING = "container does not exist"
RUNNING = "cannot delete container c that is not stopped: running"

# operation: state before: the error, or None; and the state after, where that is another one.
TABLE = {
    ("state", "c"): {"missing": MISSING, "created": None, "running": None, "stopped": None},
    ("start", "c"): {"missing": MISSING, "created": (None, "running"),
                     "running": "cannot start an already running container",
                     "stopped": "cannot start a container that has stopped"},
    ("kill", "c", "0"): {"missing": MISSING, "created": None, "running": None,
                         "stopped": "container not running"},
    ("kill", "c"): {"missing": MISSING, "created": (None, "stopped"), "running": (None, "stopped"),
                    "stopped": "container not running"},
    ("kill", "c", "KILL"): {"missing": MISSING, "created": (None, "stopped"),
                            "running": (None, "stopped"), "stopped": "container not running"},
    ("kill", "--all", "c", "9"): {"missing": MISSING, "created": (None, "stopped"),
                                  "running": (None, "stopped"), "stopped": None},
    ("delete", "c"): {"missing": MISSING, "created": (None, "missing"), "running": RUNNING,
                      "stopped": (None, "missing")},
    ("delete", "--force", "c"): {"missing": None, "created": (None, "missing"),
                                 "running": (None, "missing"), "stopped": (None, "missing"),
                                 "paused": (None, "missing")},
    ("create", "c"): {"missing": (None, "created"), "created": "container ID c is in use",
                      "running": "container ID c is in use", "stopped": "container ID c is in use"},
    ("run", "--detach", "c"): {"missing": (None, "running"), "created": "container ID c is in use",
                               "running": "container ID c is in use",
                               "stopped": "container ID c is in use"},
    ("pause", "c"): {"missing": MISSING, "created": (None, "paused"), "running": (None, "paused"),
                     "stopped": "container not running", "paused": None},
    ("resume", "c"): {"missing": MISSING, "created": "container not paused",
                      "running": "container not paused", "stopped": "container not running",
                      "paused": (None, "running")},
    ("update", "c"): {"missing": MISSING, "created": None, "running": None,
                      "stopped": "container not running", "paused": None},
    ("ps", "c"): {"missing": MISSING, "created": None, "running": None, "stopped": None},
    ("list",): {"missing": None, "created": None, "running": None, "stopped": None},
}


class Operations(LifecycleTest):
    def reach(self, state):
        """Bring a new container into that state. Returns the pid of its process, None without one."""
        if state == "missing":
            return None
        pid = self.create("c")
        if state == "running":
            self.good("start", "c")
        elif state == "paused":
            self.good("start", "c")
            self.good("pause", "c")
        elif state == "stopped":
            self.good("start", "c")
            self.stop("c")
        if state == "running":
            self.wait_ready(pid)
        return pid

    def found(self):
        """The state that /proc and the files tell."""
        if not pathlib.Path(self.root, "c").exists():
            return "missing"
        pid = self.record("c")["init"]["pid"]
        if process_state(pid) in (None, "Z", "X"):
            return "stopped"
        if self.is_frozen(pid):
            return "paused"
        return "running" if b"sigwait" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() else "created"

    @staticmethod
    def is_frozen(pid):
        """By the version 2 cgroup that the kernel says it is in."""
        line = [l for l in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines() if l.startswith("0::")]
        for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            events = pathlib.Path(mount + line[0][3:], "cgroup.events")
            if events.exists():
                return "frozen 1" in events.read_text()
        return False

    def test_table(self):
        """What leaves the state as it is, is asked one after the other of the same container."""
        for before in sorted({state for row in TABLE.values() for state in row}):
            rows = [(operation, row[before]) for operation, row in TABLE.items() if before in row]
            with self.subTest("unchanged", before=before):
                pid = self.reach(before)
                for operation, expected in rows:
                    if not isinstance(expected, tuple):
                        with self.subTest(" ".join(operation), before=before):
                            self.check(operation, pid, expected, before)
                self.remove(before, pid)
            for operation, expected in rows:
                if isinstance(expected, tuple):
                    with self.subTest(" ".join(operation), before=before):
                        pid = self.reach(before)
                        self.check(operation, pid, *expected)
                        self.remove(expected[1], pid)

    def remove(self, state, pid):
        if state == "missing" and pid:
            self.wait_stopped(pid)
        self.good("delete", "--force", "c")
        self.reap()

    def check(self, operation, pid, error, after):
        words = [operation[0], *(("--bundle", self.bundle) if operation[0] in ("create", "run") else ()),
                 *operation[1:]]
        if error:
            self.bad(error, *words)
        elif operation[0] in ("create", "run"):
            # Its standard streams stay open as long as it lives.
            with open(f"{self.dir}/out", "w", encoding="utf-8") as file:
                self.assertEqual(self.detached(words, file), 0)
        else:
            self.good(*words)
        if after == "stopped" and pid:
            self.wait_stopped(pid)
        if after == "running":
            # The program may be about to be executed yet.
            self.wait_for(lambda: self.found() == after, "it does not run")
        self.assertEqual(self.found(), after)
        if after != "missing":
            self.assertEqual(self.status("c"), after)
            self.assertEqual(self.state("c")["pid"], 0 if after == "stopped" else
                             self.record("c")["init"]["pid"])

    def detached(self, words, file):
        process = os.posix_spawn(
            self.shimbox, [self.shimbox, "--root", self.root, *words], os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)])
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def test_usage(self):
        """Wrong usage: 1, and nothing happens."""
        for message, *words in (
                ("one container ID is wanted, 0 are given", "state"),
                ("one container ID is wanted, 2 are given", "state", "a", "b"),
                ("one container ID is wanted, 0 are given", "start"),
                ("one container ID is wanted, 0 are given", "create"),
                ("one container ID is wanted, 2 are given", "create", "a", "b"),
                ("no container ID is given", "kill"),
                ("unexpected argument 'x'", "kill", "a", "TERM", "x"),
                ("no container ID is given", "delete"),
                ("no container ID is given", "ps"),
                ("options of ps are not supported", "ps", "a", "-o"),
                ("unknown word 'xml': table or json", "ps", "--format", "xml", "a"),
                ("unknown word 'xml': table or json", "list", "--format", "xml"),
                ("unexpected argument 'a'", "list", "a"),
                ("container ID '../a' is not allowed", "state", "../a"),
                ("container ID '.' is not allowed", "delete", "--force", "."),
                ("container ID 'a/b' is not allowed", "create", "a/b"),
                ("container ID '' is not allowed", "kill", ""),
                ("--detach: needs a container ID", "run", "--detach"),
                ("--keep: needs a container ID", "run", "--keep"),
                ("is no regular expression", "delete", "--regex", "a[")):
            with self.subTest(" ".join(words)):
                self.bad(message, *words)
        self.assertFalse(os.path.exists(self.root))

    def test_signals(self):
        """Names with and without SIG, in any case, and numbers; the process says what it gets."""
        output = f"{self.dir}/signals"
        self.create("c", output=output)
        self.good("start", "c")
        self.wait_for(lambda: "ready" in pathlib.Path(output).read_text(), "no start")
        expected = []
        for name, number in (("USR1", 10), ("SIGUSR2", 12), ("sighup", 1), ("int", 2), ("28", 28),
                             ("RTMIN", 34), ("RTMAX-1", 63)):
            self.good("kill", "c", name)
            expected.append(number)
            self.wait_for(lambda: len(self.signals(output)) == len(expected), name)
            self.assertEqual(self.signals(output), expected)
        for name in ("FOO", "SIG", "99", "-1", "", "SIGSIGHUP", "1x"):
            with self.subTest(name):
                self.bad(f'unknown signal "{name}"', "kill", "--", "c", name)
        self.assertEqual(self.signals(output), expected)
        self.good("delete", "--force", "c")

    @staticmethod
    def signals(output):
        lines = pathlib.Path(output).read_text().splitlines()
        return [int(line.split("=")[1].split()[0]) for line in lines if line.startswith("signal=")]

    def test_several(self):
        """Several IDs, and regular expressions; what fails does not keep the others."""
        for name in ("a1", "a2", "b1", "b2"):
            self.create(name)
        self.good("start", "b1")
        result = self.shim("delete", "a1", "no", "b1", "a2")
        self.assertEqual((result.status, result.stdout), (1, ""))
        self.assertEqual(result.stderr.splitlines(),
                         ["shimbox delete: no: container does not exist",
                          "shimbox delete: cannot delete container b1 that is not stopped: running"])
        self.assertEqual(self.good("list", "--quiet"), "b1\nb2\n")
        self.good("delete", "--regex", "^b2$|^z")
        self.assertEqual(self.good("list", "--quiet"), "b1\n")
        self.good("delete", "--force", "--regex", "^b[0-9]$", "nothing")
        self.assertEqual(os.listdir(self.root), [])


if __name__ == "__main__":
    __import__("unittest").main()
