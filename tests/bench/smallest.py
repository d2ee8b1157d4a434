#!/usr/bin/env python3
"""The smallest limit of memory under which a container starts, in the test machine. Called by run.sh.
SPDX-License-Identifier: Apache-2.0

smallest.py                 boots the machine, which has all controllers, and prints what is told there
smallest.py --inside DIR    what it runs there; DIR is made

The container is of the default specification, and its program the one that all others of the bench run.
It matters on which processors the set-up happens to run, since each of them keeps up to 256 KiB charged
in reserve: so there are two limits, one under which it starts now and then, and one where ten of ten do.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/vm"))
# pylint: disable=wrong-import-position
import boot  # noqa: E402

# KiB: steps of 64 at first, then of an eighth or so.
LIMITS = (*range(64, 512, 64), *range(512, 1024, 128), *range(1024, 2048, 256), *range(2048, 4096, 512),
          *range(4096, 8193, 1024))
PROGRAM = "build/bench/empty"
TIMES = 10
SECONDS = 900


def starts(runtime, folder, limit):
    """Does the program come to its end?"""
    config = json.loads((folder / "template.json").read_text())
    size = limit << 10
    config["linux"]["resources"] = {"memory": {"limit": size, "swap": size}}
    (folder / "config.json").write_text(json.dumps(config))
    command = [runtime, "--root", folder / "state"]
    name = f"smallest-{limit}"
    try:
        done = subprocess.run([*command, "run", "--bundle", folder, name], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False)
        good = done.returncode == 0
    except subprocess.TimeoutExpired:
        good = False
    # Some leave it behind when it fails.
    subprocess.run([*command, "delete", "--force", name], stdin=subprocess.DEVNULL, check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return good


def find(runtime, folder):
    """The smallest one that is sometimes enough, and the one that always is: looked for by halves, then
    below and above."""
    low, high = 0, len(LIMITS)
    while low < high:
        middle = (low + high) // 2
        if starts(runtime, folder, LIMITS[middle]):
            high = middle
        else:
            low = middle + 1
    sometimes = always = low
    while sometimes > 0 and any(starts(runtime, folder, LIMITS[sometimes - 1]) for _ in range(TIMES)):
        sometimes -= 1
    while always < len(LIMITS) and not all(starts(runtime, folder, LIMITS[always]) for _ in range(TIMES)):
        always += 1
    return [LIMITS[i] if i < len(LIMITS) else "more" for i in (sometimes, always)]


def inside(folder):
    root = folder / "rootfs"
    for name in ("proc", "sys", "dev", "tmp", "bin", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy(TOP / PROGRAM, root / "bin/true")
    shimbox = os.environ["SHIMBOX"]
    subprocess.run([shimbox, "spec", "-o", folder / "template.json", "--", "/bin/true"], check=True,
                   stdin=subprocess.DEVNULL)
    config = json.loads((folder / "template.json").read_text())
    config["root"] = {"path": str(root)}
    config["process"]["terminal"] = False
    (folder / "template.json").write_text(json.dumps(config))
    for runtime in (shimbox, "crun", "runc"):
        sometimes, always = find(runtime, folder)
        print(f"{pathlib.Path(runtime).name:10}{sometimes:>11}{always:>9}", flush=True)


def main():
    if sys.argv[1:2] == ["--inside"]:
        return inside(pathlib.Path(sys.argv[2]))
    missing = boot.lacks(boot.KERNEL)
    if missing:
        print(f"not measured: the smallest limit of memory: {missing}")
        return None
    boot.PROJECT += (PROGRAM,)
    job = boot.Job("disk", "smallest", SECONDS, ["python3", "tests/bench/smallest.py", "--inside", "/run/smallest"])
    console = boot.boot(boot.KERNEL, [job], SECONDS)
    if job.status != 0:
        sys.exit(f"smallest.py: {job.status}\n{job.output}\n{console[-2000:]}")
    print(f"\nthe smallest limit of memory under which a static program starts, in the test machine: KiB\n"
          f"{'':10}{'sometimes':>11}{'always':>9}\n{job.output.rstrip()}")
    return None


if __name__ == "__main__":
    main()
