// descriptors.c: the probe's fact about the descriptors of the process.
// SPDX-License-Identifier: Apache-2.0
#include "tests/probe/probe.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static void describe_fd(int fd, int flags)
{
    static const char *const access[] = {",r", ",w", ",rw", ",none"};
    struct stat status;

    put_numbered_key(fd);
    if (fstat(fd, &status) < 0) {
        give_up("fstat");
    }
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        put_text("file");
        break;
    case S_IFDIR:
        put_text("dir");
        break;
    case S_IFIFO:
        put_text("fifo");
        break;
    case S_IFSOCK:
        put_text("socket");
        break;
    case S_IFLNK:
        put_text("link");
        break;
    case S_IFCHR:
    case S_IFBLK:
        put_text(S_ISCHR(status.st_mode) ? "char:" : "block:");
        put_number(major(status.st_rdev));
        put_text(":");
        put_number(minor(status.st_rdev));
        break;
    default:
        put_text("anonymous");
    }
    put_text(flags & O_PATH ? ",path" : access[flags & O_ACCMODE]);
    put_text(fcntl(fd, F_GETFD) & FD_CLOEXEC ? ",cloexec" : "");
    end_line();
}

// One more than the highest descriptor that there can be: the size of the kernel's table, where a
// real /proc tells it. (To try all 65536 takes longer than to start a container; poll(2) does not
// see those that are O_PATH.)
static int find_end(void)
{
    static const char key[] = "\nFDSize:\t";
    struct statfs type;
    char text[4096];

    if (statfs("/proc/self/status", &type) < 0 || type.f_type != PROC_SUPER_MAGIC ||
        read_whole("/proc/self/status", text, sizeof(text)) < 0) {
        return 65536;
    }
    const char *found = strstr(text, key);
    int end = found ? atoi(found + strlen(key)) : 0;
    return end > 0 && end < 65536 ? end : 65536;
}

static void tell_fds(char **arguments)
{
    const int end = find_end();
    bool first = true;

    (void)arguments;
    put_key(NULL);
    for (int fd = 0; fd < end; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            put_text(first ? "" : " ");
            put_number(fd);
            first = false;
        }
    }
    end_line();
    for (int fd = 0; fd < end; fd++) {
        int flags = fcntl(fd, F_GETFL);

        if (flags >= 0) {
            describe_fd(fd, flags);
        }
    }
}

const struct fact descriptor_facts[] = {
    {"fds", 0, 0, tell_fds},
    {NULL, 0, 0, NULL},
};
