#!/usr/bin/env python3
"""run: idmapped mounts: the options idmap and ridmap, uidMappings and gidMappings of a mount.
SPDX-License-Identifier: Apache-2.0

What is mapped is told by stat(2) inside, for an id of each range and for one of none.
"""

import json
import os
import subprocess
import tempfile

from container import ContainerTest

OVERFLOW = 65534  # /proc/sys/kernel/overflowuid: an id that has no mapping
CONTAINER = [(0, 100000, 1000), (1000, 300000, 64536)]  # the user namespace of the container
# Two ranges of a mount: id on disk, id on the host.
OWN = [(0, 300000, 10), (5000, 100005, 5)]
ON_DISK = [(0, 0), (3, 4), (9, 9), (10, 10), (5000, 5004), (5004, 5000), (5005, 5005), (1000, 1000)]


def translate(maps, number):
    """The id of the other side; None without a mapping."""
    for inside, outside, size in maps:
        if inside <= number < inside + size:
            return outside + number - inside
    return None


def seen(maps, namespace, number):
    """What a container sees of an id on disk: through the mount, then into its own namespace."""
    host = translate(maps, number) if maps else number
    if host is not None and namespace:
        host = translate([(outside, inside, size) for inside, outside, size in namespace], host)
    return OVERFLOW if host is None else host


class Fixture(ContainerTest):
    @classmethod
    def setUpClass(cls):
        """A tmpfs and an ext4 with files of several owners, and one more mount below each."""
        super().setUpClass()
        os.mkdir(f"{cls.rootfs}/mnt")
        cls.sources = {}
        for kind in ("tmpfs", "ext4"):
            top = tempfile.mkdtemp(dir=cls.dir)
            for place in (top, f"{top}/below"):
                os.makedirs(place, exist_ok=True)
                if kind == "ext4":
                    image = tempfile.NamedTemporaryFile(dir=cls.dir, delete=False).name
                    subprocess.run(["truncate", "-s", "4M", image], check=True)
                    subprocess.run(["mkfs.ext4", "-q", image], check=True)
                    subprocess.run(["mount", "-o", "loop", image, place], check=True)
                else:
                    subprocess.run(["mount", "-t", "tmpfs", "x", place], check=True)
                os.chmod(place, 0o777)
                for uid, gid in ON_DISK:
                    path = f"{place}/{uid}.{gid}"
                    open(path, "w", encoding="ascii").close()
                    os.chown(path, uid, gid)
            cls.addClassCleanup(subprocess.run, ["umount", "-R", top], check=True)
            cls.sources[kind] = top

    def maps(self, ranges):
        return [{"containerID": a, "hostID": b, "size": c} for a, b, c in ranges]

    def mount(self, config, options, uids=None, gids=None, source=None, **more):
        entry = {"destination": "/mnt", "type": "bind", "source": source or self.sources["tmpfs"],
                 "options": options, **more}
        if uids:
            entry["uidMappings"], entry["gidMappings"] = self.maps(uids), self.maps(gids or uids)
        config["mounts"].append(entry)
        return config


class Idmap(Fixture):
    def facts_wanted(self):
        return [f"stat={place}/{uid}.{gid}" for place in ("/mnt", "/mnt/below") for uid, gid in ON_DISK]

    def check(self, facts, place, namespace, uids, gids=None):
        for uid, gid in ON_DISK:
            name = f"stat:{place}/{uid}.{gid}"
            self.assertEqual((int(facts[name + ".uid"]), int(facts[name + ".gid"])),
                             (seen(uids, namespace, uid), seen(gids or uids, namespace, gid)), name)

    def cases(self):
        """Every kind of container, with mappings of the mount and without."""
        for kind, source in self.sources.items():
            for namespace in (None, CONTAINER):
                for uids, gids in ((None, None), (OWN, OWN), (OWN, CONTAINER), (CONTAINER, CONTAINER)):
                    if uids or namespace:
                        yield kind, source, namespace, uids, gids

    def test_ownership(self):
        for kind, source, namespace, uids, gids in self.cases():
            for bind, idmap in (("bind", "idmap"), ("rbind", "idmap"), ("rbind", "ridmap")):
                with self.subTest(kind, namespace=namespace, uids=uids, gids=gids, bind=bind, idmap=idmap):
                    config = self.config(*self.facts_wanted(), "mount=/mnt", "mount=/mnt/below")
                    if namespace:
                        self.map_user(config, namespace)
                    self.mount(config, [bind, idmap, "nosuid", "ro"], uids, gids, source)
                    facts = self.ask(config)
                    maps = uids or namespace, gids or namespace
                    self.check(facts, "/mnt", namespace, *maps)
                    self.assertEqual(facts["mount:/mnt.type"], kind)
                    self.assertLessEqual({"ro", "nosuid", "idmapped"},
                                         set(facts["mount:/mnt.options"].split(",")))
                    if bind == "rbind":
                        recursive = idmap == "ridmap"
                        self.check(facts, "/mnt/below", namespace, *(maps if recursive else (None, None)))
                        below = facts["mount:/mnt/below.options"].split(",")
                        self.assertEqual("idmapped" in below, recursive)
                        self.assertNotIn("ro", below)

    def test_created_files(self):
        """What root of the container creates is, on disk, root's; or anybody's whom the map says."""
        for kind, source in self.sources.items():
            with self.subTest(kind):
                config = self.map_user(self.config("open=/mnt/new,create", "stat=/mnt/new"), CONTAINER)
                self.mount(config, ["idmap"], source=source)
                facts = self.ask(config)
                self.addCleanup(os.unlink, f"{source}/new")
                self.assertEqual((facts["open:/mnt/new"], facts["stat:/mnt/new.uid"]), ("ok", "0"))
                self.assertEqual(os.stat(f"{source}/new").st_uid, 0)
                # Without a mapping of its id nobody can create anything.
                config = self.config("open=/mnt/other,create")
                self.mount(config, ["idmap"], [(0, 100000, 10)], source=source)
                self.assertEqual(self.ask(config)["open:/mnt/other"], "EOVERFLOW")

    def test_mappings_alone_are_enough(self):
        config = self.mount(self.config(*self.facts_wanted()), ["rbind"], OWN)
        facts = self.ask(config)
        self.check(facts, "/mnt", None, OWN)
        self.check(facts, "/mnt/below", None, None)

    def test_many(self):
        """Equal maps share a namespace; each mount has its own map all the same."""
        config = self.map_user(self.config(), CONTAINER)
        wanted = []
        for i in range(12):
            maps = (None, OWN, [(0, 100000 + i // 6, 10)])[i % 3]
            self.mount(config, ["idmap"], maps)
            config["mounts"][-1]["destination"] = f"/run/{i}"
            config["process"]["args"].append(f"stat=/run/{i}/0.0")
            wanted.append((i, seen(maps or CONTAINER, CONTAINER, 0)))
        config["mounts"].insert(2, {"destination": "/run", "type": "tmpfs", "source": "x"})
        facts = self.ask(config)
        for i, uid in wanted:
            self.assertEqual(int(facts[f"stat:/run/{i}/0.0.uid"]), uid, i)

    def test_new_file_system(self):
        """Its root belongs to whom the map makes of root."""
        for namespace in (None, CONTAINER):
            with self.subTest(namespace=namespace):
                maps = [(0, 100003, 10)]
                config = self.config("stat=/mnt", "mount=/mnt")
                if namespace:
                    self.map_user(config, namespace)
                self.mount(config, ["idmap", "nodev"], maps, type="tmpfs")
                facts = self.ask(config)
                self.assertEqual(facts["stat:/mnt.uid"], "3" if namespace else "100003")
                self.assertLessEqual({"nodev", "idmapped"}, set(facts["mount:/mnt.options"].split(",")))

    def test_joined_user_namespace(self):
        other = subprocess.Popen(["unshare", "--user", "sleep", "1000"])
        try:
            self.wait_for(lambda: os.readlink(f"/proc/{other.pid}/ns/user") != os.readlink("/proc/self/ns/user"),
                          "no user namespace")
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{other.pid}/{name}", "w", encoding="ascii") as file:
                    file.write("".join("%d %d %d\n" % row for row in CONTAINER))
            for maps in (None, OWN):
                config = self.config(*self.facts_wanted())
                config["linux"]["namespaces"].append({"type": "user", "path": f"/proc/{other.pid}/ns/user"})
                self.mount(config, ["rbind", "ridmap"], maps)
                facts = self.ask(config)
                self.check(facts, "/mnt", CONTAINER, maps or CONTAINER)
                self.check(facts, "/mnt/below", CONTAINER, maps or CONTAINER)
        finally:
            other.kill()
            other.wait()

    def test_submounts_stay_locked(self):
        config = self.map_user(self.config("unmount=/mnt/below", "list=/mnt/below"), CONTAINER)
        config["process"]["capabilities"] = {
            kind: ["CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")}
        facts = self.ask(self.mount(config, ["rbind", "ridmap"]))
        self.assertEqual(facts["unmount:/mnt/below"], "EINVAL")
        self.assertIn("0.0", facts["list:/mnt/below"].split())

    def test_nothing_changes_outside(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            self.assertNotIn("idmapped", file.read())


class Refused(Fixture):
    def test_config(self):
        good = self.maps(OWN)
        for maps, message in (
                ({"uidMappings": good}, "/mounts/2/gidMappings: missing, while uidMappings is given"),
                ({"gidMappings": good}, "/mounts/2/uidMappings: missing, while gidMappings is given"),
                ({"uidMappings": good + good, "gidMappings": good}, "/mounts/2/uidMappings"),
                ({"uidMappings": good, "gidMappings": self.maps([(0, 4294967295, 1)])},
                 "/mounts/2/gidMappings/0"),
                ({"uidMappings": self.maps([(0, 1, 0)]), "gidMappings": good}, "/mounts/2/uidMappings/0"),
                ({}, "/mounts/2/options: idmap needs uidMappings and gidMappings, or a user namespace")):
            with self.subTest(message):
                self.refused(self.mount(self.config("pid"), ["idmap"], **maps), message)
        self.refused(self.mount(self.map_user(self.config("pid"), CONTAINER), ["idmap"], type="tmpfs"),
                     "/mounts/2/options: a new file system has the container's ids already")

    def test_ordinary_user(self):
        for maps in (None, OWN):
            self.refused(self.mount(self.user_config("pid"), ["idmap"], maps),
                         "/mounts/2/options: an ordinary user may not idmap mounts (that takes "
                         "CAP_SYS_ADMIN where the file system was mounted)", as_user=True)

    def test_file_system_type(self):
        """For the parent and for the child that does it."""
        for namespace in (None, CONTAINER):
            with self.subTest(namespace=namespace):
                config = self.config("pid")
                if namespace:
                    self.map_user(config, namespace)
                self.mount(config, ["rbind", "ridmap"], OWN, source="/proc")
                result = self.refused(config, "/mounts/2: cannot mount /mnt: cannot idmap a mount: Invalid "
                                      "argument (this kernel cannot idmap the file system type of /proc, proc)")
                self.assertEqual(result.stderr.count("\n"), 1)

    def test_below(self):
        """The one of several that is the cause is named."""
        source = self.sources["tmpfs"]
        os.makedirs(f"{source}/with blank", exist_ok=True)
        subprocess.run(["mount", "-t", "mqueue", "x", f"{source}/with blank"], check=True)
        try:
            for namespace in (None, CONTAINER):
                config = self.config("pid")
                if namespace:
                    self.map_user(config, namespace)
                self.mount(config, ["rbind", "ridmap"], OWN)
                self.refused(config, f"the file system type of {source}/with blank, mqueue)")
        finally:
            subprocess.run(["umount", f"{source}/with blank"], check=True)

    def test_already_idmapped(self):
        """Within a container whose mount is one: the inner one is root there, with all privilege."""
        inner = self.mount(self.config("pid", rootfs="/"), ["bind", "idmap"], OWN, source="/mnt")
        inner["mounts"][-1]["destination"] = "/tmp"
        outer = self.nested(inner)
        self.mount(outer, ["idmap"], OWN)
        result = self.run_config(outer)
        self.assertEqual((result.status, result.stdout), (1, ""), result)
        self.assertIn("cannot idmap a mount: Operation not permitted (/mnt is idmapped already)",
                      result.stderr)

    def test_other_user_namespace(self):
        """Root of a user namespace, and a file system of the host."""
        inner = self.mount(self.config("pid", rootfs="/"), ["rbind", "idmap"], [(0, 5, 10)], source="/mnt")
        inner["mounts"][-1]["destination"] = "/tmp"
        outer = self.map_user(self.nested(inner), CONTAINER)
        self.mount(outer, ["rbind"])
        result = self.run_config(outer)
        self.assertEqual((result.status, result.stdout), (1, ""), result)
        self.assertIn("cannot idmap a mount: Operation not permitted (the file system of /mnt belongs "
                      "to another user namespace, whose root may do it)", result.stderr)

    def nested(self, inner):
        """A container that runs `run` with that configuration, from its standard input."""
        outer = self.config()
        outer["process"]["args"] = ["/bin/sh", "-c", "exec /shimbox run --config - <<'E'\n"
                                    + json.dumps(inner) + "\nE\n"]
        outer["process"]["capabilities"] = {
            kind: ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_MKNOD",
                   "CAP_DAC_OVERRIDE", "CAP_NET_ADMIN", "CAP_CHOWN"]
            for kind in ("bounding", "effective", "permitted")}
        return self.bring_shimbox(outer)
