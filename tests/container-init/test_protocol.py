#!/usr/bin/env python3
"""container-init: its messages, each in its place; and a parent that says what it should not.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys

from foreign import HERE, SECONDS, ForeignTest
from parent import ANSWERS

PLAIN = ["configured", "pid", "hooks", "ready", "running", "exited"]


class Messages(ForeignTest):
    def mountpoints(self, pid):
        return [line.split()[4] for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]

    def test_all(self):
        """Every message, and what has been done and what has not when it comes."""
        for title, config in self.kinds("print=up", "uid", "rlimits", "fds", "pid"):
            with self.subTest(title):
                config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 17, "hard": 19}]
                parent = self.begin(config)
                self.assertEqual(parent.receive(), {"type": "configured", "version": 1, "mounts": 2})
                self.assertEqual(parent.fds, [])
                parent.send("begin")
                message = parent.receive()
                pid = message["pid"]
                self.assertEqual(message, {"type": "pid", "pid": pid})
                self.assertEqual(len(parent.fds), 1)
                fdinfo = pathlib.Path(f"/proc/self/fdinfo/{parent.fds[0]}").read_text()
                self.assertIn(f"\nPid:\t{pid}\n", fdinfo)
                if title == "mapped":
                    self.assertEqual(pathlib.Path(f"/proc/{pid}/uid_map").read_text(), "")
                before = self.mountpoints(pid)
                parent.send("pid-done")
                self.assertEqual(parent.receive(), {"type": "hooks"})
                self.assertEqual(self.mountpoints(pid)[:len(before)], before)
                self.assertEqual(self.mountpoints(pid)[len(before):][:3], ["/", "/proc", "/dev"])
                self.assertTrue(os.path.samefile(f"/proc/{pid}/root/", "/"))
                self.assertNotEqual(resource.prlimit(pid, resource.RLIMIT_NOFILE), (17, 19))
                parent.send("hooks-done")
                self.assertEqual(parent.receive(), {"type": "ready"})
                self.assertEqual(resource.prlimit(pid, resource.RLIMIT_NOFILE), (17, 19))
                parent.send("run")
                self.assertEqual(parent.receive(), {"type": "running"})
                self.assertEqual(parent.receive(), {"type": "exited", "status": 0})
                self.assertIsNone(parent.receive())
                result = self.result(parent)
                self.assertEqual((result.status, result.stderr), (0, ""))
                self.assertTrue(result.stdout.startswith("up\n"), result.stdout)
                self.assertEqual(result.facts["fds"], "0 1 2")
                self.assertEqual(result.facts["rlimits.nofile.soft"], "17")
                self.assertEqual(result.facts["pid"], "1")

    def test_status(self):
        """Of the program: its exit code, or its signal."""
        for fact, message in (("exit=7", {"status": 7}), ("exit=137", {"status": 137}),
                              ("raise=9", {"status": 137, "signal": 9})):
            config = self.config(fact)
            config["linux"]["namespaces"].remove({"type": "pid"})
            parent = self.begin(config)
            self.assertEqual(parent.rest()[-1], {"type": "exited", **message})
            self.assertEqual(self.result(parent).status, message["status"])

    def test_signals(self):
        """What container-init gets, the program gets."""
        parent = self.begin(self.config("sigwait"))
        self.assertEqual(parent.until("running"), {"type": "running"})
        self.assertEqual(parent.process.stdout.readline(), "sigwait=ready\n")
        parent.process.send_signal(signal.SIGUSR1)
        self.assertRegex(parent.process.stdout.readline(), "^signal=10 ")
        parent.process.terminate()
        self.assertEqual(parent.receive(), {"type": "exited", "status": 0})

    def test_console(self):
        """The master comes with its message, before "ready"; the size is the config's."""
        config = self.config("tty", "print=typed", "exit=3")
        config["process"]["terminal"] = True
        config["process"]["consoleSize"] = {"height": 17, "width": 61}
        config["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                 "options": ["newinstance", "ptmxmode=0666", "mode=0620"]})
        parent = self.begin(config)
        parent.until("console")
        master = os.dup(parent.fds[0])
        self.addCleanup(os.close, master)
        self.assertEqual(len(parent.fds), 1)
        self.assertEqual([message["type"] for message in parent.rest()], ["ready", "running", "exited"])
        shown = b""
        while b"typed" not in shown:
            shown += os.read(master, 4096)
        self.assertIn(b"tty.0=yes", shown)
        self.assertIn(b"tty.0.size=61x17", shown)
        result = self.result(parent)
        self.assertEqual((result.status, result.stdout, result.stderr), (3, "", ""))

    def test_errors(self):
        """At any time: the same as on stderr, in parts."""
        def break_json(config):
            config["process"]["cwd"] = 7

        def break_limit(config):
            config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 2 ** 40}]

        def break_program(config):
            config["process"]["args"] = ["nothing"]

        def break_mount(config):
            config["mounts"].append({"destination": "/mnt", "type": "bind", "source": "/no/such",
                                     "options": ["bind"]})

        def break_uid(config):
            config["process"]["user"]["uid"] = 70000

        for change, seen, wanted in (
            (break_json, [], {"code": 125, "field": "/process/cwd", "step": "read configuration"}),
            (break_limit, PLAIN[:3], {"code": 125, "errno": 1, "field": "/process/rlimits",
                                      "step": "set limits"}),
            (break_program, PLAIN[:4], {"code": 127, "errno": 2, "field": "/process/args",
                                        "step": "execute program"}),
            (break_mount, PLAIN[:1], {"code": 125, "errno": 2, "field": "/mounts/2/source",
                                      "step": "prepare"}),
            (break_uid, PLAIN[:4], {"code": 125, "errno": 22, "field": "/process/user",
                                    "step": "become user"}),
        ):
            with self.subTest(change.__name__):
                config = self.map_user(self.config("print=never"), [(0, 100000, 65536)])
                change(config)
                parent = self.begin(config)
                messages = parent.rest()
                self.assertEqual([message["type"] for message in messages], [*seen, "error"])
                error = messages[-1]
                self.assertTrue(wanted.items() <= error.items(), error)
                result = self.result(parent)
                self.assertEqual((result.status, result.stdout), (wanted["code"], ""))
                self.assertIn(error["text"], result.stderr)
                self.assertTrue(result.stderr.startswith("shimbox container-init: "), result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)


class Wrong(ForeignTest):
    """What a parent says where an answer is due ends everything, and is named."""

    def answers(self, due):
        """What not to say, with how many descriptors, and what is said of it."""
        other = "run" if due != "run" else "begin"
        right = json.dumps({"type": due}).encode()
        return (
            (b"no JSON", 0, "message of the parent:1:"),
            (right[:-1], 0, "message of the parent:1:"),
            (right + b" {}", 0, "message of the parent:1:"),
            (b"[]", 0, "message of the parent: expected an object, found an array"),
            (b"null", 0, "message of the parent: /type: missing"),
            (b"{}", 0, "message of the parent: /type: "),
            (b'{"type":7}', 0, "message of the parent: /type: "),
            (right[:-1] + b', "type": "run"}', 0, "message of the parent:1:"),
            (right[:-1] + b', "more": 1}', 0, "members that are not known"),
            (right[:-1] + b', "index": 0}', 0, f"'{due}' with an index, which it does not take"),
            (right[:-1] + b', "index": -1}', 0, "message of the parent: /index: "),
            (json.dumps({"type": other}).encode(), 0, f"the parent says '{other}' where '{due}' is due"),
            (json.dumps({"type": "\n" * 90}).encode(), 0, "is due"),
            (right + b" " * 500, 0, "more than 512 bytes"),
            (right + b" " * 100000, 0, "more than 512 bytes"),
            (right, 1, f"'{due}' with a descriptor, which it does not take"),
            (right, 2, "more than one descriptor"),
            (right, 9, "more than one descriptor"),
            (b"", 0, "the parent is gone"),
        )

    def refused(self, parent, message, seen=None, outputs=("",)):
        """It says so in its last message and on stderr, and ends. outputs: what the program may have said."""
        messages = []
        while (heard := parent.receive()) is not None:
            messages.append(heard)
        self.assertEqual(messages[-1]["type"], "error", messages)
        if seen is not None:
            self.assertEqual([each["type"] for each in messages[:-1]], seen)
        self.assertEqual(messages[-1]["code"], 125)
        result = self.result(parent)
        self.assertIn(message, result.stderr)
        self.assertEqual((result.status, result.stderr.count("\n")), (125, 1), result)
        self.assertIn(result.stdout, outputs)

    def test_instead_of_answers(self):
        config = self.config("print=never")
        for kind, due in ANSWERS.items():
            for packet, count, message in self.answers(due):
                with self.subTest(due, packet=packet[:40], count=count):
                    parent = self.begin(config)
                    parent.until(kind)
                    parent.send_bytes(packet, [0] * count)
                    self.refused(parent, message, [])

    def test_twice(self):
        """Two answers at once: the second is nobody's, or the next one's."""
        for kind, due in ANSWERS.items():
            with self.subTest(due):
                parent = self.begin(self.config("sigwait"))
                parent.until(kind)
                parent.send(due)
                parent.send(due)
                # After the last one the program may be quicker.
                self.refused(parent, f"the parent says '{due}' where ",
                             outputs=("", "sigwait=ready\n") if due == "run" else ("",))

    def test_while_running(self):
        parent = self.begin(self.config("sigwait"))
        parent.until("running")
        self.assertEqual(parent.process.stdout.readline(), "sigwait=ready\n")
        parent.send("run")
        self.refused(parent, "the parent says 'run' where nothing is due", [])

    def test_all_at_once(self):
        """A parent that does not wait for questions is out of order."""
        parent = self.begin(self.config("sigwait"))
        for answer in ANSWERS.values():
            parent.send(answer)
        self.refused(parent, "where ")


class Deaths(ForeignTest):
    """Whoever is killed at whatever message: the others end, and nothing is left."""

    def points(self):
        for title, config in self.kinds("sigwait"):
            for kind in PLAIN[:-1]:
                yield title, config, kind

    def pid_of(self, parent, kind):
        """Play up to that message; returns the container's pid, None as long as there is none."""
        pid = None
        while True:
            message = parent.receive()
            if message["type"] == "pid":
                pid = message["pid"]
            if message["type"] == kind:
                return pid
            parent.answer(message)

    def test_the_parent(self):
        for title, config, kind in self.points():
            with self.subTest(title, at=kind):
                command = [self.shimbox, "container-init", "--config", self.write(config), "--sync-fd",
                           "SYNC"]
                parent = subprocess.Popen([sys.executable, HERE / "parent.py", kind, *command],
                                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                line = parent.stdout.readline()
                if line == "sigwait=ready\n": # the program was quicker
                    line = parent.stdout.readline()
                self.assertEqual(json.loads(line)["type"], kind)
                parent.kill()
                # Everybody who could write to it has ended.
                self.assertIn(parent.stdout.read(), ("", "sigwait=ready\n"))
                parent.stdout.close()
                parent.wait(timeout=SECONDS)
                self.wait_for(lambda: self.left_over() == self.before, "something is left")

    def test_the_end_of_the_socket(self):
        for title, config, kind in self.points():
            with self.subTest(title, at=kind):
                parent = self.begin(config)
                pid = self.pid_of(parent, kind)
                parent.close()
                result = self.result(parent)
                self.assertEqual(result.status, 125)
                self.assertIn("the parent", result.stderr)
                if pid:
                    self.wait_gone(pid)

    def test_the_child(self):
        for title, config, kind in self.points():
            if kind == "configured":
                continue
            with self.subTest(title, at=kind):
                parent = self.begin(config)
                pid = self.pid_of(parent, kind)
                self.kill(pid)
                messages = []
                while (message := parent.receive()) is not None:
                    messages.append(message)
                result = self.result(parent)
                if kind == "running":
                    self.assertEqual(messages, [{"type": "exited", "status": 137, "signal": 9}])
                    self.assertEqual(result.status, 137)
                else:
                    self.assertEqual([each["type"] for each in messages], ["error"])
                    self.assertIn("process ended during its set-up", messages[0]["text"])
                    self.assertEqual((result.status, result.stdout), (125, ""))

    def test_container_init(self):
        for title, config, kind in self.points():
            with self.subTest(title, at=kind):
                parent = self.begin(config)
                pid = self.pid_of(parent, kind)
                parent.process.kill()
                self.assertIsNone(parent.receive())
                self.assertIn(self.result(parent).stdout, ("", "sigwait=ready\n"))
                if pid:
                    self.wait_gone(pid)

    def test_asked_to_end(self):
        """SIGTERM during the set-up ends it."""
        for title, config, kind in self.points():
            if kind in ("configured", "running"):
                continue
            with self.subTest(title, at=kind):
                parent = self.begin(config)
                pid = self.pid_of(parent, kind)
                parent.process.terminate()
                message = parent.receive()
                self.assertEqual(message["type"], "error")
                self.assertIn("ended by signal 15", message["text"])
                self.assertEqual(self.result(parent).status, 125)
                self.wait_gone(pid)


class Sockets(ForeignTest):
    """Descriptors that are none of those that they should be."""

    def test_wrong(self):
        stream, other = socket.socketpair()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.stack.callback(lambda: [each.close() for each in (stream, other, ours, theirs)])
        number, config = str(theirs.fileno()), self.write(self.config("print=never"))
        for options, message in (
            (["--sync-fd", "900"], "cannot use descriptor 900 (sync): "),
            (["--sync-fd", "1"], "--sync-fd: 1 is a standard stream"),
            (["--sync-fd", "x"], "--sync-fd: 'x' is no descriptor"),
            (["--sync-fd", str(stream.fileno())], "is no unix socket of the type SOCK_SEQPACKET"),
            (["--sync-fd", number, "--log-fd", number], f"descriptor {number} cannot be both sync and log"),
            (["--sync-fd", number, "--preserve-fds", "90"], f"{number} is one of the --preserve-fds"),
            (["--config-fd", number], "not together with a descriptor of it"),
            (["--exec-fifo", "/dev/null"], "the exec fifo is no fifo"),
            (["--exec-fifo", "/no/such"], "cannot open the exec fifo /no/such: "),
            (["--exec-fifo-fd", number], "the exec fifo is no fifo"),
            (["--id", ""], "--id: 1 to 255 bytes"),
            (["more"], "unexpected argument 'more'"),
        ):
            with self.subTest(" ".join(options)):
                result = self.plain("--config", config, *options, pass_fds=[theirs.fileno(), stream.fileno()])
                self.assertEqual((result.status, result.stdout), (125, ""))
                self.assertIn(message, result.stderr)
                self.assertTrue(result.stderr.startswith("shimbox container-init: "), result.stderr)
