#!/usr/bin/env python3
"""Users: the six forms against a model, odd tables, and tables of a million lines.
SPDX-License-Identifier: Apache-2.0
"""

import fcntl
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from shimbox import SHIMBOX, make_spec, run_spec

PASSWD = """\
# comment
root:x:0:0:root:/root:/bin/sh
  ann: :1000:1000:Ann:/home/ann:/bin/sh
 bob:x:1001:100:Bob "the" builder:/home/bob:/bin/sh
alias:x:1000:50::/:
ann:x:7:7:the second one:/:
+::::::
minus:x:-2:1:::
short:x:5
four:x:4:44
big:x:4294967295:1:::
1234:x:8:8:a name of digits::

last:x:9:9::/l:/bin/sh"""

GROUP = """\
root:x:0:root
users:x:100:ann,bob
wheel:x:10:bob,,nobody
dup:x:20:bob,bob
again:x:10:bob
private:x:1000:ann
wheel:x:99:ann
three:x:30
bad:x:y:bob
55:x:56:ann\r
"""

# text: (uid, gid, additional gids), None: refused
FORMS = {
    "0": (0, 0, []),
    "root": (0, 0, []),
    "bob": (1001, 100, [10, 20]),
    "bob:users": (1001, 100, [10, 20]),
    "bob:wheel": (1001, 10, [20]),
    "bob:5": (1001, 5, [10, 20]),
    "bob:20": (1001, 20, [10]),
    "1001": (1001, 100, [10, 20]),
    "1001:wheel": (1001, 10, [20]),
    "1001:10": (1001, 10, []),
    "4242": (4242, 0, []),
    "4242:three": (4242, 30, []),
    "alias": (1000, 50, []),
    "four": (4, 44, []),
    "last": (9, 9, []),
    "1234": (1234, 0, []),
    "0007": (7, 7, [100, 1000, 99, 56]),
    "ann": (1000, 1000, [100, 99, 56]),
    "4294967294:4294967294": (4294967294, 4294967294, []),
    "4294967295": None,
    "4294967296": None,
    "0:4294967295": None,
    "99999999999999999999": None,
    "minus": None,
    "short": None,
    "big": None,
    "+": None,
    "+5": None,
    "-1": None,
    "0x1": None,
    "1x": None,
    " 5": None,
    "": None,
    ":": None,
    "bob:": None,
    ":5": None,
    "bob:nobody": None,
    "bob:bad": None,
    "nobody": None,
    "1:2:3": None,
    "a" * 300: None,
}


def found(document):
    user = document["process"]["user"]
    return user["uid"], user["gid"], user.get("additionalGids", [])


class User(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.etc = pathlib.Path(self.folder.name, "rootfs", "etc")
        self.etc.mkdir(parents=True)

    def spec(self, *arguments):
        return run_spec("-b", self.folder.name, "-o", "-", *arguments)

    def test_forms(self):
        (self.etc / "passwd").write_text(PASSWD)
        (self.etc / "group").write_text(GROUP)
        for text, want in FORMS.items():
            with self.subTest(text=text):
                done = self.spec("--user=" + text)
                if want is None:
                    self.assertEqual((done.returncode, done.stdout), (2, b""))
                    self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
                    continue
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(found(json.loads(done.stdout)), want)

    def test_members_are_listed_by_name_of_the_first_line(self):
        (self.etc / "passwd").write_text("ann:x:1000:1000:::\nalias:x:1000:50:::\n")
        (self.etc / "group").write_text("a:x:1:ann\nb:x:2:alias\n")
        for text, want in (("1000", (1000, 1000, [1])), ("alias", (1000, 50, [2]))):
            self.assertEqual(found(make_spec("-b", self.folder.name, "--user", text)), want)

    def test_a_missing_table_is_an_empty_one(self):
        (self.etc / "passwd").write_text("ann:x:1:2:::\n")
        self.assertEqual(found(make_spec("-b", self.folder.name, "--user", "ann")), (1, 2, []))
        self.assertEqual(self.spec("--user", "ann:x").returncode, 2)
        (self.etc / "passwd").unlink()
        (self.etc / "group").write_text("g:x:3:\n")
        self.assertEqual(found(make_spec("-b", self.folder.name, "--user", "5:g")), (5, 3, []))

    def test_numbers_need_no_table(self):
        os.mkfifo(self.etc / "passwd")
        self.assertEqual(found(make_spec("-b", self.folder.name, "--user", "5:6")), (5, 6, []))
        self.assertEqual(self.spec("--user", "5").returncode, 2)
        (self.etc / "passwd").unlink()
        (self.etc / "passwd").symlink_to("/proc/self/fd/0")
        self.assertEqual(self.spec("--user", "ann").returncode, 2)

    def test_a_million_lines(self):
        # The debug build is so much slower that a tenth of it must do: far more than any buffer.
        lines = 100_000 if os.environ.get("TEST_BUILD") == "debug" else 1_000_000
        last = f"user{lines - 1}"
        with open(self.etc / "passwd", "w") as passwd, open(self.etc / "group", "w") as group:
            for number in range(lines):
                passwd.write(f"user{number}:x:{number}:{number}:Some Body:/home/user{number}:/bin/sh\n")
                group.write(f"group{number}:x:{number}:user{number}\n")
            group.write("everybody:x:5:" + ",".join(f"user{number}" for number in range(lines)) + "\n")
        start = time.monotonic()
        large = self.peak(last)
        print(f"{lines} lines: {time.monotonic() - start:.2f} s, {large} KiB")
        self.assertEqual(
            found(make_spec("-b", self.folder.name, "--user", last)), (lines - 1, lines - 1, [5])
        )
        (self.etc / "passwd").write_text(f"{last}:x:1:1:::\n")
        (self.etc / "group").write_text(f"g:x:2:{last}\n")
        self.assertLess(large, self.peak(last) + 512)

    def peak(self, user):
        """Peak memory in KiB, read while it waits to write its result into a full pipe.

        The ru_maxrss of wait4() is of no use: it counts this process, of which it is a fork.
        """
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writer, b" " * 4096)
        with subprocess.Popen(
            [SHIMBOX, "spec", "-b", self.folder.name, "-o", "-", "--user", user], stdout=writer
        ) as process:
            os.close(writer)
            status = pathlib.Path(f"/proc/{process.pid}/status")
            waiting = 0
            while waiting < 3:
                self.assertIsNone(process.poll())
                waiting = waiting + 1 if "State:\tS" in status.read_text() else 0
                time.sleep(0.02)
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text()).group(1))
            with open(reader, "rb") as output:
                self.assertIn(b'"uid"', output.read())
        self.assertEqual(process.returncode, 0)
        return peak


if __name__ == "__main__":
    unittest.main()
