/* What is being done to the kernel, announced step by step (--trace).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern bool trace_enabled;

/* Announce the next operation: "mount proc on /proc". The previous one of this process ends here.
 * When tracing is off the arguments are not evaluated and it costs one predicted branch. */
#define step(...)                                                                                  \
    do {                                                                                           \
        if (__builtin_expect(trace_enabled, 0))                                                    \
            trace_step(__VA_ARGS__);                                                               \
    } while (0)

void trace_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Name the config field (JSON pointer) that the operation announced last is done for. */
void trace_field(const char *pointer);

/* Start tracing. path NULL: every operation is a line on standard error when it has ended, with the
 * microseconds that it took; otherwise the Chrome trace-event format (JSON) is written to that
 * file, which is created or emptied. Every event is one write(2) to a descriptor that children
 * share, so nothing is opened again and no event is torn. Returns 0 or a negative errno (recorded).
 */
int trace_start(const char *path);

/* After fork or clone (without CLONE_VM), in the child: this process is a track of its own, called
 * name. What the parent was doing is not the child's. */
void trace_child(const char *name);

/* Entering a time namespace moves this process's clock; the trace goes on as if it had not. before:
 * what trace_clock() said just before that, 0 when tracing is off. */
uint64_t trace_clock(void);
void trace_clock_moved(uint64_t before);

/* The descriptor that events go to, -1 when tracing is off: for who closes all descriptors. */
int trace_descriptor(void);

/* End the current step, e.g. just before execve(2). */
void trace_flush(void);

/* End the trace: the file becomes a complete JSON document. Only in the process that started it,
 * and after its children have ended. */
void trace_end(void);
