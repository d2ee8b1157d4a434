"""AppArmor profiles: what confines the program, seen and felt from inside.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/lifecycle"))
from lifecycle import LifecycleTest  # noqa: E402 (its folder comes first)

SECURITY = pathlib.Path("/sys/kernel/security")
CURRENT = "read=/proc/self/attr/apparmor/current"
PROFILES = "\n".join(
    f"profile {name} flags=(attach_disconnected) {{ file, capability, network, mount, umount, signal, ptrace, unix,"
    f" pivot_root, change_profile, deny /etc/{denied} r, }}"
    for name, denied in (("shimbox-one", "one"), ("shimbox-two", "two")))


class AppArmor(LifecycleTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run(["mount", "-t", "securityfs", "securityfs", SECURITY], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", SECURITY], check=True)
        for action in ("-R", "-a"):
            command = ["apparmor_parser", "--skip-cache", action]
            if action == "-a":
                subprocess.run(command, input=PROFILES, text=True, check=True)
            else:
                cls.addClassCleanup(subprocess.run, command, input=PROFILES, text=True, check=True)
        for name in ("one", "two"):
            pathlib.Path(cls.rootfs, "etc", name).write_text("text")

    FACTS = (CURRENT, "read=/etc/one", "read=/etc/two", "nnp")

    def confined(self, *facts, profile="shimbox-one"):
        config = self.config(*(facts or self.FACTS))
        config["process"]["apparmorProfile"] = profile
        return config

    def check(self, facts, profile):
        """Its name, and that it holds."""
        self.assertEqual(facts[f"read:{CURRENT[5:]}"], f"shimbox-{profile} (enforce)\\n")
        for name in ("one", "two"):
            wanted = "EACCES" if name == profile else "text"
            self.assertEqual(facts[f"read:/etc/{name}"], wanted, facts)

    def test_profile(self):
        plain = self.confined()
        seccomp, user = self.confined(), self.confined()
        seccomp["process"]["noNewPrivileges"] = True
        for config in (seccomp, user):
            config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["openat2", "sethostname"], "action": "SCMP_ACT_ERRNO"}]}
        user["linux"]["namespaces"].append({"type": "user"})
        user["linux"]["uidMappings"] = user["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 100000, "size": 1000}]
        user["process"]["user"] = {"uid": 7, "gid": 7}
        for config in (plain, seccomp, user):
            self.check(self.ask_run(config), "one")
        self.assertEqual(self.ask_run(self.confined(profile="unconfined"))[f"read:{CURRENT[5:]}"], "unconfined\\n")

    def ask_run(self, config, **more):
        return super().ask(config, "--strict", **more)

    def test_refused(self):
        config = self.confined("print=ran", profile="shimbox-none")
        self.refused(config, "/process/apparmorProfile: cannot use the AppArmor profile shimbox-none: "
                             "No such file or directory (no such profile is loaded)")
        config = self.confined("print=ran")
        # What stands in the place of /proc is not written to.
        fake = pathlib.Path(self.dir, "fake")
        (fake / "self/attr/apparmor").mkdir(parents=True)
        (fake / "self/attr/apparmor/exec").write_text("")
        hide = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc; exec "$@"', fake]
        result = self.run_config(config, prefix=hide)
        self.assertEqual((result.status, result.stdout), (1, ""), result)
        hide[-2] = 'mount --bind "$0" /proc/$$/attr; exec "$@"'
        self.refused(config, "something is mounted on it, or above it", prefix=hide)
        self.assertEqual((fake / "self/attr/apparmor/exec").read_text(), "")

    def test_exec(self):
        """As the container, whoever gives a process; and another one."""
        self.write(self.confined("sigwait"))
        self.create("c")
        self.good("start", "c")
        self.addCleanup(self.shim, "delete", "--force", "c")
        probe = ("c", "/bin/probe", *self.FACTS)
        self.check(self.facts("exec", *probe), "one")
        self.check(self.facts("exec", "--apparmor", "shimbox-two", *probe), "two")
        path = pathlib.Path(self.dir, "process.json")
        process = {"args": ["/bin/probe", *self.FACTS], "cwd": "/", "user": {"uid": 0, "gid": 0}}
        for profile in (None, "", "shimbox-two"):
            if profile is not None:
                process["apparmorProfile"] = profile
            path.write_text(json.dumps(process))
            self.check(self.facts("exec", "--process", path, "c"), profile[-3:] if profile else "one")
        result = self.shim("exec", "--apparmor", "none", *probe)
        self.assertEqual((result.status, result.stdout), (255, ""))
        self.assertIn("cannot use the AppArmor profile none: No such file", result.stderr)
        self.good("delete", "--force", "c")

    def facts(self, *arguments):
        return dict(line.split("=", 1) for line in self.good(*arguments).splitlines())

    def test_hooks(self):
        """Those of the host are not confined; those of the container are, by its profile."""
        config = self.confined("sigwait")
        script = 'cat /proc/self/attr/apparmor/current >"$0" 2>&1'
        out = f"{self.dir}/host"
        config["hooks"] = {
            "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script, out]}],
            "startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script, "/dev/hook"]}]}
        self.write(config)
        self.create("c")
        self.addCleanup(self.shim, "delete", "--force", "c")
        self.good("start", "c")
        self.assertEqual(pathlib.Path(out).read_text(), "unconfined\n")
        found = self.facts("exec", "c", "/bin/probe", "read=/dev/hook")
        self.assertEqual(found["read:/dev/hook"], "shimbox-one (enforce)\\n")
        self.good("delete", "--force", "c")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    unittest.main()
