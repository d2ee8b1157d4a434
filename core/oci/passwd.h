/* The user and group tables of a root file system. passwd(5), group(5).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each table is read once, line by line, with memory that does not grow with it. A line counts when
 * it has 4 fields (passwd) or 3 (group) and usable ids; others are passed over and noted, since one
 * odd line (a "+" of NIS, a hand-edited one) must not take all users away. The first line of a name
 * wins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASSWD_NAME_MAX 256  /* bytes of a name that can be looked up, with its NUL */
#define PASSWD_HOME_MAX 1024 /* bytes of a home directory, with its NUL */

/* Most supplementary groups that setgroups(2) takes (NGROUPS_MAX). */
#define PASSWD_GROUPS_MAX 65536

/* Lines that were passed over. */
struct passwd_notes {
    size_t bad_lines;
    size_t first; /* number of the first one */
};

struct passwd_user {
    bool found;
    uint32_t uid;
    uint32_t gid;
    char name[PASSWD_NAME_MAX];
    char home[PASSWD_HOME_MAX]; /* "" when the line has none */
    char shell[PASSWD_NAME_MAX];
};

struct group_set {
    uint32_t *gids; /* owned */
    size_t count;
};

void group_set_free(struct group_set *set);

/* Find a user by name, or by uid when name is NULL. file: for messages. Not found is no error
 * (user->found). Returns 0 or a negative errno (recorded). */
int passwd_find(int fd, const char *file, const char *name, uint32_t uid, struct passwd_user *user,
                struct passwd_notes *notes);

/* One pass over the groups: the gid of the group called `group` (NULL: none is wanted; *found
 * tells), and all groups that list `member` (NULL: nobody), in their order, each once. Returns 0 or
 * a negative errno (recorded). */
int group_find(int fd, const char *file, const char *group, bool *found, uint32_t *gid,
               const char *member, struct group_set *set, struct passwd_notes *notes);
