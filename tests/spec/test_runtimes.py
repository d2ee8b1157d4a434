#!/usr/bin/env python3
"""What spec writes, run by runc, and by crun without linux.resources.
SPDX-License-Identifier: Apache-2.0

Needs root, runc, crun and busybox-static. crun refuses hybrid cgroup hierarchies, so it gets a private
mount namespace with cgroup2 on /sys/fs/cgroup, in which there is nothing to limit with.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from shimbox import SHIMBOX, make_spec

FACTS = "id; cat /proc/self/uid_map; grep -E 'Cap|NoNewPrivs' /proc/self/status; hostname"
HEAD = "set -e; umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "


class Runtimes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            print(f"skipped: the uid is {os.getuid()}, needs 0")
            raise unittest.SkipTest("needs root")
        cls.folder = tempfile.mkdtemp(prefix="spec-")
        os.chmod(cls.folder, 0o755)
        rootfs = pathlib.Path(cls.folder, "rootfs")
        for name in ("bin", "etc", "dev", "proc", "sys", "tmp"):
            (rootfs / name).mkdir(parents=True)
        (rootfs / "tmp").chmod(0o1777)
        shutil.copy("/bin/busybox", rootfs / "bin/busybox")
        for name in ("sh", "id", "cat", "grep", "hostname", "stat", "touch", "ls", "ps", "mount"):
            (rootfs / "bin" / name).symlink_to("busybox")
        (rootfs / "etc/passwd").write_text("root:x:0:0:::\nann:x:10:20::/:/bin/sh\n")
        (rootfs / "etc/group").write_text("wheel:x:30:ann\n")
        (rootfs / "etc/resolv.conf").write_text("")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def run_both(self, *arguments, script=FACTS, runtimes=("runc", "crun")):
        """The output of the script under each runtime."""
        outputs = []
        for runtime in runtimes:
            document = make_spec("-b", self.folder, *arguments, "--", "sh", "-c", script)
            command = f"exec {runtime} --root {self.folder}/state run spec-test-{os.urandom(4).hex()}"
            wrapper = ["sh", "-c", command]
            if runtime == "crun":
                document["linux"].pop("resources", None)
                wrapper = ["unshare", "-m", "sh", "-c", HEAD + command]
            pathlib.Path(self.folder, "config.json").write_text(json.dumps(document))
            # Not /dev/null: runc and crun may give what stdin is to the root of the container.
            done = subprocess.run(
                wrapper,
                cwd=self.folder,
                input="",
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""), (runtime, arguments))
            outputs.append(done.stdout)
        return outputs

    def test_default(self):
        for output in self.run_both():
            self.assertIn("uid=0", output)
            self.assertIn("CapBnd:\t0000000020000420", output)
            self.assertIn("CapEff:\t0000000020000420", output)
            self.assertIn("CapAmb:\t0000000000000000", output)
            self.assertIn("CapInh:\t0000000000000000", output)
            self.assertIn("NoNewPrivs:\t1", output)
            self.assertTrue(output.endswith("shimbox\n"))

    def test_places_to_write(self):
        script = "stat -c %a /tmp /dev/shm; touch /tmp/a /dev/shm/a /a; ls -d /proc/[0-9]*; ls /proc/acpi"
        for output in self.run_both("--user", "10:20", script=script.replace(" /a;", ";")):
            self.assertEqual(output.splitlines()[:2], ["1777", "1777"])
            self.assertIn("/proc/1\n", output)
            self.assertLess(output.count("/proc/"), 4)

    def test_readonly(self):
        for output in self.run_both("--readonly", script="touch /a 2>/dev/null || echo refused"):
            self.assertEqual(output, "refused\n")

    def test_user(self):
        for output in self.run_both("--user", "ann", script="id -u; id -g; id -G"):
            self.assertEqual(output.split(), ["10", "20", "20", "30"])

    def test_user_namespace(self):
        for maps in (["--map", "root"], ["-u", "0:100000:65536", "-g", "0:100000:65536"], ["--rootless"]):
            for output in self.run_both(*maps):
                self.assertIn("uid=0", output)
                self.assertNotIn("4294967295", output)

    def test_rootless_by_an_ordinary_user(self):
        """runc alone: crun wants a systemd session, or a cgroup of its own."""
        with tempfile.TemporaryDirectory(prefix="spec-") as home:
            shutil.copytree(f"{self.folder}/rootfs", f"{home}/rootfs", symlinks=True)
            shutil.copy(SHIMBOX, f"{home}/shimbox")
            subprocess.run(["chown", "-R", "65534:65534", home], check=True)
            for more in ("", "--host-network"):
                command = (
                    f"rm -f config.json && ./shimbox spec --rootless {more} -- sh -c \"$FACTS\" && "
                    f"exec runc --root {home}/state run spec-test-{os.urandom(4).hex()}"
                )
                done = subprocess.run(
                    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", command],
                    cwd=home,
                    env={"PATH": os.environ["PATH"], "HOME": home, "FACTS": FACTS, "XDG_RUNTIME_DIR": home},
                    input="",
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                self.assertEqual((done.returncode, done.stderr), (0, ""), more)
                self.assertIn("uid=0", done.stdout)
                self.assertRegex(done.stdout, r"\n +0 +65534 +1\n")

    def test_host_network(self):
        host = os.readlink("/proc/self/ns/net")
        for more in ([], ["--map", "root"]):
            script = "ls -l /proc/self/ns/net; mount | grep -c resolv.conf"
            for output in self.run_both("--host-network", *more, script=script):
                self.assertIn(host, output)
                self.assertTrue(output.endswith("\n1\n"))
        for output in self.run_both(script="ls -l /proc/self/ns/net"):
            self.assertNotIn(host, output)

    def test_nested(self):
        self.run_both("--nested")

    def test_limits(self):
        script = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory/memory.limit_in_bytes"
        if not os.path.exists("/sys/fs/cgroup/memory"):
            script = "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max"
        (output,) = self.run_both(
            "--cpu", "250m", "--memory", "64Mi", script=script, runtimes=("runc",)
        )
        self.assertIn("25000", output)
        self.assertIn(str(64 << 20), output)

    def test_capabilities(self):
        for output in self.run_both("--cap-drop", "ALL", script="grep CapBnd /proc/self/status"):
            self.assertEqual(output, "CapBnd:\t0000000000000000\n")
        for output in self.run_both("--cap-add", "chown", script="grep CapEff /proc/self/status"):
            self.assertEqual(output, "CapEff:\t0000000020000421\n")

    def test_mounts(self):
        source = pathlib.Path(self.folder, "source")
        source.mkdir(exist_ok=True)
        (source / "file").write_text("here")
        mounts = ["--mount", f"type=bind,src={source},dst=/mnt,ro", "--mount", "type=tmpfs,dst=/x,size=1m"]
        for output in self.run_both(*mounts, script="cat /mnt/file; touch /x/a; touch /mnt/a 2>&1 || true"):
            self.assertIn("here", output)
            self.assertIn("Read-only", output)


if __name__ == "__main__":
    unittest.main()
