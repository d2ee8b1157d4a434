"""inspect of processes, each section compared with an independent source.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import pty
import re
import resource
import signal
import subprocess
import sys
import time
import unittest

from asking import ERROR, SANITIZED, SHIMBOX, ask, call

# What a subject does before it tells that it is ready; it ends with its standard input.
READY = "import sys, os, signal; {}; print('ready', flush=True); sys.stdin.read()"
PYTHON = [sys.executable, "-I", "-S"]  # starts quicker
DENIED = {ERROR: "Permission denied"}


class Subject:
    """A process to look at: Python code, or a command that says "ready"."""

    def __init__(self, code="pass", command=None, **keywords):
        self.command = command or [*PYTHON, "-c", READY.format(code)]
        self.keywords = keywords

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, **self.keywords)
        self.pid = self.process.pid
        if self.process.stdout.readline() != b"ready\n":
            raise AssertionError("the subject did not start")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=120)

    def read(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}").read_text()

    def status(self):
        return dict(line.split(":\t", 1) for line in self.read("status").splitlines())


def signals_of(mask):
    names = []
    for number in range(1, 65):
        if int(mask, 16) >> (number - 1) & 1:
            names.append(signal.Signals(number).name if number < 32 else f"SIG{number}")
    return sorted(name.replace("SIGPOLL", "SIGIO") for name in names)


def capabilities_of(mask):
    header = pathlib.Path("/usr/include/linux/capability.h").read_text()
    numbers = {int(n): name for name, n in re.findall(r"#define (CAP_\w+)\s+(\d+)\n", header)}
    return [numbers.get(n, f"CAP_{n}") for n in range(64) if int(mask, 16) >> n & 1]


class Process(unittest.TestCase):
    def test_identity(self):
        with Subject("os.chdir('/tmp'); os.umask(0o53)", cwd="/") as subject:
            while not subject.status()["State"].startswith("S"):
                time.sleep(0.01)
            told = ask(subject.pid)["process"]
            status = subject.status()
            self.assertEqual(told["pid"], subject.pid)
            self.assertEqual(told["name"], status["Name"])
            self.assertEqual(told["parent"], os.getpid())
            self.assertEqual(told["process_group"], os.getpgid(subject.pid))
            self.assertEqual(told["session"], os.getsid(subject.pid))
            self.assertEqual(told["arguments"], subject.command)
            self.assertEqual(told["executable"], os.readlink(f"/proc/{subject.pid}/exe"))
            self.assertEqual((told["cwd"], told["root"], told["umask"]), ("/tmp", "/", "0053"))
            self.assertEqual(told["state"], "sleeping")
            self.assertEqual(told["threads"], 1)
            self.assertEqual(told["tracer"], 0)
            self.assertEqual(told["pid_in_namespaces"], [int(n) for n in status["NSpid"].split()])

    def test_ids(self):
        with Subject("os.setgroups([7, 5, 4294967294]); os.setresgid(1, 2, 3); "
                     "os.setresuid(11, 12, 13)") as subject:
            told = ask(subject.pid)
            self.assertEqual(list(told["ids"]["uid"].values()), [11, 12, 13, 12])
            self.assertEqual(list(told["ids"]["gid"].values()), [1, 2, 3, 2])
            self.assertEqual(told["ids"]["groups"], [5, 7, 4294967294])
            for side in ("uid", "gid"):
                lines = [[int(n) for n in line.split()]
                         for line in subject.read(f"{side}_map").splitlines()]
                self.assertEqual([list(r.values()) for r in told["id_maps"][side]], lines)
            self.assertEqual(told["id_maps"]["setgroups"], subject.read("setgroups").strip())

    def test_capabilities_and_security(self):
        command = ["setpriv", "--bounding-set=-all,+kill,+chown,+checkpoint_restore",
                   "--no-new-privs", *PYTHON, "-c", READY.format("pass")]
        with Subject(command=command) as subject:
            told, status = ask(subject.pid), subject.status()
            for key, line in {"bounding": "CapBnd", "effective": "CapEff", "permitted": "CapPrm",
                              "inheritable": "CapInh", "ambient": "CapAmb"}.items():
                self.assertEqual(told["capabilities"][key], capabilities_of(status[line]), key)
            self.assertEqual(told["capabilities"]["effective"],
                             ["CAP_CHOWN", "CAP_KILL", "CAP_CHECKPOINT_RESTORE"])
            self.assertIs(told["security"]["no_new_privs"], True)
            self.assertEqual(told["security"]["seccomp"], "disabled")
            self.assertIn(ERROR, told["security"]["securebits"])

    def test_own_security(self):
        """securebits and ambient capabilities survive an exec, so the caller's can be seen."""
        told = ask(before=["setpriv", "--securebits=+noroot,+no_setuid_fixup_locked",
                           "--inh-caps=-all,+kill", "--ambient-caps=-all,+kill"])
        self.assertEqual(told["security"]["securebits"], ["noroot", "no_setuid_fixup_locked"])
        self.assertEqual(told["capabilities"]["ambient"], ["CAP_KILL"])
        self.assertEqual(told["capabilities"]["effective"], ["CAP_KILL"])

    def test_seccomp(self):
        deny = pathlib.Path(os.environ["PROBE"]).parent / "deny"
        told = ask(before=[str(deny), "437", "38"])["security"]
        self.assertEqual((told["seccomp"], told["seccomp_filters"]), ("filter", 1))

    def test_signals(self):
        code = ("signal.signal(signal.SIGHUP, signal.SIG_IGN); "
                "signal.signal(signal.SIGUSR2, print); "
                "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1, 40]); "
                "os.kill(os.getpid(), signal.SIGUSR1)")
        with Subject(code) as subject:
            told, status = ask(subject.pid)["signals"], subject.status()
            for key, line in {"blocked": "SigBlk", "ignored": "SigIgn", "caught": "SigCgt",
                              "pending_thread": "SigPnd", "pending_process": "ShdPnd"}.items():
                self.assertEqual(sorted(told[key]), signals_of(status[line]), key)
            self.assertEqual(told["blocked"], ["SIGUSR1", "SIGTERM", "SIG40"])
            self.assertIn("SIGHUP", told["ignored"])
            self.assertIn("SIGUSR2", told["caught"])
            self.assertEqual(told["pending_process"], ["SIGUSR1"])

    def test_limits(self):
        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (321, 654))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with Subject(preexec_fn=lower) as subject:
            told = ask(subject.pid)["limits"]
            for name, limit in told.items():
                want = (prlimit(subject.pid, name.removeprefix("RLIMIT_")))
                self.assertEqual((limit["soft"], limit["hard"]), want, name)
            self.assertEqual(told["RLIMIT_NOFILE"], {"soft": 321, "hard": 654})

    def test_scheduling(self):
        with Subject("os.nice(7); os.sched_setaffinity(0, [0]); "
                     "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)); "
                     "open('/proc/self/oom_score_adj', 'w').write('123')") as subject:
            self.assertEqual(ask(subject.pid)["scheduling"],
                             {"policy": "SCHED_BATCH", "priority": 0, "nice": 7,
                              "oom_score_adj": 123, "affinity": "0"})

    def test_cgroups(self):
        with Subject() as subject:
            told = ask(subject.pid)["cgroups"]
            lines = [line.split(":", 2) for line in subject.read("cgroup").splitlines()]
            self.assertEqual(
                [(line["version"], ",".join(line["controllers"]), line["path"]) for line in told],
                [(2 if n == "0" else 1, controllers, path) for n, controllers, path in lines])

    def test_environment(self):
        environment = {"A": "1", "EMPTY": "", "LINES": "a\nb", "BYTES": os.fsdecode(b"\xff!")}
        with Subject(env=environment) as subject:
            self.assertEqual(sorted(ask(subject.pid)["environment"]),
                             ["A=1", "BYTES=\ufffd!", "EMPTY=", "LINES=a\nb"])
            text = call(subject.pid)[1]
            self.assertIn("\nenvironment: LINES=a\\x0ab\n", text)

    def test_descriptors(self):
        code = ("f = os.open('/etc/passwd', os.O_RDONLY | os.O_CLOEXEC); os.lseek(f, 5, 0); "
                "g = os.open('/dev/null', os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK); "
                "h = os.open('/usr', os.O_PATH); os.set_inheritable(h, True); "
                "import select, socket; e = select.epoll(); s = socket.socket()")
        with Subject(code) as subject:
            told = {one["fd"]: one for one in ask(subject.pid)["descriptors"]}
            names = sorted(os.listdir(f"/proc/{subject.pid}/fd"), key=int)
            self.assertEqual(sorted(told), [int(name) for name in names])
            for fd, one in told.items():
                self.assertEqual(one["target"], os.readlink(f"/proc/{subject.pid}/fd/{fd}"))
                info = dict(line.split(":\t", 1) for line in
                            subject.read(f"fdinfo/{fd}").splitlines() if ":\t" in line)
                flags = int(info["flags"], 8)
                self.assertEqual(one["close_on_exec"], bool(flags & os.O_CLOEXEC))
                self.assertEqual(one["position"], int(info["pos"]))
            by_target = {one["target"]: one for one in told.values()}
            passwd, null, usr = (by_target[p] for p in ("/etc/passwd", "/dev/null", "/usr"))
            self.assertEqual((passwd["type"], passwd["access"], passwd["position"],
                              passwd["close_on_exec"]), ("file", "read", 5, True))
            self.assertEqual((null["type"], null["access"], null["flags"]),
                             ("character device", "write", ["append", "nonblock"]))
            self.assertEqual((usr["type"], usr["access"], usr["close_on_exec"]),
                             ("directory", "path", False))
            types = {one["type"] for one in told.values()}
            self.assertTrue({"pipe", "socket", "anonymous"} <= types, types)

    def test_own_descriptors(self):
        """Those given by the caller, and none that inspect opened."""
        given = os.open("/etc/passwd", os.O_RDONLY)
        try:
            told = ask("self", pass_fds=[given])["descriptors"]
            self.assertEqual([one["fd"] for one in told], [0, 1, 2, given])
            self.assertEqual(told[3]["target"], "/etc/passwd")
            status, stdout, _ = call("--json", before=["sh", "-c", 'exec "$@" <&- 2>&-', "sh"])
            self.assertEqual(status, 0)
            self.assertEqual([one["fd"] for one in json.loads(stdout)["descriptors"]], [1])
            trace = f"/tmp/inspect.{os.getpid()}.json"
            done = subprocess.run([SHIMBOX, f"--trace={trace}", "--log", trace + ".log", "inspect",
                                   "--json"], stdin=subprocess.DEVNULL, capture_output=True)
            os.unlink(trace)
            os.unlink(trace + ".log")
            self.assertEqual([one["fd"] for one in json.loads(done.stdout)["descriptors"]],
                             [0, 1, 2])
        finally:
            os.close(given)

    def test_terminal(self):
        code = "os.setsid(); import pty; a, b = pty.openpty(); n = os.ttyname(b); os.open(n, 2)"
        with Subject(code) as subject:
            told = ask(subject.pid)
            terminals = {one["target"] for one in told["descriptors"]}
            self.assertRegex(told["process"]["terminal"], r"^/dev/pts/\d+$")
            self.assertIn(told["process"]["terminal"], terminals)

    def test_mounts(self):
        with Subject() as subject:
            told = ask(subject.pid)["mounts"]
            columns = ["TARGET", "FSTYPE", "FSROOT", "VFS-OPTIONS", "FS-OPTIONS", "MAJ:MIN", "ID",
                       "PARENT"]
            found = subprocess.run(["findmnt", "-J", "-l", "-N", str(subject.pid), "-o",
                                    ",".join(columns)], check=True, capture_output=True).stdout
            want = {one["id"]: one for one in json.loads(found)["filesystems"]}
            self.assertEqual({one["id"] for one in told}, set(want))
            for one in told:
                other = want[one["id"]]
                self.assertEqual(
                    [one["target"], one["type"], one["root"], ",".join(one["options"]),
                     ",".join(one["filesystem_options"]), one["device"], one["parent"]],
                    [other["target"], other["fstype"], other["fsroot"], other["vfs-options"],
                     other["fs-options"], other["maj:min"], other["parent"]])
            lines = subject.read("mountinfo").splitlines()
            self.assertEqual([" ".join(one["propagation"]) for one in told],
                             [" ".join(line.split(" - ")[0].split(" ")[6:]) or "private"
                              for line in lines])

    def test_tree_of_mounts(self):
        script = ('mount -t tmpfs "a b" /mnt && mkdir /mnt/x /mnt/y && mount --make-shared /mnt && '
                  'mount -t tmpfs x /mnt/x && mount -t tmpfs y /mnt/y && mkdir /mnt/x/z && '
                  'mount --bind /mnt/y /mnt/x/z && "$0" inspect --align && "$0" inspect')
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, SHIMBOX], check=True,
                              capture_output=True, text=True)
        rows = re.findall(r"^  ([ │├└─]*)(/mnt(?:/[xyz])*) ", done.stdout, re.MULTILINE)
        top = len(rows[0][0])
        self.assertEqual([path for _, path in rows], ["/mnt", "/mnt/x", "/mnt/x/z", "/mnt/y"])
        self.assertEqual([drawing[top:] for drawing, _ in rows], ["", "├─", "│ └─", "└─"])
        self.assertRegex(done.stdout, r'\nmounts: target=/mnt type=tmpfs source="a b" .*=shared:')

    def test_namespaces(self):
        with Subject(command=["unshare", "--net", "--uts", "--mount", *PYTHON, "-c",
                              READY.format("pass")]) as subject:
            told = ask(subject.pid)["namespaces"]
            own = ask()["namespaces"]
            files = {"mount": "mnt", "network": "net"}
            for name, one in told.items():
                link = os.readlink(f"/proc/{subject.pid}/ns/{files.get(name, name)}")
                self.assertEqual(one["inode"], int(re.search(r"\[(\d+)\]", link)[1]))
                self.assertEqual(one["owner_uid"], 0)
                if name != "user":
                    self.assertEqual(one["owner_namespace"], told["user"]["inode"])
            for name in ("network", "uts", "mount"):
                self.assertNotEqual(told[name]["inode"], own[name]["inode"])
                self.assertIs(told[name]["initial"], False, name)
            self.assertEqual(told["ipc"], own["ipc"])

    def test_user_namespace(self):
        with Subject(command=["unshare", "--user", "--map-root-user", "--pid", "--fork",
                              *PYTHON, "-c", READY.format("pass")]) as subject:
            children = subject.read(f"task/{subject.pid}/children").split()
            told = ask(children[0])
            own = ask()
            namespaces = told["namespaces"]
            self.assertEqual(namespaces["user"]["parent"], own["namespaces"]["user"]["inode"])
            self.assertEqual(namespaces["user"]["owner_uid"], 0)
            self.assertEqual(namespaces["pid"]["owner_namespace"], namespaces["user"]["inode"])
            self.assertEqual(namespaces["pid"]["parent"], own["namespaces"]["pid"]["inode"])
            self.assertIs(namespaces["user"]["initial"], False)
            self.assertEqual(told["id_maps"]["uid"], [{"container": 0, "host": 0, "size": 1}])
            self.assertEqual(told["process"]["pid_in_namespaces"][-1], 1)

    def test_interfaces(self):
        self.compare_interfaces(ask()["interfaces"], [])

    def test_interfaces_of_another_namespace(self):
        script = ("ip link set lo mtu 1234 up && ip addr add 10.9.8.7/24 dev lo && "
                  "ip addr add fd12::7/64 dev lo && exec \"$@\"")
        with Subject(command=["unshare", "--net", "sh", "-c", script, "sh", *PYTHON, "-c",
                              READY.format("pass")]) as subject:
            told = ask(subject.pid)["interfaces"]
            self.compare_interfaces(told, ["nsenter", "--net", "-t", str(subject.pid)])
            loopback = [one for one in told if one["name"] == "lo"][0]
            self.assertEqual(loopback["mtu"], 1234)
            self.assertTrue({"10.9.8.7/24", "fd12::7/64"} <= set(loopback["addresses"]))
            # Who may not enter is told so, and not shown its own.
            told = ask(subject.pid, before=["setpriv", "--bounding-set=-sys_admin"])["interfaces"]
            self.assertEqual(told, {ERROR: "Operation not permitted"})

    def compare_interfaces(self, told, before):
        found = subprocess.run([*before, "ip", "-j", "addr"], check=True,
                               capture_output=True).stdout
        words = {"UP", "LOOPBACK", "BROADCAST", "MULTICAST", "NOARP", "POINTOPOINT", "PROMISC"}
        want = [(one["ifindex"], one["ifname"], one["mtu"], one.get("address"),
                 {flag.lower() for flag in words & set(one["flags"])},
                 {f"{a['local']}/{a['prefixlen']}" for a in one["addr_info"]})
                for one in json.loads(found)]
        self.assertEqual([(one["index"], one["name"], one["mtu"], one["mac"],
                           set(one["flags"]) - {"running"}, set(one["addresses"]))
                          for one in told], want)

    def test_denied(self):
        """What an ordinary user may not see of root's process."""
        with Subject() as subject:
            told = ask(subject.pid, before=["setpriv", "--reuid=65534", "--regid=65534",
                                            "--clear-groups", "--inh-caps=-all"])
            self.assertEqual(told["environment"], DENIED)
            self.assertEqual(told["descriptors"], DENIED)
            for key in ("executable", "cwd", "root"):
                self.assertEqual(told["process"][key], DENIED)
            self.assertEqual(told["namespaces"]["mount"], DENIED)
            self.assertEqual(told["interfaces"], DENIED)
            self.assertEqual(told["ids"]["uid"]["real"], 0)
            self.assertEqual(told["process"]["arguments"], subject.command)

    def test_zombie(self):
        code = "p = os.fork() or os._exit(0); os.waitid(os.P_PID, p, os.WEXITED | os.WNOWAIT)"
        with Subject(code) as subject:
            told = ask(subject.read(f"task/{subject.pid}/children").split()[0])
            self.assertEqual(told["process"]["state"], "zombie")
            self.assertEqual(told["process"]["parent"], subject.pid)
            self.assertIn(ERROR, told["process"]["executable"])

    def test_no_such_process(self):
        maximum = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text())
        want = f"shimbox inspect: cannot inspect process {maximum + 1}: No such process\n"
        self.assertEqual(call(maximum + 1), (2, "", want))

    def test_usage(self):
        hint = " (see 'shimbox inspect --help')\n"
        for arguments, message in {
                ("0",): '"0" is not the number of a process',
                ("-1",): "unknown option '-1'",
                ("1x",): '"1x" is not the number of a process',
                ("99999999999",): '"99999999999" is not the number of a process',
                ("1", "2"): 'unexpected "2": one process at a time',
                ("--system", "1"): "--system and a process exclude each other",
                ("--device", "/dev/null", "1"): "--device and a process exclude each other",
                ("--system", "--device", "x"): "--system and --device exclude each other",
                ("--messages", "3"): "--messages needs --system",
                ("--json", "--align"): "--json and --align exclude each other"}.items():
            status, stdout, stderr = call(*arguments)
            self.assertEqual((status, stdout), (2, ""), arguments)
            if arguments != ("-1",):
                self.assertEqual(stderr, f"shimbox inspect: {message}{hint}")

    def test_full_output(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([SHIMBOX, "inspect"], stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "shimbox inspect: cannot write standard output: "
                                      "No space left on device\n")

    @unittest.skipIf(SANITIZED, "the sanitizer needs /proc")
    def test_without_proc(self):
        """System calls tell the rest; what needs /proc is said."""
        script = 'umount -l /proc; umask 0071; exec "$@"'
        told = ask("self", before=["unshare", "-m", "--propagation", "private", "setpriv",
                                   "--groups", "4,5", "--bounding-set=-all,+sys_admin", "nice", "-n",
                                   "3", "sh", "-c", script, "sh"], env={"A": "1"}, cwd="/usr")
        missing = {ERROR: "/proc is not mounted"}
        self.assertEqual(told["ids"]["groups"], [4, 5])
        self.assertEqual(told["ids"]["uid"]["filesystem"], 0)
        self.assertEqual(told["process"]["umask"], "0071")
        self.assertEqual(told["process"]["cwd"], "/usr")
        self.assertEqual(told["process"]["parent"], os.getpid())
        self.assertEqual(told["process"]["executable"], missing)
        self.assertEqual(told["capabilities"]["effective"], ["CAP_SYS_ADMIN"])
        self.assertEqual(told["scheduling"]["nice"], 3)
        self.assertEqual(told["scheduling"]["policy"], "SCHED_OTHER")
        self.assertEqual(told["limits"]["RLIMIT_NOFILE"]["soft"],
                         resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self.assertIn("A=1", told["environment"])
        self.assertEqual([one["fd"] for one in told["descriptors"]], [0, 1, 2])
        self.assertEqual([one["access"] for one in told["descriptors"]], ["read write", "write", "write"])
        for key in ("namespaces", "mounts", "cgroups"):
            self.assertEqual(told[key], missing)
        self.assertEqual(told["interfaces"][0]["name"], "lo")
        self.assertEqual(call("1", before=["unshare", "-m", "--propagation", "private", "sh", "-c",
                                           script, "sh"]),
                         (2, "", "shimbox inspect: cannot inspect process 1: "
                                 "/proc is not mounted\n"))

    @unittest.skipIf(SANITIZED, "a container needs the static binary")
    def test_in_a_container(self):
        """Nothing there but shimbox."""
        done = subprocess.run([SHIMBOX, "run", "--", "shimbox", "inspect", "--json"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        told = json.loads(done.stdout)
        self.assertEqual(told["process"]["pid"], 1)
        self.assertEqual(told["process"]["arguments"], ["shimbox", "inspect", "--json"])
        self.assertEqual(told["capabilities"]["effective"],
                         ["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"])
        self.assertIs(told["security"]["no_new_privs"], True)
        self.assertEqual([one["fd"] for one in told["descriptors"]], [0, 1, 2])
        self.assertEqual([one["name"] for one in told["interfaces"]], ["lo"])
        self.assertEqual(told["interfaces"][0]["addresses"], ["127.0.0.1/8", "::1/128"])
        mounts = {one["target"]: one for one in told["mounts"]}
        self.assertIn("ro", mounts["/proc/sys"]["options"])
        self.assertIs(told["namespaces"]["pid"]["initial"], False)

    def test_terminal_output(self):
        for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            master, slave = pty.openpty()
            process = subprocess.Popen([SHIMBOX, "inspect"], stdin=subprocess.DEVNULL, stdout=slave,
                                       env={**os.environ, **variables})
            os.close(slave)
            text = b""
            try:
                while chunk := os.read(master, 65536):
                    text += chunk
            except OSError:
                pass
            os.close(master)
            self.assertEqual(process.wait(), 0)
            self.assertEqual(b"\033[1mprocess\033[0m\r\n" in text, coloured)
            self.assertEqual(b"\033" in text, coloured)
            self.assertRegex(text.decode(), r"\r\n  pid +\d+\r\n")


def prlimit(pid, name):
    found = subprocess.run(["prlimit", f"--pid={pid}", "--output=RESOURCE,SOFT,HARD", "--noheadings",
                            "--raw"], check=True, capture_output=True, text=True).stdout
    rows = {row.split()[0]: row.split()[1:] for row in found.splitlines()}
    return tuple(word if word == "unlimited" else int(word) for word in rows[name])


if __name__ == "__main__":
    unittest.main()
