#!/usr/bin/env python3
"""Write layout.ld: what starts and containers need, so that the linker puts it together.
SPDX-License-Identifier: Apache-2.0

layout.py BINARY MAP VISITED LAYOUT     as root, in a mount namespace of its own; by `make layout`

BINARY is shimbox without a layout, MAP what the linker wrote about it, VISITED tests/layout/visited.c.
Each command below runs step by step; the sections of the instructions that it executed are written to
LAYOUT, those of most commands first, with what else of their functions the linker keeps in tables.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SECTION = re.compile(r"^ (\.text\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", re.MULTILINE)
LARGE = 4096 # bytes of a table: no start reads all of it
MAP = "--uid-map 0:100000:65536 --gid-map 0:100000:65536"
STARTS = [
    "--version",
    f"userns-fd {MAP} -- /bin/true",
    f"idmap-mount {MAP} {{rootfs}} {{mounted}} -- {{binary}} idmap-mount --umount {{mounted}}",
    "unshare -Urmpf /bin/true",
    "nsenter -t {holder} -m -u -i -n /bin/true",
    "netns-new --dir {work}/netns --name b",
    "netns-new --dir {work}/netns --delete b",
    f"userns-fd {MAP} -- idmap-mount --detached {{rootfs}} -- unshare --userns --mount --pid --fork"
    " --detached-root --mount-proc -- setpriv --reuid 1000 --regid 1000 --clear-groups"
    " --bounding-set=-all -- /bin/true",
]
# How commands of the runtime begin, until they find that there is nothing: what all of them do.
BEGINNINGS = [
    "run --bundle {work}/none",
    "--root {work}/state state none",
    "--root {work}/state exec none /bin/true",
]
CONTAINERS = [
    "run --bundle {work}",
    "--root {work}/state run --bundle {work} one",
    "--root {work}/state create --bundle {work}/lasting two",
    "--root {work}/state state two",
    "--root {work}/state list",
    "--root {work}/state start two",
    "--root {work}/state exec two /bin/true",
    "--root {work}/state kill two KILL",
    "--root {work}/state delete --force two",
]


def read_sections(path):
    """(start, end, name, file) of code, by address."""
    text = pathlib.Path(path).read_text()
    text = text[text.index("Linker script and memory map"):]
    rows = [(int(start, 16), int(start, 16) + int(size, 16), name, file)
            for name, start, size, file in SECTION.findall(text)]
    return sorted(row for row in rows if row[0] < row[1])


def read_tables(path):
    """Of each file: its tables, by name, with their sizes. Not texts, most of which are for errors."""
    tables = {}
    for name, size, file in re.findall(r"^ (\.rodata\S*)\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S+)$",
                                       pathlib.Path(path).read_text(), re.MULTILINE):
        if ".str" not in name:
            tables.setdefault(file, {})[name] = int(size, 16)
    return tables


def pattern_of(file):
    """As linker scripts name a file: libc.a:printf.lo, core/base/main.o."""
    if found := re.search(r"(lib[\w-]+\.a)\((\S+)\)$", file):
        return f"*{found[1]}:{found[2]}"
    return "*" + (file.split("/obj/")[-1] if "/obj/" in file else file.rpartition("/")[2])


class Machine:
    """Where the commands run: a bundle, a process with namespaces."""

    def __init__(self, binary, visited):
        self.binary, self.visited = binary, visited
        self.work = tempfile.mkdtemp(prefix="layout-")
        os.chmod(self.work, 0o755)
        self.places = {"binary": binary, "work": self.work, "rootfs": f"{self.work}/rootfs",
                       "mounted": f"{self.work}/mounted"}
        for name in ("rootfs/bin", "rootfs/proc", "lasting", "mounted", "netns", "state"):
            os.makedirs(f"{self.work}/{name}", mode=0o700 if name == "netns" else 0o755)
        for name in ("true", "sleep"):
            shutil.copy("/bin/busybox", f"{self.work}/rootfs/bin/{name}")
        self.make_bundle(self.work, "/bin/true")
        self.make_bundle(f"{self.work}/lasting", "/bin/sleep", "1000")
        # What the machine has of cgroups differs.
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=True)
        self.holder = subprocess.Popen(["unshare", "-m", "-u", "-i", "-n", "sleep", "1000"])
        self.places["holder"] = self.holder.pid

    def make_bundle(self, folder, *program):
        """With a filter, which engines always want."""
        path = pathlib.Path(folder, "config.json")
        subprocess.run([self.binary, "spec", "-o", path, "--", *program], check=True)
        config = json.loads(path.read_text())
        config["root"]["path"] = f"{self.work}/rootfs"
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}
        path.write_text(json.dumps(config))

    def end(self):
        self.holder.kill()
        self.holder.wait()
        # netns-new mounts it on itself.
        subprocess.run(["umount", "-l", f"{self.work}/netns"], check=False)
        shutil.rmtree(self.work)

    def offsets(self, command):
        """Of what it executes, in ascending order."""
        words = [word.format(**self.places) for word in command.split()]
        report = f"{self.work}/visited"
        # /dev/null would be given to the container's user.
        with open(f"{self.work}/output", "w+b") as output:
            done = subprocess.run([self.visited, self.binary, report, self.binary, *words],
                                  stdin=subprocess.PIPE, stdout=output, check=False)
        if done.returncode != 0 and command not in BEGINNINGS:
            sys.exit(f"layout.py: {' '.join(words)}: exit code {done.returncode}")
        return [int(line, 16) for line in pathlib.Path(report).read_text().split()]


def visited_sections(offsets, sections):
    found, i = set(), 0
    for offset in offsets:
        while i < len(sections) and sections[i][1] <= offset:
            i += 1
        if i < len(sections) and sections[i][0] <= offset:
            found.add(sections[i])
    return found


def tables_of(name, file, tables):
    """What holds the constants of this code: the texts of the function, the tables of the file."""
    small = [table for table, size in tables.get(file, {}).items() if size <= LARGE]
    if "/obj/" not in file:
        return " ".join([*small, ".rodata.str*"]) if small else ""
    function = re.sub(r"^\.text\.(startup\.|unlikely\.|exit\.)?", "", name)
    return " ".join([*small, f".rodata.{function}.str*"])


def write_layout(path, sections, tables):
    tables = [(pattern_of(file), tables_of(name, file, tables)) for _, _, name, file in sections]
    text = ["/* What starts and containers need lies together, and needs few pages: first the constants,",
            f" * then the code. Written by `make layout`; what is not named, or not there, lies behind it. */",
            "SECTIONS", "{", "  .rodata.often : {"]
    text += [f"    {pattern}({names})" for pattern, names in dict.fromkeys(tables) if names]
    text += ["  }", "}", "INSERT AFTER .rela.dyn;", "SECTIONS", "{", "  .text.often : {",
             "    *(.fini)"]
    text += [f"    {pattern_of(file)}({name})" for _, _, name, file in sections]
    text += ["  }", "  often_end = .; /* core/linux/pages.c */", "}", "INSERT BEFORE .text;", ""]
    pathlib.Path(path).write_text("\n".join(text))


def main():
    binary, linked, visited, path = sys.argv[1:]
    binary, visited = os.path.abspath(binary), os.path.abspath(visited)
    sections, tables = read_sections(linked), read_tables(linked)
    machine = Machine(binary, visited)
    order = []
    try:
        for commands in (STARTS, BEGINNINGS, CONTAINERS):
            counts = {}
            for command in commands:
                found = visited_sections(machine.offsets(command), sections)
                for section in found:
                    counts[section] = counts.get(section, 0) + 1
                print(f"{sum(s[1] - s[0] for s in found):7} bytes: {command}")
            order += sorted((s for s in counts if s not in order), key=lambda s: (-counts[s], s))
            print(f"{sum(s[1] - s[0] for s in order):7} bytes together")
    finally:
        machine.end()
    write_layout(path, order, tables)


if __name__ == "__main__":
    main()
