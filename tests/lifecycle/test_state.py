#!/usr/bin/env python3
"""What is on disk about containers: its form, who may have written it, what becomes of it.
SPDX-License-Identifier: Apache-2.0
"""

import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import time

from lifecycle import LifecycleTest, process_start, process_state


class State(LifecycleTest):
    def test_fields(self):
        config = self.config("sigwait")
        config["annotations"] = {"one": "1", "two": "ü \"quoted\"\n"}
        self.write(config)
        before = time.time()
        pid = self.create("c")
        text = self.good("state", "c")
        state = json.loads(text)
        self.assertEqual(list(state), ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created",
                                       "annotations", "owner"])
        created = state.pop("created")
        self.assertEqual(state, {
            "ociVersion": "1.0.2", "id": "c", "pid": pid, "status": "created", "bundle": self.bundle,
            "rootfs": self.rootfs, "annotations": config["annotations"], "owner": ""})
        self.assertRegex(created, r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z\Z")
        seconds = time.mktime(time.strptime(created[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        self.assertLessEqual(int(before), seconds)
        self.assertLessEqual(seconds, time.time())
        self.assertTrue(text.startswith('{\n  "ociVersion": "1.0.2",\n  "id": "c",\n'))
        # On disk.
        record = self.record("c")
        self.assertEqual(record["version"], 1)
        pidfd = os.pidfd_open(pid)
        self.addCleanup(os.close, pidfd)
        self.assertEqual(record["init"], {"pid": pid, "start": process_start(pid), "inode": os.fstat(pidfd).st_ino})
        self.assertEqual(record["boot"], pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        folder, file = os.stat(f"{self.root}/c"), os.stat(f"{self.root}/c/state.json")
        self.assertEqual((stat.S_IMODE(folder.st_mode), stat.S_IMODE(file.st_mode)), (0o700, 0o600))
        self.assertEqual((folder.st_uid, file.st_uid), (os.geteuid(),) * 2)
        # Once the program runs, it stays as it is.
        self.good("start", "c")
        self.assertEqual(self.record("c"), record)
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.root}/c/state.json").st_mode), 0o400)
        self.good("delete", "--force", "c")

    def test_without_annotations(self):
        self.create("c")
        self.assertNotIn("annotations", self.state("c"))
        self.good("delete", "c")

    def test_list(self):
        """As runc: columns, order, JSON, nothing."""
        header = "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"
        self.assertEqual(self.good("list"), header)
        self.assertEqual(self.good("list", "--format", "json"), "null\n")
        self.assertEqual(self.good("list", "--quiet"), "")
        pids = {name: self.create(name) for name in ("b", "a", "a-long-name")}
        self.good("start", "a")
        self.stop("b")
        states = {name: self.state(name) for name in pids}
        lines = self.good("list").splitlines()
        self.assertEqual(lines[0].split(), header.split())
        self.assertEqual([re.split(r"  +", line) for line in lines[1:]], [
            [name, str(pids[name] if name != "b" else 0), status, self.bundle, states[name]["created"], "root"]
            for name, status in (("a", "running"), ("a-long-name", "created"), ("b", "stopped"))])
        # Every column starts in the same place, three blanks behind the longest entry.
        for words in zip(*[re.split(r"  +", line) for line in lines[:3]]):
            self.assertEqual(len({line.index(word) for word, line in zip(words, lines)}), 1)
        self.assertEqual(lines[0].index("PID"), len("a-long-name") + 3)
        self.assertEqual(json.loads(self.good("list", "-f", "json")),
                         [dict(states[name], owner="root") for name in sorted(pids)])
        self.assertEqual(self.good("list", "-q"), "a\na-long-name\nb\n")
        self.good("delete", "-f", *pids)

    def test_default_root(self):
        """Root of a user namespace has the user's own directory, as with runc, unless it is a
        container's root."""
        self.root = f"{self.dir}/runtime/shimbox"
        os.mkdir(os.path.dirname(self.root))
        self.create("of-the-user")
        inside = ["unshare", "--user", "--map-root-user"]
        for prefix, more, found in ((inside, {}, True), (inside, {"USER": "user"}, True),
                                    (inside, {"USER": "root"}, False), ([], {"USER": "user"}, False)):
            with self.subTest(prefix=prefix, more=more):
                environment = dict(PATH=os.environ["PATH"], XDG_RUNTIME_DIR=os.path.dirname(self.root), **more)
                done = subprocess.run([*prefix, self.shimbox, "list", "-q"], env=environment, check=False,
                                      capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual("of-the-user" in done.stdout.split(), found)
        self.good("delete", "-f", "of-the-user")

    def test_ps(self):
        """All processes of the container, those below it included, and no others."""
        output = f"{self.dir}/ps"
        config = self.config()
        config["process"]["args"] = ["/bin/sh", "-c", "sleep 1001 & unshare -p -f sleep 1002 & wait"]
        config["process"]["capabilities"] = {name: ["CAP_SYS_ADMIN"] for name in
                                             ("bounding", "effective", "permitted")}
        self.write(config)
        pid = self.create("c", output=output)
        self.assertEqual(json.loads(self.good("ps", "--format", "json", "c")), [pid])
        self.good("start", "c")
        pids = []

        def all_there():
            pids[:] = json.loads(self.good("ps", "--format", "json", "c"))
            return sum(b"sleep" == pathlib.Path(f"/proc/{p}/cmdline").read_bytes().split(b"\0")[0]
                       for p in pids) >= 2
        self.wait_for(all_there, "no processes")
        # From /proc: which see the container's root.
        mine = {os.readlink(f"/proc/{p}/ns/mnt") for p in ("self", 1)}
        inside = sorted(int(p) for p in os.listdir("/proc") if p.isdigit() and
                        process_state(p) not in (None, "Z", "X") and
                        os.readlink(f"/proc/{p}/ns/mnt") not in mine)
        self.assertEqual(pids, inside)
        self.assertEqual(len({os.readlink(f"/proc/{p}/ns/pid") for p in pids}), 2)
        lines = self.good("ps", "c").splitlines()
        self.assertEqual(lines[0].split(), "UID PID PPID C STIME TTY TIME CMD".split())
        self.assertEqual([int(line.split()[1]) for line in lines[1:]], pids)
        for line in lines[1:]:
            words = line.split(None, 7)
            arguments = pathlib.Path(f"/proc/{words[1]}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            parent = pathlib.Path(f"/proc/{words[1]}/stat").read_text().rpartition(")")[2].split()[1]
            self.assertEqual((words[0], words[2], words[7]),
                             ("root", parent, b" ".join(arguments).decode()))
            self.assertRegex(words[6], r"\A\d\d:\d\d:\d\d\Z")
        # To all of them, and nobody else.
        self.good("kill", "--all", "c", "KILL")
        for p in pids:
            self.wait_stopped(p)
        self.assertEqual(self.good("ps", "--format", "json", "c"), "null\n")
        self.good("delete", "c")

    def test_shared_pid_namespace(self):
        """Where it shares ours, they are what descends from its first process."""
        config = self.config()
        config["linux"]["namespaces"].remove({"type": "pid"})
        config["process"]["args"] = ["/bin/sh", "-c", "sleep 1001 & sleep 1002 & wait"]
        self.write(config)
        pid = self.create("c")
        self.good("start", "c")
        self.wait_for(lambda: len(json.loads(self.good("ps", "-f", "json", "c"))) == 3, "no processes")
        pids = json.loads(self.good("ps", "-f", "json", "c"))
        self.assertIn(pid, pids)
        self.assertNotIn(os.getpid(), pids)
        self.good("kill", "-a", "c", "9")
        for p in pids:
            self.wait_stopped(p)
        self.good("delete", "c")

    def test_recycled_pid(self):
        """A process that has got the pid of one that has ended is not it: nothing is sent to it."""
        self.create("c")
        self.stop("c")
        self.reap()
        other = subprocess.Popen(["sleep", "1000"])
        try:
            path = pathlib.Path(self.root, "c", "state.json")
            record = json.loads(path.read_text())
            record["init"] = {"pid": other.pid, "start": process_start(other.pid) - 1}
            path.write_text(json.dumps(record))
            self.assertEqual((self.status("c"), self.state("c")["pid"]), ("stopped", 0))
            self.bad("container not running", "kill", "c", "KILL")
            self.good("kill", "--all", "c", "KILL")
            self.assertEqual(self.good("ps", "-f", "json", "c"), "null\n")
            self.good("delete", "--force", "c")
            self.assertIsNone(other.poll())
        finally:
            other.kill()
            other.wait()

    def test_other_boot(self):
        """After a boot no process is the one that was meant, whatever its numbers are."""
        pid = self.create("c")
        path = pathlib.Path(self.root, "c", "state.json")
        path.write_text(path.read_text().replace(self.record("c")["boot"], "0" * 8))
        self.assertEqual(self.status("c"), "stopped")
        self.bad("container not running", "kill", "c", "KILL")
        self.good("delete", "c")
        self.wait_asleep(pid)
        os.kill(pid, signal.SIGKILL)
        self.wait_stopped(pid)

    def test_tampered(self):
        """A record that cannot be right is refused with its reason, listed as broken, and removed by
        force; whatever it says, no process is killed for it."""
        pid = self.create("good")
        text = pathlib.Path(self.root, "good", "state.json").read_text()
        record = json.loads(text)

        def changed(**more):
            return json.dumps({**record, "id": "ID", **more})
        cases = {
            "unexpected end": "{", "state.json": "", "not UTF-8": '{"version": "\xff"}',
            "expected an object": "[]", "/version: missing": "{}",
            "/version: expected 1, found 2": changed(version=2),
            "/id: not that of its directory": changed(id="good"),
            "/init/pid": changed(init={"pid": 1, "start": 1}),
            "/init/pid: expected": changed(init={"pid": -1, "start": 1}),
            "/init/pid: expected a number": changed(init={"pid": 2 ** 40, "start": 1}),
            "/init/start": changed(init={"pid": pid}),
            "/bundle: expected an absolute path": changed(bundle="x"),
            "/owner": changed(owner="root"), "/boot: too long": changed(boot="x" * 50),
            "/created: missing": changed(created=None),
            "/annotations: expected an object": changed(annotations=[]),
            "/poststop/0/path": changed(poststop=[{"path": "x"}]),
            "holds more than": changed(bundle="/" + "x" * (5 << 20)),
        }
        broken = {f"c{i}": message for i, message in enumerate(cases)}
        for name, message in broken.items():
            os.mkdir(f"{self.root}/{name}", 0o700)
            content = cases[message].replace('"id": "ID"', f'"id": "{name}"')
            pathlib.Path(self.root, name, "state.json").write_bytes(content.encode("latin-1"))
        self.check_broken(broken)
        self.wait_asleep(pid)
        self.good("delete", "good")

    def check_broken(self, broken):
        """broken: the message about each."""
        for name, message in broken.items():
            with self.subTest(message):
                self.bad(message, "state", name)
                self.bad(message, "kill", name, "KILL")
                self.bad(message, "start", name)
                self.bad(f"container ID {name} is in use", "create", "--bundle", self.bundle, name)
        result = self.shim("delete", *broken)
        self.assertEqual((result.status, result.stdout), (1, ""))
        self.check_lines(result.stderr, [f"shimbox delete: .*{re.escape(message)}.*" for message in broken.values()])
        result = self.shim("list")
        self.assertEqual(result.status, 0)
        rows = [line.split() for line in result.stdout.splitlines()[1:]]
        self.assertEqual([row for row in rows if row[0] != "good"], [[name, "0", "broken"] for name in sorted(broken)])
        self.check_lines(result.stderr, [f"shimbox list: warning: {name}: .*{re.escape(broken[name])}.*"
                                         for name in sorted(broken)])
        listed = {entry["id"]: entry["status"] for entry in json.loads(self.shim("list", "-f", "json").stdout)}
        self.assertEqual([listed[name] for name in broken], ["broken"] * len(broken))
        self.good("delete", "--force", *broken)
        for name in broken:
            self.assertFalse(os.path.exists(f"{self.root}/{name}"))

    def check_lines(self, text, patterns):
        """One line for each, and no other."""
        self.assertEqual(len(text.splitlines()), len(patterns), text)
        for line, pattern in zip(text.splitlines(), patterns):
            self.assertRegex(line, rf"\A{pattern}\Z")

    def test_not_ours(self):
        """A record that somebody else could have written: by owner, mode, kind; and a directory."""
        self.create("good")
        source = f"{self.root}/good/state.json"
        other = f"{self.dir}/other"
        pathlib.Path(other).write_text(pathlib.Path(source).read_text().replace('"good"', '"c"'))

        def owned(path):
            shutil.copy(other, path)
            os.chown(path, 1000, 0)

        def writable(path):
            shutil.copy(other, path)
            os.chmod(path, 0o622)
        for make, message in ((owned, "cannot trust state.json"), (writable, "cannot trust state.json"),
                              (lambda path: os.symlink(other, path), "cannot open state.json"),
                              (os.mkfifo, "cannot trust state.json")):
            with self.subTest(make):
                os.mkdir(f"{self.root}/c", 0o700)
                make(f"{self.root}/c/state.json")
                self.check_broken({"c": message})
        self.assertTrue(os.path.exists(other))
        self.good("delete", "good")
        # The root of all.
        os.chmod(self.root, 0o777)
        self.bad("it must belong to uid 0, and nobody else may write to it", "list")
        os.chmod(self.root, 0o711)

    def test_left_behind(self):
        """A directory without a record, and one with a temporary file, by somebody who was killed."""
        for files in ((), (".shimbox-1-0",), ("start.fifo", ".shimbox-1-0")):
            with self.subTest(files):
                os.makedirs(f"{self.root}/c")
                for name in files:
                    pathlib.Path(self.root, "c", name).touch()
                self.bad("container does not exist", "state", "c")
                self.bad("container does not exist", "delete", "c")
                self.assertIn("broken", self.shim("list").stdout)
                self.good("delete", "--force", "c")
                self.assertFalse(os.path.exists(f"{self.root}/c"))
                # Or it is taken over.
                os.makedirs(f"{self.root}/c")
                for name in files:
                    pathlib.Path(self.root, "c", name).touch()
                self.create("c")
                self.good("delete", "c")

    def test_run_is_a_container(self):
        """The others see a container of `run`, which removes it in the end; with --keep it does not."""
        for keep in (False, True):
            with self.subTest(keep=keep):
                options = ["--keep"] if keep else []
                process = subprocess.Popen(
                    [self.shimbox, "--root", self.root, "run", "--bundle", self.bundle, *options, "c"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
                self.assertEqual(self.status("c"), "running")
                self.assertEqual(self.good("ps", "-f", "json", "c"), f"[{self.state('c')['pid']}]\n")
                self.bad("container ID c is in use", "create", "--bundle", self.bundle, "c")
                self.bad("cannot start an already running container", "start", "c")
                self.good("kill", "c", "USR1")
                self.assertRegex(process.stdout.readline(), r"^signal=10 ")
                self.good("kill", "c")
                result = self.finish(process)
                self.assertEqual((result.status, result.stderr), (0, ""))
                if keep:
                    self.assertEqual(self.status("c"), "stopped")
                    self.good("delete", "c")
                self.assertEqual(os.listdir(self.root), [])

    def test_delete_under_run(self):
        """`run` ends as if its program had been killed, and finds nothing to remove, also when the ID
        has another owner by then."""
        process = self.start(self.config("sigwait"), "c", prefix=("env", "X=1"), cwd="/")
        self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
        # While it has the lock, it is not done.
        self.wait_for(lambda: self.is_unlocked("/run/shimbox/c"), "the lock")
        os.kill(process.pid, signal.SIGSTOP)
        self.shim("delete", "--force", "c", root="/run/shimbox")
        done = subprocess.run([self.shimbox, "create", "--bundle", self.bundle, "c"], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0)
        os.kill(process.pid, signal.SIGCONT)
        result = self.finish(process)
        self.assertEqual((result.status, result.stderr), (137, ""))
        self.assertEqual(json.loads(self.shim("state", "c", root="/run/shimbox").stdout)["status"], "created")
        self.shim("delete", "c", root="/run/shimbox")

    @staticmethod
    def is_unlocked(path):
        lock = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(lock)

    def test_run_was_killed(self):
        """What a killed `run` leaves is in nobody's way."""
        for _ in range(2):
            process = subprocess.Popen(
                [self.shimbox, "--root", self.root, "run", "--bundle", self.bundle, "c"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
            pid = self.record("c")["init"]["pid"]
            process.kill()
            process.communicate()
            self.wait_stopped(pid)
            self.assertEqual(self.status("c"), "stopped")
        self.good("delete", "c")

    def test_locked(self):
        """Whoever is at work on a container is waited for; not for ever, and not to read."""
        pid = self.create("c")
        lock = os.open(f"{self.root}/c", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        start = subprocess.Popen([self.shimbox, "--root", self.root, "start", "c"], stderr=subprocess.PIPE)
        self.assertEqual(self.status("c"), "created")
        self.good("kill", "c", "0")
        self.assertIn("created", self.good("list"))
        self.assertIsNone(start.poll())
        fcntl.flock(lock, fcntl.LOCK_UN)
        self.assertEqual(start.wait(120), 0)
        start.stderr.close()
        self.assertEqual(self.status("c"), "running")
        os.close(lock)
        self.good("delete", "--force", "c")
        self.wait_stopped(pid)

    def test_at_the_same_time(self):
        """Several creations, starts, kills and deletions of one ID: one of each wins, and in the end
        nothing is left."""
        for _ in range(3):
            def many(*words, count=4):
                started = [subprocess.Popen(
                    [self.shimbox, "--root", self.root, *words], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(count)]
                return sorted(process.wait(120) for process in started)
            self.assertEqual(many("create", "--bundle", self.bundle, "c"), [0, 1, 1, 1])
            pid = self.record("c")["init"]["pid"]
            self.assertEqual(many("start", "c"), [0, 1, 1, 1])
            self.assertEqual(many("delete", "--force", "c"), [0] * 4)
            self.wait_stopped(pid)
            self.assertEqual(os.listdir(self.root), [])
            self.reap()
        mixed = [subprocess.Popen([self.shimbox, "--root", self.root, *words], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for words in (("create", "--bundle", self.bundle, "c"), ("delete", "--force", "c"),
                               ("start", "c"), ("kill", "c", "9"), ("list",)) * 4]
        for process in mixed:
            process.wait(120)
        self.good("delete", "--force", "c")
        self.assertEqual(os.listdir(self.root), [])

    def test_never_half_written(self):
        """While containers come and go, whoever reads finds a whole record or none."""
        output = f"{self.dir}/reader"
        with open(output, "w", encoding="utf-8") as file:
            reader = subprocess.Popen(
                ["sh", "-c", f"while :; do {self.shimbox} --root {self.root} list -f json || echo BAD; done"],
                stdout=file, stderr=file, start_new_session=True)
        try:
            for _ in range(10 if os.environ["TEST_BUILD"] == "debug" else 40):
                self.create("c")
                self.good("start", "c")
                self.good("delete", "--force", "c")
                self.reap()
        finally:
            os.killpg(reader.pid, signal.SIGKILL)
            reader.wait()
        seen = set()
        for line in pathlib.Path(output).read_text().splitlines()[:-1]:
            self.assertTrue(line == "null" or line.startswith("["), line)
            for state in json.loads(line) or ():
                seen.add(state["status"])
        self.assertLessEqual(seen, {"creating", "created", "running", "stopped"})


if __name__ == "__main__":
    __import__("unittest").main()
