/* What is on disk about containers: their directories.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/lifecycle.h"
#include "core/linux/rootless.h"

#define ENTRIES_MAX (1U << 20)
/* Milliseconds: who only asks whether a new directory is locked (state_is_locked()) has it locked
 * for a moment. */
#define GLANCE_MS 5

const char *state_id(const struct state *state)
{
    return strrchr(state->path, '/') + 1;
}

int state_check_id(const char *id)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-";
    bool good = *id && strlen(id) <= 255 && strchr(first, *id);
    for (const char *at = id; good && *at; at++)
        good = strchr(first, *at) || *at == '.';
    if (good)
        return 0;
    int result = fail_usage("container ID '%s' is not allowed", id);
    error_hint("letters, digits and _+-. are, not starting with a dot");
    return result;
}

/* $XDG_RUNTIME_DIR for an ordinary user, whose engine calls as root of the user's own namespace,
 * too: there /run is still the machine's. It stays /run where USER is root, for then the variable
 * has come along into a container. runc has the same rule, and engines rely on it. May return NULL.
 */
static const char *find_runtime_directory(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (geteuid() != 0)
        return runtime;
    const char *user = getenv("USER");
    struct stat namespace;
    if (!runtime || runtime[0] != '/' || (user && strcmp(user, "root") == 0) ||
        stat("/proc/self/ns/user", &namespace) < 0 || namespace.st_ino == INITIAL_USER_NAMESPACE)
        return "/run";
    return runtime;
}

/* Without XDG_RUNTIME_DIR (after su, in a bare container) a directory of the user's own in /tmp has
 * to do; open_root() sees to it that it is. */
static int name_root(const char *root, char **path)
{
    const char *runtime = find_runtime_directory();
    int length;
    if (root)
        length = asprintf(path, "%s", root);
    else if (runtime && runtime[0] == '/')
        length = asprintf(path, "%s/shimbox", runtime);
    else
        length = asprintf(path, "/tmp/shimbox-%u", geteuid());
    return length < 0 ? fail(ENOMEM, "cannot find the state of containers") : 0;
}

/* The directory of all states, made if wished for. One that exists must be ours alone: whoever can
 * write to it could put their own directories under the names of containers. -ENOENT is recorded
 * only where it was to be made. */
static int open_root(const char *root, bool make)
{
    if (make && mkdir(root, 0711) < 0 && errno != EEXIST)
        return fail(errno, "cannot create %s for the state of containers", root);
    autoclose int fd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 && errno == ENOENT && !make)
        return -ENOENT;
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(errno, "cannot open %s for the state of containers", root);
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH))) {
        int result = fail(EPERM, "cannot keep the state of containers in %s", root);
        error_hint("it must belong to uid %u, and nobody else may write to it", geteuid());
        return result;
    }
    return take_fd(&fd);
}

/* Is fd still the directory that is called so? Its last owner may have removed it. Returns 1, 0, or
 * a negative errno (recorded). */
static int is_current(int directory, const char *name, int fd)
{
    struct stat opened;
    struct stat named;
    if (fstat(fd, &opened) < 0)
        return fail(errno, "cannot examine %s", name);
    if (fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : fail(errno, "cannot examine %s", name);
    return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Absolute by the kernel's word, since the working directory changes. */
static int find_path(int fd, char **path)
{
    char link[32];
    char found[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, found, sizeof(found) - 1);
    if (length < 0)
        return fail(errno, "cannot find out where the state of a container is");
    found[length] = '\0';
    *path = strdup(found);
    return *path ? 0 : fail(ENOMEM, "cannot open the state of a container");
}

/* base: the path of the root, NULL: not known. */
static int open_entry(struct state *state, int root, const char *base, const char *id)
{
    state->fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (state->fd < 0)
        return errno == ENOENT ? -ENOENT : fail(errno, "cannot open the state of container %s", id);
    int result = 0;
    if (!base) {
        result = find_path(state->fd, &state->path);
    } else if (asprintf(&state->path, "%s/%s", base, id) < 0) {
        state->path = NULL;
        result = fail(ENOMEM, "cannot open the state of a container");
    }
    if (result < 0)
        close_fd(&state->fd);
    return result;
}

/* There is no flock(2) with a time limit. */
static int wait_for_lock(int fd, unsigned milliseconds)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 5) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (waited >= milliseconds)
            return -EBUSY;
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* One attempt. Returns 0, -EAGAIN (not recorded) when somebody has removed the directory meanwhile,
 * or another negative errno (recorded). */
static int claim_entry(struct state *state, int root, const char *id)
{
    bool made = mkdirat(root, id, 0700) == 0;
    if (!made && errno != EEXIST)
        return fail(errno, "cannot create the state of container %s", id);
    int result = open_entry(state, root, NULL, id);
    if (result == -ENOENT)
        return -EAGAIN;
    int locked = result < 0 ? 0 : wait_for_lock(state->fd, GLANCE_MS);
    if (locked < 0) {
        state_release(state);
        /* Whoever has taken a new directory meanwhile keeps it. */
        if (locked == -EBUSY)
            return fail_state(EEXIST, "container ID %s is in use", id);
        result = fail(-locked, "cannot lock the state of container %s", id);
    }
    int current = result < 0 ? result : is_current(root, id, state->fd);
    if (current == 0) {
        state_release(state);
        return -EAGAIN;
    }
    if (current > 0) {
        state->locked = true;
        result = made ? 0 : lifecycle_sweep(state);
        state->claimed = result == 0;
    } else {
        result = current;
    }
    /* Whoever has taken it meanwhile finds that it is not the current one any more. */
    if (result < 0 && made)
        unlinkat(root, id, AT_REMOVEDIR);
    return result;
}

static int claim(struct state *state, const char *root, const char *id)
{
    autofree char *name = NULL;
    int result = name_root(root, &name);
    if (result < 0)
        return result;
    step("claim container ID %s in %s", id, name);
    autoclose int directory = open_root(name, true);
    if (directory < 0)
        return directory;
    do {
        result = claim_entry(state, directory, id);
    } while (result == -EAGAIN && !error_is_set());
    return result;
}

int state_claim(struct state *state, const char *root, const char *id)
{
    *state = NO_STATE;
    int result = claim(state, root, id);
    if (result < 0) {
        error_step("claim ID");
        state_release(state);
    }
    return result;
}

int state_open(struct state *state, const char *root, const char *id)
{
    *state = NO_STATE;
    autofree char *name = NULL;
    int result = state_check_id(id);
    if (result == 0)
        result = name_root(root, &name);
    if (result < 0)
        return result;
    autoclose int directory = open_root(name, false);
    result = directory < 0 ? directory : open_entry(state, directory, NULL, id);
    return result == -ENOENT && !error_is_set()
               ? fail_state(ENOENT, "%s: container does not exist", id)
               : result;
}

int state_lock(struct state *state, unsigned milliseconds)
{
    const char *id = state_id(state);
    step("lock the state");
    int result = wait_for_lock(state->fd, milliseconds);
    if (result == -EBUSY)
        return fail_state(EBUSY, "%s: another process is at work on this container", id);
    if (result < 0)
        return fail(-result, "cannot lock the state of container %s", id);
    state->locked = true;
    result = is_current(AT_FDCWD, state->path, state->fd);
    if (result > 0)
        return 0;
    state_unlock(state);
    return result < 0 ? result : fail_state(ENOENT, "%s: container does not exist", id);
}

void state_unlock(struct state *state)
{
    if (state->locked)
        flock(state->fd, LOCK_UN);
    state->locked = false;
}

bool state_is_gone(const struct state *state)
{
    struct error record = error_set_aside();
    int current = is_current(AT_FDCWD, state->path, state->fd);
    error_put_back(&record);
    return current == 0;
}

/* By another descriptor: locks belong to open files, and this may have been locked by our own. */
int state_is_locked(const struct state *state)
{
    autoclose int fd = open(state->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(errno, "cannot open %s", state->path);
    if (flock(fd, LOCK_SH | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? 1 : fail(errno, "cannot lock %s", state->path);
}

int state_clear(struct state *state)
{
    int copy = openat(state->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int result = fail(errno, "cannot read %s", state->path);
        close_fd(&copy);
        return result;
    }
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (errno = 0, entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(state->fd, entry->d_name, 0) < 0 && errno != ENOENT)
            result = fail(errno, "cannot remove %s/%s", state->path, entry->d_name);
    }
    if (result == 0 && errno)
        result = fail(errno, "cannot read %s", state->path);
    closedir(directory);
    return result;
}

int state_remove(struct state *state)
{
    step("remove the state");
    int result = state_clear(state);
    if (result == 0 && rmdir(state->path) < 0 && errno != ENOENT)
        result = fail(errno, "cannot remove %s", state->path);
    return result;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_names(struct state_root *all)
{
    const char *next = all->text.data;
    all->names = calloc(all->count + 1, sizeof(*all->names));
    if (all->text.failed || !all->names)
        return fail(ENOMEM, "cannot list containers");
    for (size_t i = 0; i < all->count; i++) {
        all->names[i] = next;
        next += strlen(next) + 1;
    }
    if (all->count > 0)
        qsort(all->names, all->count, sizeof(*all->names), compare_names);
    return 0;
}

static int read_names(struct state_root *all, bool hidden)
{
    int copy = openat(all->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int result = fail(errno, "cannot list containers");
        close_fd(&copy);
        return result;
    }
    struct dirent *entry;
    while (all->count < ENTRIES_MAX && (errno = 0, entry = readdir(directory))) {
        const char *name = entry->d_name;
        bool folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
        bool self = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        if (!folder || self || (name[0] == '.') != hidden)
            continue;
        text_append_bytes(&all->text, name, strlen(name) + 1);
        all->count++;
    }
    int number = all->count < ENTRIES_MAX ? errno : ENOMEM;
    closedir(directory);
    return number ? fail(number, "cannot list containers") : sort_names(all);
}

int state_open_root(struct state_root *all, const char *root, bool hidden)
{
    autofree char *name = NULL;
    *all = NO_STATE_ROOT;
    int result = name_root(root, &name);
    if (result < 0)
        return result;
    int fd = open_root(name, false);
    if (fd < 0)
        return fd == -ENOENT && !error_is_set() ? 0 : fd;
    all->fd = fd;
    result = find_path(fd, &all->path);
    return result < 0 ? result : read_names(all, hidden);
}

int state_open_below(struct state *state, const struct state_root *all, const char *name)
{
    return open_entry(state, all->fd, all->path, name);
}

void state_close_root(struct state_root *all)
{
    text_free(&all->text);
    free(all->names);
    free(all->path);
    close_fd(&all->fd);
    *all = NO_STATE_ROOT;
}

void state_release(struct state *state)
{
    if (state->path && state->claimed) {
        step("release the container ID");
        rmdir(state->path);
    }
    free_pointer(&state->path);
    close_fd(&state->fd);
    state->locked = state->claimed = false;
}
