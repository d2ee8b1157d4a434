"""nsenter beside util-linux' nsenter(1).
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn, new_or_own  # noqa: E402

WHO = ("uid", "gid", "groups", "caps", "nnp", "dumpable", "signals", "cwd")


class Nsenter(StandIn):
    """Each documented option, on a process in namespaces of its own."""

    tool = "nsenter"

    def setUp(self):
        super().setUp()
        self.targets = []

    def tearDown(self):
        for process in self.targets:
            process.kill()
            process.wait()
            process.stdout.close()
        super().tearDown()

    def target(self, *options, as_user=False, env=None, cwd="/"):
        """A process in new namespaces; returns its pid here."""
        process = subprocess.Popen(
            ["unshare", "--kill-child", "--fork", *options, "sh", "-c", "echo up; exec sleep 1000"],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=cwd, env=env,
            preexec_fn=self.user.preexec if as_user else None)
        self.targets.append(process)
        self.assertEqual(process.stdout.readline(), "up\n")
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        return int(children.split()[0])

    def check_inside(self, done, pid, names):
        """The namespaces found are those of the target."""
        for name in names:
            self.assertIn(done.facts[f"ns.{name}"], os.readlink(f"/proc/{pid}/ns/{name}"))

    def test_namespaces(self):
        pid = self.target("-muinCpT", "--mount-proc")
        # With the mounts alone, its /proc knows nothing of us: what is mounted there tells.
        for options in (["-m"], ["--mount", "--uts", "--net"]):
            self.same_facts(["-t", str(pid), *options], ("stat=/proc", "hostname", *WHO))
        rows = [(["-u"], ["uts"]), (["-i"], ["ipc"]), (["-n"], ["net"]),
                (["-C"], ["cgroup"]), (["-p"], ["pid"]), (["-T"], ["time"]),
                (["--mount", "--uts", "--ipc", "--net", "--pid"], ["mnt", "uts", "ipc", "net", "pid"]),
                (["--pid", "--no-fork"], []), (["-p", "-F"], []),
                (["-a"], ["mnt", "uts", "ipc", "net", "cgroup", "pid", "time"]), (["--all"], ["mnt"])]
        for options, names in rows:
            with self.subTest(options):
                done = self.same_facts(["-t", str(pid), *options], ("ns", *WHO), normal=new_or_own)
                self.check_inside(done, pid, names)
        for name, option in (("uts", "uts"), ("ipc", "ipc"), ("net", "net"), ("cgroup", "cgroup")):
            with self.subTest(option, file=True):
                done = self.same_facts([f"--{option}=/proc/{pid}/ns/{name}"], ("ns", *WHO),
                                       normal=new_or_own)
                self.check_inside(done, pid, [name])
        done = self.same_facts([f"-u/proc/{pid}/ns/uts"], ["ns"], normal=new_or_own)
        self.check_inside(done, pid, ["uts"])

    def test_user_namespaces(self):
        for as_user in (True, False):
            pid = self.target("-r", "-muin", as_user=True)
            rows = [["-U"], ["--user", "--preserve-credentials"], ["-U", "-m", "-u", "-i", "-n"],
                    ["-U", "-S", "0", "-G", "0"], ["-a"]]
            for options in rows:
                with self.subTest(options, as_user=as_user):
                    arguments = ["-t", str(pid), *options]
                    # The original wants to drop groups where that is denied for good, and to join
                    # what is its own already.
                    if as_user and "--preserve-credentials" not in options:
                        done = self.stand_in(*arguments, self.probe, "ns", *WHO, as_user=True)
                        self.assertEqual((done.status, done.stderr), (0, ""), done)
                        self.assertEqual((done.facts["uid"], done.facts["gid"]), ("0", "0"))
                    else:
                        done = self.same_facts(arguments, ("ns", *WHO), as_user=as_user,
                                               normal=new_or_own)
                    self.check_inside(done, pid, ["user"])

    def test_ids(self):
        pid = self.target("-u")
        self.same_facts(["-t", str(pid), "-u", "-S", "5", "-G", "6"], WHO)
        done = self.stand_in("-t", pid, "-u", "-S", "daemon", "-G", "mail", self.probe, "uid", "gid")
        self.assertEqual((done.facts["uid"], done.facts["gid"]), ("1", "8"))
        # follow: as the target's ids are seen inside.
        mapped = self.target("--map-user=7", "--map-group=9", as_user=True)
        done = self.stand_in("-t", mapped, "-U", "-S", "follow", "-G", "follow", self.probe, "uid",
                             "gid")
        self.assertEqual((done.facts.get("uid"), done.facts.get("gid")), ("7", "9"), done)

    def test_root_and_directories(self):
        root = pathlib.Path(self.dir) / "root"
        (root / "sub").mkdir(parents=True, exist_ok=True)
        if not (root / "probe").exists():
            os.link(self.probe, root / "probe")
        pid = self.target("-u", cwd=root / "sub")
        done = self.same_facts(["-t", str(pid), "-w"], ["cwd"])
        self.assertEqual(done.facts["cwd"], f"{root}/sub")
        self.same_facts(["-t", str(pid), f"--wd={root}/sub"], ["cwd"])
        self.same_facts(["-t", str(pid), "-u", "-r"], ["list=/"])
        self.same_facts(["-t", str(pid), "--wdns=/usr"], ["cwd"])
        ours, theirs = self.both(f"--root={root}", "/probe", "list=/")
        self.assertEqual((ours.status, ours.facts), (0, theirs.facts), ours)
        done = self.stand_in(f"--root={root}", f"--wd={root}/sub", "/probe", "cwd", "list=/")
        self.assertEqual(done.facts["cwd"], "/sub", done)

    def test_newer_options(self):
        """--env, --net-socket, --user-parent, --pidfd: the original here has them not."""
        pid = self.target("-u", env={"PATH": os.environ["PATH"], "ONLY": "this\nline"})
        done = self.stand_in("-t", pid, "-u", "-e", self.probe, "env")
        self.assertEqual(done.facts.get("env.ONLY"), "this\\nline", done)
        self.assertNotIn("env.HOME", done.facts)
        pidfd = os.pidfd_open(pid)
        done = self.stand_in("--pidfd", pidfd, "-u", "--", self.probe, "ns", pass_fds=[pidfd])
        os.close(pidfd)
        self.check_inside(done, pid, ["uts"])
        mapped = self.target("-r", "-u", as_user=True)
        done = self.stand_in("-t", mapped, "-u", "--user-parent", self.probe, "ns", as_user=True)
        self.check_inside(done, mapped, ["uts", "user"])

    def test_network_of_a_socket(self):
        script = "import os, socket, sys, time\ns = socket.socket()\nos.dup2(s.fileno(), 50)\n" \
                 "print('up', flush=True)\ntime.sleep(1000)"
        process = subprocess.Popen(["unshare", "-n", sys.executable, "-c", script],
                                   stdout=subprocess.PIPE, text=True)
        self.targets.append(process)
        self.assertEqual(process.stdout.readline(), "up\n")
        done = self.stand_in("-t", process.pid, "-N", "50", self.probe, "ns")
        self.check_inside(done, process.pid, ["net"])
        done = self.stand_in("-t", process.pid, "-N", "1", "true")
        self.assertEqual(done.status, 1)
        self.assertIn("no socket", done.stderr)
        done = self.stand_in("-t", process.pid, "-N", "51", "true")
        self.assertIn("descriptor 51", done.stderr)

    def test_exit_codes_and_signals(self):
        pid = self.target("-p", "-u")
        for options in (["-u"], ["-p"]):
            for script in ("exit 0", "exit 3", "exit 200"):
                ours, theirs = self.both("-t", str(pid), *options, "sh", "-c", script)
                self.assertEqual(ours.status, theirs.status)
        ours, theirs = self.both("-t", str(pid), "-p", "sh", "-c", "kill -TERM $$")
        self.assertEqual((ours.status, theirs.status), (-signal.SIGTERM, -signal.SIGTERM))

    def test_failures(self):
        pid = self.target("-u")
        self.same_failure(["--nothing"], "unknown option --nothing")
        for option in ("mount", "uts", "ipc", "net", "pid", "user", "cgroup", "time", "root", "wd"):
            self.same_failure([f"--{option}"], f"--{option} needs a process: --target PID")
        self.same_failure(["-t", "4194000", "-u"], "4194000")
        self.same_failure(["-t", "x", "-u"], "'x'")
        self.same_failure(["-t", str(pid), "-m"], "mount namespace", as_user=True)
        self.same_failure([f"--uts=/proc/{pid}/ns/net"], "is not a uts namespace")
        self.same_failure(["--uts=/etc/passwd"], "is not a namespace")
        self.same_failure(["--uts=/nowhere"], "/nowhere")
        self.same_failure(["-t", str(pid), "-U"], "user namespace")
        self.same_failure(["-t", str(pid), "-u"], "nothing-of-that-name",
                          program=["nothing-of-that-name"])
        self.same_failure(["-t", str(pid), "--wd=/nowhere"], "/nowhere")
        done = self.stand_in("-t", pid, "-Z", "true")
        self.assertEqual(done.status, 1)
        self.assertIn("--follow-context", done.stderr)

    def test_nothing_of_ours_reaches_the_program(self):
        pid = self.target("-r", "-muinp", "--mount-proc", as_user=True)
        for options in (["-a"], ["-a", "-r", "-w"], ["-U", "-n"]):
            done = self.stand_in("-t", pid, *options, "--", self.probe, "fds", "env")
            self.assertEqual(done.facts.get("fds"), "0 1 2", done)
            self.assertEqual(sorted(k for k in done.facts if k.startswith("env.")),
                             ["env.HOME", "env.PATH"])

    def test_the_joined_cannot_look_in(self):
        """Nobody inside reaches the process that enters before it executes (CVE-2016-9962), nor the
        file that it is (CVE-2019-5736)."""
        pid = self.target("-r", "-mp", "--mount-proc")
        done = self.stand_in("-t", pid, "-U", "-m", "-p", "--", self.shimbox, "setpriv", "--dump")
        self.assertEqual(done.status, 0, done)
        listing = self.run_command(["strace", "-f", "-e", "trace=prctl,setns,execve,execveat",
                                    self.shimbox, "nsenter", "-t", pid, "-a", "true"])
        calls = listing.stderr
        self.assertLess(calls.index("execveat("), calls.index("PR_SET_DUMPABLE"))
        self.assertLess(calls.index("PR_SET_DUMPABLE, SUID_DUMP_DISABLE"), calls.index("setns("))
