/* Chaining: descriptors on their way from link to link.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"

static const char variable[] = "SHIMBOX_FDS";

/* Lower-case letters, digits and dashes, a letter first. */
static bool is_name(const char *name, size_t length)
{
    if (length == 0 || length >= sizeof(((struct chain_descriptor *)NULL)->name))
        return false;
    for (size_t i = 0; i < length; i++) {
        bool letter = name[i] >= 'a' && name[i] <= 'z';
        bool other = (name[i] >= '0' && name[i] <= '9') || name[i] == '-';
        if (!letter && (i == 0 || !other))
            return false;
    }
    return true;
}

static struct chain_descriptor *find(struct chain *chain, const char *name)
{
    for (size_t i = 0; i < chain->count; i++)
        if (strcmp(chain->descriptors[i].name, name) == 0)
            return &chain->descriptors[i];
    return NULL;
}

int chain_put(struct chain *chain, const char *name, int fd)
{
    autoclose int owned = fd;
    if (fd < 0)
        return fail(EBADF, "cannot hand on the descriptor '%s'", name);
    if (!is_name(name, strlen(name)))
        return fail(EINVAL, "cannot hand on the descriptor '%s'", name);
    struct chain_descriptor *entry = find(chain, name);
    if (entry) {
        if (entry->fd != fd)
            close_fd(&entry->fd);
    } else {
        if (chain->count == CHAIN_DESCRIPTORS_MAX)
            return fail(EMFILE, "cannot hand on the descriptor '%s'", name);
        entry = &chain->descriptors[chain->count++];
        memcpy(entry->name, name, strlen(name) + 1);
    }
    entry->fd = take_fd(&owned);
    entry->used = false;
    return 0;
}

int chain_take(struct chain *chain, const char *name)
{
    struct chain_descriptor *entry = find(chain, name);
    if (!entry)
        return -1;
    int fd = entry->fd;
    *entry = chain->descriptors[--chain->count];
    return fd;
}

int chain_use(struct chain *chain, const char *name)
{
    struct chain_descriptor *entry = find(chain, name);
    if (!entry)
        return -1;
    entry->used = true;
    return entry->fd;
}

void chain_close(struct chain *chain)
{
    while (chain->count > 0)
        close_fd(&chain->descriptors[--chain->count].fd);
}

/* One "name:3". Descriptors are owned by the chain only when all of the variable is right, so that
 * a wrong one closes nothing that belongs to somebody else. */
static int inherit_one(struct chain *chain, const char *item, size_t length)
{
    size_t name = strcspn(item, ":,");
    char digits[12] = "";
    uint32_t fd;
    if (name < length && length - name - 1 < sizeof(digits))
        memcpy(digits, item + name + 1, length - name - 1);
    if (!is_name(item, name) || parse_u32(digits, INT_MAX, &fd) < 0)
        return fail_usage("%s: '%.*s' is not NAME:DESCRIPTOR", variable,
                          (int)(length < 64 ? length : 64), item);
    int flags = fd > 2 ? fcntl((int)fd, F_GETFD) : -1;
    if (flags < 0)
        return fail_usage("%s: descriptor %u (%.*s) is not open", variable, fd, (int)name, item);
    if (chain->count == CHAIN_DESCRIPTORS_MAX)
        return fail_usage("%s: more than %d descriptors", variable, CHAIN_DESCRIPTORS_MAX);
    for (size_t i = 0; i < chain->count; i++)
        if (chain->descriptors[i].fd == (int)fd ||
            (memcmp(chain->descriptors[i].name, item, name) == 0 &&
             !chain->descriptors[i].name[name]))
            return fail_usage("%s: '%.*s' is given twice", variable, (int)length, item);
    struct chain_descriptor *entry = &chain->descriptors[chain->count++];
    memcpy(entry->name, item, name);
    entry->name[name] = '\0';
    entry->fd = (int)fd;
    return 0;
}

int chain_inherit(struct chain *chain)
{
    struct chain found = {0};
    const char *item = getenv(variable);
    if (!item)
        return 0;
    for (;;) {
        size_t length = strcspn(item, ",");
        int result = inherit_one(&found, item, length);
        if (result < 0)
            return result;
        if (!item[length])
            break;
        item += length + 1;
    }
    unsetenv(variable);
    for (size_t i = 0; i < found.count; i++)
        if (fcntl(found.descriptors[i].fd, F_SETFD, FD_CLOEXEC) < 0)
            return fail(errno, "cannot take over the descriptor %d", found.descriptors[i].fd);
    *chain = found;
    return 0;
}

int chain_export(const struct chain *chain)
{
    autotext struct text text = {0};
    if (chain->count == 0)
        return 0;
    for (size_t i = 0; i < chain->count; i++) {
        const struct chain_descriptor *entry = &chain->descriptors[i];
        if (entry->used)
            continue; /* close-on-exec */
        text_append_format(&text, "%s%s:%d", text.length > 0 ? "," : "", entry->name, entry->fd);
        if (fcntl(entry->fd, F_SETFD, 0) < 0)
            return fail(errno, "cannot hand on the descriptor '%s'", entry->name);
    }
    if (text.length > 0 && (text.failed || setenv(variable, text.data, 1) < 0))
        return fail(ENOMEM, "cannot set %s", variable);
    return 0;
}
