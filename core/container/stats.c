/* What a container uses, as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/linux/cgroup.h"

#define BYTES_MAX (1U << 20)

/* ---- JSON ---- */

static void add_key(struct text *json, const char *key)
{
    char last = json->length ? json->data[json->length - 1] : '{';
    text_append(json, last == '{' ? "" : ",");
    text_append_json(json, key);
    text_append(json, ":");
}

/* Returns where it began, for close_object(). */
static size_t open_object(struct text *json, const char *key)
{
    size_t start = json->length;
    add_key(json, key);
    text_append(json, "{");
    return start;
}

/* One with nothing in it is taken back. */
static void close_object(struct text *json, size_t start)
{
    if (json->failed || json->data[json->length - 1] != '{') {
        text_append(json, "}");
        return;
    }
    json->length = start;
    json->data[start] = '\0';
}

static void add_number(struct text *json, const char *key, uint64_t number)
{
    add_key(json, key);
    text_append_format(json, "%llu", (unsigned long long)number);
}

/* ---- files ---- */

/* Without its controller a file is not there, or what the container has made of that name in a
 * cgroup that is its own: a directory; without pressure accounting it cannot be read. Returns
 * whether there is any text, or a negative errno (recorded). */
static int read_lines(int cgroup, const char *file, struct text *lines)
{
    int result = read_file(cgroup, file, BYTES_MAX, lines);
    if (result == -ENOENT || result == -EISDIR || result == -EOPNOTSUPP || result == -ENODEV) {
        error_clear();
        return 0;
    }
    return result < 0 ? result : lines->data != NULL;
}

/* Of a file with one number. "max" is no limit: the largest number, as runc has it. */
static int read_number(int cgroup, const char *file, uint64_t *number)
{
    autotext struct text text = {0};
    int result = read_lines(cgroup, file, &text);
    if (result > 0)
        *number = starts_with(text.data, "max") ? UINT64_MAX : strtoull(text.data, NULL, 10);
    return result;
}

/* Each line "key number" as a member. */
static int add_all(int cgroup, const char *file, const char *key, struct text *json)
{
    autotext struct text lines = {0};
    int result = read_lines(cgroup, file, &lines);
    if (result <= 0)
        return result;
    size_t start = open_object(json, key);
    for (char *line = lines.data; *line;) {
        char *end = line + strcspn(line, "\n");
        char *blank = memchr(line, ' ', (size_t)(end - line));
        if (blank) {
            *blank = '\0';
            add_number(json, line, strtoull(blank + 1, NULL, 10));
        }
        line = *end ? end + 1 : end;
    }
    close_object(json, start);
    return 0;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and "full" likewise. */
static int add_pressure(int cgroup, const char *file, struct text *json)
{
    autotext struct text lines = {0};
    int result = read_lines(cgroup, file, &lines);
    if (result <= 0)
        return result;
    size_t start = open_object(json, "psi");
    char *rest = NULL;
    for (char *line = strtok_r(lines.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *words = NULL;
        size_t kind = open_object(json, strtok_r(line, " ", &words));
        for (char *word; (word = strtok_r(NULL, " ", &words));) {
            char *value = word + strcspn(word, "=");
            if (!*value || !value[1] || strspn(value + 1, "0123456789.") != strlen(value + 1))
                continue;
            *value = '\0';
            add_key(json, word);
            text_append(json, value + 1);
        }
        close_object(json, kind);
    }
    close_object(json, start);
    return 0;
}

/* ---- what is told ---- */

struct named {
    char file[16];
    char key[17];
    uint16_t factor;
};

static void add_some(const char *lines, const struct named *table, size_t count, const char *key,
                     struct text *json)
{
    size_t start = open_object(json, key);
    uint64_t number;
    for (size_t i = 0; i < count; i++) {
        if (cgroup_number(lines, table[i].file, &number))
            add_number(json, table[i].key, number * table[i].factor);
    }
    close_object(json, start);
}

/* Every cgroup has cpu.stat, with or without a controller. Times are nanoseconds. */
static int tell_cpu(int cgroup, struct text *json)
{
    static const struct named usage[] = {{"usage_usec", "total", 1000},
                                         {"system_usec", "kernel", 1000},
                                         {"user_usec", "user", 1000}};
    static const struct named throttling[] = {{"nr_periods", "periods", 1},
                                              {"nr_throttled", "throttledPeriods", 1},
                                              {"throttled_usec", "throttledTime", 1000}};
    autotext struct text lines = {0};
    int result = read_lines(cgroup, "cpu.stat", &lines);
    if (result <= 0)
        return result < 0 ? result : -ENODEV;
    add_some(lines.data, usage, 3, "usage", json);
    add_some(lines.data, throttling, 3, "throttling", json);
    return add_pressure(cgroup, "cpu.pressure", json);
}

/* Swap space is counted together with memory, as version 1 did and runc does. */
static int tell_memory_entries(int cgroup, struct text *json)
{
    uint64_t limit, used, most, swap_limit, swap_used;
    int result = read_number(cgroup, "memory.current", &used);
    if (result > 0)
        result = read_number(cgroup, "memory.max", &limit);
    if (result <= 0)
        return result;
    size_t start = open_object(json, "usage");
    add_number(json, "limit", limit);
    add_number(json, "usage", used);
    /* Since Linux 5.19. */
    result = read_number(cgroup, "memory.peak", &most);
    if (result > 0)
        add_number(json, "max", most);
    close_object(json, start);
    if (result >= 0)
        result = read_number(cgroup, "memory.swap.current", &swap_used);
    if (result > 0)
        result = read_number(cgroup, "memory.swap.max", &swap_limit);
    if (result <= 0)
        return result;
    bool limited = swap_limit != UINT64_MAX && limit != UINT64_MAX;
    start = open_object(json, "swap");
    add_number(json, "limit", limited ? limit + swap_limit : UINT64_MAX);
    add_number(json, "usage", used + swap_used);
    close_object(json, start);
    return 0;
}

static int tell_memory(int cgroup, struct text *json)
{
    autotext struct text lines = {0};
    uint64_t cache;
    int result = read_lines(cgroup, "memory.stat", &lines);
    if (result > 0 && cgroup_number(lines.data, "file", &cache))
        add_number(json, "cache", cache);
    if (result >= 0)
        result = tell_memory_entries(cgroup, json);
    if (result == 0)
        result = add_all(cgroup, "memory.stat", "raw", json);
    if (result == 0)
        result = add_pressure(cgroup, "memory.pressure", json);
    if (result == 0)
        result = add_all(cgroup, "memory.events", "event_count", json);
    return result;
}

static int tell_pids(int cgroup, struct text *json)
{
    uint64_t number;
    int result = read_number(cgroup, "pids.current", &number);
    if (result > 0)
        add_number(json, "current", number);
    if (result > 0)
        result = read_number(cgroup, "pids.max", &number);
    if (result > 0 && number != UINT64_MAX)
        add_number(json, "limit", number);
    return result < 0 ? result : 0;
}

/* Of lines like "8:0 rbytes=1 wbytes=2 rios=3 wios=4", the words with that ending. The kernel may
 * leave out the end of a line: "7:1 7:0 rbytes=1". */
static void add_devices(const char *lines, const char *ending, const char *key, struct text *json)
{
    size_t start = json->length;
    size_t length = strlen(ending);
    bool any = false;
    add_key(json, key);
    text_append(json, "[");
    for (const char *line = lines; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        unsigned long major = 0;
        unsigned long number = 0;
        for (const char *word = line; *word && *word != '\n'; word += strcspn(word, " \n")) {
            char *minor = NULL;
            word += *word == ' ';
            if (*word >= '0' && *word <= '9') {
                major = strtoul(word, &minor, 10);
                number = *minor == ':' ? strtoul(minor + 1, NULL, 10) : 0;
            }
            if ((*word != 'r' && *word != 'w') || strncmp(word + 1, ending, length) != 0)
                continue;
            text_append_format(json, "%s{\"major\":%lu,\"minor\":%lu,\"op\":\"%s\",\"value\":%llu}",
                               any ? "," : "", major, number, *word == 'r' ? "Read" : "Write",
                               strtoull(word + 1 + length, NULL, 10));
            any = true;
        }
    }
    text_append(json, "]");
    if (any || json->failed)
        return;
    json->length = start;
    json->data[start] = '\0';
}

static int tell_blkio(int cgroup, struct text *json)
{
    autotext struct text lines = {0};
    int result = read_lines(cgroup, "io.stat", &lines);
    if (result > 0) {
        add_devices(lines.data, "bytes=", "ioServiceBytesRecursive", json);
        add_devices(lines.data, "ios=", "ioServicedRecursive", json);
    }
    return result < 0 ? result : add_pressure(cgroup, "io.pressure", json);
}

/* name: "hugetlb.2MB.current", of which size is the middle. */
static int tell_pages(int cgroup, const char *name, const char *size, struct text *json)
{
    autotext struct text events = {0};
    char file[64];
    uint64_t number;
    size_t start = open_object(json, size);
    int result = read_number(cgroup, name, &number);
    if (result > 0)
        add_number(json, "usage", number);
    snprintf(file, sizeof(file), "hugetlb.%s.events", size);
    if (result > 0)
        result = read_lines(cgroup, file, &events);
    if (result > 0 && cgroup_number(events.data, "max", &number))
        add_number(json, "failcnt", number);
    close_object(json, start);
    return result < 0 ? result : 0;
}

static int tell_hugetlb(int cgroup, struct text *json)
{
    int result = 0;
    int copy = openat(cgroup, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        close_fd(&copy);
        return errno == ENOENT ? -ENODEV : fail(errno, "cannot read the container's cgroup");
    }
    struct dirent *entry;
    while (result == 0 && (entry = readdir(directory))) {
        char size[16];
        const char *name = entry->d_name;
        const char *dot = starts_with(name, "hugetlb.") ? strchr(name + 8, '.') : NULL;
        if (entry->d_type == DT_DIR || !dot || strcmp(dot, ".current") != 0 ||
            dot - (name + 8) >= (int)sizeof(size))
            continue;
        snprintf(size, sizeof(size), "%.*s", (int)(dot - (name + 8)), name + 8);
        result = tell_pages(cgroup, name, size, json);
    }
    closedir(directory);
    return result;
}

static int tell_section(size_t section, int cgroup, struct text *json)
{
    switch (section) {
    case 0:
        return tell_cpu(cgroup, json);
    case 1:
        return tell_memory(cgroup, json);
    case 2:
        return tell_pids(cgroup, json);
    case 3:
        return tell_blkio(cgroup, json);
    default:
        return tell_hugetlb(cgroup, json);
    }
}

static int tell(int cgroup, struct text *json)
{
    static const char names[][8] = {"cpu", "memory", "pids", "blkio", "hugetlb"};
    size_t start = open_object(json, "data");
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        size_t section = open_object(json, names[i]);
        result = tell_section(i, cgroup, json);
        close_object(json, section);
    }
    close_object(json, start);
    return result;
}

int stats_line(const struct watch *watch, const char *type, const char *id, bool data,
               struct text *line)
{
    text_append(line, "{");
    add_key(line, "type");
    text_append_json(line, type);
    add_key(line, "id");
    text_append_json(line, id);
    int result = data ? tell(watch->cgroup, line) : 0;
    text_append(line, "}\n");
    return result == 0 && line->failed ? fail(ENOMEM, "cannot compose the answer") : result;
}
