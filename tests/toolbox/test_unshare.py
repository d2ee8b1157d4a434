"""unshare beside util-linux' unshare(1).
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn, new_or_own  # noqa: E402

WHO = ("uid", "gid", "groups", "caps", "securebits", "nnp", "dumpable", "signals", "cwd")
MAPS = ("read=/proc/self/uid_map", "read=/proc/self/gid_map", "read=/proc/self/setgroups")


def sorted_maps(facts):
    """Ranges in any order: what they map is the same."""
    facts = new_or_own(facts)
    for key, value in facts.items():
        if key.endswith("_map"):
            facts[key] = sorted(
                " ".join(line.split()) for line in value.split("\\n") if line)
    return facts


class Unshare(StandIn):
    """Each documented option."""

    tool = "unshare"

    def test_namespaces(self):
        for options in (["-m"], ["-u"], ["-i"], ["-n"], ["-C"], ["-p", "-f"], ["-T", "-f"],
                        ["--mount"], ["--uts"], ["--ipc"], ["--net"], ["--cgroup"],
                        ["--pid", "--fork"], ["--time", "--fork"], ["-muinCpTf"]):
            with self.subTest(options):
                self.same_facts(options, ("ns", "pid", *WHO), normal=new_or_own)
                self.same_facts(["-U", "-r", *options], ("ns", "pid", *WHO), as_user=True,
                                normal=new_or_own)

    def test_maps(self):
        user, sub = self.user, self.user.subuid
        rows = [
            ["-U"], ["--user"], ["-r"], ["--map-root-user"], ["-c"], ["--map-current-user"],
            ["--map-user=7"], ["--map-user", "daemon"], ["--map-group=9"], ["--map-group", "mail"],
            ["--map-user=7", "--map-group=9"], ["--setgroups", "deny", "-U"], ["--setgroups=deny", "--user"],
            ["-r", "--map-auto"], ["--map-auto"], ["-c", "--map-auto"],
            ["--map-user=5", "--map-auto"],
            [f"--map-users={sub},0,100", f"--map-groups={user.subgid},0,100"],
            ["-r", f"--map-users={sub},1,100", f"--map-groups={user.subgid},1,100"],
        ]
        for options in rows:
            for as_user in (True, False):
                ranges = any("auto" in word or "users" in word for word in options)
                if not as_user and (ranges or "-c" in options or "--map-current-user" in options):
                    continue
                with self.subTest(options, as_user=as_user):
                    self.same_facts(options, ("ns", *WHO, *MAPS), as_user=as_user,
                                    normal=sorted_maps)

    def test_new_forms_of_ranges(self):
        """INNER:OUTER:COUNT, several ranges, subids, all: newer than the original here."""
        sub, gid = self.user.subuid, self.user.subgid
        rows = {
            (f"--map-users=0:{sub}:10", f"--map-users=50:{sub + 20}:5", f"--map-groups=0:{gid}:3"):
                ([f"0 {sub} 10", f"50 {sub + 20} 5"], [f"0 {gid} 3"]),
            (f"--map-users=0:{sub}:10,50:{sub + 20}:5", f"--map-groups=0:{gid}:3"):
                ([f"0 {sub} 10", f"50 {sub + 20} 5"], [f"0 {gid} 3"]),
            ("--map-users=subids", "--map-groups=subids"):
                ([f"{sub} {sub} 65536"], [f"{gid} {gid} 65536"]),
            ("--map-subids",): ([f"{sub} {sub} 65536"], [f"{gid} {gid} 65536"]),
        }
        for options, (uids, gids) in rows.items():
            with self.subTest(options):
                done = self.stand_in(*options, "--", self.probe, *MAPS[:2], as_user=True)
                self.assertEqual((done.status, done.stderr), (0, ""), done)
                facts = sorted_maps(done.facts)
                self.assertEqual(facts["read:/proc/self/uid_map"], uids)
                self.assertEqual(facts["read:/proc/self/gid_map"], gids)
        done = self.stand_in("--map-users=all", "--map-groups=all", self.probe, *MAPS[:2])
        self.assertEqual(sorted_maps(done.facts)["read:/proc/self/uid_map"], ["0 0 4294967295"])

    def test_clocks(self):
        options = ["-r", "-T", "-f", "--monotonic", "1000000", "--boottime", "5000000"]
        done = self.same_facts(options, ["read=/proc/self/timens_offsets"], as_user=True)
        self.assertIn("1000000", done.facts["read:/proc/self/timens_offsets"])
        self.same_facts(options, ["read=/proc/self/timens_offsets"])

    def test_propagation_and_proc(self):
        for word in ("private", "slave", "shared", "unchanged"):
            for options in (["-m", "--propagation", word], ["-m", f"--propagation={word}"]):
                with self.subTest(options):
                    self.same_facts(options, ["mount=/"],
                                    normal=lambda f: f["mount:/.propagation"].split(":")[0])
        for options in (["-p", "-f", "--mount-proc"], ["-r", "-p", "-f", "--mount-proc=/proc"]):
            for as_user in (False, True):
                if as_user and "-r" not in options:
                    continue
                with self.subTest(options, as_user=as_user):
                    done = self.same_facts(options, ["mount=/proc", "pid", "ns"], as_user=as_user,
                                           normal=lambda f: {k: v for k, v in new_or_own(f).items()
                                                             if not k.endswith("super")})
                    self.assertEqual(done.facts["pid"], "1")

    def test_root_and_directory(self):
        root = pathlib.Path(self.dir) / "root"
        root.mkdir(exist_ok=True)
        for name in ("proc", "bin", "sub"):
            (root / name).mkdir(exist_ok=True)
        os.link(self.probe, root / "bin/probe") if not (root / "bin/probe").exists() else None
        ours, theirs = self.both("-R", root, "/bin/probe", "list=/", "cwd")
        self.assertEqual((ours.status, ours.facts), (0, theirs.facts))
        # In a mount namespace of its own, nothing of the old root is left.
        done = self.stand_in("-m", "-R", root, "--", "/bin/probe", "list=/", "cwd", "chroot=sub",
                             "list=../..", "list=/")
        self.assertEqual(done.status, 0, done)
        self.assertEqual(done.facts["list:/"], ["bin proc sub", ""])
        self.assertEqual(done.facts["list:../.."], "bin proc sub")
        ours, theirs = self.both("-w", root / "sub", self.probe, "cwd")
        self.assertEqual(ours.facts["cwd"], f"{root}/sub")
        self.assertEqual(ours.facts, theirs.facts)
        self.same_facts(["-w", "/usr", "-r"], ["cwd"], as_user=True)

    def test_ids_inside(self):
        self.same_facts(["-S", "5", "-G", "6"], WHO)
        done = self.stand_in("--setuid", "daemon", "--setgid", "mail", self.probe, "uid", "gid")
        self.assertEqual((done.facts["uid"], done.facts["gid"]), ("1", "8"))
        self.same_facts(["-r", "--map-auto", "-S", "5", "-G", "6"], WHO, as_user=True)
        self.same_facts(["-r", "--keep-caps"], WHO, as_user=True)
        self.same_facts(["-c", "--keep-caps"], WHO, as_user=True)
        self.same_failure(["-r", "-G", "0"], "additional groups", as_user=True)

    def test_kept_on_files(self):
        """The file of each kind, entered by nsenter(1) afterwards, then unmounted."""
        file = pathlib.Path(self.dir) / "kept"
        file.touch()
        for option, name in (("uts", "uts"), ("ipc", "ipc"), ("net", "net"), ("cgroup", "cgroup"),
                             ("user", "user"), ("pid", "pid"), ("time", "time")):
            with self.subTest(option):
                fork = ["--fork"] if option in ("pid", "time") else []
                done = self.stand_in(f"--{option}={file}", *fork, self.probe, "ns")
                self.assertEqual((done.status, done.stderr), (0, ""), done)
                inside = done.facts[f"ns.{name}"]
                self.assertEqual(str(os.stat(file).st_ino), inside)
                subprocess.run(["umount", file], check=True)

    def test_kept_files_that_fail(self):
        done = self.stand_in(f"--uts={self.dir}/none", "true")
        self.assertEqual(done.status, 1)
        self.assertIn("cannot open", done.stderr)
        file = pathlib.Path(self.dir) / "one"
        file.touch()
        done = self.stand_in(f"--uts={file}", f"--ipc={self.dir}/none", "--fork", "echo", "ran")
        self.assertEqual((done.status, done.stdout), (1, ""), done)
        self.assertEqual(self.before, pathlib.Path("/proc/self/mountinfo").read_text())

    def test_kill_child(self):
        for options in (["--kill-child"], ["--kill-child=TERM"], ["--fork", "--kill-child=9"]):
            with self.subTest(options):
                process = subprocess.Popen(
                    [self.shimbox, "unshare", *options, "--", "sh", "-c", "echo $$; exec sleep 1000"],
                    stdout=subprocess.PIPE, text=True)
                pid = int(process.stdout.readline())
                process.kill()
                process.wait()
                process.stdout.close()
                self.wait_until_gone(pid)

    def wait_until_gone(self, pid):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                return
            if state == "Z":
                return
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        self.fail("the child outlives its parent")

    def test_exit_codes_and_signals(self):
        for options in ([], ["-m"], ["-m", "--fork"]):
            for script in ("exit 0", "exit 3", "exit 200"):
                ours, theirs = self.both(*options, "sh", "-c", script)
                self.assertEqual(ours.status, theirs.status)
        ours, theirs = self.both("--fork", "sh", "-c", "kill -TERM $$")
        self.assertEqual((ours.status, theirs.status), (-signal.SIGTERM, -signal.SIGTERM))
        # Signals reach the child.
        process = subprocess.Popen(
            [self.shimbox, "unshare", "-f", "--", "sh", "-c",
             "trap 'echo told; exit 7' USR1 TERM; echo ready; while :; do sleep 0.05; done"],
            stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual((process.stdout.read(), process.wait(timeout=120)), ("told\n", 7))
        process.stdout.close()

    def test_failures(self):
        self.same_failure(["--nothing"], "unknown option --nothing")
        self.same_failure(["-m"], "cannot enter new namespaces", as_user=True)
        self.same_failure(["--monotonic", "5"], "needs --time")
        self.same_failure(["--map-user=nobody-of-that-name"], "nobody-of-that-name")
        self.same_failure(["--propagation", "odd", "-m"], "--propagation")
        self.same_failure(["--setgroups", "odd", "-U"], "--setgroups")
        self.same_failure(["--setgroups", "allow", "-r"], "exclude", as_user=True)
        self.same_failure(["-R", "/nowhere"], "/nowhere")
        self.same_failure(["-w", "/nowhere"], "/nowhere")
        self.same_failure(["--kill-child=ODD"], "ODD")
        self.same_failure([], "nothing-of-that-name", program=["nothing-of-that-name"])
        self.same_failure([], "/etc", program=["/etc"])
        done = self.stand_in("--pid=/tmp", "true")
        self.assertEqual((done.status, done.stdout), (1, ""))
        self.assertIn("--fork", done.stderr)

    def test_shell_by_default(self):
        done = self.stand_in("-m", input="echo $0 $#\n", stdin=None, env={"SHELL": "/bin/sh"})
        self.assertEqual((done.status, done.stdout, done.stderr), (0, "/bin/sh 0\n", ""))

    def test_nothing_of_ours_reaches_the_program(self):
        for options in (["-r", "-m", "-p", "-f", "--mount-proc"], ["-r", "--map-auto"], ["-r", "-f"]):
            done = self.stand_in(*options, "--", self.probe, "fds", "env", as_user=True)
            self.assertEqual(done.facts["fds"], "0 1 2", done)
            self.assertEqual(sorted(k for k in done.facts if k.startswith("env.")),
                             ["env.HOME", "env.PATH"])
