/* The container's terminal: made inside, by its own devpts. runtime-spec, config.md, "process", and
 * config-linux.md, "/dev/console".
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/container/sync.h"
#include "core/linux/device.h"
#include "core/linux/mount.h"
#include "core/linux/path.h"
#include "core/linux/terminal.h"
#include "core/oci/config.h"

static int open_master(const struct container *container)
{
    static const char path[] = "/dev/ptmx";
    autoclose int ptmx = path_look_in_root(container->root, path, O_PATH);
    if (ptmx == -ENOENT) {
        fail(ENOENT, "cannot open a terminal, %s of the container", path);
        error_hint("a mount of type devpts on /dev/pts is needed");
    }
    return ptmx < 0 ? ptmx : terminal_open_master(container->proc, ptmx);
}

/* Open /dev/console, or make an empty file to mount on. Nothing is made in a /dev that is bound, as
 * that would be the host's. Returns a descriptor, -ENOENT (not recorded) for none, or another
 * negative errno (recorded). */
static int open_console(const struct container *container)
{
    static const char name[] = "console";
    autoclose int dev = path_open_in_root(container->root, "/dev", O_PATH | O_DIRECTORY);
    if (dev < 0)
        return dev;
    bool make = !container->dev.bound;
    if (make && mknodat(dev, name, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
        return fail(errno, "cannot create /dev/console");
    autoclose int console = openat(dev, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (console < 0 && errno == ENOENT && !make)
        return -ENOENT;
    if (console < 0 || fstat(console, &status) < 0)
        return fail(errno, "cannot open /dev/console");
    /* An image may have a link there, which is not followed, or anything else. */
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))
        return fail(EEXIST, "/dev/console of the container is neither file nor device");
    return take_fd(&console);
}

static int mount_console(const struct container *container, int slave)
{
    if (container->config->namespaces[NAMESPACE_MOUNT].path)
        return 0;
    autoclose int target = open_console(container);
    if (target < 0)
        return target == -ENOENT ? 0 : target;
    autoclose int mount = mount_clone(slave, "", false);
    return mount < 0 ? mount : mount_attach(mount, target, "/dev/console");
}

int setup_terminal(struct container *container)
{
    const struct config_process *process = &container->config->process;
    if (!process->terminal)
        return 0;
    autoclose int master = open_master(container);
    autoclose int slave = master < 0 ? master : terminal_open_slave(master);
    if (slave < 0)
        return slave;
    const struct winsize size = {.ws_row = process->console_height,
                                 .ws_col = process->console_width};
    int result = terminal_clear_onlcr(slave);
    if (result == 0 && ioctl(slave, TIOCSWINSZ, &size) < 0)
        result = fail(errno, "cannot set the size of the container's terminal");
    if (result == 0)
        result = mount_console(container, slave);
    if (result == 0)
        result = terminal_control(slave);
    if (result == 0)
        result = sync_send_fd(container->channel, SYNC_TERMINAL, master);
    for (int fd = 0; result == 0 && fd <= 2; fd++) {
        if (dup2(slave, fd) < 0)
            result = fail(errno, "cannot make the terminal standard stream %d", fd);
    }
    return result;
}

/* The container's null device; -1 (not recorded) where it has none, or another device there. */
static int open_null(const struct container *container)
{
    autoclose int null = path_open_in_root(container->root, "/dev/null", O_PATH);
    struct stat status;
    if (null < 0 || fstat(null, &status) < 0 || !device_is(&status, 1, 3)) {
        error_clear();
        return -1;
    }
    int fd = path_open_in_root(container->root, "/dev/null", O_RDWR | O_NOCTTY);
    if (fd < 0) {
        error_clear();
        return -1;
    }
    return fd;
}

/* A stream that is the host's null device is a file of the host's /dev, whose owner and times the
 * program could change: it gets the container's instead. Where that has none, it stays. */
int setup_null_streams(struct container *container)
{
    autoclose int null = -1;
    for (int fd = 0; fd <= 2; fd++) {
        struct stat status;
        if (fstat(fd, &status) < 0 || !device_is(&status, 1, 3))
            continue;
        if (null < 0)
            null = open_null(container);
        if (null < 0)
            return 0;
        if (dup2(null, fd) < 0)
            return fail(errno, "cannot replace standard stream %d", fd);
    }
    return 0;
}
