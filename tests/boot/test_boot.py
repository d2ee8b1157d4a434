"""boot: machines from the first process to the last, and what is refused elsewhere.
SPDX-License-Identifier: Apache-2.0
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from machine import HALTED, PROBE, SHIMBOX, TOP, Machine, lacks, modules, temporary, write_initramfs  # noqa: E402

OFF, RESTART = "reboot: Power down", "reboot: Restarting system"
MARK = "this must not run"
DISK = "shimbox.modules=virtio-blk,,virtio_pci shimbox.device=/dev/vda "
SHELL = "the machine goes on when it ends"
ASKED = SHELL + "\n" # then what is typed is not in that line

# name: the words of the kernel's command line, and more for Machine.
MACHINES = {
    "command": ('"shimbox.run=/bin/busybox sh /commands.sh" shimbox.modules=dummy,loop'
                " ip=10.9.8.7::10.9.8.1::web:dummy0:off:10.9.8.2 -- --unknown -x", {"processors": 2}),
    "mistake": (f'shimbox.run="/bin/busybox echo {MARK}" shimbox.rum=x shimbox.exit=reboot'
                " SHIMBOX_TRACE=/nowhere/trace SHIMBOX_FDS=nonsense", {}),
    "no_command": ("shimbox.run=/bin/none shimbox.exit=halt", {}),
    "no_device": ("shimbox.device=/dev/vdz shimbox.wait=1 shimbox.bundle=/", {}),
    "bundle": ("", {}),
    "overlay": (DISK.replace(" ", ",/overlay.ko ", 1) + "shimbox.overlay shimbox.bundle=bundle",
                {"disk": True}),
    "debug": (DISK + "shimbox.bundle=/bundle shimbox.debug", {
        "disk": True, "answers": [(ASKED, "echo typed-$((6 * 7)); exit 5\n"),
                                  (ASKED, "echo typed-$((7 * 7)); exit 6\n")]}),
    "interrupt": ('"shimbox.run=/bin/busybox sh /interrupt.sh"', {}),
    "nothing": ("shimbox.debug", {"initramfs": "empty"}),
    "switch_root": (DISK + "shimbox.switch_root=/system rw", {"disk": True}),
}

# Ctrl-Alt-Del is SIGINT for process 1, from the kernel or from somebody.
INTERRUPT = """trap 'echo interrupted; exit 4' INT
kill -INT 1
while :; do sleep 1; done
"""

# What the system that is handed over to does.
INIT = """#!/bin/busybox sh
export PATH=/bin
probe mounts list=/
echo "pid $$"
busybox grep Shmem: /proc/meminfo
busybox touch /written && echo "written"
busybox sync
busybox poweroff -f
"""


def make_root(folder):
    """busybox and the probe."""
    (folder / "bin").mkdir(parents=True)
    for source in (shutil.which("busybox"), PROBE):
        shutil.copy(source, folder / "bin" / os.path.basename(source))
    (folder / "bin/sh").symlink_to("busybox")


def make_bundle(folder, script):
    make_root(folder / "rootfs")
    for name in ("dev", "proc", "sys", "tmp"):
        (folder / "rootfs" / name).mkdir()
    done = subprocess.run([SHIMBOX, "spec", "-o", "-", "--", "/bin/sh", "-c", script],
                          stdout=subprocess.PIPE, check=True)
    config = json.loads(done.stdout)
    config["root"]["readonly"] = False
    (folder / "config.json").write_text(json.dumps(config))


def make_disk(folder):
    make_bundle(folder / "files/bundle", "echo first-$$; /bin/probe mkdir=/new; exit 7")
    make_root(folder / "files/system")
    for name in ("dev", "proc", "run", "sbin", "sys"):
        (folder / "files/system" / name).mkdir()
    (folder / "files/system/sbin/init").write_text(INIT)
    (folder / "files/system/sbin/init").chmod(0o755)
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", folder / "files",
                    folder / "disk", "64M"], check=True, env=dict(os.environ, PATH=path))


def make_initramfs(folder):
    make_bundle(folder / "bundle", "echo first-$$; /bin/probe list=/; exit 9")
    (folder / "sh").symlink_to("busybox")
    files, place, lines = modules("virtio_pci", "virtio_blk", "dummy", "loop", "overlay")
    (folder / "modules.dep").write_text(lines)
    overlay = next(file for file in files if file.endswith("/overlay.ko")).partition(":")[0]
    (folder / "interrupt.sh").write_text(INTERRUPT)
    write_initramfs(folder / "empty")
    write_initramfs(folder / "initramfs", f"{TOP}/tests/boot/commands.sh:/commands.sh",
                    f"{folder}/interrupt.sh:/interrupt.sh",
                    f"{folder}/bundle:/etc/shimbox", f"{folder}/sh:/bin/sh", *files,
                    f"{folder}/modules.dep:{place}", f"{overlay}:/overlay.ko")


class Boot(unittest.TestCase):
    """Each machine is booted once, two at a time; the tests judge what they said."""

    @classmethod
    def setUpClass(cls):
        missing = lacks()
        if missing:
            print(f"# SKIPPED: {missing}")
            raise unittest.SkipTest(missing)
        folder = temporary()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        make_disk(cls.folder)
        make_initramfs(cls.folder)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            started = {name: pool.submit(cls.start, name) for name in MACHINES}
            cls.machines = {name: future.result() for name, future in started.items()}

    @classmethod
    def start(cls, name):
        words, more = MACHINES[name]
        more = dict(more)
        if more.get("disk"):
            shutil.copy(cls.folder / "disk", cls.folder / f"disk.{name}")
            more = dict(more, disk=cls.folder / f"disk.{name}")
        initramfs = cls.folder / more.pop("initramfs", "initramfs")
        return Machine(initramfs, words, **more)

    def machine(self, name, code, messages, end=OFF):
        """The machine of that name, once it has ended as expected."""
        machine = self.machines[name]
        self.assertEqual(machine.code(), code, machine.console)
        self.assertEqual(machine.messages(), messages, machine.console)
        self.assertIn(end, machine.console)
        self.assertNotIn("Kernel panic", machine.console)
        self.assertEqual(machine.ended, end != HALTED, machine.console)
        return machine

    def test_command(self):
        """A command finds everything set up; its exit code is the machine's."""
        lines = self.machine("command", 3, []).lines()
        for place, kind, option in (("/proc", "proc", "nosuid"), ("/sys", "sysfs", "nosuid"),
                                    ("/dev", "devtmpfs", "nosuid"), ("/dev/pts", "devpts", "noexec"),
                                    ("/dev/shm", "tmpfs", "nodev"), ("/run", "tmpfs", "nodev"),
                                    ("/tmp", "tmpfs", "nodev"), ("/sys/fs/cgroup", "cgroup2", "noexec")):
            self.assertIn(f"mounts:{place}.type={kind}", lines)
            options = next(line for line in lines if line.startswith(f"mounts:{place}.options="))
            self.assertIn(option, options.partition("=")[2].split(","))
        self.assertEqual([line for line in lines if line.startswith("missing ")], [])
        self.assertIn("interfaces.lo.up=yes", lines)
        self.assertIn("spoken to the terminal", lines)
        self.assertTrue(any(line.startswith("foreground 1 session 1 terminal 1") for line in lines), lines)

    def test_controllers(self):
        """Every controller of cgroup2 can be used below the root."""
        lines = self.machines["command"].lines()
        there = next(line for line in lines if line.startswith("controllers ")).split()[1:]
        self.assertIn("memory", there)
        self.assertEqual(next(line for line in lines if line.startswith("enabled ")).split()[1:], there)

    def test_limits(self):
        """What runs there can be limited."""
        lines = self.machines["command"].lines()
        for line in ("limit memory.max 67108864", "limit memory.swap.max 0",
                     "limit cpu.max 50000 100000", "limit pids.max 20", "cgroup 0::/job"):
            self.assertIn(line, lines)

    def test_orphans(self):
        """Thousands are reaped; what does not end is ended with the machine."""
        self.assertIn("orphans 2000 zombies 0", self.machines["command"].lines())

    def test_mistake(self):
        """A wrong kernel argument: nothing is run, and the machine ends as it was told to."""
        machine = self.machine("mistake", 125, [
            "shimbox boot: cannot open the trace /nowhere/trace: No such file or directory",
            "shimbox boot: unknown kernel argument shimbox.rum (see 'shimbox boot --help')"], RESTART)
        self.assertNotIn(MARK, machine.lines())

    def test_no_command(self):
        self.machine("no_command", 127,
                     ["shimbox boot: cannot execute /bin/none: No such file or directory"], HALTED)


    def test_interrupt(self):
        """Ctrl-Alt-Del is for the program, and does not restart the machine at once."""
        self.assertIn("interrupted", self.machine("interrupt", 4, []).lines())

    def test_nothing(self):
        """Nothing to boot, and no shell to look around with: told, after the reports."""
        console = self.machine("nothing", 125, [
            "shimbox boot: warning: there is no /bin/sh to look around with",
            "shimbox boot: nothing to boot: no shimbox.run or shimbox.bundle in the kernel's command line,"
            " and no /etc/shimbox/config.json",
            "shimbox boot: warning: there is no /bin/sh to look around with"]).console
        self.assertRegex(console, "userns-create .*pass")

    def test_no_device(self):
        self.machine("no_device", 125, [
            "shimbox boot: device /dev/vdz did not come within 1 s: No such file or directory"
            " (its modules: shimbox.modules=...; a longer time: shimbox.wait=SECONDS)"])

    def test_static_address(self):
        """ip=, for an interface whose module is loaded before."""
        lines = self.machines["command"].lines()
        for line in ("hostname web", "nameserver 10.9.8.2", "interfaces.dummy0.up=yes",
                     "address 10.9.8.7/8", "route default via 10.9.8.1 dev dummy0"):
            self.assertIn(line, lines)

    def test_bundle(self):
        """/etc/shimbox/config.json, without any word on the command line."""
        lines = self.machine("bundle", 9, []).lines()
        self.assertIn("first-1", lines)
        self.assertIn("list:/=bin dev proc sys tmp", lines)

    def test_overlay(self):
        """A bundle on a device may write, and the device stays as it is."""
        lines = self.machine("overlay", 7, []).lines()
        self.assertIn("mkdir:/new=ok", lines)
        self.assertEqual((self.folder / "disk.overlay").read_bytes(), (self.folder / "disk").read_bytes())

    def test_debug(self):
        """Reports and a shell before; a shell again after a failure. Without the overlay, the
        device cannot be written to."""
        machine = self.machine("debug", 7, [
            f"shimbox boot: this is a shell; {SHELL}", f"shimbox boot: this is a shell; {SHELL}"])
        lines = machine.lines()
        self.assertIn("mkdir:/new=EROFS", lines)
        order = [lines.index(line) for line in ("typed-42", "first-1", "typed-49", "shimbox: exit 7")]
        self.assertEqual(order, sorted(order), machine.console)
        for pattern in ("userns-create .*pass", "command_line .*console=ttyS0"):
            self.assertRegex(machine.console[:machine.console.index("\ntyped-42")], pattern)

    def test_switch_root(self):
        """A real system takes over: as process 1, with the mounts, without the initramfs."""
        machine = self.machines["switch_root"]
        lines = machine.lines()
        self.assertEqual(machine.messages(), [], machine.console)
        self.assertEqual(machine.code(), [], machine.console)
        self.assertTrue(machine.ended, machine.console)
        for line in ("pid 1", "written", "mounts:/proc.type=proc", "mounts:/dev.type=devtmpfs",
                     "mounts:/sys/fs/cgroup.type=cgroup2", "mounts:/run.type=tmpfs"):
            self.assertIn(line, lines)
        for place in ("/run/device", "/tmp", "/system"):
            self.assertNotIn(f"mounts:{place}.", machine.console)
        shared = next(int(line.split()[1]) for line in lines if line.startswith("Shmem:"))
        self.assertLess(shared, 1000, "KiB of the initramfs are still in memory")


class Elsewhere(unittest.TestCase):
    """No machine: refused, with nothing changed."""

    def refuse(self, *before):
        script = 'cat /proc/self/mountinfo; "$@"; echo "status $?"; cat /proc/self/mountinfo'
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", *before, SHIMBOX, "boot"],
                              capture_output=True, text=True, check=False, timeout=60)
        first, _, rest = done.stdout.partition("status 125\n")
        self.assertEqual(first, rest)
        self.assertNotEqual(first, "")
        self.assertEqual(done.stderr, "shimbox boot: cannot boot: this is not the first process of a"
                         " machine: Operation not permitted (in a container, and for a program:"
                         " shimbox init)\n")

    def test_process(self):
        self.refuse()

    def test_first_of_a_container(self):
        self.refuse("unshare", "--pid", "--fork")
        self.refuse("unshare", "--pid", "--fork", "--mount-proc")


if __name__ == "__main__":
    unittest.main()
