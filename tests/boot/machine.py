"""Machines whose first process is shimbox: an initramfs by initramfs.sh, booted by QEMU without KVM.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vm"))
# pylint: disable=wrong-import-position
import boot  # noqa: E402

TOP = boot.TOP
SHIMBOX = pathlib.Path(os.environ.get("SHIMBOX", TOP / "build/shimbox"))
PROBE = os.environ.get("PROBE", str(TOP / "build/tests/probe"))
# A machine ends by itself, many times sooner.
SECONDS = 150
HALTED = "reboot: System halted"


def lacks():
    """What is missing for these tests; None: nothing."""
    return boot.lacks(boot.KERNEL) or (None if shutil.which("busybox") else "no busybox")


def write_initramfs(path, *files):
    subprocess.run([TOP / "initramfs.sh", SHIMBOX, path, f"{shutil.which('busybox')}:/bin/busybox",
                    f"{PROBE}:/bin/probe", *files], check=True, stdin=subprocess.DEVNULL)


class Machine:
    """One that has run. console: all that it said; ended: its emulator ended by itself."""

    def __init__(self, initramfs, words, disk=None, answers=(), **more):
        """words: of the kernel's command line. answers: (what to wait for, what to type then).
        more: for boot.emulator()."""
        self.console, self.ended = "", False
        command = boot.emulator(boot.KERNEL, initramfs, words, 512, **more) + ["-serial", "stdio"]
        if disk:
            command += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as emulator:
            try:
                self.follow(emulator, list(answers))
            finally:
                emulator.kill()
                self.ended = emulator.wait() == 0

    def follow(self, emulator, answers):
        end, seen = time.monotonic() + SECONDS, 0
        while time.monotonic() < end and HALTED not in self.console:
            if not select.select([emulator.stdout], [], [], 1)[0]:
                continue
            data = os.read(emulator.stdout.fileno(), 65536)
            if not data:
                emulator.wait(20)
                return
            self.console += data.decode(errors="replace").replace("\r", "")
            while answers and answers[0][0] in self.console[seen:]:
                seen = self.console.index(answers[0][0], seen) + len(answers[0][0])
                emulator.stdin.write(answers.pop(0)[1].encode())
                emulator.stdin.flush()
        self.console += f"\n(killed after {SECONDS} s)" if HALTED not in self.console else ""

    def lines(self):
        return self.console.splitlines()

    def code(self):
        """What it said of its exit status: one line, once."""
        found = [line for line in self.lines() if line.startswith("shimbox: exit ")]
        return int(found[0].split()[2]) if len(found) == 1 else found

    def messages(self):
        """Lines of shimbox itself, but for the exit status."""
        return [line for line in self.lines()
                if line.startswith("shimbox") and not line.startswith("shimbox: exit ")]


def modules(*names):
    """For write_initramfs(): these modules of the kernel, what they need, and modules.dep."""
    folder = boot.kernel_files(boot.KERNEL)[1]
    paths = {path.stem.replace("-", "_"): path for path in folder.rglob("*.ko")}

    def needs(name):
        text = re.search(rb"\0depends=([^\0]*)\0", paths[name].read_bytes())[1].decode()
        direct = [word.replace("-", "_") for word in text.split(",") if word]
        # The order of depmod(8): what another one needs stands behind that.
        below = [word for other in direct for word in needs(other)]
        return [word for at, word in enumerate(below) if word not in below[:at]] + [name]

    place, wanted = f"/lib/modules/{folder.name}", sorted({word for name in names for word in needs(name)})
    files = {f"{place}/{paths[name].relative_to(folder)}": paths[name] for name in wanted}
    lines = "".join(": ".join([str(paths[name].relative_to(folder)),
                               " ".join(str(paths[other].relative_to(folder))
                                        for other in reversed(needs(name)[:-1]))]).strip() + "\n"
                    for name in wanted)
    return [f"{path}:{target}" for target, path in files.items()], f"{place}/modules.dep", lines


def temporary():
    """Where the images are kept; a disk does not fit into every /tmp."""
    boot.VM.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="machine.", dir=boot.VM)
