// What the floors share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

#define FLOOR_MASKED                                                                               \
    "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",          \
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",                   \
        "/sys/fs/selinux", "/sys/dev/block"
#define FLOOR_READONLY                                                                             \
    "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"

// End with a message if result is negative.
void floor_check(long result, const char *what);

// The child's set-up up to the change of the root; channel: a socket to the parent.
void floor_by_descriptor(const char *rootfs, bool cgroup2, int channel);

// The parent's part of it: set the limits of the child when it is ready, hear of its program.
void floor_serve(int channel, int pid);

// Unless this is done already, become a read-only view of the own program, with the same arguments.
void floor_seal(char **argv);
