"""What the test machine boots: an initramfs, and a disk with the tools that tests use.
SPDX-License-Identifier: Apache-2.0
"""

import hashlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
VM = TOP / "build/vm"
# Debian packages whose files, with those of everything that they depend on, are on the disk.
PACKAGES = ("apparmor", "bash", "bats", "busybox-static", "coreutils", "crun", "file", "iproute2", "jq", "mount",
            "passwd", "procps", "python3", "runc", "sed", "strace", "tar", "uidmap", "util-linux")
# What no test reads, and is most of it.
UNUSED = re.compile(r"/usr/share/(doc|man|info|locale|i18n|zoneinfo|lintian|bug|perl|icons)/|/boot/"
                    r"|/usr/lib/[^/]*/(perl|gconv)|/usr/lib/python3[^/]*/(test|idlelib|lib2to3)/")
# In this order: those of the machine's bus and disks, then what containers are made of.
MODULES = ("drivers/virtio/virtio_ring", "drivers/virtio/virtio",
           "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci_legacy_dev",
           "drivers/virtio/virtio_pci", "drivers/block/virtio_blk", "fs/overlayfs/overlay",
           "drivers/net/dummy", "drivers/net/veth")


class Cpio:
    """A cpio archive, format newc, as the kernel unpacks it (buffer-format.rst of its
    documentation on early user space)."""

    def __init__(self):
        self.data, self.count, self.folders = bytearray(), 0, set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        for parent in reversed(pathlib.PurePath(name).parents):
            if str(parent) != "." and str(parent) not in self.folders:
                self.folders.add(str(parent))
                self.add(str(parent), stat.S_IFDIR | 0o755)
        if stat.S_ISDIR(mode):
            self.folders.add(name)
        self.count += 1
        path = name.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + path
        self.pad()
        self.data += data
        self.pad()

    def pad(self):
        self.data += b"\0" * (-len(self.data) % 4)

    def file(self, name, data, mode=0o755):
        self.add(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def finish(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


def initramfs(modules, files):
    """An initramfs with busybox, these modules' folder's MODULES, and files (name -> bytes)."""
    archive = Cpio()
    busybox = shutil.which("busybox")
    archive.file("bin/busybox", pathlib.Path(busybox).read_bytes())
    listing = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for name in listing.stdout.split():
        if name != "busybox":
            archive.link(f"bin/{name}", "busybox")
    for name in ("dev", "proc", "sys", "tmp", "run", "root", "disk"):
        archive.add(name, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    order = []
    for module in MODULES:
        path = modules / f"kernel/{module}.ko"
        if path.exists():  # else it is part of that kernel
            archive.file(f"modules/{path.name}", path.read_bytes(), 0o644)
            order.append(path.name)
    archive.file("modules/order", "\n".join(order).encode() + b"\n", 0o644)
    for name, data in files.items():
        archive.file(name, data)
    return archive.finish()


def read_packages():
    """Of each installed package: its version and what it depends on; and who provides what."""
    form = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n"
    text = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True,
                          check=True).stdout
    packages, providers, essential = {}, {}, []
    for line in text.splitlines():
        status, name, version, must, provides, depends = line.split("\t")
        if status[1] != "i":
            continue
        packages[name] = (version, depends)
        if must == "yes":
            essential.append(name)
        for word in provides.split(","):
            providers.setdefault(word.split("(")[0].strip(), []).append(name)
    return packages, providers, essential


def closure():
    """{package: version} of everything on the disk."""
    packages, providers, essential = read_packages()
    todo, found = [*PACKAGES, *essential], {}
    while todo:
        name = todo.pop()
        if name in found or name not in packages:
            continue
        found[name], depends = packages[name]
        for group in depends.split(","):
            words = [re.sub(r"[(:\[].*", "", word).strip() for word in group.split("|")]
            installed = [word for word in words if word in packages]
            installed += [name for word in words for name in providers.get(word, [])]
            todo += installed[:1]
    missing = [name for name in PACKAGES if name not in found]
    if missing:
        raise RuntimeError(f"packages are missing: {' '.join(missing)}")
    return found


def list_files(names):
    """Their files, each by the path that it really has, for /bin may be a link to /usr/bin."""
    text = subprocess.run(["dpkg-query", "-L", *names], capture_output=True, text=True,
                          check=True).stdout
    folders, paths = {}, set()
    for path in text.splitlines():
        if not path.startswith("/") or UNUSED.search(path + "/") or not os.path.lexists(path):
            continue
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        paths.add(os.path.join(folders[folder], name).lstrip("/"))
    # What Python's installation compiled is in no list; without it each start there compiles anew.
    for path in [path for path in paths if path.endswith(".py")]:
        folder, name = os.path.split(f"/{path}")
        paths |= {str(found)[1:] for found in pathlib.Path(folder, "__pycache__").glob(f"{name[:-3]}.*.pyc")}
    paths.discard("")
    paths |= {p.lstrip("/") for p in ("/bin", "/sbin", "/lib", "/lib64") if os.path.islink(p)}
    # Of each alternative (awk), the second line names the link that no package has in its list.
    for path in pathlib.Path("/var/lib/dpkg/alternatives").iterdir():
        link = path.read_text().splitlines()[1]
        if os.path.realpath(link).lstrip("/") in paths:
            folder, name = os.path.split(link)
            paths |= {f"etc/alternatives/{path.name}", f"{os.path.realpath(folder)}/{name}".lstrip("/")}
    return sorted(paths | {"etc/ld.so.cache"})


def disk():
    """The disk's image, made when there is none of these packages yet; returns its path."""
    packages = closure()
    key = "".join(f"{name} {packages[name]}\n" for name in sorted(packages))
    key += pathlib.Path(__file__).read_text()
    path = VM / f"disk-{hashlib.sha256(key.encode()).hexdigest()[:16]}.ext4"
    if path.exists():
        return path
    for old in VM.glob("disk-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=VM) as folder:
        root = pathlib.Path(folder) / "root"
        root.mkdir()
        names = "\0".join(list_files(packages)).encode()
        copy = "tar -C / -c --no-recursion --null -T - | tar -x -C \"$1\""
        subprocess.run(["bash", "-o", "pipefail", "-c", copy, "copy", root], input=names, check=True)
        for name in ("dev", "proc", "sys", "run", "tmp", "root", "mnt", "home", "src", "var/tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "tmp").chmod(0o1777)
        for name in ("passwd", "group"):
            shutil.copy(f"/usr/share/base-passwd/{name}.master", root / "etc" / name)
        for name in ("shadow", "gshadow", "subuid", "subgid", "fstab"):
            (root / "etc" / name).write_text("")
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (root / "etc/hostname").write_text("test-machine\n")
        image = pathlib.Path(folder) / "image"
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", root,
                        image, "2G"], check=True, env=dict(os.environ, PATH="/usr/sbin:/sbin:/usr/bin:/bin"))
        image.rename(path)
    return path
