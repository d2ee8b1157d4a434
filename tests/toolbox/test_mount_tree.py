"""mount-tree: a root directory with all that is mounted in it, by options or by a config.json.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from standin import StandIn  # noqa: E402
from bundle import snapshot  # noqa: E402

OWN = ["unshare", "-m", "-u", "-i", "-n", "-p", "--fork", "--"]
NODES = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
DEV = "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"


def mounts_of(facts, *wanted):
    """{place: [field, ...]} of all mounts that the probe has told."""
    found = {}
    for key, value in facts.items():
        if key.startswith("mounts:"):
            place, _, field = key[len("mounts:"):].rpartition(".")
            if not wanted or field in wanted:
                found.setdefault(place, {})[field] = value
    return found


class MountTree(StandIn):
    """Each option, seen from inside; failures leave nothing."""

    tool = "mount-tree"

    def setUp(self):
        super().setUp()
        self.place = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        self.place.chmod(0o755)
        self.root = self.place / "root"
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "data"):
            (self.root / name).mkdir(parents=True)
        shutil.copy(self.probe, self.root / "bin/probe")
        (self.root / "etc/secret").write_text("secret\n")
        (self.root / "etc/open").write_text("open\n")

    def inside(self, *arguments, facts, before=OWN, root=None, as_user=False, **more):
        """What the probe finds in a tree that it is pivoted to."""
        done = self.run_command([self.shimbox, *before, self.tool, *arguments, "--pivot", root or self.root,
                                 "--", "/bin/probe", *facts], as_user=as_user, **more)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        return done.facts

    def refused(self, words, *arguments, before=(), as_user=False, program=("echo", "ran"), **more):
        """One line, status 125, and nothing in the root has changed, nor is anything mounted."""
        old = snapshot(self.root)
        done = self.run_command([self.shimbox, *before, self.tool, *arguments, "--", *program],
                                as_user=as_user, **more)
        self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1), done)
        self.assertTrue(done.stderr.startswith("shimbox mount-tree: "), done)
        self.assertIn(words, done.stderr)
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), self.before)
        return old

    # ---- what is asked for ----

    def test_nothing_asked(self):
        facts = self.inside("--proc", facts=["mounts", "list=/dev", "stat=/", "cwd", "fds", "umask"],
                            preexec_fn=lambda: os.umask(0o027))
        self.assertEqual(set(mounts_of(facts)), {"/", "/proc"})
        self.assertEqual([facts[key] for key in ("list:/dev", "cwd", "fds", "umask")], ["", "/", "0 1 2", "0027"])
        self.assertNotIn("ro", facts["stat:/.flags"].split())
        # Without a proc, too; and the root of this process is what it was.
        facts = self.inside(facts=["list=/", "exists=/proc/self"], before=())
        self.assertEqual((facts["list:/"], facts["exists:/proc/self"]), ("bin data dev etc proc sys tmp", "no"))

    def test_dev(self):
        for as_user, before in ((False, OWN), (True, ["unshare", "-r", *OWN[1:]])):
            with self.subTest(as_user=as_user):
                facts = self.inside("--proc", "--dev", "--sys", before=before, as_user=as_user,
                                    facts=["mounts", "list=/dev", "stat=/dev", "open=/dev/null,rw", "pid",
                                           "open=/dev/ptmx,rw", "stat=/dev/shm", "list=/sys/class/net",
                                           *(f"stat=/dev/{name}" for name in NODES)])
                self.assertEqual((facts["list:/dev"], facts["list:/sys/class/net"], facts["pid"]), (DEV, "lo", "1"))
                self.assertEqual((facts["open:/dev/null"], facts["open:/dev/ptmx"]), ("ok", "ok"))
                for name, number in NODES.items():
                    self.assertEqual((facts[f"stat:/dev/{name}.type"], facts[f"stat:/dev/{name}.rdev"],
                                      int(facts[f"stat:/dev/{name}.mode"], 8) & 0o777), ("char", number, 0o666))
                self.assertEqual((int(facts["stat:/dev.mode"], 8) & 0o7777, int(facts["stat:/dev/shm.mode"], 8) & 0o7777),
                                 (0o755, 0o1777))
                mounts = mounts_of(facts)
                kinds = {place: mounts[place]["type"] for place in ("/proc", "/dev", "/dev/pts", "/dev/shm", "/sys")}
                self.assertEqual(kinds, {"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs",
                                         "/sys": "sysfs"})
                self.assertIn("ro", mounts["/sys"]["options"].split(","))
        self.assertEqual(list((self.root / "dev").iterdir()), [])

    def test_paths(self):
        facts = self.inside("--proc", "--mask", "/etc/secret", "--mask", "/tmp", "--mask", "/none",
                            "--readonly-path", "/data", "--readonly-path", "/etc/open", "--readonly-path", "/none",
                            facts=["read=/etc/secret", "stat=/etc/secret", "read=/etc/open", "open=/etc/open,w",
                                   "open=/data/new,create", "open=/tmp/new,create", "open=/etc/new,create", "mounts"])
        self.assertEqual((facts["read:/etc/secret"], facts["stat:/etc/secret.rdev"]), ("", "1:3"))
        self.assertEqual(facts["read:/etc/open"], "open\\n")
        self.assertEqual([facts[f"open:{path}"] for path in ("/etc/open", "/data/new", "/tmp/new", "/etc/new")],
                         ["EROFS", "EROFS", "EROFS", "ok"])
        self.assertEqual(set(mounts_of(facts)), {"/", "/proc", "/etc/secret", "/tmp", "/data", "/etc/open"})

    def test_mounts(self):
        source = self.place / "source"
        (source / "sub").mkdir(parents=True)
        (source / "file").write_text("shared\n")
        facts = self.inside("--mount", f"type=bind,source={source},target=/data,ro", "--readonly", "--proc",
                            "--mount", "type=tmpfs,dst=/tmp,size=64k,mode=1770,noexec",
                            "--mount", f"src={source}/file,dst=/etc/open,bind",
                            "--mount", "type=tmpfs,dst=/etc,tmpcopyup,nosuid",
                            facts=["mounts", "read=/data/file", "open=/data/new,create", "open=/new,create", "stat=/tmp",
                                   "open=/tmp/new,create", "read=/etc/open", "list=/etc"])
        self.assertEqual((facts["read:/data/file"], facts["list:/etc"]), ("shared\\n", "open secret"))
        self.assertEqual([facts[f"open:{path}"] for path in ("/data/new", "/new", "/tmp/new")], ["EROFS", "EROFS", "ok"])
        mounts = mounts_of(facts)
        self.assertEqual(int(facts["stat:/tmp.mode"], 8) & 0o7777, 0o1770)
        self.assertLessEqual({"noexec", "relatime"}, set(mounts["/tmp"]["options"].split(",")))
        self.assertIn("size=64k", mounts["/tmp"]["super"])
        self.assertEqual(list(source.glob("new")), [])

    def test_device(self):
        facts = self.inside("--device", "/dev/full", "--device", "/dev/zero", facts=["list=/dev", "stat=/dev/full"])
        self.assertEqual((facts["list:/dev"], facts["stat:/dev/full.rdev"]), ("full zero", "1:7"))
        host = os.stat("/dev/full")
        self.assertEqual(int(facts["stat:/dev/full.mode"], 8) & 0o7777, stat.S_IMODE(host.st_mode))

    def full_config(self):
        """A configuration that has some of everything."""
        made = self.run_command([self.shimbox, "spec", "-o", "-", "--", "/bin/probe"])
        config = json.loads(made.stdout)
        config["root"] = {"path": str(self.root), "readonly": True}
        config["mounts"] += [
            {"destination": "/data", "type": "bind", "source": str(self.root / "etc"), "options": ["rbind", "rro", "nosuid"]},
            {"destination": "/made/deep", "type": "tmpfs", "source": "x", "options": ["size=8k", "strictatime"]},
            {"destination": "/made/deep", "options": ["remount", "nodev"], "type": "none"},
            {"destination": "/gone", "type": "bind", "source": "/none", "options": ["bind", "nofail"]}]
        linux = config["linux"]
        linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 1, "minor": 7, "fileMode": 0o640, "uid": 3, "gid": 4},
                            {"path": "/dev/queue", "type": "p"}]
        linux["maskedPaths"] += ["/etc/secret"]
        linux["readonlyPaths"] += ["/data"]
        linux["rootfsPropagation"] = "private"
        (self.place / "config.json").write_text(json.dumps(config))
        return config

    def test_same_as_run(self):
        """One config, applied by run and by this link."""
        config = self.full_config()
        nodes = ["extra", "queue", *NODES]
        names = ["mounts", "list=/dev", "list=/", "read=/etc/secret", "open=/new,create",
                 *(f"stat=/dev/{name}" for name in nodes)]
        config["process"]["args"] = ["/bin/probe", *names]
        (self.place / "config.json").write_text(json.dumps(config))
        run = self.run_command([self.shimbox, "run", "--bundle", self.place])
        self.assertEqual((run.status, run.stderr.count("resources")), (0, run.stderr.count("\n")), run)
        linked = self.inside("--config", self.place / "config.json", facts=names,
                             before=["unshare", "-u", "-i", "-n", "-p", "-C", "--fork", "--"])
        changing = (".dev", ".inode")
        self.assertEqual({key: value for key, value in linked.items() if not key.endswith(changing)},
                         {key: value for key, value in run.facts.items() if not key.endswith(changing)})
        self.assertIn("mounts:/made/deep.type", linked)
        self.assertEqual((linked["stat:/dev/extra.uid"], linked["read:/etc/secret"]), ("3", ""))

    def test_config_from_input_and_options(self):
        """Options come after what the config has; a config without its own is completed by them."""
        text = json.dumps({"ociVersion": "1.0.0", "mounts": [{"destination": "/tmp", "type": "tmpfs"}],
                           "linux": {"maskedPaths": ["/etc/secret"], "namespaces": [{"type": "mount", "path": "/none"}]}})
        with tempfile.TemporaryFile(dir=self.place, mode="w+") as file:
            file.write(text)
            file.seek(0)
            facts = self.inside("--config", "-", "--proc", "--mount", "type=tmpfs,dst=/tmp/more", "--mask", "/etc/open",
                                facts=["mounts", "stat=/etc/secret", "stat=/etc/open", "list=/dev"], stdin=file)
        self.assertEqual(set(mounts_of(facts)), {"/", "/proc", "/tmp", "/tmp/more", "/etc/secret", "/etc/open"})
        # runtime-spec's default devices are part of any config.
        self.assertEqual(facts["list:/dev"], "fd full null ptmx random stderr stdin stdout tty urandom zero")

    def test_propagation(self):
        target = self.place / "target"
        target.mkdir()
        for word, wanted in (("shared", "shared"), ("slave", "master"), ("private", "private"),
                             ("unbindable", "unbindable")):
            config = {"ociVersion": "1.0.0", "linux": {"rootfsPropagation": word}}
            (self.place / "config.json").write_text(json.dumps(config))
            with self.subTest(word):
                facts = self.inside("--config", self.place / "config.json", "--proc", facts=["mounts"], before=())
                self.assertEqual(facts["mounts:/.propagation"].partition(":")[0], wanted)
                done = self.run_command([self.shimbox, self.tool, "--config", self.place / "config.json", "--detached",
                                         self.root, "--", "unshare", "-m", "--", "idmap-mount", "--attach", target, "--",
                                         self.probe, f"mount={target}"])
                self.assertEqual((done.status, done.stderr), (0, ""), done)
                self.assertEqual(done.facts[f"mount:{target}.propagation"].partition(":")[0], wanted)

    def test_idmapped_mount(self):
        """Maps of the mount itself are applied, without a container around."""
        maps = [{"containerID": 0, "hostID": 4000, "size": 10}]
        config = {"ociVersion": "1.0.0", "mounts": [
            {"destination": "/data", "type": "bind", "source": str(self.root / "etc"), "options": ["bind", "idmap"],
             "uidMappings": maps, "gidMappings": maps}]}
        (self.place / "config.json").write_text(json.dumps(config))
        facts = self.inside("--config", self.place / "config.json", facts=["stat=/data/open", "stat=/etc/open"])
        self.assertEqual((facts["stat:/data/open.uid"], facts["stat:/etc/open.uid"]), ("4000", "0"))

    # ---- where it goes ----

    def test_covers_the_directory(self):
        """Without more, it is mounted on the root itself, all at once, and can be taken away."""
        done = self.stand_in("--dev", "--readonly", "--mask", "/etc/secret", self.root)
        self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""), done)
        try:
            facts = self.run_command([self.probe, "mounts", f"list={self.root}/dev", f"read={self.root}/etc/secret",
                                      f"open={self.root}/new,create"]).facts
            self.assertEqual({place for place in mounts_of(facts) if place.startswith(str(self.root))},
                             {str(self.root) + path for path in ("", "/dev", "/dev/pts", "/dev/shm", "/etc/secret")})
            self.assertEqual((facts[f"list:{self.root}/dev"], facts[f"read:{self.root}/etc/secret"],
                              facts[f"open:{self.root}/new"]), (DEV, "", "EROFS"))
        finally:
            subprocess.run(["umount", "-R", self.root], check=True)
        # For an ordinary user in its own namespaces; NEXT goes on outside of the tree.
        done = self.run_command([self.shimbox, "unshare", "-r", "-m", "--", self.tool, "--dev", self.root, "--",
                                 self.probe, f"list={self.root}/dev", "exists=/etc/passwd"], as_user=True)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertEqual((done.facts[f"list:{self.root}/dev"], done.facts["exists:/etc/passwd"]), (DEV, "yes"))

    def test_detached(self):
        """The tree goes on as the chain's mount, also into other namespaces."""
        target = self.place / "target"
        target.mkdir()
        tree = [self.shimbox, self.tool, "--proc", "--dev", "--detached", self.root, "--"]
        done = self.run_command([*tree, "unshare", "-m", "--", "idmap-mount", "--attach", target, "--", self.probe,
                                 f"list={target}/dev", "fds", "env"])
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertEqual((done.facts[f"list:{target}/dev"], done.facts["fds"]), (DEV, "0 1 2"))
        self.assertNotIn("env.SHIMBOX_FDS", done.facts)
        # Only the descriptor, where a foreign program comes in between.
        done = self.run_command([*tree, self.probe, "fds", "env"])
        self.assertEqual((done.status, done.stderr, done.facts["fds"].split()[:3]), (0, "", ["0", "1", "2"]))
        self.assertRegex(done.facts["env.SHIMBOX_FDS"], r"^mount:\d+$")
        # In a user namespace that has no right to mount in ours.
        done = self.run_command([self.shimbox, "unshare", "-r", "--", self.tool, "--dev", "--detached", self.root, "--",
                                 "unshare", "-m", "--detached-root", "--", "/bin/probe", "list=/dev"], as_user=True)
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        self.assertEqual(done.facts["list:/dev"], DEV)

    def test_whole_chain(self):
        """An idmapped root, entered as root of a user namespace, with limits and a user."""
        maps = ["userns-fd", "--both", "0:100000:65536", "--", "idmap-mount", "--detached", self.root, "--"]
        ending = ["limits", "--hostname", "box", "--rlimit", "nofile=64", "--", "setpriv", "--reuid", "1000", "--regid",
                  "1000", "--clear-groups", "--bounding-set=-all", "--nnp", "--", "/bin/probe", "uid", "hostname",
                  "stat=/etc/open", "list=/dev", "fds", "mounts", "pid", "env", "caps"]
        own = ["unshare", "--userns", "-m", "-u", "-i", "-n", "-p", "--fork"]
        for chain in ([*maps, *own, "--", self.tool, "--proc", "--sys", "--dev", "--pivot", "-", "--", *ending],
                      [*maps, self.tool, "--mask", "/data", "-", "--", *own, "--", self.tool, "--proc", "--sys", "--dev",
                       "--pivot", "-", "--", *ending]):
            done = self.run_command([self.shimbox, *chain])
            self.assertEqual((done.status, done.stderr), (0, ""), done)
            facts = done.facts
            self.assertEqual([facts[key] for key in ("uid", "hostname", "stat:/etc/open.uid", "list:/dev", "fds", "pid",
                                                     "caps.bnd")],
                             ["1000", "box", "0", DEV, "0 1 2", "1", "0" * 16])
            self.assertIn("idmapped", facts["mounts:/.options"])
            self.assertNotIn("env.SHIMBOX_FDS", facts)
        self.assertEqual(os.stat(self.root / "etc/open").st_uid, 0)

    # ---- what must not happen ----

    def test_links_in_the_root(self):
        """Links of the root file system lead nowhere outside of it."""
        outside = self.place / "outside"
        (outside / "sub").mkdir(parents=True)
        (outside / "file").write_text("outside\n")
        before = snapshot(outside)
        (self.root / "absolute").symlink_to(outside)
        (self.root / "climbing").symlink_to("../../../../../.." + str(outside))
        (self.root / "secret").symlink_to(outside / "file")
        facts = self.inside("--proc", "--mount", "type=tmpfs,dst=/absolute/x", "--mount", "type=tmpfs,dst=/climbing/y",
                            "--mask", "/secret", "--readonly-path", "/absolute/sub", facts=["mounts"])
        self.assertEqual(set(mounts_of(facts)), {"/", "/proc", f"{outside}/x", f"{outside}/y"})
        self.assertTrue((self.root / str(outside)[1:] / "x").is_dir())
        self.assertEqual(snapshot(outside), before)
        (self.root / "dev").rmdir()
        (self.root / "dev").symlink_to(outside)
        self.inside("--device", "/dev/full", facts=["uid"])
        self.assertEqual(snapshot(outside), before)
        for name, option in (("proc", "--proc"), ("sys", "--sys")):
            (self.root / name).rmdir()
            (self.root / name).symlink_to(outside)
            self.refused(f"/{name} is a symbolic link in the root file system", option, "--pivot", self.root,
                         before=OWN)
        self.assertEqual(snapshot(outside), before)
        self.refused("mounting anything but proc on /proc is refused", "--mount", "type=tmpfs,dst=/proc", "--pivot",
                     self.relinked("proc"))

    def relinked(self, name):
        (self.root / name).unlink()
        (self.root / name).mkdir()
        return self.root

    def test_nothing_is_left(self):
        """Whichever mount cannot be attached, nothing of the others stays, and the root is as before."""
        options = ["--proc", "--dev", "--mask", "/etc/secret", "--readonly-path", "/data", self.root]
        old = snapshot(self.root)
        traced = ["strace", "-f", "-qqq", "-o", self.place / "trace"]
        done = self.run_command([*traced, "-e", "trace=move_mount", self.shimbox, "unshare", "-m", "--", self.tool, *options,
                                 "--", "true"])
        self.assertEqual((done.status, done.stderr), (0, ""), done)
        # The root, then proc, /dev, pts, shm, the mask, the read-only path; and the tree, in the other process.
        calls = [line.split()[0] for line in (self.place / "trace").read_text().splitlines() if "move_mount(" in line]
        child = [pid for pid in calls if pid == calls[0]]
        self.assertEqual((len(child), len(calls)), (7, 8), calls)
        self.assertEqual(snapshot(self.root), old)
        for number in range(1, 8):
            with self.subTest(number):
                done = self.run_command([*traced, "-e", f"inject=move_mount:error=EPERM:when={number}", self.shimbox,
                                         self.tool, *options])
                self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1), done)
                self.assertIn("Operation not permitted", done.stderr)
                self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), self.before)
                self.assertEqual(snapshot(self.root), old)
        # The process that mounts is killed.
        for call in ("fsmount", "open_tree"):
            done = self.run_command([*traced, "-e", f"inject={call}:signal=KILL:when=2", self.shimbox, self.tool, *options])
            self.assertEqual((done.status, done.stdout), (125, ""), done)
            self.assertEqual(done.stderr, "shimbox mount-tree: the process that mounts is gone: Broken pipe\n")
            self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), self.before)

    def test_wrong_usage(self):
        bad = self.place / "bad.json"
        bad.write_text('{"ociVersion": "1.1.0", "mounts": [{"destination": "x"}]}')
        listed = self.place / "list.json"
        listed.write_text("[]")
        rows = {
            ("--pivot", "--detached", self.root): "--pivot and --detached exclude each other",
            ("--mount", "type=tmpfs", self.root): '--mount: "type=tmpfs" has no dst=/ABSOLUTE/PATH',
            ("--mount", "dst=/x", self.root): '--mount: "dst=/x" has no type=',
            ("--mount", "type=bind,dst=/x", self.root): "is a bind mount without src=",
            ("--mount", "type=tmpfs,dst=/x,loop", self.root): "options: mount option loop is not supported",
            ("--mount", "type=bind,src=/,dst=/x,size=1", self.root): "mount option size=1 means nothing to a bind mount",
            ("--mount", "type=bind,src=/etc,dst=/x,idmap", self.root): "idmap needs uidMappings and gidMappings here",
            ("--mount", "type=tmpfs,dst=/x,unbindable", self.root): "an unbindable mount can only be had with --pivot",
            ("--mask", "x", self.root): 'options: /linux/maskedPaths/0: expected an absolute path, found "x"',
            ("--readonly-path", "", self.root): "options: /linux/readonlyPaths/0: expected text, found an empty string",
            ("--device", "/none", self.root): "cannot examine device /none: No such file or directory",
            ("--device", "/etc/passwd", self.root): "--device: /etc/passwd is not a device",
            ("--config", "/none", self.root): "cannot open /none: No such file or directory",
            ("--config", "-", self.root): "<stdin>:1:1: unexpected end of data",
            ("--config", bad, self.root): "bad.json: /mounts/0/destination: expected an absolute path",
            ("--config", listed, self.root): "list.json: expected an object",
        }
        made = self.place / "made"
        made.mkdir()
        for arguments, words in rows.items():
            with self.subTest(arguments):
                old = self.refused(words, *arguments)
                # All of it shows before the first link changes anything.
                self.refused(words, *arguments, before=["idmap-mount", "--map", "root", made, made, "--"])
                self.assertEqual(snapshot(self.root), old)
        for arguments, words in (([], "expected ROOT"), (["--pivot", self.root], "no command to go on with"),
                                 (["--proc", "-"], "no command to go on with")):
            done = self.stand_in(*arguments)
            self.assertEqual((done.status, done.stdout, done.stderr.count("\n")), (125, "", 1), done)
            self.assertIn(words, done.stderr)

    def test_what_is_refused_when_done(self):
        for options in (["--pivot"], ["--detached"], []):
            old = self.refused("cannot open root file system /none: No such file or directory", *options, "/none")
            self.refused("cannot open root file system /etc/passwd: Not a directory", *options, "/etc/passwd")
            self.assertEqual(snapshot(self.root), old)
        self.refused("no detached mount in the chain", "--proc", "-")
        self.refused("cannot mount /data: cannot open /none for mounting: No such file", "--dev", "--mount",
                     "type=bind,src=/none,dst=/data", self.root)
        self.refused("cannot mount /data: cannot open file system type nonefs: No such device", "--mount",
                     "type=nonefs,dst=/data", "--pivot", self.root)
        self.refused("cannot set option size=many of a new tmpfs", "--mount", "type=tmpfs,dst=/data,size=many", self.root)
        self.refused("/dev/full exists, and is not the device 1:7", "--device", "/dev/full", "--mount",
                     "type=tmpfs,dst=/dev", "--mount", "type=bind,src=/dev/null,dst=/dev/full", self.root)
        words = "unshare --map-root-user --mount --"
        for options in (["--pivot"], ["--detached"], []):
            self.refused(words, *options, "--dev", self.root, as_user=True)
        # Root of a user namespace in a mount namespace that is not its own.
        self.refused(words, "--dev", self.root, as_user=True, before=["unshare", "-r", "--"])
        self.refused("needs a new pid namespace", "--proc", "--pivot", self.root, as_user=True,
                     before=["unshare", "-r", "-m", "--"])
        self.refused("needs a new network namespace", "--sys", "--pivot", self.root, as_user=True,
                     before=["unshare", "-r", "-m", "--"])
        done = self.run_command([self.shimbox, self.tool, "--pivot", self.root, "--", "/none"])
        self.assertEqual((done.status, done.stdout), (127, ""), done)
