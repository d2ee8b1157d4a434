/* The config of a process that joins a container: what the options of `exec` do.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct json_object;
struct text_list;

struct exec_wish {
    struct json_object *process; /* takes the place of the container's process; NULL: that one */
    char *const *args;           /* what is executed; NULL: process.args */
    size_t arg_count;
    const struct text_list *env;          /* NAME=VALUE, added */
    const struct text_list *capabilities; /* names, added */
    const struct text_list *gids;         /* numbers, added */
    const char *cwd;                      /* absolute; NULL: as it is */
    const char *apparmor;                 /* profile; NULL: as it is, or the container's */
    const char *selinux;                  /* label; likewise */
    const char *user;                     /* UID[:GID], NULL: as it is */
    bool terminal;
    bool no_new_privileges;
};

/* Make a config that is nothing but a process: without the container's mounts, names and limits,
 * and without namespaces, which join_config() adds. base, the container's config, is changed. *made
 * is the caller's, to be released with json_object_put(). Returns 0 or a negative errno (recorded;
 * a usage error where the wish is wrong). */
int exec_document(struct json_object *base, const struct exec_wish *wish,
                  struct json_object **made);
