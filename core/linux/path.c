/* Paths inside a root that is not trusted.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/sys.h"

/* As many links as the kernel follows in one path (MAXSYMLINKS). */
#define LINKS_MAX 40

#define TRIES_MAX 1000

/* How deep below the root a walk can get: a path of PATH_MAX bytes has no more components. */
#define DEPTH_MAX 256

/* A walk under way. Every directory from the root down stays open, so that ".." goes back to where
 * the walk came from, even if somebody moves directories meanwhile. */
struct walk {
    int directories[DEPTH_MAX];
    size_t depth; /* of the current one; directories[0] is the root and belongs to the caller */
    unsigned links;
    char rest[2 * PATH_MAX]; /* what is still to be walked */
};

static void leave(struct walk *walk)
{
    if (walk->depth > 0)
        close_fd(&walk->directories[walk->depth--]);
}

/* Cut the first component off. last: nothing comes after it, not even a slash. Returns its length,
 * 0 at the end. */
static size_t take_component(struct walk *walk, char component[NAME_MAX + 1], bool *last)
{
    size_t start = strspn(walk->rest, "/");
    size_t length = strcspn(walk->rest + start, "/");

    if (length > NAME_MAX)
        return length;
    memcpy(component, walk->rest + start, length);
    component[length] = '\0';
    *last = walk->rest[start + length] == '\0';
    memmove(walk->rest, walk->rest + start + length, strlen(walk->rest + start + length) + 1);
    return length;
}

/* Put what the link says in front of the rest. */
static int follow(struct walk *walk, int link)
{
    char target[PATH_MAX];
    struct statfs system;
    ssize_t length;

    if (++walk->links > LINKS_MAX)
        return -ELOOP;
    /* What readlink says of a link of procfs is not where it leads. */
    if (fstatfs(link, &system) < 0)
        return -errno;
    if (system.f_type == PROC_SUPER_MAGIC)
        return -ELOOP;
    length = readlinkat(link, "", target, sizeof(target));
    if (length < 0)
        return -errno;
    if (length == 0)
        return -ENOENT;
    if ((size_t)length == sizeof(target) ||
        (size_t)length + strlen(walk->rest) + 1 > sizeof(walk->rest))
        return -ENAMETOOLONG;
    memmove(walk->rest + length, walk->rest, strlen(walk->rest) + 1);
    memcpy(walk->rest, target, (size_t)length);
    if (target[0] == '/') {
        while (walk->depth > 0)
            leave(walk);
    }
    return 0;
}

/* Open what stands under that name in the current directory as asked for. */
static int open_last(struct walk *walk, int found, const char *component, int flags)
{
    int directory = walk->directories[walk->depth];
    autoclose int fd = openat(directory, component, flags | O_NOFOLLOW | O_CLOEXEC);
    struct stat before;
    struct stat after;

    if (fd < 0)
        return -errno;
    if (fstat(found, &before) < 0 || fstat(fd, &after) < 0)
        return -errno;
    /* Exchanged since it was looked at. */
    if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
        return -EAGAIN;
    return take_fd(&fd);
}

/* One component. Returns a descriptor when it was the last one, -EINPROGRESS to go on, or another
 * negative errno. */
static int walk_component(struct walk *walk, const char *component, bool last, int flags)
{
    struct stat status;

    if (strcmp(component, ".") == 0)
        return -EINPROGRESS;
    if (strcmp(component, "..") == 0) {
        leave(walk);
        return -EINPROGRESS;
    }

    autoclose int found =
        openat(walk->directories[walk->depth], component, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (found < 0 || fstat(found, &status) < 0)
        return -errno;
    if (S_ISLNK(status.st_mode) && !(last && (flags & O_NOFOLLOW))) {
        int result = follow(walk, found);

        return result < 0 ? result : -EINPROGRESS;
    }
    if (last)
        return open_last(walk, found, component, flags);
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    if (walk->depth + 1 == DEPTH_MAX)
        return -ENAMETOOLONG;
    walk->directories[++walk->depth] = take_fd(&found);
    return -EINPROGRESS;
}

static int walk_all(struct walk *walk, int flags)
{
    char component[NAME_MAX + 1];
    bool last;

    for (;;) {
        size_t length = take_component(walk, component, &last);

        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        if (length == 0) {
            /* The path ended with "/", "." or "..", or is the root itself. */
            int fd = openat(walk->directories[walk->depth], ".", flags | O_CLOEXEC);

            return fd < 0 ? -errno : fd;
        }

        int result = walk_component(walk, component, last, flags);

        if (result != -EINPROGRESS)
            return result;
    }
}

int path_walk_in_root(int root, const char *path, int flags)
{
    struct walk walk = {.directories = {root}};
    int result = -ENAMETOOLONG;

    if (!*path)
        return fail(ENOENT, "cannot open an empty path");
    if (strlen(path) < PATH_MAX) {
        memcpy(walk.rest, path, strlen(path) + 1);
        result = walk_all(&walk, flags);
    }
    while (walk.depth > 0)
        leave(&walk);
    if (result < 0)
        return fail(-result, "cannot open %s inside the root", path);
    return result;
}

int path_look_in_root(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd;
    int tries = 0;

    /* EAGAIN: something was renamed or mounted meanwhile, so that ".." could not be trusted.
     * Whoever does that all the time gets a failure, not an endless loop. */
    do
        fd = sys_openat2(root, path, &how);
    while (fd < 0 && errno == EAGAIN && ++tries < TRIES_MAX);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        return -ENOENT;
    if (errno != ENOSYS && errno != EPERM)
        return fail(errno, "cannot open %s inside the root", path);
    fd = path_walk_in_root(root, path, flags);
    if (fd == -ENOENT)
        error_clear();
    return fd;
}

int path_open_in_root(int root, const char *path, int flags)
{
    int fd = path_look_in_root(root, path, flags);

    return fd == -ENOENT ? fail(ENOENT, "cannot open %s inside the root", path) : fd;
}
