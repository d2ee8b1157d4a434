#!/usr/bin/env python3
"""spark: its options, errors, exit codes and report.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import signal
import subprocess

from spark import DEBUG, SparkTest, skip_loudly


class Usage(SparkTest):
    def test_refused(self):
        """One line, and nothing has run."""
        bundle = f"{self.dir}/none"
        rows = (
            ([], "expected BUNDLE or ROOTFS"),
            (["--network", "host", self.rootfs, "--", "true"],
             "option --network: unknown word 'host': isolated or runner"),
            (["--timeout", "5", self.rootfs, "--", "true"], "option --timeout: '5' is not a time"),
            (["--timeout", "25h", self.rootfs, "--", "true"], "option --timeout: '25h' is not a time"),
            (["--max-stdio-bytes", "-1", self.rootfs, "--", "true"],
             "option --max-stdio-bytes: '-1' is no number of bytes"),
            (["--pids", "x", self.rootfs, "--", "true"], "--pids"),
            (["--memory", "lots", self.rootfs, "--", "true"], "lots"),
            (["--cpu", "0", self.rootfs, "--", "true"], '--cpu: "0" is not more than 0'),
            (["--readonly", "--scratch", "/tmp", self.rootfs, "--", "true"],
             "--readonly and --scratch exclude each other"),
            (["--root-uid", "4294967295", self.rootfs, "--", "true"],
             "option --root-uid: '4294967295' is no id that 65535 more can follow"),
            (["--root-gid", "4294901761", self.rootfs, "--", "true"], "option --root-gid: '4294901761' is no id"),
            (["--root-uid", "1", "--uid-map", "0:1:1", self.rootfs, "--", "true"],
             "--root-uid and --root-gid exclude --uid-map and --gid-map"),
            (["--env", "=x", self.rootfs, "--", "true"], "=x"),
            (["--nothing", self.rootfs, "--", "true"], "--nothing"),
            ([self.rootfs, "true"], "unexpected argument 'true'"),
            ([self.rootfs], f"{self.rootfs} has no config.json, so a program is wanted"),
            ([bundle, "--", "true"], f"cannot enter {bundle}: No such file or directory"),
            ([self.shimbox, "--", "true"], f"cannot enter {self.shimbox}: Not a directory"),
            (["--scratch", bundle, self.rootfs, "--", "true"], f"cannot create {bundle}/spark-"),
        )
        for words, message in rows:
            with self.subTest(words):
                done = subprocess.run([self.shimbox, "--root", self.root, "spark", *words], stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, check=False, timeout=120)
                self.assertEqual((done.returncode, done.stdout), (125, ""), done)
                self.assertIn(message, done.stderr)
                self.assertRegex(done.stderr, r"\Ashimbox spark: [^\n]+\n\Z")


class Exit(SparkTest):
    def test_codes(self):
        """The program's, or what became of it; and why, with the end of what it said."""
        for code, why in ((1, "1"), (122, "122"), (125, "125"), (255, "255")):
            self.bad(code, f"the function ended with exit code {why}", "", "/bin/probe", f"exit={code}")
        for name in ("KILL", "TERM", "SEGV", "PIPE"):
            number = getattr(signal, f"SIG{name}")
            self.bad(128 + number, f"the function was ended by SIG{name}", "", "/bin/probe", f"raise={name}")
        self.bad(127, "/process/args: cannot execute /bin/none: No such file or directory", "", "/bin/none")
        self.bad(127, "/process/args: cannot find none in $PATH of the container: No such file or directory", "", "none")
        self.bad(126, "/process/args: cannot execute /etc/passwd: Permission denied", "", "/etc/passwd")
        self.bad(126, "/process/args: cannot execute /etc: Permission denied", "", "/etc")
        self.bad(124, "the function was ended: it has not ended within 0.1 s", "--timeout 100ms", "sleep", "60")
        self.assertEqual(self.good("", "/bin/cat", data=b"a\0b").stdout, b"a\0b")

    def test_last_words(self):
        """The tail of its errors goes into the error line, made safe to print; what it wrote comes first."""
        rows = (("echo one; echo two >&2; exit 3", b"one\n", "two\n", "two"),
                ("printf 'x\\n\\n \\n' >&2; exit 3", b"", "x\n\n \n", "x"),
                ("printf 'a\\033[31mb\\n' >&2; exit 3", b"", "a\x1b[31mb\n", "a\\x1b[31mb"),
                ("printf %0600d 7 >&2; exit 3", b"", "0" * 599 + "7", None))
        for script, output, errors, last in rows:
            with self.subTest(script):
                answer = self.shell("", script)
                self.assertEqual((answer.status, answer.stdout), (3, output), answer)
                if not errors.endswith("\n"):
                    errors += "\n"
                self.assertTrue(answer.stderr.startswith(errors), answer)
                line = answer.stderr[len(errors):]
                self.assertRegex(line, r"\Ashimbox spark: the function ended with exit code 3: [^\n\x1b]+\n\Z")
                if last:
                    self.assertEqual(line, f"shimbox spark: the function ended with exit code 3: {last}\n")
        answer = self.shell("", "echo bad >&2")
        self.assertEqual((answer.status, answer.stderr), (0, "bad\n"), answer)


class Options(SparkTest):
    def test_environment(self):
        facts = self.good(["--env", "A=1", "--env", "B=x y=z", "--env", "A=2", "--env", "E="], "/bin/probe", "env",
                          env={"SECRET": "x", "PATH": os.environ["PATH"]}).facts
        self.assertEqual({key: value for key, value in facts.items() if not key.startswith("env.PATH")},
                         {"env.A": "2", "env.B": "x y=z", "env.E": "", "env.HOME": "/root"})

    def test_plain(self):
        """What a function is, unless it is told otherwise."""
        facts = self.good("", "/bin/probe", "args", "uid", "gid", "groups", "pid", "ppid", "sid", "nnp", "cwd", "fds",
                          "tty", "interfaces", "exe", "caps", "args").facts
        self.assertEqual((facts["uid"], facts["gid"], facts["groups"], facts["ppid"], facts["nnp"], facts["cwd"]),
                         ("0", "0", "", "1", "1", "/"))
        self.assertEqual((facts["fds"], facts["fds.0"], facts["fds.1"], facts["fds.2"]),
                         ("0 1 2", "fifo,r", "fifo,w", "fifo,w"))
        self.assertEqual({key.split(".")[1] for key in facts if key.startswith("interfaces")}, {"lo"})

    def test_network(self):
        own = os.stat("/proc/self/ns/net").st_ino
        resolv = pathlib.Path("/etc/resolv.conf").read_text()
        rows = (("", self.rootfs, False), ("--network isolated", self.rootfs, False),
                ("--network runner", self.rootfs, True))
        for options, source, shared in rows:
            with self.subTest(options):
                facts = self.good(options, "/bin/probe", "ns", "interfaces", "exists=/etc/resolv.conf",
                                  source=source).facts
                self.assertEqual(int(facts["ns.net"]) == own, shared)
                self.assertEqual(facts["exists:/etc/resolv.conf"], "yes" if shared else "no")
        facts = self.good("--network runner", "/bin/probe", "read=/etc/resolv.conf",
                          "stat=/etc/resolv.conf").facts
        self.assertEqual(facts["read:/etc/resolv.conf"].replace("\\n", "\n"), resolv)
        self.assertIn("ro", facts["stat:/etc/resolv.conf.flags"].split())

    def scheduled(self):
        """(function that writes its configuration with a scheduler, bundle)"""
        bundle = f"{self.dir}/scheduled"
        os.makedirs(bundle, exist_ok=True)
        config = self.config("scheduler", "ioprio", rootfs="../rootfs")
        config["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}

        def write(scheduler):
            config["process"]["scheduler"] = scheduler
            pathlib.Path(bundle, "config.json").write_text(json.dumps(config))
        return write, bundle

    def check_scheduled(self, rows):
        write, bundle = self.scheduled()
        for scheduler, wanted in rows:
            with self.subTest(scheduler):
                write(scheduler)
                facts = self.good("", source=bundle).facts
                self.assertEqual(tuple(facts[f"scheduler.{key}"] for key in ("policy", "nice", "priority")), wanted)
                self.assertEqual((facts["ioprio.class"], facts["ioprio.level"]), ("be", "6"))

    def test_scheduler(self):
        """The guard's is the program's."""
        self.check_scheduled([({"policy": "SCHED_OTHER", "nice": 5}, ("other", "5", "0")),
                              ({"policy": "SCHED_BATCH", "nice": 19}, ("batch", "19", "0"))])

    def test_real_time(self):
        if subprocess.run(["chrt", "--fifo", "5", "true"], capture_output=True, check=False).returncode != 0:
            skip_loudly(self, "chrt may not have the policy SCHED_FIFO here")
        self.check_scheduled([({"policy": "SCHED_FIFO", "priority": 3}, ("fifo", "0", "3"))])

    def test_scheduler_of_no_child(self):
        """What does not go over a fork is refused, and nothing has been made."""
        write, bundle = self.scheduled()
        for scheduler, message in (
                ({"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 10000000, "period": 20000000},
                 "/process/scheduler/policy: a function cannot have SCHED_DEADLINE"),
                ({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
                 "/process/scheduler/flags: a function cannot have SCHED_FLAG_RESET_ON_FORK")):
            with self.subTest(scheduler):
                write(scheduler)
                self.bad(125, message, f"--scratch {self.scratch}", source=bundle)
                self.assertEqual((os.listdir(self.root), os.listdir(self.scratch)), ([], []))

    def test_bundle(self):
        """Its program, environment, user and mounts; its namespaces and root with what a function has."""
        bundle = f"{self.dir}/bundle"
        os.mkdir(bundle)
        config = self.config("uid", "env", "ns", "pid", "mkdir=/new", rootfs="../rootfs")
        config["process"].update(user={"uid": 7, "gid": 8}, terminal=True)
        config["process"]["env"].append("C=3")
        config["linux"]["namespaces"] = [{"type": "ipc"}]
        file = pathlib.Path(bundle, "config.json")
        file.write_text(json.dumps(config))
        own = os.stat("/proc/self/ns/net").st_ino
        facts = self.good("--env D=4", source=bundle).facts
        self.assertEqual((facts["uid"], facts["pid"], facts["env.C"], facts["env.D"], facts["mkdir:/new"]),
                         ("7", "2", "3", "4", "EACCES"))
        self.assertEqual(int(facts["ns.net"]), own)
        facts = self.good("--network isolated", "/bin/probe", "args", "ns", source=bundle).facts
        self.assertEqual(facts["args.0"], "/bin/probe")
        self.assertNotEqual(int(facts["ns.net"]), own)
        config["linux"]["namespaces"].append({"type": "network", "path": "/proc/self/ns/net"})
        file.write_text(json.dumps(config))
        self.assertNotEqual(int(self.good("--network isolated", source=bundle).facts["ns.net"]), own)
        config["linux"]["namespaces"].pop()
        config["process"]["user"] = {"uid": 0, "gid": 0}
        config["process"]["rlimits"] = [{"type": "RLIMIT_STACK", "soft": 65536, "hard": 65536}]
        file.write_text(json.dumps(config))
        answer = self.call("", "/bin/echo", "small stack", source=bundle)
        self.assertEqual((answer.status, answer.stdout), (0, b"small stack\n"), answer)
        if not DEBUG:  # the sanitizer does not know the stack
            self.assertEqual(answer.stderr, "")
        del config["process"]["rlimits"]
        for readonly, options, answer in ((False, "", "ok"), (True, "", "EROFS"), (False, "--readonly", "EROFS")):
            config["root"]["readonly"] = readonly
            file.write_text(json.dumps(config))
            self.assertEqual(self.good(options, source=bundle).facts["mkdir:/new"], answer)
        self.assertFalse(os.path.exists(f"{self.rootfs}/new"))
        for change, message in (
                (lambda c: c.update(hooks={"poststop": [{"path": "/bin/true"}]}), "/hooks: a function has none"),
                (lambda c: c["linux"]["namespaces"].append({"type": "pid", "path": "/proc/self/ns/pid"}),
                 "/linux/namespaces: a function has a pid namespace of its own"),
                (lambda c: c["linux"]["namespaces"].append({"type": "user", "path": "/proc/self/ns/user"}),
                 "/linux/namespaces: a function has a user namespace of its own"),
                (lambda c: c.pop("root"), "/root: no root file system")):
            broken = json.loads(json.dumps(config))
            change(broken)
            file.write_text(json.dumps(broken))
            self.bad(125, message, "", source=bundle)
        file.write_text("{")
        answer = self.call("", source=bundle)
        self.assertEqual((answer.status, answer.stdout, answer.stderr.count("\n")), (125, b"", 1), answer)
        self.assertIn("config.json", answer.stderr)


class Report(SparkTest):
    COMMON = {"exit", "end", "oom", "bytes", "wall_us", "user_us", "system_us"}

    def report(self, options, *program, more=(), missing=("peak_memory",), **rest):
        """The report of a call; its fields are those and no others."""
        answer = self.call(f"--json {options}", *program, **rest)
        report = answer.report
        self.assertEqual(set(report) | set(missing), self.COMMON | set(more) | set(missing), answer)
        self.assertEqual((report["exit"], report["oom"]), (answer.status, False))
        for name in ("wall_us", "user_us", "system_us"):
            self.assertGreaterEqual(report[name], 0)
        return report, answer

    def test_end(self):
        report, answer = self.report("", "/bin/sh", "-c", "cat; echo err >&2", data=b"12345")
        self.assertEqual((answer.status, answer.stdout, answer.stderr.splitlines()[0]), (0, b"12345", "err"))
        self.assertEqual((report["end"], report["bytes"]), ("ended", {"input": 5, "output": 5, "errors": 4}))
        self.assertGreater(report["peak_memory"], 4096)
        self.assertLess(report["peak_memory"], 100 << 20)
        report, _ = self.report("", "/bin/sh", "-c", "echo a b >&2; exit 9", more=["error"])
        self.assertEqual((report["exit"], report["error"]), (9, "the function ended with exit code 9: a b"))
        report, _ = self.report("", "/bin/probe", "raise=USR1", more=["signal", "error"])
        self.assertEqual((report["exit"], report["signal"], report["end"]), (138, "SIGUSR1", "ended"))

    def test_times(self):
        """Of the processor, what it needs; of the clock, all of it."""
        report, _ = self.report("", "/bin/sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")
        self.assertGreater(report["user_us"] + report["system_us"], 3000)
        report, _ = self.report("", "sleep", "0.3")
        self.assertGreaterEqual(report["wall_us"], 300000)
        self.assertLess(report["user_us"] + report["system_us"], report["wall_us"])
        report, _ = self.report("", "/bin/sh", "-c", "head -c 10000000 /dev/zero | tail -c 8000000 >/dev/null")
        self.assertGreater(report["peak_memory"], 7000000)

    def test_failures(self):
        # Where much else runs, a second may not be enough for a shell to begin.
        for seconds in (1, 5, 20):
            report, _ = self.report(f"--timeout {seconds}s", "/bin/sh", "-c", "echo x; exec sleep 60", more=["error"])
            self.assertEqual((report["exit"], report["end"]), (124, "timed-out"))
            self.assertGreaterEqual(report["wall_us"], seconds * 1000000)
            if report["bytes"]["output"] > 0:
                break
        self.assertEqual(report["bytes"]["output"], 2)
        for number, name in enumerate(("input", "output", "errors")):
            script = "cat >/dev/null; sleep 60" if number == 0 else f"head -c 11 /dev/zero >&{number}; exec sleep 60"
            report, _ = self.report("--max-stdio-bytes 10", "/bin/sh", "-c", script, more=["error", "truncated"],
                                    data=b"0123456789A" if number == 0 else b"")
            self.assertEqual((report["exit"], report["end"], report["truncated"], report["bytes"][name]),
                             (123, "exceeded", name, 10))
        report, _ = self.report("", "/bin/none", more=["error"])
        self.assertEqual((report["exit"], report["end"]), (127, "failed"))
        self.assertIn("/bin/none", report["error"])
        report, _ = self.report("", more=["error"])
        self.assertEqual((report["exit"], report["end"]), (125, "failed"))
        report, _ = self.report("", source=f"{self.dir}/none", more=["error"])
        self.assertEqual((report["exit"], report["end"]), (125, "failed"))

    def test_full(self):
        """Nobody can be told: the exit code is that of the answer all the same."""
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.call("--json", "/bin/true", stderr=full).status, 0)
            self.assertEqual(self.call("--json", "/bin/false", stderr=full).status, 1)
