/* The user of a container from text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/linux/path.h"

/* One half of the text: a name, or a number. */
struct half {
    char name[PASSWD_NAME_MAX]; /* "": a number */
    uint32_t id;
};

void user_free(struct user *user)
{
    group_set_free(&user->groups);
}

static int parse_half(struct half *half, const char *what, const char *text, size_t length)
{
    if (length == 0)
        return fail_usage("the %s is empty", what);
    if (length >= sizeof(half->name))
        return fail_usage("the %s has more than %zu bytes", what, sizeof(half->name) - 1);
    memcpy(half->name, text, length);
    half->name[length] = '\0';
    if (strspn(half->name, "0123456789") != length)
        return 0;
    if (parse_id(half->name, &half->id) < 0)
        return fail_usage("the %s id %s is more than %u", what, half->name, ID_MAX);
    half->name[0] = '\0';
    return 0;
}

/* Open a table. *fd stays -1 if the file, or the whole root, does not exist: an empty table. */
static int open_table(const struct user_tables *tables, const char *given, const char *inside,
                      int *fd)
{
    if (given) {
        *fd = open(given, O_RDONLY | O_CLOEXEC);
        return *fd < 0 ? fail(errno, "cannot open %s", given) : 0;
    }
    if (!tables->rootfs)
        return 0;

    autoclose int root = open(tables->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root < 0)
        return errno == ENOENT ? 0 : fail(errno, "cannot open %s", tables->rootfs);

    /* A fifo in the image's place must not make this wait. */
    int result = path_open_in_root(root, inside, O_RDONLY | O_NONBLOCK | O_NOCTTY);

    if (result == -ENOENT) {
        error_clear();
        return 0;
    }
    if (result < 0) {
        error_context("%s", tables->rootfs);
        return result;
    }

    struct stat status;

    *fd = result;
    /* A device could go on for ever. */
    if (fstat(*fd, &status) < 0 || !S_ISREG(status.st_mode))
        return fail_config(NULL, "%s: %s is not a regular file", tables->rootfs, inside);
    return 0;
}

static int resolve_user(struct user *user, const struct half *half,
                        const struct user_tables *tables, struct passwd_user *entry)
{
    const char *file = tables->passwd ? tables->passwd : "etc/passwd";
    autoclose int fd = -1;
    int result = open_table(tables, tables->passwd, "etc/passwd", &fd);

    if (result == 0 && fd >= 0)
        result = passwd_find(fd, file, *half->name ? half->name : NULL, half->id, entry,
                             &user->passwd_notes);
    if (result < 0)
        return result;
    if (*half->name && !entry->found)
        return fail_config(NULL, "unknown user \"%s\": %s %s", half->name, file,
                           fd < 0 ? "does not exist" : "has no such name");
    user->uid = entry->found ? entry->uid : half->id;
    user->gid = entry->found ? entry->gid : 0;
    return 0;
}

/* The gid that is the primary one is no supplementary one. */
static void leave_out(struct group_set *set, uint32_t gid)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (set->gids[i] != gid)
            set->gids[kept++] = set->gids[i];
    }
    set->count = kept;
}

static int resolve_groups(struct user *user, const struct half *half,
                          const struct user_tables *tables, const char *member)
{
    const char *file = tables->group ? tables->group : "etc/group";
    const char *wanted = half && *half->name ? half->name : NULL;
    uint32_t primary = user->gid;
    bool found = false;
    autoclose int fd = -1;
    int result = open_table(tables, tables->group, "etc/group", &fd);

    if (result == 0 && fd >= 0)
        result = group_find(fd, file, wanted, &found, &user->gid, *member ? member : NULL,
                            &user->groups, &user->group_notes);
    if (result < 0)
        return result;
    if (wanted && !found)
        return fail_config(NULL, "unknown group \"%s\": %s %s", wanted, file,
                           fd < 0 ? "does not exist" : "has no such name");
    if (half && !wanted)
        user->gid = half->id;
    leave_out(&user->groups, primary);
    leave_out(&user->groups, user->gid);
    return 0;
}

int user_resolve(struct user *user, const char *text, const struct user_tables *tables)
{
    const char *colon = strchr(text, ':');
    struct passwd_user entry = {0};
    struct half name = {0};
    struct half group = {0};
    int result;

    *user = (struct user){0};
    if (colon && strchr(colon + 1, ':'))
        return fail_usage("the user \"%s\" has more than one colon", text);
    result = parse_half(&name, "user", text, colon ? (size_t)(colon - text) : strlen(text));
    if (result == 0 && colon)
        result = parse_half(&group, "group", colon + 1, strlen(colon + 1));
    if (result < 0)
        return result;
    if (colon && !*name.name && !*group.name) {
        user->uid = name.id;
        user->gid = group.id;
        return 0;
    }
    result = resolve_user(user, &name, tables, &entry);
    if (result == 0)
        result = resolve_groups(user, colon ? &group : NULL, tables, entry.name);
    return result;
}

int user_find_id(const char *option, const char *text, bool group, uint32_t *id)
{
    static const struct user_tables tables = {.passwd = "/etc/passwd", .group = "/etc/group"};
    autofree char *word = NULL;
    struct user user = {0};

    if (parse_id(text, id) == 0)
        return 0;
    /* Digits alone need no table. */
    if (asprintf(&word, "%s%s", group ? "0:" : "", text) < 0)
        return fail(ENOMEM, "cannot look up %s", text);

    int result = user_resolve(&user, word, &tables);

    *id = group ? user.gid : user.uid;
    user_free(&user);
    if (result < 0)
        error_context("option %s", option);
    return result;
}
