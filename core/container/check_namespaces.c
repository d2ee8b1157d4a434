/* Namespaces and file systems in them, tried in a child that ends with its parent.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/linux/capability.h"
#include "core/container/check_parts.h"
#include "core/linux/mount.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"

/* Would a seccomp filter answer in place of the kernel? It sees the call first; the kernel refuses
 * a flag that unshare(2) does not know before it does anything. */
static void check_filter(struct check_context *context)
{
    if (sys_unshare(CLONE_NEWUSER | CLONE_PARENT_SETTID) < 0 && errno == EINVAL)
        return;
    check_accuse_filter(context, errno);
}

static bool create_user_namespace(struct check_context *context)
{
    if (sys_unshare(CLONE_NEWUSER) < 0) {
        check_put(context, CHECK_USERNS_CREATE, CHECK_FAIL, errno, "unshare(CLONE_NEWUSER): %s",
                  strerror(errno));
        check_put(context, CHECK_USERNS_MAP, CHECK_UNKNOWN, 0, "there is no user namespace");
        return false;
    }
    check_put(context, CHECK_USERNS_CREATE, CHECK_PASS, 0, "a user namespace can be made");
    return true;
}

/* AppArmor lets the namespace be made, and takes the capabilities in it. */
static void check_profile(struct check_context *context)
{
    char profile[128];
    if (check_read_line("/proc/self/attr/current", profile, sizeof(profile)) == 0 &&
        starts_with(profile, "unprivileged_userns"))
        check_put(context, CHECK_APPARMOR, CHECK_FAIL, 0,
                  "in a user namespace, AppArmor's profile is %s", profile);
}

/* The map that everybody may write: 0 to oneself. */
static bool map_self(struct check_context *context)
{
    char uid[32], gid[32];
    snprintf(uid, sizeof(uid), "0 %u 1", context->uid);
    snprintf(gid, sizeof(gid), "0 %u 1", context->gid);
    if (write_value(AT_FDCWD, "/proc/self/uid_map", uid) < 0 ||
        write_value(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 ||
        write_value(AT_FDCWD, "/proc/self/gid_map", gid) < 0) {
        check_put_error(context, CHECK_USERNS_MAP, CHECK_FAIL);
        return false;
    }
    check_put(context, CHECK_USERNS_MAP, CHECK_PASS, 0, "0 is mapped to uid %u and gid %u",
              context->uid, context->gid);
    return true;
}

/* One by one, since all at once would not tell which is refused. */
static void create_others(struct check_context *context)
{
    static const struct {
        uint8_t id;
        char limit[20]; /* in /proc/sys/user */
        uint32_t flag;
    } others[] = {
        {CHECK_NS_MOUNT, "mnt", CLONE_NEWNS},    {CHECK_NS_PID, "pid", CLONE_NEWPID},
        {CHECK_NS_NETWORK, "net", CLONE_NEWNET}, {CHECK_NS_IPC, "ipc", CLONE_NEWIPC},
        {CHECK_NS_UTS, "uts", CLONE_NEWUTS},     {CHECK_NS_CGROUP, "cgroup", CLONE_NEWCGROUP},
        {CHECK_NS_TIME, "time", CLONE_NEWTIME},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (sys_unshare(others[i].flag) == 0) {
            check_put(context, others[i].id, CHECK_PASS, 0, "can be made");
            continue;
        }
        struct check *check = check_put(context, others[i].id,
                                        others[i].id == CHECK_NS_TIME ? CHECK_WARN : CHECK_FAIL,
                                        errno, "unshare: %s", strerror(errno));
        if (check->number == ENOSPC)
            check_fix(check, "sysctl -w user.max_%s_namespaces=28633", others[i].limit);
        else if (check->number == EINVAL)
            check_fix(check, "boot a kernel with this namespace built in");
    }
}

/* Mounts are tried with the flags that they have in containers: where the mount that is there is
 * read-only, another one has to be so too. */
static void try_mount(struct check_context *context, unsigned id, const char *type, uint64_t flags)
{
    const struct mount_options options = {.set = flags | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                                 MOUNT_ATTR_NOEXEC};
    autoclose int mount = mount_create(type, NULL, &options);
    if (mount < 0)
        check_put_error(context, id, CHECK_FAIL);
    else
        check_put(context, id, CHECK_PASS, 0, "a new %s can be mounted", type);
}

/* Two layers on a tmpfs. Their paths are relative: the tmpfs lies on this namespace's root, which
 * does not change where paths lead that begin there. */
static int try_overlay(void)
{
    const struct mount_options none = {0};
    autoclose int layers = mount_create("tmpfs", NULL, &none);
    if (layers < 0)
        return layers;
    autoclose int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return fail(errno, "cannot open /");
    /* Nothing mounted here may come back to where this namespace is a copy of. */
    if (sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        error_clear(); /* in a chroot / is no mount point; the tmpfs cannot be attached then */
    if (mount_attach(layers, root, "/") < 0)
        return -EIO;
    if (mkdirat(layers, "lower", 0755) < 0 || mkdirat(layers, "upper", 0755) < 0 ||
        mkdirat(layers, "work", 0755) < 0 || fchdir(layers) < 0)
        return fail(errno, "cannot make folders in a new tmpfs");
    const char *items[] = {"lowerdir=lower", "upperdir=upper", "workdir=work", "userxattr"};
    const struct mount_options options = {.filesystem = {items, 4}};
    int mount = mount_create("overlay", NULL, &options);
    /* Trusted attributes are for the initial user namespace, which needs no userxattr. */
    if (mount >= 0)
        close(mount);
    return mount < 0 ? mount : 0;
}

static void check_overlay(struct check_context *context)
{
    if (try_overlay() == 0) {
        check_put(context, CHECK_OVERLAY, CHECK_PASS, 0, "an overlay can be mounted");
        return;
    }
    struct check *check = check_put_error(context, CHECK_OVERLAY, CHECK_WARN);
    check_fix(check, "%s",
              check->number == ENODEV ? "modprobe overlay"
                                      : "apt-get install fuse-overlayfs (with /dev/fuse), or copy "
                                        "the root file system");
}

/* Idmap a tmpfs of this user namespace, by one below: the only kind that a user may. */
static int try_idmap(void)
{
    const struct mount_options none = {0};
    int pair[2];
    autoclose int mount = mount_create("tmpfs", NULL, &none);
    if (mount < 0)
        return mount;
    if (pipe2(pair, O_CLOEXEC) < 0)
        return fail(errno, "cannot make a pipe");
    autoclose int wait = pair[0];
    autoclose int hold = pair[1];
    autoprocess struct process child = NO_PROCESS;
    pid_t pid = process_clone(CLONE_NEWUSER, -1, &child);
    if (pid < 0)
        return pid;
    if (pid == 0) {
        char byte;
        close_fd(&hold);
        while (read(wait, &byte, 1) < 0 && errno == EINTR)
            ;
        _exit(0);
    }
    char path[48];
    /* /proc is still that of the outer pid namespace, whose numbers the pidfd gives. */
    pid_t outside = process_of_pidfd(child.pidfd);
    if (outside < 0)
        return outside;
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)outside);
    int result = write_value(AT_FDCWD, path, "0 0 1");
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)outside);
    autoclose int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)outside);
    result = write_value(AT_FDCWD, path, "0 0 1");
    if (result < 0)
        return result;
    if (namespace < 0)
        return fail(errno, "cannot open a user namespace");
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                    .userns_fd = (uint64_t) namespace};
    if (sys_mount_setattr(mount, "", AT_EMPTY_PATH, &attributes) < 0)
        return fail(errno, "cannot idmap a tmpfs");
    return 0;
}

static void check_idmap_here(struct check_context *context)
{
    if (try_idmap() == 0)
        check_put(context, CHECK_IDMAP_USERNS, CHECK_PASS, 0,
                  "a tmpfs of the own user namespace can be idmapped");
    else
        check_fix(check_put_error(context, CHECK_IDMAP_USERNS, CHECK_WARN), "%s",
                  "boot Linux 6.3 or newer");
}

static void check_fsopen(struct check_context *context)
{
    sys_fsopen("", ~0U);
    if (errno == EINVAL)
        check_put(context, CHECK_FSOPEN, CHECK_PASS, 0, "there");
    else
        check_fix(check_put(context, CHECK_FSOPEN, CHECK_FAIL, errno, "%s", strerror(errno)), "%s",
                  errno == ENOSYS ? "boot Linux 5.2 or newer; inside of a container: a seccomp "
                                    "profile that knows it"
                                  : "start the outer container with --security-opt "
                                    "seccomp=unconfined");
}

static void try_mounts(struct check_context *context, bool mapped)
{
    try_mount(context, CHECK_MOUNT_PROC, "proc", 0);
    try_mount(context, CHECK_MOUNT_SYSFS, "sysfs", MOUNT_ATTR_RDONLY);
    try_mount(context, CHECK_MOUNT_TMPFS, "tmpfs", 0);
    if (mapped)
        check_idmap_here(context);
    else
        check_put(context, CHECK_IDMAP_USERNS, CHECK_UNKNOWN, 0, "no ids are mapped");
    check_overlay(context);
}

static void put_unknown(struct check_context *context, const char *why)
{
    static const uint8_t ids[] = {CHECK_MOUNT_PROC, CHECK_MOUNT_SYSFS, CHECK_MOUNT_TMPFS,
                                  CHECK_OVERLAY, CHECK_IDMAP_USERNS};
    for (size_t i = 0; i < sizeof(ids); i++)
        check_put(context, ids[i], CHECK_UNKNOWN, 0, "%s", why);
}

/* A proc belongs to the pid namespace of who mounts it, and into a new one only children go. */
static void try_in_child(struct check_context *context, bool mapped)
{
    autoprocess struct process child = NO_PROCESS;
    pid_t pid = process_clone(0, -1, &child);
    if (pid < 0) {
        put_unknown(context, "no process can be made");
        error_clear();
    } else if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        try_mounts(context, mapped);
        _exit(0);
    } else {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        child.pid = 0;
    }
}

static void try_all(struct check_context *context)
{
    check_filter(context);
    bool inside = create_user_namespace(context);
    if (inside)
        check_profile(context);
    bool mapped = inside && map_self(context);
    if (!inside && !capability_have(CAP_SYS_ADMIN)) {
        static const char why[] = "there is no user namespace to try it in";
        for (unsigned id = CHECK_NS_MOUNT; id <= CHECK_NS_CGROUP; id++)
            check_put(context, id, CHECK_UNKNOWN, 0, "%s", why);
        check_put(context, CHECK_NS_TIME, CHECK_UNKNOWN, 0, "%s", why);
        check_put(context, CHECK_FSOPEN, CHECK_UNKNOWN, 0, "%s", why);
        put_unknown(context, why);
        return;
    }
    create_others(context);
    check_fsopen(context);
    if (context->checks->list[CHECK_NS_MOUNT].status == CHECK_PASS)
        try_in_child(context, mapped);
    else /* outside, nothing of this is to be tried */
        put_unknown(context, "there is no mount namespace to try it in");
}

void check_namespaces(struct check_context *context, int fd)
{
    char byte = 0;
    /* Both are lost when the parent ends before the first, and then the socket has its end. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try_all(context);
    if (write(fd, &byte, 1) == 1) {
        while (read(fd, &byte, 1) < 0 && errno == EINTR)
            ;
    }
    _exit(0);
}
