"""inspect --system and --device, compared with /proc, blkid and the makers of file systems.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

from asking import ERROR, ask, call

UUID = "6a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9"


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def blkid(path):
    """What util-linux finds: type, label, UUID."""
    found = subprocess.run(["blkid", "-p", "-o", "export", path], capture_output=True, text=True)
    told = dict(re.sub(r"\\(.)", r"\1", line).split("=", 1) for line in found.stdout.splitlines())
    return [told.get(key) for key in ("TYPE", "LABEL", "UUID")]


class System(unittest.TestCase):
    def setUp(self):
        self.told = ask("--system", kind="system_document")

    def test_kernel(self):
        name = os.uname()
        kernel = self.told["kernel"]
        self.assertEqual([kernel["release"], kernel["version"], kernel["machine"],
                          kernel["hostname"]],
                         [name.release, name.version, name.machine, name.nodename])
        self.assertEqual(kernel["command_line"],
                         pathlib.Path("/proc/cmdline").read_text().rstrip("\n"))

    def test_memory(self):
        lines = dict(line.split(":") for line in
                     pathlib.Path("/proc/meminfo").read_text().splitlines())
        memory = self.told["memory_bytes"]
        for key, name in (("total", "MemTotal"), ("swap_total", "SwapTotal")):
            self.assertEqual(memory[key], int(lines[name].split()[0]) * 1024)
        for key in ("free", "available", "cached"):
            self.assertLess(0, memory[key])
            self.assertLess(memory[key], memory["total"])

    def test_modules(self):
        modules = pathlib.Path("/proc/modules")
        if not modules.exists():
            self.assertEqual(self.told["modules"], {ERROR: "the kernel has no modules"})
            return
        # Others may load one meanwhile.
        for _ in range(20):
            before = modules.read_text()
            told = ask("--system", kind="system_document")["modules"]
            after = modules.read_text()
            names = [{line.split()[0] for line in text.splitlines()} for text in (before, after)]
            if names[0] == names[1]:
                break
        self.assertEqual({one["name"] for one in told}, names[1])

    def test_devices(self):
        lines = [line.split() for line in
                 pathlib.Path("/proc/partitions").read_text().splitlines()[2:]]
        devices = {one["name"]: one for one in self.told["block_devices"]}
        # Loop devices of other tests come and go.
        for major, minor, blocks, name in lines:
            if name.startswith("loop"):
                continue
            self.assertEqual(devices[name]["device"], f"{major}:{minor}")
            self.assertEqual(devices[name]["size"], int(blocks) * 1024)
            try:
                os.close(os.open(f"/dev/{name}", os.O_RDONLY))
            except OSError as error:
                self.assertEqual(devices[name]["filesystem"], {ERROR: os.strerror(error.errno)})
            else:
                self.assertEqual([devices[name][key] for key in ("filesystem", "label", "uuid")],
                                 blkid(f"/dev/{name}"))

    def test_messages(self):
        """A message of our own is among the last ones."""
        # The kernel may have as many to tell of what others do, or leave one out where there are too many.
        for _ in range(10):
            mark = f"inspect test {os.urandom(8).hex()}"
            pathlib.Path("/dev/kmsg").write_text(f"<5>{mark}\n")
            told = ask("--system", "--messages", "200", kind="system_document")["messages"]
            self.assertLessEqual(len(told), 200)
            found = [one for one in told if one["text"] == mark]
            if found:
                break
        self.assertEqual([one["level"] for one in found], ["notice"])
        few = ask("--system", "--messages", "2", kind="system_document")["messages"]
        self.assertEqual(len(few), 2)

    def test_messages_denied(self):
        told = ask("--system", kind="system_document",
                   before=["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all"])
        restricted = pathlib.Path("/proc/sys/kernel/dmesg_restrict").read_text() == "1\n"
        if restricted:
            self.assertEqual(told["messages"], {ERROR: "Operation not permitted"})
        else:
            self.assertIsInstance(told["messages"], list)


class Device(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="inspect."))
        self.addCleanup(shutil.rmtree, self.folder)
        self.image = str(self.folder / "image")

    def sized(self, megabytes):
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)

    def check(self, *want):
        """As wanted, and as blkid says."""
        told = ask("--device", self.image, kind="device_document")["device"]
        found = [told[key] for key in ("filesystem", "label", "uuid")]
        self.assertEqual(found, list(want))
        self.assertEqual(told["size"], os.path.getsize(self.image))
        theirs = blkid(self.image)
        if want[0] in ("luks1", "luks2"):
            theirs[0] = want[0]
        self.assertEqual(found, theirs)

    def test_ext(self):
        for kind in ("ext2", "ext3", "ext4"):
            self.sized(8)
            run(f"mkfs.{kind}", "-q", "-F", "-L", "my root", "-U", UUID, self.image)
            self.check(kind, "my root", UUID)
        run("tune2fs", "-L", "", self.image)
        self.check("ext4", None, UUID)

    def test_xfs(self):
        self.sized(320)
        run("mkfs.xfs", "-q", "-L", "twelve bytes", "-m", f"uuid={UUID}", self.image)
        self.check("xfs", "twelve bytes", UUID)

    def test_btrfs(self):
        self.sized(120)
        run("mkfs.btrfs", "-q", "-L", "a longer label, up to 255 bytes", "-U", UUID, self.image)
        self.check("btrfs", "a longer label, up to 255 bytes", UUID)

    def test_vfat(self):
        for bits, size in (("12", 2), ("16", 20), ("32", 40)):
            self.sized(size)
            run("mkfs.vfat", "-F", bits, "-n", "EFI SYS", "-i", "12ab34cd", self.image)
            self.check("vfat", "EFI SYS", "12AB-34CD")
        self.sized(2)
        run("mkfs.vfat", "-i", "00000001", self.image)
        self.check("vfat", None, "0000-0001")

    def test_readonly(self):
        (self.folder / "from").mkdir()
        (self.folder / "from/file").write_text("x" * 5000)
        run("mksquashfs", str(self.folder / "from"), self.image, "-quiet", "-no-progress")
        self.check("squashfs", None, None)
        os.unlink(self.image)
        run("mkfs.erofs", "-U", UUID, self.image, str(self.folder / "from"))
        self.check("erofs", None, UUID)
        run("genisoimage", "-quiet", "-V", "DEBIAN 12", "-o", self.image, str(self.folder / "from"))
        uuid = blkid(self.image)[2]
        self.assertRegex(uuid, r"^\d{4}(-\d\d){6}$")
        self.check("iso9660", "DEBIAN 12", uuid)

    def test_swap(self):
        self.sized(1)
        run("mkswap", "-L", "swapped", "-U", UUID, self.image)
        self.check("swap", "swapped", UUID)

    def test_luks(self):
        """Headers made by the format's specification."""
        self.sized(4)
        with open(self.image, "r+b") as image:
            image.write(struct.pack(">6sH32s32s32sII20s32sI40s", b"LUKS\xba\xbe", 1, b"aes",
                                    b"xts-plain64", b"sha256", 4096, 64, b"", b"", 1000,
                                    UUID.encode()))
        self.check("luks1", None, UUID)
        self.sized(0)
        self.sized(4)
        with open(self.image, "r+b") as image:
            image.write(struct.pack(">6sHQQ48s32s64s40s48sQ", b"LUKS\xba\xbe", 2, 16384, 1,
                                    b"secrets", b"sha256", b"", UUID.encode(), b"", 0))
        self.check("luks2", "secrets", UUID)

    def test_nothing(self):
        for size in (0, 1):
            self.sized(size)
            told = ask("--device", self.image, kind="device_document")["device"]
            self.assertEqual((told["filesystem"], told["label"], told["uuid"]),
                             (None, None, None))

    def test_several(self):
        """What blkid calls ambivalent."""
        self.sized(8)
        run("mkfs.ext4", "-q", "-F", self.image)
        with open(self.image, "r+b") as image:
            image.seek(4096 - 10)
            image.write(b"SWAPSPACE2")
            image.seek(1024)
            # The first words of the superblock are version and size of swap.
            image.write(struct.pack("<II", 1, 100))
        told = ask("--device", self.image, kind="device_document")["device"]
        want = {ERROR: "marks of several: ext4 swap"}
        self.assertEqual([told["filesystem"], told["label"], told["uuid"]], [want] * 3)

    def test_refused(self):
        self.assertEqual(call("--device", "/nothing"),
                         (2, "", "shimbox inspect: cannot open /nothing: "
                                 "No such file or directory\n"))
        self.assertEqual(call("--device", "/dev/null")[::2],
                         (2, "shimbox inspect: /dev/null is neither a block device nor a file\n"))


if __name__ == "__main__":
    unittest.main()
