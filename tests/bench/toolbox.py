#!/usr/bin/env python3
"""The single steps beside util-linux, iproute2, busybox and a C floor. Called by run.sh.
SPDX-License-Identifier: Apache-2.0

toolbox.py TOOLS WORK ROUNDS SHIMBOX     as root, in a mount namespace of its own

WORK/rootfs has bin/true and proc. Prints medians of ROUNDS runs in turn, and ratios of them. What
is not installed, or cannot do it, is named.
"""

import pathlib
import re
import subprocess
import sys

MAP = "--both 0:100000:65536"
# The same with util-linux, less the idmapped mount (mount(8) has it since 2.39), less the bounding
# set, and with chroot for pivot_root: it has that much less to do.
CHAIN_SCRIPT = """\
exec unshare --map-users=100000,0,65536 --map-groups=100000,0,65536 --setuid 0 --setgid 0 \\
    --mount --pid --fork sh -c '
        mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
        exec chroot --userspec=1000:1000 "$1" /bin/true' sh {rootfs}
"""
PEERS = ("floor", "shimbox", "util-linux", "busybox")


def rows(floor, work, shimbox, holder):
    """Of each row: its name, and the commands of PEERS."""
    rootfs, true = f"{work}/rootfs", f"{work}/rootfs/bin/true"
    mounted, netns = f"{work}/mounted", f"{work}/netns"
    scripts = {
        "floor": f"{floor} netns-add {netns}/b && exec {floor} netns-delete {netns}/b",
        "shimbox": f"{shimbox} netns-new --dir {netns} --name b >/dev/null &&"
                   f" exec {shimbox} netns-new --dir {netns} --delete b",
        "ip": "ip netns add bench-b && exec ip netns delete bench-b",
        "chain": CHAIN_SCRIPT.format(rootfs=rootfs),
    }
    for name, text in scripts.items():
        pathlib.Path(work, name).write_text(text + "\n")
    return (
        ("userns-fd -- true", f"{floor} userns {true}", f"{shimbox} userns-fd {MAP} -- {true}",
         None, None),
        ("idmap-mount, umount", f"{floor} idmap {rootfs} {mounted} {floor} umount {mounted}",
         f"{shimbox} idmap-mount {MAP} {rootfs} {mounted} -- {floor} umount {mounted}",
         None, None),
        ("unshare -Urmpf true", f"{floor} unshare {true}", f"{shimbox} unshare -Urmpf {true}",
         f"unshare -Urmpf {true}", f"busybox unshare -Urmpf {true}"),
        ("nsenter -m -u -i -n", f"{floor} --seal nsenter {holder} {true}",
         f"{shimbox} nsenter -t {holder} -m -u -i -n {true}",
         f"nsenter -t {holder} -m -u -i -n {true}",
         f"busybox nsenter -t {holder} -m -u -i -n {true}"),
        ("netns-new, --delete", f"sh {work}/floor", f"sh {work}/shimbox", f"sh {work}/ip", None),
        ("chain", f"{floor} chain {rootfs} /bin/true",
         f"{shimbox} userns-fd {MAP} -- idmap-mount --detached {rootfs} -- unshare --userns"
         " --mount --pid --fork --detached-root --mount-proc -- setpriv --reuid 1000"
         " --regid 1000 --clear-groups --bounding-set=-all -- /bin/true",
         f"sh {work}/chain", None),
    )


def prepare_machine(work):
    """What only this mount namespace sees: ip netns leaves its directory in /run, and unshare(1)
    has newuidmap write the maps, which asks /etc/subuid."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    ids = pathlib.Path(work, "subids")
    ids.write_text("root:100000:65536\n")
    for table in ("/etc/subuid", "/etc/subgid"):
        subprocess.run(["mount", "--bind", ids, table], check=False)


def works(command, complaints):
    found = subprocess.run(command.split(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True, check=False)
    if found.returncode != 0:
        complaints.append(f"{command}: {found.stderr.strip()}")
    return found.returncode == 0


def main():
    tools, work, rounds, shimbox = sys.argv[1:]
    for name in ("mounted", "netns"):
        pathlib.Path(work, name).mkdir()
    prepare_machine(work)
    complaints = []
    with subprocess.Popen([f"{tools}/floor_tools", "hold", "sleep", "3600"]) as holder:
        try:
            table = [(name, [command if command and works(command, complaints) else None
                             for command in commands])
                     for name, *commands in rows(f"{tools}/floor_tools", work, shimbox,
                                                 holder.pid)]
            flat = [command for _, commands in table for command in commands if command]
            lines = subprocess.run([f"{tools}/loop", rounds, *flat], check=True,
                                   capture_output=True, text=True).stdout.splitlines()
        finally:
            holder.kill()
            # netns-new, like ip netns, has mounted it on itself.
            subprocess.run(["umount", "--lazy", f"{work}/netns"], capture_output=True, check=False)
    found = iter(float(re.search(r"median +([\d.]+)", line)[1]) / 1000 for line in lines)
    print(f"\nmedians of {rounds} runs: ms")
    print(f"{'':21}" + "".join(f"{peer:>12}" for peer in PEERS) + "  x floor  x util-linux")
    for name, commands in table:
        floor, own, peer, *rest = [next(found) if command else None for command in commands]
        row = "".join(f"{time:12.2f}" if time else f"{'-':>12}"
                      for time in (floor, own, peer, *rest))
        ratios = [f"{own / other:.2f}" if own and other else "-" for other in (floor, peer)]
        print(f"{name:21}{row}{ratios[0]:>9}{ratios[1]:>14}")
    for complaint in complaints:
        print(f"not measured: {complaint}")


main()
