#!/usr/bin/env python3
"""spark: whose ids a function has, by root, an ordinary user, and inside a container.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import shutil
import subprocess

from spark import SparkTest, give_away, picture

NOBODY = ("shimbox spark: warning: the root file system cannot be idmapped here: its owners are nobody "
          "inside\n")
MAPS = ("read=/proc/self/uid_map", "read=/proc/self/gid_map", "read=/proc/self/setgroups")


def rows(facts):
    """The maps as lists of numbers, and whether groups may be set."""
    return tuple([[int(word) for word in line.split()] for line in facts[f"read:{path}"].split("\\n")[:-1]]
                 for path in ("/proc/self/uid_map", "/proc/self/gid_map")), facts["read:/proc/self/setgroups"][:-2]


class Root(SparkTest):
    def ask(self, options, *facts, **more):
        return self.good(options, "/bin/probe", *MAPS, "uid", "gid", *facts, **more).facts

    def test_ranges(self):
        whole = [[0, 100000, 65536]]
        for options, uids, gids in (
                ("", whole, whole),
                ("--root-uid 200000", [[0, 200000, 65536]], whole),
                ("--root-gid 300000 --root-uid 0", [[0, 0, 65536]], [[0, 300000, 65536]]),
                ("--uid-map 0:5000:10 --uid-map 20:7000:5 --gid-map 0:6000:100",
                 [[0, 5000, 10], [20, 7000, 5]], [[0, 6000, 100]])):
            with self.subTest(options):
                facts = self.ask(options)
                self.assertEqual(rows(facts), ((uids, gids), "allow"))
                self.assertEqual((facts["uid"], facts["uid.fs"], facts["gid"], facts["gid.fs"]), ("0",) * 4)

    def test_without_root(self):
        answer = self.call("--uid-map 1:5000:10 --gid-map 0:5000:10", "/bin/true")
        self.assertEqual((answer.status, answer.stdout), (125, b""))
        self.assertRegex(answer.stderr, r"\Ashimbox spark: /root/path: cannot make room for changes: Value too large for "
                                        r"(defined )?data type \(it takes the ids 0 in the maps\)\n\Z")

    def test_bundle_with_maps(self):
        """Its own are kept, unless others are asked for."""
        bundle = f"{self.dir}/mapped"
        os.mkdir(bundle)
        config = self.map_user(self.config(*MAPS), [(0, 400000, 1000)])
        pathlib.Path(bundle, "config.json").write_text(json.dumps(config))
        facts = self.good("", source=bundle).facts
        self.assertEqual(rows(facts)[0], ([[0, 400000, 1000]],) * 2)
        facts = self.good("--root-uid 500000", source=bundle).facts
        self.assertEqual(rows(facts)[0], ([[0, 500000, 65536]], [[0, 100000, 65536]]))

    def test_groups(self):
        """The callers' own are none of the function's, which may set some if it has the capability."""
        facts = self.good("", "/bin/probe", "groups", "setgroups=5").facts
        self.assertEqual((facts["groups"], facts["setgroups:5"]), ("", "EPERM"))
        bundle = f"{self.dir}/groups"
        os.mkdir(bundle)
        config = self.config("groups", "setgroups=5", "groups")
        config["process"]["user"]["additionalGids"] = [29]
        config["process"]["capabilities"] = {kind: ["CAP_SETGID"] for kind in ("bounding", "effective", "permitted")}
        pathlib.Path(bundle, "config.json").write_text(json.dumps(config))
        facts = self.good("", source=bundle).facts
        self.assertEqual((facts["groups"], facts["setgroups:5"]), (["29", "5"], "ok"))

    def test_streams(self):
        """Pipes that the function's root owns, and can open anew."""
        for options in ("", "--root-uid 200000 --root-gid 300000", "--uid-map 0:5000:10 --gid-map 0:1:1"):
            answer = self.good(options, "/bin/sh", "-c", "for i in 0 1 2; do stat -L -c '%F %u %g' /proc/self/fd/$i; done; "
                               "cat /dev/stdin; echo more >/dev/stdout; cat </proc/self/fd/0; echo >/dev/stderr -n",
                               data=b"given\n")
            self.assertEqual(answer.stdout, b"fifo 0 0\n" * 3 + b"given\nmore\n")

    def test_owners(self):
        """A root file system of the host's ids is seen with its owners; so is one of the function's."""
        facts = ("stat=/", "stat=/bin/busybox", "stat=/home/user", "mkdir=/new", "stat=/new", "chown=/new,5,6",
                 "chmod=/bin/busybox,0700", "unlink=/etc/hosts", "mount=/")
        own = f"{self.dir}/own"
        shutil.copytree(self.rootfs, own, symlinks=True)
        give_away(own, 100000)
        os.lchown(f"{own}/home/user", 101000, 101000)
        for title, options, source in (("host", "", self.rootfs), ("host, other ids", "--root-uid 200000", self.rootfs),
                                       ("mapped", "", own)):
            with self.subTest(title):
                before = picture(source)
                told = self.good(options, "/bin/probe", *facts, source=source).facts
                self.assertEqual([told[f"stat:{path}.uid"] for path in ("/", "/bin/busybox", "/home/user", "/new")],
                                 ["0", "0", "1000", "0"])
                self.assertEqual([told[key] for key in ("mkdir:/new", "chmod:/bin/busybox", "unlink:/etc/hosts",
                                                        "mount:/.type")], ["ok", "ok", "ok", "overlay"])
                told = self.good(f"--readonly {options}", "/bin/probe", *facts, source=source).facts
                self.assertEqual([told[f"stat:{path}.uid"] for path in ("/", "/bin/busybox", "/home/user")],
                                 ["0", "0", "1000"])
                self.assertEqual([told[key] for key in ("mkdir:/new", "chmod:/bin/busybox", "unlink:/etc/hosts")],
                                 ["EROFS"] * 3)
                self.assertEqual(picture(source), before)

    def test_without_capabilities(self):
        """Root that may not map ids is a user like others."""
        prefix = ("setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid")
        self.bad(125, "cannot map ids from 100000 on: Operation not permitted (it takes CAP_SETUID and CAP_SETGID; without "
                 "--root-uid and --root-gid the subordinate ids of the caller are used, or its own)",
                 "--root-gid 100000", "/bin/true", prefix=prefix)
        facts = self.ask("", prefix=prefix)
        self.assertEqual(facts["uid"], "0")
        self.assertEqual(rows(facts)[0][0][0][:2], [0, 0])


class Ordinary(SparkTest):
    def ask(self, options, *facts, **more):
        return self.good(options, "/bin/probe", *MAPS, "uid", "gid", *facts, as_user=True, **more).facts

    def test_subordinate_ids(self):
        user = self.need_user()
        facts = self.ask("", "stat=/bin/busybox", "groups", "mkdir=/new", "chown=/new,5,6", "mount=/", "unlink=/etc/hosts")
        (uids, gids), setgroups = rows(facts)
        self.assertEqual((uids[0], gids[0], uids[1][:2], gids[1][:2], setgroups),
                         ([0, user.uid, 1], [0, user.gid, 1], [1, user.subuid], [1, user.subgid], "allow"))
        self.assertEqual((facts["uid"], facts["groups"], facts["stat:/bin/busybox.uid"], facts["mkdir:/new"],
                          facts["unlink:/etc/hosts"]), ("0", "", "0", "ok", "ok"))
        self.assertEqual(facts["mount:/.type"], "overlay")
        self.assertIn("userxattr", facts["mount:/.super"])
        self.assertTrue(os.path.exists(f"{self.user_rootfs}/etc/hosts"))

    def test_one_id(self):
        """Without subordinate ids, or when asked so: itself, and groups stay as they are."""
        user = self.need_user()
        other = ("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups")
        state = f"{self.dir}/other-state"
        os.mkdir(state)
        os.chown(state, 54321, 54321)
        os.chmod(self.user_rootfs, 0o755)
        command = self.command("", "/bin/probe", *MAPS, "uid", "mkdir=/tmp/new", source=self.user_rootfs)
        command[2] = state
        done = subprocess.run([*other, *command], stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd="/",
                              timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        text = done.stdout.decode()
        self.assertEqual([line.split() for line in text.split("\n")[0].partition("=")[2].split("\\n")[:-1]],
                         [["0", "54321", "1"]])
        self.assertIn("setgroups=deny", text)
        self.assertIn("uid=0\n", text)
        facts = self.ask(f"--uid-map 0:{user.uid}:1 --gid-map 0:{user.gid}:1", "mkdir=/new", "setgroups=0")
        self.assertEqual(rows(facts), (([[0, user.uid, 1]], [[0, user.gid, 1]]), "deny"))
        self.assertEqual((facts["mkdir:/new"], facts["setgroups:0"]), ("ok", "EPERM"))

    def test_refused(self):
        self.need_user()
        self.bad(125, "cannot map ids from 100000 on: Operation not permitted (it takes CAP_SETUID and CAP_SETGID; without "
                 "--root-uid and --root-gid the subordinate ids of the caller are used, or its own)",
                 "--root-uid 100000", "/bin/true", as_user=True)
        answer = self.call("--uid-map 0:0:1", "/bin/true", as_user=True)
        self.assertEqual((answer.status, answer.stdout, answer.stderr.count("\n")), (125, b"", 1), answer)

    def test_works_like_roots(self):
        """Streams, changes in a directory of its own, an end by time and one by bytes."""
        self.need_user()
        self.assertEqual(self.good("", "/bin/cat", data=b"x" * 70000, as_user=True).stdout, b"x" * 70000)
        answer = self.good("", "/bin/sh", "-c", "stat -L -c '%F %u %g' /proc/self/fd/0; echo x >/dev/stdout", as_user=True)
        self.assertEqual(answer.stdout, b"fifo 0 0\nx\n")
        self.good(f"--scratch {self.user_scratch}", "/bin/sh", "-c",
                  "mkdir -p /a/b/c; touch /a/b/c/d; chmod 0 /a/b/c /a/b; rm -r /etc; mkdir /etc",
                  as_user=True)
        self.bad(124, "the function was ended: it has not ended within 0.1 s", "--timeout 100ms", "sleep", "60", as_user=True)
        answer = self.call("--max-stdio-bytes 1", "/bin/sh", "-c", "printf 12; exec sleep 60", as_user=True)
        self.assertEqual((answer.status, answer.stdout), (123, b"1"), answer)


class Nested(SparkTest):
    """In a container, where a new proc and sysfs may not be had: what is to be done is found out."""

    FORMS = {"SETFCAP": ["SETFCAP"], "SYS_ADMIN": ["SETFCAP", "SYS_ADMIN"],
             "all": ["SETFCAP", "SYS_ADMIN", "SETUID", "SETGID", "CHOWN", "DAC_OVERRIDE", "SETPCAP", "KILL"]}

    def outer(self, capabilities, line, mapped):
        config = self.config()
        if mapped:
            self.map_user(config, [(0, 100000, 65536)])
        config["process"]["args"] = ["/bin/sh", "-c", line]
        config["process"]["capabilities"] = {
            kind: [f"CAP_{name}" for name in capabilities] for kind in ("bounding", "effective", "permitted")}
        config["linux"]["maskedPaths"] = ["/proc/kcore", "/proc/scsi", "/proc/bus", "/proc/fs"]
        config["mounts"] += [{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
                             {"destination": "/inner", "type": "bind", "source": self.rootfs, "options": ["bind", "ro"]},
                             {"destination": "/run", "type": "tmpfs", "source": "tmpfs"}]
        os.makedirs(f"{self.rootfs}/inner", exist_ok=True)
        return self.bring_shimbox(config)

    def test_forms(self):
        for mapped in (False, True):
            for title, capabilities in self.FORMS.items():
                with self.subTest(title, mapped=mapped):
                    inner = "/bin/probe uid pid ppid stat=/bin/busybox exists=/proc/self mkdir=/tmp/new list=/proc/self/fd"
                    line = (f"head -c 100000 /dev/zero | tr '\\0' x | /shimbox --root /run/s spark /inner -- /bin/sh -c "
                            f"'wc -c; exec {inner}'; echo status=$?; ls -A /run; cat /proc/self/mountinfo | wc -l")
                    before = self.run_config(self.outer(capabilities, "cat /proc/self/mountinfo | wc -l", mapped))
                    result = self.run_config(self.outer(capabilities, line, mapped))
                    # What the host owns is nobody's in the outer one, and can be nothing else in the inner.
                    strange = mapped and "SYS_ADMIN" in capabilities
                    self.assertEqual((result.status, result.stderr), (0, NOBODY if strange else ""), result)
                    lines = result.stdout.splitlines()
                    self.assertEqual(lines[0], "100000")
                    self.assertEqual((result.facts["status"], result.facts["uid"], result.facts["mkdir:/tmp/new"],
                                      result.facts["exists:/proc/self"]), ("0", "0", "ok", "yes"))
                    self.assertEqual(lines[lines.index("status=0") + 1:], [before.stdout.strip()])

    def test_requests(self):
        """One after another in one worker, and with only the rights that one takes."""
        requests = "".join(json.dumps({"id": number, "args": ["/bin/probe", "uid"]}) + "\\n" for number in range(3))
        for mapped in (False, True):
            with self.subTest(mapped=mapped):
                line = f"printf '{requests}' | /shimbox --root /run/s spark --requests /inner"
                result = self.run_config(self.outer(self.FORMS["all"], line, mapped))
                answers = [json.loads(line) for line in result.stdout.splitlines()]
                self.assertEqual([(answer["id"], answer["exit"], answer["output"].split("\n")[0]) for answer in answers],
                                 [(number, 0, "uid=0") for number in range(3)], result)
                self.assertEqual(set(result.stderr.splitlines(True)) - {NOBODY}, set())
