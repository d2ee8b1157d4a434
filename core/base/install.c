/* --install: a link for each applet.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/usage.h"

/* The absolute path of this binary's file, NUL-terminated. Without /proc, as it was executed. */
static int find_self(char *path, size_t size)
{
    struct stat file;
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length >= 0) {
        path[length] = '\0';
    } else {
        const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
        if (!name || name[0] != '/' || strlen(name) >= size) {
            int result = fail(ENOENT, "cannot find the file of this binary");
            error_hint("without /proc, call it by its absolute path");
            return result;
        }
        memcpy(path, name, strlen(name) + 1);
    }
    /* "/bin/shimbox (deleted)", or outside of our root. */
    if (path[0] != '/' || stat(path, &file) < 0)
        return fail(ENOENT, "cannot link to this binary's file %s", path);
    return 0;
}

/* Is the file with this absolute path in that very directory? */
static bool is_inside(int directory, const char *path, const char *base)
{
    char parent[PATH_MAX];
    struct stat here, there;
    size_t length = (size_t)(base - path);
    memcpy(parent, path, length);
    parent[length] = '\0';
    return fstat(directory, &here) == 0 && stat(parent, &there) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int install_link(int directory, const char *shown, const char *target, const char *name)
{
    char old[PATH_MAX];
    if (symlinkat(target, directory, name) == 0)
        return 0;
    int number = errno;
    ssize_t length = number == EEXIST ? readlinkat(directory, name, old, sizeof(old)) : -1;
    if (length == (ssize_t)strlen(target) && memcmp(old, target, (size_t)length) == 0)
        return 0;
    return fail(number, "cannot create %s/%s", shown, name);
}

int usage_install(const char *directory)
{
    char path[PATH_MAX];
    const struct applet *applet;
    int code = EXIT_YES;
    autoclose int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fail(errno, "cannot install into %s", directory);
        return report_error(EXIT_TROUBLE);
    }
    if (find_self(path, sizeof(path)) < 0)
        return report_error(EXIT_TROUBLE);
    const char *base = strrchr(path, '/') + 1;
    const char *target = is_inside(fd, path, base) ? base : path;
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        if (applet->flags & APPLET_SUBCOMMAND)
            continue;
        if (install_link(fd, directory, target, applet->name) < 0) {
            code = report_error(EXIT_TROUBLE);
            error_clear();
        }
    }
    return code;
}
