"""How what shimbox makes differs from what runc makes of an engine's configuration, and why.
SPDX-License-Identifier: Apache-2.0
"""

import re

from facts import Difference

# Mounts of the system and names of the container, which tests/run/test_podman.py compares.
SYSTEM = re.compile(r"mounts:/(proc|sys|dev|run/.containerenv|etc/host(name|s))\b.*|hostname|env.HOSTNAME")

KNOWN = [
    Difference(r"mounts:/\.super", ".*", ".*", "the folders of another container"),
    Difference(r"mounts:.*\.propagation", r"master:\d+", r"master:\d+", "groups are numbered by the kernel"),
    Difference("stat:/dev/mqueue.gid", "65534", "0", "it is made with the mapped group"),
    Difference(r"pid|sid|pgid", r"\d+", r"\d+", "the numbers that were free"),
    Difference(r"fds\.0", "char:1:3,r", "char:1:3,rw", "the null device of podman is the container's own"),
]
