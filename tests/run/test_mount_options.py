#!/usr/bin/env python3
"""run: every mount option of runtime-spec (config.md, "Linux mount options") and of mount(8).
SPDX-License-Identifier: Apache-2.0

Each option has one place in the tables below, which say what it does to a new file system and to a
bind mount, as mountinfo and statfs(2) tell inside the container; or how it is refused.
"""

import os
import pathlib
import subprocess
import tempfile

from container import ContainerTest

# What has to be in a table. runtime-spec 1.2 ...
SPEC = """
    async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev
    nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private
    ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime
    rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid
    rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable
    idmap ridmap""".split()
# ... and mount(8) of util-linux 2.40: file system independent ones, bind and propagation.
MOUNT8 = """
    async atime noatime auto noauto context= fscontext= defcontext= rootcontext= defaults dev nodev
    diratime nodiratime dirsync exec noexec group iversion noiversion mand nomand _netdev nofail relatime
    norelatime strictatime nostrictatime lazytime nolazytime suid nosuid silent loud owner remount ro rw
    sync user nouser users symfollow nosymfollow X-a.b x-a.b=c comment=c loop loop=
    X-mount.auto-fstypes= X-mount.mkdir X-mount.mkdir= X-mount.nocanonicalize X-mount.noloop
    X-mount.subdir= X-mount.owner= X-mount.group= X-mount.mode= X-mount.idmap= bind rbind shared slave
    private unbindable rshared rslave rprivate runbindable""".split()

# What each adds to, and takes from, the options of the mount.
ATTRIBUTES = {
    "ro": ("ro", "rw"), "rw": ("rw", "ro"),
    "nosuid": ("nosuid", ""), "suid": ("", "nosuid"),
    "nodev": ("nodev", ""), "dev": ("", "nodev"),
    "noexec": ("noexec", ""), "exec": ("", "noexec"),
    "nodiratime": ("nodiratime", ""), "diratime": ("", "nodiratime"),
    "nosymfollow": ("nosymfollow", ""), "symfollow": ("", "nosymfollow"),
    "relatime": ("relatime", "noatime"), "norelatime": ("", "relatime noatime"),
    "noatime": ("noatime", "relatime"), "atime": ("relatime", "noatime"),
    "strictatime": ("", "relatime noatime"), "nostrictatime": ("relatime", "noatime"),
}
IMPLYING = {
    "user": ("nosuid nodev noexec", ""), "users": ("nosuid nodev noexec", ""),
    "owner": ("nosuid nodev", ""), "group": ("nosuid nodev", ""),
}
RECURSIVE = {"r" + name: effect for name, effect in ATTRIBUTES.items()}
# What mount(8) takes for notes, and what asks for nothing.
NOTES = """defaults auto noauto nouser _netdev nofail silent loud iversion noiversion X-a.b x-a.b=c
    comment=c X-mount.mkdir X-mount.mkdir=0755 X-mount.nocanonicalize X-mount.noloop""".split()
# What a new file system is told, and what is to be seen of it.
SUPER = {"sync": "sync", "async": None, "dirsync": "dirsync", "lazytime": "lazytime",
         "nolazytime": None, "mand": "mand", "nomand": None}
PROPAGATION = {"shared": "shared", "slave": "master", "private": "private",
               "unbindable": "unbindable"}
REFUSED = {
    "loop": "set the loop device up with losetup(8)", "loop=/dev/loop0": "losetup(8)",
    "X-mount.auto-fstypes=ext4": "", "X-mount.mkdir=0700": "made with mode 0755",
    "X-mount.subdir=a": "", "X-mount.owner=1": "", "X-mount.group=1": "", "X-mount.mode=700": "",
    "X-mount.idmap=b:0:1:1": "give the mount uidMappings and gidMappings, and the option idmap",
    "idmap=uids=0-1-1": "give the mount uidMappings and gidMappings",
}
# Told to the file system, which refuses them where no SELinux is loaded.
LABELS = [name + "=x:y:z:s0" for name in ("context", "fscontext", "defcontext", "rootcontext")]
# Options that have a test of their own.
OTHERS = {"bind": "test_bind", "rbind": "test_bind", "remount": "test_remount",
          "tmpcopyup": "Start.test_tmpcopyup, in test_mounts.py",
          "idmap": "test_idmap.py", "ridmap": "test_idmap.py"}

STRICT = "ro nosuid nodev noexec noatime nodiratime nosymfollow"
PLAIN = "rw relatime"


def change(options, effect):
    """These options, as a set, after that effect."""
    add, remove = effect
    return (set(options.split()) - set(remove.split())) | set(add.split())


class Fixture(ContainerTest):
    def setUp(self):
        """Two sources, each with a mount below it: without flags, and with all of them."""
        super().setUp()
        self.sources = {}
        for name, options in (("plain", PLAIN), ("strict", STRICT)):
            source = tempfile.mkdtemp(dir=self.dir)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "rw", "source", source], check=True)
            self.addCleanup(subprocess.run, ["umount", "-R", source], check=True)
            os.mkdir(f"{source}/below")
            subprocess.run(["mount", "-t", "tmpfs", "below", f"{source}/below"], check=True)
            for mount in (f"{source}/below", source):
                subprocess.run(["mount", "-o", "remount,bind," + options.replace(" ", ","), mount],
                               check=True)
            self.sources[name] = source, options

    def tearDown(self):
        self.doCleanups()
        super().tearDown()

    def many(self, mounts, *facts):
        """One container with all of these mounts (kind, source, options): /m/0, /m/1 ..."""
        config = self.config(*facts)
        config["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "mnt"})
        for i, (kind, source, options) in enumerate(mounts):
            config["mounts"].append({"destination": f"/mnt/{i}", "type": kind, "source": source,
                                     "options": options})
            config["process"]["args"] += [f"mount=/mnt/{i}", f"mount=/mnt/{i}/below", f"stat=/mnt/{i}"]
        return config

    def options(self, facts, path):
        return set(facts[f"mount:{path}.options"].split(","))

    def one(self, kind, options, source="x", *facts):
        config = self.config("mount=/mnt", "stat=/mnt", *facts)
        config["mounts"].append({"destination": "/mnt", "type": kind, "source": source,
                                 "options": options})
        return config


class Options(Fixture):
    def test_every_option_has_its_place(self):
        tables = {*ATTRIBUTES, *IMPLYING, *RECURSIVE, *NOTES, *SUPER, *PROPAGATION, *REFUSED, *LABELS,
                  *OTHERS, *("r" + name for name in PROPAGATION)}
        for name in {*SPEC, *MOUNT8}:
            found = [entry for entry in tables if entry == name or
                     (name.endswith("=") and entry.startswith(name))]
            self.assertTrue(found, name)

    def test_new_file_systems(self):
        effects = {**ATTRIBUTES, **IMPLYING, **RECURSIVE, **{name: ("", "") for name in [*NOTES, *SUPER]}}
        facts = self.ask(self.many([("tmpfs", "x", [name]) for name in effects]))
        for i, (name, effect) in enumerate(effects.items()):
            with self.subTest(name):
                self.assertEqual(self.options(facts, f"/mnt/{i}"), change(PLAIN, effect))
                flags = set(facts[f"stat:/mnt/{i}.flags"].split())
                self.assertEqual(flags - {"sync"}, change(PLAIN, effect) - {"rw"})
                told = {"rw", SUPER.get(name)} - {None}
                self.assertEqual(set(facts[f"mount:/mnt/{i}.super"].split(",")) & {"rw", *SUPER}, told)
                self.assertEqual("sync" in flags, name == "sync")

    def test_later_words_win(self):
        pairs = [(["sync", "async"], set()), (["async", "sync"], {"sync"}),
                 (["lazytime", "nolazytime"], set()), (["user", "exec", "suid"], {"nodev"}),
                 (["exec", "user"], {"noexec", "nosuid", "nodev"})]
        facts = self.ask(self.many([("tmpfs", "x", words) for words, _ in pairs]))
        for i, (words, wanted) in enumerate(pairs):
            found = self.options(facts, f"/mnt/{i}") | set(facts[f"mount:/mnt/{i}.super"].split(","))
            self.assertEqual(found & {"sync", "lazytime", "noexec", "nosuid", "nodev"}, wanted, words)

    def test_bind(self):
        """One mount, or with what is below it; the options concern the upper one, the recursive
        ones both."""
        effects = {**ATTRIBUTES, **IMPLYING, **RECURSIVE,
                   **{name: ("", "") for name in [*NOTES, "async", "nolazytime", "nomand"]}}
        cases = [(source, bind, name) for source in self.sources for bind in ("bind", "rbind")
                 for name in effects]
        facts = self.ask(self.many(
            [("none", self.sources[source][0], [bind, name]) for source, bind, name in cases]))
        for i, (source, bind, name) in enumerate(cases):
            with self.subTest(source, bind=bind, option=name):
                before = self.sources[source][1]
                after = change(before, effects[name])
                self.assertEqual(self.options(facts, f"/mnt/{i}"), after)
                if bind == "bind":
                    self.assertEqual(facts[f"mount:/mnt/{i}/below"], "none")
                else:
                    below = after if name in RECURSIVE else set(before.split())
                    self.assertEqual(self.options(facts, f"/mnt/{i}/below"), below)

    def test_propagation(self):
        cases = [(kind, prefix + word) for kind in ("tmpfs", "none") for prefix in ("", "r")
                 for word in PROPAGATION]
        facts = self.ask(self.many([(kind, self.sources["plain"][0],
                                     [word] + (["rbind"] if kind == "none" else []))
                                    for kind, word in cases]))
        for i, (kind, word) in enumerate(cases):
            with self.subTest(kind, word=word):
                wanted = PROPAGATION[word[1:] if word[1:] in PROPAGATION else word]
                # What nobody shares is no slave of anybody.
                wanted = "private" if (kind, wanted) == ("tmpfs", "master") else wanted
                self.assertTrue(facts[f"mount:/mnt/{i}.propagation"].startswith(wanted), facts)
                if kind == "none":
                    below = facts[f"mount:/mnt/{i}/below.propagation"]
                    self.assertEqual(below.startswith(wanted), word[1:] in PROPAGATION or
                                     wanted == "master", below)

    def test_refused(self):
        for name, hint in REFUSED.items():
            for kind, words in (("tmpfs", [name]), ("none", ["rbind", name])):
                with self.subTest(name, kind=kind):
                    result = self.refused(self.one(kind, words, self.sources["plain"][0]),
                                          f"/mounts/2/options: mount option {name} is not supported")
                    self.assertIn(hint, result.stderr)

    def test_labels(self):
        if "selinuxfs" in pathlib.Path("/proc/mounts").read_text():
            self.skipTest("SELinux decides what it takes")
        for word in LABELS:
            with self.subTest(word):
                self.refused(self.one("tmpfs", [word]), f"cannot set option {word} of a new tmpfs: "
                             f"Invalid argument (tmpfs: Unknown parameter '{word.split('=')[0]}')")

    def test_a_bind_mount_is_told_nothing(self):
        for word in [*(name for name, shown in SUPER.items() if shown), *LABELS, "size=1m", "nosiud"]:
            with self.subTest(word):
                self.refused(self.one("none", ["bind", word], self.sources["plain"][0]),
                             f"/mounts/2/options: mount option {word} means nothing to a bind mount")

    def test_nofail(self):
        """A mount whose source does not exist is left out; without the word it is an error."""
        for title, config, more in (
                ("root", self.config("mount=/mnt"), {}),
                ("mapped", self.map_user(self.config("mount=/mnt"), [(0, 100000, 65536)]), {}),
                ("user", self.user_config("mount=/mnt"), {"as_user": True})):
            with self.subTest(title):
                config["mounts"].append({"destination": "/mnt", "type": "bind", "source": "/no/such",
                                         "options": ["nofail"]})
                self.assertEqual(self.ask(config, **more), {"mount:/mnt": "none"})
                config["mounts"][-1]["options"] = []
                self.refused(config, "/no/such", **more)
                config["mounts"][-1] = {"destination": "/mnt", "type": "ext4", "source": "/no/such",
                                        "options": ["nofail"]}
                if title == "root":
                    self.assertEqual(self.ask(config, **more), {"mount:/mnt": "none"})


class Remount(Fixture):
    """remount changes the attributes that it names, of a mount that is there."""

    def remount(self, config, destination, *options, **more):
        config["mounts"].append({"destination": destination, "options": ["remount", *options], **more})
        return config

    def test_remount(self):
        for title, make, more in (
                ("root", self.config, {}),
                ("mapped", lambda *f: self.map_user(self.config(*f), [(0, 100000, 65536)]), {}),
                ("user", self.user_config, {"as_user": True})):
            with self.subTest(title):
                config = make("mount=/mnt", "mount=/", "mkdir=/x", "stat=/proc")
                config["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "x",
                                         "options": ["nosuid", "noexec"]})
                self.remount(config, "/mnt", "bind", "nodev", "exec", type="bind", source="none")
                self.remount(config, "/", "ro")
                self.remount(config, "/proc", "nosuid", type="proc", source="proc")
                facts = self.ask(config, **more)
                self.assertEqual(self.options(facts, "/mnt"), {"rw", "relatime", "nosuid", "nodev"})
                self.assertIn("ro", self.options(facts, "/"))
                self.assertEqual(facts["mkdir:/x"], "EROFS")
                self.assertIn("nosuid", facts["stat:/proc.flags"].split())

    def test_recursive_and_propagation(self):
        config = self.one("none", ["rbind"], self.sources["plain"][0])
        config["process"]["args"].append("mount=/mnt/below")
        facts = self.ask(self.remount(config, "/mnt", "rro", "rprivate"))
        for path in ("/mnt", "/mnt/below"):
            self.assertEqual(self.options(facts, path), {"ro", "relatime"})
            self.assertEqual(facts[f"mount:{path}.propagation"], "private")

    def test_every_attribute(self):
        """In one container, on mounts of their own."""
        effects = {**ATTRIBUTES, **RECURSIVE}
        config = self.many([("none", self.sources[name][0], ["bind"])
                            for name in self.sources for _ in effects])
        for i, name in enumerate([*effects, *effects]):
            self.remount(config, f"/mnt/{i}", name)
        facts = self.ask(config)
        for i, name in enumerate([*effects, *effects]):
            before = PLAIN if i < len(effects) else STRICT
            self.assertEqual(self.options(facts, f"/mnt/{i}"), change(before, effects[name]), name)

    def test_source_keeps_its_own(self):
        source = self.sources["plain"][0]
        config = self.remount(self.one("none", ["rbind"], source), "/mnt", "rro")
        self.ask(config)
        pathlib.Path(f"{source}/below/new").touch()

    def test_refused(self):
        for destination, options, message in (
                ("/tmp", ["ro"], "cannot remount /tmp: cannot change the attributes of a mount: "
                 "Invalid argument (is anything mounted there?)"),
                ("/absent", ["ro"], "cannot remount /absent: cannot open /absent inside the root: No such"),
                ("/mnt", ["size=1m"], "/mounts/2/options: mount option size=1m cannot be changed by remount"),
                ("/mnt", ["sync"], "mount option sync cannot be changed by remount"),
                ("/mnt", ["tmpcopyup"], "remount changes a mount, tmpcopyup is for a new one"),
                ("/mnt", ["idmap"], "remount changes a mount, idmap is for a new one")):
            with self.subTest(options=options):
                self.refused(self.remount(self.config("pid"), destination, *options), message)

    def test_locked(self):
        """An ordinary user cannot take back what the host has set."""
        config = self.user_config("pid")
        config["mounts"].append({"destination": "/mnt", "source": self.sources["strict"][0],
                                 "type": "bind"})
        self.refused(config, "in a user namespace, what is mounted below must come along: rbind",
                     as_user=True)
        config["mounts"][-1]["options"] = ["rbind"]
        self.refused(self.remount(config, "/mnt", "rw"),
                     "cannot remount /mnt: cannot change the attributes of a mount: Operation not "
                     "permitted (in a user namespace, what the host has set cannot be taken back)",
                     as_user=True)
