/* Settings of a cgroup, FILE=VALUE: what they need, and writing them; and whose it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/cgroup_parts.h"

/* The files that are given to whoever a cgroup is delegated to, one a line. Linux 4.15. */
#define DELEGATE_FILES "/sys/kernel/cgroup/delegate"

const char *cgroup_cut(const char *setting, char file[64], char controller[64])
{
    size_t length = strcspn(setting, "=");
    snprintf(file, 64, "%.*s", (int)length, setting);
    if (controller)
        snprintf(controller, 64, "%.*s", (int)strcspn(setting, "."), setting);
    return setting + length + 1;
}

bool cgroup_lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (; *list; list += strspn(list, " \n")) {
        size_t next = strcspn(list, " \n");
        if (next == length && memcmp(list, word, length) == 0)
            return true;
        list += next;
    }
    return false;
}

bool cgroup_is_top(int directory)
{
    return faccessat(directory, "cgroup.events", F_OK, 0) < 0;
}

bool cgroup_is_setting(const char *file, size_t length)
{
    size_t controller = strspn(file, "abcdefghijklmnopqrstuvwxyz_");
    if (controller == 0 || controller >= length || file[controller] != '.' || length >= 64 ||
        memchr(file, '/', length) || memchr(file, '\n', length) || memchr(file, '=', length))
        return false;
    return !starts_with(file, "cgroup.") || starts_with(file, "cgroup.max.");
}

int cgroup_check_setting(const char *option, const char *text)
{
    size_t length = strcspn(text, "=");
    if (!text[length])
        return fail_usage("option %s: expected FILE=VALUE, found '%s'", option, text);
    if (cgroup_is_setting(text, length))
        return 0;
    return fail_usage("option %s: '%.*s' is not a %s", option, (int)length, text,
                      starts_with(text, "cgroup.") ? "limit" : "file of a controller");
}

int cgroup_write(int directory, const char *path, const char *file, const char *value)
{
    autotext struct text line = {0};
    text_append_format(&line, "%s\n", value);
    if (line.failed)
        return fail(ENOMEM, "cannot set %s", file);
    step("set %s", file);
    int result = write_value(directory, file, line.data);
    if (result < 0) {
        error_clear();
        fail(-result, "cannot set %s of cgroup %s to '%s'", file, path, value);
        if (result == -ENOENT)
            error_hint("there is no such file");
    }
    return result;
}

int cgroup_set(int directory, const char *path, const struct text_list *settings)
{
    int result = 0;
    char file[64];
    for (size_t i = 0; result == 0 && i < settings->count; i++) {
        const char *value = cgroup_cut(settings->items[i], file, NULL);
        result = cgroup_write(directory, path, file, value);
    }
    return result;
}

/* Has version 1 that controller? "4:memory:/", "3:cpu,cpuacct:/" are lines of it. controller: NULL
 * for any; a named hierarchy, "name=systemd", has none. */
static bool is_old(int process, const char *controller)
{
    autotext struct text lines = {0};
    bool found = read_file(process, "cgroup", 65536, &lines) == 0;
    error_clear();
    if (!found || !lines.data)
        return false;
    found = false;
    for (char *line = lines.data; *line && !found;) {
        char *end = line + strcspn(line, "\n");
        char *list = memchr(line, ':', (size_t)(end - line));
        char *next = *end ? end + 1 : end;
        *end = '\0';
        if (list) {
            list++;
            list[strcspn(list, ":")] = '\0';
            for (char *comma = list; *comma; comma++)
                *comma = *comma == ',' ? ' ' : *comma;
            found =
                controller ? cgroup_lists(list, controller) : *list && !starts_with(list, "name=");
        }
        line = next;
    }
    return found;
}

bool cgroup_has_old(int process)
{
    return is_old(process, NULL);
}

int cgroup_lacks(const struct cgroup *cgroup, int process, const char *setting)
{
    autotext struct text known = {0};
    char file[64];
    char controller[64];
    cgroup_cut(setting, file, controller);
    int result = read_file(cgroup->root, "cgroup.controllers", 4096, &known);
    if (result < 0 || strcmp(controller, "cgroup") == 0 ||
        (known.data && cgroup_lists(known.data, controller)))
        return result;
    return is_old(process, controller) ? CGROUP_LACKS_NEW : CGROUP_LACKS;
}

/* What is missing of them belongs to controllers that are not enabled. */
static int change_owner(int directory, const char *file, uid_t owner, gid_t group)
{
    if (fchownat(directory, file, owner, group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ||
        errno == ENOENT)
        return 0;
    return -errno;
}

int cgroup_delegate(int directory, const char *path, uid_t owner, gid_t group)
{
    autotext struct text files = {0};
    step("delegate the cgroup %s", path);
    if (read_file(AT_FDCWD, DELEGATE_FILES, 4096, &files) < 0) {
        /* No sysfs: these there have always been. */
        error_clear();
        text_append(&files, "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n");
    }
    int result = files.failed ? -ENOMEM : change_owner(directory, "", owner, group);
    for (char *file = files.data; result == 0 && file && *file;) {
        size_t length = strcspn(file, "\n");
        char *next = file + length + (file[length] == '\n');
        file[length] = '\0';
        if (*file && !strchr(file, '/'))
            result = change_owner(directory, file, owner, group);
        file = next;
    }
    return result < 0 ? fail(-result, "cannot delegate cgroup %s", path) : 0;
}
