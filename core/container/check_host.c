/* Checks of the host that need no child: chroot, cgroups, folders of the user.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/container/check_parts.h"
#include "core/linux/cgroup.h"
#include "core/linux/rootless.h"

/* Not in every linux/magic.h. */
#define GPFS_MAGIC   0x47504653
#define LUSTRE_MAGIC 0x0bd00bd0

static void check_root(struct check_context *context)
{
    if (context->mount_count == 0) {
        check_put(context, CHECK_CHROOT, CHECK_UNKNOWN, 0, "/proc/self/mountinfo cannot be read");
        return;
    }
    for (size_t i = 0; i < context->mount_count; i++) {
        if (strcmp(context->mounts[i].point, "/") == 0) {
            check_put(context, CHECK_CHROOT, CHECK_PASS, 0, "/ is a mount point");
            return;
        }
    }
    check_fix(check_put(context, CHECK_CHROOT, CHECK_FAIL, 0,
                        "/ is not a mount point in /proc/self/mountinfo: this is a chroot"),
              "in place of chroot DIR PROGRAM: unshare --mount sh -c 'mount --rbind DIR DIR && "
              "cd DIR && pivot_root . . && umount -l . && exec PROGRAM'");
}

void check_switches(struct check_context *context)
{
    char line[64];
    if (access("/proc/self/ns/user", F_OK) == 0)
        check_put(context, CHECK_KERNEL_USERNS, CHECK_PASS, 0, "/proc/self/ns/user is there");
    else
        check_put(context, CHECK_KERNEL_USERNS, CHECK_UNKNOWN, errno, "/proc/self/ns/user: %s",
                  strerror(errno));
    if (check_read_line("/proc/sys/kernel/unprivileged_userns_clone", line, sizeof(line)) == 0)
        check_put(context, CHECK_USERNS_SWITCH, CHECK_PASS, 0,
                  "kernel.unprivileged_userns_clone is %s", line);
    else
        check_put(context, CHECK_USERNS_SWITCH, CHECK_PASS, 0, "this kernel has no such switch");
    if (check_read_line("/proc/sys/user/max_user_namespaces", line, sizeof(line)) == 0)
        check_put(context, CHECK_USERNS_LIMIT, CHECK_PASS, 0, "user.max_user_namespaces is %s",
                  line);
    else
        check_put(context, CHECK_USERNS_LIMIT, CHECK_UNKNOWN, 0,
                  "/proc/sys/user/max_user_namespaces cannot be read");
    const char *apparmor = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    context->confined = check_read_line(apparmor, line, sizeof(line)) == 0 && line[0] != '0';
    check_put(context, CHECK_APPARMOR, CHECK_PASS, 0,
              "AppArmor does not restrict user namespaces here");
    context->filtered = prctl(PR_GET_SECCOMP) == 2;
    check_put(context, CHECK_SECCOMP_FILTER, CHECK_PASS, 0, "%s",
              context->filtered ? "a seccomp filter is active, and lets unshare pass"
                                : "no seccomp filter is active");
    context->enforcing =
        check_read_line("/sys/fs/selinux/enforce", line, sizeof(line)) == 0 && line[0] == '1';
    check_put(context, CHECK_SELINUX, CHECK_PASS, 0, "SELinux is %s",
              context->enforcing ? "enforcing, and refused nothing" : "not enforcing");
    context->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static void check_own_ids(struct check_context *context)
{
    static const char *const files[] = {"/proc/self/uid_map", "/proc/self/gid_map"};
    const uint32_t ids[] = {context->uid, context->gid};
    for (size_t i = 0; i < 2; i++) {
        autotext struct text map = {0};
        if (read_file(AT_FDCWD, files[i], 65536, &map) < 0) {
            check_put_error(context, CHECK_OWN_IDS, CHECK_UNKNOWN);
            return;
        }
        if (!own_map_holds(map.data, ids[i], 1)) {
            check_fix(check_put(context, CHECK_OWN_IDS, CHECK_FAIL, 0,
                                "%u, the own id, is not mapped by %s", ids[i], files[i]),
                      "map it in the outer namespace: unshare --map-root-user");
            return;
        }
    }
    check_put(context, CHECK_OWN_IDS, CHECK_PASS, 0, "uid %u and gid %u are mapped", context->uid,
              context->gid);
}

static void check_own_binary(struct check_context *context)
{
    char path[256];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    autoclose int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int number = errno;
    if (fd >= 0) {
        check_put(context, CHECK_OWN_BINARY, CHECK_PASS, 0, "%s can be read", path);
        return;
    }
    struct check *check =
        check_put(context, CHECK_OWN_BINARY, number == EACCES ? CHECK_FAIL : CHECK_UNKNOWN, number,
                  "cannot open /proc/self/exe (%s): %s", path, strerror(number));
    if (number == EACCES)
        check_fix(check, "chmod a+r %s", path);
}

static void check_hidepid(struct check_context *context)
{
    bool hidden = false, found = false;
    for (size_t i = 0; i < context->mount_count; i++) {
        const struct mountinfo *mount = &context->mounts[i];
        if (strcmp(mount->point, "/proc") == 0 && strcmp(mount->type, "proc") == 0) {
            const char *option = strstr(mount->filesystem, "hidepid=");
            hidden = option && strncmp(option, "hidepid=0", 9) != 0 &&
                     strncmp(option, "hidepid=off", 11) != 0;
            found = true;
        }
    }
    if (hidden)
        check_fix(check_put(context, CHECK_HIDEPID, CHECK_WARN, 0,
                            "/proc is mounted with hidepid: processes of others cannot be seen"),
                  "mount -o remount,hidepid=0 /proc");
    else
        check_put(context, CHECK_HIDEPID, found ? CHECK_PASS : CHECK_UNKNOWN, 0, "%s",
                  found ? "/proc hides no processes" : "no proc is mounted on /proc");
}

static const char delegate[] =
    "mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io "
    "memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload";

static void check_delegation(struct check_context *context)
{
    static const char *const files[] = {"", "/cgroup.procs", "/cgroup.subtree_control"};
    static const char wanted[][8] = {"cpu", "cpuset", "io", "memory", "pids"};
    char path[PATH_MAX + 32], controllers[256] = "";
    autotext struct text missing = {0};
    autocgroup struct cgroup cgroup;
    autoclose int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (cgroup_find(&cgroup, self, "") < 0) {
        check_put(context, CHECK_CGROUP_DELEGATION, CHECK_UNKNOWN, 0, "%s", error_get()->text);
        error_clear();
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", cgroup.path, files[i]);
        if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0) {
            check_fix(check_put(context, CHECK_CGROUP_DELEGATION, CHECK_WARN, errno,
                                "cannot write to %s: %s", path, strerror(errno)),
                      "%s", delegate);
            return;
        }
    }
    snprintf(path, sizeof(path), "%s/cgroup.controllers", cgroup.path);
    check_read_line(path, controllers, sizeof(controllers));
    char padded[sizeof(controllers) + 2];
    snprintf(padded, sizeof(padded), " %s ", controllers);
    for (size_t i = 0; i < 5; i++) {
        char word[48];
        snprintf(word, sizeof(word), " %s ", wanted[i]);
        if (!strstr(padded, word))
            text_append_format(&missing, " %s", wanted[i]);
    }
    if (missing.length > 0)
        check_fix(check_put(context, CHECK_CGROUP_DELEGATION, CHECK_WARN, 0,
                            "%s can be written to, but lacks controllers:%s", cgroup.path,
                            missing.data),
                  "%s", delegate);
    else
        check_put(context, CHECK_CGROUP_DELEGATION, CHECK_PASS, 0, "%s: %s", cgroup.path,
                  controllers);
}

static void check_cgroups(struct check_context *context)
{
    bool new = false;
    bool old = false;
    for (size_t i = 0; i < context->mount_count; i++) {
        const struct mountinfo *mount = &context->mounts[i];
        old = old || strcmp(mount->type, "cgroup") == 0;
        new = new || strcmp(mount->type, "cgroup2") == 0;
    }
    struct statfs system;
    if (statfs("/sys/fs/cgroup", &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC)
        check_put(context, CHECK_CGROUP_V2, CHECK_PASS, 0, "/sys/fs/cgroup is version 2");
    else
        check_fix(check_put(context, CHECK_CGROUP_V2, CHECK_WARN, 0,
                            "/sys/fs/cgroup is not version 2%s: limits cannot be set by a user",
                            old && new ? ", but a mixture with version 1"
                            : old      ? ", but version 1"
                                       : ""),
                  "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line");
    check_delegation(context);
}

static void check_bus(struct check_context *context, const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", folder);
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        check_put(context, CHECK_USER_BUS, CHECK_PASS, 0, "%s answers", address.sun_path);
    else
        check_fix(check_put(context, CHECK_USER_BUS, CHECK_WARN, errno, "cannot connect to %s: %s",
                            address.sun_path, strerror(errno)),
                  "apt-get install dbus-user-session && loginctl enable-linger %s", context->user);
}

static void check_runtime(struct check_context *context)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    struct check *check = NULL;
    struct stat status;
    if (!folder || folder[0] != '/') {
        char used[32] = "/run";
        if (context->uid)
            snprintf(used, sizeof(used), "/tmp/shimbox-%u", context->uid);
        check =
            check_put(context, CHECK_RUNTIME_DIR, context->uid ? CHECK_WARN : CHECK_PASS, 0,
                      "XDG_RUNTIME_DIR is not %s; %s is used", folder ? "absolute" : "set", used);
        check_put(context, CHECK_USER_BUS, context->uid ? CHECK_WARN : CHECK_PASS, 0,
                  context->uid ? "without XDG_RUNTIME_DIR there is no bus" : "root needs none");
    } else {
        if (stat(folder, &status) < 0)
            check = check_put(context, CHECK_RUNTIME_DIR, CHECK_FAIL, errno,
                              "XDG_RUNTIME_DIR=%s: %s", folder, strerror(errno));
        else if (!S_ISDIR(status.st_mode))
            check = check_put(context, CHECK_RUNTIME_DIR, CHECK_FAIL, ENOTDIR,
                              "XDG_RUNTIME_DIR=%s is not a directory", folder);
        else if (status.st_uid != context->uid)
            check = check_put(context, CHECK_RUNTIME_DIR, CHECK_FAIL, 0,
                              "XDG_RUNTIME_DIR=%s belongs to uid %u, not %u", folder, status.st_uid,
                              context->uid);
        else if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0)
            check = check_put(context, CHECK_RUNTIME_DIR, CHECK_FAIL, errno,
                              "cannot write to XDG_RUNTIME_DIR=%s: %s", folder, strerror(errno));
        else
            check_put(context, CHECK_RUNTIME_DIR, CHECK_PASS, 0, "%s is the caller's", folder);
        check_bus(context, folder);
    }
    if (check && check->status != CHECK_PASS)
        check_fix(check, "loginctl enable-linger %s; machinectl shell %s@ (in place of su or sudo)",
                  context->user, context->user);
}

/* The mount point that path stands on: the longest that it begins with. */
static void find_mount(struct check_context *context, const char *path, char *point, size_t size)
{
    size_t longest = 0;
    snprintf(point, size, "/");
    for (size_t i = 0; i < context->mount_count; i++) {
        const char *mount = context->mounts[i].point;
        size_t length = strlen(mount);
        if (length > longest && strncmp(path, mount, length) == 0 &&
            (length == 1 || path[length] == '/' || !path[length])) {
            longest = length;
            snprintf(point, size, "%s", mount);
        }
    }
}

static void check_home(struct check_context *context)
{
    struct statvfs flags;
    struct statfs system;
    if (!context->home || context->home[0] != '/') {
        check_put(context, CHECK_HOME_FS, CHECK_UNKNOWN, 0, "HOME is not set");
        return;
    }
    if (statvfs(context->home, &flags) < 0 || statfs(context->home, &system) < 0) {
        check_fix(check_put(context, CHECK_HOME_FS, CHECK_WARN, errno, "HOME=%s: %s", context->home,
                            strerror(errno)),
                  "export HOME=DIR, one that is there");
        return;
    }
    const unsigned long kind = (unsigned long)system.f_type;
    bool remote = kind == NFS_SUPER_MAGIC || kind == GPFS_MAGIC || kind == LUSTRE_MAGIC;
    unsigned long bad = flags.f_flag & (ST_NOEXEC | ST_NOSUID | ST_NODEV | ST_RDONLY);
    if (remote) {
        check_fix(check_put(context, CHECK_HOME_FS, CHECK_WARN, 0,
                            "%s is on a file system of another machine (type %#lx), which does not "
                            "know subordinate ids",
                            context->home, kind),
                  "keep root file systems elsewhere: shimbox run --rootfs /var/tmp/...");
    } else if (bad) {
        char point[256];
        find_mount(context, context->home, point, sizeof(point));
        check_fix(check_put(context, CHECK_HOME_FS, bad & ST_NOEXEC ? CHECK_FAIL : CHECK_WARN, 0,
                            "%s is on a mount with%s%s%s%s", context->home,
                            bad & ST_NOEXEC ? " noexec" : "", bad & ST_NOSUID ? " nosuid" : "",
                            bad & ST_NODEV ? " nodev" : "", bad & ST_RDONLY ? " ro" : ""),
                  "mount -o remount,bind,rw,exec,suid,dev %s", point);
    } else {
        check_put(context, CHECK_HOME_FS, CHECK_PASS, 0, "%s is on a local file system",
                  context->home);
    }
}

void check_host(struct check_context *context)
{
    check_root(context);
    check_own_ids(context);
    check_own_binary(context);
    check_hidepid(context);
    check_cgroups(context);
    check_runtime(context);
    check_home(context);
}
