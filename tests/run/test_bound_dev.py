#!/usr/bin/env python3
"""run: a /dev that the configuration binds: the host's, or a directory.
SPDX-License-Identifier: Apache-2.0

As runc has it: where /dev is bound nothing is made in it, neither devices nor links, and the host's
/dev is the same afterwards.
"""

import os
import tempfile

from container import ContainerTest, host_facts


def snapshot():
    """Everything below the host's /dev but what changes by itself: names, types, owners, modes."""
    found = {}
    for path, directories, files in os.walk("/dev"):
        if path in ("/dev/pts", "/dev/shm"):
            directories.clear()
            continue
        for name in directories + files:
            status = os.lstat(f"{path}/{name}")
            found[f"{path}/{name}"] = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev,
                                       status.st_ino)
    return found


class BoundDev(ContainerTest):
    def setUp(self):
        super().setUp()
        self.dev = snapshot()

    def tearDown(self):
        self.assertEqual(snapshot(), self.dev)
        super().tearDown()

    def kinds(self, *facts):
        yield "root", self.config(*facts), {}
        yield "mapped", self.map_user(self.config(*facts), [(0, 100000, 65536)]), {}
        yield "user", self.user_config(*facts), {"as_user": True}
        yield "one id", self.user_config(*facts, subordinate=False), {"as_user": True}

    def bind(self, config, source, options=("rbind",), destination="/dev"):
        config["mounts"][1] = {"destination": destination, "type": "bind", "source": source,
                               "options": list(options)}
        return config

    ON_TOP = [
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777", "size=64k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid"]},
    ]

    def test_of_the_host(self):
        """All of it, as it is, with and without file systems of its own on top."""
        asked = ["list=/dev", "stat=/dev/null", "write=/dev/null,x", "stat=/dev", "stat=/dev/pts",
                 "stat=/dev/shm", "stat=/dev/mqueue"]
        host = host_facts("list=/dev", "stat=/dev")
        places = [m for m in self.ON_TOP if os.path.isdir(m["destination"])]
        self.assertGreaterEqual(len(places), 2)
        for destination in ("/dev", "/dev/", "//dev", "/./dev", "/tmp/../dev"):
            with self.subTest(destination=destination):
                facts = self.ask(self.bind(self.config(*asked), "/dev", destination=destination))
                self.assertEqual(facts["list:/dev"], host["list:/dev"])
        for title, config, more in self.kinds(*asked):
            for on_top in ([], places):
                with self.subTest(title, on_top=bool(on_top)):
                    self.bind(config, "/dev")
                    config["mounts"] = config["mounts"][:2] + on_top
                    facts = self.ask(config, **more)
                    self.assertEqual(facts["list:/dev"], host["list:/dev"])
                    self.assertEqual(facts["stat:/dev.inode"], host["stat:/dev.inode"])
                    self.assertEqual((facts["stat:/dev/null.rdev"], facts["write:/dev/null"]), ("1:3", "ok"))
                    for mount in on_top:
                        kind = {"devpts": "0x1cd1", "tmpfs": "0x1021994", "mqueue": "0x19800202"}[mount["type"]]
                        self.assertEqual(facts[f"stat:{mount['destination']}.fs"], kind)
                    if on_top:
                        self.assertEqual(facts["stat:/dev/shm.mode"], "1777")

    def test_directory(self):
        """Nothing is made in it; the file systems on top need their directories."""
        for title, config, more in self.kinds("list=/dev", "list=/dev/pts"):
            with self.subTest(title):
                source = tempfile.mkdtemp(dir=self.dir)
                os.chmod(source, 0o777)
                open(f"{source}/mine", "w", encoding="ascii").close()
                self.bind(config, source, ["bind"])
                self.assertEqual(self.ask(config, **more), {"list:/dev": "mine", "list:/dev/pts": "ENOENT"})
                config["mounts"].append(self.ON_TOP[0])
                facts = self.ask(config, **more)
                self.assertEqual(facts["list:/dev"], "mine pts")
                self.assertIn("ptmx", facts["list:/dev/pts"].split())
                self.assertEqual(sorted(os.listdir(source)), ["mine", "pts"])

    def test_spellings(self):
        """Whatever leads to /dev: nothing is made in what is bound there."""
        os.symlink("tmp/../dev", f"{self.rootfs}/link")
        self.addCleanup(os.unlink, f"{self.rootfs}/link")
        source = tempfile.mkdtemp(dir=self.dir)
        for there in (True, False):
            for destination in ("/dev", "/dev/", "//dev", "/./dev", "/tmp/../dev", "/link"):
                with self.subTest(destination, there=there):
                    if not there:
                        os.rmdir(f"{self.rootfs}/dev")
                    self.ask(self.bind(self.config("pid"), source, ["bind"], destination))
                    self.assertEqual(os.listdir(source), [])

    def test_readonly(self):
        """The mount, not the file system."""
        for title, config, more in self.kinds("stat=/dev", "mkdir=/dev/new", "write=/dev/null,x"):
            with self.subTest(title):
                facts = self.ask(self.bind(config, "/dev", ["rbind", "ro"]), **more)
                self.assertIn("ro", facts["stat:/dev.flags"].split())
                self.assertNotEqual(facts["mkdir:/dev/new"], "ok")
                self.assertEqual(facts["write:/dev/null"], "ok")

    def test_listed_devices(self):
        """As with runc, they are left out as well; masked paths are not."""
        config = self.bind(self.config("exists=/dev/extra", "stat=/dev/zero"), "/dev")
        config["linux"]["devices"] = [{"path": "/dev/extra", "type": "c", "major": 1, "minor": 3}]
        config["linux"]["maskedPaths"] = ["/dev/zero"]
        facts = self.ask(config)
        self.assertEqual((facts["exists:/dev/extra"], facts["stat:/dev/zero.rdev"]), ("no", "1:3"))

    def test_a_file_system_over_it(self):
        """A later mount on /dev is one to make devices in; a remount is none."""
        config = self.bind(self.config("list=/dev", "stat=/dev"), "/dev")
        config["mounts"].append({"destination": "/dev", "type": "tmpfs", "source": "x"})
        self.assertIn("null", self.ask(config)["list:/dev"].split())
        config["mounts"][-1] = {"destination": "/dev", "options": ["remount", "ro"]}
        facts = self.ask(config)
        self.assertEqual(facts["list:/dev"], host_facts("list=/dev")["list:/dev"])
        self.assertIn("ro", facts["stat:/dev.flags"].split())
