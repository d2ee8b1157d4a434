"""netns-new: names, interfaces, and nothing left after a failure.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn  # noqa: E402
from bundle import libc  # noqa: E402

NAME = r"net-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000


class NetnsNew(StandIn):
    """In a mount and a network namespace of its own, with an own /run."""

    tool = "netns-new"

    @classmethod
    def setUpClass(cls):
        assert libc.unshare(CLONE_NEWNS | CLONE_NEWNET) == 0
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.run = tempfile.mkdtemp(dir=self.dir)
        self.kept = f"{self.run}/netns"
        self.env = {"XDG_RUNTIME_DIR": self.run}
        self.links = self.interfaces()

    def tearDown(self):
        # What ip netns does once for its directory stays, as documented; names do not.
        self.assertEqual(self.names(), [])
        subprocess.run(["umount", "-l", self.kept], check=False, stderr=subprocess.DEVNULL)
        self.assertEqual(self.interfaces(), self.links)
        super().tearDown()

    def names(self):
        return sorted(os.listdir(self.kept)) if os.path.isdir(self.kept) else []

    def new(self, *arguments, **more):
        more.setdefault("env", self.env)
        return self.stand_in(*arguments, **more)

    def refused(self, words, *arguments, **more):
        done = self.new(*arguments, **more)
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1), done)
        self.assertIn(words, done.stderr)
        return done

    def ip(self, *arguments, inside=None):
        """What ip(8) says, here or in a namespace that is entered by util-linux' tool."""
        enter = ["nsenter", f"--net={inside}"] if inside else []
        done = self.run_command([*enter, "ip", "-j", *arguments])
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        return json.loads(done.stdout or "[]")

    def interfaces(self):
        return sorted(link["ifname"] for link in self.ip("link"))

    def made(self, *arguments, name="x"):
        done = self.new("--name", name, *arguments)
        self.assertEqual((done.status, done.stdout, done.stderr), (0, f"{self.kept}/{name}\n", ""))
        return f"{self.kept}/{name}"

    def delete(self, name="x"):
        done = self.new("--delete", name)
        self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""))

    def test_names(self):
        path = self.made(name="blue")
        self.assertEqual(stat.S_IMODE(os.stat(self.kept).st_mode), 0o700)
        self.assertNotEqual(os.stat(path).st_ino, os.stat("/proc/self/ns/net").st_ino)
        self.refused("cannot create", "--name", "blue")
        done = self.new()
        self.assertRegex(done.stdout, f"^{self.kept}/{NAME}\n$")
        random = done.stdout.strip()
        listed = self.new("--list").stdout.splitlines()
        self.assertEqual(listed, sorted(["blue", os.path.basename(random)]))
        for options in (["--enter", "blue"], ["--enter", path]):
            done = self.new(*options, "--", self.probe, "ns", "fds", "interfaces")
            self.assertEqual((done.status, done.facts.get("ns.net"), done.facts.get("fds")),
                             (0, str(os.stat(path).st_ino), "0 1 2"), done)
            self.assertEqual(done.facts["interfaces.lo.up"], "yes")
        self.delete("blue")
        self.delete(random)
        done = self.new("--list")
        self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""))
        self.refused("cannot find", "--delete", "blue")
        self.refused("blue", "--enter", "blue", "--", "true")

    def test_directories(self):
        other = f"{self.run}/a/b"
        done = self.new("--dir", other, "--name", "x")
        self.assertEqual((done.status, done.stdout), (0, f"{other}/x\n"), done)
        self.assertEqual(self.new("--dir", other, "--list").stdout, "x\n")
        self.assertEqual(self.new("--dir", other, "--delete", "x").status, 0)
        subprocess.run(["umount", other], check=True)
        # Symbolic links are not followed: nor the directory, nor the name.
        os.symlink(other, f"{self.run}/link")
        self.refused(f"{self.run}/link", "--dir", f"{self.run}/link", "--name", "x")
        os.symlink("beyond", f"{other}/x")
        self.refused("cannot create", "--dir", other, "--name", "x")
        self.assertFalse(os.path.lexists(f"{other}/beyond"))
        subprocess.run(["umount", other], check=True)
        os.chown(other, self.user.uid, self.user.gid)
        self.refused(f"uid {self.user.uid}", "--dir", other, "--name", "y")
        for name in ("", ".", "..", "a/b", "x" * 256):
            self.refused("cannot be the name", "--name", name)

    def test_ip_netns_works_on_it(self):
        """Where root's names are; the machine's own directory is covered by one of ours."""
        subprocess.run(["mount", "-t", "tmpfs", "run", "/run"], check=True)
        try:
            done = self.stand_in("--name", "green")
            self.assertEqual((done.status, done.stdout, done.stderr), (0, "/run/netns/green\n", ""))
            os.makedirs("/var/run", exist_ok=True)
            listed = self.run_command(["ip", "netns", "list"])
            self.assertEqual(listed.stdout.split(), ["green"])
            done = self.run_command(["ip", "netns", "exec", "green", self.probe, "ns"])
            self.assertEqual((done.status, done.facts.get("ns.net")),
                             (0, str(os.stat("/run/netns/green").st_ino)), done)
            # And the other way round.
            done = self.run_command(["ip", "netns", "add", "theirs"])
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(self.stand_in("--list").stdout, "green\ntheirs\n")
            self.assertEqual(self.stand_in("--delete", "theirs").status, 0)
            self.assertEqual(self.run_command(["ip", "netns", "delete", "green"]).status, 0)
            self.assertEqual(os.listdir("/run/netns"), [])
        finally:
            subprocess.run(["umount", "-R", "/run"], check=True)

    def test_shared_mount_is_made_once(self):
        """By many at the same time; a name made later is seen in a namespace made before."""
        many = [subprocess.Popen([self.shimbox, "netns-new", "--name", f"n{number}"],
                                 env=self.env, stdout=subprocess.DEVNULL) for number in range(8)]
        self.assertEqual([process.wait(120) for process in many], [0] * 8)
        points = [line.split() for line in
                  pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        ours = [words for words in points if words[4] == self.kept]
        self.assertEqual(len(ours), 1)
        self.assertIn("shared:", " ".join(ours[0]))
        self.assertEqual(self.names(), [f"n{number}" for number in range(8)])
        self.assertEqual(len([words for words in points if words[4].startswith(self.kept + "/")]), 8)
        with subprocess.Popen(["unshare", "-m", "--propagation", "slave", "sh", "-c",
                               "echo up; read -r line; exec cat /proc/self/mountinfo"], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            self.assertEqual(other.stdout.readline(), "up\n")
            path = self.made(name="late")
            out = other.communicate("\n")[0]
        self.assertIn(f" {path} ", out)
        for name in self.names():
            self.delete(name)

    def test_loopback(self):
        for options, state in (([], True), (["--no-lo"], False)):
            path = self.made(*options)
            links = self.ip("link", inside=path)
            self.assertEqual([link["ifname"] for link in links], ["lo"])
            self.assertEqual("UP" in links[0]["flags"], state)
            self.delete()

    def test_veth(self):
        path = self.made("--veth", "out0:in0", "--address", "10.9.0.2/24", "--gateway", "10.9.0.1")
        self.assertEqual(self.interfaces(), sorted([*self.links, "out0"]))
        self.assertIn("UP", self.ip("link", "show", "out0")[0]["flags"])
        inside = self.ip("address", "show", "in0", inside=path)[0]
        self.assertIn("UP", inside["flags"])
        self.assertIn(("10.9.0.2", 24), [(a["local"], a["prefixlen"]) for a in inside["addr_info"]])
        routes = self.ip("route", inside=path)
        self.assertIn(("default", "10.9.0.1", "in0"),
                      [(r["dst"], r.get("gateway"), r["dev"]) for r in routes])
        # The namespace's end takes the pair with it, when the kernel comes to that.
        subprocess.run(["ip", "link", "delete", "out0"], check=True)
        self.delete()
        path = self.made("--veth", "out0:in0", "--address", "fd00:9::2/64", "--gateway", "fd00:9::1")
        inside = self.ip("-6", "address", "show", "in0", inside=path)[0]
        self.assertIn(("fd00:9::2", 64), [(a["local"], a["prefixlen"]) for a in inside["addr_info"]])
        self.assertIn("fd00:9::1", [r.get("gateway") for r in self.ip("-6", "route", inside=path)])
        subprocess.run(["ip", "link", "delete", "out0"], check=True)
        self.delete()

    def test_move(self):
        subprocess.run(["ip", "link", "add", "mv0", "type", "veth", "peer", "mv0p"], check=True)
        path = self.made("--move", "mv0", "--address", "10.8.0.2/24")
        self.assertEqual(self.interfaces(), sorted([*self.links, "mv0p"]))
        inside = self.ip("address", "show", "mv0", inside=path)[0]
        self.assertIn("UP", inside["flags"])
        self.assertEqual(inside["addr_info"][0]["local"], "10.8.0.2")
        subprocess.run(["ip", "link", "delete", "mv0p"], check=True)
        self.delete()

    def test_failures_are_undone(self):
        subprocess.run(["ip", "link", "add", "mv1", "type", "veth", "peer", "mv1p"], check=True)
        before = self.ip("-d", "link")
        try:
            veth = ["--veth", "out1:in1"]
            rows = [
                (["--veth", "mv1:in1"], "mv1"),
                (["--move", "nothing0"], "nothing0"),
                (["--move", "lo"], "lo"),
                ([*veth, "--address", "10.9.0.2/24", "--gateway", "192.0.2.1"], "default route"),
                (["--move", "mv1", "--address", "10.9.0.2/24", "--gateway", "192.0.2.1"], "route"),
            ]
            for options, words in rows:
                with self.subTest(options):
                    self.refused(words, "--name", "x", *options)
                    after = self.ip("-d", "link")
                    self.assertEqual([(i["ifname"], i["flags"]) for i in after],
                                     [(i["ifname"], i["flags"]) for i in before])
                    self.assertEqual(self.names(), [])
            # The name is there already: what was made for it goes.
            self.made(name="taken")
            self.refused("cannot create", "--name", "taken", *veth)
            self.assertNotIn("out1", self.interfaces())
            self.refused("cannot create", "--name", "taken", "--move", "mv1")
            self.assertIn("mv1", self.interfaces())
            self.delete("taken")
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([self.shimbox, "netns-new", "--name", "x", *veth], stdout=full,
                                      stderr=subprocess.PIPE, check=False, env=self.env)
            self.assertEqual(done.returncode, 125)
            self.assertEqual(self.names(), [])
            self.assertNotIn("out1", self.interfaces())
        finally:
            subprocess.run(["ip", "link", "delete", "mv1"], check=True)

    def test_directory_is_not_left(self):
        """What could not be made a shared mount was made for nothing: the calls for it are denied."""
        deny = pathlib.Path(os.environ["PROBE"]).parent / "deny"
        for number in (428, 429): # open_tree, move_mount: the same everywhere
            done = self.run_command([deny, number, 1, self.shimbox, "netns-new", "--name", "x"],
                                    env=self.env)
            self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1), done)
            self.assertEqual(os.path.exists(self.kept), False, done)
        # One that was there stays.
        os.mkdir(self.kept)
        done = self.run_command([deny, 428, 1, self.shimbox, "netns-new", "--name", "x"], env=self.env)
        self.assertEqual(done.status, 125, done)
        self.assertTrue(os.path.isdir(self.kept))

    def test_chain_and_hold(self):
        done = self.new("--", "unshare", "--netns", "--", self.probe, "ns", "fds", "env")
        self.assertEqual((done.status, done.facts.get("fds")), (0, "0 1 2"), done)
        self.assertNotIn("env.SHIMBOX_FDS", done.facts)
        self.assertNotIn(done.facts["ns.net"], os.readlink("/proc/self/ns/net"))
        self.assertEqual(self.names(), [])
        for as_user in (False, True):
            with subprocess.Popen([self.shimbox, "netns-new", "--hold"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, cwd="/",
                                  preexec_fn=self.user.preexec if as_user else None) as holder:
                path = holder.stdout.readline().strip()
                self.assertRegex(path, "^/proc/[0-9]+/ns/net$")
                if not as_user:
                    self.assertEqual([i["ifname"] for i in self.ip("link", inside=path)], ["lo"])
                else:
                    pid = path.split("/")[2]
                    done = self.run_command(["nsenter", "-t", pid, "-U", "-n",
                                             "--preserve-credentials", self.probe, "uid",
                                             "interfaces"], as_user=True)
                    self.assertEqual((done.facts.get("uid"), done.facts.get("interfaces.lo.up")),
                                     ("0", "yes"), done)
            self.assertEqual(holder.returncode, 0)
            # That of a helper, which goes with it.
            end = time.monotonic() + 60
            while os.path.exists(path):
                self.assertLess(time.monotonic(), end, "the helper goes on")
                time.sleep(0.01)

    def test_as_ordinary_user(self):
        os.chown(self.run, self.user.uid, self.user.gid)
        done = self.refused("CAP_SYS_ADMIN", "--name", "x", as_user=True)
        self.assertIn("shimbox unshare --map-root-user --mount -- shimbox netns-new", done.stderr)
        self.assertFalse(os.path.exists(self.kept))
        self.refused("--dir", "--list", as_user=True, env={})
        script = '"$0" netns-new --name x && "$0" netns-new --list && "$0" netns-new --enter x -- ' \
                 f'{self.probe} interfaces && "$0" netns-new --delete x'
        done = self.run_command([self.shimbox, "unshare", "-r", "-m", "--", "sh", "-c", script,
                                 self.shimbox], as_user=True, env=self.env)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertEqual(done.stdout.splitlines()[:2], [f"{self.kept}/x", "x"])
        self.assertEqual(done.facts["interfaces.lo.up"], "yes")

    def test_bad_usage(self):
        rows = [
            (["--veth", "x"], "'x'"), (["--veth", ":y"], "name of an interface"),
            (["--veth", f"{'x' * 16}:y"], "name of an interface"), (["--move", "a/b"], "a/b"),
            (["--address", "10.0.0.1/24"], "--veth"), (["--veth", "a:b", "--address", "x/24"], "'x'"),
            (["--veth", "a:b", "--address", "10.0.0.1"], "ADDRESS/PREFIX"),
            (["--veth", "a:b", "--address", "10.0.0.1/33"], "32"),
            (["--veth", "a:b", "--gateway", "10.0.0.1"], "--address"),
            (["--veth", "a:b", "--move", "c"], "exclude"), (["--hold", "--list"], "exclude"),
            (["--list", "--name", "x"], "--dir"), (["--hold", "--name", "x"], "--hold"),
            (["--list", "word"], "'word'"), (["--enter", "x"], "no command"),
        ]
        for arguments, words in rows:
            with self.subTest(arguments):
                self.refused(words, *arguments)
