/* A process whose surroundings are joined: held on to, so that nothing is read of another one which
 * got its pid meanwhile. pidfd_open(2), proc(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/text.h"
#include "core/linux/namespace.h"

struct target {
    pid_t pid;
    int pidfd;
    int proc; /* its directory in /proc, O_PATH */
};
#define NO_TARGET ((struct target){.pid = 0, .pidfd = -1, .proc = -1})

/* Hold on to the process. Returns 0 or a negative errno (recorded). The caller closes. */
int target_open(struct target *target, pid_t pid);

/* The same for a process that is known by a pidfd, which stays the caller's. */
int target_open_pidfd(struct target *target, int pidfd);
void target_close(struct target *target);
#define autotarget __attribute__((cleanup(target_close)))

/* Open one of its namespaces. Returns a descriptor or a negative errno (recorded). */
int target_namespace(const struct target *target, enum namespace_type type);

/* The network namespace that its socket with this number was made in: SIOCGSKNS. Returns a
 * descriptor or a negative errno (recorded). */
int target_socket_namespace(const struct target *target, int socket);

/* Open its root or working directory (name: "root", "cwd"). Returns an O_PATH descriptor or a
 * negative errno (recorded). */
int target_directory(const struct target *target, const char *name);

/* Its environment, as it was given at the start: strings that end with NUL. Returns 0 or a negative
 * errno (recorded). */
int target_environment(const struct target *target, struct text *environment);

/* Its effective user and group, as this user namespace numbers them. Returns 0 or a negative errno
 * (recorded). */
int target_ids(const struct target *target, uint32_t *uid, uint32_t *gid);

/* Join all namespaces that are open (fds[type] >= 0). together: they are all the target's own, and
 * joined by one setns(2), all or none (Linux 5.8); else, or where that is refused, one by one. A
 * privileged process hides from what it enters until it executes a program (CVE-2016-9962). Returns
 * 0 or a negative errno (recorded, naming the namespace that refused). */
int target_enter(const struct target *target, const int fds[NAMESPACE_TYPES], bool together);

/* Move this process into its cgroup of version 2. Returns 0 or a negative errno (recorded). */
int target_join_cgroup(const struct target *target);
