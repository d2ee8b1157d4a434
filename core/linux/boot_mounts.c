/* What process 1 of a machine mounts first.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/device.h"
#include "core/linux/mount.h"
#include "core/linux/sys.h"

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

/* linux/nsfs.h has it since 6.18; the kernel, since it has namespaces in /proc. */
#define PID_NAMESPACE_OF_MACHINE 0xEFFFFFFCU

struct place {
    char type[12];
    char path[16];
    char options[48]; /* as mount(8) takes them */
};

static const struct place places[] = {
    {"proc", "/proc", "nosuid,nodev,noexec"},
    {"sysfs", "/sys", "nosuid,nodev,noexec"},
    {"devtmpfs", "/dev", "nosuid,mode=755"},
    {"devpts", "/dev/pts", "nosuid,noexec,gid=5,mode=620,ptmxmode=666"},
    {"tmpfs", "/dev/shm", "nosuid,nodev,mode=1777"},
    {"tmpfs", "/run", "nosuid,nodev,mode=755"},
    {"tmpfs", "/tmp", "nosuid,nodev,mode=1777"},
    {"cgroup2", "/sys/fs/cgroup", "nosuid,nodev,noexec,nsdelegate"},
};

/* A new one, detached. */
static int create(const char *type, const char *words)
{
    char copy[sizeof(places[0].options)];
    const char *list[6] = {0};
    struct mount_options options = {0};
    snprintf(copy, sizeof(copy), "%s", words);
    char *rest = copy;
    for (size_t i = 0; rest && i + 1 < sizeof(list) / sizeof(*list); i++)
        list[i] = strsep(&rest, ",");
    int result = mount_options_parse(&options, list, NULL);
    if (result == 0)
        result = mount_create(type, NULL, &options);
    mount_options_free(&options);
    return result;
}

static int create_place(const struct place *place)
{
    return create(place->type, place->options);
}

int boot_begin(int *proc)
{
    struct stat status;
    struct statfs type;
    autoclose int found = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (getpid() == 1 &&
        (found < 0 || fstatfs(found, &type) < 0 || type.f_type != PROC_SUPER_MAGIC)) {
        close_fd(&found);
        found = create_place(&places[0]);
        if (found < 0)
            return found;
    }
    if (getpid() != 1 || fstatat(found, "self/ns/pid", &status, 0) < 0 ||
        status.st_ino != PID_NAMESPACE_OF_MACHINE) {
        int result = fail(EPERM, "cannot boot: this is not the first process of a machine");
        error_hint("in a container, and for a program: shimbox init");
        return result;
    }
    *proc = take_fd(&found);
    return 0;
}

/* Is something mounted there? Another mount than that of the directory which it is in. */
static bool is_mounted(int directory)
{
    uint64_t here;
    uint64_t above;
    autoclose int parent = openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return parent >= 0 && sys_mount_id(directory, &here) == 0 &&
           sys_mount_id(parent, &above) == 0 && here != above;
}

/* What devtmpfs has not. */
static int link_standard_streams(void)
{
    static const char links[][2][16] = {
        {"fd", "/proc/self/fd"},
        {"stdin", "/proc/self/fd/0"},
        {"stdout", "/proc/self/fd/1"},
        {"stderr", "/proc/self/fd/2"},
    };
    int result = 0;
    autoclose int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dev < 0)
        return fail(errno, "cannot open /dev");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (device_link(dev, links[i][0], links[i][1]) < 0)
            result = -EIO;
    return result;
}

/* A kernel without devtmpfs. */
static int mount_dev_by_hand(void)
{
    autoclose int mount = create("tmpfs", "nosuid,mode=755");
    autoclose int sys = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = mount < 0 ? mount : mount_attach_path(mount, "/dev");
    return result < 0 ? result : boot_make_devices(mount, sys);
}

static int mount_place(const struct place *place, int proc)
{
    if (mkdir(place->path, 0755) < 0 && errno != EEXIST)
        return fail(errno, "cannot make %s", place->path);
    autoclose int directory = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return fail(errno, "cannot open %s", place->path);
    if (is_mounted(directory))
        return 0;
    step("mount %s on %s", place->type, place->path);
    if (strcmp(place->type, "proc") == 0)
        return mount_attach_path(proc, place->path);
    autoclose int mount = create_place(place);
    if (mount >= 0)
        return mount_attach_path(mount, place->path);
    if (mount != -ENODEV)
        return mount;
    if (strcmp(place->type, "devtmpfs") == 0) {
        error_clear();
        return mount_dev_by_hand();
    }
    if (strcmp(place->type, "cgroup2") != 0)
        return mount;
    error_clear();
    report_warning("this kernel has no cgroup2");
    return 0;
}

/* For the cgroups below the root; one that cannot be had must not take the others with it. */
static void enable_controllers(void)
{
    autotext struct text names = {0};
    autoclose int root = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || read_file(root, "cgroup.controllers", 4096, &names) < 0) {
        error_clear(); /* told of already */
        return;
    }
    step("enable the controllers of cgroups");
    for (char *rest = names.data, *name; rest && (name = strsep(&rest, " \n"));) {
        autotext struct text value = {0};
        if (!*name)
            continue;
        text_append_format(&value, "+%s", name);
        if (value.failed || write_value(root, "cgroup.subtree_control", value.data) < 0) {
            report_warning("cgroups have no controller %s", name);
            error_clear();
        }
    }
}

int boot_mount_all(int proc)
{
    int result = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int now = mount_place(&places[i], proc);
        if (now == 0 && strcmp(places[i].path, "/dev") == 0)
            now = link_standard_streams();
        result = result < 0 ? result : now;
    }
    enable_controllers();
    return result;
}
