#!/usr/bin/env python3
"""run: the trace is what viewers of the Chrome trace-event format take, and leaves nothing out.
SPDX-License-Identifier: Apache-2.0
"""

import collections
import json
import os
import pathlib
import re
import subprocess

from container import ContainerTest

# Keys that an event of each phase must have, and their types ("Trace Event Format", Google).
PHASES = {
    "M": {"name": str, "pid": int, "tid": int, "args": dict},
    "X": {"name": str, "pid": int, "tid": int, "ts": (int, float), "dur": (int, float)},
    "s": {"name": str, "cat": str, "id": int, "pid": int, "tid": int, "ts": (int, float)},
    "f": {"name": str, "cat": str, "id": int, "pid": int, "tid": int, "ts": (int, float), "bp": str},
}

# System calls, and the steps in which they may be made.
CALLS = {
    "fsopen": r"mount |mask |protect |make an overlay|make a tmpfs",
    "fsmount": r"mount |mask |make an overlay|make a tmpfs",
    "move_mount": r"mount |mask |protect |make device |attach the root|copy what",
    "open_tree": r"mount |mask |protect |make device |open ",
    "mount_setattr": r"mount |protect |open ",
    "mount": r"isolate mounts",
    "umount2": r"detach the host's root",
    "pivot_root": r"pivot_root",
    "sethostname": r"set hostname",
    "setsid": r"start session",
    "clone3": r"create the container's process",
    "execveat": r"execute the protected binary",
    "execve": r"execve",
    "mknodat": r"make device ",
    "symlinkat": r"link /dev",
    "flock": r"claim container ID|make the cgroup|limit |release what|remove the cgroup|lock the state",
    "rmdir": r"release the container ID|remove the state",
    "renameat": r"write the pid file",
    "setns": r"join ",
    "setgroups": r"become user|enter user namespace",
    "setresuid": r"become user|enter user namespace",
    "capset": r"set the permitted|become user",
    "close_range": r"close descriptors",
    "sendmsg": r"report ready|let the (program run|child go on)",
    "poll": r"wait |examine the own binary|execute the protected binary",
    "waitid": r"wait ",
}
EVENT = re.compile(r'write\(\d+<[^>]*trace\.json>, "\{\\"name\\":\\"(.*?)\\",\\"ph\\":\\"X\\"')


def resolve(document, pointer):
    """What a JSON pointer leads to; KeyError or IndexError if it leads nowhere."""
    for name in pointer.split("/")[1:]:
        document = document[int(name) if isinstance(document, list) else name]
    return document


class Trace(ContainerTest):
    def rich_config(self):
        for name in ("mnt", "sys", "tmp"):
            os.makedirs(f"{self.rootfs}/{name}", exist_ok=True)
        config = self.config("exit=3")
        config["hostname"] = "traced"
        config["mounts"] += [
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
            {"destination": "/mnt", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
            {"destination": "/tmp", "type": "tmpfs", "options": ["tmpcopyup"]}]
        config["process"]["rlimits"] = [
            {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
        config["linux"].update(
            devices=[{"path": path, "type": "c", "major": 1, "minor": minor}
                     for path, minor in (("/dev/null", 3), ("/dev/zero", 5))],
            maskedPaths=["/proc/keys", "/proc/acpi", "/nowhere"],
            readonlyPaths=["/proc/sys", "/proc/irq"])
        return config

    def trace(self, config, *options, status=3, **more):
        """Run it with a trace. Returns its events, which were checked one by one."""
        path = pathlib.Path(self.dir, "trace.json")
        path.touch()
        path.chmod(0o666)
        result = self.run_config(config, *options, **more,
                                 env={**os.environ, "SHIMBOX_TRACE": str(path)})
        self.assertEqual((result.status, result.stdout), (status, ""), result)
        events = json.loads(path.read_text())
        path.unlink()
        self.check(events, config)
        return events

    def check(self, events, config):
        tracks = collections.defaultdict(list)
        names = collections.defaultdict(dict)
        for event in events:
            for key, kind in PHASES[event["ph"]].items():
                self.assertIsInstance(event[key], kind, event)
            self.assertGreaterEqual(min(event.get("ts", 0), event.get("dur", 0)), 0, event)
            if event["ph"] == "M":
                names[event["pid"], event["tid"]][event["name"]] = event["args"]["name"]
            elif event["ph"] == "X":
                tracks[event["pid"], event["tid"]].append(event)
            if "field" in event.get("args", {}):
                resolve(config, event["args"]["field"])
        self.assertEqual(names.keys(), tracks.keys())
        for name in names.values():
            self.assertEqual(name.keys(), {"process_name", "thread_name"})
        for track in tracks.values():
            self.check_nesting(track)
        self.check_flows(events, tracks)

    def check_nesting(self, track):
        """Of two events of one track, one comes after the other, or lies in it. In nanoseconds."""
        around = []
        for event in sorted(track, key=lambda event: (event["ts"], -event["dur"])):
            begin, end = (round(1000 * t) for t in (event["ts"], event["ts"] + event["dur"]))
            while around and around[-1] <= begin:
                around.pop()
            if around:
                self.assertLessEqual(end, around[-1], event)
            self.assertLess(len(around), 2, event)
            around.append(end)

    def check_flows(self, events, tracks):
        sent = {}
        for event in sorted((e for e in events if e["ph"] in "sf"), key=lambda e: (e["ts"], e["ph"] == "f")):
            inside = [e for e in tracks[event["pid"], event["tid"]]
                      if e["ts"] <= event["ts"] <= e["ts"] + e["dur"] + 0.001]
            self.assertTrue(inside, event)
            if event["ph"] == "s":
                self.assertNotIn(event["id"], sent)
                sent[event["id"]] = event
            else:
                self.assertEqual(sent.pop(event["id"])["name"], event["name"])
        self.assertEqual(sent, {})

    def steps(self, events, name):
        """The steps of the track that is called so, as (name, field), in their order."""
        tid = {e["tid"] for e in events if e["name"] == "thread_name" and e["args"]["name"] == name}
        found = [e for e in events if e["ph"] == "X" and e["tid"] in tid]
        return [(e["name"], e.get("args", {}).get("field"))
                for e in sorted(found, key=lambda event: (event["ts"], -event["dur"]))]

    def test_every_step_with_its_field(self):
        config = self.rich_config()
        events = self.trace(config, "--pid-file", f"{self.dir}/pid")
        parent, child = self.steps(events, "shimbox"), self.steps(events, "container")
        for name in ("make an overlay of the own binary", "execute the protected binary",
                     "read the configuration", "write the pid file", "let the program run",
                     "wait for the program's end"):
            self.assertEqual(parent.count((name, None)), 1, (name, parent))
        self.assertIn(("create the container's process", "/linux/namespaces"), parent)
        for number, name in enumerate(("RLIMIT_NOFILE", "RLIMIT_CORE")):
            self.assertIn((f"limit {name}", f"/process/rlimits/{number}"), parent)
        for field, expected in {
            "/mounts": ["mount proc on /proc", "mount tmpfs on /dev", "mount sysfs on /sys",
                        "mount /usr on /mnt", "mount tmpfs on /tmp"],
            "/linux/devices": ["make device /dev/null", "make device /dev/zero"],
            "/linux/maskedPaths": ["mask /proc/keys", "mask /proc/acpi", "mask /nowhere"],
            "/linux/readonlyPaths": ["protect /proc/sys", "protect /proc/irq"],
        }.items():
            found = [step for step in child if (step[1] or "").startswith(field + "/")]
            opened = [("open /usr", "/mounts/3/source")] if field == "/mounts" else []
            copied = [(name, f"{field}/4") for name in ["copy what is in /tmp"] if field == "/mounts"]
            steps = [(n, f"{field}/{i}") for i, n in enumerate(expected)]
            self.assertEqual(found, opened + steps + copied)
        self.assertIn(("set hostname", "/hostname"), child)
        # Nothing is said of a field that this config does not have.
        self.assertIn(("protect root", None), child)
        self.assertEqual(child[-1], ("execve", None))
        self.assertEqual([e["name"] for e in events if e["ph"] == "f"],
                         ["start", "ready", "run", "executed"])

    def test_id_mappings(self):
        config = self.map_user(self.rich_config(), [(0, 100000, 65536)])
        parent = self.steps(self.trace(config), "shimbox")
        at = parent.index(("map IDs", "/linux/uidMappings"))
        self.assertEqual([re.sub(r" of process \d+", "", name) for name, _ in parent[at + 1:at + 3]],
                         ["write the uid map", "write the gid map"])
        self.assertIn(("open /usr", "/mounts/3/source"), parent)

    def test_ordinary_user(self):
        config = self.user_config("exit=3")
        events = self.trace(config, as_user=True)
        names = [name for name, _ in self.steps(events, "shimbox")]
        self.assertIn("run newuidmap", names)
        self.assertIn("read the uid map back", names)

    def test_joined_namespaces(self):
        holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(holder.stdout.readline(), b"ready\n")
        config = self.config("exit=3")
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "network":
                namespace["path"] = f"/proc/{holder.pid}/ns/net"
        try:
            events = self.trace(config)
        finally:
            holder.communicate()
        self.assertEqual(self.steps(events, "join"),
                         [("hide the set-up from the namespaces to join", None),
                          ("join network namespace", None), ("create the container's process", None)])
        self.assertEqual(self.steps(events, "container")[-1], ("execve", None))

    def test_failed_program(self):
        config = self.config()
        config["process"]["args"] = ["/etc"]
        events = self.trace(config, status=1)
        self.assertEqual(self.steps(events, "container")[-1], ("execve", None))
        self.assertEqual([e["name"] for e in events if e["ph"] == "f"][-1], "error")

    def test_failed_set_up(self):
        config = self.config()
        config["mounts"].append({"destination": "/mnt", "type": "nonesuch"})
        events = self.trace(config, status=1)
        self.assertEqual(self.steps(events, "container")[-1], ("mount nonesuch on /mnt", "/mounts/2"))

    def test_each_system_call_is_in_its_step(self):
        """strace sees the calls and, among them, the trace's own writes: what comes before the write
        of a step was done in it."""
        config = self.map_user(self.rich_config(), [(0, 100000, 65536)])
        log = pathlib.Path(self.dir, "strace")
        trace = pathlib.Path(self.dir, "trace.json")
        with open(f"{self.dir}/config.json", "w", encoding="utf-8") as file:
            json.dump(config, file)
        done = subprocess.run(
            ["strace", "-f", "-y", "-s", "400", "-o", log, self.shimbox, f"--trace={trace}", "--root",
             f"{self.dir}/state", "run", "--config", file.name, "--pid-file", f"{self.dir}/pid", "traced"],
            capture_output=True, text=True, check=False, timeout=120,
            # Who looks for leaks cannot be traced.
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "", ""))
        before, seen, elsewhere = collections.defaultdict(list), collections.Counter(), []
        for line in log.read_text(errors="replace").splitlines():
            pid, call = line.split(maxsplit=1)
            name = re.match(r"(\w+)\(", call)
            event = EVENT.match(call)
            if event and event[1] in ("execve", "execute program"):
                # The parent says that for the child.
                calls = before.pop("executed", [])
            elif event:
                calls = before.pop(pid, [])
            elif name:
                before["executed" if name[1] == "execve" else pid].append(name[1])
            if event:
                seen.update(calls)
                elsewhere += [(event[1], call) for call in calls
                              if call in CALLS and not re.match(CALLS[call], event[1])]
        self.assertEqual(elsewhere, [])
        for call in ("fsopen", "move_mount", "open_tree", "mount_setattr", "pivot_root", "clone3",
                     "execveat", "mknodat", "flock", "setresuid", "close_range", "sethostname"):
            self.assertGreater(seen[call], 0, call)


class Text(ContainerTest):
    def test_groups_are_indented(self):
        file = f"{self.dir}/config.json"
        pathlib.Path(file).write_text(json.dumps(self.config("exit=0")))
        done = subprocess.run([self.shimbox, "--trace", "run", "--config", file],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        for line in done.stderr.splitlines():
            self.assertRegex(line, r"^ *\d+ us  (shimbox|container): (  )?\S")
        # The parent's go between the child's as they come.
        names = [line.split("container: ", 1)[1] for line in done.stderr.splitlines() if "container: " in line]
        at = names.index("mount file systems")
        self.assertEqual(names[at - 2:at], ["  mount proc on /proc", "  mount tmpfs on /dev"])
        self.assertEqual(done.stderr.count(": execute the protected binary\n"), 1)
