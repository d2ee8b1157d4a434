#!/usr/bin/env python3
"""spec: each option, each error; runc and the schema are beside it.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from shimbox import SHIMBOX, run_spec

UID, GID = os.getuid(), os.getgid()
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def kinds(document):
    return [namespace["type"] for namespace in document["linux"]["namespaces"]]


def mount_of(document, destination):
    found, = [mount for mount in document["mounts"] if mount["destination"] == destination]
    return found


def triples(maps):
    return [(m["containerID"], m["hostID"], m["size"]) for m in maps]


class Case(unittest.TestCase):
    """A folder of its own, which is where spec runs."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def write(self, name, text):
        (self.dir / name).write_text(text)

    def read(self, name="config.json"):
        return json.loads((self.dir / name).read_bytes())

    def spec(self, *arguments, stdin=b""):
        return run_spec(*arguments, stdin=stdin, cwd=self.dir)

    def mode(self, name):
        return (self.dir / name).stat().st_mode & 0o7777

    def ask(self, *arguments):
        """The specification with these options, which must not complain."""
        done = self.spec("-o", "-", *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done)
        return json.loads(done.stdout)

    def refused(self, want, *arguments, stdin=b"", prefix="shimbox spec: "):
        """Fails with this one line on standard error, status 2, no output, no file."""
        done = self.spec(*arguments, stdin=stdin)
        self.assertEqual((done.returncode, done.stdout, done.stderr.decode()), (2, b"", f"{prefix}{want}\n"), done)
        self.assertFalse((self.dir / "config.json").exists())

    def refused_config(self, want, text):
        """The same for a config.json given as text."""
        self.refused(want, "--config", "-", stdin=text.encode() + b"\n", prefix="shimbox spec: <stdin>")


class Files(Case):
    """Where it is written."""

    def test_without_options(self):
        """config.json, mode 600, and never twice."""
        done = self.spec()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertEqual(self.mode("config.json"), 0o600)
        self.assertEqual(self.read()["ociVersion"], "1.1.0")
        before = (self.dir / "config.json").read_bytes()
        done = self.spec("--readonly")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertRegex(done.stderr, rb"\Ashimbox spec: .*config\.json: File exists")
        self.assertEqual((self.dir / "config.json").read_bytes(), before)
        self.assertEqual(os.listdir(self.dir), ["config.json"])

    def test_stable(self):
        """Indented, and it ends with a newline."""
        for name, options in (("one", ()), ("two", ()), ("three", ("--config", "one"))):
            self.assertEqual(self.spec(*options, "-o", name).returncode, 0)
        text = (self.dir / "one").read_bytes()
        self.assertEqual((self.dir / "two").read_bytes(), text)
        self.assertEqual((self.dir / "three").read_bytes(), text)
        self.assertEqual(text.splitlines()[1], b'  "ociVersion": "1.1.0",')
        self.assertEqual(text[-2:], b"}\n")

    def test_bundle_and_output(self):
        (self.dir / "bundle").mkdir()
        done = self.spec("-b", "bundle")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertGreater((self.dir / "bundle/config.json").stat().st_size, 0)
        self.assertEqual(self.spec("--output", "other.json").returncode, 0)
        self.assertEqual(self.mode("other.json"), 0o600)
        self.assertFalse((self.dir / "config.json").exists())
        self.assertEqual(self.spec("-o", "other.json").returncode, 2)
        done = self.spec("-b", "nowhere")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"nowhere/config.json: No such file or directory", done.stderr)
        self.refused("--bundle and --output FILE exclude each other", "-b", "bundle", "-o", "x")

    def test_full(self):
        """Standard output that is full: status 2."""
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SHIMBOX, "spec", "-o", "-"], stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, cwd=self.dir, check=False)
        self.assertEqual((done.returncode, done.stderr), (
            2, b"shimbox spec: cannot write standard output: No space left on device\n"))


class Default(Case):
    """What it holds."""

    def test_default(self):
        document = self.ask()
        process, linux = document["process"], document["linux"]
        self.assertEqual(
            [process["terminal"], process["user"]["uid"], process["user"]["gid"], process["args"], process["env"],
             process["cwd"], process["noNewPrivileges"]], [False, 0, 0, ["sh"], [PATH], "/", True])
        three = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        self.assertEqual(process["capabilities"], {"bounding": three, "effective": three, "permitted": three})
        self.assertEqual(process["rlimits"], [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}])
        self.assertEqual((document["root"]["path"], document["root"]["readonly"], document["hostname"]),
                         ("rootfs", False, "shimbox"))
        self.assertEqual([f"{mount['destination']} {mount['type']}" for mount in document["mounts"]], [
            "/proc proc", "/dev tmpfs", "/dev/pts devpts", "/dev/shm tmpfs", "/dev/mqueue mqueue", "/tmp tmpfs",
            "/sys sysfs", "/sys/fs/cgroup cgroup"])
        for place in ("/tmp", "/dev/shm"):
            self.assertIn("mode=1777", mount_of(document, place)["options"])
        self.assertEqual(linux["resources"], {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 32768}})
        self.assertEqual(kinds(document), ["pid", "ipc", "uts", "mount", "cgroup", "network"])
        masked = {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                  "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/fs/selinux",
                  "/sys/dev/block"}
        self.assertEqual(masked - set(linux["maskedPaths"]), set())
        self.assertEqual(len(linux["maskedPaths"]), 12)
        self.assertEqual(linux["readonlyPaths"], [
            "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"])


class Config(Case):
    """--config."""

    def test_kept(self):
        """It keeps what shimbox does not know, and large numbers."""
        self.write("in.json", """\
{"ociVersion": "1.0.2-dev", "process": {"cwd": "/", "args": ["a"], "newField": [1.50, {"x": null}]},
 "vendor": {"π": "é\\u0001/"}, "linux": {"resources": {"memory": {"limit": -1}},
 "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
 "args": [{"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}]}}}
""")
        done = self.spec("-o", "-", "--config", "in.json", "--cwd", "/new")
        self.assertEqual((done.returncode, done.stderr), (0, b""), done)
        self.assertIn(b"18446744073709551615", done.stdout)
        self.assertIn(b"1.50", done.stdout)
        expected = self.read("in.json")
        expected["process"]["cwd"] = "/new"
        self.assertEqual(json.loads(done.stdout), expected)
        done = self.spec("--config", "-", "-o", "-", stdin=(self.dir / "in.json").read_bytes())
        self.assertEqual(done.returncode, 0)
        self.refused("--config and --rootless exclude each other", "--config", "in.json", "--rootless")
        self.refused("--config and --nested exclude each other", "--config", "in.json", "--nested")
        self.refused("cannot open missing: No such file or directory", "--config", "missing")
        self.refused("--config and --image-config cannot both be standard input", "--config", "-",
                     "--image-config", "-")

    def test_bad_json(self):
        """Named with line and column."""
        for want, text in (
                (":1:1: unexpected end of data", ""),
                (":1:6: unexpected character", '{"a":}'),
                (':2:6: duplicate key "b"', '{"b":1,\n     "b":2}'),
                (':1:26: duplicate key "\\u0062"', '{"a":{"b":1},"a2":{"b":1,"\\u0062":2}}'),
                (":1:9: unexpected character", '{"a":1} x'),
                (":1:7: \\u0000 in a string", '{"a":"\\u0000"}'),
                (":1:6: NaN and Infinity are not JSON", '{"a":NaN}'),
                (":1:2: strings have double quotes", "{'a':1}"),
                (":1:65: nested too deeply", "[" * 70)):
            with self.subTest(text=text):
                self.refused_config(want, text)

    def test_wrong_values(self):
        """Named with their pointer."""
        process = '"process":{"cwd":"/"'
        ids = '[{"containerID":0,"hostID":1,"size":1}]'
        for want, text in (
                (": expected an object, found an array", "[]"),
                (": /ociVersion: missing", "{}"),
                (': /ociVersion: expected a version 1.x.y, found "2.0.0"', '{"ociVersion":"2.0.0"}'),
                (": /process/cwd: missing", '{"ociVersion":"1.0.0","process":{}}'),
                (': /process/cwd: expected an absolute path, found "tmp"',
                 '{"ociVersion":"1.0.0","process":{"cwd":"tmp"}}'),
                (": /process/user/uid: expected a number from 0 to 4294967294, found a string",
                 '{"ociVersion":"1.0.0",' + process + ',"user":{"uid":"0"}}}'),
                (": /process/user/gid: expected a number from 0 to 4294967294, found 4294967295",
                 '{"ociVersion":"1.0.0",' + process + ',"user":{"gid":4294967295}}}'),
                (': /process/env/1: expected NAME=VALUE, found "=b"',
                 '{"ociVersion":"1.0.0",' + process + ',"env":["A=","=b"]}}'),
                (": /process/args: expected at least one string, found an empty array",
                 '{"ociVersion":"1.0.0",' + process + ',"args":[]}}'),
                (': /process/rlimits/0/type: unknown resource limit "RLIMIT_X"',
                 '{"ociVersion":"1.0.0",' + process + ',"rlimits":[{"type":"RLIMIT_X","soft":1,"hard":1}]}}'),
                (": /linux/namespaces/1/type: pid is listed twice",
                 '{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"pid"},{"type":"pid"}]}}'),
                (": /hostname: needs a uts namespace in /linux/namespaces", '{"ociVersion":"1.0.0","hostname":"x"}'),
                (": /linux/uidMappings: needs a user namespace in /linux/namespaces",
                 '{"ociVersion":"1.0.0","linux":{"uidMappings":' + ids + ',"gidMappings":' + ids + "}}")):
            with self.subTest(text=text):
                self.refused_config(want, text)


class Options(Case):
    """What changes the default."""

    def test_rootless(self):
        """A user namespace for the caller, and no limits."""
        document = self.ask("--rootless")
        self.assertIn("user", kinds(document))
        self.assertIsNone(document["linux"].get("resources"))
        self.assertEqual(document["linux"]["uidMappings"][0], {"containerID": 0, "hostID": UID, "size": 1})
        self.assertEqual(document["linux"]["gidMappings"][0], {"containerID": 0, "hostID": GID, "size": 1})

    def test_rootless_nested(self):
        """Both."""
        document = self.ask("--rootless", "--nested")
        self.assertIn("user", kinds(document))
        self.assertIsNone(document["linux"].get("resources"))
        self.assertEqual([mount_of(document, place)["type"] for place in ("/proc", "/sys")], ["bind", "bind"])

    def test_nested(self):
        """/proc and /sys of the outside."""
        document = self.ask("--nested")
        for place in ("/proc", "/sys"):
            mount = mount_of(document, place)
            self.assertEqual((mount["type"], mount["source"]), ("bind", place))
            self.assertIn("rbind", mount["options"])

    def test_plain_values(self):
        """--rootfs, --readonly, --hostname, --cwd, --annotation."""
        self.assertEqual(self.ask("--rootfs", "/srv/x", "--readonly")["root"], {"path": "/srv/x", "readonly": True})
        self.assertEqual(self.ask("--hostname", "box")["hostname"], "box")
        self.assertEqual(self.ask("--cwd", "/tmp")["process"]["cwd"], "/tmp")
        self.assertEqual(self.ask("--annotation", "a=b=c", "--annotation", "d.e/f=")["annotations"],
                         {"a": "b=c", "d.e/f": ""})
        self.refused("--rootfs: the path is empty", "--rootfs", "")
        self.refused("--hostname: the name is empty", "--hostname", "")
        self.refused("config.json: /hostname: longer than 64 bytes", "--hostname", "x" * 65)
        self.refused('--cwd: expected an absolute path, found "tmp"', "--cwd", "tmp")
        self.refused('--annotation: expected KEY=VALUE, found "a"', "--annotation", "a")
        self.refused('--annotation: expected KEY=VALUE, found "=a"', "--annotation", "=a")

    def test_cpu_and_memory(self):
        for text, want in (("500m", {"shares": 512, "quota": 50000, "period": 100000}),
                           ("1m", {"shares": 2, "quota": 1000, "period": 100000}),
                           ("300", {"shares": 262144, "quota": 30000000, "period": 100000})):
            self.assertEqual(self.ask("--cpu", text)["linux"]["resources"]["cpu"], want)
        self.assertEqual(self.ask("--memory", "0.1Gi")["linux"]["resources"]["memory"], {"limit": 107374183})
        self.assertEqual(sorted(self.ask("--memory", "1")["linux"]["resources"]), ["devices", "memory", "pids"])
        self.refused('--cpu: "1K" has the unknown suffix "K"', "--cpu", "1K")
        self.refused('--cpu: "" is not a quantity such as 500m, 1.5 or 64Mi', "--cpu", "")
        self.refused('--cpu: "0" is not more than 0', "--cpu", "0")
        self.refused('--memory: "-1" is not more than 0', "--memory=-1")
        self.refused('--memory: "8Ei" is too much', "--memory", "8Ei")
        self.refused('--cpu: "1E" is too much', "--cpu", "1E")

    def test_host_network(self):
        document = self.ask("--host-network")
        self.assertNotIn("network", kinds(document))
        self.assertEqual(document["mounts"][-1], {
            "destination": "/etc/resolv.conf", "type": "bind", "source": "/etc/resolv.conf", "options": ["rbind", "ro"]})
        self.assertEqual(mount_of(document, "/sys")["type"], "sysfs")
        self.assertEqual(mount_of(self.ask("--host-network", "--map", "root"), "/sys")["type"], "bind")
        self.write("in.json", '{"ociVersion":"1.0.0"}\n')
        self.assertEqual(len(self.ask("--config", "in.json", "--host-network")["mounts"]), 1)

    def test_env_and_tty(self):
        """The last value counts."""
        process = self.ask("--env", "A=1", "-e", "B=", "--env", "A=2", "--env", "PATH=/x")["process"]
        self.assertEqual(process["env"], ["PATH=/x", "A=2", "B="])
        process = self.ask("--tty")["process"]
        self.assertEqual((process["terminal"], process["env"][1]), (True, "TERM=xterm"))
        self.assertEqual(self.ask("-t", "--env", "TERM=dumb")["process"]["env"], [PATH, "TERM=dumb"])
        for text in ("A", "=A", ""):
            self.refused(f'--env: expected NAME=VALUE, found "{text}"', "--env", text)

    def test_capabilities(self):
        """--cap-add and --cap-drop."""
        def of(*options):
            return self.ask(*options)["process"]["capabilities"]

        found = of("--cap-add", "CHOWN", "--cap-add", "cap_kill", "--cap-drop", "net_bind_service")
        self.assertEqual(found["bounding"], ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_CHOWN"])
        self.assertEqual((found["effective"], found["permitted"]), (found["bounding"], found["bounding"]))
        bounding = of("--cap-add", "ALL")["bounding"]
        self.assertEqual((len(bounding), len(set(bounding))), (41, 41))
        self.assertEqual(of("--cap-drop", "all"), {"bounding": [], "effective": [], "permitted": []})
        self.assertEqual(of("--cap-drop", "ALL", "--cap-add", "CAP_CHOWN")["bounding"], ["CAP_CHOWN"])
        bounding = of("--cap-add", "ALL", "--cap-drop", "KILL")["bounding"]
        self.assertEqual(len(bounding), 40)
        self.assertNotIn("CAP_KILL", bounding)
        self.refused('--cap-add: unknown capability "CAP_X"', "--cap-add", "CAP_X")
        self.refused('--cap-drop: unknown capability ""', "--cap-drop", "")
        self.refused("--cap-add and --cap-drop name the same capability", "--cap-add", "KILL", "--cap-drop", "CAP_KILL")
        # --cap-drop takes from the inheritable and ambient sets of --config too.
        self.write("in.json", '{"ociVersion":"1.0.0","process":{"cwd":"/","capabilities":'
                              '{"ambient":["CAP_KILL","CAP_CHOWN"],"inheritable":["CAP_KILL"]}}}\n')
        found = of("--config", "in.json", "--cap-drop", "KILL")
        self.assertEqual((found["ambient"], found["inheritable"]), (["CAP_CHOWN"], []))

    def test_mount(self):
        for text, want in (
                ("type=bind,src=/a,dst=/b,ro",
                 {"destination": "/b", "type": "bind", "source": "/a", "options": ["ro", "rbind"]}),
                ("type=bind,source=/a,target=/b,bind,readonly",
                 {"destination": "/b", "type": "bind", "source": "/a", "options": ["bind", "ro"]}),
                ("type=tmpfs,destination=/b,size=1m,mode=700",
                 {"destination": "/b", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "mode=700"]})):
            self.assertEqual(self.ask("--mount", text)["mounts"][-1], want)
        mounts = self.ask("--mount", '"src=/a,b",type=bind,"dst=/c""d"', "--mount", "src=/e,rbind,dst=/f")["mounts"]
        self.assertEqual([mount["source"] for mount in mounts[-2:]], ["/a,b", "/e"])
        for text, want in (
                ("type=bind,dst=/b", "is a bind mount without src="),
                ("type=tmpfs", "has no dst=/ABSOLUTE/PATH"),
                ("type=tmpfs,dst=b", "has no dst=/ABSOLUTE/PATH"),
                ("dst=/b", "has no type="),
                ("type=a,type=b,dst=/b", "gives type twice"),
                ("type=,dst=/b", "has an empty type"),
                ("type=a,,dst=/b", "has an empty part"),
                ("", "has an empty part"),
                ('"type=a,dst=/b', "has a wrong quote")):
            self.refused(f'--mount: "{text}" {want}', "--mount", text)

    def test_arguments(self):
        """-- ARG..."""
        self.assertEqual(self.ask("--", "a", "-b", "--output", "", "c d")["process"]["args"],
                         ["a", "-b", "--output", "", "c d"])
        self.refused('unexpected "sh": a command stands behind --', "sh")
        self.refused("no command behind --", "--")
        self.refused("config.json: /process/args/0: expected a program, found an empty string", "--", "")

    def test_not_utf8(self):
        """Arguments that are not UTF-8 do not make bad JSON."""
        done = self.spec("--", b"\xff")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, rb"\Ashimbox spec: config\.json:.*: not UTF-8\n\Z")
        self.assertFalse((self.dir / "config.json").exists())

    def test_unknown(self):
        done = self.spec("--nosuch")
        self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (2, b"", 1))
        self.assertIn(b"--nosuch", done.stderr)


class Ids(Case):
    """Maps of ids."""

    def test_maps(self):
        linux = self.ask("-u", "0:100000:10,10:5:1", "-u", "11:6:1", "-g", "0:7:1")["linux"]
        self.assertEqual(linux["uidMappings"], [
            {"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 10, "hostID": 5, "size": 1},
            {"containerID": 11, "hostID": 6, "size": 1}])
        self.assertEqual(linux["gidMappings"], [{"containerID": 0, "hostID": 7, "size": 1}])
        self.assertEqual(linux["namespaces"][-1]["type"], "user")
        self.assertEqual(self.ask("--map", "current")["linux"]["uidMappings"],
                         [{"containerID": UID, "hostID": UID, "size": 1}])
        for want, options in (
                ("--uid-map needs --gid-map as well", "-u 0:1:1"),
                ("--gid-map needs --uid-map as well", "-g 0:1:1"),
                ("--map and --uid-map or --gid-map exclude each other", "-u 0:1:1 --map root"),
                ('unknown map "x": expected auto, root, current or subids', "--map x"),
                ('uid map: expected CONTAINER:HOST:SIZE[,...], found "0:1"', "-u 0:1 -g 0:1:1"),
                ("uid map: 0:4294967296:1 goes beyond the last id, 4294967294", "-u 0:4294967296:1 -g 0:1:1"),
                ("gid map: 0:1:0 has a size of 0", "-u 0:1:1 -g 0:1:0"),
                ("uid map: 0:1:2 and 1:5:1 overlap in their container ids", "-u 0:1:2,1:5:1 -g 0:1:1")):
            self.refused(want, *options.split())

    def with_tables(self, subuid, subgid, *options):
        """Run spec with these files as /etc/passwd, subuid and subgid."""
        self.write("subuid", subuid)
        self.write("subgid", subgid)
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", """
             folder=$PWD
             mount -t tmpfs tmpfs /etc || exit 99
             cp "$folder/subuid" "$folder/subgid" /etc/
             echo root:x:0:0:::/bin/sh >/etc/passwd
             exec "$@" """, "sh", SHIMBOX, "spec", "-o", "-", *options],
            capture_output=True, text=True, cwd=self.dir, check=False, stdin=subprocess.DEVNULL)

    @unittest.skipUnless(UID == 0, f"id -u says {UID}: needs root for a mount namespace")
    def test_subordinate(self):
        """--map auto and subids: subordinate ids, by name and by number."""
        tables, groups = "root:100000:10\nother:7:1\n# 0:9:9\n0:200000:5\n0:100000:10\n", "root:300000:3\n"
        done = self.with_tables(tables, groups, "--map", "auto")
        self.assertEqual(done.returncode, 0, done)
        linux = json.loads(done.stdout)["linux"]
        self.assertEqual(triples(linux["uidMappings"]), [(0, 0, 1), (1, 100000, 10), (11, 200000, 5)])
        self.assertEqual(triples(linux["gidMappings"]), [(0, 0, 1), (1, 300000, 3)])
        for second, options, want in ((groups, ("--map", "subids"), [(100000, 100000, 10), (200000, 200000, 5)]),
                                      ("", ("--rootless",), [(0, 0, 1)])):
            done = self.with_tables(tables, second, *options)
            self.assertEqual(triples(json.loads(done.stdout)["linux"]["uidMappings"]), want, done)
        for first, second, kind, want in (
                (tables, "", "subids", "/etc/subgid gives the caller (uid 0) no ids"),
                ("root:5:x\n", "", "auto", "/etc/subuid:1: expected NAME:FIRST:COUNT"),
                ("root:100:10\nroot:105:10\n", "root:1:1\n", "auto",
                 "uid map: 1:100:10 and 11:105:10 overlap in their host ids")):
            done = self.with_tables(first, second, "--map", kind)
            self.assertEqual((done.returncode, done.stderr), (2, f"shimbox spec: {want}\n"), done)


class Users(Case):
    """--user, and what an image says."""

    def test_image_config(self):
        self.write("image.json", """\
{"architecture": "amd64", "config": {"Entrypoint": ["/e", "1"], "Cmd": ["2"], "Env": ["A=1", "PATH=/p", "A=2"],
 "WorkingDir": "/w", "Hostname": "h", "User": "5:6"}}
""")
        image = ("--image-config", "image.json")
        process = self.ask(*image)["process"]
        self.assertEqual((process["args"], process["env"], process["cwd"], process["user"]),
                         (["/e", "1", "2"], ["PATH=/p", "A=2"], "/w", {"uid": 5, "gid": 6}))
        document = self.ask(*image, "--hostname", "x", "--cwd", "/y", "--user", "7", "--", "arg")
        process = document["process"]
        self.assertEqual((document["hostname"], process["args"], process["cwd"], process["user"]["uid"]),
                         ("x", ["arg"], "/y", 7))
        self.write("image.json", '{"CONFIG": {"cmd": ["c"], "env": null, "WORKINGDIR": ""}}\n')
        process = self.ask(*image)["process"]
        self.assertEqual((process["args"], process["cwd"]), (["c"], "/"))
        for text, want in (
                ("{}", "the image has neither an entry point nor a command"),
                ('{"Cmd": ["c"], "Env": ["=x"]}', '/config/Env/0: expected NAME=VALUE, found "=x"'),
                ('{"Cmd": ["c"], "WorkingDir": "w"}', '/config/WorkingDir: expected an absolute path, found "w"'),
                ('{"Cmd": "c"}', "/config/Cmd: expected an array, found a string"),
                ('{"Cmd": ["c"], "cmd": ["d"]}', "/config/cmd: is there twice, in different cases"),
                ('{"Cmd": ["c"], "User": "nobody"}', 'unknown user "nobody": etc/passwd does not exist')):
            self.write("image.json", f'{{"config": {text}}}\n')
            self.refused(f"image.json: {want}", *image)

    def test_tables(self):
        """--user with --passwd and --group."""
        self.write("passwd", "root:x:0:0::/:\nann:x:10:20:Ann:/home:/bin/sh\n")
        self.write("group", "wheel:x:30:bob,ann\nstaff:x:40:\n")
        both = ("--passwd", "passwd", "--group", "group")
        self.assertEqual(self.ask(*both, "--user", "ann")["process"]["user"],
                         {"uid": 10, "gid": 20, "additionalGids": [30]})
        for want, options in (
                ('unknown user "bob": passwd has no such name', ("--passwd", "passwd", "--user", "bob")),
                ('unknown group "x": group has no such name', (*both, "--user", "ann:x")),
                ('the user "a:b:c" has more than one colon', ("--user", "a:b:c")),
                ("the user is empty", ("--user", "")),
                ("the group is empty", ("--user", "5:")),
                ("the user id 4294967295 is more than 4294967294", ("--user", "4294967295")),
                ("--passwd and --group need --user or --image-config", ("--passwd", "passwd")),
                ("cannot open nopasswd: No such file or directory", ("--passwd", "nopasswd", "--user", "ann"))):
            self.refused(want, *options)

    def test_rootfs(self):
        """--user looks into the rootfs and never out of it."""
        etc = self.dir / "b/rootfs/etc"
        etc.mkdir(parents=True)
        (etc / "real").write_text("in:x:1:2:::\n")
        self.write("real", "out:x:3:4:::\n")
        (etc / "passwd").symlink_to("/etc/real")
        self.assertEqual(self.spec("-b", "b", "--user", "in").returncode, 0)
        self.assertEqual(self.read("b/config.json")["process"]["user"], {"uid": 1, "gid": 2})
        (self.dir / "b/config.json").unlink()
        (etc / "passwd").unlink()
        (etc / "passwd").symlink_to(self.dir / "real")
        done = self.spec("-b", "b", "--user", "out")
        self.assertEqual((done.returncode, done.stderr), (
            2, b'shimbox spec: unknown user "out": etc/passwd does not exist\n'))
        self.assertFalse((self.dir / "b/config.json").exists())

    def test_bad_lines(self):
        """Passed over with a warning."""
        self.write("passwd", '+::::::\nann:x:10:20:"Ann:/home:/bin/sh\nbad\n')
        done = self.spec("--passwd", "passwd", "--user", "ann")
        self.assertEqual((done.returncode, done.stderr), (
            0, b"shimbox spec: warning: passwd: lines passed over that make no sense: 1, the first is line 1\n"))
        self.assertEqual(self.read()["process"]["user"], {"uid": 10, "gid": 20})


if __name__ == "__main__":
    unittest.main()
