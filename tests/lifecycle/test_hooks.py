#!/usr/bin/env python3
"""Hooks: when each is executed, where, with what, and what its failure does. runtime-spec,
config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle".
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import re
import stat

from lifecycle import LifecycleTest

ORDER = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
# What the hook tells: its name; whether it is in our namespaces; whether its root has this test's
# folder, that is the host's; what it got.
SCRIPT = """#!/bin/sh
exec >>"$LOG"
echo "hook=$1"
echo "args=$0|$*"
echo "env=$(env | sort | tr '\\n' ' ')"
for kind in mnt pid net uts ipc; do echo "$kind=$(readlink /proc/self/ns/$kind)"; done
echo "fds=$(ls /proc/self/fd | tr '\\n' ' ')"
echo "cwd=$(pwd)"
echo "state=$(cat)"
[ ! -e "$LOG.fail-$1" ] || { echo "out of $1"; echo "sorry, says $1" >&2; exit 3; }
"""


class Hooks(LifecycleTest):
    def setUp(self):
        super().setUp()
        # One directory that host and container have under the same name.
        self.shared = f"{self.dir}/shared-{self._testMethodName}"
        os.makedirs(self.shared)
        os.makedirs(self.rootfs + self.shared, exist_ok=True)
        self.log = f"{self.shared}/log"
        self.script = f"{self.shared}/hook"
        pathlib.Path(self.script).write_text(SCRIPT)
        os.chmod(self.script, 0o755)

    def hook(self, name, **more):
        return {"path": self.script, "args": ["hook", name], "env": [f"LOG={self.log}", "PATH=/bin:/usr/bin"],
                **more}

    def hooked(self, *names, **more):
        config = self.config("sigwait")
        config["annotations"] = {"org.test": "ü \"x\""}
        config["mounts"].append({"destination": self.shared, "type": "bind", "source": self.shared,
                                 "options": ["bind"]})
        config["hooks"] = {name: [self.hook(name, **more)] for name in names}
        self.write(config)
        return config

    def told(self):
        """What each hook has written, in order."""
        text = pathlib.Path(self.log).read_text() if os.path.exists(self.log) else ""
        found = []
        for part in re.split(r"(?m)^(?=hook=)", text)[1:]:
            found.append(dict(line.split("=", 1) for line in part.splitlines() if "=" in line))
        return found

    def names(self):
        return [told["hook"] for told in self.told()]

    def test_each(self):
        self.hooked(*ORDER)
        pid = self.create("c")
        self.assertEqual(self.names(), list(ORDER[:3]))
        inside = {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("mnt", "pid", "net", "uts", "ipc")}
        outside = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in inside}
        self.assertTrue(all(inside[kind] != outside[kind] for kind in inside))
        self.good("start", "c")
        self.assertEqual(self.names(), list(ORDER[:5]))
        self.good("delete", "--force", "c")
        told = self.told()
        self.assertEqual([t["hook"] for t in told], list(ORDER))
        statuses = ("creating", "creating", "creating", "created", "running", "stopped")
        for facts, status in zip(told, statuses):
            name = facts["hook"]
            with self.subTest(name):
                here = inside if name in ("createContainer", "startContainer") else outside
                self.assertEqual({kind: facts[kind] for kind in here}, here)
                state = json.loads(facts["state"])
                seen = {"stopped": 0}.get(status, 1 if here is inside else pid)
                self.assertEqual(
                    {key: state[key] for key in ("ociVersion", "id", "status", "pid", "bundle", "annotations")},
                    {"ociVersion": "1.0.2", "id": "c", "status": status, "pid": seen, "bundle": self.bundle,
                     "annotations": {"org.test": "ü \"x\""}})
                self.assertEqual(facts["args"], f"{self.script}|{name}")
                self.assertEqual(
                    set(facts["env"].split()) - {"PWD=" + facts["cwd"], "SHLVL=1", "_=/usr/bin/env", "SHLVL=0"},
                    {f"LOG={self.log}", "PATH=/bin:/usr/bin"})
                # The last is the directory that ls has open.
                self.assertEqual(facts["fds"], "0 1 2 3 ")

    def test_with_run(self):
        """The same order, without create and start."""
        self.hooked(*ORDER)
        result = self.shim("run", "--bundle", self.bundle, "c", "--", "/bin/probe", "exit=5")
        self.assertEqual((result.status, result.stdout, result.stderr), (5, "", ""), result)
        self.assertEqual(self.names(), list(ORDER))
        self.assertEqual(os.listdir(self.root), [])

    def test_without_id(self):
        self.hooked("poststop")
        self.bad("hooks are told of a container by its ID", "run", "--bundle", self.bundle)
        self.assertEqual(self.told(), [])

    def test_failure_ends_creation(self):
        """Of what comes before the program: the container is gone, and poststop hooks are executed."""
        for number, name in enumerate(ORDER[:3]):
            with self.subTest(name):
                self.hooked(*ORDER)
                pathlib.Path(f"{self.log}.fail-{name}").touch()
                result = self.bad(f"/hooks/{name}/0: hook {self.script}: exit code 3: sorry, says {name}",
                                  "create", "--bundle", self.bundle, "c")
                self.assertNotIn("out of", result.stderr)
                self.assertEqual(self.names(), [*ORDER[:number + 1], "poststop"])
                self.assertEqual(os.listdir(self.root), [])
                os.unlink(f"{self.log}.fail-{name}")
                os.unlink(self.log)

    def test_failure_of_start_container(self):
        self.hooked(*ORDER)
        pid = self.create("c")
        pathlib.Path(f"{self.log}.fail-startContainer").touch()
        self.bad("/hooks/startContainer/0: hook", "start", "c")
        self.wait_stopped(pid)
        self.assertEqual(self.status("c"), "stopped")
        self.assertEqual(self.names(), list(ORDER[:4]))
        self.good("delete", "c")
        self.assertEqual(self.names(), [*ORDER[:4], "poststop"])

    def test_failure_is_a_warning(self):
        """Of what comes after: it goes on, with the next hook, too."""
        config = self.hooked()
        for name in ("poststart", "poststop"):
            config["hooks"][name] = [self.hook(name), {"path": "/nonexistent/hook"}, self.hook(name)]
            pathlib.Path(f"{self.log}.fail-{name}").touch()
        self.write(config)
        self.create("c")
        for words, name in ((("start", "c"), "poststart"), (("delete", "--force", "c"), "poststop")):
            result = self.shim(*words)
            self.assertEqual((result.status, result.stdout), (0, ""), result)
            lines = result.stderr.splitlines()
            self.assertEqual(len(lines), 3, lines)
            for number, line in enumerate(lines):
                self.assertTrue(line.startswith(f"shimbox {words[0]}: warning: /hooks/{name}/{number}: hook "))
            self.assertIn("No such file or directory", lines[1])
        self.assertEqual(self.names(), ["poststart"] * 2 + ["poststop"] * 2)

    def test_timeout(self):
        """The hook is killed with what it has started; and one that is in time is not."""
        config = self.hooked()
        script = f"{self.shared}/slow"
        pathlib.Path(script).write_text(f"#!/bin/sh\nsleep 1000 & echo $$ $! >{self.shared}/new\n"
                                        f"mv {self.shared}/new {self.shared}/pids\nwait\n")
        os.chmod(script, 0o755)
        # Where much else runs, a second may not be enough for a shell to begin.
        for seconds in (1, 5, 30):
            config["hooks"]["createRuntime"] = [self.hook("createRuntime", timeout=100),
                                                {"path": script, "env": ["PATH=/bin:/usr/bin"], "timeout": seconds}]
            self.write(config)
            pathlib.Path(self.log).unlink(missing_ok=True)
            self.bad(f"/hooks/createRuntime/1: hook {script}: killed after {seconds} s", "create", "--bundle",
                     self.bundle, "c")
            self.assertEqual(self.names(), ["createRuntime"])
            if os.path.exists(f"{self.shared}/pids"):
                break
        for pid in pathlib.Path(f"{self.shared}/pids").read_text().split():
            self.wait_stopped(int(pid))
        self.assertEqual(os.listdir(self.root), [])

    def test_hook_sees_the_container(self):
        """While a createRuntime hook is executed: the state says creating, with the pid, and nothing can
        be done to it but a delete by force, which ends the creation."""
        config = self.hooked()
        script = f"{self.shared}/ask"
        root, out = self.root, f"{self.shared}/answer"
        pathlib.Path(script).write_text(
            f"#!/bin/sh\n{self.shimbox} --root {root} state c >{out} 2>&1\n"
            f"{self.shimbox} --root {root} kill c >>{out} 2>&1\n"
            f"{self.shimbox} --root {root} list --quiet >>{out} 2>&1\n")
        os.chmod(script, 0o755)
        config["hooks"]["createRuntime"] = [{"path": script}]
        self.write(config)
        pid = self.create("c")
        answer, _, rest = pathlib.Path(out).read_text().partition("\n}\n")
        state = json.loads(answer + "}")
        self.assertEqual((state["status"], state["pid"]), ("creating", pid))
        self.assertEqual(rest, "shimbox kill: c: container not running\nc\n")
        self.good("delete", "c")

    def test_deep_output_and_closed_input(self):
        """A hook may write more than a pipe holds, and need not read; what it leaves running does not
        hold anything up."""
        config = self.hooked()
        script = f"{self.shared}/loud"
        pathlib.Path(script).write_text(
            f"#!/bin/sh\nexec <&-\nhead -c 300000 /dev/zero\nsleep 1000 & echo $! >{self.shared}/left\n")
        os.chmod(script, 0o755)
        config["hooks"]["prestart"] = [{"path": script, "env": ["PATH=/bin:/usr/bin"]}]
        self.write(config)
        self.create("c")
        left = int(pathlib.Path(f"{self.shared}/left").read_text())
        self.wait_asleep(left)
        os.kill(left, 9)
        self.good("delete", "c")

    def test_wrong(self):
        """What is no hook: told with its place, and nothing is done."""
        for message, hook in (
                ('/hooks/poststop/0/path: expected an absolute path, found "bin/true"', {"path": "bin/true"}),
                ("/hooks/poststop/0/path: missing", {}),
                ("/hooks/poststop/0/timeout: expected a number of seconds above 0, found 0",
                 {"path": "/bin/true", "timeout": 0}),
                ("/hooks/poststop/0/timeout: expected a number from 0 to", {"path": "/bin/true", "timeout": -1}),
                ('/hooks/poststop/0/env/0: expected NAME=VALUE, found "X"', {"path": "/bin/true", "env": ["X"]}),
                ("/hooks/poststop/0/args: expected an array, found a string", {"path": "/bin/true", "args": "x"}),
                ("/hooks/poststop/0: missing", None)):
            with self.subTest(message):
                config = self.config("sigwait")
                config["hooks"] = {"poststop": [hook]}
                self.write(config)
                self.bad(message, "create", "--bundle", self.bundle, "c")
                self.assertEqual(os.listdir(self.root), [])

    def test_permissions(self):
        """A hook that cannot be executed."""
        os.chmod(self.script, stat.S_IRUSR)
        self.hooked("prestart")
        self.bad("exit code 127: cannot execute it: Permission denied", "create", "--bundle", self.bundle, "c")


if __name__ == "__main__":
    __import__("unittest").main()
