"""The same bundle by shimbox and by crun, where crun has all that it needs: real cgroups.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/run"))
from container import parse_facts, shell_helper  # noqa: E402 (its folder comes first)

SHIMBOX = os.environ["SHIMBOX"]
FACTS = ["uid", "gid", "groups", "caps", "nnp", "seccomp", "umask", "cwd", "hostname", "rlimits",
         "fds", "env", "args", "signals", "interfaces", "pid", "ppid", "stat=/", "stat=/dev/null",
         "stat=/dev/ptmx", "stat=/dev/shm", "stat=/tmp", "read=/proc/self/cgroup", "list=/dev",
         "mkdir=/sys/x", "write=/proc/sys/kernel/panic,1", "open=/proc/kcore,r"]
# Different by nature: numbers of files and devices.
PASSED_OVER = (".inode", ".dev", ".size")
# crun links /dev/core, which leads to a masked file; and gives standard input, /dev/null, to the
# user, which changes its owner for everybody. In a user namespace, where devices are bound, it puts
# more flags on them.
KNOWN = {"list:/dev", "stat:/dev/null.uid", "stat:/dev/null.gid", "stat:/dev/null.flags"}


class SameBundle(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="crun-test.", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)
        shell_helper('make_rootfs "$1"', f"{self.dir}/rootfs")

    def ask(self, config, *command):
        with open(f"{self.dir}/config.json", "w", encoding="utf-8") as file:
            json.dump(config, file)
        done = subprocess.run(command, cwd=self.dir, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        facts = parse_facts(done.stdout)
        return {key: value for key, value in facts.items() if not key.endswith(PASSED_OVER)}

    def compare(self, *options):
        made = subprocess.run([SHIMBOX, "spec", "-o", "-", *options, "--", "/bin/probe", *FACTS],
                              capture_output=True, check=True)
        config = json.loads(made.stdout)
        ours = self.ask(config, SHIMBOX, "run", "--bundle", ".")
        theirs = self.ask(config, "crun", "run", f"same-{os.getpid()}")
        self.assertGreater(len(ours), 60)
        different = {key: (ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys()
                     if ours.get(key) != theirs.get(key) and key not in KNOWN}
        self.assertEqual(different, {})
        self.assertEqual(ours["list:/dev"].split(), [n for n in theirs["list:/dev"].split() if n != "core"])

    def test_default(self):
        self.compare()

    def test_all_capabilities_as_a_user(self):
        self.compare("--user", "1000:1000", "--cap-add", "ALL", "--hostname", "inside")

    def test_user_namespace(self):
        for path, directories, files in os.walk(f"{self.dir}/rootfs"):
            for name in [".", *directories, *files]:
                os.lchown(f"{path}/{name}", 100000, 100000)
        self.compare("--uid-map", "0:100000:65536", "--gid-map", "0:100000:65536")


class Machine(unittest.TestCase):
    """What the tests in here may rely on."""

    def test_all_capabilities(self):
        status = dict(line.split(":\t", 1) for line in
                      pathlib.Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
        last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
        for name in ("CapPrm", "CapEff", "CapBnd"):
            self.assertEqual(int(status[name], 16), (2 << last) - 1)

    def test_cgroup_controllers(self):
        words = pathlib.Path("/sys/fs/cgroup/cgroup.subtree_control").read_text().split()
        self.assertLessEqual({"cpuset", "cpu", "io", "memory", "hugetlb", "pids"}, set(words))
