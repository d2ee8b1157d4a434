#!/usr/bin/env python3
"""The container's first process is made in the memory of its maker, where that can be.
SPDX-License-Identifier: Apache-2.0

By strace: which system calls make a process, and with which flags. The rest is what could go wrong where
two processes write to one memory. The debug build, whose malloc() is the sanitizer's, always forks.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from container import ContainerTest

MAKES = re.compile(r"\b(?:clone3?|v?fork)\(.*")


class Annexed(ContainerTest):
    def setUp(self):
        super().setUp()
        self.states = tempfile.mkdtemp(prefix="states.", dir=self.dir)
        os.chmod(self.states, 0o755)

    def file(self, config):
        path = f"{self.states}/config.json"
        pathlib.Path(path).write_text(json.dumps(config))
        os.chmod(path, 0o644)
        return path

    def makes(self, *command, status=0, follow=("-f",), **more):
        """The calls of a command and its processes that made a process: the flags of each."""
        log = f"{self.states}/strace"
        pathlib.Path(log).unlink(missing_ok=True)
        # A file: what is made may hold it open for longer than its maker.
        with open(f"{self.states}/errors", "w+", encoding="utf-8") as errors:
            done = subprocess.run(["strace", *follow, "-s", "40", "-e", "trace=clone,clone3,fork,vfork", "-o", log, *command],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, check=False, timeout=120, **more)
            errors.seek(0)
            self.assertEqual((done.returncode, errors.read()), (status, ""))
        # What was interrupted in the middle of a line ends in another one.
        text = re.sub(r" <unfinished \.\.\.>\n", "\n", pathlib.Path(log).read_text())
        return MAKES.findall(text)

    def run_makes(self, config, *options, before=(), **more):
        return self.makes(self.shimbox, *before, "--root", f"{self.states}/root", "run", "--config", self.file(config),
                          *options, **more)

    def shared(self, calls):
        return ["CLONE_VM" in call and "CLONE_VFORK" not in call for call in calls]

    def test_where_it_can_be(self):
        """One process is made, with CLONE_VM; two where namespaces are joined."""
        self.assertEqual(self.shared(self.run_makes(self.config("exit=0"))), [True])
        self.assertEqual(self.shared(self.run_makes(self.config("exit=0"), "an-id")), [True])
        mapped = self.map_user(self.config("exit=0"), [(0, 100000, 65536)])
        self.assertIn(True, self.shared(self.run_makes(mapped)))
        config = self.file(self.config("sleep=600000"))
        words = [self.shimbox, "--root", f"{self.states}/root"]
        subprocess.run([*words, "run", "--detach", "--config", config, "c"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            calls = self.makes(*words, "exec", "c", "/bin/probe", "exit=0")
            self.assertEqual(self.shared(calls), [True, True])
            self.assertIn("CLONE_PARENT", calls[1])
        finally:
            subprocess.run([*words, "delete", "--force", "c"], check=True)

    def test_where_it_cannot_be(self):
        """Where the kernel would end the maker as well, or refuse, or somebody else has to fork."""
        plain = self.config("exit=0")
        limited = {**plain, "linux": {**plain["linux"], "resources": {"memory": {"limit": 64 << 20}}}}
        unified = {**plain, "linux": {**plain["linux"], "resources": {"unified": {"memory.max": "64M"}}}}
        scored = {**plain, "process": {**plain["process"], "oomScoreAdj": 100}}
        timed = {**plain, "linux": {**plain["linux"], "namespaces": [*plain["linux"]["namespaces"], {"type": "time"}]}}
        hooked = {**plain, "hooks": {"createRuntime": [{"path": "/bin/true"}]}}
        trace = f"--trace={self.states}/trace"
        for title, config, options, before in (("memory", limited, (), ()), ("unified", unified, (), ()), ("oom", scored, (), ()), ("time", timed, (), ()),
                                               ("hooks", hooked, ("an-id",), ()), ("trace", plain, (), (trace,))):
            with self.subTest(title):
                log = f"--log={self.states}/log"
                calls = self.run_makes(config, *options, before=(log, *before))
                self.assertGreaterEqual(len(calls), 1)
                self.assertNotIn(True, self.shared(calls), calls)

    def test_created(self):
        """Who makes a container that is to be started ends before."""
        words = [self.shimbox, "--root", f"{self.states}/root"]
        os.makedirs(f"{self.states}/bundle")
        pathlib.Path(f"{self.states}/bundle/config.json").write_text(json.dumps(self.config("exit=0")))
        try:
            calls = self.makes(*words, "create", "--bundle", f"{self.states}/bundle", "c", follow=())
            self.assertEqual(self.shared(calls), [False], calls)
            subprocess.run([*words, "start", "c"], check=True)
        finally:
            subprocess.run([*words, "delete", "--force", "c"], check=True)

    def test_ordinary_user(self):
        """Its own files in /proc would be root's."""
        user = self.need_user()
        os.chown(self.states, user.uid, user.gid)
        calls = self.run_makes(self.user_config("exit=0", subordinate=False), preexec_fn=user.preexec, cwd="/")
        self.assertNotIn(True, self.shared(calls), calls)

    def test_dumpable_after_change_of_ids(self):
        """Where the kernel would make who changes ids dumpable again, and somebody is there to look, each
        process has a memory of its own."""
        config = self.file(self.config("sleep=600000"))
        words = [self.shimbox, "--root", f"{self.states}/root"]
        subprocess.run([*words, "run", "--detach", "--config", config, "c"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for value, shared in (("0", [True, True]), ("1", [False, False]), ("2", [True, True])):
                (pathlib.Path(self.states) / "value").write_text(value + "\n")
                calls = self.makes("unshare", "--mount", "sh", "-ec",
                                   'mount --bind "$1" /proc/sys/fs/suid_dumpable; shift; exec "$@"', "sh",
                                   f"{self.states}/value", *words, "exec", "c", "/bin/probe", "exit=0")
                self.assertEqual(self.shared(calls)[-2:], shared, (value, calls))
        finally:
            subprocess.run([*words, "delete", "--force", "c"], check=True)

    def look_into(self, pid):
        """Can another root do that who has no rights but those of an owner of files?"""
        done = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "sh", "-c",
                               "grep CapEff /proc/self/status; exec 3<>/proc/$0/mem && echo opened", str(pid)],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.stdout.splitlines()[0], "CapEff:\t0000000000000000")
        self.assertEqual(done.returncode == 0, "opened" in done.stdout, done.stderr)
        return done.returncode == 0

    def stopped(self, config):
        """A `run` whose child has been stopped in its set-up, and that child."""
        path = self.file(config)
        for _ in range(300):
            process = subprocess.Popen([self.shimbox, "--root", f"{self.states}/root", "run", "--config", path],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            while process.poll() is None:
                for child in self.children(process.pid):
                    try:
                        os.kill(child, signal.SIGSTOP)
                        if pathlib.Path(f"/proc/{child}/cmdline").read_bytes().endswith(path.encode() + b"\0"):
                            return process, child
                        os.kill(child, signal.SIGCONT)
                    except OSError:
                        pass
            process.communicate(timeout=60)
        return self.fail("its child is never met in its set-up")

    def test_closed_in_set_up(self):
        """Who may look into the child may look into its maker: so nobody may who could not look into that."""
        other = subprocess.Popen(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "sleep", "600"])
        try:
            self.wait_for(lambda: b"sleep" in pathlib.Path(f"/proc/{other.pid}/cmdline").read_bytes(), "no sleep", 60)
            self.assertTrue(self.look_into(other.pid))
        finally:
            other.kill()
            other.wait()
        for config in (self.config("exit=0"), self.map_user(self.config("exit=0"), [(0, 100000, 65536)])):
            process, child = self.stopped(config)
            try:
                self.assertFalse(self.look_into(child))
                self.assertFalse(self.look_into(process.pid))
            finally:
                os.kill(child, signal.SIGCONT)
                self.assertEqual(process.communicate(timeout=60)[1], b"")

    def test_closed_while_it_waits(self):
        """What is made ahead of a call."""
        service = subprocess.Popen([self.shimbox, "--root", f"{self.states}/root", "spark", "--requests", self.rootfs],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # After that one the next container is made, in case.
        service.stdin.write(b'{"args": ["/bin/probe", "exit=0"]}\n')
        service.stdin.flush()
        try:
            self.assertIn(b'"exit":0', service.stdout.readline())
            self.wait_for(lambda: self.waiting(service.pid), "nobody waits for a request", 60)
            self.assertFalse(self.look_into(self.waiting(service.pid)))
        finally:
            service.stdin.close()
            self.assertEqual((service.stdout.read(), service.wait(timeout=60)), (b"", 0))
            service.stdout.close()

    def waiting(self, pid):
        """The child of the child of that process which is the first in a pid namespace."""
        for child in [child for worker in self.children(pid) for child in self.children(worker)]:
            if re.search(r"(?m)^NSpid:.*\t1$", pathlib.Path(f"/proc/{child}/status").read_text()):
                return child
        return None

    def children(self, pid):
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def test_much(self):
        """More than any piece of memory that is there from the beginning: variables, mounts, groups."""
        config = self.config("read=/proc/self/mountinfo", "env", "groups")
        names = [f"/many/{i}" for i in range(300)]
        config["mounts"].append({"destination": "/many", "type": "tmpfs", "source": "many"})
        config["mounts"] += [{"destination": name, "type": "bind", "source": self.rootfs, "options": ["rbind", "ro"]}
                             for name in names]
        config["process"]["env"] = ["PATH=/bin"] + [f"V{i}={'x' * 100}" for i in range(3000)] + ["V7=last"]
        config["process"]["user"]["additionalGids"] = list(range(1000, 3000))
        config["linux"]["maskedPaths"] = [f"{name}/bin/probe" for name in names[:200]]
        self.assertEqual(self.shared(self.run_makes(config)), [True])
        facts = self.ask(config)
        self.assertEqual(facts["read:/proc/self/mountinfo"].count(" /many/"), 300 + 200)

    def test_child_killed(self):
        """At any moment of the set-up: the maker goes on, takes back what it has made, and says so."""
        config, seen = self.file(self.config("exit=0")), set()
        for number in range(60):
            process = subprocess.Popen([self.shimbox, "--root", f"{self.states}/root", "run", "--config", config, "an-id"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
            child = ""
            while not child and process.poll() is None:
                try:
                    child = children.read_text().split(" ")[0]
                except OSError:
                    break
            time.sleep(number * 0.0001)
            # It is a child of a process that has not been waited for by anybody but its maker, which may
            # have done so: then the number is nobody's, or the next one's; so it is asked by its parent.
            try:
                if child and f"PPid:\t{process.pid}\n" in pathlib.Path(f"/proc/{child}/status").read_text():
                    os.kill(int(child), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                pass
            out, err = process.communicate(timeout=60)
            seen.add(process.returncode)
            self.assertIn(process.returncode, (0, 1, 137), (out, err))
            self.assertEqual((out, err.count("\n")), ("", int(process.returncode == 1)), err)
            self.assertEqual(os.listdir(f"{self.states}/root"), [])
        self.assertTrue(seen & {1, 137}, seen)

    def test_refused_by_the_child(self):
        """Both have an errno and an error of their own."""
        config = self.config("exit=0")
        config["mounts"].append({"destination": "/x", "type": "no-such-type", "source": "x"})
        result = self.refused(config, "no-such-type")
        self.assertIn("No such device", result.stderr)
        missing = self.config("exit=0")
        missing["process"]["args"] = ["/no/such/program"]
        self.assertIn("No such file or directory", self.refused(missing, "/no/such/program").stderr)

    def test_nothing_of_a_thread(self):
        """What libc has for a thread is copied with it; what the program would have is not (annex.c)."""
        headers = subprocess.run(["readelf", "-lW", self.shimbox], capture_output=True, text=True, check=True).stdout
        self.assertIn("LOAD", headers)
        self.assertNotRegex(headers, r"(?m)^\s+TLS\b")
