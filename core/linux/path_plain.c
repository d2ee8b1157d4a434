/* Paths of this process's own root, without symbolic links.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/path.h"
#include "core/linux/sys.h"

bool path_is_plain(const char *path)
{
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 0 || strncmp(path, ".", length) == 0 || strncmp(path, "..", length) == 0)
            return false;
        path += length;
        /* A slash with nothing behind it. */
        if (*path == '/' && !*++path)
            return false;
    }
    return true;
}

/* Component by component, where openat2(2) is missing or filtered. Returns a descriptor, or -1 with
 * errno. */
static int walk(const char *path)
{
    char component[NAME_MAX + 1];
    autoclose int at = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (at >= 0) {
        struct stat status;
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            return take_fd(&at);
        if (length > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(component, path, length);
        component[length] = '\0';
        path += length;
        autoclose int next = openat(at, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 || fstat(next, &status) < 0)
            return -1;
        if (S_ISLNK(status.st_mode)) {
            errno = ELOOP;
            return -1;
        }
        close_fd(&at);
        at = take_fd(&next);
    }
    return -1;
}

int path_open_plain(const char *path, bool follow)
{
    const struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = follow ? 0 : RESOLVE_NO_SYMLINKS,
    };
    int fd = sys_openat2(AT_FDCWD, path, &how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = follow ? open(path, O_PATH | O_CLOEXEC) : walk(path);
    if (fd >= 0)
        return fd;
    int result = fail(errno, "cannot open %s", path);
    if (errno == ELOOP && !follow)
        error_hint("a component is a symbolic link; --follow allows that");
    return result;
}
