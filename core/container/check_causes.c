/* Which cause explains which failure. An errno alone does not tell: EPERM has many.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/container/check_parts.h"

/* The failure of `id` comes from `cause`, whose remedy is the remedy. */
static void blame(struct check_context *context, unsigned id, unsigned cause)
{
    struct check *list = context->checks->list;
    if (id == cause || list[id].cause[0])
        return;
    memcpy(list[id].cause, list[cause].id, sizeof(list[id].cause));
    memcpy(list[id].fix, list[cause].fix, sizeof(list[id].fix));
}

static bool has_failed(const struct check_context *context, unsigned id)
{
    return context->checks->list[id].status == CHECK_FAIL;
}

/* The switch, the limit and AppArmor were passed over until something failed as they make it. */
static void accuse_switch(struct check_context *context)
{
    char value[32];
    if (check_read_line("/proc/sys/kernel/unprivileged_userns_clone", value, sizeof(value)) == 0 &&
        strcmp(value, "0") == 0)
        check_fix(check_put(context, CHECK_USERNS_SWITCH, CHECK_FAIL, 0,
                            "kernel.unprivileged_userns_clone is 0"),
                  "sysctl -w kernel.unprivileged_userns_clone=1");
}

static void accuse_limit(struct check_context *context)
{
    char value[32] = "?";
    check_read_line("/proc/sys/user/max_user_namespaces", value, sizeof(value));
    check_fix(check_put(context, CHECK_USERNS_LIMIT, CHECK_FAIL, 0,
                        "user.max_user_namespaces is %s%s", value,
                        strcmp(value, "0") == 0
                            ? ""
                            : ": used up, or lower in a namespace outside, or 32 are nested"),
              "sysctl -w user.max_user_namespaces=28633");
}

static void accuse_apparmor(struct check_context *context)
{
    char path[128];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    struct check *check = &context->checks->list[CHECK_APPARMOR];
    if (check->status != CHECK_FAIL)
        check = check_put(context, CHECK_APPARMOR, CHECK_FAIL, 0,
                          "kernel.apparmor_restrict_unprivileged_userns is on");
    check_fix(check,
              "printf 'profile shimbox %s flags=(unconfined) { userns, }\\n' "
              ">/etc/apparmor.d/shimbox && apparmor_parser -r /etc/apparmor.d/shimbox",
              path);
}

static void accuse_selinux(struct check_context *context)
{
    check_fix(check_put(context, CHECK_SELINUX, CHECK_FAIL, 0,
                        "SELinux is enforcing, and something was refused"),
              "ausearch -m avc -ts recent; dnf install container-selinux; relabel with :Z");
}

static void accuse_kernel(struct check_context *context)
{
    check_fix(check_put(context, CHECK_KERNEL_USERNS, CHECK_FAIL, 0,
                        "/proc/self/ns/user is not there: the kernel lacks user namespaces"),
              "boot a kernel with CONFIG_USER_NS=y");
}

void check_accuse_filter(struct check_context *context, int number)
{
    check_fix(check_put(context, CHECK_SECCOMP_FILTER, CHECK_FAIL, number,
                        "a seccomp filter answers unshare with: %s", strerror(number)),
              "start the outer container with --security-opt seccomp=unconfined");
}

/* What the errno of unshare(CLONE_NEWUSER) may come from, as far as it is so here. */
static void find_suspects(struct check_context *context, int number)
{
    bool without = context->checks->list[CHECK_KERNEL_USERNS].number == ENOENT;
    if (number == EINVAL && without && access("/proc/self/ns/mnt", F_OK) == 0)
        accuse_kernel(context);
    else if (number == EINVAL && context->filtered) /* the kernel would have no reason */
        check_accuse_filter(context, number);
    if (number == EPERM)
        accuse_switch(context);
    if (number == ENOSPC && !has_failed(context, CHECK_SECCOMP_FILTER))
        accuse_limit(context);
    if (context->confined && (number == EACCES || number == EPERM))
        accuse_apparmor(context);
    if (context->enforcing && number == EACCES)
        accuse_selinux(context);
}

static void explain_create(struct check_context *context)
{
    struct check *check = &context->checks->list[CHECK_USERNS_CREATE];
    if (check->status != CHECK_FAIL)
        return;
    find_suspects(context, check->number);
    for (unsigned id = CHECK_KERNEL_USERNS; id < CHECK_USERNS_CREATE; id++) {
        bool fits = id == CHECK_SECCOMP_FILTER || id == CHECK_SELINUX || id == CHECK_APPARMOR ||
                    (id == CHECK_KERNEL_USERNS && check->number == EINVAL) ||
                    (id == CHECK_USERNS_LIMIT && check->number == ENOSPC) ||
                    (id != CHECK_OWN_BINARY && check->number == EPERM);
        if (fits && has_failed(context, id)) {
            blame(context, CHECK_USERNS_CREATE, id);
            return;
        }
    }
    check_fix(check, check->number == EPERM
                         ? "none of the known causes is seen; a chroot into a mount point, and "
                           "security modules, do this too"
                         : "the cause is not known");
}

/* A map or a mount that is refused in a namespace that could be made. */
static void explain_inside(struct check_context *context)
{
    static const uint8_t ids[] = {CHECK_USERNS_MAP,  CHECK_NS_MOUNT,   CHECK_NS_PID,
                                  CHECK_NS_NETWORK,  CHECK_NS_IPC,     CHECK_NS_UTS,
                                  CHECK_NS_CGROUP,   CHECK_MOUNT_PROC, CHECK_MOUNT_SYSFS,
                                  CHECK_MOUNT_TMPFS, CHECK_OVERLAY};
    struct check *list = context->checks->list;
    for (size_t i = 0; i < sizeof(ids); i++) {
        struct check *check = &list[ids[i]];
        bool refused = check->number == EACCES || check->number == EPERM;
        if (check->status == CHECK_PASS || check->status == CHECK_UNKNOWN || !refused)
            continue;
        if (has_failed(context, CHECK_APPARMOR)) {
            accuse_apparmor(context);
            blame(context, ids[i], CHECK_APPARMOR);
        } else if (ids[i] == CHECK_USERNS_MAP && has_failed(context, CHECK_OWN_BINARY)) {
            blame(context, ids[i], CHECK_OWN_BINARY);
        } else if (context->enforcing && check->number == EACCES) {
            accuse_selinux(context);
            blame(context, ids[i], CHECK_SELINUX);
        } else if (ids[i] > CHECK_USERNS_MAP && list[CHECK_USERNS_MAP].status == CHECK_FAIL) {
            blame(context, ids[i], CHECK_USERNS_MAP);
        }
    }
}

/* Lists what is mounted below a folder; false if nothing is. */
static bool list_below(struct check_context *context, const char *folder, char *list, size_t size)
{
    size_t used = 0, length = strlen(folder);
    list[0] = '\0';
    for (size_t i = 0; i < context->mount_count; i++) {
        const char *point = context->mounts[i].point;
        if (strncmp(point, folder, length) == 0 && point[length] == '/' &&
            used + strlen(point) + 2 < size)
            used += (size_t)snprintf(list + used, size - used, " %s", point);
    }
    return used > 0;
}

/* Who cannot see all of /proc may not mount another one (mount_too_revealing() in the kernel). */
static void explain_proc(struct check_context *context)
{
    struct check *check = &context->checks->list[CHECK_MOUNT_PROC];
    char below[128];
    bool masked = list_below(context, "/proc", below, sizeof(below));
    if (check->status != CHECK_FAIL || check->number != EPERM || !masked) {
        check_put(context, CHECK_PROC_MASKED, CHECK_PASS, 0, "%s%s",
                  masked ? "mounts below /proc do not matter:" : "nothing is mounted below /proc",
                  below);
        return;
    }
    check_fix(check_put(context, CHECK_PROC_MASKED, CHECK_FAIL, 0, "parts of /proc are covered:%s",
                        below),
              "start the outer container with --security-opt unmask=ALL (podman), "
              "systempaths=unconfined (docker), procMount: Unmasked (Kubernetes); or bind /proc: "
              "shimbox spec --nested");
    blame(context, CHECK_MOUNT_PROC, CHECK_PROC_MASKED);
}

static void explain_sysfs(struct check_context *context)
{
    struct check *check = &context->checks->list[CHECK_MOUNT_SYSFS];
    char below[128];
    if (check->status != CHECK_FAIL || check->number != EPERM || check->cause[0])
        return;
    if (has_failed(context, CHECK_NS_NETWORK))
        blame(context, CHECK_MOUNT_SYSFS, CHECK_NS_NETWORK);
    else if (list_below(context, "/sys", below, sizeof(below)) || !below[0])
        check_fix(check, "bind /sys read-only: shimbox spec --nested");
}

static void explain_helpers(struct check_context *context)
{
    static const uint8_t causes[] = {CHECK_USERNS_CREATE, CHECK_NO_NEW_PRIVS, CHECK_SUBIDS_MAPPED,
                                     CHECK_OWN_IDS, CHECK_OWN_BINARY};
    struct check *list = context->checks->list;
    for (unsigned id = CHECK_NEWUIDMAP; id <= CHECK_NEWGIDMAP; id++) {
        /* One that is missing, or lacks the power, is its own cause. */
        if (list[id].status != CHECK_FAIL || list[id].fix[0])
            continue;
        for (size_t i = 0; i < sizeof(causes); i++) {
            bool so = causes[i] == CHECK_NO_NEW_PRIVS ? context->no_new_privs
                                                      : has_failed(context, causes[i]);
            if (so)
                blame(context, id, causes[i]);
        }
    }
}

/* Without controllers there is nothing to delegate. */
static void explain_delegation(struct check_context *context)
{
    struct check *list = context->checks->list;
    if (list[CHECK_CGROUP_V2].status == CHECK_WARN &&
        list[CHECK_CGROUP_DELEGATION].status == CHECK_WARN)
        blame(context, CHECK_CGROUP_DELEGATION, CHECK_CGROUP_V2);
    if (list[CHECK_RUNTIME_DIR].status >= CHECK_WARN && list[CHECK_USER_BUS].status >= CHECK_WARN)
        blame(context, CHECK_USER_BUS, CHECK_RUNTIME_DIR);
}

void check_causes(struct check_context *context)
{
    explain_create(context);
    explain_proc(context);
    explain_inside(context);
    explain_sysfs(context);
    explain_helpers(context);
    explain_delegation(context);
}
