"""Chains of the toolbox' links: in one process, with the effect of executing each.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn, new_or_own, skip_loudly  # noqa: E402
from bundle import libc  # noqa: E402

CLONE_NEWNS = 0x20000
WHO = ("uid", "gid", "groups", "caps", "securebits", "nnp", "dumpable", "pdeathsig", "signals",
       "fds", "env", "cwd", "ns", "umask", "rlimits")

# In a root that holds nothing but what is bound there: $1 the new root, $2... what runs in it.
PIVOT = """set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 root "$1"
mkdir "$1/proc" "$1/src" "$1/old"
cp "$SHIMBOX_FILE" "$1/shimbox"
mount -t tmpfs -o mode=755 source "$1/src"
cp "$PROBE_FILE" "$1/src/probe"
mkdir "$1/src/proc" "$1/src/sub"
mount -t proc proc "$1/proc"
cd "$1"
shift
pivot_root . old
exec /shimbox "$@"
"""


class Chain(StandIn):
    """As root and as an ordinary user."""

    tool = "userns-fd"

    @classmethod
    def setUpClass(cls):
        assert libc.unshare(CLONE_NEWNS) == 0
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.place = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        os.chmod(self.place, 0o755)
        root = self.place / "root"
        for path in (root / "proc", root / "sub"):
            path.mkdir(parents=True)
        shutil.copy(self.probe, root / "probe")
        (root / "data").write_text("")

    def five_links(self, source):
        """The example of the design, with a network namespace as its fifth link."""
        return [self.shimbox, "userns-fd", "-u", "0:100000:65536", "-g", "0:100000:65536", "--",
                "idmap-mount", "--detached", source, "--",
                "netns-new", "--",
                "unshare", "--userns", "--netns", "--mount", "--pid", "--fork", "--detached-root",
                "--mount-proc", "--",
                "setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups",
                "--bounding-set=-all", "--"]

    def test_five_links(self):
        done = self.run_command([*self.five_links(self.place / "root"), "/probe", *WHO,
                                 "stat=/data", "pid", "list=/", "mounts"])
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        facts = done.facts
        self.assertEqual([facts[key] for key in ("uid", "gid", "groups", "pid", "fds", "caps.bnd")],
                         ["1000", "1000", "", "1", "0 1 2", "0" * 16])
        self.assertEqual((facts["stat:/data.uid"], facts["stat:/data.gid"]), ("0", "0"))
        self.assertEqual(facts["list:/"], "data probe proc sub")
        self.assertNotIn("env.SHIMBOX_FDS", facts)
        normal = new_or_own(facts)
        self.assertEqual({name for name in ("user", "net", "mnt", "pid", "uts", "ipc")
                          if normal[f"ns.{name}"] == "new"}, {"user", "net", "mnt", "pid"})
        self.assertEqual(os.stat(self.place / "root/data").st_uid, 0)

    def test_one_process_image(self):
        """At most one exec besides the protection of the own binary, and the program's."""
        done = self.run_command(["strace", "-f", "-e", "trace=execve,execveat", "-e", "signal=none",
                                 *self.five_links(self.place / "root"), "/probe", "pid"])
        self.assertEqual(done.status, 0, done)
        calls = [line for line in done.stderr.splitlines() if re.search(r"execve(at)?\(", line)]
        # strace's own of shimbox, the protected copy, the program.
        self.assertLessEqual(len(calls), 3, done.stderr)
        self.assertIn('"/probe"', calls[-1])

    def test_same_as_executed(self):
        """For every link: what the program finds is the same when the next link is executed."""
        held = f"{self.place}/user"
        self.assertEqual(self.stand_in("--both", "0:100000:65536", "--pin", held).status, 0)
        links = [
            ["userns-fd", "--both", "0:100000:65536"],
            ["netns-new"],
            ["idmap-mount", "--both", "0:0:1", "--detached", str(self.place / "root")],
            ["mount-tree", "--dev", "--detached", str(self.place / "root")],
            ["unshare", "--uts", "--ipc"], ["unshare", "--map-root-user", "--mount"],
            ["nsenter", f"--user={held}"], ["nsenter", "--net=/proc/self/ns/net"],
            ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"],
            ["setpriv", "--reuid", "1000", "--inh-caps", "+chown", "--ambient-caps", "+chown"],
            ["setpriv", "--securebits", "+noroot", "--bounding-set=-kill", "--nnp"],
            ["setpriv", "--pdeathsig", "TERM", "--rlimit", "nofile=64"],
        ]
        ending = ["setpriv", "--keep-groups", "--"]
        try:
            for link in links:
                with self.subTest(link):
                    inside = self.run_command([self.shimbox, *link, "--", *ending, self.probe, *WHO])
                    executed = self.run_command([self.shimbox, *link, "--", self.shimbox, *ending,
                                                 self.probe, *WHO])
                    self.assertEqual((inside.status, inside.stderr), (0, ""), inside)
                    self.assertEqual((executed.status, executed.stderr), (0, ""), executed)

                    def normal(facts):
                        facts = {key: value for key, value in new_or_own(facts).items()
                                 if not key.startswith("fds.")}
                        return facts
                    self.assertEqual(normal(inside.facts), normal(executed.facts))
        finally:
            self.assertEqual(self.stand_in("--unpin", held).status, 0)

    def test_usage_errors_come_first(self):
        """An error in the last link is found before the first one acts."""
        made = self.place / "made"
        first = [["userns-fd", "--map", "root"], ["netns-new", "--dir", str(made), "--name", "x"],
                 ["idmap-mount", "--both", "0:0:1", str(self.place / "root"),
                  str(self.place / "root/sub")], ["mount-tree", "--detached", str(self.place / "root")],
                 ["unshare", "--uts"], ["setpriv", "--nnp"],
                 ["nsenter", "--net=/proc/self/ns/net"]]
        last = [(["setpriv", "--groups", "x-y", "true"], "x-y", 1),
                (["unshare", "--nothing", "true"], "--nothing", 1),
                (["nsenter", "-u", "true"], "--target", 1),
                (["netns-new", "--veth", "x"], "HOST_IF:IN_IF", 125),
                (["idmap-mount", "--both", "0:0:0", "a", "b"], "0:0:0", 125),
                (["userns-fd", "true"], "no map", 125),
                (["mount-tree", "--mask", "x", "--pivot", "/", "true"], "an absolute path", 125)]
        for before in first:
            # What is looked for is there when the chain is good, so its absence tells something.
            done, acts = self.acts_of([*before, "--", "true"])
            self.assertEqual(done.status, 0, done)
            self.assertNotEqual(acts, [], before)
            if before[0] == "netns-new":
                self.assertEqual(self.run_command([self.shimbox, "netns-new", "--delete",
                                                   f"{made}/x"]).status, 0)
                subprocess.run(["umount", made], check=True)
                made.rmdir()
            if before[0] == "idmap-mount":
                subprocess.run(["umount", self.place / "root/sub"], check=True)
            for after, words, status in last:
                with self.subTest(before[0], after=after[0]):
                    done, acts = self.acts_of([*before, "--", *after])
                    self.assertEqual((done.status, done.stdout, done.stderr.count("\n")),
                                     (status, "", 1), done)
                    self.assertIn(words, done.stderr)
                    self.assertEqual(acts, [])
                    self.assertFalse(made.exists())

    def acts_of(self, chain):
        """Run it; and the system calls by which the first links here change something."""
        trace = f"{self.place}/trace"
        done = self.run_command(["strace", "-f", "-o", trace, "-e", "trace=unshare,setns,clone,clone3,"
                                 "prctl,mount_setattr,move_mount,open_tree", self.shimbox, *chain])
        found = re.findall(r"(unshare\(|setns\(|clone3?\(|mount_setattr\(|move_mount\(|open_tree\("
                           r"|PR_SET_NO_NEW_PRIVS)", pathlib.Path(trace).read_text())
        return done, found

    def need_static(self):
        """A root that holds no libraries wants a static binary."""
        headers = self.run_command(["readelf", "-l", self.shimbox])
        if "INTERP" in headers.stdout:
            skip_loudly(self, "the binary is dynamic, by readelf -l")

    def test_in_an_empty_root(self):
        """Nothing but shimbox, /proc and the source tree, entered by pivot_root."""
        self.need_static()
        top = self.place / "top"
        top.mkdir()
        chain = self.five_links("/src")[1:]
        done = self.run_command(["unshare", "-m", "-p", "-f", "sh", "-c", PIVOT, "sh", top, *chain,
                                 "/probe", "uid", "list=/", "stat=/probe", "fds"],
                                env={"SHIMBOX_FILE": self.shimbox, "PROBE_FILE": self.probe})
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertEqual([done.facts[key] for key in ("uid", "list:/", "stat:/probe.uid", "fds")],
                         ["1000", "probe proc sub", "0", "0 1 2"])

    def test_in_an_empty_root_as_ordinary_user(self):
        """One id; a tmpfs of its own user namespace is what an ordinary user may idmap."""
        self.need_static()
        top = self.place / "top"
        top.mkdir()
        os.chown(top, self.user.uid, self.user.gid)
        chain = ["userns-fd", "--both", "0:0:1", "--", "idmap-mount", "--detached", "/src", "--",
                 "unshare", "--userns", "--mount", "--pid", "--fork", "--detached-root",
                 "--mount-proc", "--", "setpriv", "--nnp", "--bounding-set=-all", "--"]
        done = self.run_command([self.shimbox, "unshare", "-r", "-m", "-p", "-f", "--", "sh", "-c",
                                 PIVOT, "sh", top, *chain, "/probe", "uid", "list=/",
                                 "stat=/probe", "nnp", "fds"], as_user=True,
                                env={"SHIMBOX_FILE": self.shimbox, "PROBE_FILE": self.probe})
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertEqual([done.facts[key] for key in ("uid", "list:/", "stat:/probe.uid", "nnp",
                                                      "fds")],
                         ["0", "probe proc sub", "0", "1", "0 1 2"])
