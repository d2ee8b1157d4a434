"""podman as root or an ordinary user, with storage of its own.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import time

from engine import RUNTIMES, EngineTest, run_quietly

# What it takes on a machine with hybrid cgroups, where nobody may raise limits. Only a runtime that is
# named to know JSON is given a log, out of which podman reads its errors.
CONTAINERS_CONF = """[containers]
default_ulimits = []
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime_supports_json = ["runc", "shimbox"]
[engine.runtimes]
runc = ["{runc}"]
shimbox = ["{shimbox}"]
"""
IMAGE = "localhost/busybox"


class PodmanTest(EngineTest):
    needs = ("podman", "conmon")
    driver = "overlay"
    starter = ()   # who calls podman
    environment = {}
    options = ()   # of each container

    @classmethod
    def start_engine(cls):
        folder = cls.folder
        (folder / "containers.conf").write_text(CONTAINERS_CONF.format(**RUNTIMES))
        cls.environment = dict(os.environ, CONTAINERS_CONF=str(folder / "containers.conf"), **cls.environment)
        done = cls.call_podman("import", cls.archive, IMAGE)
        assert done.returncode == 0, done.stderr

    @classmethod
    def command(cls, *arguments):
        return [*cls.starter, "podman", "--root", cls.folder / "own/store", "--runroot", cls.folder / "own/runroot",
                "--tmpdir", cls.folder / "own/tmp", "--storage-driver", cls.driver, "--log-level", "error", *arguments]

    @classmethod
    def call_podman(cls, *arguments):
        return run_quietly(cls.command(*arguments), env=cls.environment, cwd=cls.folder)

    @classmethod
    def clean_up(cls):
        cls.call_podman("rm", "--all", "--force", "--time", "0")
        for place in ("store/overlay", "runroot", "store"):
            run_quietly(["umount", "-R", cls.folder / "own" / place])

    def ask(self, *arguments):
        """A command that must succeed and say nothing on standard error. A container remembers its
        runtime: one command may be for those of both."""
        done = self.call_podman(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def make(self, how, runtime, *arguments, options=()):
        """podman run or create. Returns the exit code and both streams."""
        done = self.call_podman("--runtime", runtime, how, "--network=none", "--ulimit=host", *self.options, *options,
                                IMAGE, *arguments)
        return done.returncode, done.stdout, done.stderr

    def make_both(self, how, name, *arguments, options=()):
        """One container of each runtime, NAME-RUNTIME. Returns the names."""
        names = []
        for runtime in RUNTIMES:
            names.append(f"{name}-{runtime}")
            log = f"--log-opt=path={self.folder}/own/{names[-1]}.log"
            code, _, err = self.make(how, runtime, *arguments, options=[f"--name={names[-1]}", log, *options])
            self.assertEqual((code, err), (0, ""))
        return names

    def run_both(self, *arguments, options=()):
        """podman run --rm with each; they must do the same. Returns the exit code and both streams."""
        answers = [self.make("run", runtime, *arguments, options=["--rm", *options]) for runtime in RUNTIMES]
        self.assertEqual(*answers)
        return answers[1]

    def check_states(self, names, state, code=0):
        """What podman says of them. Returns their pids, 0 for those that have ended."""
        wanted = [(name, state, code) for name in names]
        # podman's own process that cleans up behind a container may come after what `wait` waits for.
        for _ in range(60):
            listed = {c["Names"][0]: c for c in json.loads(self.ask("ps", "--all", "--format=json"))}
            found = [(name, listed[name]["State"], listed[name]["ExitCode"]) for name in names]
            if found == wanted:
                break
            time.sleep(0.5)
        self.assertEqual(found, wanted)
        return [listed[name]["Pid"] for name in names]

    def wait_logs(self, names, text):
        """Until conmon's log of each has this text. To ask podman again and again would take long."""
        for name in names:
            self.wait_for(lambda: self.logged(name).endswith(text), f"no {text!r} of {name}")
            self.assertEqual(self.logged(name), text)

    def logged(self, name):
        """Of the form `TIME stdout F LINE`."""
        lines = (self.folder / f"own/{name}.log").read_text().splitlines()
        return "".join(line.split(" ", 3)[3] + "\n" for line in lines)
