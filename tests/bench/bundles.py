#!/usr/bin/env python3
"""Bundles of growing size: many mounts, id ranges, devices, masked and read-only paths.
SPDX-License-Identifier: Apache-2.0

bundles.py CONFIG ROOTFS FOLDER     CONFIG: a config.json that runs in ROOTFS, which is changed

Writes FOLDER/KIND-COUNT/config.json for all cases, and prints a line "KIND COUNT" for each. Count 0
is the same container without the units, so that their price is a difference.
"""

import copy
import json
import os
import pathlib
import sys

COUNTS = {
    "mounts": (0, 1, 10, 100, int(os.environ.get("MOST", "1000"))),
    "ranges": (0, 1, 340),
    "devices": (0, 1, 10, 100),
    "masked files": (0, 1, 10, 100),
    "masked folders": (0, 1, 10, 100),
    "readonly paths": (0, 1, 10, 100),
}


def add_mounts(config, count, folder):
    source = folder / "source"
    source.mkdir(exist_ok=True)
    config["mounts"] += [{"destination": f"/units/{i}", "type": "bind", "source": str(source),
                          "options": ["bind", "ro"]} for i in range(count)]


def add_ranges(config, count, _):
    """Short numbers: all lines have to fit into the one page that the kernel takes."""
    if count == 0:
        return
    linux = config["linux"]
    linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        linux[key] = [{"containerID": i, "hostID": 1000 + 2 * i, "size": 1} for i in range(count)]


def add_devices(config, count, _):
    config["linux"]["devices"] = [{"path": f"/dev/unit{i}", "type": "c", "major": 1, "minor": 3,
                                   "fileMode": 0o600, "uid": 0, "gid": 0} for i in range(count)]


def add_masked_files(config, count, _):
    config["linux"]["maskedPaths"] = [f"/files/{i}" for i in range(count)]


def add_masked_folders(config, count, _):
    config["linux"]["maskedPaths"] = [f"/folders/{i}" for i in range(count)]


def add_readonly_paths(config, count, _):
    config["linux"]["readonlyPaths"] = [f"/folders/{i}" for i in range(count)]


def main():
    config_path, rootfs, folder = map(pathlib.Path, sys.argv[1:])
    template = json.loads(config_path.read_text())
    for name in ("units", "files", "folders"):
        (rootfs / name).mkdir(exist_ok=True)
    for i in range(1000):
        (rootfs / f"units/{i}").mkdir(exist_ok=True)
    for i in range(100):
        (rootfs / f"files/{i}").touch()
        (rootfs / f"folders/{i}").mkdir(exist_ok=True)
    for kind, counts in COUNTS.items():
        add = globals()["add_" + kind.replace(" ", "_")]
        for count in counts:
            config = copy.deepcopy(template)
            add(config, count, folder)
            bundle = folder / f"{kind.replace(' ', '-')}-{count}"
            bundle.mkdir(parents=True, exist_ok=True)
            (bundle / "config.json").write_text(json.dumps(config))
            print(kind.replace(" ", "-"), count)


main()
