#!/usr/bin/env python3
"""exec: one more program in a container, seen from inside; and what goes wrong.
SPDX-License-Identifier: Apache-2.0
"""

import array
import contextlib
import errno
import json
import os
import pathlib
import pty
import signal
import socket
import subprocess

from lifecycle import LifecycleTest, skip_loudly
from container import parse_facts

PROBE = "/bin/probe"


class Exec(LifecycleTest):
    def running(self, config=None, name="c"):
        """A container that runs. Returns the pid of its first process."""
        self.write(config or self.config("sigwait"))
        pid = self.create(name)
        self.good("start", name)
        return pid

    def ask(self, *arguments, name="c", **more):
        """Run the probe there. Returns its facts."""
        options = [word for word in arguments if word.startswith("--")]
        facts = [word for word in arguments if not word.startswith("--")]
        return parse_facts(self.good("exec", *options, name, PROBE, *facts, **more))

    def refuse(self, message, *arguments, status=255, **more):
        result = self.shim("exec", *arguments, **more)
        self.assertEqual((result.status, result.stdout), (status, ""), result)
        self.assertIn(message, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result)
        self.assertRegex(result.stderr, "^shimbox exec: ")

    def tearDown(self):
        if os.path.isdir(f"{self.root}/c"):
            self.good("delete", "--force", "c")
        super().tearDown()

    def test_same_world(self):
        """All namespaces of the container, its root, its process's user, limits and capabilities; and
        no descriptor of the host."""
        config = self.config("sigwait")
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}]
        config["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [7, 8]}
        config["process"]["env"] = ["PATH=/bin", "A=1"]
        config["hostname"] = "inside"
        pid = self.running(config)
        facts = self.ask("ns", "uid", "gid", "groups", "caps", "nnp", "cwd", "env", "rlimits", "fds",
                         "hostname", "umask", "pdeathsig", "keyring")
        for link in os.listdir(f"/proc/{pid}/ns"):
            if not link.endswith("_for_children"):
                inode = os.readlink(f"/proc/{pid}/ns/{link}").partition("[")[2].rstrip("]")
                self.assertEqual(facts[f"ns.{link}"], inode, link)
        status = dict(line.split(":\t", 1) for line in
                      pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        for short, long in (("inh", "Inh"), ("prm", "Prm"), ("eff", "Eff"), ("bnd", "Bnd"), ("amb", "Amb")):
            self.assertEqual(facts[f"caps.{short}"], status[f"Cap{long}"])
        for key, value in {"uid": "5", "gid": "6", "groups": "7 8", "nnp": status["NoNewPrivs"], "cwd": "/",
                           "env.A": "1", "rlimits.nofile.soft": "77", "rlimits.nofile.hard": "88",
                           "fds": "0 1 2", "hostname": "inside", "umask": "0022",
                           "pdeathsig": "9"}.items():
            self.assertEqual(facts[key], value, key)
        self.assertTrue(facts["keyring"].endswith(";_ses.c"), facts["keyring"])

    def test_options(self):
        self.running()
        facts = self.ask("--user=1000:1001", "--additional-gids=7", "--additional-gids=9", "--cwd=/tmp",
                         "--env=A=x=y", "--env=PATH=/else", "--no-new-privs", "--cap=CAP_SYS_ADMIN",
                         "uid", "gid", "groups", "cwd", "env", "nnp", "caps")
        self.assertEqual((facts["uid"], facts["gid"], facts["groups"]), ("1000", "1001", "7 9"))
        self.assertEqual((facts["cwd"], facts["env.A"], facts["env.PATH"]), ("/tmp", "x=y", "/else"))
        self.assertEqual(facts["nnp"], "1")
        self.assertTrue(int(facts["caps.bnd"], 16) >> 21 & 1)

    def test_process_file(self):
        self.running()
        process = {"args": [PROBE, "uid", "env", "exit=4"], "cwd": "/", "user": {"uid": 3, "gid": 3},
                   "env": ["ONLY=this"]}
        path = pathlib.Path(self.dir, "process.json")
        path.write_text(json.dumps(process))
        result = self.shim("exec", "--process", path, "c")
        self.assertEqual((result.status, result.stderr), (4, ""))
        self.assertEqual(result.stdout, "uid=3\nuid.effective=3\nuid.saved=3\nuid.fs=3\nenv.ONLY=this\nenv.HOME=/\n")
        path.write_text(json.dumps(dict(process, cwd="here")))
        self.refuse(f"{path}: /process/cwd", "--process", path, "c")
        path.write_text("{")
        self.refuse(f"{path}:1:", "--process", path, "c")
        self.refuse("not together with a command", "--process", path, "c", "true")

    def test_ends(self):
        """The exit code, signals there and back, and what cannot be run."""
        self.running()
        self.assertEqual(self.shim("exec", "c", PROBE, "exit=9").status, 9)
        self.assertEqual(self.shim("exec", "c", PROBE, "raise=SEGV").status, 128 + signal.SIGSEGV)
        with subprocess.Popen([self.shimbox, "--root", self.root, "exec", "c", PROBE, "sigwait", "exit=6"],
                              stdout=subprocess.PIPE, text=True) as process:
            self.assertEqual(process.stdout.readline(), "sigwait=ready\n")
            process.send_signal(signal.SIGUSR1)
            process.send_signal(signal.SIGTERM)
            self.assertIn(f"signal={signal.SIGUSR1.value} ", process.stdout.read())
            self.assertEqual(process.wait(), 6)
        self.refuse("cannot find nothing in $PATH of the container", "c", "nothing")
        self.refuse("cannot execute /bin: ", "c", "/bin")
        self.refuse("/process/cwd: cannot open /bin/probe", "--cwd", PROBE, "c", PROBE)

    def test_detached(self):
        """It goes on without exec, whose end it does not notice."""
        pid_file = f"{self.dir}/exec.pid"
        self.running()
        with open(f"{self.dir}/written", "w+", encoding="ascii") as written:
            done = subprocess.run([self.shimbox, "--root", self.root, "exec", "-d", "--pid-file", pid_file, "c",
                                   PROBE, "pdeathsig", "sigwait"], stdout=written, stderr=written,
                                  stdin=subprocess.DEVNULL, timeout=120, check=False)
            self.assertEqual(done.returncode, 0)
            pid = int(pathlib.Path(pid_file).read_text())
            self.wait_for(lambda: "ready" in pathlib.Path(written.name).read_text(), "the program")
            written.seek(0)
            self.assertEqual(written.read(), "pdeathsig=0\nsigwait=ready\n")
        self.assertIn(pid, json.loads(self.good("ps", "-f", "json", "c")))
        self.refuse("cannot find nothing", "-d", "c", "nothing")
        os.kill(pid, signal.SIGKILL)
        self.wait_stopped(pid)
        self.reap()

    def test_terminal(self):
        """Relayed where it is in the foreground, else sent to the console socket."""
        config = self.config("sigwait")
        config["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                 "options": ["newinstance", "ptmxmode=0666", "mode=0620"]})
        self.running(config)
        master, slave = pty.openpty()
        with subprocess.Popen([self.shimbox, "--root", self.root, "exec", "-t", "c", PROBE, "tty"], stdin=slave,
                              stdout=subprocess.PIPE, text=True) as process:
            self.assertIn("tty.controlling=ok", process.stdout.read())
        os.close(master)
        os.close(slave)
        path, pid_file = f"{self.dir}/console", f"{self.dir}/exec.pid"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            done = self.shim("exec", "-d", "-t", "--console-socket", path, "--pid-file", pid_file, "c", PROBE,
                             "tty", "exit=0")
            self.assertEqual((done.status, done.stderr), (0, ""))
            connection, _ = listener.accept()
            with connection:
                _, [(_, _, data)], _, _ = connection.recvmsg(100, 100)
            descriptor = array.array("i", data)[0]
        written = b""
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while data := os.read(descriptor, 4096):
                written += data
        os.close(descriptor)
        self.assertIn(b"tty.controlling=ok", written)
        # It lets go of the terminal before it ends, and the container stays until it is reaped.
        self.wait_stopped(int(pathlib.Path(pid_file).read_text()))
        self.reap()
        self.refuse("--console-socket", "-d", "-t", "c", PROBE)
        self.refuse("--console-socket", "--console-socket", path, "c", PROBE)

    def test_states(self):
        """In a created container as well; not in one that has ended, or is none."""
        self.write(dict(self.config("sigwait"), hostname="inside"))
        pid = self.create("c")
        self.assertEqual(self.ask("hostname")["hostname"], "inside")
        self.good("start", "c")
        self.stop("c")
        self.wait_stopped(pid)
        self.refuse("c: cannot exec in a stopped container", "c", PROBE)
        self.refuse("none: container does not exist", "none", PROBE)

    def test_user_namespace(self):
        """Ids are those of the container."""
        self.running(self.map_user(self.config("sigwait"), [(0, 100000, 65536)]))
        facts = self.ask("--user=1:2", "uid", "gid", "caps", "read=/proc/self/uid_map", "mount=/proc")
        self.assertEqual((facts["uid"], facts["gid"]), ("1", "2"))
        result = self.shim("exec", "--user", "70000", "c", PROBE)
        self.assertEqual(result.status, 255)
        self.assertIn("/process/user", result.stderr)

    def test_without_a_bundle(self):
        """The config that the container was made of is found, wherever it came from."""
        config = self.config("sigwait")
        config["process"]["env"] = ["FROM=stdin"]
        self.begin_quietly("run", "-d", "--config", "-", "c", input=json.dumps(config))
        self.assertEqual(self.ask("env")["env.FROM"], "stdin")

    def test_bad_usage(self):
        self.running()
        for words, message in (([], "a container ID is wanted"), (["c"], "no program"),
                               (["--user", "root", "c", "x"], "--user: 'root' is not UID or UID:GID"),
                               (["--user", "1:", "c", "x"], "--user: '1:' is not UID or UID:GID"),
                               (["-g", "x", "c", "x"], "--additional-gids: 'x' is not a gid"),
                               (["--env", "A", "c", "x"], "--env: expected NAME=VALUE"),
                               (["--cwd", "tmp", "c", "x"], "--cwd: expected an absolute path"),
                               (["--cap", "NONE", "c", "x"], "NONE"),
                               (["--cgroup", "../c", "c", "x"], "'../c' is not the path of a cgroup"),
                               (["--cgroup", "a/../../b", "c", "x"], "is not the path of a cgroup"),
                               (["--cgroup", "", "c", "x"], "'' is not the path of a cgroup"),
                               (["--cgroup", "cpu:a", "c", "x"], "--cgroup: 'cpu:a': controllers have no"),
                               (["--process", "/none", "c"], "cannot open /none")):
            self.refuse(message, *words)

    def test_cgroup(self):
        """In the container's own, where there is one (tests/run/test_cgroup.py says when)."""
        pid = self.running()
        first = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1]
        pid_file = f"{self.dir}/exec.pid"
        self.begin_quietly("exec", "-d", "--pid-file", pid_file, "c", PROBE, "sigwait")
        other = int(pathlib.Path(pid_file).read_text())
        self.assertTrue(first.startswith("0::"), first)
        self.assertEqual(pathlib.Path(f"/proc/{other}/cgroup").read_text().splitlines()[-1], first)
        os.kill(other, signal.SIGKILL)
        self.wait_stopped(other)
        self.reap()

    def cgroup_of(self, *arguments, **more):
        """The cgroup of version 2 of a program that is executed so, as the host sees it."""
        pid_file = f"{self.dir}/exec.pid"
        self.begin_quietly("exec", "-d", "--pid-file", pid_file, *arguments, "c", PROBE, "sigwait", **more)
        pid = int(pathlib.Path(pid_file).read_text())
        found = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1]
        os.kill(pid, signal.SIGKILL)
        self.wait_stopped(pid)
        self.reap()
        return found.removeprefix("0::")

    def test_cgroup_below(self):
        """--cgroup: below the container's own, which must be there, and nowhere else."""
        mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
        top = next(words[1] for words in mounts if words[2] == "cgroup2")
        name = f"shimbox-test-{os.urandom(4).hex()}"
        config = self.config("sigwait")
        config["linux"]["cgroupsPath"] = f"/{name}/c"
        # As in a container with ids of its own, where cgroup.procs is not its to write to.
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 100000, "size": 1000}]
        own = pathlib.Path(top, name, "c")
        self.addCleanup(lambda: own.parent.exists() and own.parent.rmdir())
        self.running(config)
        (own / "a/b").mkdir(parents=True)
        deny = [pathlib.Path(os.environ["PROBE"]).parent / "deny", "435", str(errno.ENOSYS)]  # clone3
        for words, below in (([], ""), (["--cgroup", "/"], ""), (["--cgroup", "a"], "/a"),
                             (["--cgroup", "/a/b"], "/a/b"), (["--cgroup", "a/b"], "/a/b")):
            for prefix in ([], deny):
                with self.subTest(words=words, prefix=prefix):
                    self.assertEqual(self.cgroup_of(*words, prefix=prefix), f"/{name}/c{below}")
        self.refuse("cannot open the container's cgroup nothing: No such file", "--cgroup", "nothing", "c", PROBE)
        self.refuse("cannot open the container's cgroup a/cgroup.procs: Not a dir", "--cgroup",
                    "a/cgroup.procs", "c", PROBE)
        self.good("delete", "--force", "c")
        self.assertFalse(own.exists())

    def test_affinity(self):
        """execCPUAffinity: of exec itself, then of the program in the container's cgroup."""
        mine = sorted(os.sched_getaffinity(0))
        if len(mine) < 2:
            skip_loudly(self, "needs two processors")
        first, last = mine[0], mine[-1]
        config = self.config("sigwait")
        config["process"]["execCPUAffinity"] = {"initial": str(first)}
        self.running(config)
        self.assertEqual(self.ask("affinity")["affinity"], str(first))
        path = pathlib.Path(self.dir, "process.json")

        def execute(**lists):
            process = {"args": [PROBE, "affinity"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                       "execCPUAffinity": lists}
            path.write_text(json.dumps(process))
            return "--process", path, "c"
        for lists, wanted in (({"initial": str(first), "final": str(last)}, last), ({"final": str(last)}, last)):
            self.assertEqual(self.good("exec", *execute(**lists)), f"affinity={wanted}\n")
        for key in ("initial", "final"):
            self.refuse(f"/process/execCPUAffinity/{key}: cannot run on the processors 8190: Invalid argument",
                        *execute(**{key: "8190"}))
        self.refuse("/process/execCPUAffinity/final: expected processors", *execute(final="x"))

    def test_no_cgroup(self):
        """Without one of its own there is nothing that it could be below."""
        self.running()
        state = json.loads(pathlib.Path(self.root, "c/state.json").read_text())
        if state.get("cgroup"):
            self.refuse("No such file", "--cgroup", "a", "c", PROBE)
        else:
            self.refuse("c: the container has no cgroup of its own", "--cgroup", "a", "c", PROBE)


if __name__ == "__main__":
    import unittest
    unittest.main()
