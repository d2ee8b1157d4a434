/* A call of a function, among the files that make it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "core/container/function.h"

struct container;

/* One call while it lasts. */
struct calling {
    struct function *function;
    struct function_call call;
    struct function_result *result;
    int inside[FUNCTION_STREAMS]; /* the container's ends of its streams */
    int64_t deadline;             /* microseconds; 0: none */
    bool waiting;                 /* all is ready, and there is no call yet */
    bool running;                 /* the program; before that its input may still be another's */
};

/* Has a stream more bytes than it may have? Returns 0 or a negative errno (recorded). */
int function_check_limits(const struct calling *calling);

/* Its time is up; what: what it has not done. Returns a negative errno (recorded). */
int function_time_out(const struct calling *calling, const char *what);

/* Its container has ended, with that exit code or error. guard: the socket to it. Returns what
 * function_run() does. */
int function_conclude(struct calling *calling, const struct container *container, int code,
                      int guard);
