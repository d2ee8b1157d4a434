/* The end of a function's call: its limits, what is left of its answer, and what is told of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/function_parts.h"
#include "core/container/guard.h"
#include "core/linux/signals.h"

static int64_t microseconds(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

int function_check_limits(const struct calling *calling)
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

int function_time_out(const struct calling *calling, const char *what)
{
    calling->result->end = FUNCTION_TIMED_OUT;
    return fail_state(ETIMEDOUT, "%s within %.3g s", what,
                      (double)calling->function->timeout / 1000);
}

/* What is left in the pipes, now that nobody writes to them. */
static int drain(const struct calling *calling)
{
    step("move what is left of the answer");
    int result = flow_drain(calling->result->flows + FUNCTION_OUTPUT,
                            FUNCTION_STREAMS - FUNCTION_OUTPUT, calling->deadline);
    if (result == -ETIMEDOUT && !error_is_set())
        return function_time_out(calling, "its answer was not taken");
    return result < 0 ? result : function_check_limits(calling);
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

int function_conclude(struct calling *calling, const struct container *container, int code,
                      int guard)
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
