/* Whole files, read and written.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/file.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"

int read_all(int fd, const char *name, size_t limit, struct text *text)
{
    char buffer[4096];
    size_t total = 0;
    for (;;) {
        ssize_t count = read(fd, buffer, sizeof(buffer));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(errno, "cannot read %s", name);
        if (count == 0)
            break;
        total += (size_t)count;
        if (total > limit) {
            int result = fail(EFBIG, "cannot read %s", name);
            error_hint("it holds more than %zu bytes", limit);
            return result;
        }
        text_append_bytes(text, buffer, (size_t)count);
    }
    /* Also gives an empty file its NUL. */
    text_append_bytes(text, "", 0);
    return text->failed ? fail(ENOMEM, "cannot read %s", name) : 0;
}

int read_file(int directory, const char *path, size_t limit, struct text *text)
{
    autoclose int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(errno, "cannot open %s", path);
    /* read(2) of a directory gives EISDIR. */
    return read_all(fd, path, limit, text);
}

static int write_bytes(int fd, const char *name, const void *bytes, size_t length, bool wait)
{
    const char *next = bytes;
    while (length > 0) {
        ssize_t count = write(fd, next, length);
        if (count < 0 && errno == EAGAIN && wait) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, -1);
            continue;
        }
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(errno, "cannot write %s", name);
        next += count;
        length -= (size_t)count;
    }
    return 0;
}

int write_all(int fd, const char *name, const void *bytes, size_t length)
{
    return write_bytes(fd, name, bytes, length, false);
}

int write_all_in_time(int fd, const char *name, const void *bytes, size_t length)
{
    return write_bytes(fd, name, bytes, length, true);
}

int write_line(const char *text)
{
    autotext struct text line = {0};
    text_append_format(&line, "%s\n", text);
    if (line.failed)
        return fail(ENOMEM, "cannot compose the output");
    return write_all(STDOUT_FILENO, "standard output", line.data, line.length);
}

int write_value(int directory, const char *path, const char *value)
{
    autoclose int fd = openat(directory, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(errno, "cannot open %s", path);
    size_t length = strlen(value);
    ssize_t count;
    do {
        count = write(fd, value, length);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return fail(errno, "cannot write '%s' to %s", value, path);
    /* The kernel takes a value whole or not at all; the rest would be a second value. */
    if ((size_t)count != length)
        return fail(EIO, "cannot write '%s' to %s", value, path);
    return 0;
}

/* Create a temporary file in the directory of path. Its name goes to *name. */
static int create_beside(const char *path, mode_t mode, struct text *name, int *fd)
{
    const char *slash = strrchr(path, '/');
    size_t directory = slash ? (size_t)(slash - path) + 1 : 0;
    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        name->length = 0;
        text_append_bytes(name, path, directory);
        text_append_format(name, ".shimbox-%ld-%u", (long)getpid(), attempt);
        if (name->failed)
            return fail(ENOMEM, "cannot create %s", path);
        *fd = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (*fd >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return fail(errno, "cannot create %s", path);
}

/* Give the finished file its name, unless something has that name already. */
static int name_new_file(const char *temporary, const char *path)
{
    if (link(temporary, path) == 0) {
        unlink(temporary);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return -errno;
    /* A file system without hard links (vfat): reserve the name, then take the place of that. */
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (rename(temporary, path) == 0)
        return 0;
    int number = errno;
    unlink(path);
    return -number;
}

int draft_file(const char *path, mode_t mode, const void *bytes, size_t length,
               struct text *temporary)
{
    autoclose int fd = -1;
    int result = create_beside(path, mode, temporary, &fd);
    if (result < 0)
        return result;
    result = write_all(fd, path, bytes, length);
    /* EINVAL: this file system cannot sync. */
    if (result == 0 && fsync(fd) < 0 && errno != EINVAL)
        result = fail(errno, "cannot write %s to the disk", path);
    /* Some file systems (NFS) tell of a failed write at close only. */
    if (result == 0 && close(take_fd(&fd)) < 0 && errno != EINTR)
        result = fail(errno, "cannot write %s", path);
    if (result < 0)
        unlink(temporary->data);
    return result;
}

int use_draft(const char *temporary, const char *path)
{
    if (rename(temporary, path) == 0)
        return 0;
    int result = fail(errno, "cannot create %s", path);
    unlink(temporary);
    return result;
}

int create_file(const char *path, mode_t mode, const void *bytes, size_t length)
{
    autotext struct text temporary = {0};
    int result = draft_file(path, mode, bytes, length, &temporary);
    if (result < 0)
        return result;
    result = name_new_file(temporary.data, path);
    if (result < 0) {
        fail(-result, "cannot create %s", path);
        unlink(temporary.data);
    }
    return result;
}

int replace_file(const char *path, mode_t mode, const void *bytes, size_t length)
{
    autotext struct text temporary = {0};
    int result = draft_file(path, mode, bytes, length, &temporary);
    return result < 0 ? result : use_draft(temporary.data, path);
}

int absolute_path(const char *path, char **absolute)
{
    char directory[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(directory, sizeof(directory)))
        return fail(errno, "cannot find out the working directory");
    if (asprintf(absolute, "%s%s%s", directory, path[0] == '/' ? "" : "/", path) < 0)
        return fail(ENOMEM, "cannot make %s absolute", path);
    return 0;
}
