"""limits: resource limits, kernel parameters, names and a directory for NEXT.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import resource
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn  # noqa: E402

# proc_ns.h of the kernel: the inode of the first uts namespace.
FIRST_UTS = 0xEFFFFFFE
SOMAXCONN = "/proc/sys/net/core/somaxconn"
MSGMAX = "/proc/sys/kernel/msgmax"


class Limits(StandIn):
    """Each option, seen from inside; refusals change nothing."""

    tool = "limits"

    def inside(self, *arguments, facts, before=(), **more):
        """What the probe finds at the end of a chain with this link."""
        done = self.run_command([self.shimbox, *before, self.tool, *arguments, "--", self.probe,
                                 *facts], **more)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        return done.facts

    def refused(self, words, *arguments, before=(), status=125, as_user=False, program=("echo", "ran")):
        done = self.run_command([self.shimbox, *before, self.tool, *arguments, "--", *program],
                                as_user=as_user)
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (status, "", 1), done)
        self.assertTrue(done.stderr.startswith("shimbox limits: "), done)
        self.assertIn(words, done.stderr)

    def test_rlimits(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = {"nofile.soft": "20", "nofile.hard": "30", "core.soft": "0", "core.hard": "0",
                  "cpu.soft": "77", "cpu.hard": "unlimited"}
        plain = self.run_command([self.probe, "rlimits"]).facts
        wanted = plain | {f"rlimits.{name}": value for name, value in wanted.items()}
        for as_user in (False, True):
            facts = self.inside("--rlimit", "nofile=20:30", "-l", "RLIMIT_CORE=0", "-l", "Cpu=77:unlimited",
                                facts=["rlimits"], as_user=as_user)
            self.assertEqual(facts, wanted)
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (soft, hard))

    def test_limits_come_last(self):
        """A limit that allows no file at all does not stop what is set beside it."""
        facts = self.inside("--rlimit", "nofile=0", "--sysctl", "net.core.somaxconn=55", "-H", "box",
                            "--oom-score-adj", "500", "--chdir", "/usr", before=["unshare", "-n", "-u", "--"],
                            facts=["hostname", "cwd"])
        self.assertEqual((facts["hostname"], facts["cwd"]), ("box", "/usr"))

    def test_of_the_process(self):
        facts = self.inside("--oom-score-adj", "321", "--nice", "7", "--umask", "0027", "--chdir", "/usr",
                            facts=["read=/proc/self/oom_score_adj", "scheduler", "umask", "cwd"])
        self.assertEqual(facts["read:/proc/self/oom_score_adj"].strip("\\n"), "321")
        self.assertEqual((facts["scheduler.nice"], facts["scheduler.policy"]), ("7", "other"))
        self.assertEqual(int(facts["umask"], 8), 0o027)
        self.assertEqual(facts["cwd"], "/usr")
        for word, value in (("0", 0), ("777", 0o777), ("7", 7)):
            self.assertEqual(int(self.inside("--umask", word, facts=["umask"])["umask"], 8), value)
        facts = self.inside("--nice=-3", facts=["scheduler"])
        self.assertEqual(facts["scheduler.nice"], "-3")

    def test_nothing_asked(self):
        names = ["rlimits", "umask", "cwd", "scheduler", "hostname", "signals", "caps", "dumpable"]
        self.assertEqual(self.inside(facts=names), self.run_command([self.probe, *names]).facts)

    def test_of_namespaces(self):
        before = ["unshare", "--uts", "--net", "--ipc", "--"]
        old = [pathlib.Path(path).read_text() for path in (SOMAXCONN, MSGMAX)]
        for rows in (["-s", "net.core.somaxconn=77", "--sysctl", "kernel/msgmax=4444"],
                     ["-s", "net/core/somaxconn=77", "-s", "kernel.msgmax=4444"]):
            facts = self.inside("-H", "box", "--domainname", "dom.invalid", *rows, before=before,
                                facts=["hostname", "domainname", f"read={SOMAXCONN}", f"read={MSGMAX}"])
            self.assertEqual((facts["hostname"], facts["domainname"]), ("box", "dom.invalid"))
            self.assertEqual(facts[f"read:{SOMAXCONN}"].strip("\\n"), "77")
            self.assertEqual(facts[f"read:{MSGMAX}"].strip("\\n"), "4444")
        # An ordinary user, in a user namespace.
        facts = self.inside("-H", "box", "-s", "net.core.somaxconn=78", as_user=True,
                            before=["unshare", "-r", "-u", "-n", "--"], facts=["hostname", f"read={SOMAXCONN}"])
        self.assertEqual((facts["hostname"], facts[f"read:{SOMAXCONN}"].strip("\\n")), ("box", "78"))
        self.assertEqual(old, [pathlib.Path(path).read_text() for path in (SOMAXCONN, MSGMAX)])

    def test_the_host_is_left_alone(self):
        if os.stat("/proc/self/ns/uts").st_ino != FIRST_UTS:
            self.skipTest("this uts namespace is not the first one")
        own = os.uname().nodename
        self.refused("the hostname is the host's own here", "-H", "box")
        self.refused("put this before: unshare --uts --", "--domainname", "box")
        # Nothing of the rest is set either: the namespaces are looked at first.
        self.refused("net.core.somaxconn is the host's own here", "-H", "box", "-s",
                     "net.core.somaxconn=77", before=["unshare", "--uts", "--"])
        self.refused("kernel.msgmax is the host's own here", "-s", "kernel.msgmax=9", "--nice", "3")
        self.assertEqual(os.uname().nodename, own)
        facts = self.inside("--host", "-H", own, facts=["hostname"])
        self.assertEqual(facts["hostname"], own)

    def test_wrong_usage(self):
        rows = {
            ("--rlimit", "nothing=3"): "option --rlimit: there is no resource limit 'nothing'",
            ("--rlimit", "nofile"): "option --rlimit: expected NAME=SOFT[:HARD], found 'nofile'",
            ("--rlimit", "nofile=3:2"): "the soft limit is more than the hard one",
            ("--oom-score-adj", "1001"): "option --oom-score-adj: '1001' is not a number from -1000 to 1000",
            ("--oom-score-adj", ""): "'' is not a number",
            ("--nice", "20"): "option --nice: '20' is not a number from -20 to 19",
            ("--nice=--5",): "'--5' is not a number",
            ("--umask", "8"): "option --umask: '8' is not an octal number from 0 to 777",
            ("--umask", "1000"): "option --umask: '1000' is not",
            ("--umask", ""): "option --umask: '' is not",
            ("--sysctl", "net.core.somaxconn"): "option --sysctl: expected NAME=VALUE",
            ("--sysctl", "vm.swappiness=3"): "option --sysctl: no namespace has vm.swappiness for itself",
            ("--sysctl", "net/../vm/swappiness=3"): "is not the name of a kernel parameter",
            ("--sysctl", "=3"): "option --sysctl: '' is not the name of a kernel parameter",
            ("--sysctl", "n" * 256 + "=3"): "option --sysctl: the name is too long",
            ("--sysctl", "kernel.hostname=x"): "kernel.hostname is set by --hostname",
            ("--hostname", "n" * 65): "option --hostname: longer than 64 bytes",
            ("--domainname", "n" * 65): "option --domainname: longer than 64 bytes",
        }
        made = pathlib.Path(self.dir) / "made"
        made.mkdir(exist_ok=True)
        for arguments, words in rows.items():
            with self.subTest(arguments):
                self.refused(words, *arguments)
                # All of it shows before the first link changes anything.
                self.refused(words, *arguments, before=["idmap-mount", "--map", "root", made, made, "--"])
        done = self.stand_in("--nice", "3")
        self.assertEqual((done.status, done.stdout), (125, ""), done)
        self.assertIn("no command to go on with", done.stderr)

    def test_what_the_kernel_refuses(self):
        self.refused("cannot enter /none: No such file", "-C", "/none")
        self.refused("CAP_SYS_NICE", "--nice=-5", as_user=True)
        self.refused("lowering it needs CAP_SYS_RESOURCE", "--oom-score-adj=-900", as_user=True)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.refused("cannot set RLIMIT_NOFILE: Operation not permitted (raising a hard limit needs "
                     "CAP_SYS_RESOURCE)", "--rlimit", f"nofile={hard + 1}", as_user=True)
        self.refused("this kernel has none of that name", "--sysctl", "net.none.nothing=1",
                     before=["unshare", "-n", "--"])
        self.refused("cannot set sysctl net.core.somaxconn to 'many'", "-s", "net.core.somaxconn=many",
                     before=["unshare", "-n", "--"])
        self.refused("cannot set the hostname box: Operation not permitted (needs CAP_SYS_ADMIN in the "
                     "user namespace of the uts namespace)", "--host", "-H", "box", as_user=True)
        done = self.stand_in("--umask", "22", "--", "/none")
        self.assertEqual((done.status, done.stdout), (127, ""), done)
