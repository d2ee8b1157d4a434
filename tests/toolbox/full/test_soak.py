"""Thousands of user and network namespaces, made one after the other: nothing adds up.
SPDX-License-Identifier: Apache-2.0

In a user, mount and pid namespace of its own, whose counts are nobody else's. A namespace that nobody
can see any more would still be charged to it: so in the end its limits are set so low that a few more
can be made only if all of the others are gone.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

SHIMBOX = os.path.abspath(os.environ["SHIMBOX"])
# The debug build takes ten times as long.
COUNT = 1000 if os.environ.get("TEST_BUILD") == "debug" else 10_000

INSIDE = r"""
import json, os, sys, time
def namespaces():
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found |= {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in os.listdir(f"/proc/{pid}/ns")}
        except OSError:
            pass
    return sorted(found)
def state():
    mounts = open("/proc/self/mountinfo").read().splitlines()
    return {"mounts": len(mounts), "namespaces": namespaces(),
            "processes": sorted(filter(str.isdigit, os.listdir("/proc"))),
            "descriptors": sorted(os.listdir("/proc/self/fd")),
            "names": sorted(os.listdir(sys.argv[1] + "/names"))}
out = os.open(sys.argv[1] + "/out", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
def run(command):
    pid = os.posix_spawn(command[0], command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)])
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
count, commands = int(sys.argv[2]), json.loads(sys.argv[3])
def once():
    return all(run(command) == 0 for command in commands)
assert once() # what is there once, as the directory of the names
before, start = state(), time.monotonic()
failed = [i for i in range(count) if not once()]
seconds = time.monotonic() - start
after = state()
for kind in ("user", "net"):
    with open(f"/proc/sys/user/max_{kind}_namespaces", "w") as file:
        file.write("30")
# The kernel ends network namespaces later, in the background.
more, end = 0, time.monotonic() + 120
while more < 20 and time.monotonic() < end:
    if once():
        more += 1
    else:
        more = 0
        time.sleep(0.5)
print(json.dumps({"before": before, "after": after, "failed": failed, "seconds": seconds, "more": more}))
"""


class Soak(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="soak-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.mkdir(f"{self.folder}/names")

    def soak(self, *commands):
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child",
             "--mount-proc", sys.executable, "-c", INSIDE, self.folder, str(COUNT),
             json.dumps([[SHIMBOX, *command] for command in commands])],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        told = json.loads(done.stdout)
        print(f"# {COUNT} in {told['seconds']:.0f} s: " + ", ".join(
            f"{key} {value if isinstance(value, int) else len(value)}"
            for key, value in told["after"].items()))
        self.assertEqual((told["failed"][:10], done.stderr), ([], ""))
        self.assertEqual(told["after"], told["before"])
        self.assertEqual(told["more"], 20, "more namespaces are charged than there are")

    def test_userns_fd(self):
        self.soak(["userns-fd", "-u", "0:0:1", "-g", "0:0:1", "--", "/bin/true"])

    def test_netns_new(self):
        directory = ["--dir", f"{self.folder}/names"]
        self.soak(["netns-new", *directory, "--name", "soak"],
                  ["netns-new", *directory, "--delete", "soak"])


if __name__ == "__main__":
    unittest.main()
