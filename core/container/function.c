/* A program as a function.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/function.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/moment.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/bundle.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/function_entry.h"
#include "core/container/guard.h"
#include "core/linux/signals.h"
#include "core/oci/config.h"

/* One call while it lasts. */
struct calling {
    struct function *function;
    const struct function_call *call;
    struct function_result *result;
    int inside[FUNCTION_STREAMS]; /* the container's ends of its streams */
    int64_t deadline;             /* microseconds; 0: none */
    bool running;                 /* the program; before that its input may still be another's */
};

static int64_t microseconds(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

/* ---- as the driver of the container ---- */

static void close_inside(struct calling *calling)
{
    for (int i = 0; i < FUNCTION_STREAMS; i++)
        close_fd(&calling->inside[i]);
}

static int running(void *context)
{
    struct calling *calling = context;
    calling->running = true;
    close_inside(calling);
    return 0;
}

/* While the child is busy. */
static void set_up(void *context)
{
    struct function *function = ((const struct calling *)context)->function;
    if (!function->warned)
        bundle_warn(function->config, false);
    function->warned = true;
}

static bool flows(const struct calling *calling, int stream)
{
    return calling->running || (stream == FUNCTION_INPUT && calling->call->own_input);
}

static int wait_for_streams(void *context, struct pollfd events[DRIVER_EVENTS])
{
    const struct calling *calling = context;
    for (int i = 0; i < FUNCTION_STREAMS; i++)
        if (flows(calling, i))
            events[i] = flow_wait(&calling->result->flows[i]);
    return moment_left(calling->deadline);
}

static int check_limits(const struct calling *calling)
{
    struct function_result *result = calling->result;
    for (int i = 0; i < FUNCTION_STREAMS; i++) {
        if (!result->flows[i].exceeded)
            continue;
        result->end = FUNCTION_EXCEEDED;
        result->exceeded = i;
        return fail_state(EFBIG, "%s has more than %llu bytes", result->flows[i].name,
                          (unsigned long long)calling->function->limit);
    }
    return 0;
}

static int time_out(const struct calling *calling, const char *what)
{
    calling->result->end = FUNCTION_TIMED_OUT;
    return fail_state(ETIMEDOUT, "%s within %.3g s", what,
                      (double)calling->function->timeout / 1000);
}

static int serve_streams(void *context, const struct pollfd events[DRIVER_EVENTS])
{
    const struct calling *calling = context;
    if (calling->deadline && moment_now() >= calling->deadline)
        return time_out(calling, "it has not ended");
    for (int i = 0; i < FUNCTION_STREAMS; i++) {
        int result = events[i].revents ? flow_serve(&calling->result->flows[i]) : 0;
        if (result < 0)
            return result;
    }
    int result = check_limits(calling);
    return result < 0 ? result : DRIVER_LATER;
}

/* Made here: what is a constant is relocated at each start. */
static void make_driver(struct driver *driver)
{
    *driver = (struct driver){0};
    driver->setting_up = set_up;
    driver->running = running;
    driver->wait = wait_for_streams;
    driver->serve = serve_streams;
}

/* ---- streams ---- */

/* The container's root owns them, so that its programs can open /dev/stdout anew. */
static int make_streams(struct calling *calling, const struct function_call *call)
{
    static const char names[][16] = {"standard input", "standard output", "standard error"};
    const struct idmaps *maps = &calling->function->config->maps;
    uint32_t uid;
    uint32_t gid;
    if (call->own_input && lseek(call->streams[FUNCTION_INPUT], 0, SEEK_SET) < 0)
        return fail(errno, "cannot read the function's input");
    for (int i = 0; i < FUNCTION_STREAMS; i++) {
        int ends[2];
        int ours = i == FUNCTION_INPUT;
        if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0)
            return fail(errno, "cannot make a pipe");
        calling->inside[i] = ends[!ours];
        struct flow *flow = &calling->result->flows[i];
        *flow = (struct flow){.from = ours ? call->streams[i] : ends[0],
                              .to = ours ? ends[1] : call->streams[i],
                              .owned = {!ours, ours},
                              .name = names[i],
                              .limit = calling->function->limit,
                              .keeping = i == FUNCTION_ERRORS};
        flow_begin(flow);
        if (idmap_to_host(&maps->uid, 0, &uid) == 0 && idmap_to_host(&maps->gid, 0, &gid) == 0 &&
            fchown(ends[0], uid, gid) < 0 && errno != EPERM)
            return fail(errno, "cannot give a pipe to the function");
    }
    return 0;
}

/* ---- its end ---- */

/* What is left in the pipes, now that nobody writes to them. */
static int drain(const struct calling *calling)
{
    step("move what is left of the answer");
    int result = flow_drain(calling->result->flows + FUNCTION_OUTPUT,
                            FUNCTION_STREAMS - FUNCTION_OUTPUT, calling->deadline);
    if (result == -ETIMEDOUT && !error_is_set())
        return time_out(calling, "its answer was not taken");
    return result < 0 ? result : check_limits(calling);
}

static void read_report(struct function_result *result, int guard)
{
    struct guard_report report;
    if (recv(guard, &report, sizeof(report), MSG_DONTWAIT) != (ssize_t)sizeof(report))
        return;
    if (WIFSIGNALED(report.status))
        result->signal = WTERMSIG(report.status);
    result->user = microseconds(&report.usage.ru_utime);
    result->system = microseconds(&report.usage.ru_stime);
    if (!result->peak)
        result->peak = (uint64_t)report.usage.ru_maxrss * 1024;
}

/* The last line that says something, for the message. */
static void find_last_line(const struct flow *errors, char *line, size_t size)
{
    char text[FLOW_TAIL + 1];
    size_t end = errors->length;
    while (end > 0 && strchr("\n\r\t ", errors->tail[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && errors->tail[start - 1] != '\n')
        start--;
    size_t length = end - start;
    memcpy(text, errors->tail + start, length);
    text[length] = '\0';
    text_printable(text, line, size);
}

static void record_end(const struct function_result *result)
{
    char line[300];
    find_last_line(&result->flows[FUNCTION_ERRORS], line, sizeof(line));
    const char *colon = line[0] ? ": " : "";
    if (result->signal)
        fail_state(EINTR, "the function was ended by %s%s%s", signal_name(result->signal), colon,
                   line);
    else
        fail_state(EINVAL, "the function ended with exit code %d%s%s", result->code, colon, line);
    if (result->oom)
        error_hint("out of memory");
}

/* Returns what function_run() does. */
static int conclude(struct calling *calling, const struct container *container, int code, int guard)
{
    struct function_result *result = calling->result;
    result->oom = container->cgroup.oom_kills > 0;
    result->peak = container->cgroup.peak;
    read_report(result, guard);
    if (code >= 0) {
        int drained = drain(calling);
        result->end = drained < 0 ? result->end : FUNCTION_ENDED;
        result->code = code;
        code = drained < 0 ? drained : code;
    }
    if (result->end == FUNCTION_EXCEEDED || result->end == FUNCTION_TIMED_OUT) {
        error_context("the function was ended");
        result->code = code = result->end == FUNCTION_TIMED_OUT ? EXIT_TIMEOUT : EXIT_OUTPUT_LIMIT;
    } else if (code > 0) {
        record_end(result);
    }
    return code;
}

/* ---- a call ---- */

/* Of two entries for one variable the later one counts. */
static int add_env(const char **env, char **more, const char ***all)
{
    size_t count = 0;
    size_t added = 0;
    while (env[count])
        count++;
    while (more[added])
        added++;
    *all = malloc((count + added + 1) * sizeof(**all));
    if (!*all)
        return fail(ENOMEM, "cannot make the environment");
    memcpy(*all, env, count * sizeof(*env));
    memcpy(*all + count, more, (added + 1) * sizeof(*more));
    return 0;
}

static int run(struct calling *calling, const struct function_call *call, const char *scratch)
{
    const struct function *function = calling->function;
    struct config config = *function->config;
    struct container container;
    struct driver driver;
    int guard[2];
    autofree const char **env = NULL;
    if (call->env && add_env(config.process.env, call->env, &env) < 0)
        return -ENOMEM;
    if (env)
        config.process.env = env;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, guard) < 0)
        return fail(errno, "cannot make a socket");
    autoclose int ours = guard[0];
    autoclose int theirs = guard[1];
    container_init(&container, &config);
    container.rootfs = function->rootfs;
    container.program = call->program;
    container.strict = function->strict;
    container.guard = theirs;
    container.arguments = function->arguments;
    container.layer.overlay = true;
    container.layer.idmap = function->idmap;
    container.layer.told = &calling->function->told;
    container.layer.scratch = scratch;
    container.cgroup.measured = true;
    if (function->entry) {
        container.id = function->limited ? function_entry_name(function->entry) : NULL;
        container.state = function->entry->state.fd;
    }
    make_driver(&driver);
    container.driver = &driver;
    container.driver_context = calling;
    int code = make_streams(calling, call);
    memcpy(container.streams, calling->inside, sizeof(container.streams));
    if (code == 0)
        code = container_prepare(&container);
    if (code == 0)
        code = container_run(&container);
    close_inside(calling);
    code = conclude(calling, &container, code, ours);
    container_free(&container);
    return code;
}

int function_failure(void)
{
    switch (error_get()->kind) {
    case ERROR_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case ERROR_CANNOT_EXEC:
        return EXIT_CANNOT_EXEC;
    default:
        return EXIT_OWN_FAILURE;
    }
}

int function_run(struct function *function, const struct function_call *call,
                 struct function_result *result)
{
    int64_t start = moment_now();
    struct calling calling = {.function = function,
                              .call = call,
                              .result = result,
                              .inside = {-1, -1, -1},
                              .deadline = function->timeout ? start + function->timeout * 1000 : 0};
    *result = (struct function_result){.exceeded = -1, .flows = {NO_FLOW, NO_FLOW, NO_FLOW}};
    autofree char *scratch = NULL;
    int code = function->entry ? function_entry_place(function->entry, &scratch) : 0;
    if (code == 0)
        code = run(&calling, call, scratch);
    for (int i = 0; i < FUNCTION_STREAMS; i++)
        flow_close(&result->flows[i]);
    if (scratch)
        function_entry_clear(function->entry, scratch);
    result->wall = moment_now() - start;
    return code;
}
