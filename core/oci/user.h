/* The user of a container from the text that images and command lines give: one of USER, UID,
 * USER:GROUP, UID:GID, UID:GROUP, USER:GID. image-spec, config.md.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Digits are always a number, and anything else is always a name. A name that the tables do not
 * have is an error; a number needs no table, and UID:GID opens none. A user without a group gets
 * the primary group of the user table (0 where there is no such user); except for UID:GID, the
 * groups that list the user are added, as in a login, also when a group is named.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/oci/passwd.h"

/* Where the tables are. Without paths they are etc/passwd and etc/group inside rootfs. */
struct user_tables {
    const char *rootfs; /* a directory, or NULL: there are no tables but the following */
    const char *passwd; /* a file outside of any root, or NULL */
    const char *group;
};

struct user {
    uint32_t uid;
    uint32_t gid;
    struct group_set groups; /* supplementary ones, without gid */
    struct passwd_notes passwd_notes;
    struct passwd_notes group_notes;
};

/* Resolve the text. The caller frees with user_free(), also after a failure.
 * Returns 0 or a negative errno (recorded). */
int user_resolve(struct user *user, const char *text, const struct user_tables *tables);

void user_free(struct user *user);

/* The id of a user or group of this system, by number or by name in /etc/passwd or /etc/group.
 * option: for messages. Returns 0 or a negative errno (recorded). */
int user_find_id(const char *option, const char *text, bool group, uint32_t *id);
