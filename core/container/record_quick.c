/* state.json as record_write() writes it, read in one pass. A general parser takes longer than all
 * the rest of looking at a container, and most of that in the allocator.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/text.h"
#include "core/container/record.h"

#define CUTS 5

_Static_assert(RECORD_BOOT == RECORD_TIME, "both are read in one way");

/* What is left to read, and where texts end: they are cut when all has been read. */
struct scan {
    char *at;
    char *cuts[CUTS];
    size_t cut_count;
};

enum kind { TEXT, PATH, SHORT, WIDE, ID, FLAG, PROCESS };

#define AT(field) ((uint16_t)offsetof(struct record, field))

/* In the order in which they are written. */
static const struct {
    char key[13];
    uint8_t kind;
    bool optional;
    uint16_t offset;
} parts[] = {
    {"ociVersion", TEXT, false, AT(version)}, {"id", TEXT, false, AT(id)},
    {"bundle", PATH, false, AT(bundle)},      {"rootfs", PATH, false, AT(rootfs)},
    {"cgroup", PATH, false, AT(cgroup)},      {"cgroupInode", WIDE, true, AT(cgroup_inode)},
    {"created", SHORT, false, AT(created)},   {"boot", SHORT, false, AT(boot)},
    {"owner", ID, false, AT(owner)},          {"ready", FLAG, false, AT(ready)},
    {"init", PROCESS, true, AT(init)},        {"runner", PROCESS, true, AT(runner)},
};

static bool take(struct scan *scan, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

static bool take_key(struct scan *scan, const char *key)
{
    size_t length = strlen(key);
    if (strncmp(scan->at, ",\"", 2) != 0 || strncmp(scan->at + 2, key, length) != 0 ||
        strncmp(scan->at + 2 + length, "\":", 2) != 0)
        return false;
    scan->at += length + 4;
    return true;
}

static bool take_number(struct scan *scan, uint64_t max, uint64_t *number)
{
    const char *first = scan->at;
    uint64_t value = 0;
    for (; *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        unsigned digit = (unsigned)(*scan->at - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return scan->at > first && (*first != '0' || scan->at == first + 1) && value <= max;
}

/* Its length. Nothing but ASCII, and no escapes: of those the parser knows more. */
static bool take_text(struct scan *scan, char **text, size_t *length)
{
    if (*scan->at != '"')
        return false;
    *text = ++scan->at;
    while (*scan->at >= ' ' && *scan->at != '"' && *scan->at != '\\' && *scan->at < 0x7f)
        scan->at++;
    *length = (size_t)(scan->at - *text);
    return *scan->at++ == '"';
}

static bool take_string(struct scan *scan, bool path, const char **target)
{
    char *text;
    size_t length;
    if (scan->cut_count == CUTS || !take_text(scan, &text, &length))
        return false;
    scan->cuts[scan->cut_count++] = text + length;
    if (length > 0)
        *target = text;
    return length == 0 || !path || *text == '/';
}

static bool take_short(struct scan *scan, char target[RECORD_TIME])
{
    char *text;
    size_t length;
    if (!take_text(scan, &text, &length) || length >= RECORD_TIME)
        return false;
    memcpy(target, text, length);
    return true;
}

static bool take_process(struct scan *scan, struct record_process *process)
{
    uint64_t pid = 0;
    bool good = take(scan, "{\"pid\":") && take_number(scan, RECORD_PID_MAX, &pid) && pid > 1 &&
                take_key(scan, "start") && take_number(scan, UINT64_MAX, &process->start);
    process->pid = (pid_t)pid;
    if (good && take_key(scan, "inode"))
        good = take_number(scan, UINT64_MAX, &process->inode);
    return good && take(scan, "}");
}

static bool take_part(struct scan *scan, unsigned kind, void *target)
{
    uint64_t number = 0;
    switch (kind) {
    case TEXT:
    case PATH:
        return take_string(scan, kind == PATH, target);
    case SHORT:
        return take_short(scan, target);
    case WIDE:
        return take_number(scan, UINT64_MAX, target);
    case ID:
        if (!take_number(scan, ID_MAX, &number))
            return false;
        *(uint32_t *)target = (uint32_t)number;
        return true;
    case FLAG:
        *(bool *)target = take(scan, "true");
        return *(bool *)target || take(scan, "false");
    default:
        return take_process(scan, target);
    }
}

/* An object or an array, by its brackets alone. */
static bool skip_value(struct scan *scan)
{
    unsigned depth = 0;
    bool quoted = false;
    if (*scan->at != '{' && *scan->at != '[')
        return false;
    do {
        char byte = *scan->at++;
        if (!byte || (quoted && byte == '\\' && !*scan->at++))
            return false;
        if (byte == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (unsigned)(byte == '{' || byte == '[') - (byte == '}' || byte == ']');
    } while (depth > 0);
    return true;
}

static bool skip_rest(struct scan *scan)
{
    static const char keys[][12] = {"annotations", "poststart", "poststop"};
    bool good = true;
    for (size_t i = 0; good && i < sizeof(keys) / sizeof(keys[0]); i++)
        good = !take_key(scan, keys[i]) || skip_value(scan);
    return good;
}

bool record_parse_quickly(struct record *record, const char *id, char *text, size_t length,
                          bool brief)
{
    struct scan scan = {.at = text};
    struct record found = NO_RECORD;
    bool good = take(&scan, "{\"version\":" RECORD_VERSION);
    for (size_t i = 0; good && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (take_key(&scan, parts[i].key))
            good = take_part(&scan, parts[i].kind, (char *)&found + parts[i].offset);
        else
            good = parts[i].optional;
    }
    good = good && (!brief || skip_rest(&scan)) && take(&scan, "}\n") && scan.at == text + length &&
           found.id;
    if (!good)
        return false;
    for (size_t i = 0; i < scan.cut_count; i++)
        *scan.cuts[i] = '\0';
    if (strcmp(found.id, id) != 0) {
        for (size_t i = 0; i < scan.cut_count; i++)
            *scan.cuts[i] = '"';
        return false;
    }
    *record = found;
    return true;
}
