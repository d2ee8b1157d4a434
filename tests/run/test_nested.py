#!/usr/bin/env python3
"""run: containers within containers.
SPDX-License-Identifier: Apache-2.0

Every level runs the program under test, which is bound into the outermost one; the probe tells from
the innermost.
"""

import json
import pathlib
import shlex
import subprocess
import tempfile

from container import ContainerTest, mask, skip_loudly

CAPABILITIES = ["SYS_ADMIN", "SETFCAP", "SETUID", "SETGID", "SETPCAP", "MKNOD", "NET_ADMIN", "CHOWN",
                "DAC_OVERRIDE", "AUDIT_WRITE", "KILL", "NET_BIND_SERVICE"]
SETS = ("bounding", "effective", "permitted")
BOUND = ("shimbox run: warning: this container cannot have a new proc and sysfs, so /proc and /sys are "
         "bound from outside (spec --nested)\n")


def level(number, inner, *options):
    """A line of shell that runs `inner` in a container of the default specification."""
    return (f"/shimbox spec -o - --rootfs / --hostname level{number} {' '.join(options)} -- "
            f"/bin/sh -c {shlex.quote(inner)} | /shimbox run --config -")


class Nested(ContainerTest):
    def outer(self, config, line, capabilities=CAPABILITIES):
        config["process"]["args"] = ["/bin/sh", "-c", line]
        config["process"]["capabilities"] = {
            kind: [f"CAP_{name}" for name in capabilities] for kind in SETS}
        # Masked, as with every runtime: the kernel refuses a new one to a user namespace in here.
        config["linux"]["maskedPaths"] = ["/proc/kcore", "/proc/scsi", "/proc/bus", "/proc/fs"]
        config["mounts"].append({"destination": "/sys", "type": "sysfs", "source": "sysfs",
                                 "options": ["ro"]})
        return self.bring_shimbox(config)

    def kinds(self):
        yield "root", self.config(), {}
        yield "mapped", self.map_user(self.config(), [(0, 100000, 65536)]), {}
        yield "user", self.user_config(), {"as_user": True}
        yield "one id", self.user_config(subordinate=False), {"as_user": True}

    def test_three_levels(self):
        add = [f"--cap-add {name}" for name in CAPABILITIES]
        probe = "exec /bin/probe pid uid hostname caps nnp list=/dev open=/dev/null,rw exists=/proc/self"
        for options in (["--nested"], ["--nested", "--map root"], ["--rootless", "--nested"]):
            for title, config, more in self.kinds():
                with self.subTest(title, options=options):
                    line = level(3, probe, *add, *options)
                    line = level(2, line, *add, *options)
                    facts = self.ask(self.outer(config, line), **more)
                    self.assertEqual((facts["pid"], facts["uid"], facts["hostname"]), ("1", "0", "level3"))
                    self.assertEqual(int(facts["caps.eff"], 16), mask(
                        *CAPABILITIES))
                    self.assertEqual((facts["nnp"], facts["open:/dev/null"]), ("1", "ok"))
                    self.assertLessEqual({"null", "zero", "tty", "pts", "shm"}, set(facts["list:/dev"].split()))

    def test_new_proc(self):
        """Whoever may mount gets a proc of its own, whatever the level."""
        line = level(2, level(3, "exec /bin/probe list=/proc/1/task read=/proc/1/comm",
                              *[f"--cap-add {name}" for name in CAPABILITIES]),
                     *[f"--cap-add {name}" for name in CAPABILITIES])
        facts = self.ask(self.outer(self.config(), line))
        self.assertEqual((facts["list:/proc/1/task"], facts["read:/proc/1/comm"]), ("1", "probe\\n"))

    def test_embedded(self):
        """Without anything: it finds out how by itself, and says so."""
        if self.needs_libraries():
            skip_loudly(self, "the embedded root has no libraries, which this build needs")
        for title, config, more in self.kinds():
            for capabilities in (CAPABILITIES, ["SETFCAP"]):
                with self.subTest(title, capabilities=capabilities):
                    line = "exec /shimbox run -- shimbox --list"
                    result = self.run_config(self.outer(json.loads(json.dumps(config)), line, capabilities),
                                             **more)
                    self.assertEqual((result.status, result.stderr),
                                     (0, BOUND if capabilities == ["SETFCAP"] else ""), result)
                    self.assertIn("spec", result.stdout.split())

    def test_missing_capability(self):
        """The errors name what would help."""
        remedy = ("/linux/uidMappings: cannot write the uid map: Operation not permitted (to map user 0 "
                  "takes CAP_SETFCAP: give it to the container that this is in, spec --cap-add SETFCAP)\n")
        for title, config, more in self.kinds():
            with self.subTest(title):
                result = self.run_config(self.outer(config, "exec /shimbox run -- shimbox --list", []), **more)
                self.assertEqual((result.status, result.stdout, result.stderr),
                                 (1, "", "shimbox run: " + remedy))
        result = self.run_config(self.outer(self.config(), "/shimbox spec -o - | /shimbox run --config -", []))
        self.assertEqual((result.status, result.stderr), (
            1, "shimbox run: /linux/namespaces: root without CAP_SYS_ADMIN needs a user namespace here "
            "(make the config with: shimbox spec --rootless --nested)\n"))
        result = self.run_config(self.outer(self.config(), level(2, "true", "--rootless"), ["SETFCAP"]))
        self.assertEqual((result.status, result.stderr), (
            1, "shimbox run: /mounts/0: cannot mount /proc: cannot mount a new proc: Operation not permitted "
            "(needs a new pid namespace; inside a container, use: shimbox spec --nested)\n"))

    def test_ordinary_user_inside(self):
        """A user without any capability makes a container in a container."""
        for title, config, more in self.kinds():
            if title == "one id":
                continue
            with self.subTest(title):
                line = level(2, "exec /bin/probe uid pid", "--rootless", "--nested")
                config = self.outer(config, line, [])
                config["process"]["user"] = {"uid": 1000, "gid": 1000}
                facts = self.ask(config, **more)
                self.assertEqual((facts["uid"], facts["pid"]), ("0", "1"))

    def test_proc_of_the_outside(self):
        """Numbers in it are not ours: what would have to be looked up there is refused."""
        inner = level(3, "exec /bin/probe uid", "--rootless --nested")
        edit = "tr -d '\\n' | sed 's/{ *\"type\": \"pid\" *},//'"
        inner = inner.replace("| /shimbox", f"| {edit} | /shimbox")
        line = level(2, inner, "--rootless", "--nested", "--cap-add SETFCAP")
        result = self.run_config(self.outer(self.config(), line, ["SETFCAP"]))
        self.assertEqual((result.status, result.stdout, result.stderr), (
            1, "", "shimbox run: /linux/namespaces: only all new namespaces can be had with the /proc of "
            "the outside (mount one: mount -t proc proc /proc)\n"))

    def test_in_a_container_of_runc(self):
        """What runc writes by default, and as much privilege as podman gives."""
        bundle = tempfile.mkdtemp(dir=self.dir)
        subprocess.run(["runc", "spec"], cwd=bundle, check=True)
        config = json.loads(pathlib.Path(f"{bundle}/config.json").read_text())
        config["process"]["terminal"] = False
        config["process"]["args"] = ["/bin/sh", "-c", level(2, "exec /bin/probe uid pid", "--rootless",
                                                            "--nested")]
        for kind in SETS:
            config["process"]["capabilities"][kind] += ["CAP_SETFCAP", "CAP_CHOWN", "CAP_SETUID"]
        config["root"] = {"path": self.rootfs}
        pathlib.Path(f"{bundle}/config.json").write_text(json.dumps(self.bring_shimbox(config)))
        done = subprocess.run(["runc", "--root", f"{bundle}/state", "run", "-b", bundle, "nested"],
                              capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.assertIn("uid=0\n", done.stdout)
        self.assertIn("pid=1\n", done.stdout)
