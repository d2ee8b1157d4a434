/* Kernel modules. finit_module(2), modules.dep(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/kernel_command.h"
#include "core/linux/sys.h"

/* Longer than any path of a module. */
#define PATH_BYTES 512

struct modules {
    char folder[128];         /* "/lib/modules/6.1.0" */
    struct text dependencies; /* modules.dep, read when it is wanted first */
};

static int load_file(const char *path)
{
    bool compressed = !ends_with(path, ".ko");
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(errno, "cannot open module %s", path);
    step("load %s", path);
    if (sys_finit_module(fd, "", compressed ? MODULE_INIT_COMPRESSED_FILE : 0) == 0 ||
        errno == EEXIST)
        return 0;
    int number = errno;
    int result = fail(number, "cannot load module %s", path);
    if (number == ENOENT)
        error_hint("it needs another one, which goes before it; see the kernel's messages");
    else if (number == ENOEXEC)
        error_hint("it is of another kernel, or none");
    else if (compressed)
        error_hint("this kernel may not be able to uncompress modules");
    return result;
}

/* Of a path's last component, up to ".ko". */
static bool has_name(const char *path, size_t length, const char *name)
{
    char found[PATH_BYTES];
    if (length >= sizeof(found))
        return false;
    memcpy(found, path, length);
    found[length] = '\0';
    char *slash = strrchr(found, '/');
    char *base = slash ? slash + 1 : found;
    char *suffix = strstr(base, ".ko");
    if (suffix)
        *suffix = '\0';
    return kernel_command_same(base, name);
}

/* The line of modules.dep or modules.builtin about it, NULL without. */
static const char *find_line(const char *text, const char *name)
{
    for (const char *line = text; line && *line;) {
        if (has_name(line, strcspn(line, ":\n"), name))
            return line;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return NULL;
}

/* Part of the kernel, as the folder of modules or the kernel itself says. */
static bool is_built_in(const struct modules *modules, const char *name)
{
    char path[PATH_BYTES];
    autotext struct text names = {0};
    snprintf(path, sizeof(path), "/sys/module/%s", name);
    for (char *at = path; (at = strchr(at, '-'));)
        *at = '_';
    if (access(path, F_OK) == 0)
        return true;
    snprintf(path, sizeof(path), "%s/modules.builtin", modules->folder);
    bool found = read_file(AT_FDCWD, path, 1 << 20, &names) == 0 && find_line(names.data, name);
    error_clear();
    return found;
}

/* "a.ko: b.ko c.ko": c, then b, then a. */
static int load_line(const struct modules *modules, const char *line)
{
    char path[PATH_BYTES];
    for (const char *end = line + strcspn(line, "\n"); end > line;) {
        const char *begin = end;
        while (begin > line && begin[-1] != ' ')
            begin--;
        int length = (int)(end - begin) - (end[-1] == ':');
        if (length > 0) {
            bool absolute = *begin == '/';
            snprintf(path, sizeof(path), "%s%s%.*s", absolute ? "" : modules->folder,
                     absolute ? "" : "/", length, begin);
            int result = load_file(path);
            if (result < 0)
                return result;
        }
        end = begin > line ? begin - 1 : line;
    }
    return 0;
}

static int load_name(struct modules *modules, const char *name)
{
    char path[PATH_BYTES];
    if (!modules->dependencies.data) {
        snprintf(path, sizeof(path), "%s/modules.dep", modules->folder);
        int result = is_built_in(modules, name)
                         ? 0
                         : read_file(AT_FDCWD, path, 16 << 20, &modules->dependencies);
        if (result < 0) {
            error_context("cannot find module %s", name);
            return result;
        }
    }
    const char *line = find_line(modules->dependencies.data, name);
    if (line)
        return load_line(modules, line);
    return is_built_in(modules, name)
               ? 0
               : fail(ENOENT, "cannot find module %s in %s/modules.dep", name, modules->folder);
}

int boot_load_modules(const char *names)
{
    struct utsname system;
    struct modules modules = {0};
    autofree char *copy = strdup(names);
    int result = 0;
    if (!copy || uname(&system) < 0)
        return fail(ENOMEM, "cannot load modules");
    snprintf(modules.folder, sizeof(modules.folder), "/lib/modules/%s", system.release);
    for (char *rest = copy, *name; result == 0 && (name = strsep(&rest, ","));)
        if (*name)
            result = strchr(name, '/') ? load_file(name) : load_name(&modules, name);
    text_free(&modules.dependencies);
    return result;
}
