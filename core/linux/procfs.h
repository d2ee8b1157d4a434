/* Values written to /proc, so that they land nowhere else. proc(5).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whoever can mount or link something into a /proc can make a write go to another file, even to
 * another one of procfs, which swallows it or does harm (CVE-2019-16884, CVE-2025-52881). Here no
 * link is followed and no mount is crossed, and the file system is looked at.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* A new instance of procfs for the pid namespace of this process, attached nowhere: nothing can be
 * mounted in it, unless the caller attaches it. In a user namespace the kernel wants to see a
 * complete one among the present mounts: so this comes before a change of root. Returns the
 * descriptor of its root, or a negative errno (recorded; -EPERM where the mounts that are here do
 * not allow it). */
int procfs_create(void);

/* Write value with one write(2) to the file at path, which is relative to proc, the root of a
 * procfs. Returns 0 or a negative errno (recorded, naming the path; -EXDEV where something is
 * mounted on the way). */
int procfs_write(int proc, const char *path, const char *value);

/* Read with one read(2) what fits into text, and end it with a NUL. Likewise. */
int procfs_read(int proc, const char *path, char *text, size_t size);

/* This process as that procfs numbers it, which may be that of another pid namespace. Returns the
 * pid or a negative errno (recorded). */
pid_t procfs_self(int proc);

/* Set the oom_score_adj of a process, -1000 to 1000. pid: as proc numbers it. Lowering it below
 * what it was last set to with privilege takes CAP_SYS_RESOURCE. Returns 0 or a negative errno
 * (recorded). */
int procfs_set_oom_score(int proc, pid_t pid, int score);
