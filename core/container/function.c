/* A program as a function.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/function.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
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
#include "core/container/function_parts.h"
#include "core/container/late.h"
#include "core/oci/config.h"

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

/* ---- a call that comes when all is ready ---- */

static int begin_input(struct calling *calling)
{
    struct flow *input = &calling->result->flows[FUNCTION_INPUT];
    input->from = calling->call.streams[FUNCTION_INPUT];
    if (calling->call.own_input && lseek(input->from, 0, SEEK_SET) < 0)
        return fail(errno, "cannot read the function's input");
    flow_begin(input);
    return 0;
}

static void begin_time(struct calling *calling)
{
    const struct function *function = calling->function;
    if (!calling->call.begun)
        calling->call.begun = moment_now();
    calling->deadline = function->timeout ? calling->call.begun + function->timeout * 1000 : 0;
}

static char **find_program(const struct function *function, const struct function_call *call)
{
    return call->program ? call->program : function->program;
}

static int check_program(const struct function *function, const struct function_call *call)
{
    return find_program(function, call) || !function->nameless
               ? 0
               : fail_config("/args", "no program to run");
}

static int arrive(struct calling *calling)
{
    struct function_call *call = &calling->call;
    const struct function *function = calling->function;
    call->begun = 0;
    int result = call->arrive(call->context, call);
    if (result != 0)
        return result < 0 ? result : DRIVER_LATER;
    calling->waiting = false;
    begin_time(calling);
    result = check_program(function, call);
    if (result == 0)
        result = begin_input(calling);
    if (result == 0)
        result = late_write(function->late, find_program(function, call), call->env);
    return result < 0 ? result : DRIVER_GO;
}

/* How long the set-up took is nobody's business. */
static int ready(void *context)
{
    struct calling *calling = context;
    if (!calling->call.arrive)
        return DRIVER_GO;
    if (calling->call.requests < 0)
        return arrive(calling);
    calling->waiting = true;
    calling->deadline = 0;
    return DRIVER_LATER;
}

/* ---- while it runs ---- */

static bool flows(const struct calling *calling, int stream)
{
    return calling->running || (stream == FUNCTION_INPUT && calling->call.own_input);
}

static int wait_for_streams(void *context, struct pollfd events[DRIVER_EVENTS])
{
    const struct calling *calling = context;
    if (calling->waiting)
        events[0] = (struct pollfd){.fd = calling->call.requests, .events = POLLIN};
    for (int i = 0; i < FUNCTION_STREAMS; i++)
        if (flows(calling, i))
            events[i] = flow_wait(&calling->result->flows[i]);
    return moment_left(calling->deadline);
}

static int serve_streams(void *context, const struct pollfd events[DRIVER_EVENTS])
{
    struct calling *calling = context;
    if (calling->waiting)
        return events[0].revents ? arrive(calling) : DRIVER_LATER;
    if (calling->deadline && moment_now() >= calling->deadline)
        return function_time_out(calling, "it has not ended");
    for (int i = 0; i < FUNCTION_STREAMS; i++) {
        int result = events[i].revents ? flow_serve(&calling->result->flows[i]) : 0;
        if (result < 0)
            return result;
    }
    int result = function_check_limits(calling);
    return result < 0 ? result : DRIVER_LATER;
}

/* Made here: what is a constant is relocated at each start. */
static void make_driver(struct driver *driver)
{
    *driver = (struct driver){0};
    driver->setting_up = set_up;
    driver->ready = ready;
    driver->running = running;
    driver->wait = wait_for_streams;
    driver->serve = serve_streams;
}

/* ---- streams ---- */

/* The container's root owns them, so that its programs can open /dev/stdout anew. */
static int make_streams(struct calling *calling)
{
    const struct function_call *call = &calling->call;
    static const char names[][16] = {"standard input", "standard output", "standard error"};
    const struct idmaps *maps = &calling->function->config->maps;
    uint32_t uid;
    uint32_t gid;
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
        if (!ours)
            flow_begin(flow);
        if (idmap_to_host(&maps->uid, 0, &uid) == 0 && idmap_to_host(&maps->gid, 0, &gid) == 0 &&
            fchown(ends[0], uid, gid) < 0 && errno != EPERM)
            return fail(errno, "cannot give a pipe to the function");
    }
    return call->arrive ? 0 : begin_input(calling);
}

/* ---- a call ---- */

static int open_late(struct function *function)
{
    if (!function->late)
        function->late = late_open();
    return function->late ? 0 : -ENOMEM;
}

static int run(struct calling *calling, const char *scratch)
{
    struct function *function = calling->function;
    const struct function_call *call = &calling->call;
    struct container container;
    struct driver driver;
    int guard[2];
    if (call->arrive && open_late(function) < 0)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, guard) < 0)
        return fail(errno, "cannot make a socket");
    autoclose int ours = guard[0];
    autoclose int theirs = guard[1];
    container_init(&container, function->config);
    container.rootfs = function->rootfs;
    container.program = find_program(function, call);
    container.late = call->arrive ? function->late : NULL;
    container.strict = function->strict;
    container.guard = theirs;
    container.arguments = function->arguments;
    container.layer.overlay = true;
    container.layer.idmap = function->idmap;
    container.layer.told = &function->told;
    container.layer.scratch = scratch;
    container.cgroup.measured = true;
    if (function->entry) {
        container.id = function->limited ? function_entry_name(function->entry) : NULL;
        container.state = function->entry->state.fd;
    }
    make_driver(&driver);
    container.driver = &driver;
    container.driver_context = calling;
    int code = make_streams(calling);
    memcpy(container.streams, calling->inside, sizeof(container.streams));
    if (code == 0)
        code = container_prepare(&container);
    if (code == 0)
        code = container_run(&container);
    close_inside(calling);
    code = function_conclude(calling, &container, code, ours);
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
    struct calling calling = {
        .function = function, .call = *call, .result = result, .inside = {-1, -1, -1}};
    *result = (struct function_result){.exceeded = -1, .flows = {NO_FLOW, NO_FLOW, NO_FLOW}};
    begin_time(&calling);
    autofree char *scratch = NULL;
    int code = call->arrive ? 0 : check_program(function, call);
    if (code == 0 && function->entry)
        code = function_entry_place(function->entry, &scratch);
    if (code == 0)
        code = run(&calling, scratch);
    for (int i = 0; i < FUNCTION_STREAMS; i++)
        flow_close(&result->flows[i]);
    if (scratch)
        function_entry_clear(function->entry, scratch);
    result->wall = moment_now() - calling.call.begun;
    return code;
}
