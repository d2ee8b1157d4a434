/* The parts of check.c. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/text.h"
#include "core/container/check.h"
#include "core/linux/mountinfo.h"

/* What the parts share. */
struct check_context {
    struct checks *checks; /* shared with the children */
    uid_t uid;
    gid_t gid;
    bool privileged; /* may map any id of this user namespace, and change to it */
    bool filtered;   /* seccomp mode 2 */
    bool no_new_privs;
    bool confined;            /* kernel.apparmor_restrict_unprivileged_userns */
    bool enforcing;           /* SELinux */
    struct mountinfo *mounts; /* of this process, owned; none if they cannot be read */
    size_t mount_count;
    char user[256];   /* name of uid, or its number */
    const char *home; /* NULL: none */
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

/* What may be the cause of a failure, as it stands before anything has failed: before the children
 * are started, which may know better. */
void check_switches(struct check_context *context);

/* The host: nothing of it needs a child. */
void check_host(struct check_context *context);

/* System calls and versions. */
void check_kernel(struct check_context *context);

/* In a child of its own: user namespace, the others, file systems in them. Tells by a byte on fd
 * that it has done all, and waits for the end of it. Does not return. */
void check_namespaces(struct check_context *context, int fd) __attribute__((noreturn));

/* The two sides of maps. */
struct check_side {
    uint8_t range;  /* check of the subordinate ids */
    uint8_t helper; /* check of the program */
    char file[16];
    char program[12];
    char map[24];
};
extern const struct check_side check_sides[2];

struct idmap;
struct idmaps;

uint64_t check_count_ids(const struct idmap *map);

/* Find a program as execvp(3) does. */
bool check_find_program(const char *name, char *path, size_t size);

/* Run a program to its end, but not for ever. *said: what it said on both streams, not all if much.
 * Returns the wait status, or a negative errno (not recorded). */
int check_run_program(char **argv, struct text *said);

/* Without ids to give, the program can only be looked at. */
void check_look_at_helper(struct check_context *context, const struct check_side *side,
                          const char *path);

/* Let newuidmap and newgidmap (at these paths) give the maps to a child. */
void check_try_helpers(struct check_context *context, const struct idmaps *maps,
                       char paths[2][256]);

/* Subordinate ids; newuidmap and newgidmap on a child. */
void check_subordinates(struct check_context *context);

/* Idmapped mounts of the file systems in use, by the user namespace of process pid. */
void check_idmaps(struct check_context *context, pid_t pid);

/* A seccomp filter answers unshare(2) in place of the kernel. */
void check_accuse_filter(struct check_context *context, int number);

/* Why what failed did. After all others. */
void check_causes(struct check_context *context);
