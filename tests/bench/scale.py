#!/usr/bin/env python3
"""What one more mount, id range, device or path costs, beside crun. Called by run.sh.
SPDX-License-Identifier: Apache-2.0

scale.py TOOLS WORK ROUNDS SHIMBOX [CRUN]     WORK has config.json and rootfs

Medians; the price of a unit is the difference to the container without any, by their number. Peak
memory is that of the largest process.
"""

import re
import subprocess
import sys
import pathlib


def main():
    tools, work, rounds, *runtimes = filter(None, sys.argv[1:])
    here = pathlib.Path(__file__).parent
    made = subprocess.run([sys.executable, here / "bundles.py", f"{work}/config.json",
                           f"{work}/rootfs", f"{work}/units"],
                          check=True, capture_output=True, text=True).stdout
    cases = [line.split() for line in made.splitlines()]
    commands = [f"{runtime} --root {work}/state/{pathlib.Path(runtime).name} run "
                f"--bundle {work}/units/{kind}-{count} units"
                for kind, count in cases for runtime in runtimes]
    lines = subprocess.run([f"{tools}/loop", rounds, *commands], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    medians = [float(re.search(r"median +([\d.]+)", line)[1]) for line in lines]
    peaks = [int(subprocess.run([f"{tools}/peak", *command.split()], check=True,
                                capture_output=True, text=True).stdout) for command in commands]
    names = [pathlib.Path(runtime).name for runtime in runtimes]
    print(f"\nmedians of {rounds} runs: ms, microseconds for each unit, KiB; in turn: {', '.join(names)}")
    base = {}
    for i, (kind, count) in enumerate(cases):
        row = f"{kind:15} {count:>5}"
        for j, name in enumerate(names):
            at = i * len(names) + j
            base[name] = medians[at] if count == "0" else base[name]
            unit = (medians[at] - base[name]) / int(count) if count != "0" else 0
            row += f"  |{medians[at] / 1000:8.2f}{unit:9.1f}{peaks[at]:7}"
        print(row)


main()
