#!/usr/bin/env python3
"""The commands of an engine, beside crun and runc. Called by run.sh.
SPDX-License-Identifier: Apache-2.0

lifecycle.py TOOLS WORK ROUNDS RUNTIME...     as root, in a mount namespace of its own

WORK has config.json, rootfs and state, which is a tmpfs. Prints, of each row, medians of ROUNDS runs in
turn, the ratio to crun, and the highest peak of one process. Containers are of the default
specification; `list` with many sees copies of the state of one that runs. The profile is one of the
size and the shape of Docker's default one (tests/lib/default_profile.py).
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import default_profile  # noqa: E402  pylint: disable=wrong-import-position

MANY = int(os.environ.get("MANY", "1000"))
# What stands for the state directory, the runtime with its global options, and bundles.
ROWS = (
    ("run", "{runtime} run --bundle {plain} bench"),
    ("run, many calls filtered", "{runtime} run --bundle {filtered} bench"),
    ("create, start, delete", "{runtime} create --bundle {plain} bench ; {runtime} start bench ; "
                              "{runtime} delete --force bench"),
    ("exec", "{runtime} exec held /bin/true"),
    ("state", "{runtime} state held"),
    ("list, 1 container", "{runtime} list"),
    (f"list, {MANY} containers", "{many} list"),
)


class Runtime:
    """One of them: its state, with a container that is held, and many copies of it."""

    def __init__(self, program, work):
        self.name = pathlib.Path(program).name
        root, many = (work / "state" / f"{self.name}-{kind}" for kind in ("one", "many"))
        self.words = {"runtime": f"{program} --root {root}", "many": f"{program} --root {many}",
                      **{kind: work / kind for kind in ("plain", "filtered")}}
        self.run("run --detach --bundle {held} held".format(held=work / "held"))
        entry = root / "held"
        for i in range(MANY):
            copy = many / f"held-{i}"
            shutil.copytree(entry, copy, ignore=lambda folder, names: [
                n for n in names if not pathlib.Path(folder, n).is_file()])
            for path in (copy / "state.json",):
                if path.exists():
                    text = path.read_text()
                    path.write_text(re.sub(r'"id":"held"', f'"id":"held-{i}"', text, count=1))

    def run(self, words):
        subprocess.run([*self.words["runtime"].split(), *words.split()], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def command(self, row):
        return row.format(**self.words)


def write_bundles(work):
    template = json.loads((work / "config.json").read_text())
    for kind in ("plain", "filtered", "held"):
        config = json.loads(json.dumps(template))
        config["process"]["args"] = ["/bin/sleep", "3600"] if kind == "held" else ["/bin/true"]
        config["process"]["terminal"] = False
        if kind == "filtered":
            config["linux"]["seccomp"] = default_profile.default_profile()
        (work / kind).mkdir()
        (work / kind / "config.json").write_text(json.dumps(config))
    sleep = work / "rootfs/bin/sleep"
    shutil.copy(shutil.which("busybox"), sleep)


def peak(tools, command):
    """Of the parts of a command one after the other; each must succeed."""
    # Of the container that `create` leaves, what it has until then.
    return max(int(subprocess.run([f"{tools}/peak", "--first", *part.split()], check=True, text=True,
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                  timeout=60).stdout) for part in command.split(" ; "))


def main():
    tools, work, rounds, *programs = filter(None, sys.argv[1:])
    work = pathlib.Path(work)
    write_bundles(work)
    runtimes = [Runtime(program, work) for program in programs]
    try:
        commands = [[runtime.command(row) for runtime in runtimes] for _, row in ROWS]
        flat = [command for row in commands for command in row]
        lines = subprocess.run([f"{tools}/loop", rounds, *flat], check=True, stdout=subprocess.PIPE,
                               text=True).stdout.splitlines()
        peaks = [[peak(tools, command) for command in row] for row in commands]
    finally:
        for runtime in runtimes:
            runtime.run("delete --force held")
    found = iter(float(re.search(r"median +([\d.]+)", line)[1]) / 1000 for line in lines)
    names = [runtime.name for runtime in runtimes]
    print(f"\nmedians of {rounds} runs: ms, x {names[-1 if len(names) < 2 else 1]}, KiB, x; "
          f"in turn: {', '.join(names)}")
    for (name, _), kib in zip(ROWS, peaks):
        times = [next(found) for _ in runtimes]
        base = min(1, len(times) - 1)
        print(f"{name:26}" + "".join(
            f"  |{time:9.2f}{time / times[base]:6.2f}{size:8}{size / kib[base]:6.2f}"
            for time, size in zip(times, kib)))


main()
