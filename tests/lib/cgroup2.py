"""Where cgroups of version 2 are mounted.
SPDX-License-Identifier: Apache-2.0
"""

import pathlib


def mount_point():
    """The first place, also on a hybrid system; None: nowhere."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        if line.split(" - ")[1].split()[0] == "cgroup2":
            return line.split()[4]
    return None
