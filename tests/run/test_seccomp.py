#!/usr/bin/env python3
"""linux.seccomp: what a filter answers, where it is loaded, who is asked, and what is refused.
SPDX-License-Identifier: Apache-2.0

The probe makes system calls by their numbers in the container, each in a thread of its own, and tells
what came of it. What the program that the kernel gets says of other architectures is tested without a
kernel, in tests/core/seccomp.c.
"""

import errno
import json
import os
import pathlib
import subprocess
import unittest

from container import AS_ROOT, ContainerTest, host_facts, parse_facts, skip_loudly
from default_profile import default_profile

# Calls that do nothing to speak of, and take no notice of arguments that they do not have.
NUMBERS = {
    "x86_64": {"getppid": 110, "getpgid": 121, "sched_yield": 24, "sysinfo": 99, "getuid": 102,
               "getgid": 104, "geteuid": 107, "getegid": 108, "gettid": 186, "getpid": 39,
               "munlockall": 152, "umask": 95, "getpriority": 140, "getsid": 124,
               "seccomp": 317},
    "aarch64": {"getppid": 173, "getpgid": 155, "sched_yield": 124, "sysinfo": 179, "getuid": 174,
                "getgid": 176, "geteuid": 175, "getegid": 177, "gettid": 178, "getpid": 172,
                "munlockall": 231, "umask": 166, "getpriority": 141, "getsid": 156,
                "seccomp": 277},
}[os.uname().machine]
X86 = os.uname().machine == "x86_64"
NATIVE = "SCMP_ARCH_X86_64" if X86 else "SCMP_ARCH_AARCH64"
EVERY = [NATIVE, "SCMP_ARCH_X86", "SCMP_ARCH_X32"] if X86 else [NATIVE, "SCMP_ARCH_ARM"]
NEWER = 500  # than all that these libraries know
CGROUP2 = "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec \"$@\""

# What the set-up, any program and the probe need, where the default is not to allow.
NEEDED = """arch_prctl brk capget capset chdir clone clone3 close close_range dup2 dup3 execve execveat
    exit exit_group faccessat faccessat2 fchdir fchown fcntl fstat fstatfs futex getcwd getdents64 getegid
    geteuid getgid getpid getppid gettid getuid ioctl lseek madvise mmap mprotect munmap nanosleep
    newfstatat open openat openat2 pipe pipe2 poll ppoll prctl pread64 prlimit64 read readlink readlinkat
    recvfrom recvmsg rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sendmsg sendto
    set_robust_list set_tid_address setgid setgroups setresgid setresuid setuid sigaltstack stat statx
    tgkill umask uname wait4 write writev access getrandom epoll_ctl epoll_pwait epoll_create1 eventfd2
    lstat fork vfork keyctl sched_yield statfs fchownat setsid""".split()


def number(name, *arguments):
    return ":".join(map(str, [NUMBERS[name], *arguments]))


def rule(action, *names, args=(), **more):
    made = {"names": list(names), "action": "SCMP_ACT_" + action, **more}
    if args:
        made["args"] = [
            {"index": index, "value": value, "valueTwo": two, "op": "SCMP_CMP_" + op}
            for index, op, value, two in ((*given, 0)[:4] for given in args)]
    return made


def profile(default, *rules, **more):
    return {"defaultAction": "SCMP_ACT_" + default, "architectures": EVERY, "syscalls": list(rules),
            **more}


def strict(default, *rules, **more):
    """Only what is needed, and these rules."""
    return profile(default, rule("ALLOW", *NEEDED), *rules, **more)


class Seccomp(ContainerTest):
    def filtered(self, seccomp, *facts, no_new_privs=False):
        config = self.config(*facts)
        config["process"]["noNewPrivileges"] = no_new_privs
        config["linux"]["seccomp"] = seccomp
        return config

    def peer(self, runtime, config):
        """What that one makes of it."""
        bundle = pathlib.Path(f"{self.dir}/peer")
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(config))
        command = [runtime, "--root", f"{self.dir}/state", "run", "--bundle", str(bundle), f"filter-{os.urandom(4).hex()}"]
        if runtime == "crun":
            command = ["unshare", "-m", "sh", "-c", CGROUP2, "sh", *command]
        done = subprocess.run(command, input="", capture_output=True, text=True, check=False,
                              timeout=120)
        (bundle / "config.json").unlink()
        bundle.rmdir()
        return done

    def agree(self, seccomp, expected, differs=None, peers=("runc", "crun")):
        """These facts, with runc and crun as well; `differs`: other facts with one of them."""
        config = self.filtered(seccomp, *expected, no_new_privs=True)
        keys = {}
        for fact, answer in expected.items():
            name, _, argument = fact.partition("=")
            key = f"{name}:{argument}"
            keys[key + ".signal" if answer.isdigit() else key] = answer
        self.assertEqual(self.ask(config), keys)
        for runtime in peers if AS_ROOT else ():
            done = self.peer(runtime, config)
            self.assertEqual((done.returncode, done.stderr), (0, ""), f"{runtime}: {done}")
            theirs = dict(keys, **(differs or {}).get(runtime, {}))
            self.assertEqual(parse_facts(done.stdout), theirs, runtime)

    # ---- actions, arguments, numbers ----

    def test_actions(self):
        """Each, as a rule; the number of those that have one. The same with runc and crun."""
        actions = [
            (rule("KILL", "getppid"), "thread killed"), (rule("KILL_THREAD", "getuid"), "thread killed"),
            (rule("KILL_PROCESS", "getgid"), "31"), (rule("TRAP", "geteuid"), "trap"),
            (rule("ERRNO", "getegid"), "EPERM"), (rule("ERRNO", "sysinfo", errnoRet=42), "E042"),
            (rule("ERRNO", "umask", errnoRet=0), "ok"), (rule("TRACE", "munlockall", errnoRet=7), "ENOSYS"),
            (rule("LOG", "sched_yield"), "ok"), (rule("ALLOW", "getsid"), "ok"),
        ]
        self.agree(profile("ALLOW", *(made for made, _ in actions)),
                   {f"call={number(made['names'][0])}": answer for made, answer in actions})

    def test_default_actions(self):
        """For what no rule is about; the number above the profile's highest one is ENOSYS, unless the
        default lets calls pass, or asks a tracer."""
        old, allowed = f"call={number('sysinfo', 0)}", f"call={number('sched_yield')}"
        new = f"call={NEWER}"
        for action, answer, newer in (
            ("KILL_PROCESS", "31", "ENOSYS"), ("KILL", "thread killed", "ENOSYS"),
            ("TRAP", "trap", "ENOSYS"), ("ERRNO", "EPERM", "ENOSYS"), ("TRACE", "ENOSYS", "ENOSYS"),
            ("LOG", "EFAULT", "ENOSYS"), ("ALLOW", "EFAULT", "ENOSYS"),
        ):
            with self.subTest(action):
                # crun has no such answer: newer calls get the default action. And runc itself may
                # need a call that is not allowed, and would wait for a thread that was killed.
                self.agree(strict(action), {old: answer, allowed: "ok", new: newer},
                           differs={"crun": {new.replace("=", ":"): "EPERM"}} if action == "ERRNO" else {},
                           peers=("runc", "crun") if action == "ERRNO" else ())

    def test_default_errno(self):
        self.agree(strict("ERRNO", defaultErrnoRet=99), {f"call={number('sysinfo', 0)}": "E099"},
                   peers=("runc",))

    def test_arguments(self):
        """Each operator, with 64 bits, at the value and beside it; several arguments are all to hold,
        the same one twice is one of both to hold."""
        big, rules, expected = 1 << 40, [], {}
        cases = [
            ("NE", 5, 0, {5: 0, 6: 1}), ("LT", 5, 0, {4: 1, 5: 0, 6: 0}),
            ("LE", 5, 0, {4: 1, 5: 1, 6: 0}), ("EQ", 5, 0, {4: 0, 5: 1, big + 5: 0}),
            ("GE", 5, 0, {4: 0, 5: 1, 6: 1}), ("GT", 5, 0, {5: 0, 6: 1}),
            ("EQ", big + 5, 0, {5: 0, big: 0, big + 5: 1}), ("GT", big, 0, {big: 0, big + 1: 1, 7: 0}),
            ("MASKED_EQ", 0xf0, 0x30, {0x30: 1, 0x3f: 1, 0x40: 0, big + 0x35: 1}),
            ("EQ", (1 << 64) - 1, 0, {-1: 1, (1 << 32) - 1: 0, 0: 0}),
        ]
        names = ["getppid", "getuid", "getgid", "geteuid", "getegid", "gettid", "getpid", "sched_yield",
                 "munlockall", "umask"]
        for name, (op, value, two, answers) in zip(names, cases):
            rules.append(rule("ERRNO", name, args=[(4, op, value, two)]))
            for given, hit in answers.items():
                expected[f"call={number(name, 0, 0, 0, 0, given)}"] = "EPERM" if hit else "ok"
        self.agree(profile("ALLOW", *rules), expected)
        pair, twice = [(2, "EQ", 1), (5, "EQ", 2)], [(2, "EQ", 1), (2, "EQ", 2)]
        expected = {f"call={number('getppid', 0, 0, a, 0, 0, b)}": answer
                    for a, b, answer in ((1, 2, "EPERM"), (1, 3, "ok"), (3, 2, "ok"))}
        expected |= {f"call={number('getuid', 0, 0, a)}": answer
                     for a, answer in {0: "ok", 1: "EPERM", 2: "EPERM", 3: "ok"}.items()}
        self.agree(profile("ALLOW", rule("ERRNO", "getppid", args=pair),
                           rule("ERRNO", "getuid", args=twice)), expected)

    def test_default_profile(self):
        """One as engines write it, at both places; the same with runc and crun."""
        if not X86:
            skip_loudly(self, "its numbers are those of x86-64")
        expected = {  # socket of AF_VSOCK and AF_UNIX, personality, clone3, mount, a newer one
            "call=41:40:1": "EPERM", "call=41:1:1": "ok", "call=135:8": "ok", "call=135:9": "EPERM",
            "call=435:0:0": "ENOSYS", "call=165:0:0": "EPERM", f"call={NEWER}": "ENOSYS",
            "call=272:0x20000": "EPERM", "call=56:0x10000000": "EPERM"}
        self.agree(default_profile(), expected,
                   differs={"crun": {f"call:{NEWER}": "EPERM"}})
        config = self.filtered(default_profile(), *expected)
        self.assertEqual(self.ask(config), {fact.replace("=", ":", 1): answer
                                            for fact, answer in expected.items()})

    def test_names(self):
        """Unknown ones are passed over; rules that say what holds anyway are, too."""
        self.agree(profile("ALLOW", rule("ERRNO", "no_such_call", "getppid", "another"),
                           rule("ALLOW", "getpgid")),
                   {f"call={number('getppid')}": "EPERM", f"call={number('getpgid', 0)}": "ok"})

    def test_other_architectures(self):
        """What the profile does not have is killed, whatever the call; families of machines that this
        one is not of make no difference."""
        ordinary = f"call={number('getppid')}"
        foreign = ["SCMP_ARCH_S390X", "SCMP_ARCH_MIPS64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64"]
        facts = self.ask(self.filtered(
            dict(profile("ALLOW", rule("ERRNO", "getppid")), architectures=foreign), ordinary))
        self.assertEqual(facts, {ordinary.replace("=", ":"): "EPERM"})
        if not X86:
            return
        x32 = f"call-x32={number('getppid')}"
        self.agree(dict(profile("ALLOW", rule("ERRNO", "getppid")), architectures=[NATIVE]),
                   {ordinary: "EPERM", x32: "thread killed"})
        self.agree(profile("ALLOW", rule("ERRNO", "getppid")), {ordinary: "EPERM", x32: "EPERM"})

    def test_32_bit(self):
        call = "call-int80=64"
        if not X86 or host_facts(call).get("call-int80:64") != "ok":
            skip_loudly(self, "this kernel runs no 32-bit calls")
        self.agree(dict(profile("ALLOW", rule("ERRNO", "getppid")), architectures=[NATIVE]),
                   {call: "thread killed"})
        self.agree(profile("ALLOW", rule("ERRNO", "getppid")), {call: "EPERM"})

    # ---- flags ----

    def test_flags(self):
        """No word on them means SPEC_ALLOW; each is taken."""
        status = "read=/proc/self/status"
        for flags in (None, [], ["TSYNC"], ["LOG"], ["SPEC_ALLOW"], ["TSYNC", "LOG", "SPEC_ALLOW"]):
            seccomp = profile("ALLOW", rule("ERRNO", "getppid"))
            if flags is not None:
                seccomp["flags"] = ["SECCOMP_FILTER_FLAG_" + flag for flag in flags]
            for no_new_privs in (False, True):
                facts = self.ask(self.filtered(seccomp, f"call={number('getppid')}", status,
                                               no_new_privs=no_new_privs))
                self.assertEqual(facts[f"call:{number('getppid')}"], "EPERM")
                self.assertIn("\\nSeccomp:\t2\\nSeccomp_filters:\t1\\n",
                              facts["read:/proc/self/status"].replace("\\x09", "\t"))

    # ---- where it is loaded ----

    def test_without_no_new_privs(self):
        """The rest of the set-up has to get through: runc's order, since it takes privilege."""
        config = self.filtered(profile("ALLOW", rule("ERRNO", "setresuid", "setuid", errnoRet=9)), "uid")
        self.refused(config, "Bad file descriptor")
        config["process"]["noNewPrivileges"] = True
        self.assertEqual(self.ask(config)["uid"], "0")

    def test_with_no_new_privs(self):
        """Nothing but the execution is left to do."""
        for name in ("execve", "prctl", "capset", "rt_sigaction", "close_range"):
            config = self.filtered(profile("ALLOW", rule("ERRNO", name, errnoRet=9)), "uid",
                                   no_new_privs=True)
            if name == "execve":
                self.refused(config, "cannot execute /bin/probe: Bad file descriptor", status=1)
            else:
                self.assertEqual(self.ask(config)["uid"], "0", name)

    def test_users(self):
        """The filter is there for another user without privilege, and in a user namespace."""
        for no_new_privs in (False, True):
            config = self.filtered(profile("ALLOW", rule("ERRNO", "getppid")), "seccomp", "uid",
                                   f"call={number('getppid')}", no_new_privs=no_new_privs)
            config["process"]["user"] = {"uid": 1000, "gid": 1000}
            expected = {"seccomp": "2", f"call:{number('getppid')}": "EPERM"}
            for mapped in (False, True):
                if mapped:
                    self.map_user(config, [(0, 100000, 65536)])
                facts = self.ask(config)
                self.assertEqual(facts["uid"], "1000")
                self.assertEqual({key: facts[key] for key in expected}, expected)
            config = self.user_config("seccomp", f"call={number('getppid')}")
            config["process"]["noNewPrivileges"] = no_new_privs
            config["linux"]["seccomp"] = profile("ALLOW", rule("ERRNO", "getppid"))
            self.assertEqual(self.ask(config, as_user=True), expected)

    # ---- refusals ----

    BAD = [
        ({"defaultAction": None}, "/linux/seccomp/defaultAction: "),
        ({"defaultAction": "SCMP_ACT_NO"}, '/linux/seccomp/defaultAction: unknown value "SCMP_ACT_NO"'),
        ({"defaultAction": "SCMP_ACT_NOTIFY"},
         "/linux/seccomp/defaultAction: SCMP_ACT_NOTIFY is not possible as default action"),
        ({"defaultErrnoRet": 1}, "/linux/seccomp/defaultErrnoRet: this action has no number"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}, "/linux/seccomp/defaultErrnoRet: "),
        ({"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_VAX"]},
         '/linux/seccomp/architectures/1: unknown architecture "SCMP_ARCH_VAX"'),
        ({"architectures": "SCMP_ARCH_X86"}, "/linux/seccomp/architectures: expected an array"),
        ({"flags": ["SECCOMP_FILTER_FLAG_NO"]},
         '/linux/seccomp/flags/0: unknown flag "SECCOMP_FILTER_FLAG_NO"'),
        ({"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}, "/linux/seccomp/flags: "),
        ({"listenerPath": 7}, "/linux/seccomp/listenerPath: expected a string"),
        ({"syscalls": [rule("NOTIFY", "getppid")]}, "/linux/seccomp/listenerPath: missing"),
        ({"syscalls": [rule("NOTIFY", "getppid")], "listenerPath": "/" + "x" * 107},
         "/linux/seccomp/listenerPath: longer"),
        ({"syscalls": [rule("NOTIFY", "getppid", "sendmsg")], "listenerPath": "/x"},
         "/linux/seccomp/syscalls/0/names/1: SCMP_ACT_NOTIFY is not possible for sendmsg"),
        ({"syscalls": [None]}, "/linux/seccomp/syscalls/0: "),
        ({"syscalls": [rule("ERRNO", "read"), rule("ERRNO")]}, "/linux/seccomp/syscalls/1/names: "),
        ({"syscalls": [{"action": "SCMP_ACT_ERRNO"}]}, "/linux/seccomp/syscalls/0/names: "),
        ({"syscalls": [{"names": ["read"]}]}, "/linux/seccomp/syscalls/0/action: "),
        ({"syscalls": [rule("ERRNO", "")]}, "/linux/seccomp/syscalls/0/names/0: "),
        ({"syscalls": [rule("KILL", "read", errnoRet=1)]},
         "/linux/seccomp/syscalls/0/errnoRet: this action has no number"),
        ({"syscalls": [rule("ERRNO", "read", errnoRet=-1)]}, "/linux/seccomp/syscalls/0/errnoRet: "),
        ({"syscalls": [rule("ERRNO", "read", args=[(6, "EQ", 0)])]},
         "/linux/seccomp/syscalls/0/args/0/index: a system call has arguments 0 to 5"),
        ({"syscalls": [rule("ERRNO", "read", args=[(0, "EQ", 0), (1, "IS", 0)])]},
         '/linux/seccomp/syscalls/0/args/1/op: unknown value "SCMP_CMP_IS"'),
        ({"syscalls": [rule("ERRNO", "read", args=[(0, "EQ", 1)]),
                       rule("ERRNO", "read", args=[(0, "EQ", 1)], errnoRet=2)]},
         "/linux/seccomp/syscalls/1: read: cannot make the system call filter: File exists"),
        ({"syscalls": [dict(rule("ERRNO", "read"), args=[{"index": 0, "op": "SCMP_CMP_EQ"}])]},
         "/linux/seccomp/syscalls/0/args/0/value: "),
    ]

    def test_bad_profiles(self):
        for change, message in self.BAD:
            with self.subTest(change):
                seccomp = {key: value for key, value in dict(profile("ALLOW"), **change).items()
                           if value is not None}
                self.refused(self.filtered(seccomp, "uid"), message, "never")
                self.assertFalse(os.path.exists("/run/shimbox/never"))

    def test_kernel_without(self):
        """Refused by name, before anything is made; without a profile, nothing is asked for."""
        deny = [os.environ["PROBE"].replace("probe", "deny"), str(NUMBERS["seccomp"])]
        config = self.filtered(profile("ALLOW"), "uid")
        for code, words in ((errno.ENOSYS, "(this needs a kernel with CONFIG_SECCOMP_FILTER)"),
                            (errno.EPERM, "Operation not permitted")):
            result = self.refused(config, "/linux/seccomp: cannot filter system calls: ", "never",
                                  prefix=[*deny, str(code)])
            self.assertIn(words, result.stderr)
        del config["linux"]["seccomp"]
        self.assertEqual(self.ask(config, prefix=[*deny, str(errno.ENOSYS)])["uid"], "0")

    def test_too_large(self):
        """More than the kernel takes is refused before anything is made."""
        many = [rule("ERRNO", name, args=[(index, "EQ", (place << 40) + index + 1) for index in range(6)])
                for place, name in enumerate(NEEDED * 2, 1)]
        self.refused(self.filtered(dict(profile("ALLOW", *many), architectures=[]), "uid"),
                     "/linux/seccomp: the profile makes ")


if __name__ == "__main__":
    unittest.main()
