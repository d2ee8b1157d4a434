/* Mount options by name, as mount(8), runtime-spec and the file systems have them.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/text.h"

struct mount_options {
    uint64_t set;           /* MOUNT_ATTR_* to set on the mount itself */
    uint64_t clear;         /* MOUNT_ATTR_* to clear on it */
    uint64_t recursive_set; /* the same for it and all mounts below: rro, rnosuid ... */
    uint64_t recursive_clear;
    uint64_t propagation; /* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE; 0: as it comes */
    bool propagation_recursive;
    bool copy_up;                /* tmpcopyup: starts with what it covers; tmpfs only */
    bool bind;                   /* bind or rbind */
    bool bind_recursive;         /* rbind */
    bool remount;                /* change what is mounted there already */
    bool optional;               /* nofail: left out where its source does not exist */
    bool idmap;                  /* idmap or ridmap */
    bool idmap_recursive;        /* ridmap */
    struct text_list filesystem; /* what the file system itself is to be told: "size=1m", "sync" */
    const char *label;           /* of a new file system: the SELinux context of all files in it */
};

/* Parse a list of options (NULL-terminated). Options that are not known here belong to the file
 * system. What mount(8) takes for notes to others ("noauto", "_netdev", "x-...") is passed over, as
 * is what asks for nothing: "silent" and "loud", since messages about a new mount come back by
 * descriptor, not through the kernel's log; "iversion" and "noiversion", since a file system either
 * counts versions or does not. Those that exist but are not supported are refused by name.
 * field: JSON pointer for messages, may be NULL. Strings are not copied.
 * Returns 0 or a negative errno (recorded); free the result in any case. */
int mount_options_parse(struct mount_options *options, const char *const *words, const char *field);

/* A mount that makes no file system, because it binds one or changes a mount: refuse options that
 * only a new file system could be told, by name. Those of them that ask for the kernel's default
 * ("async") are fine with a bind mount, which leaves the file system as it is.
 * Returns 0 or a negative errno (recorded). */
int mount_options_refuse_filesystem(const struct mount_options *options, const char *field);

void mount_options_free(struct mount_options *options);

/* Call visit for each option that is known by name; what a file system is told is not. recursive:
 * there is the same with an "r" before it, too. A negative result ends this, and is returned. */
int mount_options_each(int (*visit)(void *context, const char *name, bool recursive),
                       void *context);

/* The MS_ flag of a propagation by name ("rslave"), recursive told apart; 0 if it is none. */
uint64_t mount_propagation(const char *word, bool *recursive);
