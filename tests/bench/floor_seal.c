// floor --seal: becomes a copy of itself that a container cannot write.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "floor_descriptor.h"

// The same on every architecture; musl has no names for them.
enum {
    number_fsopen = 430,
    number_fsconfig = 431,
    number_fsmount = 432,
};

// A detached read-only overlay of the directory of the binary: a write through /proc/PID/exe ends
// in EROFS. An overlay without an upper layer wants two lower ones; the second is never looked at,
// since every name that is asked for is in the first.
void floor_seal(char **argv)
{
    char path[PATH_MAX + 16], layers[PATH_MAX + 32];
    char *slash;
    ssize_t length;
    long context, tree, fd;

    if (getenv("FLOOR_SEALED")) {
        return;
    }
    length = readlink("/proc/self/exe", path, PATH_MAX);
    floor_check(length, "readlink exe");
    path[length] = '\0';
    slash = strrchr(path, '/');
    *slash = '\0';
    context = syscall(number_fsopen, "overlay", FSOPEN_CLOEXEC);
    floor_check(context, "fsopen overlay");
    snprintf(layers, sizeof layers, "%s:/sys/kernel", path);
    floor_check(syscall(number_fsconfig, context, FSCONFIG_SET_STRING, "lowerdir", layers, 0),
                "lowerdir");
    floor_check(syscall(number_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0),
                "create overlay");
    tree = syscall(number_fsmount, context, FSMOUNT_CLOEXEC,
                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    floor_check(tree, "fsmount");
    fd = openat((int)tree, slash + 1, O_PATH | O_CLOEXEC);
    floor_check(fd, "open own binary");
    setenv("FLOOR_SEALED", "1", 1);
    syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
    floor_check(-1, "execveat");
}
