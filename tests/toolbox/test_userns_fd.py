"""userns-fd: a user namespace for NEXT, on a file, or held.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn  # noqa: E402

STEPPER = os.path.join(os.path.dirname(os.path.abspath(os.environ["PROBE"])), "stepper")
MAP = ["--both", "0:100000:1000"]


def children():
    """Of this process, ended ones too."""
    return pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


class UsernsFd(StandIn):
    """No process, mount or file is left but what was asked for."""

    tool = "userns-fd"

    def tearDown(self):
        self.assertEqual(children(), [])
        super().tearDown()

    def maps_of(self, path):
        """uid_map and gid_map of the namespace, asked by entering it with util-linux' tool."""
        done = self.run_command(["nsenter", f"--user={path}", "--preserve-credentials", "cat",
                                 "/proc/self/uid_map", "/proc/self/gid_map"])
        self.assertEqual((done.status, done.stderr), (0, ""))
        return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]

    def refused(self, words, *arguments, status=125, **more):
        done = self.stand_in(*arguments, **more)
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (status, "", 1), done)
        self.assertIn(words, done.stderr)
        return done

    def test_maps(self):
        rows = [
            (["-u", "0:1000:5", "-g", "0:2000:6"], [(0, 1000, 5), (0, 2000, 6)]),
            (["--both", "0:100000:65536"], [(0, 100000, 65536)] * 2),
            (["-b", "0:7:1,5:100:3"], [(0, 7, 1), (5, 100, 3)] * 2),
            (["-b", "0:7:1", "-b", "5:100:3"], [(0, 7, 1), (5, 100, 3)] * 2),
            (["--map", "root"], [(0, 0, 1)] * 2), (["--map", "current"], [(0, 0, 1)] * 2),
            (["-b", "0:4294967290:5"], [(0, 4294967290, 5)] * 2),
            (["-b", ",".join(f"{n}:{n * 2}:1" for n in range(340))],
             [(n, n * 2, 1) for n in range(340)] * 2),
        ]
        for number, (options, expected) in enumerate(rows):
            with self.subTest(options[:2]):
                path = f"{self.dir}/map{number}"
                done = self.stand_in(*options, "--pin", path)
                self.assertEqual((done.status, done.stdout, done.stderr), (0, path + "\n", ""))
                try:
                    self.assertEqual(self.maps_of(path), expected)
                finally:
                    done = self.stand_in("--unpin", path)
                self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""))
                self.assertFalse(os.path.exists(path))

    def test_handed_on(self):
        for options, named in ((MAP, None), ([*MAP, "--fd", "77"], "77")):
            with self.subTest(options):
                done = self.stand_in(*options, "--", self.probe, "fds", "env", "ns", "uid", "caps")
                self.assertEqual((done.status, done.stderr), (0, ""), done)
                extra = [fd for fd in done.facts["fds"].split() if int(fd) > 2]
                self.assertEqual(len(extra), 1, done)
                self.assertEqual(done.facts["env.SHIMBOX_FDS"], f"userns:{extra[0]}")
                if named:
                    self.assertEqual(extra, [named])
                self.assertIn(done.facts["ns.user"], os.readlink("/proc/self/ns/user"))
                self.assertEqual(done.facts["uid"], "0")
        done = self.stand_in(*MAP, "--", "unshare", "--userns", "--", self.probe, "fds", "env",
                             "read=/proc/self/uid_map")
        self.assertEqual(done.facts.get("fds"), "0 1 2", done)
        self.assertNotIn("env.SHIMBOX_FDS", done.facts)
        self.assertEqual(done.facts["read:/proc/self/uid_map"].replace("\\n", "").split(),
                         ["0", "100000", "1000"])

    def test_descriptor_in_use(self):
        with open("/dev/null", encoding="ascii") as taken:
            os.dup2(taken.fileno(), 88, inheritable=True)
            try:
                self.refused("descriptor 88 is open already", *MAP, "--fd", "88", "--", "true",
                             pass_fds=[88])
            finally:
                os.close(88)

    def test_pin(self):
        path = f"{self.dir}/pinned"
        done = self.stand_in(*MAP, "--pin", "pinned", cwd=self.dir)
        self.assertEqual((done.status, done.stdout), (0, path + "\n"))
        try:
            self.refused("cannot create", *MAP, "--pin", path)
            self.assertEqual(self.maps_of(path), [(0, 100000, 1000)] * 2)
        finally:
            self.assertEqual(self.stand_in("--unpin", path).status, 0)
        self.refused("/nowhere/pin", *MAP, "--pin", "/nowhere/pin")
        self.refused("cannot find", "--unpin", path)
        other = pathlib.Path(self.dir) / "plain"
        other.write_text("kept")
        self.refused("is not a user namespace", "--unpin", other)
        self.refused("cannot create", *MAP, "--pin", other)
        self.assertEqual(other.read_text(), "kept")
        link = pathlib.Path(self.dir) / "link"
        link.symlink_to("beyond")
        self.refused("cannot create", *MAP, "--pin", link)
        self.assertFalse(os.path.lexists(f"{self.dir}/beyond"))
        for name in (other, link):
            name.unlink()
        # The answer cannot be written: nothing is kept.
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([self.shimbox, "userns-fd", *MAP, "--pin", path], stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 125)
        self.assertFalse(os.path.exists(path))

    def test_pin_as_ordinary_user(self):
        home = pathlib.Path(self.dir) / "home"
        home.mkdir(exist_ok=True)
        os.chown(home, self.user.uid, self.user.gid)
        done = self.refused("CAP_SYS_ADMIN", "--map", "root", "--pin", f"{home}/x", as_user=True)
        self.assertIn("unshare --map-root-user --mount", done.stderr)
        self.assertEqual(list(home.iterdir()), [])
        # Where the caller may mount, it can.
        script = f'"$0" userns-fd --map root --pin {home}/x && "$0" userns-fd --unpin {home}/x'
        done = self.run_command([self.shimbox, "unshare", "-r", "-m", "--", "sh", "-c", script,
                                 self.shimbox], as_user=True)
        self.assertEqual((done.status, done.stdout, done.stderr), (0, f"{home}/x\n", ""))
        self.assertEqual(list(home.iterdir()), [])

    def hold(self, *options, as_user=False):
        process = subprocess.Popen([self.shimbox, "userns-fd", *options, "--hold"], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE,
                                   preexec_fn=self.user.preexec if as_user else None)
        path = process.stdout.readline().strip()
        return process, path

    def test_hold(self):
        ends = [None, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL]
        for end in ends:
            with self.subTest(end):
                process, path = self.hold(*MAP)
                self.assertRegex(path, r"^/proc/[0-9]+/ns/user$")
                helper = os.pidfd_open(int(path.split("/")[2]))
                self.assertEqual(self.maps_of(path), [(0, 100000, 1000)] * 2)
                if end:
                    # They wait before the path is told: none that comes after that has its own effect.
                    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                    blocked = int(re.search(r"^SigBlk:\s+(\w+)$", status, re.MULTILINE)[1], 16)
                    self.assertTrue(blocked >> (signal.SIGTERM - 1) & 1)
                    process.send_signal(end)
                    process.wait(120)
                    out, err = process.stdout.read(), process.stderr.read()
                    for stream in (process.stdin, process.stdout, process.stderr):
                        stream.close()
                else:
                    out, err = process.communicate(timeout=120)
                self.assertEqual((process.returncode, out, err),
                                 (-9 if end == signal.SIGKILL else 0, "", ""))
                # The helper goes with it, however it ends.
                self.wait_for_end(helper)

    def wait_for_end(self, pidfd):
        try:
            self.assertEqual(select.select([pidfd], [], [], 60)[0], [pidfd])
        finally:
            os.close(pidfd)

    def test_as_ordinary_user(self):
        for words, maps in ((["--map", "root"], [0, self.user.uid, 1]),
                            (["--map", "current"], [self.user.uid, self.user.uid, 1])):
            done = self.stand_in(*words, "--", "unshare", "--userns", "--", self.probe,
                                 "read=/proc/self/uid_map", as_user=True)
            self.assertEqual((done.status, done.stderr), (0, ""), done)
            self.assertEqual(done.facts["read:/proc/self/uid_map"].replace("\\n", "").split(),
                             [str(word) for word in maps])
        done = self.stand_in("--map", "auto", "--", "unshare", "--userns", "--", self.probe,
                             "read=/proc/self/uid_map", as_user=True)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertIn(str(self.user.subuid), done.facts["read:/proc/self/uid_map"])
        # Without the tools that may write it, and with ids that are not the caller's.
        self.refused("newuidmap", "--map", "auto", "--", "true", as_user=True,
                     env={"PATH": "/nowhere"})
        done = self.stand_in("--both", "0:0:10", "--", "true", as_user=True)
        self.assertEqual((done.status, done.stdout), (125, ""))
        self.assertRegex(done.stderr.splitlines()[-1], "^shimbox userns-fd: .*/etc/subuid")

    def test_children_that_are_not_waited_for(self):
        """SIGCHLD ignored by the caller: ended children leave no zombie to be asked."""
        def ignore():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for _ in range(5):
            done = self.stand_in(*MAP, "--", self.probe, "children", "signals", preexec_fn=ignore)
            self.assertEqual((done.status, done.stderr), (0, ""), done)
            self.assertEqual((done.facts["children"], done.facts["signals.ignored"]), ("0", "17"))

    def test_no_child_is_left_to_next(self):
        done = self.stand_in(*MAP, "--", self.probe, "children")
        self.assertEqual((done.status, done.facts.get("children")), (0, "0"), done)

    def test_failing_calls(self):
        """Each step's system call fails: one line, nothing left."""
        path = f"{self.dir}/pin"
        calls = ["clone", "pidfd_send_signal", "open_tree", "move_mount"]
        for call in calls:
            with self.subTest(call):
                done = self.run_command(
                    ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                     f"inject={call}:error=ENOSPC", self.shimbox, "userns-fd", *MAP, "--pin", path])
                self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1),
                                 done)
                self.assertFalse(os.path.exists(path))

    def stepped(self, before, point, action, path):
        """A run that pins on path, disturbed at a point (tests/faults/stepper.c); and its report."""
        report, log = f"{self.dir}/report", f"{self.dir}/log"
        done = self.run_command([STEPPER, report, log, point, action, *before,
                                 self.shimbox, f"--trace={log}", "userns-fd", *MAP, "--pin", path])
        lines = [line.split("\t") for line in pathlib.Path(report).read_text().splitlines()]
        for name in (report, log):
            pathlib.Path(name).unlink(missing_ok=True)
        return done, lines

    def test_each_step(self):
        """The helper is killed, or the call fails, at each call from the helper's start on."""
        # Killed, it stays a zombie, whose maps can be written and whose namespace is whole.
        self.each_step([], ("kill=1", "fail=1"),
                       {("kill=1", 0), ("fail=1", 0), ("fail=1", 125)})
        # But where ended children are not kept, its pid may be another process.
        self.each_step([shutil.which("env"), "--ignore-signal=CHLD"], ("kill=1",),
                       {("kill=1", 0), ("kill=1", 125)})

    def each_step(self, before, actions, expected):
        path = f"{self.dir}/stepped"
        done, lines = self.stepped(before, "-", "-", path)
        self.assertEqual((done.status, done.stdout), (0, path + "\n"), done)
        self.assertEqual(self.stand_in("--unpin", path).status, 0)
        calls = [line for line in lines if line[0] == "call" and line[1] == "0"]
        start = [number for number, line in enumerate(calls) if line[4] in ("clone", "clone3")][-1]
        # Without memory AddressSanitizer (make debug) ends in its own way.
        points = [(":".join(line[1:4]), line[4]) for line in calls[start + 1:]
                  if line[4] not in ("mmap", "munmap", "brk", "madvise")]
        self.assertGreater(len(points), 15)
        outcomes = set()
        for point, name in points:
            for action in actions:
                with self.subTest(point, name=name, action=action):
                    done, lines = self.stepped(before, point, action, path)
                    hit = "hit" in [line[0] for line in lines]
                    # The tracer may not have heard of the helper as yet, which lives on then.
                    self.assertTrue(hit or (action, done.status) == ("kill=1", 0), done)
                    if hit:
                        outcomes.add((action, done.status))
                    if done.status == 0:
                        # Late enough, or nothing that matters: the namespace is whole.
                        self.assertEqual(self.maps_of(path), [(0, 100000, 1000)] * 2)
                        self.assertEqual(self.stand_in("--unpin", path).status, 0)
                        continue
                    # newuidmap has a line of its own, where it is asked.
                    self.assertEqual(done.status, 125, done)
                    self.assertRegex(done.stderr, r"^(newuidmap: .*\n)?shimbox userns-fd: .*\n$")
                    self.assertFalse(os.path.exists(path))
        self.assertEqual(outcomes, expected)

    def test_bad_usage(self):
        rows = [
            (["true"], "no map"), (["-u", "0:0:1", "true"], "gid"),
            (["--both", "0:0:1", "-u", "0:0:1", "true"], "--both"),
            (["--both", "0:0", "true"], "0:0"), (["--both", "0:0:0", "true"], "0:0:0"),
            (["--both", "0:0:5,3:9:2", "true"], "overlap"),
            (["--both", "0:4294967295:1", "true"], "4294967295"),
            (["--map", "nonsense", "true"], "nonsense"),
            ([*MAP, "--fd", "2", "true"], "'2'"), ([*MAP, "--fd", "x", "true"], "'x'"),
            ([*MAP, "--fd", "5", "--hold"], "--fd"), ([*MAP, "--pin", "x", "--hold"], "exclude"),
            ([*MAP, "--unpin", "x"], "no map"), ([*MAP, "--hold", "true"], "true"),
            (MAP, "no command"), ([*MAP, "--nothing", "true"], "--nothing"),
        ]
        for arguments, words in rows:
            with self.subTest(arguments):
                self.refused(words, *arguments)
