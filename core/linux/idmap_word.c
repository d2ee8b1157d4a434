/* ID mappings by a word: of the caller, and of the caller's subordinate ids. subuid(5), subgid(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/table.h"
#include "core/linux/idmap.h"

/* A caller as the tables may call them: by name, and by number. */
struct caller {
    char name[256]; /* "" when /etc/passwd has none */
    char number[16];
};

/* *fd stays -1 when there is no such file: as good as an empty one. */
static int open_table(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 && errno != ENOENT)
        return fail(errno, "cannot open %s", path);
    return 0;
}

/* libc's getpwuid() would bring stdio and the name service cache into the binary. */
static int find_caller(struct caller *caller)
{
    struct table_reader reader = {.name = "/etc/passwd"};
    autoclose int fd = -1;
    struct table_field field;
    char name[sizeof(caller->name)] = "";
    int result = open_table(reader.name, &fd);

    caller->name[0] = '\0';
    snprintf(caller->number, sizeof(caller->number), "%u", getuid());
    if (result < 0 || fd < 0)
        return result;
    reader.fd = fd;
    while ((result = table_next(&reader, &field)) > 0) {
        if (field.column == 0)
            memcpy(name, field.text, sizeof(name) - 1); /* longer than any useful name */
        if (field.column == 2 && !field.cut && strcmp(field.text, caller->number) == 0) {
            memcpy(caller->name, name, sizeof(name));
            return 0;
        }
    }
    return result;
}

int idmap_caller_name(char *name, size_t size)
{
    struct caller caller;
    int result = find_caller(&caller);

    snprintf(name, size, "%s", caller.name[0] ? caller.name : caller.number);
    return result;
}

static bool is_listed(const struct idmap *map, uint64_t host, uint64_t size)
{
    for (size_t i = 0; i < map->count; i++) {
        if (map->ranges[i].host == host && map->ranges[i].size == size)
            return true;
    }
    return false;
}

/* Add the range of one line. identity: container ids are the host's, otherwise they are counted on
 * from *next. */
static int add_range(struct idmap *map, const char *where, uint64_t host, uint64_t size,
                     bool identity, uint64_t *next)
{
    int result;

    /* The same range by name and by number is one range. */
    if (size == 0 || is_listed(map, host, size))
        return 0;
    result = idmap_add(map, where, identity ? host : *next, host, size);
    *next += size;
    return result;
}

/* Append all ranges that the table gives the caller: "NAME:FIRST:COUNT". */
static int add_subordinates(struct idmap *map, const char *path, const struct caller *caller,
                            bool identity, uint64_t next)
{
    struct table_reader reader = {.name = path};
    autoclose int fd = -1;
    struct table_field field;
    uint64_t first = 0;
    bool ours = false;
    int result = open_table(path, &fd);

    if (result < 0 || fd < 0)
        return result;
    reader.fd = fd;
    while ((result = table_next(&reader, &field)) > 0) {
        int number = 0;

        if (field.column == 0)
            ours =
                !field.cut && field.length > 0 &&
                (strcmp(field.text, caller->name) == 0 || strcmp(field.text, caller->number) == 0);
        if (!ours)
            continue;

        uint64_t count = 0;

        if (field.column == 1)
            number = parse_u64(field.text, UINT64_MAX, &first);
        else if (field.column == 2)
            number = parse_u64(field.text, UINT64_MAX, &count);
        if (number < 0 || field.cut || field.last != (field.column == 2))
            return fail_config(NULL, "%s:%zu: expected NAME:FIRST:COUNT", path, field.line);
        if (field.column == 2) {
            result = add_range(map, path, first, count, identity, &next);
            if (result < 0)
                return result;
        }
    }
    return result;
}

int idmap_add_subordinates(struct idmap *map, const char *path, uint64_t next)
{
    struct caller caller;
    int result = find_caller(&caller);

    return result < 0 ? result : add_subordinates(map, path, &caller, false, next);
}

static int add_both_subordinates(struct idmaps *maps, bool identity)
{
    uint64_t next = identity ? 0 : 1;
    struct caller caller;
    int result = find_caller(&caller);

    if (result == 0)
        result = add_subordinates(&maps->uid, "/etc/subuid", &caller, identity, next);
    if (result == 0)
        result = add_subordinates(&maps->gid, "/etc/subgid", &caller, identity, next);
    return result;
}

static int add_caller(struct idmaps *maps, bool as_root)
{
    int result = idmap_add(&maps->uid, "uid map", as_root ? 0 : getuid(), getuid(), 1);

    return result < 0 ? result
                      : idmap_add(&maps->gid, "gid map", as_root ? 0 : getgid(), getgid(), 1);
}

static int build_auto(struct idmaps *maps)
{
    int result = add_caller(maps, true);

    if (result == 0)
        result = add_both_subordinates(maps, false);
    /* Ranges for users alone, or for groups alone, are of no use: the helpers for both are needed.
     */
    if (result == 0 && (maps->uid.count == 1 || maps->gid.count == 1)) {
        maps->uid.count = 1;
        maps->gid.count = 1;
    }
    return result;
}

static int build_subids(struct idmaps *maps)
{
    int result = add_both_subordinates(maps, true);

    if (result < 0)
        return result;
    if (maps->uid.count == 0)
        return fail_config(NULL, "/etc/subuid gives the caller (uid %u) no ids", getuid());
    if (maps->gid.count == 0)
        return fail_config(NULL, "/etc/subgid gives the caller (uid %u) no ids", getuid());
    return 0;
}

int idmaps_by_word(struct idmaps *maps, const char *word)
{
    int result;

    if (strcmp(word, "auto") == 0)
        result = build_auto(maps);
    else if (strcmp(word, "root") == 0)
        result = add_caller(maps, true);
    else if (strcmp(word, "current") == 0)
        result = add_caller(maps, false);
    else if (strcmp(word, "subids") == 0)
        result = build_subids(maps);
    else
        result = fail_usage("unknown map \"%s\": expected auto, root, current or subids", word);

    if (result == 0)
        result = idmap_check(&maps->uid, "uid map");
    if (result == 0)
        result = idmap_check(&maps->gid, "gid map");
    return result;
}
