"""Containers for the tests of `run`: a root file system, configurations, and what is left behind.
SPDX-License-Identifier: Apache-2.0

What a container is like is told by the probe inside of it (tests/probe), never by the product.
"""

import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SHIMBOX = os.environ["SHIMBOX"]
PROBE = os.environ["PROBE"]
AS_ROOT = os.geteuid() == 0

CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_SHARED = 0x20000, 0x4000, 1 << 18, 1 << 20


def isolate():
    """A mount namespace for this file's tests: others mount meanwhile. Its mounts are shared, so
    that what a container mounts would come back here if it were not kept inside."""
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (lambda: libc.unshare(CLONE_NEWNS),
                 lambda: libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None),
                 lambda: libc.mount(None, b"/", None, MS_REC | MS_SHARED, None)):
        if call() != 0:
            raise OSError(ctypes.get_errno(), "cannot isolate the tests")


if AS_ROOT:
    isolate()

# From linux/capability.h.
CAPABILITIES = {
    name: number
    for number, name in enumerate(
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP"
        " LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER"
        " SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE"
        " SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP"
        " MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF"
        " CHECKPOINT_RESTORE".split()
    )
}


def mask(*names):
    """The bits of these capabilities."""
    return sum(1 << CAPABILITIES[name] for name in names)


def parse_facts(text):
    """key=value lines as a dictionary; a key that comes twice is a list."""
    facts = {}
    for line in (text or "").splitlines():
        key, equals, value = line.partition("=")
        if not equals:
            continue
        if key in facts:
            before = facts[key] if isinstance(facts[key], list) else [facts[key]]
            facts[key] = before + [value]
        else:
            facts[key] = value
    return facts


def host_facts(*facts):
    """What the probe says outside of any container."""
    return parse_facts(subprocess.run([PROBE, *facts], stdout=subprocess.PIPE, text=True, check=True).stdout)


class Result:
    """A finished `run`."""

    def __init__(self, status, stdout, stderr):
        self.status, self.stdout, self.stderr = status, stdout, stderr
        self.facts = parse_facts(stdout)

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.stdout}\nstderr: {self.stderr}"


def shell_helper(script, *arguments):
    """Run a line of shell that uses tests/lib/helpers.bash; returns what it prints."""
    done = subprocess.run(
        ["bash", "-c", f'. "{TOP}/tests/lib/helpers.bash"; ' + script, "helper", *map(str, arguments)],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{script}: {done.stdout}{done.stderr}")
    return done.stdout


def skip_loudly(test, reason):
    """Skip, and say so where a person sees it."""
    print(f"# SKIPPED: {test.id()}: {reason}", file=sys.stderr)
    test.skipTest(reason)


class User:
    """The ordinary user of helpers.bash."""

    def __init__(self):
        words = shell_helper(
            'need_unprivileged_user; echo "$test_uid $test_gid $test_subuid $test_subgid $test_home"'
        ).split()
        self.uid, self.gid, self.subuid, self.subgid = map(int, words[:4])
        self.home = words[4]

    def preexec(self):
        """For subprocess: become that user, with its groups only."""
        os.setgroups([self.gid])
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)


class ContainerTest(unittest.TestCase):
    """Each test runs containers on a root file system of its class, and leaves nothing."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="run-test.", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        os.chmod(cls.dir, 0o755)
        cls.rootfs = f"{cls.dir}/rootfs"
        shell_helper('make_rootfs "$1"', cls.rootfs)
        # An ordinary user must be able to reach it.
        cls.shimbox = f"{cls.dir}/shimbox"
        shutil.copy(SHIMBOX, cls.shimbox)
        os.chmod(cls.shimbox, 0o755)
        cls.user = None

    @classmethod
    def need_user(cls):
        """The ordinary user, and a root file system of its own in cls.user_rootfs."""
        if cls.user is None:
            cls.user = User()
            cls.user_rootfs = f"{cls.dir}/user-rootfs"
            shutil.copytree(cls.rootfs, cls.user_rootfs, symlinks=True)
            for path, directories, files in os.walk(cls.user_rootfs):
                for name in [".", *directories, *files]:
                    os.lchown(f"{path}/{name}", cls.user.uid, cls.user.gid)
        return cls.user

    def setUp(self):
        self.before = self.left_over()

    def tearDown(self):
        # What is about to end may take long where much else runs; that it ends counts.
        end = time.monotonic() + 60
        while (after := self.left_over()) != self.before and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(after, self.before, "left behind")

    def left_over(self):
        """Mounts, and processes that see this test's directory as a root or were started from it."""
        found = {"mount " + line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                if self.dir.encode() in (entry / "mountinfo").read_bytes() + command:
                    found.add(f"process {entry.name} {command}")
            except OSError:
                pass
        return found

    def config(self, *facts, rootfs=None):
        """A plain configuration whose program is the probe."""
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["/bin/probe", *facts],
                "env": ["PATH=/bin"],
                "cwd": "/",
            },
            "root": {"path": rootfs or self.rootfs},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            ],
            "linux": {
                "namespaces": [
                    {"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network", "cgroup")
                ]
            },
        }

    def map_user(self, config, uids, gids=None):
        """Add a user namespace with these (container, host, size) ranges."""
        linux = config["linux"]
        linux["namespaces"].append({"type": "user"})
        for key, ranges in (("uidMappings", uids), ("gidMappings", gids or uids)):
            linux[key] = [
                {"containerID": inside, "hostID": outside, "size": size}
                for inside, outside, size in ranges
            ]
        return config

    def user_config(self, *facts, subordinate=True):
        """A configuration that the ordinary user can run."""
        user = self.need_user()
        config = self.config(*facts, rootfs=self.user_rootfs)
        more = subordinate
        return self.map_user(
            config,
            [(0, user.uid, 1)] + ([(1, user.subuid, 65536)] if more else []),
            [(0, user.gid, 1)] + ([(1, user.subgid, 65536)] if more else []),
        )

    def needs_libraries(self):
        """The debug build does."""
        return b"/ld-linux" in pathlib.Path(self.shimbox).read_bytes()[:4096]

    def bring_shimbox(self, config):
        """Bind the binary under test on /shimbox, and its libraries where it is not static."""
        root = pathlib.Path(config["root"]["path"])
        (root / "shimbox").touch()
        bound = [("/shimbox", self.shimbox)]
        if self.needs_libraries():
            for name in ("usr", "lib", "lib64"):
                (root / name).mkdir(exist_ok=True)
                bound.append((f"/{name}", f"/{name}"))
        for destination, source in bound:
            config["mounts"].append({"destination": destination, "type": "bind", "source": source,
                                     "options": ["rbind", "rprivate"]})
        return config

    def start(self, config, *options, prefix=(), as_user=False, **more):
        """Start `run --config -` and return the Popen object; the configuration is a file."""
        file = tempfile.NamedTemporaryFile("w", dir=self.dir, suffix=".json", delete=False)
        with file:
            json.dump(config, file)
        os.chmod(file.name, 0o644)
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        if as_user:
            more["preexec_fn"] = self.need_user().preexec
            more.setdefault("cwd", "/")
        return subprocess.Popen(
            [*prefix, self.shimbox, "run", "--config", file.name, *options], text=True, **more)

    def finish(self, process, seconds=120):
        """Wait for it."""
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Result(process.returncode, stdout, stderr)

    def run_config(self, config, *options, **more):
        """Run it to its end, whatever that is."""
        return self.finish(self.start(config, *options, **more))

    def ask(self, config, *options, **more):
        """Run it; it must end well and say nothing on stderr. Returns the facts."""
        result = self.run_config(config, *options, **more)
        self.assertEqual((result.status, result.stderr), (0, ""), result)
        return result.facts

    def refused(self, config, message, *options, status=1, **more):
        """Run it; it must fail with this on stderr, and nothing on stdout."""
        result = self.run_config(config, *options, **more)
        self.assertEqual((result.status, result.stdout), (status, ""), result)
        self.assertIn(message, result.stderr)
        self.assertTrue(result.stderr.startswith("shimbox run: "), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result

    def wait_for(self, condition, what, seconds=60):
        """Until condition() is true."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)
