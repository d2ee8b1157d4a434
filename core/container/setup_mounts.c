/* The config's mounts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/idmap.h"
#include "core/container/setup.h"
#include "core/linux/copy.h"
#include "core/linux/mount.h"
#include "core/linux/path.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

/* Files below /proc that may be covered, because lxcfs provides them; whatever else is mounted
 * there could answer for the kernel, or swallow what is written to it (CVE-2019-16884). */
static const char proc_files[][28] = {
    "/proc/cpuinfo", "/proc/diskstats",
    "/proc/meminfo", "/proc/stat",
    "/proc/swaps",   "/proc/uptime",
    "/proc/loadavg", "/proc/slabinfo",
    "/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
};

/* 1, 0, or a negative errno (recorded). */
static int is_procfs(int fd)
{
    struct statfs status;
    if (fstatfs(fd, &status) < 0)
        return fail(errno, "cannot examine a file system");
    return status.f_type == PROC_SUPER_MAGIC;
}

/* May this mount be attached on target? Not on /proc, unless it is a real one, and hardly below. */
static int check_target(const struct container *container, int mount, int target,
                        const struct stat *place, const char *destination)
{
    int inside = is_procfs(target);
    /* Once there is a proc on /proc, the directory below it cannot be come by. */
    bool covered = container->covered[0].fd >= 0;
    if (inside < 0 || (inside == 0 && covered))
        return inside;
    int procfs = is_procfs(mount);
    if (procfs < 0)
        return procfs;
    if (inside) {
        for (size_t i = 0; i < sizeof(proc_files) / sizeof(proc_files[0]); i++) {
            if (strncmp(destination, proc_files[i], sizeof(proc_files[i])) == 0)
                return 0;
        }
        if (procfs)
            return 0;
        return fail_config(NULL, "mounting on %s, inside of /proc, is refused", destination);
    }
    if (procfs)
        return 0;
    autoclose int proc = path_look_in_root(container->root, "/proc", O_PATH | O_NOFOLLOW);
    struct stat status;
    if (proc < 0)
        return proc == -ENOENT ? 0 : proc;
    if (fstat(proc, &status) < 0)
        return fail(errno, "cannot examine /proc");
    if (status.st_dev != place->st_dev || status.st_ino != place->st_ino)
        return 0;
    return fail_config(NULL, "mounting anything but proc on /proc is refused");
}

/* /proc and /sys must be plain directories: through a link, what is masked and protected below them
 * afterwards would be elsewhere (CVE-2019-19921). What was looked at is what is mounted on. */
static int make_plain_directory(const struct container *container, const char *destination)
{
    char path[PATH_MAX];
    const char *name;
    size_t length = strlen(destination);
    while (length > 1 && destination[length - 1] == '/')
        length--;
    if (length >= sizeof(path))
        return fail(ENAMETOOLONG, "cannot create %s", destination);
    memcpy(path, destination, length);
    path[length] = '\0';
    autoclose int parent = path_make_parent_in_root(container->root, path, &name);
    if (parent < 0)
        return parent;
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return fail(errno, "cannot create %s", destination);
    autoclose int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(errno, "cannot open %s", destination);
    if (S_ISLNK(status.st_mode))
        return fail_config(NULL, "%s is a symbolic link in the root file system", destination);
    if (!S_ISDIR(status.st_mode))
        return fail(ENOTDIR, "cannot use %s as a directory", destination);
    return take_fd(&fd);
}

/* Keep hold of what is mounted on /proc and /sys: somebody with access to the root file system
 * could move these directories away, mounts and all, while what is below them is masked. */
static void remember(struct container *container, int *mount, const struct stat *top,
                     const struct stat *place, const char *destination)
{
    static const char names[][6] = {"/proc", "/sys"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct covered *covered = &container->covered[i];
        if (strncmp(destination, names[i], sizeof(names[i])) != 0 &&
            (covered->fd < 0 || covered->device != place->st_dev ||
             covered->inode != place->st_ino))
            continue;
        close_fd(&covered->fd);
        *covered = (struct covered){take_fd(mount), top->st_dev, top->st_ino};
        return;
    }
}

/* By what it is, not by how the config writes it: "/dev/" and links lead there, too. top is what
 * has just been mounted on place; NULL: nothing. */
static int follow_dev(struct container *container, bool bind, const struct stat *place,
                      const struct stat *top)
{
    struct dev_directory *dev = &container->dev;
    if (dev->known) {
        if (dev->device == place->st_dev && dev->inode == place->st_ino)
            *dev = (struct dev_directory){true, bind, top->st_dev, top->st_ino};
        return 0;
    }
    autoclose int fd = path_look_in_root(container->root, "/dev", O_PATH);
    struct stat now;
    if (fd < 0) {
        error_clear();
        return 0;
    }
    if (fstat(fd, &now) < 0)
        return fail(errno, "cannot examine /dev");
    bool same = top && now.st_dev == top->st_dev && now.st_ino == top->st_ino;
    *dev = (struct dev_directory){true, same && bind, now.st_dev, now.st_ino};
    return 0;
}

static int hint_for_type(const char *type, int result)
{
    if (result != -EPERM && result != -EBUSY)
        return result;
    if (strcmp(type, "proc") == 0)
        error_hint("needs a new pid namespace; inside a container, use: shimbox spec --nested");
    else if (strcmp(type, "sysfs") == 0)
        error_hint("needs a new network namespace; else bind /sys: shimbox spec --nested");
    else if (strcmp(type, "mqueue") == 0)
        error_hint("needs a new ipc namespace");
    return result;
}

/* The container's own cgroup and those below it, out of the tree of the host. */
static int bind_own_cgroup(const struct container *container, const struct mount_options *options)
{
    autoclose int mount = mount_clone(AT_FDCWD, container->cgroup.place.path, false);
    int result = mount < 0 ? mount : mount_change(mount, options, -1);
    return result < 0 ? result : take_fd(&mount);
}

/* The cgroup file system: version 2. Without a cgroup namespace it would show the whole tree: of
 * that only the container's own part is bound. Where the cgroup namespace is not our own it cannot
 * be mounted; then the host's is bound, and all of it made read-only (CVE-2023-25809). */
static int create_cgroup(const struct container *container, const struct mount_options *options)
{
    if (container->cgroup.fd >= 0 && !container->config->namespaces[NAMESPACE_CGROUP].wanted)
        return bind_own_cgroup(container, options);
    int mount = mount_create("cgroup2", "cgroup", options);
    if (mount != -EPERM && mount != -EBUSY)
        return mount;
    error_clear();
    mount = mount_clone(AT_FDCWD, "/sys/fs/cgroup", true);
    if (mount < 0)
        return mount;
    int result = mount_change(mount, options, -1);
    if (result == 0)
        result = mount_set_readonly(mount, true);
    if (result < 0)
        close_fd(&mount);
    return result < 0 ? result : mount;
}

/* nofail: without its source, a mount is left out. */
static int pass_over(const struct container *container, size_t i, int result)
{
    if (result != -ENOENT || !container->options[i].optional)
        return result;
    error_clear();
    return 0;
}

/* Those of the kernel itself take no label for all of their files: their policy is its own. The one
 * of message queues, whose files have an owner, is labelled at its root. */
static bool takes_label(const char *type)
{
    return strcmp(type, "proc") != 0 && strcmp(type, "sysfs") != 0 && strcmp(type, "mqueue") != 0;
}

static int create_labelled(const struct config *config, const struct config_mount *mount,
                           struct mount_options *options)
{
    if (takes_label(mount->type))
        options->label = config->mount_label;
    autoclose int fd = mount_create(mount->type, mount->source, options);
    if (fd < 0)
        return hint_for_type(mount->type, fd);
    int result = config->mount_label && strcmp(mount->type, "mqueue") == 0
                     ? mount_set_label(fd, config->mount_label)
                     : 0;
    return result < 0 ? result : take_fd(&fd);
}

/* A detached mount of the i-th entry, with its flags; -ENOENT not recorded for a bind mount that is
 * left out. */
static int open_mount(struct container *container, size_t i)
{
    const struct config_mount *mount = &container->config->mounts[i];
    const struct mount_options *options = &container->options[i];
    autoclose int fd = -1;
    int result = 0;
    if (options->bind) {
        fd = take_fd(&container->sources[i]);
    } else if (strcmp(mount->type, "cgroup") == 0 || strcmp(mount->type, "cgroup2") == 0) {
        fd = create_cgroup(container, options);
    } else {
        struct mount_options writable = *options;
        if (options->copy_up)
            writable.set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        fd = create_labelled(container->config, mount, &writable);
    }
    if (fd < 0)
        return options->bind ? -ENOENT : fd;
    result = idmap_in_child(container, i, fd);
    return result < 0 ? result : take_fd(&fd);
}

/* Fill the new tmpfs with what it is going to cover, then attach it; read-only only after that. */
static int attach_copy(int mount, int target, const char *destination, bool readonly)
{
    int result = copy_tree(target, mount, destination, COPY_EXACT);
    if (result == 0 && readonly)
        result = mount_set_readonly(mount, false);
    return result < 0 ? result : mount_attach(mount, target, destination);
}

/* Change what is mounted there: attributes and propagation of the mount, and only those named.
 * Unlike mount(2), which would make a file system of the host read-only everywhere. */
static int remount(const struct container *container, size_t i)
{
    const char *destination = container->config->mounts[i].destination;
    step("remount %s", destination);
    autoclose int target = path_open_in_root(container->root, destination, O_PATH);
    if (target < 0)
        return target;
    int result = mount_change(target, &container->options[i], -1);
    if (result == -EINVAL)
        error_hint("is anything mounted there?");
    return result;
}

static int mount_one(struct container *container, size_t i)
{
    const struct config_mount *mount = &container->config->mounts[i];
    const char *type = container->options[i].bind ? mount->source : mount->type;
    if (container->options[i].remount)
        return remount(container, i);
    step("mount %s on %s", type, mount->destination);
    trace_field("/mounts/%zu", i);
    autoclose int fd = open_mount(container, i);
    struct stat top;
    struct stat place;
    if (fd < 0)
        return pass_over(container, i, fd);
    if (fstat(fd, &top) < 0)
        return fail(errno, "cannot examine %s", type);
    bool kernel = strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0;
    autoclose int target = kernel ? make_plain_directory(container, mount->destination)
                                  : path_make_in_root(container->root, mount->destination,
                                                      S_ISDIR(top.st_mode) ? S_IFDIR : S_IFREG);
    if (target < 0) {
        if (target == -EACCES || target == -EROFS)
            error_hint("make it in the root file system beforehand");
        return target;
    }
    if (fstat(target, &place) < 0)
        return fail(errno, "cannot examine %s", mount->destination);
    int result = check_target(container, fd, target, &place, mount->destination);
    if (result < 0)
        return result;
    if (container->options[i].copy_up) {
        step("copy what is in %s", mount->destination);
        trace_field("/mounts/%zu", i);
        result = attach_copy(fd, target, mount->destination,
                             container->options[i].set & MOUNT_ATTR_RDONLY);
    } else {
        result = mount_attach(fd, target, mount->destination);
    }
    if (result == 0)
        result = follow_dev(container, container->options[i].bind, &place, &top);
    if (result == 0)
        remember(container, &fd, &top, &place, mount->destination);
    return result;
}

/* Name the entry in the record of a failure. */
static int fail_entry(const struct container *container, size_t i, int result)
{
    char field[32];
    snprintf(field, sizeof(field), "/mounts/%zu", i);
    error_context("cannot %s %s", container->options[i].remount ? "remount" : "mount",
                  container->config->mounts[i].destination);
    error_field(field);
    return result;
}

/* Once the container's root is attached on top of "/", a path of the host that goes up to "/" by
 * ".." would go on in there, among links that are not trusted: so all sources are opened before. */
int setup_sources(struct container *container)
{
    for (size_t i = 0; i < container->config->mount_count; i++) {
        const struct mount_options *options = &container->options[i];
        if (!options->bind)
            continue;
        if (container->given_mounts && container->given_mounts[i] >= 0) {
            int result = mount_set_propagation(container->sources[i], MS_SLAVE, true);
            if (result < 0)
                return fail_entry(container, i, result);
            continue;
        }
        step("open %s", container->config->mounts[i].source);
        trace_field("/mounts/%zu/source", i);
        autoclose int pinned = take_fd(&container->sources[i]);
        int fd = mount_clone_locked(container->config->mounts[i].source, options->bind_recursive,
                                    &pinned);
        int result = fd < 0 ? pass_over(container, i, fd) : 0;
        if (result < 0)
            return fail_entry(container, i, result);
        container->sources[i] = fd < 0 ? -1 : fd;
    }
    return 0;
}

int setup_mounts(struct container *container)
{
    int result = container->config->mount_count > 0 ? follow_dev(container, false, NULL, NULL) : 0;
    for (size_t i = 0; result == 0 && i < container->config->mount_count; i++) {
        result = mount_one(container, i);
        if (result < 0)
            fail_entry(container, i, result);
    }
    if (result < 0)
        return result;
    if (container->files.rlim_max)
        setrlimit(RLIMIT_NOFILE, &container->files);
    return 0;
}
