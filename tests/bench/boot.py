#!/usr/bin/env python3
"""From the kernel's start of /init to the first program: `shimbox boot` beside a floor. Called by run.sh.
SPDX-License-Identifier: Apache-2.0

boot.py TOOLS WORK ROUNDS SHIMBOX     needs the kernel of the test machine (`./build.sh test`)

Two initramfs, booted in turn ROUNDS times each, differ in nothing but the binary. The times are from
the kernel's log, inside. QEMU emulates each instruction, and its clock counts them, a nanosecond each,
so that what else the machine below does makes no difference.
"""

import pathlib
import re
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/boot"))
# pylint: disable=wrong-import-position
from machine import Machine, lacks  # noqa: E402


def measure(initramfs):
    """Microseconds from the kernel's start of /init to the start of /bin/stamp."""
    machine = Machine(initramfs, "shimbox.run=/bin/stamp", counted=True)
    found = re.search(r"^stamp (\d+)$", machine.console, re.MULTILINE)
    if not found:
        sys.exit(f"boot.py: no stamp:\n{machine.console}")
    return int(found[1])


def main():
    tools, work, rounds, shimbox = sys.argv[1:]
    missing = lacks()
    if missing:
        print(f"not measured: boot: {missing}")
        return
    binaries = {"floor": f"{tools}/floor_init", "shimbox boot": shimbox}
    times = {name: [] for name in binaries}
    for name, binary in binaries.items():
        subprocess.run([TOP / "initramfs.sh", binary, f"{work}/{name}.cpio", f"{tools}/stamp:/bin/stamp"],
                       check=True, stdin=subprocess.DEVNULL)
    for _ in range(int(rounds)):
        for name in binaries:
            times[name].append(measure(f"{work}/{name}.cpio"))
    medians = {name: statistics.median(values) / 1000 for name, values in times.items()}
    print(f"\nfrom the start of /init to the first program, by instructions (1 ns), medians of {rounds}: ms")
    for name, values in times.items():
        print(f"{name:21}{medians[name]:12.2f}  ({min(values) / 1000:.2f} to {max(values) / 1000:.2f})")
    print(f"beyond the floor: {medians['shimbox boot'] - medians['floor']:.2f} ms")


if __name__ == "__main__":
    main()
