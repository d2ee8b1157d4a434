#!/usr/bin/env python3
"""Labels of security modules where there is no such module: refused by name, before anything is made.
SPDX-License-Identifier: Apache-2.0

What they do where there is one: tests/vm/test_apparmor.py and tests/vm/selinux.sh.
"""

import pathlib
import unittest

from container import ContainerTest, skip_loudly


def apparmor():
    """Is it at work, by the kernel's own file?"""
    try:
        return bool(pathlib.Path("/proc/self/attr/apparmor/current").read_text())
    except OSError:
        return False


def selinux():
    return "\tselinuxfs\n" in pathlib.Path("/proc/filesystems").read_text()


class Labels(ContainerTest):
    def test_no_apparmor(self):
        if apparmor():
            skip_loudly(self, "AppArmor is at work here")
        config = self.config("pid")
        for profile in ("containers-default", "unconfined//&x"):
            config["process"]["apparmorProfile"] = profile
            self.refused(config, "/process/apparmorProfile: no AppArmor is at work here\n")
        # This one asks for what is so anyway.
        for profile in ("unconfined", ""):
            config["process"]["apparmorProfile"] = profile
            self.assertEqual(self.ask(config, "--strict")["pid"], "1")

    def test_no_selinux(self):
        if selinux():
            skip_loudly(self, "SELinux is at work here")
        config = self.config("pid")
        config["process"]["selinuxLabel"] = "system_u:system_r:container_t:s0"
        self.refused(config, "/process/selinuxLabel: no SELinux is at work here\n")
        config = self.config("pid")
        config["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0"
        self.refused(config, "/linux/mountLabel: no SELinux is at work here\n")
        config["linux"]["mountLabel"] = config["process"]["selinuxLabel"] = ""
        self.assertEqual(self.ask(config, "--strict")["pid"], "1")

    def test_wrong(self):
        for section, key in (("process", "apparmorProfile"), ("process", "selinuxLabel"), ("linux", "mountLabel")):
            config = self.config("pid")
            config[section][key] = ["x"]
            self.refused(config, f"/{section}/{key}: expected a string, found an array")

    def test_no_resctrl(self):
        config = self.config("pid")
        for value in ({"closID": "x"}, {"schemata": ["L3:0=f"]}, {}):
            config["linux"]["intelRdt"] = value
            self.refused(config, "/linux/intelRdt: resctrl is not supported\n")


if __name__ == "__main__":
    unittest.main()
