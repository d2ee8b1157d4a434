"""init: signals, orphans, terminal and end of a program, beside tini, dumb-init and catatonit.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "toolbox"))
# pylint: disable=wrong-import-position
from standin import StandIn, skip_loudly  # noqa: E402

PROBE = os.environ["PROBE"]
# Writes a line for each signal that it gets; ends with 7 after SIGUSR2.
LISTENER = """
import signal, sys
every = set(range(1, 65)) - {9, 17, 19, 32, 33}
signal.pthread_sigmask(signal.SIG_BLOCK, every)
print("ready", flush=True)
while True:
    number = signal.sigwaitinfo(every).si_signo
    print(number, flush=True)
    if number == signal.SIGUSR2:
        sys.exit(7)
"""

# Never passed on, or libc's own, which Python cannot wait for.
UNHEARD = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, 32, 33}


def wait_until(condition, what, seconds=60):
    """Poll for a state that nobody announces."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)


def state_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return None


def children_of(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Init(StandIn):
    """What init does for a program, and what becomes of itself."""

    tool = "init"

    def start(self, *arguments, before=(), **more):
        """Start init in the background; ended with the test whatever happens."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([str(word) for word in (*before, self.shimbox, "init", *arguments)],
                                   stdout=subprocess.PIPE, text=True, cwd="/", **more)

        def end():
            for pid in [process.pid] if process.poll() is None else []:
                for child in children_of(pid):
                    os.kill(child, signal.SIGKILL)
                process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
            process.wait()

        self.addCleanup(end)
        return process

    def listen(self, *arguments, **more):
        process = self.start(*arguments, "--", "python3", "-c", LISTENER, **more)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def init(self, *arguments, **more):
        return self.run_command([self.shimbox, "init", *arguments], **more)

    def refused(self, words, *arguments):
        done = self.init(*arguments)
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1), done)
        self.assertTrue(done.stderr.startswith("shimbox init: "), done)
        self.assertIn(words, done.stderr)

    # ---- exit codes ----

    def test_exit_codes(self):
        for code in (0, 1, 2, 77, 125, 126, 127, 128, 255):
            done = self.init("sh", "-c", f"exit {code}")
            self.assertEqual((done.status, done.stdout, done.stderr), (code, "", ""))
        for number in (1, 2, 9, 15, 34, 64):
            done = self.init("--", "sh", "-c", f"kill -{number} $$")
            self.assertEqual((done.status, done.stdout, done.stderr), (128 + number, "", ""), number)

    def test_no_program(self):
        done = self.init("/nowhere/program")
        self.assertEqual((done.status, done.stdout), (127, ""))
        self.assertEqual(done.stderr,
                         "shimbox init: cannot execute /nowhere/program: No such file or directory\n")
        done = self.init("/etc/passwd")
        self.assertEqual((done.status, done.stderr),
                         (126, "shimbox init: cannot execute /etc/passwd: Permission denied\n"))

    def test_as_others_do(self):
        others = [name for name in ("tini-static", "dumb-init", "catatonit") if shutil.which(name)]
        if not others:
            skip_loudly(self, "neither tini, dumb-init nor catatonit is installed")
        for script in ("exit 0", "exit 3", "kill -TERM $$", "kill -KILL $$", "(sleep 0.1 &) ; exit 9"):
            ours = self.init("sh", "-c", script)
            for other in others:
                theirs = self.run_command([other, *(["-s"] if other == "tini-static" else []), "--", "sh",
                                           "-c", script])
                self.assertEqual(ours.status, theirs.status, (other, script))

    def test_success(self):
        self.assertEqual(self.init("-e", "143", "-e5", "sh", "-c", "exit 5").status, 0)
        self.assertEqual(self.init("-e", "143", "sh", "-c", "kill -TERM $$").status, 0)
        self.assertEqual(self.init("--success=143", "sh", "-c", "exit 6").status, 6)

    def test_die_by_signal(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
            done = self.init("--die-by-signal", "sh", "-c", f"ulimit -c 0; kill -{int(number)} $$")
            self.assertEqual(done.status, -number)
        self.assertEqual(self.init("--die-by-signal", "sh", "-c", "exit 4").status, 4)
        # Process 1 cannot end by a signal of its own.
        done = self.run_command(["unshare", "-pf", self.shimbox, "init", "--die-by-signal", "--", "sh", "-c",
                                 "kill -TERM $$"])
        self.assertEqual(done.status, 143)

    # ---- signals ----

    def test_every_signal_is_passed_on(self):
        process = self.listen()
        numbers = [n for n in range(1, 65) if n not in UNHEARD and n != signal.SIGUSR2]
        for number in numbers:
            os.kill(process.pid, number)
            # One after the other: two that are pending come in the order of their numbers.
            self.assertEqual(process.stdout.readline(), f"{number}\n")
        os.kill(process.pid, signal.SIGUSR2)
        self.assertEqual(process.communicate(timeout=120), ("12\n", ""))
        self.assertEqual(process.returncode, 7)

    def test_burst(self):
        """Real-time signals are not merged by the kernel: none is lost."""
        count = 10000
        process = self.listen()
        for sent in range(count):
            os.kill(process.pid, signal.SIGRTMIN)
            if sent % 200 == 199:
                for _ in range(200):
                    self.assertEqual(process.stdout.readline(), f"{int(signal.SIGRTMIN)}\n")
        os.kill(process.pid, signal.SIGUSR2)
        self.assertEqual(process.communicate(timeout=120), ("12\n", ""))

    def test_rewrite(self):
        process = self.listen("--rewrite", "TERM:QUIT", "-r", "SIGINT:0", "-rusr1:RTMIN+2", "--rewrite=1:12")
        for sent, heard in ((signal.SIGTERM, signal.SIGQUIT), (signal.SIGUSR1, signal.SIGRTMIN + 2)):
            os.kill(process.pid, signal.SIGINT)
            os.kill(process.pid, sent)
            self.assertEqual(process.stdout.readline(), f"{int(heard)}\n")
        os.kill(process.pid, signal.SIGHUP)
        self.assertEqual(process.communicate(timeout=120), ("12\n", ""))
        self.assertEqual(process.returncode, 7)

    def test_group(self):
        script = "trap 'echo shell; wait; exit 3' TERM; sh -c 'trap \"echo below; exit\" TERM; echo ready; " \
                 "while :; do sleep 0.05; done' & wait"
        for options, variables, heard in ((["-g"], {}, True), ([], {"TINI_KILL_PROCESS_GROUP": "1"}, True),
                                          ([], {}, False)):
            process = self.start(*options, "--", "sh", "-c", script, env={**os.environ, **variables})
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.terminate()
            if heard:
                out, _ = process.communicate(timeout=120)
                self.assertEqual(sorted(out.split()), ["below", "shell"])
                self.assertEqual(process.returncode, 3)
            else:
                self.assertEqual(process.stdout.readline(), "shell\n")
                (shell,) = children_of(process.pid)
                (below,) = [p for p in children_of(shell) if b"below" in
                            pathlib.Path(f"/proc/{p}/cmdline").read_bytes()]
                os.kill(below, signal.SIGTERM)
                self.assertEqual(process.communicate(timeout=120)[0], "below\n")

    def test_parent_signal(self):
        """The signal that comes when the parent ends is passed on like any."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        parent = subprocess.Popen(["sh", "-c", '"$@" & read line', "sh", self.shimbox, "init", "-p", "USR2",
                                   "python3", "-c", LISTENER], stdin=subprocess.PIPE, stdout=writer)
        os.close(writer)
        with os.fdopen(os.dup(reader)) as heard:
            self.assertEqual(heard.readline(), "ready\n")
            parent.communicate(b"\n")
            self.assertEqual(heard.read(), "12\n")

    # ---- orphans ----

    def test_orphans(self):
        """A hundred thousand of process 1, a thousand of another, and none of them stays a zombie."""
        for before, count in (([], 1000), (["unshare", "-pf", "--kill-child"], 100000)):
            script = f"'{PROBE}' orphans={count} >/dev/null; echo ready; read line; exit 3"
            with open(f"{self.dir}/warnings", "w+", encoding="ascii") as warnings:
                process = self.start("-w", "--", "sh", "-c", script, before=before, stdin=subprocess.PIPE,
                                     stderr=warnings)
                self.assertEqual(process.stdout.readline(), "ready\n")
                pid = children_of(process.pid)[0] if before else process.pid
                wait_until(lambda pid=pid: len(children_of(pid)) == 1, "the last orphan's end")
                process.communicate("line\n", timeout=120)
                self.assertEqual(process.returncode, 3)
                warnings.seek(0)
                lines = warnings.read().splitlines()
            self.assertEqual(len(lines), count)
            for line in lines:
                self.assertRegex(line, r"^shimbox init: warning: reaped the orphan \d+: ended with 0$")

    def test_idle(self):
        """Nothing is kept that belongs to the program, and nothing wakes init."""
        keep, other = os.pipe()
        self.addCleanup(os.close, other)
        process = self.start("sleep", "100", pass_fds=[keep], stdin=subprocess.DEVNULL)
        os.close(keep)
        wait_until(lambda: children_of(process.pid), "the program")
        (child,) = children_of(process.pid)
        wait_until(lambda: os.path.basename(os.readlink(f"/proc/{child}/exe")) == "sleep", "the program")
        wait_until(lambda: sorted(os.listdir(f"/proc/{process.pid}/fd")) == ["0", "1", "2"], "closed descriptors")
        self.assertIn(str(keep), os.listdir(f"/proc/{child}/fd"))
        self.assertEqual(os.readlink(f"/proc/{process.pid}/cwd"), "/")

        def switches():
            return re.findall(r"\w+_ctxt_switches:\t(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())

        def settled():
            before = switches()
            time.sleep(0.1)
            return switches() == before

        wait_until(settled, "rest after the beginning")
        before = switches()
        time.sleep(1)
        self.assertEqual(switches(), before)

    # ---- the terminal ----

    def on_terminal(self, script, *, answers=()):
        """Run a bash script with job control on a terminal of its own. Returns what it wrote."""
        pid, master = pty.fork()
        if pid == 0:
            os.chdir("/")
            os.environ["SHIMBOX"] = self.shimbox
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-c", f"set -m; {script}"])
        written, answers = "", list(answers)
        try:
            end = time.monotonic() + 60
            while select.select([master], [], [], max(0, end - time.monotonic()))[0]:
                try:
                    data = os.read(master, 4096)
                except OSError:
                    break
                written += data.decode()
                if answers and answers[0][0] in written:
                    os.write(master, answers.pop(0)[1])
            else:
                raise AssertionError(f"still running, wrote {written!r}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.close(master)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return written.replace("\r\n", "\n"), status

    GROUPS = "import os; print('own' if os.tcgetpgrp(0) == os.getpgrp() == os.getpid() else 'none', flush=True)"

    def test_foreground(self):
        written, _ = self.on_terminal(
            f"$SHIMBOX init python3 -c \"{self.GROUPS}\"; python3 -c \"import os; "
            "print('back' if os.tcgetpgrp(0) == os.getpgrp() else 'lost')\"")
        self.assertEqual(written, "own\nback\n")

    def test_background_takes_no_terminal(self):
        written, _ = self.on_terminal(
            f"$SHIMBOX init python3 -c \"{self.GROUPS}\" & wait; echo end")
        self.assertEqual(re.sub(r"\[.*\n", "", written).split(), ["none", "end"])

    def test_single_child(self):
        script = "import os; print(os.getpgrp() == os.getpgid(os.getppid()), flush=True)"
        for options, variables, same in ((["-c"], {}, "True"), ([], {}, "False"),
                                         ([], {"DUMB_INIT_SETSID": "0"}, "True")):
            done = self.init(*options, "--", "python3", "-c", script, env=variables)
            self.assertEqual((done.status, done.stdout, done.stderr), (0, f"{same}\n", ""))

    def test_interrupt_key(self):
        """The key's signal reaches the program once, whichever group is in the foreground."""
        for options in ("", "-c"):
            script = LISTENER.replace('"', "'").replace("USR2", "QUIT").strip()
            written, _ = self.on_terminal(f'$SHIMBOX init {options} python3 -c "{script}"; echo code $?',
                                          answers=[("ready\r\n", b"\x03"), ("2\r\n", b"\x1c")])
            self.assertEqual(written, "ready\n^C2\n^\\3\ncode 7\n")

    def test_stop_key(self):
        """^Z stops the program, and init with it, so that the shell has its turn; fg goes on."""
        written, _ = self.on_terminal(
            "$SHIMBOX init sh -c 'echo ready; read line; echo got $line'; echo stopped; jobs -s | wc -l; fg; echo end",
            answers=[("ready", b"\x1a"), ("stopped", b"word\n")])
        self.assertRegex(written, r"(?s)^ready\n.*stopped\n.*1\n.*got word\nend\n$")

    def test_stop_from_outside(self):
        process = self.start("sleep", "100")
        wait_until(lambda: children_of(process.pid), "the program")
        (child,) = children_of(process.pid)
        wait_until(lambda: os.readlink(f"/proc/{child}/exe").endswith("sleep"), "the program")
        for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            os.kill(process.pid, number)
            wait_until(lambda: state_of(child) == state_of(process.pid) == "T", "both stopped")
            os.kill(process.pid, signal.SIGCONT)
            wait_until(lambda: state_of(child) == state_of(process.pid) == "S", "both going on")
        process.terminate()
        self.assertEqual(process.wait(timeout=120), 143)

    # ---- the end ----

    def test_grace(self):
        """TERM for what is left, KILL for what does not care; not for process 1 alone."""
        for before in ([], ["unshare", "-pf", "--kill-child"]):
            mark = f"grace{os.getpid()}{len(before)}"
            one, two = f"{self.dir}/{mark}-1", f"{self.dir}/{mark}-2"
            script = f"sh -c 'trap \"echo term; exit\" TERM; echo ready >&2; exec 2>/dev/null; : >{one}; " \
                     "while :; do sleep 0.1; done' & " \
                     f"sh -c \"trap '' TERM; : >{two}; sleep 100 & wait; wait; sleep 100\" >/dev/null & " \
                     f"until [ -e {one} ] && [ -e {two} ]; do sleep 0.05; done; exit 4"
            done = self.run_command([*before, self.shimbox, "init", "--grace", "3", "--", "env", f"MARK={mark}",
                                     "sh", "-c", script])
            self.assertEqual((done.status, done.stdout, done.stderr), (4, "term\n", "ready\n"))
            self.assertEqual(self.marked(mark), [])

    def test_without_grace(self):
        """What the program left goes on below another parent, as without init."""
        mark = f"left{os.getpid()}"
        done = self.init("env", f"MARK={mark}", "sh", "-c", "sleep 100 >/dev/null 2>&1 & exit 5")
        wait_until(lambda: self.marked(mark), "what is left") # not seen while it is being executed
        left = self.marked(mark)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual((done.status, len(left)), (5, 1))

    def test_grace_is_cut_short(self):
        told = f"{self.dir}/told"
        process = self.start("--grace", "86400", "sh", "-c", f"sh -c 'trap \"\" TERM; echo $$; : >{told}; "
                             f"while :; do sleep 1; done' & until [ -e {told} ]; do sleep 0.05; done; exit 6")
        stubborn = int(process.stdout.readline())
        wait_until(lambda: children_of(process.pid) == [stubborn], "the program's end")
        process.terminate()
        self.assertEqual(process.wait(timeout=120), 6)
        self.assertIsNone(state_of(stubborn))

    @staticmethod
    def marked(mark):
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and f"MARK={mark}".encode() in \
                        pathlib.Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
        return found

    def test_on_exit(self):
        done = self.init("--on-exit", f"{self.probe} cwd  pid", "--on-exit", "env", "sh", "-c", "kill -9 $$")
        self.assertEqual(done.status, 137)
        self.assertIn("INIT_EXIT_CODE=137\n", done.stdout)
        done = self.init("--on-exit", f" {self.probe}  cwd", "sh", "-c", "cd /usr; exit 8")
        self.assertEqual((done.status, done.facts, done.stderr), (8, {"cwd": "/"}, ""))
        done = self.init("--on-exit", "false", "sh", "-c", "exit 8")
        self.assertEqual((done.status, done.stderr),
                         (8, "shimbox init: warning: the command of --on-exit ended with 1\n"))
        done = self.init("--on-exit", "/nowhere", "sh", "-c", "exit 8")
        self.assertEqual(done.status, 8)
        self.assertEqual(done.stderr, "shimbox init: cannot execute /nowhere: No such file or directory\n"
                                      "shimbox init: warning: the command of --on-exit ended with 127\n")

    def test_report(self):
        for options in (["--report"], ["--report=text"], ["-v"]):
            done = self.init(*options, "--", "sh", "-c", "exit 3")
            self.assertEqual((done.status, done.stdout), (3, ""))
            self.assertRegex(done.stderr, r"^shimbox init: sh \(pid \d+\) ended with 3 after \d+\.\d{3} s\n$")
        done = self.init("--report", "sh", "-c", "kill -9 $$")
        self.assertRegex(done.stderr, r"^shimbox init: sh \(pid \d+\) was ended by SIGKILL \(9\) after [\d.]+ s\n$")
        for script, wanted in (("exit 3", {"exit": 3, "signal": None}),
                               ("kill -15 $$", {"exit": None, "signal": 15})):
            done = self.init("--report=json", "sh", "-c", script)
            record = json.loads(done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertGreater(record.pop("pid"), 1)
            self.assertLess(record.pop("milliseconds"), 600000)
            self.assertEqual(record, {"command": "sh", "core": False, **wanted})

    def test_verbose(self):
        for options, variables in ((["-vv"], {}), ([], {"DUMB_INIT_DEBUG": "1"}), ([], {"TINI_VERBOSITY": "3"})):
            done = self.init(*options, "--", "sh", "-c", "(exit 0 &) ; kill -USR1 $PPID; exec sleep 60", env=variables)
            self.assertEqual(done.status, 128 + signal.SIGUSR1)
            self.assertIn("shimbox init: debug: pass on SIGUSR1 (10)\n", done.stderr)
            self.assertIn("was ended by SIGUSR1 (10)", done.stderr)
        self.assertEqual(self.init("true", env={"TINI_VERBOSITY": "1"}).stderr, "")

    # ---- what the program starts with ----

    def test_program_starts_as_without(self):
        names = ["cwd", "umask", "signals", "caps", "dumpable", "rlimits", "env"]
        self.assertEqual(self.init(self.probe, *names).facts, self.run_command([self.probe, *names]).facts)

    def test_chdir(self):
        done = self.init("--chdir", "/usr", self.probe, "cwd")
        self.assertEqual((done.status, done.facts), (0, {"cwd": "/usr"}))
        done = self.init("-C", "/nowhere", self.probe, "cwd")
        self.assertEqual((done.status, done.stdout, done.stderr),
                         (125, "", "shimbox init: cannot enter /nowhere: No such file or directory\n"))

    def test_cloexec(self):
        keep, other = os.pipe()
        self.addCleanup(os.close, keep)
        self.addCleanup(os.close, other)
        script = f"test -e /proc/self/fd/{keep} && echo open || echo closed"
        self.assertEqual(self.init("sh", "-c", script, pass_fds=[keep]).stdout, "open\n")
        self.assertEqual(self.init("--cloexec", "sh", "-c", script, pass_fds=[keep]).stdout, "closed\n")

    def test_listen_pid(self):
        """Right for the program when it was right for init, and untouched otherwise."""
        script = f"export LISTEN_PID=$$; exec {self.shimbox} init sh -c 'echo $LISTEN_PID $$'"
        done = self.run_command(["sh", "-c", script])
        listen, own = done.stdout.split()
        self.assertEqual(listen, own)
        done = self.init("sh", "-c", "echo $LISTEN_PID", env={"LISTEN_PID": "1"})
        self.assertEqual(done.stdout, "1\n")

    def test_pid_file(self):
        path = f"{self.dir}/pid"
        done = self.init("--pid-file", path, "sh", "-c", f"cat {path}; echo \" $$\"")
        written, own = done.stdout.split()
        self.assertEqual((written, done.stderr), (own, ""))
        self.assertFalse(os.path.exists(path))
        done = self.init("--pid-file", "/nowhere/pid", "echo", "ran")
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1))
        self.assertIn("/nowhere/pid", done.stderr)

    def test_chain(self):
        """The next link is applied in the child, and the program is what was asked for."""
        done = self.init("-e", "9", "--", "setpriv", "--no-new-privs", "--", "limits", "--umask", "077", "--",
                         "sh", "-c", "umask; grep NoNewPrivs /proc/self/status; exit 9")
        self.assertEqual((done.status, done.stdout.split(), done.stderr), (0, ["0077", "NoNewPrivs:", "1"], ""))
        # All of a chain is checked before a process is made.
        done = self.init("--", "setpriv", "--reuid", "nobody-at-all", "--", "echo", "ran")
        self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1))

    # ---- without a program ----

    def test_pause(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            process = self.start("-P")
            # rt_sigtimedwait, on x86_64 and aarch64
            wait_until(lambda: pathlib.Path(f"/proc/{process.pid}/syscall").read_text().split()[0] in
                       ("128", "137"), "waiting for signals")
            os.kill(process.pid, signal.SIGHUP)
            os.kill(process.pid, signal.SIGUSR1)
            os.kill(process.pid, number)
            self.assertEqual(process.communicate(timeout=120), ("", ""))
            self.assertEqual(process.returncode, 0)

    def test_pause_reaps(self):
        """What ends while it waits, and what had ended before it began."""
        for script in ('(sleep 0.3 &) ; exec "$@"', '(: &) ; sleep 0.2; exec "$@"'):
            process = subprocess.Popen(["unshare", "-pf", "--kill-child", "sh", "-c", script, "sh", self.shimbox,
                                        "init", "--pause"], stdin=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            wait_until(lambda p=process: children_of(p.pid), "process 1")
            (first,) = children_of(process.pid)
            wait_until(lambda p=first: os.path.basename(os.readlink(f"/proc/{p}/exe")) == "shimbox", "init")
            wait_until(lambda p=first: children_of(p) == [], "the orphan's end")

    # ---- mistakes ----

    def test_usage(self):
        self.refused("no command to go on with")
        self.refused("no command to go on with", "-v")
        self.refused("unexpected argument 'true'", "-P", "true")
        self.refused("there is no signal 'NOPE'", "-p", "NOPE", "true")
        self.refused("expected FROM:TO, found 'TERM'", "--rewrite", "TERM", "true")
        self.refused("there is no signal 'BAD'", "--rewrite", "BAD:TERM", "true")
        self.refused("there is no signal ''", "--rewrite", "TERM:", "true")
        self.refused("SIGKILL is never passed on", "--rewrite", "KILL:TERM", "true")
        self.refused("'256' is not a number from 0 to 255", "-e", "256", "true")
        self.refused("'x' is not a number of seconds", "--grace", "x", "true")
        self.refused("'xml' is neither text nor json", "--report=xml", "true")
        self.refused("there is no command in it", "--on-exit", "  ", "true")
        self.refused("--group and --single-child exclude each other", "-g", "-c", "true")
        self.refused("unknown option --nope", "--nope", "true")
