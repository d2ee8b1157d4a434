#!/usr/bin/env python3
"""`init`, alone in a binary and in the whole one, beside tini, dumb-init and catatonit. Called by run.sh.
SPDX-License-Identifier: Apache-2.0

init.py TOOLS WORK ROUNDS SMALL SHIMBOX

Of each: the time from the fork to the first moment of the program, the time from the program's end
to its own, medians of ROUNDS runs in turn; memory while it waits, and the size of its file, with the
libraries if it has any. What is not installed is named.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time


def commands(small, shimbox):
    yield "init alone", [small]
    yield "shimbox init", [shimbox, "init"]
    for name, arguments in (("tini-static", ["-s", "--"]), ("tini", ["-s", "--"]), ("dumb-init", []),
                            ("catatonit", ["--"])):
        yield name, [shutil.which(name), *arguments]


def memory(command):
    """RssAnon and VmRSS in KiB while it waits for a program, as process 1 of a pid namespace."""
    with subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", *command, "sleep", "60"],
                          stdin=subprocess.DEVNULL) as holder:
        try:
            process = holder.pid
            while os.path.basename(os.readlink(f"/proc/{process}/exe")) != "sleep":
                children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
                before, process = process, children[0] if children else holder.pid
                time.sleep(0.005)
            time.sleep(0.05)
            status = pathlib.Path(f"/proc/{before}/status").read_text()
        finally:
            holder.kill()
    return [int(re.search(rf"^{key}:\s+(\d+) kB$", status, re.M)[1]) for key in ("RssAnon", "VmRSS")]


def size(path):
    libraries = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    files = [path, *re.findall(r"(/\S+) \(0x", libraries)]
    return sum(os.stat(file).st_size for file in files) / 1024


def main():
    tools, work, rounds, small, shimbox = sys.argv[1:]
    table, missing = [], []
    for name, command in commands(small, shimbox):
        if command[0] and os.path.exists(command[0]):
            table.append((name, command))
        else:
            missing.append(name)
    lines = subprocess.run([f"{tools}/moments", rounds, *(" ".join(command) for _, command in table)], check=True,
                           capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=work).stdout.splitlines()
    rows = [(name, [*map(float, line.split()), *memory(command), size(command[0])])
            for (name, command), line in zip(table, lines)]
    print(f"\ninit: medians of {rounds} runs in us, memory and file in KiB; then all as ratios to the first")
    heads = ("start", "exit", "RssAnon", "RSS", "file")
    print(f"{'':14}" + "".join(f"{head:>9}" for head in heads) + "  |" + "".join(f"{head:>9}" for head in heads))
    for name, row in rows:
        print(f"{name:14}" + "".join(f"{value:9.0f}" for value in row) + "  |"
              + "".join(f"{value / first:9.2f}" for value, first in zip(row, rows[0][1])))
    for name in missing:
        print(f"not measured: {name}: not installed")


main()
