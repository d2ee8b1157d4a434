#!/usr/bin/env python3
"""run: the process section, seen from inside.
SPDX-License-Identifier: Apache-2.0
"""

import itertools
import os
import pathlib
import signal
import stat
import subprocess
import tempfile

from container import CAPABILITIES, ContainerTest, host_facts, mask

HOST_BOUNDING = int(host_facts("caps")["caps.bnd"], 16)


def names(bits):
    return [f"CAP_{name}" for name, number in CAPABILITIES.items() if bits >> number & 1]


def after_exec(sets, uid, no_new_privileges):
    """capabilities(7), "Transformation of capabilities during execve()", of a file without any."""
    ambient = sets["ambient"] & sets["permitted"] & sets["inheritable"]
    bounding = sets["bounding"] & HOST_BOUNDING
    if uid == 0:
        permitted = sets["inheritable"] | bounding | ambient
        if no_new_privileges:
            permitted &= sets["permitted"]
        effective = permitted
    else:
        permitted = effective = ambient
    return {"caps.inh": sets["inheritable"], "caps.prm": permitted, "caps.eff": effective,
            "caps.bnd": bounding, "caps.amb": ambient}


class Capabilities(ContainerTest):
    SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")

    def check(self, sets, uid, no_new_privileges=False, make=None, **more):
        config = (make or self.config)("caps", "uid", "nnp", "securebits")
        config["process"]["user"]["uid"] = uid
        config["process"]["capabilities"] = {key: names(bits) for key, bits in sets.items()}
        config["process"]["noNewPrivileges"] = no_new_privileges
        sets = {key: sets.get(key, 0) for key in self.SETS}
        facts = self.ask(config, **more)
        found = {key: int(facts[key], 16) for key in facts if key.startswith("caps.")}
        self.assertEqual(found, after_exec(sets, uid, no_new_privileges))
        self.assertEqual(facts["nnp"], "1" if no_new_privileges else "0")
        self.assertEqual(facts["securebits"], "0")

    def test_sets(self):
        some = mask("CHOWN", "KILL", "NET_BIND_SERVICE")
        more = some | mask("NET_RAW", "AUDIT_WRITE", "SYS_ADMIN")
        table = {
            "none": {},
            "bounding only": {"bounding": more},
            "permitted": {"bounding": more, "permitted": some, "effective": some},
            "effective less": {"bounding": more, "permitted": more, "effective": some},
            "inheritable": {"bounding": more, "permitted": more, "inheritable": some},
            "ambient": {"bounding": more, "permitted": more, "effective": more,
                        "inheritable": some, "ambient": some},
        }
        for (title, sets), uid, nnp in itertools.product(table.items(), (0, 1000), (False, True)):
            with self.subTest(title, uid=uid, nnp=nnp):
                self.check(sets, uid, nnp)
        for (title, sets), uid in itertools.product(table.items(), (0, 1000)):
            with self.subTest(title, uid=uid, rootless=True):
                self.check(sets, uid, False, self.user_config, as_user=True)

    def test_each(self):
        """One capability at a time, in all sets, of an ordinary uid."""
        for name, number in CAPABILITIES.items():
            if not HOST_BOUNDING >> number & 1:
                continue
            with self.subTest(name):
                self.check(dict.fromkeys(self.SETS, mask(name)), 1000)

    def test_all(self):
        self.check(dict.fromkeys(self.SETS, HOST_BOUNDING), 0)

    def test_absent_object(self):
        """runtime-spec has no default; like crun and runc with an empty object: none."""
        config = self.config("caps")
        facts = self.ask(config)
        self.assertEqual(int(facts["caps.bnd"], 16), 0)
        self.assertEqual(int(facts["caps.eff"], 16), 0)
        self.assertEqual(int(facts["caps.inh"], 16), 0)

    def test_ambient_left_out(self):
        """Ambient without inheritable, as crun spec writes it: a word on stderr for a user."""
        config = self.config("caps")
        bits = {key: ["CAP_KILL"] for key in self.SETS if key != "inheritable"}
        config["process"]["capabilities"] = bits
        facts = self.ask(config)
        self.assertEqual(int(facts["caps.amb"], 16), 0)
        config["process"]["user"]["uid"] = 1000
        result = self.run_config(config)
        self.assertEqual(result.status, 0)
        self.assertEqual(result.facts["caps.amb"], "0" * 16)
        self.assertEqual(result.facts["caps.eff"], "0" * 16)
        self.assertEqual(
            result.stderr,
            "shimbox run: warning: /process/capabilities/ambient: CAP_KILL is left out, since it is "
            "not both permitted and inheritable\n")

    def test_not_held(self):
        """What the caller does not have it cannot give."""
        config = self.config("caps")
        config["process"]["capabilities"] = {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"]}
        result = self.refused(
            config, "cannot set the permitted",
            prefix=["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"])
        self.assertIn("/process/capabilities", result.stderr)

    def test_inheritable_beyond_bounding(self):
        """The kernel does not take it."""
        config = self.config("caps")
        config["process"]["capabilities"] = {"inheritable": ["CAP_KILL"], "permitted": ["CAP_KILL"]}
        self.assertIn("bounding set", self.refused(config, "/process/capabilities").stderr)

    def test_not_used_up(self):
        """A capability really works, and a dropped one really does not."""
        config = self.config("chown=/tmp,1,1", "sethostname=x", "mountfs=tmpfs,/tmp")
        config["process"]["capabilities"] = dict.fromkeys(
            self.SETS, ["CAP_CHOWN"])
        config["root"]["readonly"] = False
        config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
        facts = self.ask(config)
        self.assertEqual(facts["chown:/tmp"], "ok")
        self.assertEqual(facts["sethostname:x"], "EPERM")
        self.assertEqual(facts["mountfs:tmpfs"], "EPERM")


class Identity(ContainerTest):
    def test_ids(self):
        for uid, gid, groups in ((0, 0, []), (1000, 1000, []), (1000, 100, [7, 5, 6]),
                                 (0, 5, [5]), (4294967294, 4294967294, [4294967294])):
            with self.subTest(uid=uid, gid=gid, groups=groups):
                config = self.config("uid", "gid", "groups")
                config["process"]["user"] = {"uid": uid, "gid": gid, "additionalGids": groups}
                facts = self.ask(config)
                for key in ("uid", "uid.effective", "uid.saved", "uid.fs"):
                    self.assertEqual(facts[key], str(uid))
                for key in ("gid", "gid.effective", "gid.saved", "gid.fs"):
                    self.assertEqual(facts[key], str(gid))
                self.assertEqual(facts["groups"], " ".join(map(str, sorted(groups))))

    def test_callers_groups_are_gone(self):
        facts = self.ask(self.config("groups"), prefix=["setpriv", "--groups", "10,20,30"])
        self.assertEqual(facts["groups"], "")

    def test_bad_ids(self):
        for key in ("uid", "gid"):
            for value in (4294967295, 4294967296, -1, "0", 1.5, None):
                with self.subTest(key, value=value):
                    config = self.config("uid")
                    config["process"]["user"][key] = value
                    if value is None:
                        self.assertEqual(self.ask(config)[key if key == "uid" else "uid"], "0")
                    else:
                        self.refused(config, f"/process/user/{key}")

    def test_unmapped_ids(self):
        for key, word in (("uid", "uid 7"), ("gid", "gid 7")):
            config = self.map_user(self.config("uid"), [(0, 100000, 5)])
            config["process"]["user"][key] = 7
            result = self.refused(config, f"cannot become {word}")
            self.assertIn("/process/user", result.stderr)
            self.assertIn(f"{word} is not mapped in this user namespace", result.stderr)
        config = self.map_user(self.config("uid"), [(0, 100000, 5)])
        config["process"]["user"]["additionalGids"] = [7]
        self.refused(config, "a group is not mapped in this user namespace")

    def test_groups_with_one_id(self):
        """setgroups is denied where an ordinary user maps just itself."""
        config = self.user_config("groups", "uid", "gid", "read=/proc/self/setgroups", subordinate=False)
        facts = self.ask(config, as_user=True)
        self.assertEqual((facts["uid"], facts["gid"]), ("0", "0"))
        self.assertEqual(facts["read:/proc/self/setgroups"], "deny\\n")
        config["process"]["user"]["additionalGids"] = [0]
        self.refused(config, "setgroups is denied in this user namespace", as_user=True)

    def test_umask(self):
        for umask, want in ((None, "0022"), (0, "0000"), (0o77, "0077"), (0o777, "0777")):
            with self.subTest(umask=umask):
                config = self.config("umask")
                if umask is not None:
                    config["process"]["user"]["umask"] = umask
                self.assertEqual(int(self.ask(config)["umask"], 8), int(want, 8))
        config["process"]["user"]["umask"] = 0o1000
        self.refused(config, "/process/user/umask")


class Limits(ContainerTest):
    def limits(self):
        """Name, soft and hard in JSON, all of them, none above what the caller has."""
        for name in ("AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE",
                     "NOFILE", "NPROC", "RSS", "RTPRIO", "RTTIME", "SIGPENDING", "STACK"):
            yield name

    def test_each(self):
        before = host_facts("rlimits")
        for name in self.limits():
            hard = before[f"rlimits.{name.lower()}.hard"]
            hard = 1 << 62 if hard == "unlimited" else int(hard)
            wanted = min(hard, 1 << 30)
            with self.subTest(name, hard=wanted):
                config = self.config("rlimits")
                config["process"]["rlimits"] = [
                    {"type": f"RLIMIT_{name}", "soft": wanted // 2, "hard": wanted}]
                facts = self.ask(config)
                self.assertEqual(facts[f"rlimits.{name.lower()}.soft"], str(wanted // 2))
                self.assertEqual(facts[f"rlimits.{name.lower()}.hard"], str(wanted))
                rest = {key: value for key, value in before.items() if f".{name.lower()}." not in key}
                self.assertEqual({key: facts[key] for key in rest}, rest)

    def test_unlimited(self):
        config = self.config("rlimits")
        config["process"]["rlimits"] = [
            {"type": "RLIMIT_CPU", "soft": 18446744073709551615, "hard": 18446744073709551615}]
        facts = self.ask(config)
        self.assertEqual(facts["rlimits.cpu.soft"], "unlimited")
        self.assertEqual(facts["rlimits.cpu.hard"], "unlimited")

    def test_rootless(self):
        config = self.user_config("rlimits")
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]
        facts = self.ask(config, as_user=True)
        self.assertEqual(facts["rlimits.nofile.soft"], "50")
        self.assertEqual(facts["rlimits.nofile.hard"], "60")

    def test_raise_refused(self):
        config = self.user_config("uid")
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 65}]
        result = self.refused(config, "cannot set RLIMIT_NOFILE: ", as_user=True,
                              prefix=["prlimit", "--nofile=64:64"])
        self.assertIn("/process/rlimits", result.stderr)
        self.assertIn("raising a hard limit needs CAP_SYS_RESOURCE", result.stderr)

    def test_bad(self):
        for limits, message in (
            ([{"type": "RLIMIT_X", "soft": 1, "hard": 1}], 'unknown resource limit "RLIMIT_X"'),
            ([{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}], "soft is more than hard"),
            ([{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}] * 2, "RLIMIT_CPU is listed twice"),
        ):
            config = self.config("uid")
            config["process"]["rlimits"] = limits
            self.assertIn("/process/rlimits/", self.refused(config, message).stderr)


class Program(ContainerTest):
    def script(self, name, text, mode=0o755):
        path = pathlib.Path(f"{self.rootfs}/bin/{name}")
        path.write_text(text)
        path.chmod(mode)
        self.addCleanup(path.unlink)

    def test_args(self):
        for args in (["/bin/probe", "args"], ["probe", "args"], ["bin/probe", "args"],
                     ["./bin/probe", "args"], ["../bin/probe", "args"]):
            with self.subTest(args=args):
                config = self.config()
                config["process"]["args"] = args
                facts = self.ask(config)
                self.assertEqual([facts["args.0"], facts["args.1"]], args)
                self.assertNotIn("args.2", facts)

    def test_command_line_takes_the_place(self):
        facts = self.ask(self.config("exit=7"), "--", "probe", "args", "print=a b")
        self.assertEqual(facts["args.0"], "probe")
        self.assertEqual(facts["args.2"], "print=a b")

    def test_path(self):
        for path, status in (("PATH=/bin", 0), ("PATH=/nowhere:/bin", 0), ("PATH=/etc:/bin:/usr", 0),
                             ("PATH=", 1), ("PATH=/usr", 1), ("PATH=:/x", 1), ("X=y", 1)):
            with self.subTest(path):
                config = self.config()
                config["process"].update(args=["probe", "uid"], env=[path])
                if status == 0:
                    self.ask(config)
                else:
                    self.refused(config, "cannot find probe in $PATH of the container: ")
        config = self.config()
        config["process"].update(args=["probe", "cwd"], env=["PATH=:/x"], cwd="/bin")
        self.assertEqual(self.ask(config)["cwd"], "/bin")

    def test_path_passes_over_what_cannot_run(self):
        os.mkdir(f"{self.rootfs}/usr/sbin/probe")
        self.addCleanup(os.rmdir, f"{self.rootfs}/usr/sbin/probe")
        pathlib.Path(f"{self.rootfs}/usr/bin/probe").write_text("text")
        self.addCleanup(os.unlink, f"{self.rootfs}/usr/bin/probe")
        config = self.config()
        config["process"].update(args=["probe", "args"], env=["PATH=/usr/sbin:/usr/bin:/bin"])
        self.assertEqual(self.ask(config)["args.0"], "probe")
        config["process"]["env"] = ["PATH=/usr/sbin:/usr/bin"]
        self.refused(config, "cannot execute probe: Permission denied")

    def test_script(self):
        self.script("hello", "#!/bin/sh\necho hello from $0 $1\n")
        result = self.run_config(self.config(), "--", "/bin/hello", "x")
        self.assertEqual((result.status, result.stdout, result.stderr), (0, "hello from /bin/hello x\n", ""))

    def test_failures(self):
        self.script("noexec", "#!/bin/sh\n", 0o644)
        self.script("nointerpreter", "#!/no/such/sh\n")
        self.script("text", "just text\n")
        self.script("empty", "")
        for program, message in (
            ("/bin/missing", "cannot execute /bin/missing: No such file or directory"),
            ("missing", "cannot find missing in $PATH of the container: No such file or directory"),
            ("/bin/noexec", "cannot execute /bin/noexec: Permission denied"),
            ("noexec", "cannot execute noexec: Permission denied"),
            ("/bin", "cannot execute /bin: Permission denied"),
            ("/bin/sh/x", "cannot execute /bin/sh/x: Not a directory"),
            ("/bin/nointerpreter", "the interpreter of the script, or the loader of the program, is"),
            ("/bin/text", "neither a program for this machine nor a script with a #! line"),
            ("/bin/empty", "neither a program for this machine nor a script with a #! line"),
        ):
            with self.subTest(program):
                result = self.refused(self.config(), message, "--", program)
                self.assertIn("/process/args", result.stderr)

    def test_no_program(self):
        config = self.config()
        del config["process"]["args"]
        self.refused(config, "/process/args: no program to run")
        self.assertEqual(self.ask(config, "--", "probe", "uid")["uid"], "0")

    def test_user_may_not_execute(self):
        self.script("private", "#!/bin/sh\n", 0o700)
        config = self.config()
        config["process"]["user"]["uid"] = 1000
        config["process"]["args"] = ["private"]
        self.refused(config, "cannot execute private: Permission denied")

    def test_env(self):
        config = self.config("env")
        config["process"]["env"] = ["PATH=/bin", "A=1", "EMPTY=", "B=x=y z", "HOME=/h"]
        result = self.run_config(config, env={"LEAK": "yes", "PATH": os.environ["PATH"]})
        self.assertEqual((result.status, result.stderr), (0, ""))
        self.assertEqual(result.stdout.splitlines(),
                         ["env.PATH=/bin", "env.A=1", "env.EMPTY=", "env.B=x=y z", "env.HOME=/h"])

    def test_env_twice(self):
        """BEHAVIOURS.md section 4: of two entries with one name the later wins."""
        config = self.config("env")
        config["process"]["env"] = ["A=1", "PATH=/bin", "A=2", "HOME=/x", "HOME=/y"]
        result = self.run_config(config)
        self.assertEqual(sorted(result.stdout.splitlines()), ["env.A=2", "env.HOME=/y", "env.PATH=/bin"])

    def test_home(self):
        for uid, env, home in ((0, [], "/root"), (1000, [], "/home/user"), (4242, [], "/"),
                               (1000, ["HOME=/given"], "/given"), (1000, ["HOME="], "/home/user")):
            with self.subTest(uid=uid, env=env):
                config = self.config("env")
                config["process"]["env"] += env
                config["process"]["user"]["uid"] = uid
                self.assertEqual(self.ask(config)["env.HOME"], home)

    def test_cwd(self):
        config = self.config("cwd")
        for cwd, want in (("/", "/"), ("/tmp", "/tmp"), ("/home/user/../..//etc/", "/etc"), ("", "/"),
                          ("/proc/self", "/proc/1")):
            with self.subTest(cwd):
                config["process"]["cwd"] = cwd
                self.assertEqual(self.ask(config)["cwd"], want)

    def test_cwd_is_made(self):
        config = self.config("cwd", "stat=.")
        config["process"]["user"]["uid"] = 1000
        config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
        config["process"]["cwd"] = "/tmp/new/below"
        facts = self.ask(config)
        self.assertEqual((facts["cwd"], facts["stat:..mode"]), ("/tmp/new/below", "0755"))

    def test_cwd_refused(self):
        config = self.config("cwd")
        for cwd, message in (("tmp", "/process/cwd"),
                             ("/etc/passwd", "Not a directory")):
            with self.subTest(cwd):
                config["process"]["cwd"] = cwd
                self.assertIn("/process/cwd", self.refused(config, message).stderr)
        config["root"]["readonly"] = True
        config["process"]["cwd"] = "/missing"
        self.refused(config, "Read-only file system")

    def test_cwd_outside(self):
        """CVE-2024-21626: no descriptor of the host may serve as a way out."""
        for number in range(3, 20):
            config = self.config("cwd")
            config["process"]["cwd"] = f"/proc/self/fd/{number}"
            result = self.run_config(config, pass_fds=[])
            self.assertEqual((result.status, result.stdout), (1, ""), result)
        directory = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, directory)
        os.set_inheritable(directory, True)
        config["process"]["cwd"] = f"/proc/self/fd/{directory}"
        result = self.run_config(config, pass_fds=[directory])
        self.assertEqual((result.status, result.stdout), (1, ""), result)
        self.assertIn("/process/cwd", result.stderr)

    def test_cwd_root_may_not_enter(self):
        """Root without CAP_DAC_OVERRIDE may not enter what the user may."""
        os.mkdir(f"{self.rootfs}/tmp/mine", 0o700)
        self.addCleanup(os.rmdir, f"{self.rootfs}/tmp/mine")
        os.chown(f"{self.rootfs}/tmp/mine", 1000, 1000)
        config = self.config("cwd")
        config["process"]["cwd"] = "/tmp/mine"
        config["process"]["user"]["uid"] = 1000
        drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        self.assertEqual(self.ask(config, prefix=drop)["cwd"], "/tmp/mine")
        config["process"]["user"]["uid"] = 2000
        self.refused(config, "cannot enter the working directory /tmp/mine: Permission denied",
                     prefix=drop)


class Descriptors(ContainerTest):
    def test_leaked_by_the_caller(self):
        files = [os.open("/etc/hostname", os.O_RDONLY) for _ in range(20)]
        files.append(os.open("/", os.O_RDONLY | os.O_DIRECTORY))
        os.dup2(files[0], 900)
        files.append(900)
        for file in files:
            self.addCleanup(os.close, file)
        self.assertEqual(self.ask(self.config("fds"), pass_fds=files)["fds"], "0 1 2")
        self.assertEqual(
            self.ask(self.user_config("fds"), pass_fds=files, as_user=True)["fds"], "0 1 2")

    def test_preserved(self):
        with tempfile.TemporaryFile() as file:
            script = ('exec 3<"$1" 4<"$1" 5<"$1" 6</; shift; exec "$@"')
            prefix = ["sh", "-c", script, "sh", "/etc/passwd"]
            for count, want in ((0, "0 1 2"), (1, "0 1 2 3"), (3, "0 1 2 3 4 5")):
                with self.subTest(count=count):
                    facts = self.ask(self.config("fds"), "--preserve-fds", str(count), prefix=prefix)
                    self.assertEqual(facts["fds"], want)
                    if count:
                        self.assertIn("file", facts["fds.3"])

    def test_preserve_what_is_not_there(self):
        """A promise about a descriptor that is closed would hand over one of ours."""
        result = self.run_config(self.config("fds"), "--preserve-fds", "2")
        if result.status == 0:
            self.assertEqual(result.facts["fds"], "0 1 2")
        else:
            self.assertEqual((result.status, result.stdout), (1, ""))
            self.assertIn("descriptor", result.stderr)

    def test_closed_stdio(self):
        """With its standard streams closed, the container gets none of ours in their place."""
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                out = f"{self.dir}/out"
                config = self.config("fds")
                config["mounts"].append({"destination": "/tmp", "type": "bind", "source": self.dir,
                                         "options": ["bind"]})
                config["process"]["args"] = [
                    "/bin/sh", "-c", "(for i in /proc/self/fd/*; do readlink $i; done) >/tmp/out 2>/dev/null"]
                self.run_config(config, prefix=["sh", "-c", f'exec "$@" {closed}', "sh"])
                for line in pathlib.Path(out).read_text().splitlines():
                    self.assertTrue(line in ("/dev/null", "/tmp/out") or line.startswith("pipe:")
                                    or line.startswith("/proc/"), line)
                os.unlink(out)

    def test_stdio_ownership(self):
        with tempfile.NamedTemporaryFile(dir=self.dir) as file:
            os.chown(file.name, 0, 5)
            config = self.config("fds", "stat=/dev/null")
            config["process"]["user"]["uid"] = 1000
            config["process"]["args"] = ["/bin/sh", "-c", "echo again >/proc/self/fd/1 && stat -Lc %u:%g /proc/self/fd/0 /proc/self/fd/2"]
            read, write = os.pipe()
            before = os.stat("/dev/null")
            with open("/dev/null") as null:
                result = self.run_config(config, stdin=null, stdout=file, stderr=write)
            os.close(write)
            os.close(read)
            self.assertEqual(result.status, 0)
            status = os.stat(file.name)
            self.assertEqual((status.st_uid, status.st_gid), (1000, 5))
            file.seek(0)
            self.assertEqual(file.read().decode().splitlines()[-1].split(":")[0], "1000")
            after = os.stat("/dev/null")
            self.assertEqual((after.st_uid, after.st_mode), (before.st_uid, before.st_mode))

    def test_null_streams(self):
        """A stream that is /dev/null is the container's own; but not what only has that name."""
        for minor in (3, 5):
            folder = pathlib.Path(self.dir, f"dev{minor}")
            folder.mkdir()
            os.mknod(folder / "null", 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            config = self.config()
            config["mounts"][1] = {"destination": "/dev", "type": "bind", "source": str(folder),
                                   "options": ["bind"]}
            config["process"]["args"] = ["/bin/stat", "-Lc", "%d:%i %t:%T", "/proc/self/fd/0",
                                         "/proc/self/fd/2", "/dev/null"]
            result = self.run_config(config, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            first, second, own = result.stdout.splitlines()
            self.assertEqual(first, second)
            self.assertEqual(first == own, minor == 3)
            self.assertTrue(first.endswith(" 1:3"), first)
            self.assertTrue(own.endswith(f" 1:{minor}"), own)

    def test_stdio_mapped(self):
        """In a user namespace the owner is the mapped one."""
        with tempfile.NamedTemporaryFile(dir=self.dir) as file:
            os.chown(file.name, 100000, 100000)
            config = self.map_user(self.config("uid"), [(0, 100000, 65536)])
            config["process"]["user"]["uid"] = 1000
            result = self.run_config(config, stdout=file)
            self.assertEqual((result.status, result.stderr), (0, ""))
            self.assertEqual(os.stat(file.name).st_uid, 101000)


class Session(ContainerTest):
    def test_session(self):
        facts = self.ask(self.config("pid", "sid", "pgid", "ppid", "pdeathsig", "dumpable"))
        self.assertEqual((facts["pid"], facts["sid"], facts["pgid"], facts["ppid"]), ("1", "1", "1", "0"))

    def test_signals_reset(self):
        script = 'trap "" INT TERM USR1 PIPE CHLD; exec "$@"'
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGTERM, signal.SIGHUP, 34, 40, 64])
            for number in (34, 35, 64):
                signal.signal(number, signal.SIG_IGN)
        facts = self.ask(self.config("signals"), prefix=["sh", "-c", script, "sh"], preexec_fn=block)
        self.assertEqual(facts["signals.blocked"], "")
        self.assertEqual(facts["signals.ignored"], "")
        self.assertEqual(facts["signals.pending"], "")

    def test_oom_score_is_the_callers(self):
        before = host_facts("oom_score_adj")
        self.assertEqual(self.ask(self.config("oom_score_adj")), before)
