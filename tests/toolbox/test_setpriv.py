"""setpriv beside util-linux' setpriv(1).
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import select
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn  # noqa: E402

WHO = ("uid", "gid", "groups", "caps", "securebits", "nnp", "dumpable", "pdeathsig", "signals",
       "rlimits", "fds", "cwd")
EVERY = ["effective", "permitted", "inheritable", "ambient", "bounding"]


def bits(*numbers):
    return f"{sum(1 << number for number in numbers):016x}"


class Setpriv(StandIn):
    """Each documented option, as root and as an ordinary user."""

    tool = "setpriv"

    def test_as_root(self):
        rows = [
            [], ["--nnp"], ["--no-new-privs"], ["--clear-groups"], ["--keep-groups"],
            ["--groups", "5,daemon,7"], ["--reuid", "1000"], ["--reuid=daemon"],
            ["--ruid", "5"], ["--euid", "6"], ["--ruid", "5", "--euid", "6"],
            ["--rgid", "5", "--clear-groups"], ["--egid", "6", "--keep-groups"],
            ["--rgid", "5", "--egid", "mail", "--groups", "9"],
            ["--reuid", "1000", "--regid", "1000", "--clear-groups"],
            ["--reuid", "daemon", "--regid", "daemon", "--init-groups"],
            ["--reuid", "1", "--init-groups"],
            ["--inh-caps", "+chown"], ["--inh-caps", "+chown,+cap_2,-chown"],
            ["--inh-caps=-all"], ["--inh-caps=-all,+kill,+cap_5"],
            ["--inh-caps", "+chown", "--ambient-caps", "+chown"],
            ["--reuid", "1000", "--inh-caps", "+net_raw,+kill", "--ambient-caps", "+kill"],
            ["--bounding-set=-all"], ["--bounding-set", "-chown,-sys_admin"],
            ["--bounding-set=-all,+kill"],
            ["--reuid", "1000", "--bounding-set=-all", "--inh-caps=-all"],
            ["--securebits", "+noroot"], ["--securebits", "+noroot,+noroot_locked"],
            ["--securebits", "+no_setuid_fixup,+keep_caps_locked,-noroot"],
            ["--securebits", "-all"],
            ["--pdeathsig", "keep"], ["--pdeathsig", "clear"], ["--pdeathsig", "TERM"],
            ["--pdeathsig", "SIGUSR1", "--reuid", "1000"],
            ["--reuid", "1000", "--regid", "1000", "--clear-groups", "--nnp", "--securebits",
             "+noroot", "--inh-caps", "+chown", "--bounding-set", "-kill"],
        ]
        for options in rows:
            with self.subTest(options):
                self.same_facts(options, WHO)

    def test_as_ordinary_user(self):
        uid, gid = str(self.user.uid), str(self.user.gid)
        rows = [[], ["--nnp"], ["--keep-groups"], ["--reuid", uid], ["--ruid", uid, "--euid", uid],
                ["--regid", gid, "--keep-groups"], ["--inh-caps=-all"], ["--ambient-caps=-all"],
                ["--pdeathsig", "TERM"], ["--pdeathsig", "clear"]]
        for options in rows:
            with self.subTest(options):
                self.same_facts(options, WHO, as_user=True)

    def test_environment(self):
        for options in (["--reset-env"], ["--reset-env", "--reuid", "daemon"]):
            for env in ({"TERM": "vt100", "OTHER": "x"}, {"OTHER": "x"}):
                with self.subTest(options, env=env):
                    done = self.same_facts(options, ["env"], env=env)
                    self.assertNotIn("env.OTHER", done.facts)
                    self.assertEqual(done.facts.get("env.TERM"), env.get("TERM"))
        done = self.same_facts(["--nnp"], ["env"], env={"OTHER": "x"})
        self.assertEqual(sorted(k for k in done.facts if k.startswith("env.")),
                         ["env.HOME", "env.OTHER", "env.PATH"])
        done = self.stand_in("--reset-env", "--reuid", "4000000", "true")
        self.assertEqual((done.status, done.stdout), (127, ""))
        self.assertIn("4000000", done.stderr)

    def test_dump(self):
        """The text is the original's, in any state that the original can make."""
        states = [[], ["--nnp"], ["--groups", "5,7"], ["--reuid", "1000"],
                  ["--inh-caps", "+chown"],
                  ["--inh-caps", "+chown", "--ambient-caps", "+chown"],
                  ["--bounding-set=-all"], ["--securebits", "+noroot,+noroot_locked"],
                  ["--securebits", "+noroot"], ["--pdeathsig", "TERM"]]
        for state in states:
            for dump in (["--dump"], ["-dd"], ["-ddd"], ["-d", "--dump", "-dd"]):
                with self.subTest(state, dump=dump):
                    theirs = self.run_command([self.original, *state, self.original, *dump])
                    ours = self.run_command([self.original, *state, self.shimbox, "setpriv", *dump])
                    self.assertEqual(theirs.status, 0, theirs)
                    self.assertEqual((ours.status, ours.stdout, ours.stderr),
                                     (0, theirs.stdout, ""))

    def test_json(self):
        state = ["--ruid", "0", "--groups", "5,7", "--inh-caps", "+chown,+bpf", "--ambient-caps",
                 "+chown", "--securebits", "+noroot", "--nnp", "--pdeathsig", "USR1"]
        for dump in (["--json"], ["--dump", "--json"]):
            done = self.run_command([self.original, *state, self.shimbox, "setpriv", *dump])
            self.assertEqual((done.status, done.stderr), (0, ""))
            found = json.loads(done.stdout)
            self.assertEqual(sorted(found), sorted([
                "uid", "euid", "suid", "gid", "egid", "sgid", "groups", "no_new_privs", "securebits", "pdeathsig",
                *EVERY]))
            self.assertEqual([found[k] for k in ("uid", "euid", "gid", "egid", "no_new_privs")],
                             [0, 0, 0, 0, 1])
            self.assertEqual((found["groups"], found["securebits"], found["pdeathsig"]),
                             ([5, 7], ["noroot"], "SIGUSR1"))
            self.assertEqual((found["inheritable"], found["ambient"]), (["chown", "bpf"], ["chown"]))
        found = json.loads(self.stand_in("--json").stdout)
        self.assertEqual((found["groups"], found["ambient"], found["pdeathsig"]), ([], [], None))

    def test_list_caps(self):
        ours, theirs = self.both("--list-caps")
        # The original's libcap-ng may know fewer than the kernel, or more.
        self.assertEqual((ours.status, ours.stderr), (0, ""))
        last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
        words = ours.stdout.split("\n")[:-1]
        self.assertEqual(len(words), last + 1)
        known = theirs.stdout.split("\n")[:-1]
        shorter = min(len(words), len(known))
        self.assertGreater(shorter, 30)
        self.assertEqual(words[:shorter], known[:shorter])
        self.same_failure(["--list-caps", "--nnp"], "--list-caps", program=[])

    def test_own_options(self):
        """--permitted-caps, ranges and numbers, --rlimit: the original has them not."""
        # Root's exec gives all back, unless noroot is set.
        done = self.stand_in("--inh-caps", "+0-3,+5", "--ambient-caps", "+cap_1-2", "--securebits",
                             "+noroot", self.probe, "caps")
        self.assertEqual((done.facts.get("caps.inh"), done.facts.get("caps.amb"),
                          done.facts.get("caps.prm")),
                         (bits(0, 1, 2, 3, 5), bits(1, 2), bits(1, 2)), done)
        # It holds for a link as for a program: with noroot only ambient ones outlive either.
        for after in (["setpriv"], [self.shimbox, "setpriv"]):
            done = self.stand_in("--permitted-caps=-all,+CHOWN,+setuid", "--inh-caps", "+chown",
                                 "--ambient-caps", "+chown", "--securebits", "+noroot", "--",
                                 *after, "--json")
            self.assertEqual((done.status, done.stderr), (0, ""), done)
            found = json.loads(done.stdout)
            for name in ("effective", "permitted", "inheritable", "ambient"):
                self.assertEqual(found[name], ["chown"], (after, name))
        done = self.stand_in("--permitted-caps=-all,+chown", "--ambient-caps", "+kill",
                             "--inh-caps", "+kill", "true")
        self.assertEqual(done.status, 127)
        self.assertIn("CAP_KILL", done.stderr)
        done = self.stand_in("--rlimit", "nofile=64:128", "--rlimit", "RLIMIT_CORE=0", self.probe,
                             "rlimits")
        self.assertEqual([done.facts.get(f"rlimits.{name}") for name in (
            "nofile.soft", "nofile.hard", "core.soft", "core.hard")], ["64", "128", "0", "0"], done)
        for text in ("nofile", "nofile=", "nofile=2:1", "nothing=1", "nofile=1:2:3", "nofile=-1",
                     "nofile=x", "=1"):
            with self.subTest(text):
                done = self.stand_in("--rlimit", text, "true")
                self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (1, "", 1))
                self.assertIn("option --rlimit: ", done.stderr)
        done = self.stand_in("--rlimit", "nofile=unlimited", "true", as_user=True)
        self.assertEqual(done.status, 127)
        self.assertIn("RLIMIT_NOFILE", done.stderr)

    def test_refusals_are_failures(self):
        """The original passes over some of them in silence: it changes nothing and goes on."""
        for option in ("--bounding-set=-all", "--ambient-caps=+kill"):
            done = self.run_command([self.original, option, self.probe, "caps"], as_user=True)
            plain = self.run_command([self.probe, "caps"], as_user=True)
            self.assertEqual((done.status, done.stderr, done.facts), (0, "", plain.facts), done)
        rows = [(["--bounding-set=-all"], "bounding set"),
                (["--inh-caps", "+chown", "--ambient-caps", "+chown"], "inheritable set"),
                (["--ambient-caps", "+kill"], "CAP_KILL"),
                (["--permitted-caps", "+chown"], "permitted")]
        for options, words in rows:
            with self.subTest(options):
                done = self.stand_in(*options, "echo", "reached", as_user=True)
                self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (127, "", 1),
                                 done)
                self.assertIn(words, done.stderr)
        text = self.stand_in("--help").stdout
        self.assertIn("in silence", text)

    def test_failures(self):
        usage = [
            (["--nothing"], "unknown option --nothing"), (["--ruid", "1", "--reuid", "2"], "--reuid"),
            (["--egid", "1", "--regid", "2", "--keep-groups"], "--regid"),
            (["--regid", "1"], "--clear-groups"), (["--clear-groups", "--keep-groups"], "exclude"),
            (["--init-groups"], "--init-groups"), (["--groups", "1,x-y"], "x-y"),
            (["--reuid", "no-such-user"], "no-such-user"),
            (["--regid", "no-such-group", "--keep-groups"], "no-such-group"),
            (["--inh-caps", "chown"], "chown"), (["--inh-caps", "+nonsense"], "nonsense"),
            (["--bounding-set", "+64"], "64"), (["--securebits", "+keep_caps"], "keep_caps"),
            (["--securebits", "+all"], "'all'"), (["--securebits", "+nonsense"], "nonsense"), (["--pdeathsig", "NONE"], "NONE"),
            (["--dump", "--nnp"], "--dump"),
        ]
        for options, words in usage:
            with self.subTest(options):
                self.same_failure(options, words)
                self.assertEqual(self.stand_in(*options, "true").status, 1)
        self.same_failure([], "no command", program=[])
        for options, words in ((["--reuid", "0"], "user"), (["--clear-groups"], "groups"),
                               (["--regid", "0", "--keep-groups"], "group"),
                               (["--securebits", "+noroot"], "securebits")):
            with self.subTest(options, as_user=True):
                self.same_failure(options, words, as_user=True)
                self.assertEqual(self.stand_in(*options, "true", as_user=True).status, 127)
        self.same_failure([], "nothing-of-that-name", program=["nothing-of-that-name"])
        self.same_failure([], "/etc/passwd", program=["/etc/passwd"])
        for option in ("--selinux-label", "--apparmor-profile"):
            self.same_failure([option, "x"], option)
            self.assertEqual(self.stand_in(option, "x", "true").status, 127)

    def test_duplicates(self):
        """What can be said once only; an option and its other name are the same."""
        for words in ("--no-new-privs", "--clear-groups", "--keep-groups", "--init-groups", "--ruid 0",
                      "--euid 0", "--reuid 0", "--rgid 0", "--egid 0", "--regid 0", "--groups 0",
                      "--ambient-caps -all", "--inh-caps -all", "--bounding-set -all",
                      "--securebits +noroot", "--selinux-label x", "--apparmor-profile x"):
            with self.subTest(words):
                option, *value = words.split()
                self.same_failure([option, *value] * 2, f"duplicate option {option}")
        self.same_failure(["--nnp", "--no-new-privs"], "duplicate option --no-new-privs")

    def test_usage_errors_change_nothing(self):
        done = self.stand_in("--groups", "5", "--securebits", "+nonsense", "true", as_user=True)
        self.assertEqual(done.status, 1)
        self.assertNotIn("groups", done.stderr)

    def test_death_of_the_parent(self):
        """The signal comes when the parent ends."""
        script = f'"$@" {self.probe} print=up sleep=100000 & echo $!; read -r line'
        with subprocess.Popen(["sh", "-c", script, "sh", self.shimbox, "setpriv", "--pdeathsig",
                               "KILL"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as parent:
            lines = sorted([parent.stdout.readline(), parent.stdout.readline()])
            child = int(lines[0])
            self.assertIn("up", lines[1])
            watched = os.pidfd_open(child)
            parent.stdin.write("\n")
        # Readable once it has ended; the limit is for the case that it never does.
        try:
            self.assertEqual(select.select([watched], [], [], 60)[0], [watched])
        finally:
            os.close(watched)
