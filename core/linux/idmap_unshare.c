/* ID mappings as the options of unshare(1) describe them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/idmap_unshare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"

/* One of the two maps. */
struct side {
    bool groups;
    const char *what;
    const char *file;
    uint32_t own;
};

/* OUTER,INNER,COUNT turned into the form of today. */
static int add_old_form(struct idmap *map, const char *what, const char *text)
{
    char turned[64];
    const char *first = strchr(text, ',');
    const char *second = strchr(first + 1, ',');
    int length = snprintf(turned, sizeof(turned), "%.*s:%.*s:%s", (int)(second - first - 1),
                          first + 1, (int)(first - text), text, second + 1);
    return idmap_parse(map, what, length < (int)sizeof(turned) ? turned : text);
}

/* Everything that is mapped here. */
static int add_all(struct idmap *map, const struct side *side)
{
    autotext struct text lines = {0};
    int result = read_file(AT_FDCWD, side->file, 1 << 16, &lines);
    char *rest = NULL;
    for (char *line = lines.data ? strtok_r(lines.data, "\n", &rest) : NULL; result == 0 && line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *end;
        unsigned long inner = strtoul(line, &end, 10);
        strtoul(end, &end, 10);
        unsigned long size = strtoul(end, &end, 10);
        /* The last id, 4294967295, is none that can be used. */
        if (size > ID_MAX - inner + 1)
            size = ID_MAX - inner + 1;
        result = idmap_add(map, side->what, inner, inner, size);
    }
    return result;
}

static int add_word(struct idmap *map, const struct side *side, const char *text)
{
    if (strcmp(text, "auto") == 0)
        return idmap_add_subids(map, side->groups, false);
    if (strcmp(text, "subids") == 0)
        return idmap_add_subids(map, side->groups, true);
    if (strcmp(text, "all") == 0)
        return add_all(map, side);
    const char *comma = strchr(text, ':') ? NULL : strchr(text, ',');
    if (comma && strchr(comma + 1, ','))
        return add_old_form(map, side->what, text);
    return idmap_parse(map, side->what, text);
}

static int build(struct idmap *map, const struct side *side, const struct idmap_unshare *wish,
                 const struct text_list *words, const struct idmap_single *single)
{
    int result = 0;
    if (wish->automatic)
        result = idmap_add_subids(map, side->groups, false);
    if (result == 0 && wish->subids)
        result = idmap_add_subids(map, side->groups, true);
    for (size_t i = 0; result == 0 && i < words->count; i++)
        result = add_word(map, side, words->items[i]);
    /* A range that has the own id to itself already says it all. */
    uint32_t host;
    if (result == 0 && single->given &&
        !(idmap_to_host(map, single->inner, &host) == 0 && host == side->own))
        result = idmap_insert(map, side->what, single->inner, side->own);
    return result == 0 && map->count > 0 ? idmap_check(map, side->what) : result;
}

bool idmap_unshare_must_deny(const struct idmap_unshare *wish)
{
    return wish->group.given && wish->groups->count == 0 && !wish->automatic && !wish->subids;
}

int idmaps_by_unshare(struct idmaps *maps, const struct idmap_unshare *wish)
{
    const struct side uid = {false, "uid map", "/proc/self/uid_map", geteuid()};
    const struct side gid = {true, "gid map", "/proc/self/gid_map", getegid()};
    int result = build(&maps->uid, &uid, wish, wish->users, &wish->user);
    if (result == 0)
        result = build(&maps->gid, &gid, wish, wish->groups, &wish->group);
    if (idmap_unshare_must_deny(wish))
        maps->deny_setgroups = true;
    return result;
}
