#!/usr/bin/env python3
"""features: what it says is true, and has the form of runc's.
SPDX-License-Identifier: Apache-2.0
"""

import json
import pathlib
import re
import shutil
import subprocess

from lifecycle import LifecycleTest, skip_loudly

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# For the file system to be told, so not known by name; and what does not exist for a mount.
FILE_SYSTEM = {"acl", "noacl", "dirsync", "sync", "lazytime", "mand"}


class Features(LifecycleTest):
    def features(self):
        return json.loads(self.good("features"))

    def test_beside_runc(self):
        if not shutil.which("runc"):
            skip_loudly(self, "runc is not there")
        peer = json.loads(subprocess.run(["runc", "features"], stdout=subprocess.PIPE, check=True).stdout)
        ours = self.features()
        self.assertEqual(ours["hooks"], peer["hooks"])
        self.assertEqual(ours["linux"]["capabilities"], peer["linux"]["capabilities"])
        self.assertEqual(set(peer["linux"]["namespaces"]) - set(ours["linux"]["namespaces"]), set())
        self.assertEqual(set(peer["mountOptions"]) - set(ours["mountOptions"]) - FILE_SYSTEM, set())
        for key in ("ociVersionMin", "ociVersionMax"):
            self.assertRegex(ours[key], r"^1\.\d+\.\d+$")
        self.assertEqual({key: type(value) for key, value in peer["linux"]["cgroup"].items()},
                         {key: type(value) for key, value in ours["linux"]["cgroup"].items()})

    def test_mount_options(self):
        """Each option that is listed is taken, by itself, for a mount that it is for."""
        special = {"tmpcopyup": ("tmpfs", []), "remount": ("", None)}
        tried = 0
        config = self.config("uid")
        for option in self.features()["mountOptions"]:
            kind, more = special.get(option, ("bind", ["bind"]))
            if more is None or "idmap" in option:
                continue
            config["mounts"].append({"destination": f"/tmp/{option}", "type": kind, "source": "/proc/self",
                                     "options": [*more, option]})
            tried += 1
        self.assertGreater(tried, 60)
        self.ask(config)

    def test_switches(self):
        """enabled is what the table of fields has as applied."""
        table = dict(re.findall(r'\{"(/[^"]+)", (YES|NO)\}', (TOP / "core/oci/fields.c").read_text()))
        linux = self.features()["linux"]
        for name, fields in (("seccomp", r"/linux/seccomp.*"), ("apparmor", "/process/apparmorProfile"),
                             ("selinux", "/process/selinuxLabel"), ("intelRdt", "/linux/intelRdt.*"),
                             ("memoryPolicy", "/linux/memoryPolicy/.*"), ("netDevices", "/linux/netDevices.*")):
            applied = [yes for field, yes in table.items() if re.fullmatch(fields, field)]
            self.assertTrue(applied)
            self.assertEqual(linux[name]["enabled"], "YES" in applied, name)

    def test_refused(self):
        self.bad("checkpoints are not supported", "checkpoint", "c")
        self.bad("checkpoints are not supported", "restore", "c")
        self.bad("unexpected argument 'x'", "features", "x")


if __name__ == "__main__":
    __import__("unittest").main()
