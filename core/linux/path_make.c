/* Creating paths inside a container's root.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each component is created relative to a descriptor of its parent, and opened again without
 * following links: between the two, somebody with access to the directory may have replaced it.
 */
#include "core/linux/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/own.h"

#define LINKS_MAX 10

static int make(int root, const char *path, mode_t type, int links);

/* What a dangling link points to is made instead: containers' images have /var/run -> /run. */
static int make_link_target(int root, int parent, const char *parent_path, const char *name,
                            mode_t type, int links)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(parent, name, target, sizeof(target) - 1);
    if (length < 0)
        return fail(errno, "cannot create %s/%s", parent_path, name);
    target[length] = '\0';
    if (links >= LINKS_MAX)
        return fail(ELOOP, "cannot create %s/%s", parent_path, name);
    if (target[0] == '/')
        return make(root, target, type, links + 1);
    char joined[PATH_MAX];
    if (snprintf(joined, sizeof(joined), "%s/%s", parent_path, target) >= (int)sizeof(joined))
        return fail(ENAMETOOLONG, "cannot create %s/%s", parent_path, name);
    return make(root, joined, type, links + 1);
}

/* Create one component below parent and open it. */
static int make_component(int root, int parent, const char *parent_path, const char *name,
                          mode_t type, int links)
{
    int created;
    if (type == S_IFDIR)
        created = mkdirat(parent, name, 0755);
    else
        created = mknodat(parent, name, S_IFREG | 0644, 0);
    if (created < 0 && errno == EEXIST)
        return make_link_target(root, parent, parent_path, name, type, links);
    if (created < 0)
        return fail(errno, "cannot create %s/%s", parent_path, name);
    int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(errno, "cannot open %s/%s", parent_path, name);
    struct stat status;
    if (fstat(fd, &status) < 0) {
        int number = errno;
        close(fd);
        return fail(number, "cannot examine %s/%s", parent_path, name);
    }
    if ((status.st_mode & S_IFMT) != type) {
        close(fd);
        return fail(EAGAIN, "%s/%s was replaced while it was made", parent_path, name);
    }
    return fd;
}

/* Open path, or create it; for a path that is known not to be there, its parent is made first. */
static int make(int root, const char *path, mode_t type, int links)
{
    int fd = path_look_in_root(root, path, O_PATH);
    if (fd != -ENOENT)
        return fd;
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
        return fail(ENAMETOOLONG, "cannot create %s", path);
    size_t length = strlen(copy);
    while (length > 0 && copy[length - 1] == '/')
        copy[--length] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    const char *parent_path = slash ? copy : "";
    if (slash)
        *slash = '\0';
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail(ENOENT, "cannot create %s", path);
    autoclose int parent = make(root, *parent_path ? parent_path : "/", S_IFDIR, links);
    if (parent < 0)
        return parent;
    return make_component(root, parent, parent_path, name, type, links);
}

int path_make_in_root(int root, const char *path, mode_t type)
{
    autoclose int fd = make(root, path, type, 0);
    if (fd < 0)
        return fd;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail(errno, "cannot examine %s", path);
    if (type == S_IFDIR && !S_ISDIR(status.st_mode))
        return fail(ENOTDIR, "cannot use %s as a directory", path);
    if (type != S_IFDIR && S_ISDIR(status.st_mode))
        return fail(EISDIR, "cannot use %s as a file", path);
    return take_fd(&fd);
}

int path_make_parent_in_root(int root, const char *path, const char **name)
{
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (**name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
        return fail(EINVAL, "%s does not end in a name", path);
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof(copy))
        return fail(ENAMETOOLONG, "cannot create %s", path);
    memcpy(copy, path, length);
    copy[length] = '\0';
    return path_make_in_root(root, length ? copy : "/", S_IFDIR);
}
