/* What is being done to the kernel, announced step by step (--trace).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"

bool trace_enabled;

/* By itself: the one value that is not zero at the start would put all others into the file. */
static int descriptor = -1;

/* Announced, and not ended yet. */
struct operation {
    bool started;
    uint64_t begin; /* nanoseconds */
    char name[256];
    char field[160];
};

/* What one process does. */
struct track {
    unsigned number;
    char name[32];
    struct operation group;
    struct operation step; /* of the group, if one is started */
};

/* What all processes of a trace share. */
struct shared {
    unsigned tracks;     /* given away so far */
    struct track execed; /* trace_execution() */
};

static struct {
    bool json;
    uint64_t origin; /* nanoseconds */
    uint64_t moved;  /* by entering a time namespace; what is written is by the parent's clock */
    struct track *track; /* of this process; allocated, for most starts need none */
    struct shared *shared;
} trace;

/* PID:DESCRIPTOR:JSON:ORIGIN:BEGIN, from this process to itself. */
#define STATE "SHIMBOX_TRACE_STATE"

static const char execution[] = "execute the protected binary";

static uint64_t now(void)
{
    struct timespec time;
    /* Neither stepped nor slewed, and the same clock in parent and child. */
    if (clock_gettime(CLOCK_MONOTONIC_RAW, &time) < 0)
        return 0;
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec - trace.moved;
}

/* One event, one write: O_APPEND makes it whole whoever else writes. */
static void write_event(const struct text *event)
{
    if (event->failed)
        return;
    while (write(descriptor, event->data, event->length) < 0 && errno == EINTR)
        continue;
}

static void append_time(struct text *event, const char *key, uint64_t nanoseconds)
{
    text_append_format(event, ",\"%s\":%llu.%03u", key, (unsigned long long)(nanoseconds / 1000),
                       (unsigned)(nanoseconds % 1000));
}

/* The viewer's names for the track of this process: as a process, and as its only thread. */
static void append_track(struct text *event)
{
    static const char *const kinds[] = {"process_name", "thread_name"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        text_append_format(
            event, "%s{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":",
            i ? ",\n" : "", kinds[i], trace.track->number, trace.track->number);
        text_append_json(event, trace.track->name);
        text_append(event, "}}");
    }
}

static int start_track(int fd)
{
    descriptor = fd;
    trace.shared = mmap(NULL, sizeof(*trace.shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (trace.shared == MAP_FAILED)
        return fail(errno, "cannot map memory for the trace");
    if (!trace.track)
        trace.track = calloc(1, sizeof(*trace.track));
    if (!trace.track)
        return fail(ENOMEM, "cannot make room for the trace");
    trace.shared->tracks = 1;
    trace.track->number = 1;
    trace.track->group.started = false;
    trace.track->step.started = false;
    snprintf(trace.track->name, sizeof(trace.track->name), "shimbox");
    trace_enabled = true;
    return 0;
}

int trace_start(const char *path)
{
    autoclose int fd = -1;
    if (path)
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    else
        /* A copy: the child may get another standard error before its last step. */
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return fail(errno, "cannot open the trace %s", path ? path : "on standard error");
    trace.json = path != NULL;
    trace.origin = now();
    /* The array form of the format: viewers take it without its end, too, after a kill -9. */
    int result = start_track(report_high_fd(take_fd(&fd)));
    if (result == 0 && trace.json)
        result = write_all(descriptor, path, "[\n", 2);
    if (result < 0) {
        trace_enabled = false;
        close_fd(&descriptor);
    }
    return result;
}

void trace_hand_over(void)
{
    char state[96];
    if (!trace_enabled)
        return;
    trace_step("%s", execution);
    snprintf(state, sizeof(state), "%d:%d:%d:%llu:%llu", (int)getpid(), descriptor, trace.json,
             (unsigned long long)trace.origin, (unsigned long long)trace.track->step.begin);
    /* Without it the trace ends here. */
    if (setenv(STATE, state, 1) == 0)
        fcntl(descriptor, F_SETFD, 0);
}

/* By hand: sscanf(3) would be 5 KB. Returns how many there are. */
static int read_numbers(const char *text, unsigned long long numbers[5])
{
    int count = 0;
    while (count < 5) {
        char *end;
        numbers[count] = strtoull(text, &end, 10);
        if (end == text)
            break;
        count++;
        if (*end != ':')
            break;
        text = end + 1;
    }
    return count;
}

bool trace_resume(void)
{
    const char *state = getenv(STATE);
    unsigned long long numbers[5] = {0};
    if (!state)
        return false;
    int count = read_numbers(state, numbers);
    unsetenv(STATE);
    int fd = (int)numbers[1];
    /* Of another process: it may have been left in the environment. */
    if (count != 5 || (pid_t)numbers[0] != getpid() || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return false;
    if (trace_enabled)
        return true;
    if (start_track(fd) < 0)
        return false;
    trace.json = numbers[2] != 0;
    trace.origin = numbers[3];
    trace.track->step = (struct operation){.started = true, .begin = numbers[4]};
    snprintf(trace.track->step.name, sizeof(trace.track->step.name), "%s", execution);
    return true;
}

static void append_field(struct text *event, const char *field)
{
    if (!field[0])
        return;
    text_append(event, ",\"args\":{\"field\":");
    text_append_json(event, field);
    text_append(event, "}");
}

static void end_operation(struct operation *operation, uint64_t end)
{
    if (!operation->started)
        return;
    operation->started = false;
    uint64_t took = end - operation->begin;
    autotext struct text event = {0};
    if (trace.json) {
        text_append(&event, "{\"name\":");
        text_append_json(&event, operation->name);
        text_append_format(&event, ",\"ph\":\"X\",\"pid\":%u,\"tid\":%u", trace.track->number,
                           trace.track->number);
        append_time(&event, "ts", operation->begin - trace.origin);
        append_time(&event, "dur", took);
        append_field(&event, operation->field);
        text_append(&event, "},\n");
    } else {
        char name[sizeof(operation->name) * 4];
        bool indented = operation == &trace.track->step && trace.track->group.started;
        text_printable(operation->name, name, sizeof(name));
        text_append_format(&event, "%8llu us  %s: %s%s\n",
                           (unsigned long long)((took + 500) / 1000), trace.track->name,
                           indented ? "  " : "", name);
    }
    write_event(&event);
}

void trace_flush(void)
{
    if (!trace_enabled)
        return;
    /* Not at the same time: viewers could take the group for what ended first. */
    end_operation(&trace.track->step, now());
    end_operation(&trace.track->group, now());
}

static void begin_operation(struct operation *operation)
{
    operation->field[0] = '\0';
    operation->started = true;
    operation->begin = now();
}

void trace_step(const char *format, ...)
{
    va_list arguments;
    if (!trace_enabled)
        return;
    end_operation(&trace.track->step, now());
    va_start(arguments, format);
    if (vsnprintf(trace.track->step.name, sizeof(trace.track->step.name), format, arguments) < 0)
        trace.track->step.name[0] = '\0';
    va_end(arguments);
    begin_operation(&trace.track->step);
}

void trace_start_group(const char *name)
{
    if (!trace_enabled)
        return;
    trace_flush();
    snprintf(trace.track->group.name, sizeof(trace.track->group.name), "%s", name);
    begin_operation(&trace.track->group);
}

void trace_set_field(const char *format, ...)
{
    struct operation *operation =
        trace.track->step.started ? &trace.track->step : &trace.track->group;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(operation->field, sizeof(operation->field), format, arguments);
    va_end(arguments);
}

void trace_flow(unsigned number, const char *name, bool sent)
{
    if (!trace_enabled || !trace.json)
        return;
    autotext struct text event = {0};
    text_append(&event, "{\"name\":");
    text_append_json(&event, name);
    text_append_format(&event, ",\"cat\":\"sync\",\"id\":%u,\"ph\":%s,\"pid\":%u,\"tid\":%u",
                       number, sent ? "\"s\"" : "\"f\",\"bp\":\"e\"", trace.track->number,
                       trace.track->number);
    append_time(&event, "ts", now() - trace.origin);
    text_append(&event, "},\n");
    write_event(&event);
}

void trace_child(const char *name)
{
    if (!trace_enabled)
        return;
    trace.track->group.started = false;
    trace.track->step.started = false;
    trace.track->number = __atomic_add_fetch(&trace.shared->tracks, 1, __ATOMIC_RELAXED);
    snprintf(trace.track->name, sizeof(trace.track->name), "%s", name);
    if (trace.json) {
        autotext struct text event = {0};
        append_track(&event);
        text_append(&event, ",\n");
        write_event(&event);
    }
}

uint64_t trace_clock(void)
{
    return trace_enabled ? now() : 0;
}

void trace_clock_moved(uint64_t before)
{
    if (!trace_enabled)
        return;
    trace.moved += now() - before;
}

void trace_execution(void)
{
    if (!trace_enabled)
        return;
    trace_step("execve");
    trace.shared->execed = *trace.track;
}

void trace_executed(void)
{
    if (!trace_enabled || !trace.shared->execed.number)
        return;
    struct track own = *trace.track;
    *trace.track = trace.shared->execed;
    trace_flow(0, "executed", true);
    trace_flush();
    *trace.track = own;
    trace_flow(0, "executed", false);
}

int trace_descriptor(void)
{
    return descriptor;
}

void trace_end(void)
{
    if (!trace_enabled)
        return;
    trace_flush();
    if (trace.track->number != 1)
        return;
    if (trace.json) {
        /* The one event without a comma behind it. */
        autotext struct text event = {0};
        append_track(&event);
        text_append(&event, "\n]\n");
        write_event(&event);
    }
    trace_enabled = false;
    munmap(trace.shared, sizeof(*trace.shared));
    free(trace.track);
    trace.track = NULL;
    close_fd(&descriptor);
}
