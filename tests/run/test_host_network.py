#!/usr/bin/env python3
"""run and spec: the host's network and its resolv.conf, above all for an ordinary user.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import subprocess
import tempfile

from container import ContainerTest


class HostNetwork(ContainerTest):
    @classmethod
    def setUpClass(cls):
        """An /etc of its own, whose resolv.conf can be of any kind; and where systemd-resolved has
        it: on a mount with flags that nobody can take back."""
        super().setUpClass()
        cls.need_user()
        cls.etc = tempfile.mkdtemp(dir=cls.dir)
        cls.state = tempfile.mkdtemp(dir=cls.dir)
        subprocess.run(["cp", "-a", "/etc/.", cls.etc], check=True)
        os.chmod(cls.etc, 0o755)
        for command in (["mount", "--bind", cls.etc, "/etc"],
                        ["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,mode=755", "run", cls.state]):
            subprocess.run(command, check=True)
            cls.addClassCleanup(subprocess.run, ["umount", command[-1]], check=True)
        pathlib.Path(f"{cls.state}/stub").write_text("nameserver 192.0.2.1\n")

    def resolv_conf(self, target):
        """Make /etc/resolv.conf a link to target; None: nothing."""
        pathlib.Path("/etc/resolv.conf").unlink(missing_ok=True)
        if target:
            os.symlink(target, "/etc/resolv.conf")

    def spec(self, *options, rootfs, as_user=True):
        done = subprocess.run(
            [self.shimbox, "spec", "-o", "-", "--host-network", "--rootfs", rootfs, *options, "--", "/bin/probe",
             "read=/etc/resolv.conf", "stat=/etc/resolv.conf", "interfaces", "mount=/sys"],
            capture_output=True, text=True, check=False,
            preexec_fn=self.user.preexec if as_user else None, cwd="/")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def forget(self, rootfs):
        subprocess.run(["rm", "-rf", f"{rootfs}/etc/resolv.conf", f"{rootfs}/run"], check=True)
        os.mkdir(f"{rootfs}/run")
        os.chown(f"{rootfs}/run", os.stat(rootfs).st_uid, os.stat(rootfs).st_gid)

    def test_kinds(self):
        """The host's file as a link, absolute or relative; the image's as nothing, a file, or a link
        that leads nowhere."""
        up = "../" * 12
        for target in (f"{self.state}/stub", f"{up}{self.state[1:]}/stub"):
            for image in (None, "file", "../run/systemd/resolve/stub-resolv.conf"):
                for title, rootfs, options, more in (
                        ("user", self.user_rootfs, ["--rootless"], {"as_user": True}),
                        ("root", self.rootfs, [], {})):
                    with self.subTest(title, target=target, image=image):
                        self.resolv_conf(target)
                        self.forget(rootfs)
                        place = f"{rootfs}/etc/resolv.conf"
                        if image == "file":
                            pathlib.Path(place).write_text("the image's")
                        elif image:
                            os.symlink(image, place)
                        facts = self.ask(self.spec(*options, rootfs=rootfs, as_user=title == "user"), **more)
                        self.assertEqual(facts["read:/etc/resolv.conf"], "nameserver 192.0.2.1\\n")
                        if not os.path.islink(place):
                            flags = facts["stat:/etc/resolv.conf.flags"].split()
                            self.assertEqual(flags[:4], ["ro", "nosuid", "nodev", "noexec"])
                        if image == "file":
                            self.assertEqual(pathlib.Path(place).read_text(), "the image's")
                        self.forget(rootfs)

    def test_no_file_on_the_host(self):
        for target in (None, "/no/such"):
            self.resolv_conf(target)
            self.refused(self.spec("--rootless", rootfs=self.user_rootfs),
                         "cannot mount /etc/resolv.conf: cannot open /etc/resolv.conf for mounting: No such file",
                         as_user=True)

    def test_no_place_in_the_image(self):
        """Somebody else's root file system, or a read-only one, without the file."""
        self.resolv_conf(f"{self.state}/stub")
        os.chown(f"{self.user_rootfs}/etc", 0, 0)
        try:
            self.refused(self.spec("--rootless", rootfs=self.user_rootfs),
                         "cannot create /etc/resolv.conf: Permission denied (make it in the root file "
                         "system beforehand)", as_user=True)
        finally:
            os.chown(f"{self.user_rootfs}/etc", self.user.uid, self.user.gid)
        readonly = tempfile.mkdtemp(dir=self.dir)
        os.chmod(readonly, 0o755)
        subprocess.run(["mount", "--bind", self.user_rootfs, readonly], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", readonly], check=True)
            self.refused(self.spec("--rootless", rootfs=readonly),
                         "cannot create /etc/resolv.conf: Read-only file system (make it in the root "
                         "file system beforehand)", as_user=True)
            # With the file, that is enough.
            pathlib.Path(f"{self.user_rootfs}/etc/resolv.conf").touch()
            facts = self.ask(self.spec("--rootless", rootfs=readonly), as_user=True)
            self.assertEqual(facts["read:/etc/resolv.conf"], "nameserver 192.0.2.1\\n")
        finally:
            subprocess.run(["umount", readonly], check=True)

    def test_configurations_of_others(self):
        """What runc and crun write for an ordinary user, and the host's network for it."""
        self.resolv_conf(f"{'../' * 12}{self.state[1:]}/stub")
        for runtime in ("runc", "crun"):
            with self.subTest(runtime):
                bundle = tempfile.mkdtemp(dir=self.dir)
                os.chown(bundle, self.user.uid, self.user.gid)
                subprocess.run([runtime, "spec", "--rootless"], cwd=bundle, check=True,
                               preexec_fn=self.user.preexec)
                config = json.loads(pathlib.Path(f"{bundle}/config.json").read_text())
                config["process"].update(terminal=False, args=["/bin/probe", "read=/etc/resolv.conf", "uid"])
                config["root"]["path"] = self.user_rootfs
                config["linux"].pop("seccomp", None)
                done = subprocess.run([self.shimbox, "spec", "--config", "-", "-o", "-", "--host-network"],
                                      input=json.dumps(config), capture_output=True, text=True, check=True)
                config = json.loads(done.stdout)
                self.assertNotIn({"type": "network"}, config["linux"]["namespaces"])
                result = self.run_config(config, as_user=True)
                self.assertEqual((result.status, result.facts.get("read:/etc/resolv.conf")),
                                 (0, "nameserver 192.0.2.1\\n"), result)
