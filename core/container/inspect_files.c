/* The open descriptors of a process, and its mounts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/linux/mountinfo.h"

/* O_PATH and O_LARGEFILE of the kernel; libcs have them differently, or as 0. */
#define KERNEL_O_PATH    010000000
#define KERNEL_O_CLOEXEC 02000000

static const char *type_word(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFCHR:
        return "character device";
    case S_IFBLK:
        return "block device";
    case S_IFIFO:
        return "pipe";
    case S_IFSOCK:
        return "socket";
    case S_IFLNK:
        return "link";
    default:
        return "anonymous";
    }
}

static const char *access_word(unsigned flags)
{
    if (flags & KERNEL_O_PATH)
        return "path";
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return "read";
    case O_WRONLY:
        return "write";
    case O_RDWR:
        return "read write";
    default:
        return "ioctl";
    }
}

static struct json_object *list_flags(struct inspect *inspect, unsigned flags)
{
    static const struct {
        unsigned flag;
        char name[12];
    } names[] = {
        {O_APPEND, "append"}, {O_NONBLOCK, "nonblock"}, {O_DIRECT, "direct"}, {O_SYNC, "sync"}};
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; array && i < sizeof(names) / sizeof(names[0]); i++) {
        if ((flags & names[i].flag) == names[i].flag)
            inspect_add(inspect, array, json_object_new_string(names[i].name));
    }
    return array;
}

static void put_flags(struct inspect *inspect, struct json_object *object, unsigned flags,
                      int64_t position)
{
    inspect_put_text(inspect, object, "access", access_word(flags));
    inspect_put_bool(inspect, object, "close_on_exec", flags & KERNEL_O_CLOEXEC);
    inspect_put(inspect, object, "flags", list_flags(inspect, flags));
    if (position >= 0)
        inspect_put_number(inspect, object, "position", position);
    else
        inspect_put_null(inspect, object, "position");
}

/* The value of a line of fdinfo, "pos:\t0". */
static const char *find_line(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line ? line + strlen(name) : NULL;
}

static void put_fdinfo(struct inspect *inspect, struct json_object *object, const char *name)
{
    static const char *const keys[] = {"access", "close_on_exec", "flags", "position"};
    autotext struct text text = {0};
    char path[32];
    snprintf(path, sizeof(path), "fdinfo/%.16s", name);
    int result = inspect_read(inspect, path, &text);
    const char *flags = result < 0 ? NULL : find_line(text.data, "flags:\t");
    const char *position = result < 0 ? NULL : find_line(text.data, "pos:\t");
    if (flags && position) {
        put_flags(inspect, object, (unsigned)strtoul(flags, NULL, 8), strtoll(position, NULL, 10));
        return;
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        inspect_put(inspect, object, keys[i], inspect_error(result < 0 ? result : EINVAL));
}

/* Whatever this process itself opens is closed at exec; what it was given by an exec never is. */
static bool is_shimboxs(const struct inspect *inspect, int fd)
{
    int flags = inspect->self ? fcntl(fd, F_GETFD) : 0;
    return flags < 0 || flags & FD_CLOEXEC ||
           (inspect->self && fd < 3 && inspect->filled >> fd & 1);
}

static void add_descriptor(struct inspect *inspect, struct json_object *array, int directory,
                           const char *name)
{
    autotext struct text target = {0};
    char path[32];
    struct stat status;
    snprintf(path, sizeof(path), "fd/%.16s", name);
    int result = inspect_link(inspect, path, &target);
    /* Closed since the directory was read. */
    if (result == -ENOENT)
        return;
    struct json_object *object = json_object_new_object();
    inspect_put_number(inspect, object, "fd", strtol(name, NULL, 10));
    if (result < 0)
        inspect_put(inspect, object, "target", inspect_error(result));
    else
        inspect_put(inspect, object, "target", inspect_string(target.data, target.length));
    if (fstatat(directory, name, &status, 0) < 0)
        inspect_put(inspect, object, "type", inspect_error(errno));
    else
        inspect_put_text(inspect, object, "type", type_word(status.st_mode));
    put_fdinfo(inspect, object, name);
    inspect_add(inspect, array, object);
}

/* Without /proc: every number that can be one is asked for, up to 65536. */
static struct json_object *list_own(struct inspect *inspect)
{
    struct json_object *array = json_object_new_array();
    struct rlimit limit = {.rlim_cur = 65536};
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 0; array && fd < 65536 && (rlim_t)fd < limit.rlim_cur; fd++) {
        struct stat status;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || is_shimboxs(inspect, fd) || fstat(fd, &status) < 0)
            continue;
        struct json_object *object = json_object_new_object();
        inspect_put_number(inspect, object, "fd", fd);
        inspect_put(inspect, object, "target", inspect_error(inspect->number));
        inspect_put_text(inspect, object, "type", type_word(status.st_mode));
        put_flags(inspect, object, (unsigned)flags, lseek(fd, 0, SEEK_CUR));
        inspect_add(inspect, array, object);
    }
    return array;
}

struct json_object *inspect_descriptors(struct inspect *inspect)
{
    if (inspect->process < 0)
        return inspect->self ? list_own(inspect) : inspect_error(inspect->number);
    autoclose int fd = openat(inspect->process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory)
        return inspect_error(errno);
    take_fd(&fd);
    struct json_object *array = json_object_new_array();
    struct dirent *entry = NULL;
    errno = 0;
    while (array && (entry = readdir(directory))) {
        if (entry->d_name[0] != '.' && !is_shimboxs(inspect, (int)strtol(entry->d_name, NULL, 10)))
            add_descriptor(inspect, array, dirfd(directory), entry->d_name);
        errno = 0;
    }
    int number = errno;
    closedir(directory);
    if (array && number) {
        json_object_put(array);
        return inspect_error(number);
    }
    return array;
}

struct json_object *inspect_mounts(struct inspect *inspect)
{
    autotext struct text text = {0};
    struct mountinfo mount;
    int result = inspect_read(inspect, "mountinfo", &text);
    if (result < 0)
        return inspect_error(result);
    struct json_object *array = json_object_new_array();
    char *rest = text.data;
    while (array && (result = mountinfo_next(&rest, &mount)) != 0) {
        struct json_object *object = json_object_new_object();
        if (result < 0) {
            json_object_put(object);
            inspect_add(inspect, array, inspect_refusal("the kernel's line is not understood"));
            continue;
        }
        inspect_put_text(inspect, object, "target", mount.point);
        inspect_put_text(inspect, object, "type", mount.type);
        inspect_put_text(inspect, object, "source", mount.source);
        inspect_put_text(inspect, object, "root", mount.root);
        inspect_put(inspect, object, "options", inspect_words(mount.options, ","));
        inspect_put(inspect, object, "propagation",
                    inspect_words(*mount.propagation ? mount.propagation : "private", " "));
        inspect_put(inspect, object, "filesystem_options", inspect_words(mount.filesystem, ","));
        inspect_put_text(inspect, object, "device", mount.device);
        inspect_put_number(inspect, object, "id", mount.id);
        inspect_put_number(inspect, object, "parent", mount.parent);
        inspect_add(inspect, array, object);
    }
    return array;
}
