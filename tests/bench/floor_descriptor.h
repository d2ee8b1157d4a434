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

struct floor_file_system {
    const char *type, *target;
    const char *parent, *name; // where the target has to be made
    const char *options[5][2]; // key and value, or a flag
    unsigned int attributes;
};

// End with a message if result is negative.
void floor_check(long result, const char *what);

// A new file system, detached.
int floor_create(const struct floor_file_system *wanted);

// Both descriptors are closed, but for a mount that is to be kept.
void floor_attach(int mount, int target, bool keep);

// All that is mounted into a root; bound: devices are those of the host.
void floor_fill_root(int root, bool cgroup2, bool bound);

// Tell the parent, enter the root, hear of the parent.
void floor_change_root(int root, int channel);

// The child's set-up up to the change of the root; channel: a socket to the parent.
void floor_by_descriptor(const char *rootfs, bool cgroup2, int channel);

// The parent's part of it: set the limits of the child when it is ready, hear of its program.
void floor_serve(int channel, int pid);

// Unless this is done already, become a read-only view of the own program, with the same arguments.
void floor_seal(char **argv);

// A session keyring of its own, whose permissions are read and widened. Without keyrings it goes
// on.
void floor_join_keyring(void);

void floor_raise_loopback(void);

// All capabilities but three, from all sets.
void floor_drop_privileges(void);
