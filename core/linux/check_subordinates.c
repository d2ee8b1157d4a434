/* Subordinate ids, and the programs that give them to a user namespace. subuid(5), newuidmap(1).
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
#include "core/linux/check_parts.h"
#include "core/linux/idmap.h"
#include "core/linux/process.h"
#include "core/linux/rootless.h"
#include "core/linux/sys.h"

#define PATIENCE 2000 /* milliseconds; newuidmap has been seen to hang under no_new_privs */
#define ENOUGH   65536

/* The sides of the two maps. */
static const struct side {
    uint8_t range;  /* check of the subordinate ids */
    uint8_t helper; /* check of the program */
    char file[16];
    char program[12];
    char map[24];
} sides[2] = {
    {CHECK_SUBUID, CHECK_NEWUIDMAP, "/etc/subuid", "newuidmap", "/proc/self/uid_map"},
    {CHECK_SUBGID, CHECK_NEWGIDMAP, "/etc/subgid", "newgidmap", "/proc/self/gid_map"},
};

static uint64_t sum(const struct idmap *map)
{
    uint64_t total = 0;
    for (size_t i = 0; i < map->count; i++)
        total += map->ranges[i].size;
    return total;
}

/* The first id behind all ranges of a table: what usermod can be told to give. *shared: how many of
 * our ids are given to others as well. */
static uint64_t first_free(const struct check_context *context, const char *path,
                           const struct idmap *ours, uint64_t *shared)
{
    struct table_reader reader = {.name = path};
    struct table_field field;
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint64_t end = 100000, first = 0, count = 0;
    char number[16];
    bool own = false;
    snprintf(number, sizeof(number), "%u", context->uid);
    *shared = 0;
    reader.fd = fd;
    while (fd >= 0 && table_next(&reader, &field) > 0) {
        if (field.column == 0)
            own = strcmp(field.text, context->user) == 0 || strcmp(field.text, number) == 0;
        if (field.column == 1 && parse_u64(field.text, UINT32_MAX, &first) < 0)
            first = 0;
        if (field.column != 2 || parse_u64(field.text, UINT32_MAX, &count) < 0)
            continue;
        if (first + count > end)
            end = first + count;
        for (size_t i = 0; i < ours->count && !own; i++) {
            const struct id_range *range = &ours->ranges[i];
            uint64_t from = first > range->host ? first : range->host;
            uint64_t last = (uint64_t)range->host + range->size;
            uint64_t to = first + count < last ? first + count : last;
            *shared += from < to ? to - from : 0;
        }
    }
    error_clear();
    return end;
}

static void check_range(struct check_context *context, const struct side *side,
                        const struct idmap *map, uint64_t next)
{
    uint64_t shared, total = sum(map);
    first_free(context, side->file, map, &shared);
    struct check *check;
    if (total == 0)
        check = check_put(context, side->range, CHECK_FAIL, 0, "%s gives %s (uid %u) no ids",
                          side->file, context->user, context->uid);
    else if (total < ENOUGH)
        check = check_put(context, side->range, CHECK_WARN, 0, "%s gives %s %llu ids, not %d",
                          side->file, context->user, (unsigned long long)total, ENOUGH);
    else if (shared > 0)
        check = check_put(context, side->range, CHECK_WARN, 0,
                          "%s gives ids of %s to others as well", side->file, context->user);
    else
        check =
            check_put(context, side->range, CHECK_PASS, 0, "%s gives %s %llu ids from %u on",
                      side->file, context->user, (unsigned long long)total, map->ranges[0].host);
    if (check->status != CHECK_PASS)
        check_fix(check, "usermod --add-subuids %llu-%llu --add-subgids %llu-%llu %s",
                  (unsigned long long)next, (unsigned long long)next + ENOUGH - 1,
                  (unsigned long long)next, (unsigned long long)next + ENOUGH - 1, context->user);
}

/* Inside of a user namespace, ids that it does not have cannot be given on. */
static void check_mapped(struct check_context *context, const struct idmaps *maps)
{
    const struct idmap *both[2] = {&maps->uid, &maps->gid};
    for (size_t side = 0; side < 2; side++) {
        autotext struct text text = {0};
        if (read_file(AT_FDCWD, sides[side].map, 65536, &text) < 0) {
            check_put_error(context, CHECK_SUBIDS_MAPPED, CHECK_UNKNOWN);
            return;
        }
        for (size_t i = 0; i < both[side]->count; i++) {
            const struct id_range *range = &both[side]->ranges[i];
            if (own_map_holds(text.data, range->host, range->size))
                continue;
            check_fix(check_put(context, CHECK_SUBIDS_MAPPED, CHECK_FAIL, 0,
                                "%s: %u to %u are not all in %s", sides[side].file, range->host,
                                range->host + (range->size - 1), sides[side].map),
                      "give the outer user namespace these ids: unshare --map-auto "
                      "--map-root-user");
            return;
        }
    }
    check_put(context, CHECK_SUBIDS_MAPPED, CHECK_PASS, 0,
              "this user namespace has the subordinate ids");
}

/* As execvp(3) would find it. */
static bool find_program(const char *name, char *path, size_t size)
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

/* Run a program to its end, but not for ever; *said: its output, both streams.
 * Returns the wait status, or a negative errno (not recorded). */
static int run_program(char **argv, struct text *said)
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

/* Ranges that a name service gives (nsswitch.conf: subid), where the files give none. */
static void ask_service(struct check_context *context, const struct side *side, struct idmap *map,
                        bool groups)
{
    char path[256];
    autotext struct text said = {0};
    char option[] = "-g";
    char *users[] = {path, context->user, NULL};
    char *all[] = {path, option, context->user, NULL};
    char **argv = groups ? all : users;
    if (!find_program("getsubids", path, sizeof(path)) || run_program(argv, &said) != 0)
        return;
    /* "0: user 100000 65536" */
    for (const char *line = said.data; line && *line;) {
        const char *rest = strchr(line, ':');
        char *end;
        if (!rest || rest[1] != ' ' || !strchr(rest + 2, ' '))
            break;
        uint64_t first = strtoull(strchr(rest + 2, ' '), &end, 10);
        uint64_t size = strtoull(end, &end, 10);
        if (idmap_add(map, side->file, map->count ? sum(map) + 1 : 1, first, size) < 0)
            break;
        line = *end == '\n' ? end + 1 : NULL;
    }
    error_clear();
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
static void try_helper(struct check_context *context, const struct side *side,
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
    int status = run_program(argv, &said);
    if (said.data)
        said.data[strcspn(said.data, "\n")] = '\0';
    struct check *check;
    if (status == 0)
        check_put(context, side->helper, CHECK_PASS, 0, "%s wrote a map of %llu ids", path,
                  (unsigned long long)sum(map));
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

/* Without ids to give, the program can only be looked at. */
static void look_at_helper(struct check_context *context, const struct side *side, const char *path)
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

static void try_helpers(struct check_context *context, const struct idmaps *maps,
                        char paths[2][256])
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
        try_helper(context, &sides[i], both[i], pid, paths[i]);
    if (context->checks->list[CHECK_NEWUIDMAP].status == CHECK_PASS &&
        context->checks->list[CHECK_NEWGIDMAP].status == CHECK_PASS && write(hold, "", 1) == 1) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        child.pid = 0;
    }
}

/* Who may map any id needs no subordinate ones, nor somebody to map them. */
static void need_none(struct check_context *context)
{
    static const uint8_t ids[] = {CHECK_NO_NEW_PRIVS,  CHECK_SUBUID,    CHECK_SUBGID,
                                  CHECK_SUBIDS_MAPPED, CHECK_NEWUIDMAP, CHECK_NEWGIDMAP};
    for (size_t i = 0; i < sizeof(ids); i++)
        check_put(context, ids[i], CHECK_PASS, 0, "not needed: the caller may map any id");
}

/* The ranges, as idmaps with the caller as 0. */
static void find_ranges(struct check_context *context, struct idmaps *maps)
{
    struct idmap *both[2] = {&maps->uid, &maps->gid};
    uint64_t next = 0;
    for (size_t i = 0; i < 2; i++) {
        uint64_t shared, end;
        if (idmap_add_subordinates(both[i], sides[i].file, 1) < 0) {
            check_put_error(context, sides[i].range, CHECK_FAIL);
            both[i]->count = 0;
        }
        if (both[i]->count == 0)
            ask_service(context, &sides[i], both[i], i == 1);
        end = first_free(context, sides[i].file, both[i], &shared);
        next = end > next ? end : next;
    }
    for (size_t i = 0; i < 2; i++) {
        if (context->checks->list[sides[i].range].status == CHECK_UNKNOWN)
            check_range(context, &sides[i], both[i], next);
    }
}

void check_subordinates(struct check_context *context)
{
    struct idmaps maps = {0};
    char paths[2][256];
    bool found = true;
    if (context->privileged) {
        need_none(context);
        return;
    }
    check_put(context, CHECK_NO_NEW_PRIVS, context->no_new_privs ? CHECK_WARN : CHECK_PASS, 0,
              "no_new_privs is %s", context->no_new_privs ? "set: newuidmap cannot work" : "off");
    if (context->no_new_privs)
        check_fix(&context->checks->list[CHECK_NO_NEW_PRIVS],
                  "start it without: NoNewPrivileges=no in the unit, or docker run without "
                  "--security-opt no-new-privileges; or map one id: shimbox spec --map root");
    find_ranges(context, &maps);
    bool both = maps.uid.count > 0 && maps.gid.count > 0;
    if (both)
        check_mapped(context, &maps);
    else
        check_put(context, CHECK_SUBIDS_MAPPED, CHECK_UNKNOWN, 0, "there are no subordinate ids");
    for (size_t i = 0; i < 2; i++) {
        if (find_program(sides[i].program, paths[i], sizeof(paths[i]))) {
            look_at_helper(context, &sides[i], paths[i]);
            continue;
        }
        found = false;
        check_fix(check_put(context, sides[i].helper, CHECK_FAIL, ENOENT, "%s is not in PATH",
                            sides[i].program),
                  "apt-get install uidmap (Debian, Ubuntu) or dnf install shadow-utils");
    }
    if (both && found && idmap_add(&maps.uid, "uid map", 0, context->uid, 1) == 0 &&
        idmap_add(&maps.gid, "gid map", 0, context->gid, 1) == 0)
        try_helpers(context, &maps, paths);
    error_clear();
    idmaps_free(&maps);
}
