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

static struct {
    bool json;
    bool started; /* an operation is under way */
    unsigned track;
    unsigned *tracks; /* given away so far; shared with all children */
    uint64_t origin;  /* nanoseconds */
    uint64_t begin;
    char track_name[32];
    char name[256];
    char field[160];
} trace;

static uint64_t now(void)
{
    struct timespec time;
    /* Neither stepped nor slewed, and the same clock in parent and child. */
    if (clock_gettime(CLOCK_MONOTONIC_RAW, &time) < 0)
        return 0;
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
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

/* The viewer's name for the track of this process. */
static void append_track(struct text *event)
{
    text_append_format(
        event, "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"args\":{\"name\":",
        trace.track);
    text_append_json(event, trace.track_name);
    text_append(event, "}}");
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
    trace.tracks = mmap(NULL, sizeof(*trace.tracks), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (trace.tracks == MAP_FAILED)
        return fail(errno, "cannot map memory for the trace");
    *trace.tracks = 1;
    trace.track = 1;
    trace.json = path != NULL;
    trace.origin = now();
    trace.started = false;
    snprintf(trace.track_name, sizeof(trace.track_name), "shimbox");
    /* The array form of the format: viewers take it without its end, too, after a kill -9. */
    if (trace.json) {
        int result = write_all(fd, path, "[\n", 2);
        if (result < 0)
            return result;
    }
    descriptor = report_high_fd(take_fd(&fd));
    trace_enabled = true;
    return 0;
}

void trace_flush(void)
{
    if (!trace_enabled || !trace.started)
        return;
    uint64_t took = now() - trace.begin;
    autotext struct text event = {0};
    trace.started = false;
    if (trace.json) {
        text_append(&event, "{\"name\":");
        text_append_json(&event, trace.name);
        text_append_format(&event, ",\"ph\":\"X\",\"pid\":1,\"tid\":%u", trace.track);
        append_time(&event, "ts", trace.begin - trace.origin);
        append_time(&event, "dur", took);
        if (trace.field[0]) {
            text_append(&event, ",\"args\":{\"field\":");
            text_append_json(&event, trace.field);
            text_append(&event, "}");
        }
        text_append(&event, "},\n");
    } else {
        char name[sizeof(trace.name) * 4];
        text_printable(trace.name, name, sizeof(name));
        text_append_format(&event, "%8llu us  %s: %s\n", (unsigned long long)((took + 500) / 1000),
                           trace.track_name, name);
    }
    write_event(&event);
}

void trace_step(const char *format, ...)
{
    va_list arguments;
    if (!trace_enabled)
        return;
    trace_flush();
    va_start(arguments, format);
    if (vsnprintf(trace.name, sizeof(trace.name), format, arguments) < 0)
        trace.name[0] = '\0';
    va_end(arguments);
    trace.field[0] = '\0';
    trace.started = true;
    trace.begin = now();
}

void trace_field(const char *pointer)
{
    if (trace_enabled)
        snprintf(trace.field, sizeof(trace.field), "%s", pointer);
}

void trace_child(const char *name)
{
    if (!trace_enabled)
        return;
    trace.started = false;
    trace.track = __atomic_add_fetch(trace.tracks, 1, __ATOMIC_RELAXED);
    snprintf(trace.track_name, sizeof(trace.track_name), "%s", name);
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
    uint64_t distance = now() - before;
    trace.origin += distance;
    trace.begin += distance;
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
    if (trace.track != 1)
        return;
    if (trace.json) {
        /* The one event without a comma behind it. */
        autotext struct text event = {0};
        append_track(&event);
        text_append(&event, "\n]\n");
        write_event(&event);
    }
    trace_enabled = false;
    munmap(trace.tracks, sizeof(*trace.tracks));
    close_fd(&descriptor);
}
