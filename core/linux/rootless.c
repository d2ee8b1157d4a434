/* Is this process rootless?
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

/* The next number of a line: blanks, then digits alone. */
static int take_number(const char **text, uint64_t *number)
{
    char digits[24];
    *text += strspn(*text, " \t");
    size_t length = strcspn(*text, " \t\n");
    if (length >= sizeof(digits))
        return -ERANGE;
    memcpy(digits, *text, length);
    digits[length] = '\0';
    *text += length;
    return parse_u64(digits, UINT64_MAX, number);
}

/* Inside, outside, size. False if the line is odd. */
static bool parse_line(const char *line, uint64_t numbers[3])
{
    for (size_t i = 0; i < 3; i++) {
        if (take_number(&line, &numbers[i]) < 0 || numbers[i] > UINT32_MAX)
            return false;
    }
    line += strspn(line, " \t");
    return (!*line || *line == '\n') && numbers[2] > 0;
}

static const char *next_line(const char *text)
{
    text += strcspn(text, "\n");
    return text + (*text == '\n');
}

void own_map_parse(struct own_map *map, const char *text)
{
    *map = (struct own_map){0};
    for (; *text; text = next_line(text)) {
        uint64_t numbers[3];
        map->lines++;
        if (!parse_line(text, numbers)) {
            map->odd = true;
        } else if (numbers[0] == 0) {
            map->identity = numbers[1] == 0 && numbers[2] == UINT32_MAX;
            map->zero = true;
            map->zero_host = (uint32_t)numbers[1];
        }
    }
    map->identity = map->identity && map->lines == 1;
}

bool own_map_holds(const char *text, uint64_t first, uint64_t size)
{
    const uint64_t end = first + size;
    bool found = true;
    /* A range may be spread over lines, in any order: each round gets past one of them. */
    while (first < end && found) {
        found = false;
        for (const char *line = text; *line && !found; line = next_line(line)) {
            uint64_t numbers[3];
            if (parse_line(line, numbers) && first >= numbers[0] &&
                first < numbers[0] + numbers[2]) {
                first = numbers[0] + numbers[2];
                found = true;
            }
        }
    }
    return found;
}

static void describe_map(const struct rootless_facts *facts, char *text, size_t size)
{
    const struct own_map *map = &facts->map;
    if (!facts->have_map)
        snprintf(text, size, "its uid_map cannot be read");
    else if (map->lines == 0)
        snprintf(text, size, "its uid_map is empty");
    else if (map->odd)
        snprintf(text, size, "its uid_map makes no sense");
    else if (map->zero)
        snprintf(text, size, "uid 0 is uid %u outside", map->zero_host);
    else
        snprintf(text, size, "uid 0 is not mapped");
}

static void answer(struct rootless *rootless, enum rootless_answer what, const char *reason)
{
    rootless->answer = what;
    snprintf(rootless->reason, sizeof(rootless->reason), "%s", reason);
}

/* Without the inode number, a map of everything to itself may be that of any namespace. */
static void decide_by_map(const struct rootless_facts *facts, struct rootless *rootless)
{
    const struct own_map *map = &facts->map;
    if (facts->no_namespaces)
        answer(rootless, ROOTLESS_NO, "uid 0, and the kernel has no user namespaces");
    else if (!facts->have_map)
        answer(rootless, ROOTLESS_UNKNOWN,
               "uid 0, and neither /proc/self/ns/user nor /proc/self/uid_map can be read");
    else if (map->odd || !map->zero) /* uid 0 that is not mapped would not be 0 */
        answer(rootless, ROOTLESS_UNKNOWN,
               "uid 0, /proc/self/ns/user cannot be read, and /proc/self/uid_map makes no sense");
    else if (map->identity)
        answer(rootless, ROOTLESS_UNKNOWN,
               "uid 0, /proc/self/ns/user cannot be read, and every id is mapped to itself");
    else
        answer(rootless, ROOTLESS_YES, "uid 0, and not every id is mapped to itself");
}

void rootless_decide(const struct rootless_facts *facts, struct rootless *rootless)
{
    char map[64];
    describe_map(facts, map, sizeof(map));
    bool initial = facts->inode == INITIAL_USER_NAMESPACE;
    if (facts->euid != 0) {
        rootless->answer = ROOTLESS_YES;
        snprintf(rootless->reason, sizeof(rootless->reason), "uid %u, not 0%s%s", facts->euid,
                 facts->inode && !initial ? ", in a user namespace: " : "",
                 facts->inode && !initial ? map : "");
    } else if (facts->inode && !initial) {
        rootless->answer = ROOTLESS_YES;
        snprintf(rootless->reason, sizeof(rootless->reason),
                 "uid 0 of a user namespace that is not the initial one: %s", map);
    } else if (facts->inode && facts->have_map && !facts->map.identity) {
        answer(rootless, ROOTLESS_UNKNOWN,
               "uid 0 of the initial user namespace, but /proc/self/uid_map is not that of it");
    } else if (facts->inode) {
        answer(rootless, ROOTLESS_NO, "uid 0 of the initial user namespace");
    } else {
        decide_by_map(facts, rootless);
    }
}

void rootless_ask(struct rootless *rootless)
{
    struct rootless_facts facts = {.euid = geteuid()};
    struct stat status;
    struct statfs system;
    /* A /proc that is none could hold a file of that name. */
    if (stat("/proc/self/ns/user", &status) == 0)
        facts.inode = statfs("/proc/self/ns/user", &system) == 0 && system.f_type == NSFS_MAGIC
                          ? status.st_ino
                          : 0;
    else
        facts.no_namespaces = errno == ENOENT && access("/proc/self/ns/mnt", F_OK) == 0;
    autotext struct text text = {0};
    /* The kernel takes 340 lines of 33 bytes. */
    facts.have_map = read_file(AT_FDCWD, "/proc/self/uid_map", 65536, &text) == 0;
    error_clear();
    if (facts.have_map) {
        own_map_parse(&facts.map, text.data);
        facts.map.odd = facts.map.odd || strlen(text.data) != text.length;
    }
    rootless_decide(&facts, rootless);
}
