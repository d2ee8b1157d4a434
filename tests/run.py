#!/usr/bin/env python3
"""Run the tests and count: run.py [--full] [--jobs N] [NAME...]; called by `build.sh test`.
SPDX-License-Identifier: Apache-2.0

As root, one suite more than there are processors runs at a time, for all of them wait now and then; each
in mount and pid namespaces of its own with its own /tmp, and in a version 2 cgroup of its own, so that
none sees what others leave, mount or make there; what a suite leaves running ends with it.
A suite after which /dev/null is somebody else's, or that left a cgroup below its own, has failed.

Every suite speaks TAP. Programs of tests/core and targets of tests/fuzz run once (they are linked with
core's debug build); bats and Python files run with build/shimbox and most again with
build/debug/shimbox; those that an architecture's emulator can run, with build/aarch64/shimbox too. NAME
is a file of tests/, with or without folder and suffix; `fuzz` is all targets, `vm` all that runs in the
test machine (tests/vm/suites), vm:NAME a file in there, listed or not. The last line is `N passed, N
failed, N skipped`.
"""

import argparse
import concurrent.futures
import errno
import os
import pathlib
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

for part in ("lib", "vm"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / part))
import boot
import cgroup2

TOP = pathlib.Path(__file__).resolve().parent.parent
TESTS = TOP / "tests"
# Files about the build itself or about the helpers, which no other build makes a difference to; and
# those where most of the time is other runtimes', and ours goes no way that it does not go elsewhere.
ONCE = {"bench", "build", "embedded", "helpers", "test_annexed", "test_boot", "test_buildah", "test_containerd",
        "test_initramfs", "test_many", "test_podman_root", "test_podman_user", "test_readme", "test_real", "test_runc", "test_runtimes", "test_small"}
# Files whose debug run belongs to the full tier (or to who names them): races, engines, tables whose rows
# go ways that the sanitizers see elsewhere (in test_faults, the fuzz targets, the programs of tests/core).
SELDOM_DEBUG = {"chain", "dispatch", "rootless", "run", "test_changes", "test_ends", "test_init", "test_kernel", "test_killed", "test_lifetime", "test_list",
                "test_mapping", "test_modes", "test_mount_options", "test_nested", "test_paths", "test_podman", "test_process",
                "test_program", "test_quantity", "test_requests", "test_rootless_check", "test_seccomp", "test_setpriv",
                "test_spark_steps", "test_steps", "test_streams"}
EMULATED = {"test_spec"}
# Files whose commands may be searched for leaks (see tests/debug/sanitizer.c).
LEAKS = {"test_spec", "test_schema", "test_user"}
SECONDS, SECONDS_FULL = 600, 3600
# How long each target of tests/fuzz is given inputs.
FUZZ_SECONDS, FUZZ_SECONDS_FULL = 10, 60
DEBIAN = {"test_podman", "test_real"} # use debian_rootfs of tests/lib/helpers.bash
# What takes longest begins first (the debug build of it before the release), so that at the end no
# processor waits for the other.
LONGEST = ["build", "bench", "test_boot", "test_steps", "test_podman_root", "test_process", "test_mounts",
           "test_podman", "test_paths", "test_init", "test_small", "test_podman_user", "test_protocol",
           "test_setpriv", "run", "test_state", "test_operations", "test_userns_fd", "test_faults",
           "test_calls", "test_seccomp", "test_program", "test_buildah", "test_modes", "dispatch", "chain",
           "rootless", "test_net_devices", "test_namespaces", "test_idmap", "test_ends", "test_unshare",
           "test_containerd", "test_exec", "test_terminal", "test_schedule", "test_seccomp_cache"]
ISOLATED = [
    "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
    "sh", "-euc",
    '[ -z "$1" ] || echo 0 >"$1/cgroup.procs"; shift;'
    ' umount -l /proc; mount -t proc proc /proc; mount -t tmpfs -o mode=1777 tmp /tmp;'
    ' mkdir -p -m 700 /run/shimbox; mount -t tmpfs -o mode=700 run /run/shimbox;'
    # Where the locks of all podmans are otherwise, and those that an earlier one has left.
    ' [ ! -d /dev/shm ] || mount -t tmpfs -o mode=1777 shm /dev/shm;'
    # The shell stays, for orphans become its children, and are not the suite's.
    ' "$@" || exit $?; exit 0', "sh"]
LINE = re.compile(r"(not )?ok\b\s*(\d+)?\s*-?\s*(.*)")
SKIP = re.compile(r"\s#\s*skip\b:?\s*(.*)", re.IGNORECASE)


class Suite:
    """One file of tests with one binary."""

    def __init__(self, path, build, command, binary):
        self.path, self.build, self.command, self.binary = path, build, command, binary
        # In the test machine: its kernel, the job there, and the NAME that asked for it.
        self.kernel, self.job, self.asked = None, None, None

    def __str__(self):
        name = self.path.relative_to(TOP)
        return f"{name} ({self.build})" if self.build else str(name)

    def environment(self, full):
        environment = dict(os.environ, PROBE=str(TOP / "build/tests/probe"), TEST_BUILD=self.build)
        environment["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment["FUZZ_SECONDS"] = str(FUZZ_SECONDS_FULL if full else FUZZ_SECONDS)
        if self.binary:
            environment["SHIMBOX"] = str(TOP / self.binary)
        if self.build == "debug" and self.path.stem in LEAKS:
            environment["ASAN_OPTIONS"] = "detect_leaks=1"
        if full:
            environment["TEST_FULL"] = "1"
        return environment


class Counts:
    """What happened so far."""

    def __init__(self, expected_skips):
        self.passed, self.failed, self.skipped = 0, [], []
        self.expected_skips = expected_skips
        self.lock = threading.Lock()
        self.running, self.null = [], null_device()
        self.debian = threading.Event() # there is a Debian system, or none can be had

    def skip(self, suite, name, reason):
        self.skipped.append(f"{suite}: {name}: {reason or 'no reason given'}")
        known = any(re.search(p, f"{suite}: {name}") for p in self.expected_skips)
        if os.environ.get("CI") in ("true", "1") and not known:
            self.failed.append(f"{suite}: {name}: skipped, and not listed in tests/expected-skips")

    def check_null(self, suite):
        """The machine's null device, which all share, is still whose it was. A container's runtime may
        give it away where it is the standard input."""
        now = null_device()
        if now != self.null:
            others = ", ".join(str(s) for s in self.running if s is not suite)
            self.failed.append(f"{suite}: /dev/null was {self.null}, and is {now}, by this or by what "
                               f"ran beside it: {others or 'nothing'}")
            print(f"not ok {self.failed[-1]}")
            os.chown("/dev/null", *self.null[:2])
            os.chmod("/dev/null", self.null[2])


def null_device():
    """(uid, gid, mode) of /dev/null."""
    status = os.stat("/dev/null")
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def make_cgroup():
    """A cgroup of version 2 for a suite, or None where that cannot be had. (Not a cgroup namespace: the
    version 1 mounts would then show roots outside of it, which runc does not take.)"""
    target = cgroup2.mount_point()
    if not target:
        return None
    try:
        made = tempfile.mkdtemp(prefix="suite-", dir=target)
        os.chmod(made, 0o755) # as cgroups are
        return made
    except OSError:
        return None


def processor_seconds(cgroup):
    """What all that ran in there, or below, have used; None if the kernel does not tell."""
    try:
        text = pathlib.Path(cgroup, "cpu.stat").read_text()
        return int(re.search(r"^usage_usec (\d+)$", text, re.M)[1]) / 1e6
    except (OSError, TypeError):
        return None


def remove_cgroup(top):
    """It, and all below it, whose names are the answer."""
    left = [folder for folder, _, _ in os.walk(top, topdown=False)]
    for folder in left:
        for _ in range(6000):
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError as error:
                # Those that ran in there are being ended.
                if error.errno != errno.EBUSY:
                    raise
                time.sleep(0.01)
    return [folder[len(top) + 1:] for folder in left if folder != top]


def read_expected_skips():
    """Lines `PATTERN  # why`: the pattern is searched in `FILE (BUILD): TEST`."""
    patterns = []
    for line in (TESTS / "expected-skips").read_text().splitlines():
        pattern, mark, why = line.partition("  # ")
        if pattern and not pattern.startswith("#"):
            if not mark or not why.strip():
                sys.exit(f"tests/expected-skips: '{line}' does not say why")
            patterns.append(pattern.strip())
    return patterns


def find_suites(full, named=()):
    """All suites, the quick ones first."""
    suites = [Suite(TESTS / "lint/all.sh", "", [TESTS / "lint/all.sh", "cheap", "--tap"], None)]
    for source in sorted(TESTS.glob("core/*.c")):
        if source.stem != "fuzz":
            suites.append(Suite(source, "", [TOP / "build/debug/tests/core" / source.stem], None))
    for source in sorted(TESTS.glob("fuzz/*.c")):
        suites.append(Suite(source, "", [TOP / "build/debug/tests/core/fuzz", source.stem], None))
    files = sorted(TESTS.glob("*.bats")) + sorted(TESTS.glob("*/*.bats"))
    files += [path for path in sorted(TESTS.glob("**/test_*.py")) if path.parent != TESTS / "vm"]
    for build, binary in (("release", "build/shimbox"), ("debug", "build/debug/shimbox")):
        for path in files:
            if ("full" in path.parts and not full) or (path.stem in ONCE and build != "release"):
                continue
            if build == "debug" and path.stem in SELDOM_DEBUG and not (full or named):
                continue
            suites.append(Suite(path, build, command_of(path), binary))
    emulated = write_emulated()
    for path in files if emulated else ():
        if path.stem in EMULATED:
            suites.append(Suite(path, "aarch64", command_of(path), emulated))
    return suites


def command_of(path):
    if path.suffix == ".bats":
        return ["bats", "--formatter", "tap", path]
    return [sys.executable, TESTS / "lib/tap.py", path]


def write_emulated():
    """A command that runs the foreign binary under an emulator, or None when it was not built."""
    if not (TOP / "build/aarch64/shimbox").exists():
        return None
    script = TOP / "build/aarch64/emulated"
    text = '#!/bin/sh\nexec qemu-aarch64-static -0 shimbox "${0%/*}/shimbox" "$@"\n'
    # Tests of the build call us while others run it.
    if not script.exists() or script.read_text() != text:
        script.write_text(text)
        script.chmod(0o755)
    return script.relative_to(TOP)


def run_suite(suite, counts, full):
    """Run one file; print one line, and everything it said if a test failed."""
    if suite.path.stem in DEBIAN:
        counts.debian.wait()
    start = time.monotonic()
    limit = SECONDS_FULL if full else SECONDS
    isolated = os.geteuid() == 0 and suite.build
    cgroup = make_cgroup() if isolated else None
    isolation = [*ISOLATED, cgroup or ""] if isolated else []
    with counts.lock:
        counts.running.append(suite)
    process = subprocess.Popen(
        [*isolation, *suite.command], cwd=TOP, env=suite.environment(full), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output = process.communicate(timeout=limit)[0]
        late = False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, late = read_rest(process), True
    why = f"did not end within {limit} s" if late else None
    used = processor_seconds(cgroup) if cgroup else None
    left = remove_cgroup(cgroup) if cgroup else []
    if left and not why:
        why = f"left behind the cgroups {', '.join(left)}"
    with counts.lock:
        counts.check_null(suite)
        counts.running.remove(suite)
        judge(suite, counts, output.decode(errors="replace"), process.returncode, why,
              time.monotonic() - start, used)


def judge(suite, counts, text, status, why, seconds, used=None):
    """Count what the file said, and tell; why: what is wrong with the suite as a whole, or None;
    used: seconds of processors, where they are known."""
    before, failed_before = counts.passed + len(counts.skipped), len(counts.failed)
    read_tap(suite, text, counts)
    if why:
        counts.failed.append(f"{suite}: {why}")
    elif len(counts.failed) == failed_before:
        if status != 0:
            counts.failed.append(f"{suite}: ended with {status}")
        elif counts.passed + len(counts.skipped) == before:
            counts.failed.append(f"{suite}: has no tests")
    failed = len(counts.failed) - failed_before
    done = counts.passed + len(counts.skipped) - before
    print(f"{'not ok' if failed else 'ok':6} {suite}: {done} done, {failed} failed, {seconds:.1f} s"
          + (f", processors {used:.1f} s" if used is not None else ""))
    if failed:
        print("".join(f"    {line}\n" for line in text.splitlines()[-400:]), end="")
    sys.stdout.flush()


def run_machines(suites, counts, full):
    """Boot each kernel once, and run its files."""
    for kernel in sorted({suite.kernel for suite in suites}):
        mine = [suite for suite in suites if suite.kernel == kernel]
        lack = boot.lacks(kernel)
        if lack and not boot.folder_of(kernel).is_dir() and boot.could_be_had(kernel):
            with counts.lock:
                counts.failed += [f"{suite}: {lack}, though a mirror has it" for suite in mine]
            continue
        if lack:
            for suite in mine:
                with counts.lock:
                    counts.skip(suite, "all", lack)
                    print(f"# SKIPPED: {suite}: {lack}")
            continue
        start = time.monotonic()
        limit = boot.SECONDS_FULL if full else boot.SECONDS
        console = boot.boot(kernel, [suite.job for suite in mine], limit)
        seconds = time.monotonic() - start
        with counts.lock:
            judge_machine(kernel, mine, counts, limit, console, seconds)


def judge_machine(kernel, suites, counts, limit, console, seconds):
    """Count what the files said in there; if one failed, show the end of the console."""
    print(f"       the test machine with {kernel}: {seconds:.1f} s")
    failed = len(counts.failed)
    for suite in suites:
        job = suite.job
        why = None
        if job.status is None:
            why = f"the machine did not come to its end within {limit} s"
        elif job.status == 137:
            why = f"did not end within {job.seconds} s"
        judge(suite, counts, job.output or "", job.status, why, job.took)
    if len(counts.failed) > failed:
        print("".join(f"    console: {line}\n" for line in console.splitlines()[-40:]), end="")
    sys.stdout.flush()


def machine_suites(full, names):
    """What tests/vm/suites lists for this tier, and what is named vm:NAME."""
    suites = []
    for row in boot.read_list(full):
        suite = Suite(row.path, "vm" if row.kernel == boot.KERNEL else f"vm, {row.kernel}", None, None)
        suite.kernel, suite.job = row.kernel, row.job
        suites.append(suite)
    files = [*sorted(TESTS.glob("**/*.bats")), *sorted(TESTS.glob("**/test_*.py"))]
    rows = [row for row in boot.read_list(full) if row.where == "initramfs"]
    rows += [boot.Row(boot.KERNEL, "disk", path, ()) for path in files]
    for name in (name[3:] for name in names if name.startswith("vm:")):
        for row in rows:
            path = row.path
            if name in (path.stem, path.name, str(path.relative_to(TESTS)), str(path.relative_to(TOP))):
                suite = Suite(path, "vm", None, None)
                suite.kernel, suite.job, suite.asked = row.kernel, row.job, f"vm:{name}"
                suites.append(suite)
    return suites


def read_rest(process):
    """What a killed suite said; somebody who left its session may still hold the pipe."""
    try:
        return process.communicate(timeout=5)[0]
    except subprocess.TimeoutExpired as error:
        process.stdout.close()
        return error.output or b""


def read_tap(suite, text, counts):
    """Count the TAP lines, and see that as many came as were planned."""
    planned, seen = None, 0
    for line in text.splitlines():
        if plan := re.fullmatch(r"1\.\.(\d+)(\s*#.*)?", line):
            planned = (planned or 0) + int(plan[1])
        elif match := LINE.fullmatch(line):
            seen += 1
            skip = SKIP.search(match[3])
            if match[1]:
                counts.failed.append(f"{suite}: {match[3]}")
            elif skip:
                counts.skip(suite, match[3][: skip.start()], skip[1])
            else:
                counts.passed += 1
    if planned is None or planned != seen:
        counts.failed.append(f"{suite}: {seen} of {planned or 'an unknown number of'} tests reported")


def prepare(script, isolation=()):
    """What suites would otherwise make at the same time, by tests/lib/helpers.bash."""
    environment = dict(os.environ, PROBE=str(TOP / "build/tests/probe"))
    subprocess.run([*isolation, "bash", "-c", f". tests/lib/helpers.bash; {script}"], cwd=TOP,
                   env=environment, check=False, stdin=subprocess.DEVNULL)


def prepare_debian(counts):
    """It waits for the network most of the time: beside the suites, of which those of DEBIAN wait for it. None
    of them is to see what debootstrap mounts."""
    isolation = ("unshare", "--mount", "--propagation", "private") if os.geteuid() == 0 else ()
    prepare('t=$(mktemp -d); debian_rootfs "$t/root" || true; rm -rf --one-file-system "$t"', isolation)
    counts.debian.set()


def order_of(suite):
    """First what has one build only, for it is quick (lint, core), then what is long, then the rest; at
    last the fuzz targets, which take the same time each, so that the processors end together."""
    stem, fuzz = suite.path.stem, suite.path.parent.name == "fuzz"
    place = LONGEST.index(stem) if stem in LONGEST else len(LONGEST)
    return fuzz, suite.build != "", place, suite.build != "debug"


def run_all(suites, counts, full, jobs):
    """Side by side, the test machine among them."""
    inside = [s for s in suites if s.job]
    prepare("need_unprivileged_user")
    if any(s.path.stem in DEBIAN for s in suites if not s.job):
        threading.Thread(target=prepare_debian, args=[counts], daemon=True).start()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(run_machines, inside, counts, full)]
        running += [pool.submit(run_suite, s, counts, full)
                    for s in sorted(suites, key=order_of) if s not in inside]
        for future in running:
            future.result()


def wanted(suite, names):
    name = str(suite.path.relative_to(TOP))
    if suite.asked:
        return suite.asked in names
    return not names or any(
        name in (n, f"tests/{n}") or n in (suite.path.name, suite.path.stem)
        or (n == "vm" and suite.job) or n == suite.path.parent.name == "fuzz" for n in names)


def main():
    parser = argparse.ArgumentParser(prog="build.sh test")
    parser.add_argument("--full", action="store_true", help="the second tier too")
    parser.add_argument("--jobs", type=int, metavar="N", help="suites at a time",
                        default=os.cpu_count() + 1 if os.geteuid() == 0 else 1)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    start = time.monotonic()
    suites = find_suites(options.full, options.names) + machine_suites(options.full, options.names)
    suites = [s for s in suites if wanted(s, options.names)]
    for name in options.names:
        if not any(wanted(s, [name]) for s in suites):
            parser.error(f"no test file '{name}'")
    counts = Counts(read_expected_skips())
    run_all(suites, counts, options.full, options.jobs)
    for title, rows in (("skipped", counts.skipped), ("FAILED", counts.failed)):
        if rows:
            print(f"\n{title}:")
            print("".join(f"  {row}\n" for row in rows), end="")
    # With these two one sees how long the processors have waited for each other.
    used = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"\n{used:.0f} s of processors ({os.cpu_count()} of them) in {time.monotonic() - start:.0f} s")
    print(f"\n{counts.passed} passed, {len(counts.failed)} failed, {len(counts.skipped)} skipped")
    sys.exit(1 if counts.failed else 0)


if __name__ == "__main__":
    os.umask(0o022)
    main()
