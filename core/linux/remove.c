/* Removing a directory with all that is in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/own.h"
#include "core/base/text.h"

/* Directories that are on their way out have this name in the topmost one, and a number. */
#define HEAP ".removed-"

/* Directories come to the top, so that no chain of them is too deep or its path too long. *moved
 * counts them. Returns 0 or a negative errno. */
static int move_up(int top, int directory, const char *name, unsigned long *moved)
{
    char heap[32];
    for (;;) {
        snprintf(heap, sizeof(heap), HEAP "%lu", (*moved)++);
        /* To move a directory takes the right to write to it, and to read it comes next. */
        fchmodat(directory, name, 0700, 0);
        if (renameat(directory, name, top, heap) == 0)
            return 0;
        /* Somebody else has had the idea of such a name. */
        if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
            return -errno;
    }
}

/* Is it one that the next round looks into? Others of such a name are of whoever was here before:
 * one that had to give up, or somebody hostile. */
static bool is_on_its_way(const char *name, unsigned long moved)
{
    char heap[32];
    if (!starts_with(name, HEAP))
        return false;
    unsigned long number = strtoul(name + strlen(HEAP), NULL, 10);
    snprintf(heap, sizeof(heap), HEAP "%lu", number);
    return number < moved && strcmp(name, heap) == 0;
}

/* Take everything out of a directory below the topmost one, or that itself. Returns 0 or a negative
 * errno; *again: there is something to be done once more. */
static int empty(int top, int fd, bool is_top, unsigned long *moved, bool *again)
{
    struct dirent *entry;
    DIR *folder = fdopendir(fd);
    int result = 0;
    if (!folder) {
        result = -errno;
        close_fd(&fd);
        return result;
    }
    while (result == 0 && (errno = 0, entry = readdir(folder))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        *again = true;
        if (unlinkat(dirfd(folder), name, 0) == 0 ||
            unlinkat(dirfd(folder), name, AT_REMOVEDIR) == 0)
            continue;
        if (errno != ENOTEMPTY && errno != EEXIST)
            result = -errno;
        else if (!is_top || !is_on_its_way(name, *moved))
            result = move_up(top, dirfd(folder), name, moved);
    }
    if (result == 0 && errno)
        result = -errno;
    closedir(folder);
    return result;
}

static int open_directory(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Empty what lies in the topmost one, until nothing does. */
static int empty_top(int top)
{
    unsigned long moved = 0;
    unsigned long done = 0;
    bool again = true;
    int result = 0;
    while (result == 0 && again) {
        again = false;
        int fd = open_directory(top, ".");
        result = fd < 0 ? -errno : empty(top, fd, true, &moved, &again);
        for (; result == 0 && done < moved; done++) {
            char heap[32];
            bool below = false;
            snprintf(heap, sizeof(heap), HEAP "%lu", done);
            fd = open_directory(top, heap);
            if (fd >= 0)
                result = empty(top, fd, false, &moved, &below);
            else if (errno != ENOENT) /* it may be gone already */
                result = -errno;
        }
    }
    return result;
}

int remove_tree(int parent, const char *name)
{
    fchmodat(parent, name, 0700, 0);
    autoclose int top = open_directory(parent, name);
    if (top < 0)
        return errno == ENOENT ? 0 : -errno;
    int result = empty_top(top);
    return result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : result;
}
