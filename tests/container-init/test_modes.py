#!/usr/bin/env python3
"""container-init: created and started later, joining, what a parent hands over, and no parent.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import threading

from foreign import SECONDS, ForeignTest, system_call
from parent import ANSWERS, Parent
from test_seccomp import NUMBERS, number, profile, rule
from test_seccomp_notify import Agent

SYS_OPEN_TREE, AT_FDCWD = 428, -100
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE = 1, 0o2000000, 0x8000


class Created(ForeignTest):
    def setUp(self):
        super().setUp()
        self.become_subreaper()
        self.fifo = f"{self.dir}/fifo"
        os.mkfifo(self.fifo)
        os.chmod(self.fifo, 0o622)
        self.addCleanup(os.unlink, self.fifo)

    def create(self, config, *options, **more):
        """Up to "created". Returns the parent and the pid of what waits."""
        parent = self.begin(config, *(options or ("--exec-fifo", self.fifo)), **more)
        messages = parent.rest()
        self.assertEqual(messages[-1]["type"], "created", messages)
        pid = next(message["pid"] for message in messages if message["type"] == "pid")
        self.addCleanup(self.kill, pid)
        self.assertEqual(parent.process.wait(timeout=SECONDS), 0)
        return parent, pid

    def start_it(self):
        with open(self.fifo, encoding="utf-8") as fifo:
            return fifo.read()

    def reap(self, pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def opened(self, pid):
        """What it has open beside the standard streams. (It says "created", then closes the rest.)"""
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links += [os.readlink(f"/proc/{pid}/fd/{fd}")] if int(fd) > 2 else []
        return sorted(links)

    def test_started(self):
        for title, config in self.kinds("dumpable", "fds", "uid", "pdeathsig"):
            for uid in (0, 1000):
                with self.subTest(title, uid=uid):
                    config["process"]["user"]["uid"] = uid
                    parent, pid = self.create(config)
                    # What it has open while it waits leads nowhere for others: it is root's.
                    self.assertEqual(os.stat(f"/proc/{pid}/stat").st_uid, 0)
                    self.wait_for(lambda pid=pid: self.opened(pid) == ["/proc", self.fifo],
                                  "other descriptors are open")
                    self.assertEqual(self.start_it(), "0")
                    result = self.result(parent)
                    self.assertEqual(self.reap(pid), 0)
                    facts = {"dumpable": "1", "fds": "0 1 2", "uid": str(uid), "pdeathsig": "0"}
                    self.assertEqual({key: result.facts[key] for key in facts}, facts)
                    self.assertEqual(result.stderr, "")

    def test_filter(self):
        """A filter is loaded before or after the wait; who answers hears of it before, in any case."""
        call = f"call={number('getppid')}"
        for no_new_privs in (False, True):
            for action in ("ERRNO", "NOTIFY"):
                with self.subTest(action, no_new_privs=no_new_privs):
                    config = self.config(call, "seccomp")
                    config["process"]["noNewPrivileges"] = no_new_privs
                    path = f"{self.dir}/agent"
                    config["linux"]["seccomp"] = profile("ALLOW", rule(action, "getppid"), listenerPath=path)
                    agent = Agent(path, {NUMBERS["getppid"]: 1}) if action == "NOTIFY" else None
                    parent, pid = self.create(config)
                    if agent:
                        self.wait_for(lambda asked=agent: asked.pid_seen, "the agent heard of nothing")
                    self.assertEqual(self.start_it(), "0")
                    result = self.result(parent)
                    self.assertEqual(self.reap(pid), 0)
                    self.assertEqual(result.facts, {call.replace("=", ":"): "EPERM", "seccomp": "2"})
                    if agent:
                        agent.end()
                        os.unlink(path)

    def test_listener(self):
        """Without a listenerPath the parent gets the listener, and answers what the filter asks."""
        call = f"call={number('getppid')}"
        for no_new_privs in (False, True):
            with self.subTest(no_new_privs=no_new_privs):
                config = self.config(call, "fds")
                config["process"]["noNewPrivileges"] = no_new_privs
                config["linux"]["seccomp"] = profile("ALLOW", rule("NOTIFY", "getppid"))
                parent = self.begin(config)
                self.assertEqual(parent.until("seccomp"), {"type": "seccomp"})
                (listener,) = parent.fds
                agent = Agent(f"{self.dir}/nobody-{no_new_privs}", {NUMBERS["getppid"]: 1})
                answering = threading.Thread(target=agent.answer, args=(os.dup(listener),))
                answering.start()
                parent.send("seccomp-done")
                self.assertEqual([m["type"] for m in parent.rest()], ["running", "exited"])
                answering.join(SECONDS)
                result = self.result(parent)
                self.assertEqual(result.facts[call.replace("=", ":")], "EPERM")
                self.assertEqual(result.facts["fds"], "0 1 2")
                self.assertEqual(agent.asked, [NUMBERS["getppid"]])
                with socket.socket(socket.AF_UNIX) as nobody:
                    nobody.connect(agent.socket.getsockname())
                agent.join(SECONDS)
                agent.socket.close()

    def test_hooks(self):
        """The container's own process executes its hooks; those outside of it are the parent's."""
        hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat >{self.dir}/told"]}
        config = dict(self.config("exit=5"), hooks={"createContainer": [hook]})
        parent = self.begin(config, "--id", "named")
        self.assertEqual([m["type"] for m in parent.rest()][-2:], ["running", "exited"])
        self.assertEqual(self.result(parent).status, 5)
        told = json.loads(pathlib.Path(f"{self.dir}/told").read_text())
        self.assertEqual((told["id"], told["status"]), ("named", "creating"))
        for kind, options, message in (("createContainer", [], "--id ID"),
                                       ("poststop", ["--id", "x"], "a parent (--sync-fd)")):
            done = subprocess.run([self.shimbox, "container-init", *options],
                                  input=json.dumps(dict(config, hooks={kind: [hook]})), text=True,
                                  capture_output=True, check=False, timeout=SECONDS)
            self.assertEqual((done.returncode, done.stdout), (125, ""), done)
            self.assertIn("shimbox container-init: /hooks: ", done.stderr)
            self.assertIn(message, done.stderr)

    def test_not_executed(self):
        config = self.config()
        for arguments, message in ((["nothing"], None),
                                   (["/bin/text"], "0/process/args: cannot execute /bin/text: ")):
            config["process"]["args"] = arguments
            pathlib.Path(f"{self.rootfs}/bin/text").write_text("no program\n")
            os.chmod(f"{self.rootfs}/bin/text", 0o755)
            if message is None: # found out before
                parent = self.begin(config, "--exec-fifo", self.fifo)
                error = parent.rest()[-1]
                self.assertEqual((error["type"], error["code"]), ("error", 127))
                self.assertEqual(parent.process.wait(timeout=SECONDS), 127)
                continue
            _, pid = self.create(config)
            text = self.start_it()
            self.assertTrue(text.startswith(message), text)
            self.assertTrue(text.endswith("\n"))
            self.assertEqual(text.count("\n"), 1)
            self.assertEqual(self.reap(pid), 1)

    def test_ended_instead(self):
        """Pid 1 of a pid namespace as well."""
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            _, pid = self.create(self.config("print=never"))
            os.kill(pid, number)
            self.assertIn(self.reap(pid), (-number, 128 + number))

    def test_parents_that_are_gone(self):
        """Before "created" that ends everything; after it the container is on its own."""
        for title, config in self.kinds("print=up"):
            for kind in ANSWERS:
                with self.subTest(title, at=kind):
                    parent = self.begin(config, "--exec-fifo", self.fifo)
                    pid = None
                    while (message := parent.receive())["type"] != kind:
                        pid = message.get("pid", pid)
                        parent.answer(message)
                    parent.close()
                    self.assertEqual(self.result(parent).status, 125)
                    if pid:
                        self.wait_gone(pid)
            parent, pid = self.create(config)
            parent.close()
            self.assertEqual(self.start_it(), "0")
            self.assertEqual(self.result(parent).stdout, "up\n")
            self.assertEqual(self.reap(pid), 0)

    def test_a_fifo_that_the_user_may_not_write_to(self):
        os.chmod(self.fifo, 0o600)
        config = self.config("print=never")
        config["process"]["user"]["uid"] = 1000
        parent = self.begin(config, "--exec-fifo", self.fifo)
        error = parent.rest()[-1]
        self.assertEqual((error["type"], error["errno"]), ("error", 13))
        self.assertIn("mode 0622", error["hint"])
        self.assertEqual(self.result(parent).status, 125)

    def test_by_descriptor(self):
        """Which must not count as a reader itself."""
        both = os.open(self.fifo, os.O_RDWR)
        parent = self.begin(self.config("print=never"), "--exec-fifo-fd", str(both), fds=[both])
        os.close(both)
        self.assertEqual(parent.rest()[-1]["text"], "the exec fifo is no O_PATH descriptor")
        self.assertEqual(self.result(parent).status, 125)
        fifo = os.open(self.fifo, os.O_PATH)
        self.stack.callback(os.close, fifo)
        parent, pid = self.create(self.config("fds"), "--exec-fifo-fd", str(fifo), fds=[fifo])
        self.assertEqual(self.start_it(), "0")
        self.assertEqual(self.reap(pid), 0)
        self.assertEqual(self.result(parent).facts["fds"], "0 1 2")

    def test_without_a_socket(self):
        pid_file = f"{self.dir}/pid"
        output = f"{self.dir}/output"
        with open(output, "w", encoding="utf-8") as file: # the container keeps it open
            done = subprocess.run([self.shimbox, "container-init", "--config",
                                   self.write(self.config("print=up")), "--exec-fifo", self.fifo,
                                   "--pid-file", pid_file], stdout=file, stderr=file,
                                  timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, 0)
        pid = int(pathlib.Path(pid_file).read_text())
        self.assertEqual(pathlib.Path(output).read_text(), "")
        self.assertEqual(self.start_it(), "0")
        self.assertEqual(self.reap(pid), 0)
        self.assertEqual(pathlib.Path(output).read_text(), "up\n")


class Joined(ForeignTest):
    """All namespaces by path: only the process is set up."""

    FILES = {"pid": "pid", "mount": "mnt", "ipc": "ipc", "uts": "uts", "network": "net",
             "cgroup": "cgroup"}

    def holder(self, config):
        parent = self.begin(config)
        pid = parent.until("pid")["pid"]
        self.pidfd = os.dup(parent.fds[0])
        self.addCleanup(os.close, self.pidfd)
        parent.send("pid-done")
        parent.until("running")
        self.assertEqual(parent.process.stdout.readline(), "sigwait=ready\n")
        return pid

    def joining(self, pid, kinds, *facts):
        config = self.config(*facts)
        config["linux"]["namespaces"] = [
            {"type": kind, "path": f"/proc/{pid}/ns/{file}"} for kind, file in kinds.items()]
        config["mounts"] = []
        config["root"]["path"] = "/"
        return config

    def test_joined(self):
        for title, held in self.kinds("sigwait"):
            with self.subTest(title):
                kinds = {**self.FILES, "user": "user"} if title == "mapped" else self.FILES
                held["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                       "options": ["newinstance", "ptmxmode=0666", "mode=0620"]})
                pid = self.holder(held)
                mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text()
                config = self.joining(pid, kinds, "ns", "cwd", "uid", "gid", "groups", "caps", "keyring",
                                      "fds", "pid", "tty")
                config["process"].update({
                    "user": {"uid": 7, "gid": 8, "additionalGids": [9, 10]}, "cwd": "/bin",
                    "capabilities": {"bounding": ["CAP_KILL"]}, "terminal": True})
                parent = self.begin(config, "--id", "joined")
                messages, shown = [], b""
                while (message := parent.receive()) is not None:
                    messages.append(message["type"])
                    if message["type"] == "console":
                        master = os.dup(parent.fds[0])
                    parent.answer(message)
                self.assertEqual(messages, ["configured", "pid", "console", "ready", "running", "exited"])
                while True:
                    try:
                        shown += os.read(master, 4096)
                    except OSError: # nobody has the other side
                        break
                os.close(master)
                facts = dict(line.partition("=")[::2] for line in shown.decode().splitlines())
                for file in kinds.values():
                    self.assertEqual(facts[f"ns.{file}"], re.findall(
                        r"\d+", os.readlink(f"/proc/{pid}/ns/{file}"))[0], file)
                wanted = {"cwd": "/bin", "uid": "7", "gid": "8", "groups": "9 10", "fds": "0 1 2",
                          "caps.bnd": f"{1 << 5:016x}", "tty.0": "yes"}
                self.assertEqual({key: facts[key] for key in wanted}, wanted)
                self.assertTrue(facts["keyring"].endswith(";_ses.joined"), facts["keyring"])
                self.assertNotEqual(facts["pid"], "1")
                self.assertEqual(self.result(parent).status, 0)
                self.assertEqual(pathlib.Path(f"/proc/{pid}/mountinfo").read_text(), mounts)
                self.assertFalse(self.gone(pid))

    def test_process(self):
        """The same by the pidfd of a process, all at once."""
        for title, held in self.kinds("sigwait"):
            with self.subTest(title):
                pid = self.holder(held)
                config = self.joining(pid, {}, "ns", "dumpable", "fds", "uid")
                config["process"]["user"]["uid"] = 5
                parent = self.begin(config, "--join-fd", str(self.pidfd), fds=[self.pidfd])
                self.assertEqual(parent.rest()[-1], {"type": "exited", "status": 0})
                facts = self.result(parent).facts
                for file in (*self.FILES.values(), "user"):
                    self.assertEqual(facts[f"ns.{file}"], re.findall(
                        r"\d+", os.readlink(f"/proc/{pid}/ns/{file}"))[0], file)
                self.assertEqual((facts["fds"], facts["uid"], facts["dumpable"]), ("0 1 2", "5", "1"))

    def test_no_such_process(self):
        pid = self.holder(self.config("sigwait"))
        with open("/dev/null", encoding="utf-8") as null:
            for fd, kinds, words in (
                (null.fileno(), {}, f"descriptor {null.fileno()}: "),
                (self.pidfd, {"uts": "uts"}, "/linux/namespaces: must be empty with a process to join")):
                parent = self.begin(self.joining(pid, kinds, "print=never"), "--join-fd", str(fd), fds=[fd])
                self.assertEqual(parent.rest()[-1]["type"], "error")
                result = self.result(parent)
                self.assertIn(words, result.stderr)
                self.assertEqual((result.status, result.stdout), (125, ""))
            # It ends just before it would be joined.
            parent = self.begin(self.joining(pid, {}, "print=never"), "--join-fd", str(self.pidfd),
                                fds=[self.pidfd])
            self.assertEqual(parent.receive()["type"], "configured")
            self.kill(pid)
            self.wait_gone(pid)
            parent.send("begin")
            self.assertEqual(parent.rest()[-1]["type"], "error")
            self.assertEqual(self.result(parent).status, 125)

    def test_the_end_of_the_parent(self):
        """At each message: the holder goes on, what joined it does not."""
        pid = self.holder(self.config("sigwait"))
        for kind in ("pid", "ready", "running"):
            with self.subTest(kind):
                parent = self.begin(self.joining(pid, self.FILES, "sigwait"))
                message = parent.until("pid")
                joined = message["pid"]
                if kind != "pid":
                    parent.send("pid-done")
                    parent.until(kind)
                parent.close()
                self.assertEqual(self.result(parent).status, 125)
                self.wait_gone(joined)
                self.assertFalse(self.gone(pid))

    def test_nothing_can_be_mounted(self):
        pid = self.holder(self.config("sigwait"))
        config = self.joining(pid, self.FILES, "print=never")
        config["mounts"] = [{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}]
        parent = self.begin(config)
        error = parent.rest()[-1]
        self.assertEqual((error["type"], error["field"]), ("error", "/mounts"))
        self.assertEqual(self.result(parent).status, 125)


class Given(ForeignTest):
    """Mounts and user namespaces that the parent gives for entries of the configuration."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.dir, "given")
        self.folder.mkdir(exist_ok=True)
        (self.folder / "file").write_text("from the parent")
        os.chmod(self.folder / "file", 0o666)

    def with_mount(self, *facts, source="/no/such"):
        config = self.config(*facts)
        config["mounts"].append({"destination": "/mnt", "type": "bind", "source": source,
                                 "options": ["rbind", "ro"]})
        return config

    def clone(self):
        fd = system_call(SYS_OPEN_TREE, AT_FDCWD, str(self.folder).encode(),
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)
        self.addCleanup(os.close, fd)
        return fd

    def user_namespace(self, outside):
        holder = subprocess.Popen(["unshare", "--user", "sh", "-c", "echo; read line"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        holder.stdout.readline()
        for name in ("uid_map", "gid_map"):
            pathlib.Path(f"/proc/{holder.pid}/{name}").write_text(f"0 {outside} 65536")
        fd = os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        self.addCleanup(os.close, fd)
        holder.communicate()
        return fd

    def test_mount(self):
        """Instead of a source that the runtime cannot even see; with the entry's flags."""
        for title in ("root", "mapped"):
            with self.subTest(title):
                config = self.with_mount("read=/mnt/file", "write=/mnt/file,x", "mount=/mnt")
                if title == "mapped":
                    self.map_user(config, [(0, 100000, 65536)])
                parent = self.begin(config)
                self.assertEqual(parent.receive()["mounts"], 3)
                parent.send("mount", [self.clone()], index=2)
                parent.send("begin")
                self.assertEqual(parent.rest()[-1], {"type": "exited", "status": 0})
                facts = self.result(parent).facts
                self.assertEqual(facts["read:/mnt/file"], "from the parent")
                self.assertEqual(facts["write:/mnt/file"], "EROFS")
                # What the container mounts there does not come back: it was shared.
                self.assertNotIn("shared", facts["mount:/mnt.propagation"])

    def test_idmap(self):
        parent = self.begin(self.with_mount("stat=/mnt/file", source=str(self.folder)))
        parent.receive()
        parent.send("idmap", [self.user_namespace(300000)], index=2)
        parent.send("begin")
        messages = parent.rest()
        self.assertEqual(messages[-1], {"type": "exited", "status": 0}, messages)
        self.assertEqual(self.result(parent).facts["stat:/mnt/file.uid"], "300000")

    def test_both(self):
        parent = self.begin(self.with_mount("stat=/mnt/file"))
        parent.receive()
        parent.send("mount", [self.clone()], index=2)
        parent.send("idmap", [self.user_namespace(400000)], index=2)
        parent.send("begin")
        self.assertEqual(parent.rest()[-1], {"type": "exited", "status": 0})
        self.assertEqual(self.result(parent).facts["stat:/mnt/file.uid"], "400000")

    def test_wrong(self):
        pipe = os.pipe()
        self.addCleanup(lambda: [os.close(end) for end in pipe])
        attached = os.open(self.folder, os.O_PATH)
        self.addCleanup(os.close, attached)
        for messages, words in (
            ([("mount", [pipe[0]], {"index": 3})], "the parent says 'mount' for mount 3 of 3"),
            ([("mount", [pipe[0]], {})], "the parent says 'mount' without an index"),
            ([("mount", [], {"index": 2})], "the parent says 'mount' without a descriptor"),
            ([("mount", pipe, {"index": 2})], "more than one descriptor"),
            ([("mount", [self.clone()], {"index": 2})] * 2, "for mount 2 twice"),
            ([("idmap", [pipe[0]], {"index": 2})], "something else than a user namespace"),
            ([("mount", [pipe[0]], {"index": 2}), ("begin", [], {})], "cannot mount /mnt: "),
            ([("mount", [attached], {"index": 2}), ("begin", [], {})], "cannot mount /mnt: "),
            ([("mount", [self.clone()], {"index": 0}), ("begin", [], {})],
             "/mounts/0: a mount is given for what is no bind mount"),
        ):
            with self.subTest(words):
                parent = self.begin(self.with_mount("print=never"))
                parent.receive()
                for kind, fds, more in messages:
                    parent.send(kind, fds, **more)
                error = parent.rest()[-1]
                self.assertEqual(error["type"], "error")
                result = self.result(parent)
                self.assertIn(words, result.stderr)
                self.assertEqual((result.status, result.stdout), (125, ""))


class Handed(ForeignTest):
    """Descriptors by name."""

    def listen(self, fds, names, **more):
        """Start with these descriptors from 3 on."""
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50) for fd in fds]
        wanted = {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names), **more}

        def arrange():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.environ["LISTEN_PID"] = str(os.getpid())
            os.environ.update(wanted)

        process = subprocess.Popen([self.shimbox, "container-init", "--listen-fds"], text=True,
                                   preexec_fn=arrange, pass_fds=range(3, 3 + len(fds)),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        for fd in high:
            os.close(fd)
        return process

    def test_all(self):
        config = open(self.write(self.config("fds", "env")), encoding="utf-8")
        log = open(f"{self.dir}/log", "w+", encoding="utf-8")
        self.stack.callback(lambda: [config.close(), log.close()])
        parent = Parent.__new__(Parent)
        parent.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent.socket.settimeout(SECONDS)
        parent.fds = []
        parent.process = self.listen([config.fileno(), theirs.fileno(), log.fileno()],
                                     ["config", "sync", "log"])
        self.stack.callback(self.end, parent)
        theirs.close()
        self.assertEqual(parent.rest()[-1], {"type": "exited", "status": 0})
        facts = self.result(parent).facts
        self.assertEqual(facts["fds"], "0 1 2")
        self.assertEqual([key for key in facts if key.startswith("env.")], ["env.PATH", "env.HOME"])

    def test_wrong(self):
        for names, more, words in (
            (["config", "other"], {}, "LISTEN_FDNAMES has an unknown name: 'other'"),
            (["config", "config"], {}, "the descriptor 'config' is given twice"),
            (["config"], {"LISTEN_FDS": "2"}, "LISTEN_FDNAMES has fewer names than LISTEN_FDS says"),
            (["config", "sync"], {"LISTEN_FDS": "1"}, "LISTEN_FDNAMES has more names than"),
            (["config"], {"LISTEN_FDS": "-1"}, "LISTEN_FDS is no number that makes sense: '-1'"),
            (["config"], {"LISTEN_PID": "1"}, "LISTEN_PID is not the pid of this process"),
        ):
            with self.subTest(words):
                process = self.listen([0] * len(names), names, **more)
                stdout, stderr = process.communicate(timeout=SECONDS)
                self.assertEqual((process.returncode, stdout), (125, ""))
                self.assertIn(words, stderr)


class Alone(ForeignTest):
    """Without a parent that is asked: as a shell has it."""

    def test_standard_input(self):
        for title, config in self.kinds("print=up", "exit=7"):
            with self.subTest(title):
                result = self.plain(stdin=json.dumps(config))
                self.assertEqual((result.status, result.stdout, result.stderr), (7, "up\n", ""))

    def test_codes(self):
        for arguments, status in ((["nothing"], 127), (["/bin"], 126), (["/bin/probe", "raise=9"], 137)):
            config = self.config()
            config["linux"]["namespaces"].remove({"type": "pid"})
            config["process"]["args"] = arguments
            self.assertEqual(self.plain(stdin=json.dumps(config)).status, status)
        result = self.plain(stdin="{")
        self.assertEqual((result.status, result.stdout), (125, ""))
        self.assertIn("standard input:1:", result.stderr)

    def test_bundle(self):
        config = self.config("print=up")
        config["root"]["path"] = "rootfs"
        path = pathlib.Path(self.dir, "config.json")
        path.write_text(json.dumps(config))
        result = self.plain("--bundle", self.dir)
        self.assertEqual((result.status, result.stdout, result.stderr), (0, "up\n", ""))

    def test_descriptors(self):
        """Of a pipe, to its end; the log is JSON; and the program gets what it is to have."""
        ours, theirs = os.pipe()
        log = open(f"{self.dir}/log", "w+", encoding="utf-8")
        self.stack.callback(log.close)
        config = self.config("fds")
        config["process"]["user"]["username"] = "x"
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 60) for fd in (ours, log.fileno())]
        os.write(theirs, json.dumps(config).encode())
        for fd in (ours, theirs):
            os.close(fd)
        null = os.open("/dev/null", os.O_RDONLY)
        for fd in (3, 4):
            os.dup2(null, fd) if null != fd else None
        result = self.plain("--config-fd", str(high[0]), "--log-fd", str(high[1]), "--preserve-fds", "2",
                            pass_fds=[3, 4, *high])
        for fd in {3, 4, null, *high}:
            os.close(fd)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.facts["fds"], "0 1 2 3 4")
        self.assertEqual(result.stderr, "")
        log.seek(0)
        records = [json.loads(line) for line in log]
        self.assertEqual([record["level"] for record in records], ["warning"])
        self.assertIn("/process/user/username", records[0]["msg"])

    def test_strict(self):
        config = self.config("print=never")
        config["more"] = 1
        result = self.plain("--strict", stdin=json.dumps(config))
        self.assertEqual((result.status, result.stdout), (125, ""))
        self.assertIn("/more: is not known (--strict)", result.stderr)


class Manual(ForeignTest):
    def test_examples(self):
        """Those of the manual, as they are written there."""
        text = subprocess.run([self.shimbox, "container-init", "--help"], capture_output=True, text=True,
                              check=True).stdout
        examples = [block for block in re.sub("(?m)^  ", "", text.partition("\nExamples:\n")[2]).split("\n\n")]
        (parent,) = [block for block in examples if "in Python" in block]
        (script,) = [block for block in examples if "mkfifo" in block]
        folder = pathlib.Path(self.dir, "manual")
        folder.mkdir()
        (folder / "bin").mkdir()
        os.symlink(self.shimbox, folder / "bin/shimbox")
        (folder / "parent.py").write_text(parent)
        config = self.config("print=up", "exit=3")
        (folder / "config.json").write_text(json.dumps(config))
        environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
        done = subprocess.run(["python3", folder / "parent.py", folder], capture_output=True, text=True,
                              timeout=SECONDS, check=False, env=environment)
        self.assertEqual((done.returncode, done.stderr), (3, ""))
        self.assertEqual(re.findall("'type': '([a-z]+)'", done.stdout),
                         ["configured", "pid", "hooks", "ready", "running", "exited"])
        self.assertIn("up\n", done.stdout)
        script = script.replace("/run/web", shlex.quote(f"{folder}/web")).replace("/srv/bundle", str(folder))
        done = subprocess.run(["sh", "-e", "-c", script], capture_output=True, text=True, timeout=SECONDS,
                              check=False, env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(done.stdout), sorted("0up\n"))
