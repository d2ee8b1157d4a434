#!/usr/bin/env python3
"""Programs run as functions, beside `run`, crun, podman and a C floor. Called by run.sh.
SPDX-License-Identifier: Apache-2.0

spark.py TOOLS WORK ROUNDS SHIMBOX CRUN     as root, in a mount namespace of its own; CRUN may be ""

WORK has config.json and rootfs. The program is a static echo, which gets one line. Prints medians of
runs in turn (of single calls 20 x ROUNDS, podman's ROUNDS), and ratios of them; then, of streams of
CALLS requests, half of ROUNDS, the time for each, less that of a stream of one, beside the floor,
which makes the same kernel calls for so many; and how many of the machine's processors were busy, the
kernel's own work included. What is not installed, or cannot do it, is named.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CALLS = int(os.environ.get("SPARK_CALLS", "100"))
SINGLES = int(os.environ.get("SPARK_SINGLES", "20"))
# What it takes where nobody may raise limits, and hybrid cgroups. runc is what it finds first.
CONTAINERS_CONF = """[containers]
default_ulimits = []
[engine]
events_logger = "none"
"""
IMAGE = "localhost/bench"


class Bench:
    def __init__(self, tools, work):
        self.tools, self.work, self.missing = tools, work, []
        shutil.copy(f"{tools}/echo", work / "rootfs/bin/echo")
        config = json.loads((work / "config.json").read_text())
        config["process"].update(args=["/bin/echo"], terminal=False)
        (work / "function").mkdir()
        (work / "function/config.json").write_text(json.dumps(config))
        (work / "line").write_text("hello\n")
        for name, count in (("one", 1), ("many", CALLS)):
            requests = [{"id": i, "args": ["/bin/echo"], "input": "hello\n"} for i in range(count)]
            (work / name).write_text("".join(json.dumps(request) + "\n" for request in requests))

    def works(self, name, command):
        """Does it answer, and with nothing to complain of?"""
        words = command.split()
        with open(words[0][1:], "rb") as given:
            found = subprocess.run(words[1:], stdin=given, capture_output=True, timeout=60, check=False)
        if found.returncode == 0 and b"hello" in found.stdout:
            return True
        complaint = found.stderr.decode().strip().splitlines()
        self.missing.append(f"{name}: {complaint[-1] if complaint else found.returncode}")
        return False

    def measure(self, rounds, rows):
        """Milliseconds and how many processors were busy, of each that works."""
        rows = [(name, command) for name, command in rows if self.works(name, command)]
        if not rows:
            return {}
        lines = subprocess.run([f"{self.tools}/loop", str(rounds), *(command for _, command in rows)],
                               check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        found = [re.search(r"median +([\d.]+).* busy +([\d.]+)", line) for line in lines]
        return {name: (float(match[1]) / 1000, float(match[2])) for (name, _), match in zip(rows, found)}


def podman_row(bench, runroot):
    """An image of the same root file system, in storage of its own. Returns rows, 0 or 1."""
    work = bench.work
    for program in ("podman", "runc"):
        if not shutil.which(program):
            bench.missing.append(f"podman: {program} is not installed")
            return []
    (work / "containers.conf").write_text(CONTAINERS_CONF)
    os.environ["CONTAINERS_CONF"] = str(work / "containers.conf")
    own = work / "podman"
    podman = (f"podman --root {own}/store --runroot {runroot} --tmpdir {own}/tmp --storage-driver overlay"
              " --cgroup-manager cgroupfs --events-backend none --runtime runc --log-level error")
    subprocess.run(["tar", "-C", work / "rootfs", "-cf", work / "image.tar", "bin/echo"], check=True)
    done = subprocess.run([*podman.split(), "import", work / "image.tar", IMAGE], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        bench.missing.append(f"podman: {done.stderr.strip()}")
        return []
    return [("podman run --rm", f"<{work}/line {podman} run --rm --interactive --network none --pids-limit=0"
                                f" --ulimit host --log-driver none {IMAGE} /bin/echo")]


def end_podman(work, runroot):
    for place in (work / "podman/store/overlay", runroot, work / "podman/store"):
        subprocess.run(["umount", "-R", place], capture_output=True, check=False)
    subprocess.run(["rm", "-rf", "--one-file-system", runroot], check=False)


def print_single(rounds, times, podman):
    print(f"\none call of a function: medians of {SINGLES * rounds} runs in ms, podman's of {rounds}; "
          "to shimbox run, crun, podman")
    bases = [times.get("shimbox run"), times.get("crun"), podman.get("podman run --rm")]
    for name, (time, _) in {**times, **podman}.items():
        ratios = [f"{time / base[0]:8.3f}" if base else f"{'-':>8}" for base in bases]
        print(f"{name:22}{time:9.2f}  |" + "".join(ratios))


def print_streams(rounds, times):
    print(f"\na stream of {CALLS} calls: medians of {rounds} runs in us for each call; to the floor; "
          "processors busy")
    floor = None
    for name in ("floor", "--requests", "--requests --jobs 2"):
        if name in times and f"{name}, 1" in times:
            # Of a single one nothing would be left.
            start = times[f"{name}, 1"][0] if CALLS > 1 else 0
            time = (times[name][0] - start) / max(1, CALLS - 1) * 1000
            floor = floor or time
            print(f"{name:22}{time:9.0f}{time / floor:9.2f}{times[name][1]:9.2f}")


def main():
    tools, work, rounds, shimbox, crun = sys.argv[1:]
    work, rounds = pathlib.Path(work), int(rounds)
    bench = Bench(tools, work)
    rootfs, line, state = work / "rootfs", work / "line", work / "state"
    floor = f"{tools}/floor_function"
    spark = f"{shimbox} --root {state}/spark spark"
    singles = [
        ("floor", f"<{line} {floor} 1 {rootfs} /bin/echo"),
        ("shimbox run", f"<{line} {shimbox} --root {state}/run run --bundle {work}/function bench"),
        ("shimbox spark", f"<{line} {spark} {rootfs} -- /bin/echo"),
    ]
    if crun:
        singles.append(("crun", f"<{line} {crun} --root {state}/crun run --bundle {work}/function bench"))
    streams = []
    for kind, count, file in ((", 1", 1, "one"), ("", CALLS, "many")):
        streams += [(f"floor{kind}", f"<{line} {floor} {count} {rootfs} /bin/echo"),
                    (f"--requests{kind}", f"<{work}/{file} {spark} --requests {rootfs}"),
                    (f"--requests --jobs 2{kind}", f"<{work}/{file} {spark} --requests --jobs 2 {rootfs}")]
    # Podman takes a path of at most 50 characters.
    runroot = tempfile.mkdtemp(prefix="bench-", dir="/tmp")
    try:
        times = bench.measure(SINGLES * rounds, singles)
        podman = bench.measure(rounds, podman_row(bench, runroot))
    finally:
        end_podman(work, runroot)
    print_single(rounds, times, podman)
    half = (rounds + 1) // 2
    print_streams(half, bench.measure(half, streams))
    for peer in bench.missing:
        print(f"not measured: {peer}")


main()
