/* The user and group tables of a root file system.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/passwd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/table.h"
#include "core/base/text.h"

void group_set_free(struct group_set *set)
{
    free(set->gids);
    *set = (struct group_set){0};
}

static void note_bad_line(struct passwd_notes *notes, size_t line)
{
    if (notes->bad_lines++ == 0)
        notes->first = line;
}

/* A copy of the field, or "" if it does not fit. */
static void copy_field(char *target, size_t size, const struct table_field *field)
{
    bool fits = !field->cut && field->length < size;

    memcpy(target, fits ? field->text : "", fits ? field->length + 1 : 1);
}

static bool parse_field(const struct table_field *field, uint32_t *id)
{
    return !field->cut && parse_id(field->text, id) == 0;
}

/* name, password, uid, gid, comment, home, shell */
int passwd_find(int fd, const char *file, const char *name, uint32_t uid, struct passwd_user *user,
                struct passwd_notes *notes)
{
    struct table_reader reader = {.fd = fd, .name = file};
    struct table_field field;
    bool good = false;
    int result;

    *user = (struct passwd_user){0};
    while ((result = table_next(&reader, &field)) > 0) {
        if (field.column == 0) {
            copy_field(user->name, sizeof(user->name), &field);
            user->home[0] = user->shell[0] = '\0';
            good = field.length > 0;
        } else if (field.column == 2) {
            good = parse_field(&field, &user->uid) && good;
        } else if (field.column == 3) {
            good = parse_field(&field, &user->gid) && good;
        } else if (field.column == 5) {
            copy_field(user->home, sizeof(user->home), &field);
        } else if (field.column == 6) {
            copy_field(user->shell, sizeof(user->shell), &field);
        }
        if (!field.last)
            continue;
        if (!good || field.column < 3)
            note_bad_line(notes, field.line);
        else if (name ? *user->name && strcmp(user->name, name) == 0 : user->uid == uid)
            user->found = true;
        if (user->found)
            return 0;
    }
    *user = (struct passwd_user){0};
    return result;
}

/* Add the gid unless it is there. */
static int add_gid(struct group_set *set, uint32_t gid)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->gids[i] == gid)
            return 0;
    }
    if (set->count == PASSWD_GROUPS_MAX)
        return fail_config(NULL, "more than %d groups, the kernel's limit", PASSWD_GROUPS_MAX);

    /* Grown whenever the count is a power of two, starting with 16. */
    if (set->count == 0 || (set->count >= 16 && (set->count & (set->count - 1)) == 0)) {
        size_t room = set->count < 16 ? 16 : 2 * set->count;
        uint32_t *gids = realloc(set->gids, room * sizeof(*gids));

        if (!gids)
            return fail(ENOMEM, "cannot allocate memory");
        set->gids = gids;
    }
    set->gids[set->count++] = gid;
    return 0;
}

/* name, password, gid, members */
int group_find(int fd, const char *file, const char *group, bool *found, uint32_t *gid,
               const char *member, struct group_set *set, struct passwd_notes *notes)
{
    struct table_reader reader = {.fd = fd, .name = file, .list_column = 3};
    struct table_field field;
    bool wanted = false;
    bool good = false;
    uint32_t number = 0;
    int result;

    *found = false;
    while ((result = table_next(&reader, &field)) > 0) {
        if (field.column == 0) {
            wanted = group && !field.cut && strcmp(field.text, group) == 0;
            good = field.length > 0;
        } else if (field.column == 2) {
            good = parse_field(&field, &number) && good;
            if (good && wanted && !*found) {
                *found = true;
                *gid = number;
            }
        } else if (field.column == 3 && good && member && !field.cut &&
                   strcmp(field.text, member) == 0) {
            result = add_gid(set, number);
            if (result < 0)
                break;
        }
        if (field.last && (!good || field.column < 2))
            note_bad_line(notes, field.line);
    }
    if (result < 0)
        error_context("%s", file);
    return result < 0 ? result : 0;
}
