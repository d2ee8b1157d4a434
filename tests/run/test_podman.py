#!/usr/bin/env python3
"""Configs that podman makes for images, run unchanged, against what runc makes of them.
SPDX-License-Identifier: Apache-2.0

Podman calls a wrapper as its runtime. When that is asked to create a container, it lets runc and
shimbox run the very bundle in the foreground, and then hands on to runc, so that podman's own way
goes on. The program is the probe; its facts are compared one by one.
"""

import json
import os
import re
import unittest

from facts import FACTS, SHIMBOX, Difference, Folder, call_helper, compare_facts, parse_facts
from facts import run_quietly

WRAPPER = """#!/bin/bash
for word; do
    [ "$before" != --bundle ] || bundle=$word
    [ "$word" != create ] || create=yes
    before=$word
done
if [ "${{create:-}}" ]; then
    cp "$bundle/config.json" {folder}/config.json
    {peer} --root {folder}/state run --bundle "$bundle" shimbox-peer-$RANDOM-$$ \\
        </dev/null >{folder}/peer.out 2>{folder}/peer.err
    echo $? >{folder}/peer.code
    env -u NOTIFY_SOCKET {shimbox} run --bundle "$bundle" facts \\
        </dev/null >{folder}/ours.out 2>{folder}/ours.err
    echo $? >{folder}/ours.code
    cmp "$bundle/config.json" {folder}/config.json >&2 || exit 1
fi
exec runc "$@"
"""

CGROUP = r"mounts:/sys/fs/cgroup(/.*)?\..*"
MASK = r"mounts:/(proc|sys)/(acpi|firmware|dev/block|keys|timer_list|kcore|scsi)"
KNOWN = [
    Difference(r"pdeathsig", "0", "9", "run's container ends when run is killed; runc's stays"),
    Difference(r"fds\.[012]", "fifo,.*", "file,w|char:1:3,rw?", "runc relays streams, run hands on"),
    Difference(r"mounts:/sys\.super", "ro", "rw", "ro is set on the mount, not on the file system"),
    Difference(CGROUP, ".*", ".*", "cgroup v1 hierarchies come with the cgroup module"),
    Difference(MASK + r"\.super", ".*", ".*", "masks are small tmpfs of one inode"),
    Difference(MASK + r"\.options", "ro,relatime", "ro,nosuid,nodev,noexec,relatime",
               "masked directories allow less"),
    Difference(MASK + r"\.(type|source|options)", "tmpfs|rw,nosuid.*", "devtmpfs|rw,relatime|dev",
               "masked files are the host's /dev/null, runc's that of the container"),
]

NUMBERS = [Difference("p?pid|sid|pgid", r"\d+", r"\d+", "numbers of the host's own pid namespace")]
HOME = [Difference("env.HOME", "", "/", "an empty HOME counts as none, as in later versions of runc")]
PTMX = [Difference("stat:/dev/ptmx.*", ".*", ".*", "a listed node ptmx is kept, it works as the link")]

SHARED = [Difference("mounts:/.propagation", "private", r"shared:\d+",
                     "linux.rootfsPropagation is set on the container's root, as the spec has it"),
          Difference("mounts:/data.propagation", r"shared:\d+", r"shared:\d+",
                     "peer groups are numbered by the kernel")]
QUEUE = [Difference("stat:/dev/mqueue.gid", "65534", "0", "run makes it with the mapped group")]

# What is warned of, and by what it comes.
WARNINGS = re.compile(r"shimbox run: warning: limits are left out: "
                      r"cgroup version 1 has the controllers of [a-z. ]+$")

DEBUG = os.environ.get("TEST_BUILD") == "debug"
IMAGES = {"busybox": "make_rootfs"} if DEBUG else {"busybox": "make_rootfs", "debian": "debian_rootfs"}


class Podman(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.folder
        (folder / "containers.conf").write_text("[containers]\ndefault_ulimits = []\n")
        wrapper = folder / "runtime"
        wrapper.write_text(WRAPPER.format(folder=folder, peer="runc", shimbox=SHIMBOX))
        wrapper.chmod(0o755)
        cls.podman = ["podman", "--root", folder / "store", "--runroot", folder / "runroot",
                      "--tmpdir", folder / "tmp", "--storage-driver", "overlay",
                      "--cgroup-manager", "cgroupfs", "--events-backend", "none",
                      "--runtime", wrapper]
        cls.environment = dict(os.environ, CONTAINERS_CONF=str(folder / "containers.conf"))
        cls.addClassCleanup(cls.remove_store)
        for name, helper in IMAGES.items():
            call_helper(helper, folder / name)
            archive = folder / f"{name}.tar"
            run_quietly(["tar", "-C", folder / name, "-cf", archive, "."])
            done = cls.call_podman("import", archive, f"localhost/{name}")
            assert done.returncode == 0, done.stderr
            archive.unlink()

    @classmethod
    def call_podman(cls, *arguments):
        return run_quietly([*cls.podman, *arguments], env=cls.environment)

    @classmethod
    def remove_store(cls):
        cls.call_podman("rm", "--all", "--force", "--time", "0")
        for place in ("store/overlay", "runroot", "store"):
            run_quietly(["umount", "-R", cls.folder / place])

    def run_image(self, image, options, arguments):
        """Run the image; returns what podman printed, and what each runtime did before."""
        for name in ("peer", "ours"):
            for kind in ("out", "err", "code"):
                (self.folder / f"{name}.{kind}").unlink(missing_ok=True)
        ulimit = [] if any("--ulimit" in option for option in options) else ["--ulimit=host"]
        done = self.call_podman(
            "run", "--rm", "--network=none", "--pids-limit=0", *ulimit, "--log-driver=none",
            *options, f"localhost/{image}", *arguments)
        self.assertTrue((self.folder / "ours.code").exists(), done.stderr)
        results = []
        for name in ("peer", "ours"):
            code, out, err = (
                (self.folder / f"{name}.{kind}").read_text() for kind in ("code", "out", "err"))
            results.append((int(code), out, err))
        return done, *results

    def compare(self, *options, image="busybox", facts=FACTS, known=()):
        """Compare each fact, and return those of shimbox."""
        program = facts if any("--entrypoint" in o for o in options) else ["/bin/probe", *facts]
        done, peer, shimbox = self.run_image(image, options, program)
        self.assertEqual((peer[0], peer[2], done.returncode), (0, "", 0), done.stderr)
        self.assertEqual(shimbox[0], 0, shimbox[2])
        for line in shimbox[2].splitlines():
            self.assertRegex(line, WARNINGS)
        ours = parse_facts(shimbox[1])
        self.assertGreater(len(ours), 100)
        lines = compare_facts(parse_facts(peer[1]), ours, [*KNOWN, *known])
        self.assertEqual(lines, [], "\n" + "\n".join(lines))
        return ours

    def test_default(self):
        facts = self.compare()
        self.assertEqual(facts["pid"], "1")
        self.assertEqual(facts["env.container"], "podman")

    def test_user(self):
        self.assertEqual(self.compare("--user=user")["uid"], "1000")
        self.assertEqual(self.compare("--user=1234:5678")["gid"], "5678")
        facts = self.compare("--user=nobody", "--group-add=wheel", "--group-add=77")
        self.assertIn("77", facts["groups"].split())

    def test_capabilities(self):
        facts = self.compare("--cap-drop=ALL")
        self.assertEqual(facts["caps.bnd"], "0" * 16)
        facts = self.compare("--cap-add=SYS_ADMIN,NET_ADMIN", "--cap-drop=MKNOD")
        self.assertEqual(facts["caps.eff"], facts["caps.bnd"])
        self.compare("--user=user", "--cap-add=NET_RAW")
        self.compare("--cap-add=ALL")

    def test_no_new_privileges(self):
        self.assertEqual(self.compare("--security-opt=no-new-privileges")["nnp"], "1")

    def test_read_only(self):
        facts = self.compare("--read-only")
        self.assertEqual(facts["open:/new-in-root"], "EROFS")
        self.compare("--read-only", "--read-only-tmpfs=false")

    def test_volumes(self):
        volume = self.folder / "volume"
        (volume / "below").mkdir(parents=True)
        (volume / "file").write_text("text")
        for option in ("", ":ro", ":rslave", ":noexec,nosuid", ":ro,Z"):
            facts = self.compare(f"-v={volume}:/data{option}", facts=[*FACTS, "read=/data/file"])
            self.assertEqual(facts["read:/data/file"], "text")
        self.compare(f"-v={volume}/file:/etc/passwd:ro", f"-v={volume}:/made/on/the/way", known=HOME)
        self.compare(f"--mount=type=bind,src={volume},dst=/data,bind-propagation=rshared", known=SHARED)

    def test_tmpfs(self):
        facts = self.compare("--tmpfs=/run", "--tmpfs=/scratch:rw,size=1m,mode=1770,noexec")
        self.assertIn("size=1024k", facts["mounts:/scratch.super"])
        self.compare("--shm-size=1m", "--mount=type=tmpfs,dst=/x,tmpfs-mode=0700")

    def test_names_and_environment(self):
        facts = self.compare("--hostname=box.example", "--env=A=1", "--env=EMPTY=",
                             "--env=SPACED=a  b\tc", "--workdir=/home/user")
        self.assertEqual(facts["hostname"], "box.example")
        self.assertEqual(facts["cwd"], "/home/user")
        self.assertEqual(facts["env.SPACED"], "a  b\\x09c")
        self.assertEqual(self.compare("--umask=0077", "--unsetenv=TERM")["umask"], "0077")

    def test_entrypoint(self):
        facts = self.compare('--entrypoint=["/bin/probe","uid"]')
        self.assertEqual(facts["args.1"], "uid")

    def test_limits(self):
        facts = self.compare("--ulimit=nofile=100:200", "--ulimit=nproc=300:300", "--ulimit=core=0:0")
        self.assertEqual(facts["rlimits.nofile.hard"], "200")

    def test_devices(self):
        self.compare("--device=/dev/null:/dev/second:rw", facts=[*FACTS, "stat=/dev/second"])
        self.compare("--device=/dev/fuse")

    def test_namespaces_of_the_host(self):
        for name in ("pid", "ipc", "uts", "cgroupns"):
            facts = self.compare(f"--{name}=host", known=NUMBERS if name == "pid" else ())
            self.assertEqual(facts["ns." + name.removesuffix("ns")], "host", name)
        self.assertEqual(self.compare("--cgroupns=private")["ns.cgroup"], "other")

    def test_privileged(self):
        facts = self.compare(
            "--privileged", known=PTMX, facts=[f for f in FACTS if f != "read=/proc/keys"])
        self.assertEqual(facts["caps.eff"], facts["caps.bnd"])

    def test_user_namespace(self):
        maps = ["--uidmap=0:200000:65536", "--gidmap=0:300000:65536"]
        facts = self.compare(*maps, known=QUEUE)
        self.assertEqual((facts["ns.user"], facts["uid"]), ("other", "0"))
        self.compare(*maps, "--user=user", "--read-only", "--tmpfs=/run", known=QUEUE)
        self.compare(*maps, "--user=1234:5678", "--cap-drop=ALL", known=QUEUE)

    def test_debian(self):
        facts = self.compare(image="debian")
        self.assertEqual(facts["uid"], "0")
        self.compare("--user=nobody", "--read-only", "--tmpfs=/tmp", image="debian")
        for script, expected in (
            ("apt-get --version | head -n 1 | cut -d' ' -f1", "apt\n"),
            ("perl -e 'print join(\",\", map { $_ * $_ } 1..4), \"\\n\"'", "1,4,9,16\n"),
            ("id -un; exit 9", "root\n"),
        ):
            done, peer, shimbox = self.run_image("debian", [], ["bash", "-c", script])
            self.assertEqual(shimbox[:2], peer[:2])
            self.assertEqual(shimbox[1], expected)
            self.assertEqual(done.returncode, shimbox[0])

    def test_zz_nothing_more_than_known(self):
        """Each explanation is of a difference that is there: after all others, by its name."""
        unused = [difference.why for difference in KNOWN if not difference.used]
        self.assertEqual(unused, [])

    def test_config_is_podmans(self):
        self.run_image("busybox", [], ["true"])
        config = json.loads((self.folder / "config.json").read_text())
        self.assertEqual(config["annotations"]["io.container.manager"], "libpod")


# Each takes podman and runc half a second. The full tier runs all, the debug build, which is there to
# show memory errors, few: what its code can meet in podman's configs is in these.
FEW = ("test_default", "test_capabilities", "test_limits", "test_user_namespace")
SOME = (*FEW, "test_config_is_podmans", "test_debian", "test_privileged", "test_read_only", "test_volumes")


def load_tests(_loader, tests, _pattern):
    if os.environ.get("TEST_FULL"):
        return tests
    return unittest.TestSuite(map(Podman, FEW if DEBUG else SOME))


if __name__ == "__main__":
    unittest.main()
