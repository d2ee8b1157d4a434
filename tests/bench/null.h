// open_null: a null device of this process's own.
// SPDX-License-Identifier: Apache-2.0
//
// crun gives the device that is its standard input to the container's root: /dev/null would belong
// to that user afterwards, for everybody. So this is another node, which has no name any more. Who
// may not make one may not give one away either, and gets /dev/null. Returns a descriptor or -1.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static inline int open_null(void)
{
    char name[64];
    int fd;

    snprintf(name, sizeof name, "/dev/bench-null-%d", (int)getpid());
    if (mknod(name, S_IFCHR | 0666, makedev(1, 3)) < 0) {
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    fd = open(name, O_RDWR | O_CLOEXEC);
    unlink(name);
    return fd;
}
