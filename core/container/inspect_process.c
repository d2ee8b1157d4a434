/* A process: pinned, read, and pinned still.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/linux/process_status.h"
#include "core/linux/rlimit.h"

/* Another file system at /proc could tell anything. */
static int open_proc(void)
{
    autoclose int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs system;
    if (fd < 0 || fstatfs(fd, &system) < 0 || system.f_type != PROC_SUPER_MAGIC)
        return -1;
    return take_fd(&fd);
}

/* The directory of a process in /proc stays with it: once it has ended, nothing is found there,
 * whoever gets its number. */
static int pin(struct inspect *inspect)
{
    char name[16] = "self";
    char own[16] = "";
    inspect->proc = open_proc();
    inspect->number = INSPECT_NO_PROC;
    if (inspect->proc < 0) {
        if (!inspect->self)
            return fail_config(NULL, "cannot inspect process %d: /proc is not mounted",
                               (int)inspect->pid);
        inspect->pid = getpid();
        return 0;
    }
    /* The proc of another pid namespace counts differently. */
    bool found = readlinkat(inspect->proc, "self", own, sizeof(own) - 1) > 0;
    if (inspect->self)
        inspect->pid = found ? (pid_t)strtol(own, NULL, 10) : getpid();
    else
        snprintf(name, sizeof(name), "%d", (int)inspect->pid);
    inspect->self = inspect->self || strcmp(name, own) == 0;
    inspect->process = openat(inspect->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    inspect->number = errno;
    if (inspect->process >= 0 || inspect->self)
        return 0;
    if (errno != ENOENT)
        return fail(errno, "cannot inspect process %d", (int)inspect->pid);
    return fail(ESRCH, "cannot inspect process %d", (int)inspect->pid);
}

static int read_stat(const struct inspect *inspect, struct process_stat *stat)
{
    autotext struct text text = {0};
    if (inspect->process < 0 && inspect->self) {
        process_stat_own(stat);
        return 0;
    }
    int result = inspect_read(inspect, "stat", &text);
    return result < 0 ? result : process_stat_parse(text.data, stat);
}

static void put_link(struct inspect *inspect, struct json_object *object, const char *key,
                     const char *name)
{
    autotext struct text text = {0};
    int result = inspect_link(inspect, name, &text);
    if (result < 0)
        inspect_put(inspect, object, key, inspect_error(result));
    else
        inspect_put(inspect, object, key, inspect_string(text.data, text.length));
}

/* Strings that each end with a NUL. */
static struct json_object *list_strings(struct inspect *inspect, const char *name)
{
    autotext struct text text = {0};
    int result = inspect_read(inspect, name, &text);
    if (result < 0)
        return inspect_error(result);
    struct json_object *array = json_object_new_array();
    for (size_t at = 0; array && at < text.length;) {
        size_t length = strlen(text.data + at);
        inspect_add(inspect, array, inspect_string(text.data + at, length));
        at += length + 1;
    }
    return array;
}

static struct json_object *list_environment(struct inspect *inspect)
{
    if (inspect->process >= 0)
        return list_strings(inspect, "environ");
    struct json_object *array = json_object_new_array();
    for (char **variable = environ; array && variable && *variable; variable++)
        inspect_add(inspect, array, inspect_string(*variable, strlen(*variable)));
    return array;
}

static void put_identity(struct inspect *inspect, struct json_object *object,
                         const struct process_stat *stat, int stat_result)
{
    char path[32];
    inspect_put_number(inspect, object, "pid", inspect->pid);
    if (stat_result < 0) {
        static const char keys[][16] = {"name", "process_group", "session", "terminal"};
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            inspect_put(inspect, object, keys[i], inspect_error(stat_result));
    } else {
        inspect_put_text(inspect, object, "name", stat->name);
        inspect_put_number(inspect, object, "process_group", stat->process_group);
        inspect_put_number(inspect, object, "session", stat->session);
        terminal_path(stat->terminal, path, sizeof(path));
        if (inspect->process < 0)
            inspect_put(inspect, object, "terminal", inspect_error(inspect->number));
        else if (stat->terminal)
            inspect_put_text(inspect, object, "terminal", path);
        else
            inspect_put_null(inspect, object, "terminal");
    }
    inspect_put(inspect, object, "arguments", list_strings(inspect, "cmdline"));
    put_link(inspect, object, "executable", "exe");
    if (inspect->process < 0) {
        char directory[4096];
        if (getcwd(directory, sizeof(directory)))
            inspect_put_text(inspect, object, "cwd", directory);
        else
            inspect_put(inspect, object, "cwd", inspect_error(errno));
    } else {
        put_link(inspect, object, "cwd", "cwd");
    }
    put_link(inspect, object, "root", "root");
}

/* "container host size" a line. */
static struct json_object *list_map(struct inspect *inspect, const char *name)
{
    autotext struct text text = {0};
    int result = inspect_read(inspect, name, &text);
    if (result < 0)
        return inspect_error(result);
    struct json_object *array = json_object_new_array();
    char *rest = text.data;
    for (char *line; array && (line = strsep(&rest, "\n"));) {
        static const char keys[][12] = {"container", "host", "size"};
        struct json_object *range = json_object_new_object();
        char *end = line;
        for (int i = 0; i < 3 && *line; i++) {
            inspect_put_number(inspect, range, keys[i], (int64_t)strtoul(end, &end, 10));
        }
        if (*line)
            inspect_add(inspect, array, range);
        else
            json_object_put(range);
    }
    return array;
}

static void put_id_maps(struct inspect *inspect, struct json_object *document)
{
    struct json_object *object = json_object_new_object();
    inspect_put(inspect, object, "uid", list_map(inspect, "uid_map"));
    inspect_put(inspect, object, "gid", list_map(inspect, "gid_map"));
    autotext struct text word = {0};
    int result = inspect_read(inspect, "setgroups", &word);
    inspect_put(inspect, object, "setgroups",
                result < 0 ? inspect_error(result)
                           : inspect_string(word.data, strcspn(word.data, "\n")));
    inspect_put(inspect, document, "id_maps", object);
}

/* "hierarchy:controllers:path" a line; version 2 has hierarchy 0 and no controllers. The path may
 * hold colons. */
static struct json_object *list_cgroups(struct inspect *inspect)
{
    autotext struct text text = {0};
    int result = inspect_read(inspect, "cgroup", &text);
    if (result < 0)
        return inspect_error(result);
    struct json_object *array = json_object_new_array();
    char *rest = text.data;
    for (char *path; array && (path = strsep(&rest, "\n"));) {
        const char *hierarchy = strsep(&path, ":");
        const char *controllers = strsep(&path, ":");
        if (!path)
            continue;
        struct json_object *line = json_object_new_object();
        inspect_put_number(inspect, line, "version", strcmp(hierarchy, "0") == 0 ? 2 : 1);
        inspect_put(inspect, line, "controllers", inspect_words(controllers, ","));
        inspect_put_text(inspect, line, "path", path);
        inspect_add(inspect, array, line);
    }
    return array;
}

static struct json_object *limit_value(rlim_t value)
{
    if (value == RLIM_INFINITY)
        return json_object_new_string("unlimited");
    return json_object_new_uint64(value);
}

/* Columns of /proc/PID/limits. */
#define NAME_COLUMNS  26
#define VALUE_COLUMNS 21

static rlim_t limit_number(const char *word)
{
    return starts_with(word, "unlimited") ? RLIM_INFINITY : strtoull(word, NULL, 10);
}

/* "Max open files            1024                 4096                 files" a line, in the order
 * of the resources' numbers, below a heading. */
static struct json_object *list_limits(struct inspect *inspect)
{
    autotext struct text text = {0};
    int result = inspect_read(inspect, "limits", &text);
    if (result < 0 && !inspect->self)
        return inspect_error(result);
    struct json_object *object = json_object_new_object();
    char *rest = text.data;
    strsep(&rest, "\n");
    for (int resource = 0; object && resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;
        const char *line = strsep(&rest, "\n");
        if (line) {
            if (strlen(line) < NAME_COLUMNS + VALUE_COLUMNS)
                continue;
            limit.rlim_cur = limit_number(line + NAME_COLUMNS);
            limit.rlim_max = limit_number(line + NAME_COLUMNS + VALUE_COLUMNS);
        } else if (text.data || getrlimit(resource, &limit) < 0) {
            continue;
        }
        struct json_object *both = json_object_new_object();
        inspect_put(inspect, both, "soft", limit_value(limit.rlim_cur));
        inspect_put(inspect, both, "hard", limit_value(limit.rlim_max));
        inspect_put(inspect, object, rlimit_name(resource), both);
    }
    return object;
}

static void put_scheduling(struct inspect *inspect, struct json_object *document,
                           const struct process_stat *stat, int stat_result)
{
    /* sched(7); 4 was never used. */
    static const char policies[][16] = {"SCHED_OTHER",    "SCHED_FIFO", "SCHED_RR",
                                        "SCHED_BATCH",    "",           "SCHED_IDLE",
                                        "SCHED_DEADLINE", "SCHED_EXT"};
    struct json_object *object = json_object_new_object();
    if (stat_result < 0) {
        inspect_put(inspect, object, "policy", inspect_error(stat_result));
        inspect_put(inspect, object, "priority", inspect_error(stat_result));
        inspect_put(inspect, object, "nice", inspect_error(stat_result));
    } else {
        if (stat->policy < sizeof(policies) / sizeof(policies[0]) && policies[stat->policy][0])
            inspect_put_text(inspect, object, "policy", policies[stat->policy]);
        else
            inspect_put_number(inspect, object, "policy", stat->policy);
        inspect_put_number(inspect, object, "priority", stat->priority);
        inspect_put_number(inspect, object, "nice", stat->nice);
    }
    autotext struct text score = {0};
    int result = inspect_read(inspect, "oom_score_adj", &score);
    if (result < 0)
        inspect_put(inspect, object, "oom_score_adj", inspect_error(result));
    else
        inspect_put_number(inspect, object, "oom_score_adj", strtol(score.data, NULL, 10));
    inspect_put(inspect, document, "scheduling", object);
}

static int compose(struct inspect *inspect, const struct process_stat *stat, int stat_result,
                   struct json_object *document)
{
    struct json_object *process = json_object_new_object();
    if (!process)
        return -ENOMEM;
    inspect_put(inspect, document, "process", process);
    put_identity(inspect, process, stat, stat_result);
    put_scheduling(inspect, document, stat, stat_result);
    /* Adds to these, and puts ids, capabilities, security, signals. */
    inspect_status(inspect, document);
    put_id_maps(inspect, document);
    inspect_put(inspect, document, "namespaces", inspect_namespaces(inspect));
    inspect_put(inspect, document, "cgroups", list_cgroups(inspect));
    inspect_put(inspect, document, "limits", list_limits(inspect));
    inspect_put(inspect, document, "descriptors", inspect_descriptors(inspect));
    inspect_put(inspect, document, "environment", list_environment(inspect));
    inspect_put(inspect, document, "mounts", inspect_mounts(inspect));
    inspect_put(inspect, document, "interfaces", inspect_interfaces(inspect));
    return inspect->failed ? -ENOMEM : 0;
}

/* What was read is of one process, and of all of its life or all of its death: a zombie has neither
 * files nor memory. */
static bool has_ended(const struct inspect *inspect, const struct process_stat *before)
{
    struct process_stat now;
    int result = read_stat(inspect, &now);
    if (result < 0)
        return result == -ESRCH || result == -ENOENT;
    return strchr("ZX", now.state) && !strchr("ZX", before->state);
}

int inspect_process(pid_t pid, unsigned filled, struct json_object **document)
{
    struct inspect inspect = {
        .self = pid == 0, .pid = pid, .filled = filled, .proc = -1, .process = -1};
    struct process_stat stat = {0};
    int result = pin(&inspect);
    struct json_object *object = result < 0 ? NULL : json_object_new_object();
    if (result == 0 && !object)
        result = -ENOMEM;
    if (result == 0) {
        int stat_result = read_stat(&inspect, &stat);
        result = compose(&inspect, &stat, stat_result, object);
        if (result == 0 && !inspect.self && has_ended(&inspect, &stat))
            result = fail_config(NULL, "process %d ended while it was inspected", (int)pid);
    }
    close_fd(&inspect.process);
    close_fd(&inspect.proc);
    if (result == -ENOMEM)
        fail(ENOMEM, "cannot compose the answer");
    if (result == 0)
        *document = object;
    else
        json_object_put(object);
    return result;
}
