"""Every step of `run`: each of its system calls fails, and either process is killed at each point.
SPDX-License-Identifier: Apache-2.0

The stepper (stepper.c) tells which system calls a run makes, in which process and step; each of
them is disturbed in a run of its own. So a new step is covered by being there; a step that no
configuration here makes do anything is a failure.
"""

import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

from fault import DEBUG, STEPPER, Fault
from bundle import FULL

TOP = pathlib.Path(__file__).resolve().parent.parent.parent

# What musl says, and glibc.
WORDS = {"EPERM": "Operation not permitted", "ENOSYS": "Function not implemented",
         "ENOMEM": "(Out of memory|Cannot allocate memory)", "EIO": "(I/O error|Input/output error)",
         "EMFILE": "(No file descriptors available|Too many open files)",
         "ENOSPC": "No space left on device"}
ERRORS = list(WORDS) if FULL else ["EPERM", "ENOSYS"]

# The steps of the parent: how the trace calls what it does, and what the error says.
PARENT = {"\\[|execute the protected": "start",
          "examine the own binary|make an overlay|copy the own|exec$":
              "protect own binary",
          "claim container ID": "claim ID",
          "read the configuration|make the default|enter the bundle": "read configuration",
          "check what is|open |check for system|(look for|compile|keep) the filter": "prepare",
          "make the cgroup|enable the controller|delegate the cgroup": "make cgroup",
          "load the program that filters|attach it to the cgroup": "limit resources",
          "remove the cgroup|kill the processes of cgroup": "remove cgroup",
          "prepare for children|create the container's process": "create process",
          "find the container|set the oom|let the child|map IDs|write the ID mappings|run new|look for fields": "map IDs",
          "limit ": "set limits", "write the pid file": "write pid file",
          ".* the state$": "keep state", "execute hook": "run hooks",
          "wait for the|let the program run|wait until|release|end what|relay the terminal":
              "supervise"}
# Fields that an error of the parent's steps names.
PARENT_FIELDS = {"create process": "/linux/namespaces", "map IDs": "/linux/uidMappings",
                 "set limits": "/process/rlimits"}

# Faults that it gets over, or of which it tells in other words: "NAME in STEP", errnos, what then.
EXCUSES = [
    ("openat2 ", "EPERM ENOSYS", "go on: the walk does the same, component by component"),
    ("mmap ", "any", "go on, or vague: whatever the kernel says, the allocator knows ENOMEM only"),
    ("madvise ", "any", "go on: the allocator only gives memory back"),
    ("fcntl in keep state", "any", "go on, or vague: libc takes it for a bad descriptor"),
    ("fcntl (?!.*copy)", "any", "go on: libc sets FD_CLOEXEC once more; a descriptor keeps a low number"),
    ("(openat|read) in reset signals", "any", "go on: then it is done for every signal"),
    ("rt_sig", "any", "go on: what libc does around setresuid(2); what is the default anyway"),
    ("pidfd_send_signal", "any", "go on: a child that was not reaped has its pid for itself"),
    ("fcntl in mount file systems: copy", "any", "go on, or vague: libc takes it for a bad descriptor"),
    ("utimensat", "ENOSYS", "go on: libc knows an older one"),
    ("poll in start", "any", "go on: the standard streams are taken to be open"),
    ("capget in protect own", "any", "go on: then it takes the way of those without privilege"),
    ("(readlink|access|fsopen|fsconfig|fsmount|execveat) in protect own", "any",
     "go on: a copy in memory instead of an overlay"),
    ("fstatfs in protect own", "any", "vague: it cannot tell whether it is protected"),
    ("prctl in protect own", "any", "go on: a nicer name for ps"),
    ("getrandom in read conf", "any", "go on: json-c has another seed"),
    ("capget in claim ID", "any", "go on: it takes itself for an ordinary user"),
    ("readlinkat in (prepare|map IDs)", "any", "go on, or vague: it takes the /proc for one of the outside"),
    ("prlimit64 in (prepare|open mount)", "any", "go on: the limit of descriptors is high enough"),
    ("capget in map IDs", "any", "vague: it takes the way of an ordinary user, newuidmap"),
    ("open_tree in open mount sources", "any", "go on: what the parent has opened serves"),
    ("open_tree in attach root", "any", "go on: what the parent has opened serves"),
    ("(fsopen|fsconfig|fsmount) in set sysctls", "any",
     "go on: the host's proc serves, of which the same is checked"),
    ("keyctl in join session", "any", "go on: a kernel without keyrings, or a filter over them"),
    ("open in change root: unmount what", "any", "go on: nothing that would have to be covered"),
    ("umount2 in change root", "any", "go on: what cannot be unmounted is covered"),
    ("capget in prepare", "any", "go on, or vague: it takes itself for an ordinary user"),
    ("read in run .*hooks", "any", "go on: what a hook writes is lost"),
    ("clock_gettime in keep state", "any", "go on: libc knows it without the kernel"),
    ("fchmodat in supervise", "any", "go on: who lists many containers has to look closer at this one"),
    ("setpgid in run", "any", "go on: the child does it as well"),
    ("(signalfd4|pipe2) in run", "ENOSYS", "go on: libc knows an older one"),
    ("clone3 in (create process|run)", "ENOSYS", "go on: clone(2) does it"),
    (r"\w+ in prepare: (open the cache of|look for the|keep the) filter", "any",
     "go on: the filter is made anew, and is not kept"),
    ("wait4 in (create process|supervise)", "any", "go on: the kernel reaps for who has ended"),
    ("signalfd4 in supervise", "ENOSYS", "go on: libc knows an older one"),
    ("(fsopen|fsconfig|fsmount) in mount file systems: mount cgroup", "EPERM",
     "go on: the host's is bound, read-only"),
    ("mknodat in make devices", "EPERM", "go on: the host's node is bound"),
    ("(fstat|newfstatat|openat2?) in reopen null", "any", "go on: the stream stays what it is"),
    ("open in mask paths", "any", "go on: the container's own null device"),
    ("(openat2|fchdir|getcwd) in set working", "EPERM", "go on: the user tries, later"),
    ("setgroups in (enter|become) user", "EPERM", "go on: user namespaces of ordinary users forbid it, if none are to be set"),
    ("fchown in own standard", "EPERM", "go on: it can still be used"),
    ("read in make environment", "EPERM", "go on: as if there were no /etc/passwd"),
    ("(fstat|newfstatat|ioctl) in supervise: relay", "any",
     "go on, or vague: of its own streams; of the other, it is taken for something else"),
    ("(openat|read|write|poll|recvmsg) in supervise: relay", "any",
     "go on: it relays what it can; how often it has to is a matter of luck"),
    ("flock in set limits", "any", "go on: the lock ends with the process"),
    ("flock in supervise", "any", "go on: the lock ends with the process"),
    ("readlinkat in keep state", "any", "go on: it takes the /proc for one of the outside"),
    ("flock in keep state", "any", "vague: it is said of the container"),
    (r"\w+ in make cgroup", "any", "go on: nobody has asked for one but the default specification"),
    (r"\w+ in remove cgroup", "any", "go on: it tries once more"),
    ("bpf in limit resources", "EPERM", "go on, without the right to do so: devices cannot be made either"),
]

# Steps that only a machine with that security module does, or only a function needs, and where they
# are seen.
MODULES = {"connect streams": "faults/test_spark_steps.py", "guard program": "faults/test_spark_steps.py",
           "set AppArmor profile": "vm/test_apparmor.py", "set SELinux label": "vm/selinux.sh"}

# What cannot fail by its manual page, or what libc does on its own and does not tell of: the
# allocator's calls, and FD_CLOEXEC once more after open(2) with O_CLOEXEC.
NEVER = {"exit", "exit_group", "rt_sigreturn", "arch_prctl", "set_tid_address", "getpid", "getuid",
         "geteuid", "getgid", "getegid", "umask", "brk", "munmap"}

# What AddressSanitizer needs in order to live.
SANITIZER = {"mmap", "munmap", "madvise", "mprotect", "brk", "futex", "rt_sigprocmask", "getpid",
             "rt_sigaction", "sched_yield", "gettid", "clock_gettime", "sigaltstack", "mremap"}


def read_table():
    """The step table in setup.c: {name: field}."""
    text = (TOP / "core/container/setup.c").read_text()
    rows = re.search(r"#define STEPS\(STEP\) +\\\n(.*?)\n\n", text, re.S)[1]
    found = dict(re.findall(r'^    STEP\("([^"]+)", "([^"]*)", \w+\)(?: +\\)?$', rows, re.M))
    assert len(found) == len(rows.splitlines()), rows
    return found


def is_new(seen, call, what, limit):
    """Has this not been done `limit` times where the same was going on? Paths make no difference.
    With the sanitizers, which make all slow, the same step is enough."""
    text = "" if DEBUG else re.sub(r"/\S+|\d+", "", call.text)
    key = call.role, call.step, text, what
    seen[key] = seen.get(key, 0) + 1
    return seen[key] <= limit


def excuse_of(call, code):
    for pattern, codes, words in EXCUSES:
        if re.match(pattern, f"{call.name} in {call.step}: {call.text}") and (
                codes == "any" or code in codes.split()):
            return words
    return ""


class Call:
    """One system call of a run."""

    def __init__(self, process, segment, number, name, result):
        self.process, self.segment, self.number = process, segment, number
        self.name, self.result = name, result
        self.text = self.step = self.role = None

    @property
    def point(self):
        return f"{self.process}:{self.segment}:{self.number}"

    def __str__(self):
        return f"{self.name} ({self.point}, step '{self.step}': {self.text})"


class Report:
    """What the stepper tells of a run."""

    def __init__(self, path, table):
        self.roles = {0: "shimbox"}
        self.texts = {}  # {(process, segment): what the trace calls it}
        self.calls = []
        self.hit = None
        for line in path.read_text().splitlines():
            kind, process, segment, *rest = line.split("\t")
            place = int(process), int(segment)
            if kind == "end":
                self.texts[place] = self.name_of_event(place[0], rest[0])
            elif kind == "exec":
                self.texts[place] = "exec"
            elif kind == "hit":
                self.hit = rest[1]
            else:
                self.calls.append(Call(*place, int(rest[0]), *rest[1:]))
        self.name_steps(table)

    def name_of_event(self, process, text):
        if track := re.match(r'\{"name":"process_name","ph":"M".*?"args":\{"name":"([^"]+)"', text):
            self.roles[process] = track[1]
            return "the track's name"
        try:
            event = json.loads(text.rstrip(" ],"))
        except ValueError:
            return text
        # An arrow is drawn in the middle of a step, which is told later.
        return event["name"] if event["ph"] == "X" else None

    def name_steps(self, table):
        """In the container a step of the table is told when it has ended, after what it consisted
        of; the last one becomes the program."""
        current, steps, later = {}, {}, {}
        for place in sorted(self.texts, reverse=True):
            if self.texts[place] is None:
                self.texts[place] = later.get(place[0], "exec")
            later[place[0]] = self.texts[place]
            if self.texts[place] in table:
                current[place[0]] = self.texts[place]
            steps[place] = current.get(place[0], list(table)[-1])
        for call in self.calls:
            place = call.process, call.segment
            call.role = self.roles.get(call.process)
            call.text = self.texts.get(place, "")
            if call.role == "container":
                call.step = steps.get(place) or list(table)[-1]
            elif call.role == "join":
                call.step = "create process"
            elif call.role == "shimbox":
                call.step = next((step for pattern, step in PARENT.items()
                                  if re.match(pattern, call.text)), None)


class Steps:
    """All faults, with one configuration. Those that inherit say which, and are a Fault."""

    facts = ["uid", "gid", "groups", "caps", "nnp", "securebits", "umask", "cwd", "hostname",
             "rlimits", "env", "fds", "signals", "interfaces", "dumpable", "stat=/dev/null",
             "stat=/dev/full", "stat=/proc/interrupts", "stat=/proc/scsi", "mount=/",
             "mount=/proc", "mount=/tmp/deep/dir", "read=/etc/passwd"]
    run_options = ()
    starter = ()  # what starts the stepper
    # How often something was disturbed, over all configurations.
    seen, parent_seen, child_seen = {}, {}, {}

    def prepare(self):
        self.trace, self.report = self.bundle.folder / "trace", self.bundle.folder / "report"
        self.table = read_table()
        self.bundle.mount("/etc", "tmpfs", options=["tmpcopyup", "ro"])
        # What is not there is made; on a tmpfs, so each time anew.
        self.bundle.mount("/tmp/deep/dir", "bind", str(self.bundle.canary), ["rbind", "ro"])
        self.config["process"].update(
            cwd="/tmp/new/folder",
            rlimits=[{"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
                     {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}])
        self.config["process"]["user"] = {"uid": 1000, "gid": 1000, "umask": 0o27,
                                          "additionalGids": [5, 7]}
        self.config["process"].update(
            oomScoreAdj=500, scheduler={"policy": "SCHED_OTHER", "nice": 5},
            ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6})
        self.config["domainname"] = "fault"
        self.config["linux"].update(
            personality={"domain": "LINUX"}, memoryPolicy={"mode": "MPOL_LOCAL"},
            sysctl={"kernel.msgmax": "8000"}, timeOffsets={"boottime": {"secs": 1000}})
        # All of this machine's, since a call that the stepper takes away has the number -1.
        self.config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}
        self.bundle.namespaces.append({"type": "time"})
        capabilities = self.config["process"]["capabilities"]
        capabilities["inheritable"] = capabilities["ambient"] = ["CAP_KILL"]
        self.config["root"]["readonly"] = True
        del self.config["linux"]["resources"]["pids"]
        self.config["linux"].update(
            rootfsPropagation="unbindable", readonlyPaths=["/proc/sys"],
            maskedPaths=["/proc/interrupts", "/proc/scsi", "/sys/firmware"],
            devices=[{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "uid": 1000,
                      "gid": 1000, "fileMode": 0o600}])

    def step_through(self, point="-", action="-", **more):
        done = self.run_faulty([*self.starter, STEPPER, str(self.report), str(self.trace), point, action],
                               "/bin/probe", *self.facts, more=[f"--trace={self.trace}"],
                               options=self.run_options, **more)
        report = Report(self.report, self.table)
        self.report.unlink()
        self.trace.unlink(missing_ok=True)
        # Numbers that the kernel gives away anew each time.
        done.stdout = re.sub(r"(?m)^stat:.*\.(dev|inode|size|fs|flags|gid|link)=.*\n", "", done.stdout)
        return done, report

    def undisturbed(self):
        done, report = self.step_through()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.log.unlink(missing_ok=True)
        self.pid_file.unlink()
        return done.stdout, report

    def chosen(self, calls):
        """Those that are worth a fault. Not each of a row of equal ones."""
        for call in calls:
            if call.name in NEVER or not call.step:
                continue
            if call.name == "close" and call.step != "write pid file":
                continue
            if DEBUG and (call.name in SANITIZER or call.step == "start"):
                continue
            if FULL or is_new(Steps.seen, call, call.name, 1):
                yield call

    def disturb(self, call, action, excuse=""):
        """Until the point is met: what the parent does last, and how often it looks at a hook's output,
        depends on which process is faster, and whether the allocator gives something back before it
        on the length of the trace."""
        number = call.number
        for shift in (0, -1, 1, 0, -1, 1, 0, 0) * 3:
            self.drop_cgroups()
            done, report = self.step_through(f"{call.process}:{call.segment}:{number}", action)
            if report.hit == call.name:
                return done
            # Where it was in this run, or else near the place.
            same = [other.number for other in report.calls if (other.process, other.segment, other.name) ==
                    (call.process, call.segment, call.name)]
            number = min(same, key=lambda n: abs(n - call.number), default=max(call.number + shift, 0))
            self.log.unlink(missing_ok=True)
            self.pid_file.unlink(missing_ok=True)
        # How often the parent looks for children that have ended is a matter of luck, and so is whether
        # it hears of the end of who joins during the set-up.
        heard = (call.name, call.step, call.text) == ("read", "supervise", "wait for the set-up")
        if "go on" not in excuse and not heard:
            self.fail(f"{call} was not met in 24 runs")
        return None

    def check_fault(self, call, code, done, facts):
        record = self.record()
        excuse = excuse_of(call, code)
        # json-c's own words.
        done.stderr = re.sub(r"error from getrandom\(\): [A-Za-z ]+", "", done.stderr)
        if done.returncode == 0:
            self.assertEqual((done.stdout, done.stderr), (facts, ""), done)
            self.pid_file.unlink()
            self.assertIn("go on", excuse, "it goes on without")
        elif call.step == "start":
            # Before anything that is meant for it was looked at.
            self.assertIn(done.returncode, (1, 2), done)
            self.assertRegex(done.stderr, r"\Ashimbox( run)?: [^\n]+\n\Z")
        else:
            self.check_line(done)
            ran = call.role == "shimbox" and call.step in ("supervise", "keep state")
            self.assertTrue(facts.startswith(done.stdout) if ran else done.stdout == "", done)
            self.check_record(call, code, done, record)
        if call.step == "keep state":
            self.delete_by_force()
            # It was removed only if nothing had been told before.
            self.pid_file.unlink(missing_ok=True)
        self.check_nothing_left()

    def check_record(self, call, code, done, record):
        """The text and the log name step, field and errno."""
        self.assertIn(record["msg"], done.stderr)
        if "vague" not in excuse_of(call, code):
            self.assertRegex(done.stderr, WORDS[code])
            self.assertEqual(record.get("errno"), getattr(errno, code), record)
        self.assertEqual(record.get("step"), call.step, record)
        if self.table.get(call.step) or call.step in PARENT_FIELDS:
            self.assertIn("field", record)
            self.assertIn(record["field"], done.stderr)

    def test_every_system_call_fails(self):
        facts, report = self.undisturbed()
        # The debug build takes three times as long, and shows memory errors on the way out, of which
        # there are fewer: a sixth.
        chosen = list(self.chosen(report.calls))[::6 if DEBUG and not FULL else 1]
        for number, call in enumerate(chosen):
            for code in ERRORS if FULL else [ERRORS[number % 2]]:
                with self.attempt(call, errno=code):
                    done = self.disturb(call, f"fail={getattr(errno, code)}", excuse_of(call, code))
                    if done:
                        self.check_fault(call, code, done, facts)

    def points_between_steps(self, report, seen):
        """The first system call after each event of the trace, in each process."""
        before = None
        for call in sorted(report.calls, key=lambda c: (c.process, c.segment, c.number)):
            place = call.process, call.segment
            # When the allocator asks for memory differs from run to run.
            if call.name in NEVER | {"mmap", "madvise"} or not call.role or (DEBUG and call.step == "start"):
                continue
            if FULL or (place != before and is_new(seen, call, None, 1)):
                yield call
            before = place

    def test_parent_is_killed(self):
        facts, report = self.undisturbed()
        for call in self.points_between_steps(report, Steps.parent_seen):
            with self.attempt(call):
                self.assertEqual(self.disturb(call, "kill=0").returncode, 137)
                self.delete_by_force()
                self.check_killed()
        # The state of one that was killed is in nobody's way.
        self.assertEqual(self.undisturbed()[0], facts)
        self.check_nothing_left()

    def test_child_is_killed(self):
        report = self.undisturbed()[1]
        for call in self.points_between_steps(report, Steps.child_seen):
            victims = [n for n, role in report.roles.items() if role != "shimbox"] if (
                call.role == "shimbox") else [call.process]
            for victim in victims:
                with self.attempt(call, victim=report.roles[victim]):
                    self.check_killed_child(call, victim)

    def check_killed_child(self, call, victim):
        done, report = self.step_through(call.point, f"kill={victim}")
        if not report.hit:
            # It does not exist yet, or any more.
            self.assertEqual(call.role, "shimbox")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done)
            return self.pid_file.unlink()
        record = self.record()
        if done.returncode == 1:
            self.check_line(done)
            self.assertFalse(self.pid_file.exists())
            self.assertIn(record.get("step"), ("create process", "map IDs", "run hooks",
                                               "run createContainer hooks", "supervise"))
        else:
            # All was set up: then it is as if the program had been killed.
            self.assertIn((done.returncode, done.stderr), ((137, ""), (0, "")))
            self.pid_file.unlink()
        return self.check_nothing_left()

    def delete_by_force(self):
        done = subprocess.run([self.bundle.shimbox, "--root", self.states, "delete", "--force", "fault-test"],
                              capture_output=True, check=False, timeout=120)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def check_killed(self, *but):
        """Nobody could clean up: but for one file, and the state, nothing is left anyway."""
        files = [n for n in self.names() if n == str(self.pid_file) or
                 n.startswith(str(self.bundle.folder / ".shimbox-"))]
        for name in files:
            pathlib.Path(name).unlink()
        self.log.unlink(missing_ok=True)
        self.check_nothing_left(but)
        # Between its creation and its renaming the file has another name; nothing can remove that.
        self.assertLessEqual(len(files), 1)

    @contextlib.contextmanager
    def attempt(self, call, **what):
        with self.subTest(str(call), **what):
            try:
                yield
            except (AssertionError, subprocess.TimeoutExpired):
                self.clean_up()
                raise

    def clean_up(self):
        """After a failure, so that the next test is not about the same."""
        for pid in self.children():
            os.kill(int(pid), signal.SIGKILL)
        for name in sorted(set(self.names()) - set(self.files), reverse=True):
            path = pathlib.Path(name)
            path.rmdir() if path.is_dir() else path.unlink()


class Plain(Steps, Fault):
    """As root, without a user namespace, and with hooks."""

    def prepare(self):
        super().prepare()
        hook = [{"path": os.environ["PROBE"], "args": ["probe", "exit=0"]}]
        self.config["hooks"] = {"createRuntime": hook, "createContainer": hook}


def add_user_namespace(bundle):
    bundle.namespaces.append({"type": "user"})
    maps = [{"containerID": 0, "hostID": 0, "size": 65536}]
    bundle.config["linux"].update(uidMappings=maps, gidMappings=maps)


class UserNamespace(Steps, Fault):
    """In a user namespace, where devices are bound, and without pivot_root."""

    run_options = ("--no-pivot",)

    def prepare(self):
        super().prepare()
        add_user_namespace(self.bundle)
        # Its group is not mapped, so root has no power over it: only its owner may enter.
        home = self.bundle.folder / "home"
        home.mkdir(mode=0o700)
        os.chown(home, 1000, 70000)
        self.bundle.mount("/tmp/home", "bind", str(home), ["bind"])
        self.config["process"]["cwd"] = "/tmp/home"
        # The filter then comes earlier.
        self.config["process"]["noNewPrivileges"] = False


class Joined(Steps, Fault):
    """In namespaces that somebody else has made."""

    def prepare(self):
        super().prepare()
        self.other = subprocess.Popen(["unshare", "-niu", "sh", "-c", "echo; exec sleep 1000"],
                                      stdout=subprocess.PIPE)
        self.other.stdout.readline()
        self.spared.add(str(self.other.pid))
        for kind, name in (("network", "net"), ("ipc", "ipc"), ("uts", "uts")):
            self.bundle.drop_namespace(kind)
            self.bundle.namespaces.append(
                {"type": kind, "path": f"/proc/{self.other.pid}/ns/{name}"})

    def tearDown(self):
        self.other.kill()
        self.other.communicate()
        super().tearDown()


class Ordinary(Steps, Fault):
    """Without the right to mount outside, as an ordinary user, on a terminal of its own."""

    starter = ("setpriv", "--bounding-set=-sys_admin")

    def prepare(self):
        super().prepare()
        self.bundle.namespaces.append({"type": "user"})
        maps = [{"containerID": 0, "hostID": 0, "size": 1}]
        self.config["linux"].update(uidMappings=maps, gidMappings=maps)
        self.config["process"].update(terminal=True, consoleSize={"height": 20, "width": 70},
                                      user={"uid": 0, "gid": 0, "umask": 0o27})
        # The same home with and without it.
        (self.bundle.rootfs / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
        for device in self.config["linux"]["devices"]:
            device.update(uid=0, gid=0)
        for mount in self.config["mounts"]:
            mount["options"] = [o for o in mount.get("options", []) if o != "gid=5"]


class Table(unittest.TestCase):
    """Is every step of the table in some run?"""

    def test_every_step_does_something(self):
        class Foreign(Plain):
            """As a foreign parent has it made, who has a say in it."""

            def command(self, *before, more=(), options=()):
                command = super().command(*before, more=more, options=options)
                command[command.index("run")] = "container-init"
                return [sys.executable, str(TOP / "tests/container-init/parent.py"), "all",
                        *command[:-1], "--sync-fd", "SYNC", "--id", command[-1]]

        done = set()
        for kind in (Plain, UserNamespace, Joined, Ordinary, Foreign):
            kind.setUpClass()
            test = kind("undisturbed")
            test.setUp()
            try:
                done |= {call.step for call in test.undisturbed()[1].calls}
            finally:
                test.tearDown()
                kind.doClassCleanups()
        self.assertEqual((set(read_table()) | set(PARENT.values())) - done - set(MODULES), set())
        for test in MODULES.values():
            self.assertTrue((TOP / "tests" / test).exists(), test)


if __name__ == "__main__":
    unittest.main()
