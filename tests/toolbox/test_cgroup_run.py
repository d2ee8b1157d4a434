"""cgroup-run: cgroups of version 2, as far as that goes without controllers; see tests/vm/test_cgroups.py.
SPDX-License-Identifier: Apache-2.0

Version 2 is mounted on /sys/fs/cgroup in this file's own mount namespace. Its tree is that of the whole
machine all the same: each test works below a cgroup of its own, and removes that.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn, skip_loudly  # noqa: E402

ROOT = pathlib.Path("/sys/fs/cgroup")
# A tree of version 2 elsewhere, and none.
CLEAR = "while umount -R /sys/fs/cgroup 2>/dev/null; do :; done; "
HYBRID = (CLEAR + "mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/unified;"
          " mount -t cgroup2 none /sys/fs/cgroup/unified; exec \"$@\"")
NONE = CLEAR + "exec \"$@\""
NO_PROC = "umount -R -l /proc; exec \"$@\""
FACTS = ["uid", "gid", "groups", "caps", "nnp", "dumpable", "signals", "fds", "env", "cwd", "umask", "rlimits"]


def remove(path):
    """A cgroup with all below, and whatever runs there."""
    if not path.exists():
        return
    (path / "cgroup.kill").write_text("1")
    for _ in range(6000):
        if "populated 0" in (path / "cgroup.events").read_text():
            break
        time.sleep(0.01)
    for folder, _, _ in os.walk(path, topdown=False):
        os.rmdir(folder)


class Cgroups(StandIn):
    """What tests here and in the test machine use."""

    tool = "cgroup-run"

    def setUp(self):
        super().setUp()
        self.name = f"/shimbox-test-{os.urandom(4).hex()}-{self._testMethodName}"
        self.top = ROOT / self.name[1:]
        self.addCleanup(remove, self.top)

    def left(self):
        """The cgroups that are there, with the controllers that they have enabled."""
        found = [pathlib.Path(folder) for folder, _, _ in os.walk(self.top)]
        return {str(path)[len(str(self.top)):]: (path / "cgroup.subtree_control").read_text().strip()
                for path in found}

    def run_it(self, *arguments, **more):
        """It works, and says nothing itself. Returns the facts that the program tells."""
        done = self.stand_in(*arguments, **more)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        return done.facts

    def own_cgroup(self, *arguments, **more):
        """The cgroup of version 2 that the program at the end is in."""
        lines = self.run_it(*arguments, "--", self.probe, "read=/proc/self/cgroup", **more)
        (line,) = [l for l in lines["read:/proc/self/cgroup"].split("\\n") if l.startswith("0::")]
        return line[3:]

    def refused(self, words, *arguments, command=None, status=125, **more):
        """One line, and all is as it was."""
        before = self.left()
        done = self.run_command(command or [self.shimbox, self.tool, *arguments], **more)
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (status, "", 1), done)
        self.assertTrue(done.stderr.startswith("shimbox cgroup-run: "), done)
        self.assertIn(words, done.stderr)
        self.assertEqual(self.left(), before)

    def start(self, path, script="exec sleep 1000"):
        """A process in that cgroup, which says when it is there."""
        process = subprocess.Popen([self.shimbox, self.tool, path, "--", "sh", "-c", f"echo; {script}"],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"\n")
        return process


class Local(Cgroups):
    """What needs no controllers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", ROOT], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", ROOT], check=True)

    def test_create_and_join(self):
        self.assertEqual(self.own_cgroup(self.name), self.name)
        self.assertEqual(self.left(), {"": ""})
        # Again, and what is missing on the way; a slash in front is the root of the mount.
        self.assertEqual(self.own_cgroup(self.name), self.name)
        self.assertEqual(self.own_cgroup(f"{self.name}/a/b"), f"{self.name}/a/b")
        self.assertEqual(self.left(), {"": "", "/a": "", "/a/b": ""})
        # Below the own cgroup; and NEXT without "--".
        self.assertEqual(self.own_cgroup(self.name, "--", self.shimbox, self.tool, "in/side"),
                         f"{self.name}/in/side")
        self.assertEqual(self.own_cgroup(self.name, self.tool, "inside"), f"{self.name}/inside")
        # From wherever one is.
        self.assertEqual(self.own_cgroup(self.name, "--", self.shimbox, self.tool, "/"), "/")

    def test_nothing_else_changes(self):
        plain = self.run_command([self.probe, *FACTS]).facts
        self.assertEqual(self.run_it(self.name, "--", self.probe, *FACTS), plain)
        self.assertEqual(self.run_it(self.name, "--", self.tool, "b", "--", self.probe, *FACTS), plain)

    def test_without_a_program(self):
        own = pathlib.Path("/proc/self/cgroup").read_text()
        for arguments in ([f"{self.name}/a"], [f"{self.name}/a", "--"], ["--", f"{self.name}/a"]):
            done = self.stand_in(*arguments)
            self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""), done)
        self.assertEqual(self.left(), {"": "", "/a": ""})
        self.assertEqual(pathlib.Path("/proc/self/cgroup").read_text(), own)
        self.assertEqual((self.top / "a/cgroup.procs").read_text(), "")

    def test_new(self):
        self.assertEqual(self.own_cgroup("--new", f"{self.name}/a"), f"{self.name}/a")
        self.refused(f"cannot make cgroup {self.top}/a: File exists", "--new", f"{self.name}/a", "--", "true")
        self.assertEqual(self.own_cgroup("-n", f"{self.name}/b"), f"{self.name}/b")
        self.refused(f"cannot make cgroup {ROOT}: File exists", "--new", "/", "--", "true")

    def test_settings(self):
        self.run_it("--set", "cgroup.max.depth=3", "-s", "cgroup.max.descendants=7", f"{self.name}/a")
        self.assertEqual((self.top / "a/cgroup.max.depth").read_text(), "3\n")
        self.assertEqual((self.top / "a/cgroup.max.descendants").read_text(), "7\n")

    def test_all_or_nothing(self):
        self.refused(f"cannot set cgroup.max.depth of cgroup {self.top}/a/b to 'many': Invalid argument",
                     "--set", "cgroup.max.descendants=7", "--set", "cgroup.max.depth=many", f"{self.name}/a/b",
                     "--", "echo", "ran")
        self.assertFalse(self.top.exists())
        self.run_it("--set", "cgroup.max.descendants=9", f"{self.name}/a")
        self.refused("to 'many'", "-s", "cgroup.max.descendants=7", "-s", "cgroup.max.depth=many",
                     f"{self.name}/a", "--", "echo", "ran")
        self.assertEqual((self.top / "a/cgroup.max.descendants").read_text(), "9\n")
        self.refused("cannot set cgroup.max.none of cgroup", "-s", "cgroup.max.none=7", f"{self.name}/a")
        self.refused("there is no such file", "-s", "cgroup.max.none=7", f"{self.name}/b/c", "--", "echo", "ran")

    def test_join_refused(self):
        for folder in ("a", "a/threads"):
            (self.top / folder).mkdir(parents=True)
        (self.top / "a/threads/cgroup.type").write_text("threaded")
        path = "a/threads/new"
        self.refused(f"cannot join cgroup {self.top}/{path}: ", f"{self.name}/{path}", "--", "echo", "ran")
        self.refused("(it is below a threaded one)", f"{self.name}/{path}", "--", "echo", "ran")

    def test_kill_and_delete(self):
        first = self.start(f"{self.name}/a/one")
        second = self.start(f"{self.name}/a/two", "sleep 1000 & sleep 1000 & wait")
        outside = self.start(f"{self.name}/b")
        self.refused(f"cannot remove cgroup {self.top}/a: it has processes: ", "--delete", f"{self.name}/a")
        self.assertIsNone(first.poll())
        self.run_it("--kill", f"{self.name}/a/one")
        self.assertEqual(first.wait(), -signal.SIGKILL)
        self.assertEqual(self.left(), {"": "", "/a": "", "/a/one": "", "/a/two": "", "/b": ""})
        self.run_it("--kill", f"{self.name}/a/one")
        self.run_it("--delete", f"{self.name}/a/one")
        self.assertIsNone(second.poll())
        self.run_it("--kill", "--delete", f"{self.name}/a")
        self.assertEqual(second.wait(), -signal.SIGKILL)
        self.assertEqual(self.left(), {"": "", "/b": ""})
        self.assertIsNone(outside.poll())
        for option in ("--delete", "--kill"):
            self.refused(f"cannot open cgroup {self.top}/a: No such file or directory", option, f"{self.name}/a")
        self.run_it("-kd", self.name)
        self.assertFalse(self.top.exists())

    def test_own_is_not_ended(self):
        (self.top / "a").mkdir(parents=True)
        for path in (self.name, f"{self.name}/a"):
            for option in ("--kill", "--delete"):
                self.refused(f"this process is in cgroup {ROOT}{path} itself", command=[
                    self.shimbox, self.tool, f"{self.name}/a", self.tool, option, path])
        # A name that only begins as the own one.
        self.run_it(f"{self.name}/ab")
        self.run_it(f"{self.name}/abc", self.tool, "--delete", f"{self.name}/ab")
        self.assertEqual(self.left(), {"": "", "/a": "", "/abc": ""})

    def test_only_cgroups_are_entered(self):
        (self.top / "a").mkdir(parents=True)
        script = f"mount -t tmpfs none {self.top}/a; \"$@\"; code=$?; ls -A {self.top}/a; exit $code"
        for path in ("a", "a/b"):
            for words, *arguments in (["cannot make cgroup", f"{self.name}/{path}", "--", "echo", "ran"],
                                      ["cannot open cgroup", "--delete", f"{self.name}/{path}"]):
                self.refused(words, command=["unshare", "--mount", "sh", "-c", script, "sh", self.shimbox,
                                             self.tool, *arguments])
        self.refused("Not a directory", f"{self.name}/cgroup.procs/x", "--", "echo", "ran")

    def test_where_it_is_mounted(self):
        def elsewhere(script, *arguments):
            return ["unshare", "--mount", "sh", "-c", script, "sh", self.shimbox, self.tool, *arguments]
        done = self.run_command(elsewhere(HYBRID, f"{self.name}/a", "--", self.probe, "read=/proc/self/cgroup"))
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertIn(f"0::{self.name}/a\\n", done.facts["read:/proc/self/cgroup"])
        self.refused(f"cannot open cgroup {ROOT}/unified{self.name}/b: ", command=elsewhere(
            HYBRID, "--delete", f"{self.name}/b"))
        self.refused("cannot find cgroups of version 2: none are mounted: No such file or directory (mount -t "
                     "cgroup2 cgroup2 DIR; ", command=elsewhere(NONE, self.name, "--", "echo", "ran"))
        # The mount shows more than this cgroup namespace.
        apart = [self.shimbox, self.tool, f"{self.name}/a", "unshare", "--cgroup", "--", self.tool]
        self.refused(f"the cgroup / is not below {ROOT}: No such file or directory (mount a cgroup2 in this "
                     "cgroup namespace, or give an absolute PATH)", command=[*apart, "x", "--", "echo", "ran"])
        # Below a mount of a part of the tree.
        done = self.run_command([
            "unshare", "--mount", "sh", "-c", f"mount --bind {self.top} /mnt; {CLEAR}"
            "exec \"$@\"", "sh", self.shimbox, self.tool, "/part", "--", self.tool, "inner", "--", self.probe,
            "read=/proc/self/cgroup"])
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertIn(f"0::{self.name}/part/inner\\n", done.facts["read:/proc/self/cgroup"])

    def test_without_proc(self):
        if b"/ld-linux" in pathlib.Path(self.shimbox).read_bytes()[:4096]:
            skip_loudly(self, "AddressSanitizer reads /proc")
        self.refused("cannot open /proc/self: No such file or directory", command=[
            "unshare", "--mount", "sh", "-c", NO_PROC, "sh", self.shimbox, self.tool, self.name, "--", "echo",
            "ran"])

    def test_controllers_that_are_not_there(self):
        self.refused(f"cannot set nothing.max: there is no controller nothing in {ROOT}: ",
                     "--set", "nothing.max=3", f"{self.name}/a/b", "--", "echo", "ran")
        self.refused("(this kernel has none of that name, or cgroup_disable= turned it off)",
                     "--set", "nothing.max=3", self.name)
        self.assertFalse(self.top.exists())

    def test_controllers_of_version_1(self):
        lines = [line.split(":")[1] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
        old = {name for line in lines for name in line.split(",")}
        options = {"memory": ["--memory", "64Mi"], "cpu": ["--cpu", "1"], "pids": ["--pids", "3"],
                   "cpuset": ["--cpus", "0"]}
        if not old & options.keys():
            skip_loudly(self, "no controller belongs to version 1")
        for name in sorted(old & options.keys()):
            self.refused(f"there is no controller {name} in {ROOT}: ", *options[name], f"{self.name}/a")
            self.refused("(version 1 has it; boot with systemd.unified_cgroup_hierarchy=1)", *options[name],
                         self.name, "--", "echo", "ran")
        self.assertFalse(self.top.exists())

    def test_ordinary_user(self):
        user = self.user
        self.refused(f"cannot make cgroup {self.top}: Permission denied (the cgroup above is not delegated to "
                     "this user)", self.name, "--", "echo", "ran", as_user=True)
        owner = f"{user.uid}:{user.gid}"
        for path in (self.name, f"{self.name}/home"):
            self.run_it("--delegate", owner, path)
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            status = os.stat(self.top / name)
            self.assertEqual((status.st_uid, status.st_gid), (user.uid, user.gid))
        self.assertEqual(os.stat(self.top / "cgroup.max.depth").st_uid, 0)

        def become():
            (self.top / "home/cgroup.procs").write_text("0")
            user.preexec()

        self.assertEqual(self.own_cgroup("job", preexec_fn=become), f"{self.name}/home/job")
        self.assertEqual(self.own_cgroup(f"{self.name}/job/more", preexec_fn=become), f"{self.name}/job/more")
        self.run_it("--delete", f"{self.name}/job", preexec_fn=become)
        # From outside, the nearest cgroup above both is root's.
        self.refused(f"cannot join cgroup {self.top}/other: Permission denied (cgroup.procs must be writable",
                     f"{self.name}/other", "--", "echo", "ran", as_user=True)
        self.refused(f"cannot delegate cgroup {self.top}/job: Operation not permitted", "--delegate", "0",
                     f"{self.name}/job", "--", "echo", "ran", preexec_fn=become)
        self.run_it("--delegate", "12345", f"{self.name}/two")
        status = os.stat(self.top / "two")
        self.assertEqual((status.st_uid, status.st_gid), (12345, 0))

    def test_wrong_usage(self):
        rows = {
            (): "no PATH of a cgroup",
            ("",): "'' is not the path of a cgroup",
            ("..",): "'..' is not the path of a cgroup",
            ("a/../b",): "'a/../b' is not the path",
            ("a//b",): "'a//b' is not the path",
            ("//",): "'//' is not the path",
            ("a/",): "'a/' is not the path",
            ("/./a",): "'/./a' is not the path",
            ("--memory", "5x", "a"): 'option --memory: "5x" is not a quantity such as 500m, 1.5 or 64Mi',
            ("--memory", "0", "a"): 'option --memory: "0" is not more than 0',
            ("--memory-high", "-1", "a"): 'option --memory-high: "-1" is not more than 0',
            ("--memory-low", "", "a"): 'option --memory-low: "" is not a quantity',
            ("--swap", "9Ei", "a"): 'option --swap: "9Ei" is too much',
            ("--cpu", "half", "a"): 'option --cpu: "half" is not a quantity',
            ("--cpu", "0", "a"): 'option --cpu: "0" is not more than 0',
            ("--cpu-weight", "0", "a"): "option --cpu-weight: '0' is not a number from 1 to 10000",
            ("--cpu-weight", "max", "a"): "option --cpu-weight: 'max' is not a number",
            ("--pids", "5k", "a"): "option --pids: '5k' is not a number from 0 to 4194304",
            ("--cpus", "3-1", "a"): "option --cpus: '3-1' is not a list such as 0-3,7",
            ("--mems", "", "a"): "option --mems: '' is not a list",
            ("--mems", "9999", "a"): "option --mems: '9999' is not a list",
            ("--set", "memory.max", "a"): "option --set: expected FILE=VALUE, found 'memory.max'",
            ("--set", "../x.y=1", "a"): "option --set: '../x.y' is not a file of a controller",
            ("--set", "memory./x=1", "a"): "option --set: 'memory./x' is not a file of a controller",
            ("--set", "tasks=1", "a"): "option --set: 'tasks' is not a file of a controller",
            ("--set", ".x=1", "a"): "is not a file of a controller",
            ("--set", "=1", "a"): "option --set: '' is not a file of a controller",
            ("--set", "m." + "x" * 70 + "=1", "a"): "is not a file of a controller",
            ("--set", "cgroup.procs=1", "a"): "option --set: 'cgroup.procs' is not a limit",
            ("--set", "cgroup.kill=1", "a"): "option --set: 'cgroup.kill' is not a limit",
            ("--set", "cgroup.freeze=1", "a"): "option --set: 'cgroup.freeze' is not a limit",
            ("--set", "cgroup.subtree_control=+pids", "a"): "'cgroup.subtree_control' is not a limit",
            ("--set", "cgroup.type=threaded", "a"): "'cgroup.type' is not a limit",
            ("--set", "cgroup.threads=1", "a"): "'cgroup.threads' is not a limit",
            ("-s", "a.b=c") * 65 + ("a",): "more than 64 settings",
            ("--delegate", "x", "a"): "option --delegate: 'x' is not UID[:GID]",
            ("--delegate", "1:", "a"): "option --delegate: '1:' is not UID[:GID]",
            ("--delegate", "4294967295", "a"): "option --delegate: '4294967295' is not UID[:GID]",
            ("--delete", "/"): "--kill and --delete are not for the root of the tree",
            ("--kill", "/"): "--kill and --delete are not for the root of the tree",
            ("--delete", "--pids", "3", "a"): "--kill and --delete go with nothing but a PATH",
            ("--kill", "--new", "a"): "--kill and --delete go with nothing but a PATH",
            ("--kill", "--delegate", "1", "a"): "--kill and --delete go with nothing but a PATH",
        }
        made = pathlib.Path(self.dir) / "made"
        made.mkdir(exist_ok=True)
        first = ["idmap-mount", "--map", "root", made, made, "--"]
        for arguments, words in rows.items():
            program = ["echo", "ran"] if arguments and not {"--delete", "--kill"} & set(arguments) else []
            with self.subTest(arguments):
                self.refused(words, *arguments, *program)
                # All of it shows before the first link changes anything.
                self.refused(words, command=[self.shimbox, *first, self.tool, *arguments, *program])
        self.refused("unexpected argument 'true'", "--delete", self.name, "true")
        self.assertFalse(self.top.exists())

    def test_the_program_at_the_end(self):
        done = self.stand_in(self.name, "--", "/none")
        self.assertEqual((done.status, done.stdout), (127, ""), done)
        self.assertEqual(self.stand_in(self.name, "--", "sh", "-c", "exit 7").status, 7)
