/* Namespaces by name: their flags, and joining those that exist. namespaces(7), setns(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum namespace_type {
    NAMESPACE_USER,
    NAMESPACE_MOUNT,
    NAMESPACE_PID,
    NAMESPACE_NETWORK,
    NAMESPACE_IPC,
    NAMESPACE_UTS,
    NAMESPACE_CGROUP,
    NAMESPACE_TIME,
    NAMESPACE_TYPES,
};

/* runtime-spec's name: "network". */
const char *namespace_name(enum namespace_type type);

/* The type of that name, or -1. */
int namespace_by_name(const char *name);

/* The file of a process's namespace in /proc/PID/ns: "net". */
const char *namespace_file(enum namespace_type type);

/* CLONE_NEWNET ... */
uint64_t namespace_flag(enum namespace_type type);

/* Whether a namespace is the initial one, as far as its inode number tells: 1 yes, 0 no, -1 not
 * known. Initial namespaces have fixed numbers, below those that are given to others; mount and
 * network namespaces have them in newer kernels only, for sure from Linux 6.18 on. */
int namespace_is_initial(enum namespace_type type, uint64_t inode);

/* Is the namespace that this process is in the initial one? Known of each type that has kernel
 * parameters (sysctl.h). Returns 1, 0 or a negative errno (recorded). */
int namespace_own_is_initial(enum namespace_type type);

/* Open the namespace file at path and make sure that it is of this type.
 * Returns a descriptor or a negative errno (recorded). */
int namespace_open(const char *path, enum namespace_type type);

/* Is fd a namespace of this type? */
bool namespace_has_type(int fd, enum namespace_type type);

/* Is fd the namespace that this process is in? Returns 1, 0 or a negative errno (recorded). */
int namespace_is_own(int fd, enum namespace_type type);

/* Open the user namespace that owns this one. Returns a descriptor or a negative errno (recorded).
 */
int namespace_owner(int fd);

/* Join all that are open (fds[type] >= 0). Namespaces which the present privileges do not reach are
 * joined after the user namespace, whose privileges may. Joining a pid namespace concerns children
 * only. Returns 0 or a negative errno (recorded, naming the namespace that refused). */
int namespace_join_all(const int fds[NAMESPACE_TYPES]);

/* Join the namespaces of those types of a process, by one setns(2): all or none, and of no other
 * process (Linux 5.8). Returns 0 or a negative errno (recorded). */
int namespace_join_process(int pidfd, const int fds[NAMESPACE_TYPES]);
