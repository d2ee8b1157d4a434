/* The parts of check.c. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/text.h"
#include "core/linux/check.h"

/* What the parts share. */
struct check_context {
    struct checks *checks; /* shared with the children */
    uid_t uid;
    gid_t gid;
    bool privileged; /* may map any id of this user namespace, and change to it */
    bool filtered;   /* seccomp mode 2 */
    bool no_new_privs;
    bool confined;         /* kernel.apparmor_restrict_unprivileged_userns */
    bool enforcing;        /* SELinux */
    struct text mountinfo; /* of this process, "" if it cannot be read */
    char user[256];        /* name of uid, or its number */
    const char *home;      /* NULL: none */
};

/* Say what came of it. Returns the check. */
struct check *check_put(struct check_context *context, unsigned id, enum check_status status,
                        int number, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Say it of a failure that is recorded as the error of this process, which is cleared. */
struct check *check_put_error(struct check_context *context, unsigned id, enum check_status status);

/* Say what to do about it. */
void check_fix(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A small file as one line, without what stands after the first newline. Returns 0 or a negative
 * errno (not recorded). */
int check_read_line(const char *path, char *line, size_t size);

/* The fields of one line of mountinfo. */
struct mount_line {
    char root[256];
    char point[256]; /* octal escapes undone */
    char options[128];
    char type[24];
    char super[256];
};

/* The next line of *rest (proc_pid_mountinfo(5)); false at the end. Lines that are none are passed
 * over, fields are cut. */
bool mount_line_next(const char **rest, struct mount_line *line);

/* The host: nothing of it needs a child. */
void check_host(struct check_context *context);

/* System calls and versions. */
void check_kernel(struct check_context *context);

/* In a child of its own: user namespace, the others, file systems in them. Tells by a byte on fd
 * that it has done all, and waits for the end of it. Does not return. */
void check_namespaces(struct check_context *context, int fd) __attribute__((noreturn));

/* Subordinate ids; newuidmap and newgidmap on a child. */
void check_subordinates(struct check_context *context);

/* Idmapped mounts of the file systems in use, by the user namespace of process pid. */
void check_idmaps(struct check_context *context, pid_t pid);

/* Why what failed did. After all others. */
void check_causes(struct check_context *context);
