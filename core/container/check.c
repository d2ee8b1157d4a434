/* What keeps containers of an ordinary user from working.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/check_parts.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/mountinfo.h"
#include "core/linux/process.h"

#define PATIENCE 2000 /* milliseconds for what the child does */

static const char names[CHECK_FIXED][20] = {
    [CHECK_KERNEL_USERNS] = "kernel-userns",
    [CHECK_USERNS_SWITCH] = "userns-switch",
    [CHECK_USERNS_LIMIT] = "userns-limit",
    [CHECK_APPARMOR] = "apparmor-userns",
    [CHECK_SECCOMP_FILTER] = "seccomp-filter",
    [CHECK_CHROOT] = "chroot",
    [CHECK_OWN_IDS] = "own-ids",
    [CHECK_OWN_BINARY] = "own-binary",
    [CHECK_SELINUX] = "selinux",
    [CHECK_USERNS_CREATE] = "userns-create",
    [CHECK_USERNS_MAP] = "userns-map",
    [CHECK_NO_NEW_PRIVS] = "no-new-privs",
    [CHECK_SUBUID] = "subuid-range",
    [CHECK_SUBGID] = "subgid-range",
    [CHECK_SUBIDS_MAPPED] = "subids-mapped",
    [CHECK_NEWUIDMAP] = "newuidmap",
    [CHECK_NEWGIDMAP] = "newgidmap",
    [CHECK_NS_MOUNT] = "ns-mount",
    [CHECK_NS_PID] = "ns-pid",
    [CHECK_NS_NETWORK] = "ns-network",
    [CHECK_NS_IPC] = "ns-ipc",
    [CHECK_NS_UTS] = "ns-uts",
    [CHECK_NS_CGROUP] = "ns-cgroup",
    [CHECK_PROC_MASKED] = "proc-masked",
    [CHECK_HIDEPID] = "hidepid",
    [CHECK_MOUNT_PROC] = "mount-proc",
    [CHECK_MOUNT_SYSFS] = "mount-sysfs",
    [CHECK_MOUNT_TMPFS] = "mount-tmpfs",
    [CHECK_OVERLAY] = "overlay",
    [CHECK_CGROUP_V2] = "cgroup-v2",
    [CHECK_CGROUP_DELEGATION] = "cgroup-delegation",
    [CHECK_RUNTIME_DIR] = "runtime-dir",
    [CHECK_USER_BUS] = "user-bus",
    [CHECK_HOME_FS] = "home-fs",
    [CHECK_KERNEL] = "kernel",
    [CHECK_OPEN_TREE] = "open-tree",
    [CHECK_FSOPEN] = "fsopen",
    [CHECK_MOUNT_SETATTR] = "mount-setattr",
    [CHECK_OPEN_TREE_ATTR] = "open-tree-attr",
    [CHECK_IDMAP_USERNS] = "idmap-userns",
    [CHECK_NS_TIME] = "ns-time",
    [CHECK_PIDFD] = "pidfd",
    [CHECK_CLONE3] = "clone3",
    [CHECK_CLONE_INTO_CGROUP] = "clone-into-cgroup",
    [CHECK_OPENAT2] = "openat2",
    [CHECK_CLOSE_RANGE] = "close-range",
    [CHECK_SECCOMP] = "seccomp",
    [CHECK_SECCOMP_NOTIFY] = "seccomp-notify",
    [CHECK_LANDLOCK] = "landlock",
};

struct check *check_put(struct check_context *context, unsigned id, enum check_status status,
                        int number, const char *format, ...)
{
    struct check *check = &context->checks->list[id];
    char seen[sizeof(check->seen)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(seen, sizeof(seen), format, arguments);
    va_end(arguments);
    /* Paths and files of others are in it. */
    text_printable(seen, check->seen, sizeof(check->seen));
    check->status = (uint8_t)status;
    check->number = number;
    check->cause[0] = check->fix[0] = '\0';
    return check;
}

struct check *check_put_error(struct check_context *context, unsigned id, enum check_status status)
{
    const struct error *error = error_get();
    struct check *check =
        check_put(context, id, status, error->number, "%s%s%s", error->text,
                  error->number ? ": " : "", error->number ? strerror(error->number) : "");
    error_clear();
    return check;
}

void check_fix(struct check *check, const char *format, ...)
{
    char fix[sizeof(check->fix)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fix, sizeof(fix), format, arguments);
    va_end(arguments);
    text_printable(fix, check->fix, sizeof(check->fix));
}

int check_read_line(const char *path, char *line, size_t size)
{
    autotext struct text text = {0};
    int result = read_file(AT_FDCWD, path, 65536, &text);
    error_clear();
    if (result < 0)
        return result;
    text.data[strcspn(text.data, "\n")] = '\0';
    snprintf(line, size, "%s", text.data);
    return 0;
}

const struct check *check_find(const struct checks *checks, const char *id, size_t length)
{
    for (size_t i = 0; i < checks->count; i++) {
        const char *name = checks->list[i].id;
        if (strlen(name) == length && memcmp(name, id, length) == 0)
            return &checks->list[i];
    }
    return NULL;
}

const char *check_nearest(const struct checks *checks, const char *id)
{
    const char *nearest = NULL;
    unsigned least = 4;
    for (size_t i = 0; i < checks->count; i++) {
        unsigned distance = text_distance(id, checks->list[i].id);
        if (distance < least) {
            least = distance;
            nearest = checks->list[i].id;
        }
    }
    return nearest;
}

const char *check_status_name(unsigned status)
{
    static const char words[][8] = {"unknown", "pass", "warn", "fail"};
    return words[status];
}

/* Wait for the child's byte, but not for ever. */
static void await_child(struct check_context *context, int fd)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    char byte;
    int count;
    do {
        count = poll(&event, 1, PATIENCE);
    } while (count < 0 && errno == EINTR);
    if (count == 1 && read(fd, &byte, 1) == 1)
        return;
    struct check *list = context->checks->list;
    for (unsigned id = 0; id < CHECK_FIXED; id++) {
        if (list[id].status == CHECK_UNKNOWN && !list[id].seen[0])
            check_put(context, id, CHECK_UNKNOWN, 0, "the probing process %s",
                      count == 0 ? "did not answer in time" : "ended early");
    }
}

/* The child works while this process looks at the rest. */
static int run_all(struct check_context *context)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(errno, "cannot make a pair of sockets");
    autoclose int ours = pair[0];
    autoclose int theirs = pair[1];
    check_switches(context);
    autoprocess struct process child = NO_PROCESS;
    step("start the probing process");
    pid_t pid = process_clone(0, -1, &child);
    if (pid < 0)
        return pid;
    if (pid == 0) {
        close_fd(&ours);
        trace_child("probes");
        check_namespaces(context, theirs);
    }
    close_fd(&theirs);
    step("look at the host");
    check_host(context);
    check_kernel(context);
    check_subordinates(context);
    step("wait for the probing process");
    await_child(context, ours);
    step("look at the file systems");
    check_idmaps(context, pid);
    check_causes(context);
    return 0;
}

/* The strings lie in the text. Lines that are none are passed over. */
static int list_mounts(struct check_context *context, char *text)
{
    struct mountinfo mount;
    for (int found; (found = mountinfo_next(&text, &mount)) != 0;) {
        if (found < 0)
            continue;
        struct mountinfo *mounts =
            realloc(context->mounts, (context->mount_count + 1) * sizeof(*mounts));
        if (!mounts)
            return fail(ENOMEM, "cannot allocate memory");
        mounts[context->mount_count++] = mount;
        context->mounts = mounts;
    }
    return 0;
}

int checks_run(struct checks **checks)
{
    /* Shared, so that the children need no messages. */
    struct checks *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return fail(errno, "cannot allocate memory");
    for (unsigned id = 0; id < CHECK_FIXED; id++)
        memcpy(shared->list[id].id, names[id], sizeof(names[id]));
    shared->count = CHECK_FIXED;
    struct check_context context = {
        .checks = shared,
        .uid = geteuid(),
        .gid = getegid(),
        .privileged = capability_have(CAP_SETUID) && capability_have(CAP_SETGID),
        .home = getenv("HOME"),
    };
    int result = idmap_caller_name(context.user, sizeof(context.user));
    autotext struct text lines = {0};
    if (result == 0)
        result = read_file(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &lines);
    if (result == 0)
        result = list_mounts(&context, lines.data);
    if (result < 0)
        error_clear();
    result = run_all(&context);
    free(context.mounts);
    if (result < 0)
        checks_free(shared);
    else
        *checks = shared;
    return result;
}

void checks_free(struct checks *checks)
{
    munmap(checks, sizeof(*checks));
}
