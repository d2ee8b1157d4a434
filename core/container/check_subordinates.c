/* Subordinate ids. subuid(5), subgid(5), getsubids(1).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/table.h"
#include "core/base/trace.h"
#include "core/container/check_parts.h"
#include "core/linux/idmap.h"
#include "core/linux/process.h"
#include "core/linux/rootless.h"
#include "core/linux/sys.h"

#define ENOUGH 65536

/* The first id behind all ranges of a table: what usermod can be told to give. *shared: how many of
 * our ids are given to others as well. */
static uint64_t first_free(const struct check_context *context, const char *path,
                           const struct idmap *ours, uint64_t *shared)
{
    struct table_reader reader = {.name = path};
    struct table_field field;
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint64_t end = 100000, first = 0, count = 0;
    char number[16];
    bool own = false;
    snprintf(number, sizeof(number), "%u", context->uid);
    *shared = 0;
    reader.fd = fd;
    while (fd >= 0 && table_next(&reader, &field) > 0) {
        if (field.column == 0)
            own = strcmp(field.text, context->user) == 0 || strcmp(field.text, number) == 0;
        if (field.column == 1 && parse_u64(field.text, UINT32_MAX, &first) < 0)
            first = 0;
        if (field.column != 2 || parse_u64(field.text, UINT32_MAX, &count) < 0)
            continue;
        if (first + count > end)
            end = first + count;
        for (size_t i = 0; i < ours->count && !own; i++) {
            const struct id_range *range = &ours->ranges[i];
            uint64_t from = first > range->host ? first : range->host;
            uint64_t last = (uint64_t)range->host + range->size;
            uint64_t to = first + count < last ? first + count : last;
            *shared += from < to ? to - from : 0;
        }
    }
    error_clear();
    return end;
}

static void check_range(struct check_context *context, const struct check_side *side,
                        const struct idmap *map, uint64_t next)
{
    uint64_t shared, total = check_count_ids(map);
    first_free(context, side->file, map, &shared);
    struct check *check;
    if (total == 0)
        check = check_put(context, side->range, CHECK_FAIL, 0, "%s gives %s (uid %u) no ids",
                          side->file, context->user, context->uid);
    else if (total < ENOUGH)
        check = check_put(context, side->range, CHECK_WARN, 0, "%s gives %s %llu ids, not %d",
                          side->file, context->user, (unsigned long long)total, ENOUGH);
    else if (shared > 0)
        check = check_put(context, side->range, CHECK_WARN, 0,
                          "%s gives ids of %s to others as well", side->file, context->user);
    else
        check =
            check_put(context, side->range, CHECK_PASS, 0, "%s gives %s %llu ids from %u on",
                      side->file, context->user, (unsigned long long)total, map->ranges[0].host);
    if (check->status != CHECK_PASS)
        check_fix(check, "usermod --add-subuids %llu-%llu --add-subgids %llu-%llu %s",
                  (unsigned long long)next, (unsigned long long)next + ENOUGH - 1,
                  (unsigned long long)next, (unsigned long long)next + ENOUGH - 1, context->user);
}

/* Inside of a user namespace, ids that it does not have cannot be given on. */
static void check_mapped(struct check_context *context, const struct idmaps *maps)
{
    const struct idmap *both[2] = {&maps->uid, &maps->gid};
    for (size_t side = 0; side < 2; side++) {
        autotext struct text text = {0};
        if (read_file(AT_FDCWD, check_sides[side].map, 65536, &text) < 0) {
            check_put_error(context, CHECK_SUBIDS_MAPPED, CHECK_UNKNOWN);
            return;
        }
        for (size_t i = 0; i < both[side]->count; i++) {
            const struct id_range *range = &both[side]->ranges[i];
            if (own_map_holds(text.data, range->host, range->size))
                continue;
            check_fix(check_put(context, CHECK_SUBIDS_MAPPED, CHECK_FAIL, 0,
                                "%s: %u to %u are not all in %s", check_sides[side].file,
                                range->host, range->host + (range->size - 1),
                                check_sides[side].map),
                      "give the outer user namespace these ids: unshare --map-auto "
                      "--map-root-user");
            return;
        }
    }
    check_put(context, CHECK_SUBIDS_MAPPED, CHECK_PASS, 0,
              "this user namespace has the subordinate ids");
}

/* Ranges that a name service gives (nsswitch.conf: subid), where the files give none. */
static void ask_service(struct check_context *context, const struct check_side *side,
                        struct idmap *map, bool groups)
{
    char path[256];
    autotext struct text said = {0};
    char option[] = "-g";
    char *users[] = {path, context->user, NULL};
    char *all[] = {path, option, context->user, NULL};
    char **argv = groups ? all : users;
    if (!check_find_program("getsubids", path, sizeof(path)) || check_run_program(argv, &said) != 0)
        return;
    /* "0: user 100000 65536" */
    for (const char *line = said.data; line && *line;) {
        const char *rest = strchr(line, ':');
        char *end;
        if (!rest || rest[1] != ' ' || !strchr(rest + 2, ' '))
            break;
        uint64_t first = strtoull(strchr(rest + 2, ' '), &end, 10);
        uint64_t size = strtoull(end, &end, 10);
        if (idmap_add(map, side->file, map->count ? check_count_ids(map) + 1 : 1, first, size) < 0)
            break;
        line = *end == '\n' ? end + 1 : NULL;
    }
    error_clear();
}

/* Who may map any id needs no subordinate ones, nor somebody to map them. */
static void need_none(struct check_context *context)
{
    static const uint8_t ids[] = {CHECK_NO_NEW_PRIVS,  CHECK_SUBUID,    CHECK_SUBGID,
                                  CHECK_SUBIDS_MAPPED, CHECK_NEWUIDMAP, CHECK_NEWGIDMAP};
    for (size_t i = 0; i < sizeof(ids); i++)
        check_put(context, ids[i], CHECK_PASS, 0, "not needed: the caller may map any id");
}

/* The ranges, as idmaps with the caller as 0. */
static void find_ranges(struct check_context *context, struct idmaps *maps)
{
    struct idmap *both[2] = {&maps->uid, &maps->gid};
    uint64_t next = 0;
    for (size_t i = 0; i < 2; i++) {
        uint64_t shared, end;
        if (idmap_add_subordinates(both[i], check_sides[i].file, 1) < 0) {
            check_put_error(context, check_sides[i].range, CHECK_FAIL);
            both[i]->count = 0;
        }
        if (both[i]->count == 0)
            ask_service(context, &check_sides[i], both[i], i == 1);
        end = first_free(context, check_sides[i].file, both[i], &shared);
        next = end > next ? end : next;
    }
    for (size_t i = 0; i < 2; i++) {
        if (context->checks->list[check_sides[i].range].status == CHECK_UNKNOWN)
            check_range(context, &check_sides[i], both[i], next);
    }
}

void check_subordinates(struct check_context *context)
{
    struct idmaps maps = {0};
    char paths[2][256];
    bool found = true;
    if (context->privileged) {
        need_none(context);
        return;
    }
    check_put(context, CHECK_NO_NEW_PRIVS, context->no_new_privs ? CHECK_WARN : CHECK_PASS, 0,
              "no_new_privs is %s", context->no_new_privs ? "set: newuidmap cannot work" : "off");
    if (context->no_new_privs)
        check_fix(&context->checks->list[CHECK_NO_NEW_PRIVS],
                  "start it without: NoNewPrivileges=no in the unit, or docker run without "
                  "--security-opt no-new-privileges; or map one id: shimbox spec --map root");
    find_ranges(context, &maps);
    bool both = maps.uid.count > 0 && maps.gid.count > 0;
    if (both)
        check_mapped(context, &maps);
    else
        check_put(context, CHECK_SUBIDS_MAPPED, CHECK_UNKNOWN, 0, "there are no subordinate ids");
    for (size_t i = 0; i < 2; i++) {
        if (check_find_program(check_sides[i].program, paths[i], sizeof(paths[i]))) {
            check_look_at_helper(context, &check_sides[i], paths[i]);
            continue;
        }
        found = false;
        check_fix(check_put(context, check_sides[i].helper, CHECK_FAIL, ENOENT, "%s is not in PATH",
                            check_sides[i].program),
                  "apt-get install uidmap (Debian, Ubuntu) or dnf install shadow-utils");
    }
    if (both && found && idmap_add(&maps.uid, "uid map", 0, context->uid, 1) == 0 &&
        idmap_add(&maps.gid, "gid map", 0, context->gid, 1) == 0)
        check_try_helpers(context, &maps, paths);
    error_clear();
    idmaps_free(&maps);
}
