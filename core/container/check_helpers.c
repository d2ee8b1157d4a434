/* newuidmap and newgidmap, tried on a child.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/table.h"
#include "core/base/trace.h"
#include "core/container/check_parts.h"
#include "core/linux/idmap.h"
#include "core/linux/process.h"
#include "core/linux/rootless.h"
#include "core/linux/sys.h"

#define PATIENCE 2000 /* milliseconds; newuidmap has been seen to hang under no_new_privs */

const struct check_side check_sides[2] = {
    {CHECK_SUBUID, CHECK_NEWUIDMAP, "/etc/subuid", "newuidmap", "/proc/self/uid_map"},
    {CHECK_SUBGID, CHECK_NEWGIDMAP, "/etc/subgid", "newgidmap", "/proc/self/gid_map"},
};

uint64_t check_count_ids(const struct idmap *map)
{
    uint64_t total = 0;
    for (size_t i = 0; i < map->count; i++)
        total += map->ranges[i].size;
    return total;
}

bool check_find_program(const char *name, char *path, size_t size)
{
    const char *list = getenv("PATH");
    list = list ? list : "/usr/local/bin:/usr/bin:/bin";
    while (*list) {
        size_t length = strcspn(list, ":");
        snprintf(path, size, "%.*s/%s", (int)length, list, name);
        if (length > 0 && access(path, X_OK) == 0)
            return true;
        list += length;
        list += *list == ':';
    }
    return false;
}

int check_run_program(char **argv, struct text *said)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    autoclose int from = pair[0];
    autoclose int to = pair[1];
    autoprocess struct process child = NO_PROCESS;
    step("run %s", argv[0]);
    pid_t pid = process_clone(0, -1, &child);
    if (pid < 0) {
        error_clear();
        return pid;
    }
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null >= 0)
            dup2(null, STDIN_FILENO);
        dup2(to, STDOUT_FILENO);
        dup2(to, STDERR_FILENO);
        /* An exec of a set-uid program clears it; until then it holds. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        process_reset_signals();
        execv(argv[0], argv);
        _exit(127);
    }
    close_fd(&to);
    struct pollfd event = {.fd = child.pidfd, .events = POLLIN};
    int count;
    do {
        count = poll(&event, 1, PATIENCE);
    } while (count < 0 && errno == EINTR);
    if (count != 1)
        return -ETIMEDOUT;
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    child.pid = 0;
    /* What it left running may hold the pipe: only what is there is read. */
    char buffer[512];
    fcntl(from, F_SETFL, O_NONBLOCK);
    ssize_t length = read(from, buffer, sizeof(buffer));
    text_append_bytes(said, buffer, length > 0 ? (size_t)length : 0);
    return status;
}

/* Can this file give ids away at all? Says what is missing, or NULL. */
static const char *find_weakness(const char *path)
{
    struct stat status;
    struct statvfs flags;
    char capability[64];
    if (stat(path, &status) < 0 || statvfs(path, &flags) < 0)
        return "cannot be looked at";
    bool set_uid = status.st_mode & S_ISUID && status.st_uid == 0;
    if (!set_uid && getxattr(path, "security.capability", capability, sizeof(capability)) <= 0)
        return "is neither set-uid root nor has it capabilities";
    return flags.f_flag & ST_NOSUID ? "is on a mount with nosuid" : NULL;
}

/* newuidmap PID INSIDE OUTSIDE SIZE ... on the child, which is in a new user namespace. */
static void try_helper(struct check_context *context, const struct check_side *side,
                       const struct idmap *map, pid_t pid, char *path)
{
    const char *weakness = find_weakness(path);
    autotext struct text said = {0};
    size_t count = map->count > IDMAP_EXTENTS_MAX ? IDMAP_EXTENTS_MAX : map->count;
    autofree char **argv = calloc(3 + count * 3, sizeof(*argv));
    autofree char *numbers = calloc(2 + count * 3, 12);
    if (!argv || !numbers)
        return;
    argv[0] = path;
    argv[1] = numbers;
    snprintf(numbers, 12, "%d", (int)pid);
    for (size_t i = 0; i < count * 3; i++) {
        const struct id_range *range = &map->ranges[i / 3];
        argv[2 + i] = numbers + (i + 1) * 12;
        snprintf(argv[2 + i], 12, "%u",
                 i % 3 == 0   ? range->container
                 : i % 3 == 1 ? range->host
                              : range->size);
    }
    int status = check_run_program(argv, &said);
    if (said.data)
        said.data[strcspn(said.data, "\n")] = '\0';
    struct check *check;
    if (status == 0)
        check_put(context, side->helper, CHECK_PASS, 0, "%s wrote a map of %llu ids", path,
                  (unsigned long long)check_count_ids(map));
    else if (status == -ETIMEDOUT)
        check_put(context, side->helper, CHECK_FAIL, ETIMEDOUT, "%s did not end, and was ended",
                  path);
    else if (weakness)
        check_put(context, side->helper, CHECK_FAIL, EPERM, "%s %s: %s", path, weakness,
                  said.data ? said.data : "");
    else
        check_put(context, side->helper, CHECK_FAIL, EPERM, "%s failed: %s", path,
                  said.data ? said.data : "");
    check = &context->checks->list[side->helper];
    if (weakness && check->status == CHECK_FAIL && !context->no_new_privs)
        check_fix(check,
                  strstr(weakness, "nosuid")
                      ? "mount -o remount,suid the mount that %s is on"
                      : "chmod u+s %s, or install it anew: apt-get install --reinstall "
                        "uidmap; dnf reinstall shadow-utils",
                  path);
}

void check_look_at_helper(struct check_context *context, const struct check_side *side,
                          const char *path)
{
    const char *weakness = find_weakness(path);
    check_put(context, side->helper, weakness ? CHECK_FAIL : CHECK_UNKNOWN, 0, "%s %s", path,
              weakness ? weakness : "is there, but there are no ids to try it with");
}

/* Other users of a container, being subordinate ids, reach the home directory as others do. */
static void visit_home(struct check_context *context)
{
    char path[512];
    if (!context->home || context->home[0] != '/' ||
        context->checks->list[CHECK_HOME_FS].status != CHECK_PASS || setresgid(1, 1, 1) < 0 ||
        setresuid(1, 1, 1) < 0 || access(context->home, X_OK) == 0)
        return;
    snprintf(path, sizeof(path), "%s", context->home);
    for (size_t i = 1; i <= strlen(context->home); i++) {
        if (context->home[i] && context->home[i] != '/')
            continue;
        path[i] = '\0';
        if (access(path, X_OK) < 0) {
            check_fix(check_put(context, CHECK_HOME_FS, CHECK_WARN, errno,
                                "subordinate ids cannot go through %s: %s", path, strerror(errno)),
                      "chmod a+x %s", path);
            return;
        }
        path[i] = context->home[i];
    }
}

/* In the child: wait until the maps are there (a byte), or nothing is to be done (the end). */
static void be_mapped(struct check_context *context, int fd)
{
    char byte;
    ssize_t count;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    do {
        count = read(fd, &byte, 1);
    } while (count < 0 && errno == EINTR);
    if (count == 1)
        visit_home(context);
    _exit(0);
}

void check_try_helpers(struct check_context *context, const struct idmaps *maps, char paths[2][256])
{
    const struct idmap *both[2] = {&maps->uid, &maps->gid};
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return;
    autoclose int wait = pair[0];
    autoclose int hold = pair[1];
    autoprocess struct process child = NO_PROCESS;
    pid_t pid = process_clone(CLONE_NEWUSER, -1, &child);
    if (pid < 0) {
        check_put_error(context, CHECK_NEWUIDMAP, CHECK_UNKNOWN);
        check_put(context, CHECK_NEWGIDMAP, CHECK_UNKNOWN, 0,
                  "there is no user namespace to try it on");
        return;
    }
    if (pid == 0) {
        close_fd(&hold);
        be_mapped(context, wait);
    }
    for (size_t i = 0; i < 2; i++)
        try_helper(context, &check_sides[i], both[i], pid, paths[i]);
    if (context->checks->list[CHECK_NEWUIDMAP].status == CHECK_PASS &&
        context->checks->list[CHECK_NEWGIDMAP].status == CHECK_PASS && write(hold, "", 1) == 1) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        child.pid = 0;
    }
}
