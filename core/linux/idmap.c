/* ID mappings of user namespaces: parsed, checked, looked up.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/idmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"

void idmap_free(struct idmap *map)
{
    free(map->ranges);
    *map = (struct idmap){0};
}

void idmaps_free(struct idmaps *maps)
{
    idmap_free(&maps->uid);
    idmap_free(&maps->gid);
}

int idmap_add(struct idmap *map, const char *what, uint64_t container, uint64_t host, uint64_t size)
{
    if (size == 0)
        return fail_usage("%s: %" PRIu64 ":%" PRIu64 ":0 has a size of 0", what, container, host);
    if (container > ID_MAX || host > ID_MAX || size > ID_MAX - container + 1 ||
        size > ID_MAX - host + 1)
        return fail_usage("%s: %" PRIu64 ":%" PRIu64 ":%" PRIu64 " goes beyond the last id, %u",
                          what, container, host, size, ID_MAX);

    struct id_range *ranges = realloc(map->ranges, (map->count + 1) * sizeof(*ranges));

    if (!ranges)
        return fail(ENOMEM, "cannot allocate memory");
    ranges[map->count++] = (struct id_range){
        .container = (uint32_t)container, .host = (uint32_t)host, .size = (uint32_t)size};
    map->ranges = ranges;
    return 0;
}

/* Take the number at *text, which must be followed by that separator, and step over both. */
static int take_number(const char **text, char separator, uint64_t *number)
{
    char digits[24];
    size_t length = strspn(*text, "0123456789");

    if (length == 0 || (*text)[length] != separator)
        return -EINVAL;
    if (length >= sizeof(digits))
        return -ERANGE;
    memcpy(digits, *text, length);
    digits[length] = '\0';
    *text += length + (separator != '\0');
    return parse_u64(digits, UINT64_MAX, number);
}

int idmap_parse(struct idmap *map, const char *what, const char *text)
{
    const char *rest = text;

    for (;;) {
        uint64_t numbers[3];
        char end = strchr(rest, ',') ? ',' : '\0';
        const char separators[3] = {':', ':', end};
        int result = 0;

        for (size_t i = 0; result == 0 && i < 3; i++)
            result = take_number(&rest, separators[i], &numbers[i]);
        if (result == -ERANGE)
            return fail_usage("%s: \"%s\" goes beyond the last id, %u", what, text, ID_MAX);
        if (result < 0)
            return fail_usage("%s: expected CONTAINER:HOST:SIZE[,...], found \"%s\"", what, text);
        result = idmap_add(map, what, numbers[0], numbers[1], numbers[2]);
        if (result < 0 || end == '\0')
            return result;
    }
}

static int by_container(const void *left, const void *right)
{
    uint32_t a = ((const struct id_range *)left)->container;
    uint32_t b = ((const struct id_range *)right)->container;

    return (a > b) - (a < b);
}

static int by_host(const void *left, const void *right)
{
    uint32_t a = ((const struct id_range *)left)->host;
    uint32_t b = ((const struct id_range *)right)->host;

    return (a > b) - (a < b);
}

void id_ranges_sort(struct id_range *ranges, size_t count)
{
    qsort(ranges, count, sizeof(*ranges), by_container);
}

static int fail_overlap(const char *what, const struct id_range *a, const struct id_range *b,
                        const char *side)
{
    return fail_usage("%s: %u:%u:%u and %u:%u:%u overlap in their %s ids", what, a->container,
                      a->host, a->size, b->container, b->host, b->size, side);
}

/* Once sorted, a range that overlaps any other one overlaps a neighbour. */
int idmap_check(const struct idmap *map, const char *what)
{
    struct id_range ranges[IDMAP_EXTENTS_MAX];

    if (map->count == 0)
        return fail_usage("%s: is empty", what);
    if (map->count > IDMAP_EXTENTS_MAX)
        return fail_usage("%s: has %zu ranges, the kernel takes %d", what, map->count,
                          IDMAP_EXTENTS_MAX);
    if (map->count == 1)
        return 0; /* before two pages of the stack are touched */
    memcpy(ranges, map->ranges, map->count * sizeof(*ranges));
    id_ranges_sort(ranges, map->count);
    for (size_t i = 1; i < map->count; i++) {
        const struct id_range *before = &ranges[i - 1];

        if (ranges[i].container - before->container < before->size)
            return fail_overlap(what, before, &ranges[i], "container");
    }
    qsort(ranges, map->count, sizeof(*ranges), by_host);
    for (size_t i = 1; i < map->count; i++) {
        const struct id_range *before = &ranges[i - 1];

        if (ranges[i].host - before->host < before->size)
            return fail_overlap(what, before, &ranges[i], "host");
    }
    return 0;
}

static int parse_list(struct idmap *map, const char *what, const struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        int result = idmap_parse(map, what, list->items[i]);

        if (result < 0)
            return result;
    }
    return 0;
}

int idmaps_by_options(struct idmaps *maps, const struct text_list *uid, const struct text_list *gid,
                      const char *word)
{
    int result = 0;

    if (uid->count == 0 && gid->count == 0)
        return word ? idmaps_by_word(maps, word) : 0;
    if (word)
        return fail_usage("--map and --uid-map or --gid-map exclude each other");
    if (uid->count == 0)
        return fail_usage("--gid-map needs --uid-map as well");
    if (gid->count == 0)
        return fail_usage("--uid-map needs --gid-map as well");

    result = parse_list(&maps->uid, "uid map", uid);
    if (result == 0)
        result = parse_list(&maps->gid, "gid map", gid);
    if (result == 0)
        result = idmap_check(&maps->uid, "uid map");
    if (result == 0)
        result = idmap_check(&maps->gid, "gid map");
    return result;
}

int idmaps_by_lists(struct idmaps *maps, const struct text_list *uid, const struct text_list *gid,
                    const struct text_list *both, const char *word)
{
    if (both->count == 0)
        return idmaps_by_options(maps, uid, gid, word);
    if (uid->count > 0 || gid->count > 0 || word)
        return fail_usage("--both excludes --uid-map, --gid-map and --map");
    return idmaps_by_options(maps, both, both, NULL);
}

int idmap_insert(struct idmap *map, const char *what, uint32_t container, uint32_t host)
{
    for (size_t i = 0; i < map->count; i++) {
        struct id_range *range = &map->ranges[i];

        if (container < range->container || container - range->container >= range->size)
            continue;

        struct id_range old = *range;
        uint32_t before = container - old.container;
        uint32_t after = old.size - before - 1;

        range->size = before;
        if (before == 0)
            *range = map->ranges[--map->count];
        if (after > 0 && idmap_add(map, what, container + 1, old.host + before, after) < 0)
            return -EINVAL;
        break; /* ranges do not overlap */
    }
    return idmap_add(map, what, container, host, 1);
}

int idmap_to_host(const struct idmap *map, uint32_t container, uint32_t *host)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct id_range *range = &map->ranges[i];

        if (container >= range->container && container - range->container < range->size) {
            *host = range->host + (container - range->container);
            return 0;
        }
    }
    return -ENOENT;
}

int idmap_to_container(const struct idmap *map, uint32_t host, uint32_t *container)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct id_range *range = &map->ranges[i];

        if (host >= range->host && host - range->host < range->size) {
            *container = range->container + (host - range->host);
            return 0;
        }
    }
    return -ENOENT;
}

bool idmaps_have_caller(const struct idmaps *maps)
{
    uint32_t container;

    return idmap_to_container(&maps->uid, geteuid(), &container) == 0 &&
           idmap_to_container(&maps->gid, getegid(), &container) == 0;
}
