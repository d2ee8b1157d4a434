/* A new time namespace.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/time_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/procfs.h"
#include "core/linux/sys.h"

const char *time_clock_name(enum time_clock clock)
{
    return clock == TIME_MONOTONIC ? "monotonic" : "boottime";
}

static int create(void)
{
    if (sys_unshare(CLONE_NEWTIME) == 0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot create a time namespace");
    if (number == EINVAL)
        error_hint("this kernel has no time namespaces");
    else if (number == ENOSPC)
        error_hint("limit of namespaces reached, see /proc/sys/user/max_time_namespaces");
    return result;
}

static int set_offset(int proc, pid_t self, enum time_clock clock, const struct time_offset *offset)
{
    char path[40];
    char value[64];
    step("move the %s clock", time_clock_name(clock));
    snprintf(path, sizeof(path), "%d/timens_offsets", (int)self);
    snprintf(value, sizeof(value), "%s %lld %u\n", time_clock_name(clock),
             (long long)offset->seconds, offset->nanoseconds);
    int result = procfs_write(proc, path, value);
    if (result == 0)
        return 0;
    error_context("cannot move the %s clock by %lld s", time_clock_name(clock),
                  (long long)offset->seconds);
    if (result == -ERANGE)
        error_hint("it would be negative, or too large");
    return result;
}

/* unshare(2) concerns children only, whose first member fixes the offsets. But setns(2) takes a
 * process with one thread into the namespace that it made for its children, without a child. */
static int enter(int proc)
{
    autoclose int fd = openat(proc, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    int type = fd < 0 ? -1 : ioctl(fd, NS_GET_NSTYPE);
    if (type != CLONE_NEWTIME)
        return fail(type < 0 ? errno : EINVAL, "cannot open the new time namespace");
    uint64_t before = trace_clock();
    if (sys_setns(fd, CLONE_NEWTIME) < 0)
        return fail(errno, "cannot enter the new time namespace");
    trace_clock_moved(before);
    return 0;
}

int time_namespace_move_clocks(int proc, const struct time_offset offsets[TIME_CLOCKS])
{
    pid_t self = procfs_self(proc);
    int result = self < 0 ? (int)self : 0;
    for (int clock = 0; result == 0 && clock < TIME_CLOCKS; clock++) {
        if (offsets[clock].given)
            result = set_offset(proc, self, (enum time_clock)clock, &offsets[clock]);
    }
    return result;
}

int time_namespace_enter(int proc, const struct time_offset offsets[TIME_CLOCKS])
{
    int result = create();
    if (result == 0)
        result = time_namespace_move_clocks(proc, offsets);
    return result < 0 ? result : enter(proc);
}
