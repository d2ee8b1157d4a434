"""Boot the test machine: QEMU without KVM, one of Debian's kernels, our initramfs and disk.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.request

import image

TOP, VM = image.TOP, image.VM
# What of the project is unpacked on the disk, below /src.
PROJECT = ("tests", "build.sh", "build/shimbox", "build/tests/probe", "build/tests/deny",
           "build/tests/stepper", "build/test-shimbox")
EMULATOR = "qemu-system-x86_64"


# The machine as a whole, and one file in it: many times what they take, for the machine below may
# have other things to do as well.
SECONDS, SECONDS_FULL = 900, 3600
KERNEL = "linux"
# Another way to boot one of the kernels, by a name with a "+" in it, and the words for that.
WORDS = {"linux+selinux": "security=selinux selinux=1"}


# Of which release a kernel is, if it is not of the one that runs here.
RELEASES = {"linux-5.10": "bullseye"}


def folder_of(kernel):
    """Where its files are."""
    return VM / kernel.partition("+")[0]


def lacks(kernel):
    """What this machine lacks to emulate one with that kernel; None: nothing."""
    if os.uname().machine != "x86_64":
        return "not an x86_64 machine"
    if not shutil.which(EMULATOR):
        return f"no {EMULATOR}"
    if not shutil.which("dpkg-query"):
        return "no dpkg, whose packages the disk is made of"
    if kernel == "linux+selinux" and not shutil.which("secilc"):
        return "no secilc, which makes the policy"
    return None if folder_of(kernel).is_dir() else f"no kernel in build/vm/{kernel}"


def could_be_had(kernel):
    """A mirror that apt uses has that kernel's release, asked for without apt: then it is an error
    that build.sh did not fetch it."""
    if kernel not in RELEASES or not shutil.which("apt-get"):
        return False
    done = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
                          capture_output=True, text=True, check=False)
    for site in sorted(set(done.stdout.split())):
        try:
            with urllib.request.urlopen(f"{site}/dists/{RELEASES[kernel]}/InRelease", timeout=20):
                return True
        except (OSError, ValueError):
            continue
    return False


class Job:
    """A command that the machine runs: in its initramfs or on its disk."""

    def __init__(self, where, name, seconds, command):
        self.where, self.name, self.seconds, self.command = where, name, seconds, command
        self.output, self.status, self.took = None, None, 0  # None: it did not end

    def line(self):
        return f"{self.where} {self.name} {self.seconds} {' '.join(map(str, self.command))}\n"


class Row:
    """A line of tests/vm/suites: a file of tests, which of its tests, and where they run."""

    def __init__(self, kernel, where, path, names, full=False):
        self.kernel, self.where, self.path = kernel, where, path
        file = str(path.relative_to(TOP))
        if where == "initramfs":
            command = ["sh", f"/tests/{path.name}", *names]
        elif path.suffix == ".bats":
            command = ["bats", "--formatter", "tap", *(["-f", "|".join(names)] if names else []), file]
        else:
            command = ["python3", "tests/lib/tap.py", file, *names]
        if full and where == "disk":
            command = ["env", "TEST_FULL=1", *command]
        seconds = SECONDS_FULL if full else SECONDS
        self.job = Job(where, f"{kernel}.{path.stem}", seconds, command)


def read_list(full):
    """The rows of tests/vm/suites for this tier."""
    rows = []
    for line in (TOP / "tests/vm/suites").read_text().splitlines():
        text, mark, why = line.partition("  # ")
        if not text.strip() or text.startswith("#"):
            continue
        if not mark or not why.strip():
            raise SystemExit(f"tests/vm/suites: '{line}' does not say why")
        tier, kernel, where, file, *names = text.split()
        if tier not in ("always", "normal", "full") or where not in ("initramfs", "disk"):
            raise SystemExit(f"tests/vm/suites: '{line}': see the first lines there")
        if not (TOP / "tests" / file).exists():
            raise SystemExit(f"tests/vm/suites: there is no {file}")
        if tier in ("always", "full" if full else "normal"):
            rows.append(Row(kernel, where, TOP / "tests" / file, names, full))
    return rows


def kernel_files(name):
    """(bzImage, folder of modules) of build/vm/NAME, which build.sh unpacked from a package."""
    folder = folder_of(name)
    return next(folder.glob("boot/vmlinuz-*")), next(folder.glob("lib/modules/*"))


def emulator(kernel, initramfs, words, memory, processors=1, counted=False):
    """The emulator's command line, but for serial lines and disks; words: more for the kernel's.
    counted: the machine's time is that of its instructions, a nanosecond each.
    Plain processors: with five levels of page tables and all that it can, a sixth more is to emulate.
    The kernel's tests of its own ciphers would be a quarter of a start."""
    return [
        EMULATOR, "-accel", f"tcg,thread={'single' if counted else 'multi'}",
        *(("-icount", "shift=0") if counted else ()),
        "-machine", "q35", "-cpu", "qemu64,+rdrand", "-smp", str(processors),
        "-m", str(memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-kernel", kernel_files(kernel)[0], "-initrd", initramfs,
        "-append", "console=ttyS0 quiet loglevel=4 reboot=t panic=-1 random.trust_cpu=on"
                   " tsc=reliable no_timer_check mitigations=off cryptomgr.notests"
                   # Else it complains, in the middle of others' lines, of an emulator that has to wait.
                   f"{'' if counted else ' nowatchdog rcupdate.rcu_cpu_stall_suppress=1'} {words}"]


def boot(kernel, jobs, seconds, memory=1024):
    """Boot it, run the jobs, and fill in their output and status. Returns what the console said;
    a machine that does not end in time is killed, and says so there."""
    modules = kernel_files(kernel)[1]
    files = {"init": (TOP / "tests/vm/init").read_bytes(),
             "jobs": "".join(job.line() for job in jobs).encode(),
             "bin/shimbox": (TOP / "build/shimbox").read_bytes(),
             "bin/probe": (TOP / "build/tests/probe").read_bytes()}
    for path in sorted((TOP / "tests/vm").glob("*.sh")):
        files[f"tests/{path.name}"] = path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="boot.", dir=VM) as name:
        folder = pathlib.Path(name)
        if kernel == "linux+selinux":
            subprocess.run(["secilc", "-M", "1", "-o", folder / "policy", "-f", "/dev/null",
                            TOP / "tests/vm/policy.cil"], check=True)
            files["policy"] = (folder / "policy").read_bytes()
        (folder / "initramfs").write_bytes(image.initramfs(modules, files))
        words = f"cgroup_no_v1=all {WORDS.get(kernel, '')}"
        command = emulator(kernel, folder / "initramfs", words, memory, processors=2) + [
            "-serial", f"file:{folder}/console", "-serial", f"file:{folder}/results"]
        if any(job.where == "disk" for job in jobs):
            parts = [part for part in PROJECT if (TOP / part).exists()]
            subprocess.run(["tar", "-C", TOP, "--exclude=__pycache__", "-cf", folder / "project", *parts],
                           check=True)
            for path, options in ((image.disk(), "snapshot=on"), (folder / "project", "readonly=on")):
                command += ["-drive", f"file={path},format=raw,if=virtio,cache=unsafe,{options}"]
        try:
            # Before what runs beside it, if we may: what is in there has limits of time.
            subprocess.run(["nice", "-n", "-5", *command], timeout=seconds, check=False, stdin=subprocess.DEVNULL,
                           stdout=(folder / "emulator").open("wb"), stderr=subprocess.STDOUT)
            late = ""
        except subprocess.TimeoutExpired:
            late = f"\n(killed, for it did not end within {seconds} s)"
        read_results((folder / "results"), jobs)
        return read_text(folder / "emulator") + read_text(folder / "console") + late


def read_text(path):
    return path.read_bytes().decode(errors="replace").replace("\r", "") if path.exists() else ""


def read_results(path, jobs):
    """Frames of `@begin NAME`, the output, `@end NAME STATUS SECONDS`."""
    frames = re.finditer(r"^@begin (\S+)\n(.*?)\n@end \1 (\d+) (\d+)$", read_text(path), re.S | re.M)
    found = {match[1]: match for match in frames}
    for job in jobs:
        if job.name in found:
            job.output = found[job.name][2]
            job.status, job.took = int(found[job.name][3]), int(found[job.name][4])
