/* Terminals.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/device.h"
#include "core/linux/sys.h"

#define PTMX_MAJOR  5
#define PTMX_MINOR  2
#define SLAVE_MAJOR 136 /* the first of eight */

/* What fd refers to, opened again: an O_PATH descriptor, or one that is shared with others. */
static int reopen(int proc, int fd, int flags)
{
    char path[32];
    snprintf(path, sizeof(path), "self/fd/%d", fd);
    return openat(proc, path, flags | O_NOCTTY | O_CLOEXEC);
}

int terminal_open_master(int proc, int ptmx)
{
    struct stat status;
    if (fstat(ptmx, &status) < 0)
        return fail(errno, "cannot examine /dev/ptmx");
    if (!device_is(&status, PTMX_MAJOR, PTMX_MINOR))
        return fail(ENODEV, "cannot open a terminal: /dev/ptmx is not the device 5:2");
    autoclose int master = reopen(proc, ptmx, O_RDWR | O_NONBLOCK);
    int unlocked = 0;
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0) {
        int result = fail(errno, "cannot open a terminal, /dev/ptmx of the container");
        if (result == -ENOSPC)
            error_hint("limit of terminals reached, see /proc/sys/kernel/pty/max");
        return result;
    }
    return take_fd(&master);
}

int terminal_open_slave(int master)
{
    autoclose int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return fail(errno, "cannot open the other side of the container's terminal");
    struct stat status;
    struct statfs system;
    if (fstat(slave, &status) < 0 || fstatfs(slave, &system) < 0)
        return fail(errno, "cannot examine the other side of the container's terminal");
    if (!S_ISCHR(status.st_mode) || major(status.st_rdev) < SLAVE_MAJOR ||
        major(status.st_rdev) >= SLAVE_MAJOR + 8 || system.f_type != DEVPTS_SUPER_MAGIC)
        return fail(ENODEV, "the other side of the container's terminal is none of devpts");
    return take_fd(&slave);
}

bool terminal_is_master(int fd)
{
    unsigned number;
    struct stat status;
    return fstat(fd, &status) == 0 && device_is(&status, PTMX_MAJOR, PTMX_MINOR) &&
           ioctl(fd, TIOCGPTN, &number) == 0;
}

int terminal_clear_onlcr(int fd)
{
    struct termios settings;
    if (tcgetattr(fd, &settings) == 0) {
        settings.c_oflag &= ~(tcflag_t)ONLCR;
        if (tcsetattr(fd, TCSANOW, &settings) == 0)
            return 0;
    }
    return fail(errno, "cannot set the modes of the container's terminal");
}

int terminal_control(int fd)
{
    if (ioctl(fd, TIOCSCTTY, 0) < 0)
        return fail(errno, "cannot make the terminal the controlling one");
    return 0;
}

int terminal_set_raw(int fd, const struct termios *original)
{
    struct termios raw = *original;
    cfmakeraw(&raw);
    raw.c_oflag = original->c_oflag;
    /* Blocked, this signal would not stop a process in the background: the kernel would let it
     * change the terminal under the hands of the shell. */
    sigset_t stop;
    sigset_t before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU);
    sigprocmask(SIG_UNBLOCK, &stop, &before);
    int result;
    while ((result = tcsetattr(fd, TCSANOW, &raw)) < 0 && errno == EINTR)
        continue;
    result = result < 0 ? -errno : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

int terminal_reopen(int proc, int fd, int access)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -1;
    /* A master opened again would be another one. */
    bool terminal = isatty(fd) && !device_is(&status, PTMX_MAJOR, PTMX_MINOR);
    return terminal || S_ISFIFO(status.st_mode) ? reopen(proc, fd, access | O_NONBLOCK) : -1;
}
