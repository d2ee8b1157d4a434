#!/usr/bin/env python3
"""spark: how a call ends, by time, by signals, by the end of spark itself; and that nothing stays.
SPDX-License-Identifier: Apache-2.0
"""

import fcntl
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import threading
import time

from spark import DEBUG, FULL, SparkTest

CAPABILITIES = [f"CAP_{name}" for name in (
    "SETUID", "SETGID", "KILL", "SYS_PTRACE", "SYS_ADMIN", "DAC_OVERRIDE", "DAC_READ_SEARCH")]
PTRACE = {"x86_64": 101, "aarch64": 117}[os.uname().machine]
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206


def processes(word):
    """{pid: state} of those with this word in their command line."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            pass
    return found


class EndTest(SparkTest):
    def setUp(self):
        super().setUp()
        # Time for a sleep that nothing else sleeps.
        self.word = str(random.randrange(10**6, 10**9))

    def tearDown(self):
        self.wait_for(lambda: not processes(self.word), "processes stay")
        super().tearDown()

    def powerful(self, **more):
        """A bundle whose programs may gain privileges."""
        bundle = pathlib.Path(self.dir, f"powerful{self.word}")
        bundle.mkdir()
        config = self.config()
        config["process"]["capabilities"] = {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")}
        config["linux"].update(more)
        (bundle / "config.json").write_text(json.dumps(config))
        return str(bundle)


class Timeout(EndTest):
    def test_whatever_it_does(self):
        sleep = f"sleep {self.word}"
        for title, script, source in (
                ("plain", f"exec {sleep}", None),
                ("busy", "while :; do :; done", None),
                ("deaf", f"trap '' TERM INT HUP QUIT; {sleep} & {sleep} & wait; wait", None),
                ("stopped", f"{sleep} & kill -STOP $! $$; wait", None),
                ("away", f"setsid {sleep} & (setsid sh -c '{sleep} & {sleep}') & exec {sleep}", None),
                ("multiplying", f"i=0; while [ $i -lt 60 ]; do {sleep} & i=$((i+1)); done; exec {sleep}", None),
                ("another user", f"exec /bin/probe setgid=1000 setuid=1000 sleep={self.word}000", self.powerful()),
                ("reading", "exec cat", None),
                ("writing", "exec yes", None)):
            with self.subTest(title):
                with open("/dev/zero", "rb") as zero, open("/dev/null", "wb") as null:
                    answer = self.shell("--timeout 150ms --max-stdio-bytes 0", script, source=source, stdin=zero, stdout=null)
                self.assertEqual((answer.status, answer.stdout, answer.stderr), (
                    124, b"", "shimbox spark: the function was ended: it has not ended within 0.15 s\n"))
                self.assertEqual(processes(self.word), {})

    def test_at_any_time(self):
        """While the container is set up as well; what was made is taken away."""
        for milliseconds in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20):
            answer = self.call(f"--timeout {milliseconds}ms --scratch {self.scratch}", "sleep", self.word)
            self.assertEqual((answer.status, answer.stdout, answer.stderr), (
                124, b"", f"shimbox spark: the function was ended: it has not ended within {milliseconds / 1000:.3g} s\n"))
            self.assertEqual((os.listdir(self.scratch), os.listdir(self.root)), ([], []))

    def test_answer_before(self):
        """What came before the end has been passed on; and what ends in time is right."""
        for limit in ("200ms", "5s", "20s"):
            answer = self.shell(f"--timeout {limit}", f"echo early; echo late >&2; exec sleep {self.word}")
            self.assertEqual(answer.status, 124)
            if answer.stderr.startswith("late"):
                break # else it did not come so far: much else runs
        self.assertEqual(answer.stdout, b"early\n")
        self.assertTrue(answer.stderr.startswith("late\nshimbox spark: "), answer)
        self.good("--timeout 1m30s", "/bin/true")
        self.good("--timeout 0", "/bin/true")

    def test_answer_not_taken(self):
        """It has ended, but nobody takes its answer: the time is for both."""
        for seconds in (1, 5, 20):
            process = self.begin(f"--timeout {seconds}s --json", "/bin/sh", "-c", "head -c 70000 /dev/zero",
                                 stdin=subprocess.DEVNULL)
            report = json.loads(process.stderr.read())
            self.assertEqual(process.wait(120), 124)
            process.stdout.close()
            process.stderr.close()
            self.assertEqual(report["end"], "timed-out")
            if "ended within" not in report["error"]:
                break # else it had not ended by then: much else runs
        self.assertEqual(report["error"], f"the function was ended: its answer was not taken within {seconds} s")

    def test_errors_not_taken(self):
        """Nobody reads standard error, which is full: spark's own last line is given up."""
        for more in ("", "--json"):
            with self.subTest(more):
                for limit in ("500ms", "5s", "20s"):
                    process = self.begin(f"--timeout {limit} {more}", "/bin/sh", "-c", "head -c 70000 /dev/zero >&2",
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                    try:
                        self.assertEqual(process.wait(120), 124)
                        text = process.stderr.read()
                    finally:
                        process.kill()
                        process.wait()
                        process.stderr.close()
                    if text.count(b"\0") >= 1 << 16:
                        break # else it was not full by then: much else runs
                self.assertEqual(text.strip(b"\0"), b"")
                self.assertGreater(len(text), 0)

    def test_answer_of_both(self):
        """Neither waits for the other, after the end as well."""
        process = self.begin("", "/bin/sh", "-c", "head -c 100000 /dev/zero; echo last >&2", stdin=subprocess.DEVNULL)
        self.assertEqual(process.stderr.readline(), b"last\n")
        answer = self.end(process)
        self.assertEqual((answer.status, len(answer.stdout), answer.stderr), (0, 100000, ""))


class Signals(EndTest):
    def test_passed_on(self):
        """The program gets them, as if it had been started directly."""
        for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2"):
            process = self.begin("", "/bin/sh", "-c",
                                 f"trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.02; done")
            self.assertEqual(process.stdout.readline(), b"ready\n")
            process.send_signal(getattr(signal, f"SIG{name}"))
            answer = self.end(process)
            self.assertEqual((answer.status, answer.stdout), (5, f"got {name}\n".encode()), answer)
        process = self.begin("--json", "/bin/sh", "-c", f"echo ready; exec sleep {self.word}")
        process.stdout.readline()
        process.terminate()
        answer = self.end(process)
        self.assertEqual((answer.status, answer.report["signal"], answer.report["end"]), (143, "SIGTERM", "ended"))


class Killed(EndTest):
    """spark is killed, in the one way that it cannot hear of."""

    def kill(self, script, source=None, options="", **more):
        """Once the script has said `ready`. Returns where its processes were, for another look."""
        process = self.begin(options, "/bin/sh", "-c", script, source=source, **more)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.wait_for(lambda: processes(self.word), "they do not begin")
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        self.wait_for(lambda: not processes(self.word), "they go on")
        return process.pid

    def test_all_ends(self):
        sleep = f"sleep {self.word}"
        for title, script, source in (
                ("plain", f"echo ready; exec {sleep}", None),
                ("deaf", f"trap '' TERM INT HUP; {sleep} & echo ready; wait", None),
                ("stopped", f"{sleep} & until read x </proc/$!/comm && [ $x = sleep ]; do :; done; kill -STOP $!; echo ready; kill -STOP $$", None),
                ("away", f"setsid sh -c 'trap \"\" HUP; {sleep} & {sleep}' & echo ready; exec {sleep}", None),
                ("another user", f"echo ready; exec /bin/probe setgid=1000 setuid=1000 sleep={self.word}0 sleep={self.word}",
                 self.powerful()),
                ("writing", f"{sleep} & echo ready; exec yes", None)):
            with self.subTest(title):
                if title == "another user":
                    self.word, kept = f"sleep={self.word}", self.word
                self.kill(script, source)
                if title == "another user":
                    self.word = kept

    def test_set_user_id(self):
        """Whoever changes its ids forgets the signal that it was to get at its parent's end."""
        bundle = self.powerful()
        path = f"{self.rootfs}/bin/su-sleep"
        pathlib.Path(path).write_bytes(pathlib.Path(f"{self.rootfs}/bin/probe").read_bytes())
        os.chown(path, 1000, 1000)
        os.chmod(path, 0o6755)
        self.word, kept = f"sleep={self.word}", self.word
        script = "su-sleep uid sid >/dev/stderr; echo ready; exec su-sleep " + self.word
        self.kill(script, bundle, stderr=subprocess.PIPE)
        answer = self.call("", "/bin/su-sleep", "uid", "setuid=1000", source=bundle)
        self.assertEqual((answer.facts["uid.effective"], answer.facts["uid.saved"]), ("1000", "1000"))
        self.word = kept
        os.unlink(path)

    def places(self):
        """Of the scratch directory, without the numbers that are drawn."""
        return {name.rpartition("-")[0] for name in os.listdir(self.scratch)}

    def places_and_notes(self):
        return os.listdir(self.scratch) + os.listdir(self.root)

    def test_swept(self):
        """What stays is a note and a directory; they go with the next call, and not before."""
        options = f"--scratch {self.scratch}"
        running = self.begin(options, "/bin/sh", "-c", "echo ready; cat")
        running.stdout.readline()
        pid = self.kill(f"mkdir -p /a/b; chmod 0 /a; echo ready; exec sleep {self.word}", options=options)
        self.assertEqual(set(os.listdir(self.root)), {f".spark-{pid}", f".spark-{running.pid}"})
        self.assertEqual(self.places(), {f"spark-{pid}", f"spark-{running.pid}"})
        self.check_swept(lambda: [name for name in os.listdir(self.root) if name != f".spark-{running.pid}"])
        self.assertEqual(os.listdir(self.root), [f".spark-{running.pid}"])
        self.assertEqual(self.places(), {f"spark-{running.pid}"})
        answer = self.end(running, b"still here")
        self.assertEqual((answer.status, answer.stdout, answer.stderr), (0, b"still here", ""))

    def test_swept_by_list_too(self):
        """A note is no container: other commands do not show it."""
        self.kill(f"echo ready; exec sleep {self.word}", options=f"--scratch {self.scratch}")
        done = subprocess.run([self.shimbox, "--root", self.root, "list", "--quiet"], capture_output=True, text=True,
                              check=False, timeout=120)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.check_swept(self.places_and_notes)

    def test_not_swept(self):
        """A note that leads to what spark has not made leads to nothing."""
        other = f"{self.dir}/other"
        for name, target in ((".spark-99999", f"{other}/spark-99999"), (".spark-99998", other),
                             (".spark-99997", f"{other}/../other/keep"), (".spark-99996", "relative"),
                             (".spark-99995", f"{other}/link/spark-99995")):
            os.makedirs(f"{self.root}/{name}", 0o700)
            os.symlink(target, f"{self.root}/{name}/scratch")
        os.makedirs(f"{other}/keep")
        os.makedirs(f"{other}/spark-99999/kept")
        os.chown(f"{other}/spark-99999", 7, 7)
        self.good("", "/bin/true")
        self.assertEqual(os.listdir(self.root), [])
        self.assertEqual(sorted(os.listdir(other)), ["keep", "spark-99999"])
        self.assertEqual(os.listdir(f"{other}/spark-99999"), ["kept"])

    def test_waits_for_the_dying(self):
        """What a spark that is gone has left may be locked by children of it that are about to end: for
        these a sweep waits, for a while. What is locked on behalf of a living one is left alone."""
        gone = subprocess.Popen(["true"])
        gone.wait()
        for number, released, left in ((gone.pid, 0.25, False), (gone.pid, None, True), (os.getpid(), None, True)):
            with self.subTest(number=number, released=released):
                place = f"{self.root}/.spark-{number}"
                os.makedirs(place, 0o700, exist_ok=True)
                lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
                fcntl.flock(lock, fcntl.LOCK_EX)
                # Before the wait is over, whenever that has begun.
                timer = threading.Timer(released or 600, fcntl.flock, (lock, fcntl.LOCK_UN))
                timer.start()
                try:
                    self.good("", "/bin/true")
                    self.assertEqual(os.path.exists(place), left)
                finally:
                    timer.cancel()
                    os.close(lock)
        self.good("", "/bin/true")
        self.assertEqual(os.listdir(self.root), [])

    def test_of_a_user(self):
        user = self.need_user()
        self.kill(f"mkdir -p /a/b; chmod 0 /a; echo ready; exec sleep {self.word}", as_user=True,
                  options=f"--scratch {self.user_scratch}")
        self.assertEqual(len(os.listdir(self.user_scratch)), 1)
        self.check_swept(lambda: os.listdir(self.user_scratch) + os.listdir(self.user_root), as_user=True)
        self.assertEqual(os.stat(self.user_scratch).st_uid, user.uid)

    def test_again_and_again(self):
        """Eight at a time, killed at any moment, in the set-up as well: one sweep, and nothing is there."""
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        for number in range(60 if FULL else 2 if DEBUG else 5):
            with self.subTest(seed=seed, round=number):
                calls = [self.begin(f"--scratch {self.scratch}", "/bin/sh", "-c",
                                    f"sleep {self.word} & mkdir -p /x/y; chmod 0 /x; exec sleep {self.word}",
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                         for _ in range(8)]
                for process in calls:
                    time.sleep(chance.uniform(0, 0.012))
                    process.kill()
                for process in calls:
                    process.wait()
                self.wait_for(lambda: not processes(self.word), "they go on")
                # What had no program yet is about to end, and holds its parent's note until it has: the
                # sweep waits for that.
                self.check_swept(self.places_and_notes)


class Guard(EndTest):
    """The first process in the container is ours: nothing is to be had of it."""

    def test_closed(self):
        facts = ("pid", "ppid", "list=/proc/1/fd", "list=/proc/1/map_files", "list=/proc/1/root", "open=/proc/1/exe,r",
                 "open=/proc/1/mem,rw", "open=/proc/1/environ,r", "read=/proc/1/cmdline", "read=/proc/1/status", f"call={PTRACE}:{PTRACE_ATTACH}:1",
                 f"call={PTRACE}:{PTRACE_SEIZE}:1", "kill=1,KILL", "kill=1,STOP", "list=/proc/1/task")
        for source in (None, self.powerful()):
            script = "for f in " + " ".join(facts) + "; do /bin/probe $f 2>/dev/null || echo $f: refused; done"
            answer = self.good("", "/bin/sh", "-c", script, source=source)
            text, told = answer.stdout.decode(), answer.facts
            for fact in ("list:/proc/1/fd", "list:/proc/1/map_files", "list:/proc/1/root",
                         "open:/proc/1/exe", "open:/proc/1/mem", "open:/proc/1/environ"):
                self.assertEqual(told[fact], "EACCES", fact)
            self.assertEqual(re.findall(r"call:\d+[^=]*=(\w+)", text), ["EPERM"] * 2, text)
            status = dict(line.split(":\\x09", 1) for line in told["read:/proc/1/status"].split("\\n") if line)
            self.assertEqual([status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")],
                             ["0" * 16, "0" * 14 + "20", "0" * 14 + "20", "0" * 16])
            self.assertEqual((told["kill:1"], told["list:/proc/1/task"]), (["ok", "ok"], "1"))
            self.assertEqual(told["read:/proc/1/cmdline"].replace("\\x00", ""), "shimbox")

    def test_reaps(self):
        """Orphans become its children, and do not stay."""
        answer = self.good("--timeout 60s", "/bin/sh", "-c", "/bin/probe orphans=50 && while grep -q '^State:.Z' "
                           "/proc/[0-9]*/status 2>/dev/null; do sleep 0.02; done; echo $?")
        self.assertEqual(answer.stdout, b"orphans:50=ok\n0\n")


class Cgroup(EndTest):
    """A function with limits has a cgroup, called after its caller."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "/sys/fs/cgroup"], check=True)
        own = re.search("^0::/(.*)", pathlib.Path("/proc/self/cgroup").read_text(), re.MULTILINE)[1]
        cls.top = pathlib.Path("/sys/fs/cgroup", own)

    def find(self):
        return sorted(path.name for path in pathlib.Path(self.top).glob("**/spark-*"))

    def test_made_and_removed(self):
        bundle = self.powerful(resources={"devices": [{"allow": False, "access": "rwm"}]})
        process = self.begin("", "/bin/sh", "-c", f"sleep {self.word} & cat /proc/self/cgroup; echo ready; cat", source=bundle)
        cgroup = process.stdout.readline()
        process.stdout.readline()
        found = self.find()
        self.assertEqual(found, [f"spark-{process.pid}"], cgroup)
        answer = self.end(process)
        self.assertEqual((answer.status, answer.stderr), (0, ""))
        self.assertEqual((self.find(), os.listdir(self.root)), ([], []))
        self.assertEqual(self.call("--timeout 100ms", "sleep", self.word, source=bundle).status, 124)
        self.assertEqual((self.find(), os.listdir(self.root)), ([], []))

    def test_swept(self):
        bundle = self.powerful(resources={"devices": [{"allow": False, "access": "rwm"}]})
        process = self.begin("", "/bin/sh", "-c", f"echo ready; exec sleep {self.word}", source=bundle)
        process.stdout.readline()
        process.kill()
        self.end(process, b"")
        self.wait_for(lambda: not processes(self.word), "the function goes on")
        self.assertEqual(self.find(), [f"spark-{process.pid}"])
        self.check_swept(lambda: self.find() + os.listdir(self.root))
