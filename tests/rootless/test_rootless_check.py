"""rootless-check: the rule, every cause brought about for real, the forms of the report.
SPDX-License-Identifier: Apache-2.0

Each cause is made in a namespace of the test's own; nothing of the machine is changed. What a fix
says is tried where that can be done.
"""

import errno
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import jsonschema

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
# pylint: disable=wrong-import-position
from bundle import libc  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
DENY = os.path.join(os.path.dirname(os.path.abspath(os.environ["PROBE"])), "deny")
DEBUG = os.environ.get("TEST_BUILD") == "debug"
UNSHARE = {"x86_64": "272", "aarch64": "97"}[os.uname().machine]
NOISE = re.compile(r"(?m)^==\d+==WARNING: reading executable name .*\n")

SCHEMA = {
    "type": "object", "additionalProperties": False,
    "required": ["version", "rootless", "reason", "checks"],
    "properties": {
        "version": {"const": 1},
        "rootless": {"enum": [True, False, None]},
        "reason": {"type": "string", "minLength": 1},
        "checks": {"type": "array", "minItems": 48, "items": {
            "type": "object", "additionalProperties": False,
            "required": ["id", "kind", "status", "errno", "seen", "cause", "fix"],
            "properties": {
                "id": {"type": "string", "pattern": "^[a-z0-9_.-]+$"},
                "kind": {"enum": ["need", "feature"]},
                "status": {"enum": ["pass", "warn", "fail", "unknown"]},
                "errno": {"type": "integer", "minimum": 0},
                "seen": {"type": "string", "minLength": 1},
                "cause": {"type": ["string", "null"], "minLength": 1},
                "fix": {"type": ["string", "null"], "minLength": 1},
            }}},
    },
}


class Case(unittest.TestCase):
    """A folder that everybody can read, with the binary; an ordinary user with subordinate ids."""

    @classmethod
    def setUpClass(cls):
        assert os.getuid() == 0, "these tests make users and mounts: run them as root"
        facts = subprocess.run(
            ["bash", "-c", f". {TOP}/tests/lib/helpers.bash; need_unprivileged_user; "
             "echo $test_uid $test_gid $test_user $test_home"],
            check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.split()
        cls.uid, cls.gid, cls.user, cls.home = int(facts[0]), int(facts[1]), facts[2], facts[3]

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rootless-check-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.binary = self.folder / "shimbox"
        shutil.copy(os.environ["SHIMBOX"], self.binary)
        self.binary.chmod(0o755)
        self.before = self.state()

    def tearDown(self):
        self.assertEqual(self.state(), self.before)

    @staticmethod
    def state():
        """Mounts, and processes that have this one above them."""
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return mounts, children

    def as_user(self, *command, uid=None, home=None, **environment):
        """The command line that runs this as the ordinary user, or as another one."""
        ids = [f"--reuid={uid or self.uid}", f"--regid={uid or self.gid}"]
        groups = "--clear-groups" if uid else "--init-groups"
        environment = {"HOME": home or self.home, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                       **environment}
        return ["setpriv", *ids, groups, "--inh-caps=-all", "env", "-i",
                *(f"{name}={value}" for name, value in environment.items()), *command]

    def run_as(self, command, status=None):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120, check=False, cwd="/")
        done.stderr = NOISE.sub("", done.stderr)
        if status is not None:
            self.assertEqual(done.returncode, status, done)
        return done

    def report(self, *before, binary=None, user=True, status=None, **more):
        """The checks by id, from --json."""
        command = [str(binary or self.binary), "rootless-check", "--json"]
        if user:
            command = self.as_user(*command, **more)
        done = self.run_as([*before, *command], status)
        self.assertEqual(done.stderr, "", done)
        document = json.loads(done.stdout)
        jsonschema.validate(document, SCHEMA)
        self.assertEqual(
            done.returncode, int(any(c["status"] == "fail" for c in document["checks"])), done)
        checks = {check["id"]: check for check in document["checks"]}
        self.assertEqual(len(checks), len(document["checks"]))
        for check in checks.values():
            if check["cause"]:
                self.assertIn(checks[check["cause"]]["status"], ("fail", "warn"), check)
        return checks

    def expect(self, checks, name, status, seen=None, fix=None, cause=None, number=None):
        check = checks[name]
        self.assertEqual((check["status"], check["cause"]), (status, cause), check)
        if seen:
            self.assertRegex(check["seen"], seen)
        if fix:
            self.assertRegex(check["fix"] or "", fix)
        elif status == "pass":
            self.assertIsNone(check["fix"], check)
        if number is not None:
            self.assertEqual(check["errno"], number, check)

    @staticmethod
    def mapped(lines, command, before=()):
        """Status and output of this in a user namespace with such maps, written from outside."""
        with subprocess.Popen(
                [*before, "unshare", "--user", "sh", "-c", 'echo; read go && exec "$@"', "sh",
                 *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            child.stdout.readline()
            for name in ("uid_map", "gid_map"):
                pathlib.Path(f"/proc/{child.pid}/{name}").write_text(lines)
            # The shell was started without ids; it becomes root by its new map.
            said = child.communicate("go\n", timeout=120)[0]
            return child.returncode, said

    def script(self, text):
        """A shell in a private mount namespace does this, then becomes what follows."""
        return ["unshare", "--mount", "sh", "-ec", text + '\nexec "$@"', "sh"]


class Rule(Case):
    def answer(self, code, line, *before, user=False):
        command = [str(self.binary), "rootless-check"]
        wrap = self.as_user if user else lambda *words: list(words)
        done = self.run_as([*before, *wrap(*command)], code)
        self.assertEqual((done.stdout, done.stderr), (line + "\n", ""), done)
        for quiet in ("-q", "--quiet"):
            done = self.run_as([*before, *wrap(*command, quiet)], code)
            self.assertEqual((done.stdout, done.stderr), ("", ""), done)

    def test_answers(self):
        inside = "rootless: uid 0 of a user namespace that is not the initial one: "
        self.answer(1, "not rootless: uid 0 of the initial user namespace")
        self.answer(0, f"rootless: uid {self.uid}, not 0", user=True)
        self.answer(0, inside + "uid 0 is uid 0 outside", "unshare", "--user", "--map-root-user")
        self.answer(0, "rootless: uid 65534, not 0, in a user namespace: its uid_map is empty",
                    "unshare", "--user")
        self.answer(0, inside + f"uid 0 is uid {self.uid} outside",
                    *self.as_user("unshare", "--user", "--map-root-user"))

    def test_maps(self):
        """Written from outside: ranges behind "0 0 1", everything to itself, 0 not first."""
        for lines in ("0 0 1\n1 100000 65536\n", "0 0 4294967295\n", "1 100000 65536\n0 0 1\n"):
            with self.subTest(lines):
                status, said = self.mapped(lines, [str(self.binary), "rootless-check"])
                self.assertEqual(status, 0)
                self.assertEqual(said, "rootless: uid 0 of a user namespace that is not the "
                                 "initial one: uid 0 is uid 0 outside\n")

    def test_without_proc(self):
        self.answer(2, "cannot tell: uid 0, and neither /proc/self/ns/user nor /proc/self/uid_map "
                    "can be read", *self.script("umount -l /proc"))

    def test_proc_that_is_none(self):
        fake = self.folder / "proc"
        (fake / "self/ns").mkdir(parents=True)
        (fake / "self/ns/user").touch()
        (fake / "self/uid_map").write_text("0 0 4294967295\n")
        mount = self.script(f"mount --bind {fake} /proc")
        self.answer(2, "cannot tell: uid 0, /proc/self/ns/user cannot be read, and every id is "
                    "mapped to itself", *mount)
        (fake / "self/uid_map").write_text("0 1 1\n\0\n")
        self.answer(2, "cannot tell: uid 0, /proc/self/ns/user cannot be read, and "
                    "/proc/self/uid_map makes no sense", *mount)

    def test_bad_usage(self):
        for words, line in ((["x"], "unexpected argument 'x'"),
                            (["--report", "--json"], "--report and --json exclude each other"),
                            (["-q", "--json"], "--quiet and --json exclude each other"),
                            (["--require"], None), (["--what"], None)):
            done = self.run_as([str(self.binary), "rootless-check", *words], 2)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, r"\Ashimbox rootless-check: [^\n]+\n\Z")
            self.assertIn(line or words[0], done.stderr)


class Forms(Case):
    def test_plain_and_json_agree(self):
        checks = self.report()
        done = self.run_as(self.as_user(str(self.binary), "rootless-check", "--report"))
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], f"rootless: uid {self.uid}, not 0")
        self.assertNotIn("\033", done.stdout)
        self.assertEqual(len(lines) - 1, len(checks))
        for line, check in zip(lines[1:], checks.values()):
            want = f"{check['status']} {check['id']}: {check['seen']}"
            want += f"; cause: {check['cause']}" if check["cause"] else ""
            want += f"; fix: {check['fix']}" if check["fix"] else ""
            self.assertEqual(line, want)

    def on_terminal(self, **environment):
        ours, theirs = pty.openpty()
        command = self.as_user(str(self.binary), "rootless-check", "--report", **environment)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs) as child:
            os.close(theirs)
            said = b""
            try:
                while chunk := os.read(ours, 65536):
                    said += chunk
            except OSError:
                pass
            os.close(ours)
            self.assertIn(child.wait(), (0, 1))
        return said.decode().replace("\r\n", "\n")

    def test_table(self):
        said = self.on_terminal()
        self.assertIn("\033[32mpass   \033[0m", said)
        plain = self.on_terminal(NO_COLOR="1")
        self.assertEqual(re.sub(r"\033\[\d+m", "", said), plain)
        self.assertRegex(plain, r"\n\nWhat containers need\nkernel-userns       pass     /proc/")
        self.assertRegex(plain, r"\n\nWhat the kernel has\nkernel              pass     Linux ")
        self.assertIn("\033[32m", self.on_terminal(NO_COLOR=""))

    def test_require(self):
        def require(*ids, status=0, **more):
            words = [word for text in ids for word in ("--require", text)]
            return self.run_as(self.as_user(str(self.binary), "rootless-check", *words, **more),
                               status)

        for ids in (["kernel"], ["kernel,userns-create"], ["kernel", "own-binary,ns-uts"]):
            done = require(*ids)
            self.assertEqual((done.stdout, done.stderr), ("", ""))
        done = require("kernel,newuidmap,ns-uts", status=1, PATH="/nonexistent/x")
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr, "shimbox rootless-check: newuidmap: fail: newuidmap is not in "
                         "PATH (fix: apt-get install uidmap (Debian, Ubuntu) or dnf install "
                         "shadow-utils)\n")
        done = require("runtime-dir", status=1)
        self.assertRegex(done.stderr, r"runtime-dir: warn: .* \(fix: loginctl enable-linger ")
        # Not to be told, which a failure outweighs.
        done = require("idmap-tmpfs", status=2)
        self.assertRegex(done.stderr, r"\A[^\n]*idmap-tmpfs: unknown: [^\n]*\n\Z")
        for ids in ("idmap-tmpfs,newuidmap", "newuidmap,idmap-tmpfs"):
            done = require(ids, status=1, PATH="/nonexistent/x")
            self.assertEqual(done.stderr.count("\n"), 2)
        for ids, name, hint in (("newuidmp", "newuidmp", "did you mean newuidmap?"),
                                ("kernel,,x", "", None), ("", "", None),
                                ("kernel,nothing-like-it", "nothing-like-it", "--report")):
            done = require(ids, status=2)
            self.assertIn(f"--require: there is no check '{name}'", done.stderr)
            self.assertIn(hint or "", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        done = self.run_as([str(self.binary), "rootless-check", "--json", "--require", "kernel"], 0)
        jsonschema.validate(json.loads(done.stdout), SCHEMA)

    def test_root(self):
        checks = self.report(user=False)
        for name in ("userns-create", "userns-map", "overlay", "mount-proc", "idmap-userns"):
            self.expect(checks, name, "pass")
        for name in ("newuidmap", "subuid-range", "no-new-privs"):
            self.expect(checks, name, "pass", "not needed")
        self.expect(checks, "idmap-tmpfs", "pass")

    def test_user(self):
        checks = self.report()
        for name in ("userns-create", "userns-map", "mount-proc", "mount-sysfs", "overlay",
                     "ns-network", "idmap-userns", "own-binary", "chroot"):
            self.expect(checks, name, "pass")
        self.expect(checks, "subuid-range", "pass", f"/etc/subuid gives {self.user} 65536 ids")
        for name in ("newuidmap", "newgidmap"):
            self.expect(checks, name, "pass", f"/usr/bin/{name} wrote a map of 65537 ids")


class Causes(Case):
    def test_seccomp(self):
        for name in ("EPERM", "EACCES", "ENOSPC", "EINVAL", "ENOSYS", "EXDEV"):
            number = getattr(errno, name)
            deny = [DENY, UNSHARE, str(number), "/usr/bin/env"]
            checks = self.report(*deny, status=1)
            self.expect(checks, "userns-create", "fail", r"unshare\(CLONE_NEWUSER\): ",
                        "--security-opt seccomp=", "seccomp-filter", number)
            self.expect(checks, "seccomp-filter", "fail", "a seccomp filter answers unshare with: ",
                        "--security-opt seccomp=unconfined", None, number)
            self.expect(checks, "ns-mount", "unknown", "no user namespace")

    def test_chroot(self):
        root = self.folder / "root"
        for name in ("proc", "bin", "etc", "home", "sys", "dev"):
            (root / name).mkdir(parents=True)
        shutil.copy(TOP / "build/shimbox", root / "bin/shimbox")  # the debug build is dynamic
        for name in ("sh", "umount"):
            shutil.copy("/bin/busybox", root / "bin" / name)
        inside = ["/bin/shimbox", "rootless-check", "--json"]
        mount = self.script(f"mount --rbind /proc {root}/proc")
        enter = ["chroot", f"--userspec={self.uid}:{self.gid}", str(root), *inside]
        checks = {c["id"]: c for c in json.loads(self.run_as([*mount, *enter], 1).stdout)["checks"]}
        self.expect(checks, "chroot", "fail", "this is a chroot", "pivot_root")
        self.expect(checks, "userns-create", "fail", "Operation not permitted", "pivot_root",
                    "chroot", errno.EPERM)
        # One that cannot be told from the real root by what it looks like.
        bind = self.script(f"mount --bind {root} {root}; mount --rbind /proc {root}/proc")
        done = self.run_as([*bind, *enter], 1)
        checks_there = {c["id"]: c for c in json.loads(done.stdout)["checks"]}
        self.expect(checks_there, "chroot", "pass")
        self.expect(checks_there, "userns-create", "fail", "Operation not permitted",
                    "none of the known causes is seen; a chroot into a mount point", None,
                    errno.EPERM)
        # What it says helps.
        fix = checks["chroot"]["fix"].removeprefix("in place of chroot DIR PROGRAM: ")
        fix = fix.replace("DIR", str(root)).replace("PROGRAM", " ".join(inside))
        done = self.run_as([*mount, "sh", "-c", fix])
        checks = {c["id"]: c for c in json.loads(done.stdout)["checks"]}
        self.expect(checks, "chroot", "pass")
        self.expect(checks, "userns-create", "pass")

    def test_limit(self):
        script = ["unshare", "--user", "--map-root-user", "sh", "-ec",
                  'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
        checks = self.report(*script, user=False, status=1)
        fix = "sysctl -w user.max_user_namespaces=28633"
        self.expect(checks, "userns-limit", "fail", "max_user_namespaces is 0$", fix)
        self.expect(checks, "userns-create", "fail", "", fix, "userns-limit", errno.ENOSPC)

    def test_unmapped(self):
        checks = self.report("unshare", "--user", user=False, status=1)
        self.expect(checks, "own-ids", "fail", "65534, the own id, is not mapped by "
                    "/proc/self/uid_map", "unshare --map-root-user")
        self.expect(checks, "userns-create", "fail", "", "", "own-ids", errno.EPERM)

    def test_switches(self):
        """The sysctls of Debian and Ubuntu, which this kernel may lack: files in their place."""
        fake = self.folder / "kernel"
        fake.mkdir()
        for name, value, number, check, fix in (
                ("unprivileged_userns_clone", "0", errno.EPERM, "userns-switch",
                 "sysctl -w kernel.unprivileged_userns_clone=1"),
                ("apparmor_restrict_unprivileged_userns", "1", errno.EACCES, "apparmor-userns",
                 f"profile shimbox {self.binary} flags=.unconfined. ")):
            for file in fake.iterdir():
                file.unlink()
            (fake / name).write_text(value + "\n")
            mount = self.script(f"mount --bind {fake} /proc/sys/kernel")
            checks = self.report(*mount, DENY, UNSHARE, str(number), "/usr/bin/env",
                                 status=1)
            self.expect(checks, check, "fail", name, fix)
            self.expect(checks, "userns-create", "fail", "", fix, check, number)
            # It only says what may be: what works is no failure.
            checks = self.report(*mount)
            self.expect(checks, check, "pass")
            self.expect(checks, "userns-create", "pass")

    def test_no_new_privs(self):
        command = self.as_user("setpriv", "--no-new-privs", str(self.binary), "rootless-check",
                               "--json")
        checks = {c["id"]: c for c in json.loads(self.run_as(command, 1).stdout)["checks"]}
        self.expect(checks, "no-new-privs", "warn", "set", "NoNewPrivileges=no")
        self.expect(checks, "newuidmap", "fail", "/usr/bin/newuidmap failed: ",
                    "NoNewPrivileges=no", "no-new-privs")
        self.expect(checks, "userns-create", "pass")

    def helper(self, text):
        """A PATH with a newuidmap of our own."""
        path = self.folder / "path"
        path.mkdir(exist_ok=True)
        for name in ("newuidmap", "newgidmap"):
            (path / name).write_text(text)
            (path / name).chmod(0o755)
        return str(path)

    def test_helpers(self):
        checks = self.report(PATH="/nonexistent/x", status=1)
        self.expect(checks, "newuidmap", "fail", "newuidmap is not in PATH",
                    "apt-get install uidmap", None, errno.ENOENT)
        path = self.folder / "copies"
        path.mkdir()
        for name in ("newuidmap", "newgidmap"):
            shutil.copy(f"/usr/bin/{name}", path / name)
            (path / name).chmod(0o755)
        checks = self.report(PATH=str(path), status=1)
        self.expect(checks, "newuidmap", "fail", f"{path}/newuidmap is neither set-uid root nor ",
                    f"chmod u\\+s {path}/newuidmap")

    def test_helper_that_hangs(self):
        path = self.helper("#!/bin/sh\nexec /bin/sleep 1000\n")
        checks = self.report(PATH=path, status=1)
        self.expect(checks, "newuidmap", "fail", "did not end, and was ended", None, None,
                    errno.ETIMEDOUT)

    def test_killed(self):
        """Whoever is left when it is killed ends by itself."""
        path = self.helper("#!/bin/sh\n: >started\nexec /bin/sleep 1000\n")
        self.folder.chmod(0o777)
        libc.prctl(36, 1, 0, 0, 0)  # what loses its parent becomes our child
        self.addCleanup(libc.prctl, 36, 0, 0, 0, 0)
        command = self.as_user(str(self.binary), "rootless-check", "--json", PATH=path)
        command[command.index("env")] = "/usr/bin/env"
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL) as child:
            end = time.monotonic() + 60
            while not (self.folder / "started").exists() and time.monotonic() < end:
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    time.sleep(0.01)
            except ChildProcessError:
                return
        self.fail("processes are left: " + self.state()[1])

    def test_masked_proc(self):
        mount = self.script("mount --bind /dev/null /proc/interrupts")
        checks = self.report(*mount, status=1)
        fix = "--security-opt unmask=ALL .*systempaths=unconfined.*procMount: Unmasked"
        self.expect(checks, "proc-masked", "fail", "covered: /proc/interrupts$", fix)
        self.expect(checks, "mount-proc", "fail", "Operation not permitted", fix, "proc-masked",
                    errno.EPERM)

    def test_hidepid(self):
        mount = self.script("mount -o remount,hidepid=2 /proc")
        mount[1:2] = ["--mount", "--pid", "--fork", "--mount-proc"]
        checks = self.report(*mount)
        self.expect(checks, "hidepid", "warn", "hidepid", "mount -o remount,hidepid=0 /proc")

    def test_own_binary(self):
        self.binary.chmod(0o711)
        checks = self.report(status=1)
        self.expect(checks, "own-binary", "fail", "Permission denied",
                    f"chmod a\\+r {self.binary}$", None, errno.EACCES)


class Ids(Case):
    def tables(self, subuid, subgid=None):
        for name, text in (("subuid", subuid), ("subgid", subgid or subuid)):
            (self.folder / name).write_text(text)
        return self.script("".join(f"mount --bind {self.folder}/{name} /etc/{name}\n"
                                   for name in ("subuid", "subgid")))

    def test_without(self):
        checks = self.report(*self.tables("other:200000:70000\n"), status=1)
        fix = f"usermod --add-subuids 270000-335535 --add-subgids 270000-335535 {self.user}$"
        self.expect(checks, "subuid-range", "fail", f"/etc/subuid gives {self.user} .* no ids", fix)
        self.expect(checks, "subgid-range", "fail", f"/etc/subgid gives {self.user} .* no ids", fix)
        self.expect(checks, "newuidmap", "unknown", "no ids to try it with")

    def test_unknown_user(self):
        checks = self.report(uid=54321, home="/", status=1)
        self.expect(checks, "subuid-range", "fail", "gives 54321 .uid 54321. no ids",
                    "--add-subuids .* 54321$")

    def test_short(self):
        checks = self.report(*self.tables(f"{self.user}:200000:1000\n"))
        self.expect(checks, "subuid-range", "warn", "1000 ids, not 65536",
                    "--add-subuids 201000-266535 ")
        self.expect(checks, "newuidmap", "pass", "wrote a map of 1001 ids")

    def test_ranges_add_up(self):
        """By name and by number, and the same line twice counts once."""
        text = f"{self.user}:200000:60000\n{self.uid}:300000:6000\n{self.uid}:200000:60000\n"
        checks = self.report(*self.tables(text))
        self.expect(checks, "subuid-range", "pass", "66000 ids from 200000 on")

    def test_shared(self):
        text = f"{self.user}:200000:65536\nother:265535:65536\n"
        checks = self.report(*self.tables(text))
        self.expect(checks, "subuid-range", "warn", "to others as well", "--add-subuids 331071-")

    def test_nonsense(self):
        checks = self.report(*self.tables(f"{self.user}:x:65536\n", f"{self.user}:200000:65536\n"),
                             status=1)
        self.expect(checks, "subuid-range", "fail", "/etc/subuid:1: expected NAME:FIRST:COUNT")
        self.expect(checks, "subgid-range", "pass")

    def test_not_mapped_outside(self):
        """In a user namespace that has a few ids, the ordinary user in it has subordinate ones."""
        tables = self.tables("1000:100000:65536\n")
        command = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", str(self.binary),
                   "rootless-check", "--json"]
        status, said = self.mapped("0 0 1\n1 100001 2000\n", command, tables)
        self.assertEqual(status, 1)
        checks = {c["id"]: c for c in json.loads(said)["checks"]}
        self.expect(checks, "subids-mapped", "fail", "/etc/subuid: 100000 to 165535 are not all in "
                    "/proc/self/uid_map", "--map-auto")
        self.expect(checks, "newuidmap", "fail", "", "--map-auto", "subids-mapped")


class Folders(Case):
    def test_runtime(self):
        checks = self.report()
        self.expect(checks, "runtime-dir", "warn", "XDG_RUNTIME_DIR is not set; /tmp/shimbox-"
                    f"{self.uid} is used", f"loginctl enable-linger {self.user}")
        self.expect(checks, "user-bus", "warn", "", "loginctl", "runtime-dir")
        checks = self.report(XDG_RUNTIME_DIR=str(self.folder), status=1)
        self.expect(checks, "runtime-dir", "fail", f"belongs to uid 0, not {self.uid}",
                    f"machinectl shell {self.user}@")
        checks = self.report(XDG_RUNTIME_DIR=str(self.folder / "none"), status=1)
        self.expect(checks, "runtime-dir", "fail", "No such file", None, None, errno.ENOENT)
        own = self.folder / "own"
        own.mkdir(mode=0o700)
        os.chown(own, self.uid, self.gid)
        checks = self.report(XDG_RUNTIME_DIR=str(own))
        self.expect(checks, "runtime-dir", "pass", f"{own} is the caller's")
        self.expect(checks, "user-bus", "warn", f"cannot connect to {own}/bus",
                    "dbus-user-session", None, errno.ENOENT)

    def test_home(self):
        home = self.folder / "home"
        home.mkdir()
        os.chown(home, self.uid, self.gid)
        noexec = self.script(f"mount -t tmpfs -o noexec,mode=1777 tmpfs {home}")
        checks = self.report(*noexec, home=str(home), status=1)
        fix = f"mount -o remount,bind,rw,exec,suid,dev {home}"
        self.expect(checks, "home-fs", "fail", f"{home} is on a mount with noexec$", f"{fix}$")
        again = self.script(f"mount -t tmpfs -o noexec,mode=1777 tmpfs {home}; {fix}")
        self.expect(self.report(*again, home=str(home)), "home-fs", "pass")
        home.chmod(0o700)
        checks = self.report(home=str(home))
        self.expect(checks, "home-fs", "warn", f"subordinate ids cannot go through {home}: "
                    "Permission denied", f"chmod a\\+x {home}$", None, errno.EACCES)
        home.chmod(0o711)
        self.expect(self.report(home=str(home)), "home-fs", "pass")
        checks = self.report(home="/nonexistent")
        self.expect(checks, "home-fs", "warn", "HOME=/nonexistent: No such file", "export HOME")


if __name__ == "__main__":
    unittest.main()
