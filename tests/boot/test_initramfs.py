"""initramfs.sh: what is in the archive, read by code of our own.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def read_archive(data):
    """{name: (mode, uid, gid, content)} of a cpio archive, format newc."""
    files, at = {}, 0
    while True:
        assert data[at:at + 6] == b"070701", data[at:at + 16]
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, length = fields[6], fields[11]
        name = data[at + 110:at + 110 + length].decode()
        assert name[-1] == "\0"
        begin = at + (110 + length + 3) // 4 * 4
        at = begin + (size + 3) // 4 * 4
        if name == "TRAILER!!!\0":
            assert at == len(data)
            return files
        assert name not in files
        assert "/" not in name or name.rpartition("/")[0] + "\0" in files, name
        files[name] = (fields[1], fields[2], fields[3], data[begin:begin + size])


class Initramfs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="initramfs-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o777)
        (self.folder / "binary").write_bytes(b"#!x")
        source = self.folder / "some files"
        (source / "b/c").mkdir(parents=True)
        (source / "b").chmod(0o1777)
        (source / "a 'name'\n").write_bytes(b"12345")
        (source / "a 'name'\n").chmod(0o4751)
        (source / "b/link").symlink_to("../nowhere")
        (source / "b/c/empty").touch()

    def write(self, *files, before=(), status=0):
        done = subprocess.run(
            [*before, TOP / "initramfs.sh", self.folder / "binary", self.folder / "out", *files],
            capture_output=True, text=True, check=False, cwd=self.folder)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        return done.stderr

    def test_contents(self):
        """Names, modes, owners, links, and parents before what is in them."""
        self.assertEqual(self.write("some files:/etc/x/", "binary:y"), "")
        data = (self.folder / "out").read_bytes()
        files = {name[:-1]: what for name, what in read_archive(data).items()}
        regular, folder, link = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK
        self.assertEqual(files.pop("etc/x")[0], folder | 0o755)
        self.assertEqual(files, {
            "init": (regular | 0o755, 0, 0, b"#!x"),
            "bin": (folder | 0o755, 0, 0, b""),
            "bin/shimbox": (link | 0o777, 0, 0, b"../init"),
            "etc": (folder | 0o755, 0, 0, b""),
            "etc/x/a 'name'\n": (regular | 0o4751, 0, 0, b"12345"),
            "etc/x/b": (folder | 0o1777, 0, 0, b""),
            "etc/x/b/link": (link | 0o777, 0, 0, b"../nowhere"),
            "etc/x/b/c": (folder | 0o755, 0, 0, b""),
            "etc/x/b/c/empty": (regular | 0o644, 0, 0, b""),
            "y": (regular | 0o644, 0, 0, b"#!x"),
        })
        self.write("some files:/etc/x/", "binary:y")
        self.assertEqual((self.folder / "out").read_bytes(), data)

    def test_own_place(self):
        """Without a place, a file stands where it stands here."""
        self.write("some files/b/c")
        self.assertIn(f"{self.folder}/some files/b/c/empty\0".lstrip("/"),
                      read_archive((self.folder / "out").read_bytes()))

    @unittest.skipIf(os.geteuid() != 0, "owners can be given by root alone")
    def test_owners(self):
        """Those of the caller become root's, others stay."""
        (self.folder / "some files/a 'name'\n").chmod(0o644)
        os.chown(self.folder / "some files/b", 1000, 1000)
        os.chown(self.folder / "some files/b/c", 1234, 5678)
        for before in ((), ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups")):
            with self.subTest(before=before):
                for path in (self.folder / "out", self.folder / "out.new"):
                    path.unlink(missing_ok=True)
                self.write("some files:/x", before=before)
                files = read_archive((self.folder / "out").read_bytes())
                self.assertEqual(files["x/b\0"][1:3], (0, 0) if before else (1000, 1000))
                self.assertEqual(files["x/b/c\0"][1:3], (1234, 5678))

    def test_refusals(self):
        """One line names what is wrong, and an archive that was there stays."""
        (self.folder / "out").write_text("before")
        os.mkfifo(self.folder / "some files/pipe")
        for file, text in (("none:/x", "none: no such file"),
                           ("binary:/a/../b", "/a/../b: not a plain path"),
                           ("some files:/x", "some files/pipe: neither file, folder nor link")):
            with self.subTest(file=file):
                self.assertEqual(self.write(file, status=1), f"initramfs.sh: {text}\n")
                self.assertEqual((self.folder / "out").read_text(), "before")
                self.assertFalse((self.folder / "out.new").exists())


if __name__ == "__main__":
    unittest.main()
