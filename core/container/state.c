/* What is on disk about containers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"

/* Make the directory of all states. One that exists must be ours alone: whoever can write to it
 * could put their own directories under the names of containers. */
static int open_root(const char *root)
{
    if (mkdir(root, 0711) < 0 && errno != EEXIST)
        return fail(errno, "cannot create %s for the state of containers", root);
    autoclose int fd = open(root, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(errno, "cannot open %s for the state of containers", root);
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH))) {
        int result = fail(EPERM, "cannot keep the state of containers in %s", root);
        error_hint("it must belong to uid %u, and nobody else may write to it", geteuid());
        return result;
    }
    return take_fd(&fd);
}

/* Is fd still the directory that is called so? Its last owner may have removed it. */
static bool is_current(int root, const char *id, int fd)
{
    struct stat opened;
    struct stat named;
    return fstat(fd, &opened) == 0 && fstatat(root, id, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* One attempt. Returns a descriptor, -EAGAIN (not recorded) when somebody has removed the directory
 * meanwhile, or another negative errno (recorded). */
static int claim_directory(int root, const char *id)
{
    autoclose int fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return -EAGAIN;
    if (fd < 0)
        return fail(errno, "cannot open the state of container %s", id);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return fail(errno, "cannot lock the state of container %s", id);
        return fail(EEXIST, "container ID %s is in use", id);
    }
    return is_current(root, id, fd) ? take_fd(&fd) : -EAGAIN;
}

static int claim(int root, const char *id)
{
    for (;;) {
        bool made = mkdirat(root, id, 0700) == 0;
        if (!made && errno != EEXIST)
            return fail(errno, "cannot create the state of container %s", id);
        int result = claim_directory(root, id);
        if (result == -EAGAIN && !error_is_set())
            continue;
        /* Whoever has taken it meanwhile finds that it is not the current one any more. */
        if (result < 0 && result != -EEXIST && made)
            unlinkat(root, id, AT_REMOVEDIR);
        return result;
    }
}

/* Without XDG_RUNTIME_DIR (after su, in a bare container) a directory of the user's own in /tmp has
 * to do; open_root() sees to it that it is. */
static int default_root(char **path)
{
    const char *runtime = geteuid() != 0 ? getenv("XDG_RUNTIME_DIR") : "/run";
    int length;
    if (runtime && runtime[0] == '/')
        length = asprintf(path, "%s/shimbox", runtime);
    else
        length = asprintf(path, "/tmp/shimbox-%u", geteuid());
    return length < 0 ? fail(ENOMEM, "cannot claim an ID") : 0;
}

static int claim_by_name(struct state *state, const char *root, const char *id)
{
    autofree char *standard = NULL;
    int result = root ? 0 : default_root(&standard);
    if (result < 0)
        return result;
    root = root ? root : standard;
    step("claim container ID %s in %s", id, root);
    autoclose int directory = open_root(root);
    if (directory < 0)
        return directory;
    state->fd = claim(directory, id);
    if (state->fd < 0)
        return state->fd;
    /* Absolute by the kernel's word, since the working directory changes. */
    char link[32];
    char path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", state->fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    int number = length < 0 ? errno : ENOMEM;
    if (length > 0) {
        path[length] = '\0';
        if (asprintf(&state->path, "%s", path) >= 0)
            return 0;
        state->path = NULL;
    }
    unlinkat(directory, id, AT_REMOVEDIR);
    close_fd(&state->fd);
    return fail(number, "cannot claim container ID %s", id);
}

int state_claim(struct state *state, const char *root, const char *id)
{
    *state = NO_STATE;
    int result = claim_by_name(state, root, id);
    if (result < 0)
        error_step("claim ID");
    return result;
}

void state_release(struct state *state)
{
    if (state->path) {
        step("release the container ID");
        rmdir(state->path);
    }
    free_pointer(&state->path);
    close_fd(&state->fd);
}
