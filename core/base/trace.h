/* What is being done to the kernel, announced step by step (--trace).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern bool trace_enabled;

/* When tracing is off, arguments are not evaluated, and it costs one predicted branch. Without that
 * branch a program is compiled by make bench only, to see what it costs. */
#ifdef SHIMBOX_NO_TRACE
#define trace_wanted false
#else
#define trace_wanted __builtin_expect(trace_enabled, 0)
#endif

#define trace_if_wanted(call)                                                                      \
    do {                                                                                           \
        if (trace_wanted)                                                                          \
            call;                                                                                  \
    } while (0)

/* Announce the next operation: "mount proc on /proc". The previous one of this process ends here.
 */
#define step(...) trace_if_wanted(trace_step(__VA_ARGS__))

/* Announce an operation that consists of others, which are announced after it. It ends, and the
 * last of them, at the next group or trace_flush(). */
#define trace_group(...) trace_if_wanted(trace_start_group(__VA_ARGS__))

/* Name the config field (JSON pointer) that the operation announced last is done for. */
#define trace_field(...) trace_if_wanted(trace_set_field(__VA_ARGS__))

void trace_step(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_start_group(const char *name);
void trace_set_field(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What leads from one track to another: viewers draw an arrow from the operation in which it was
 * sent to that in which it was received. The same number and name on both sides; each number once
 * in a trace. */
#define trace_sent(number, name)     trace_if_wanted(trace_flow(number, name, true))
#define trace_received(number, name) trace_if_wanted(trace_flow(number, name, false))
void trace_flow(unsigned number, const char *name, bool sent);

/* Start tracing. path NULL: every operation is a line on standard error when it has ended, with the
 * microseconds that it took, indented if it belongs to a group; otherwise the Chrome trace-event
 * format (JSON) is written to that file, which is created or emptied. Every event is one write(2)
 * to a descriptor that children share, so nothing is opened again and no event is torn. Returns 0
 * or a negative errno (recorded). */
int trace_start(const char *path);

/* Just before this process executes its own program anew: the trace goes on there, with the
 * execution as an operation. If that fails, call trace_resume() here. */
void trace_hand_over(void);

/* Go on with what this process has handed over to itself. Returns whether there was anything. */
bool trace_resume(void);

/* After fork or clone (without CLONE_VM), in the child: this process is a track of its own, called
 * name. What the parent was doing is not the child's. */
void trace_child(const char *name);

/* Entering a time namespace moves this process's clock; the trace goes on as if it had not. before:
 * what trace_clock() said just before that, 0 when tracing is off. */
uint64_t trace_clock(void);
void trace_clock_moved(uint64_t before);

/* A process cannot see the end of its own execve(2): it announces it with trace_execution(), and
 * its parent, when it learns that the program runs, ends that step with trace_executed(), which
 * counts as message 0. If the execution fails, the process goes on as after any step. */
void trace_execution(void);
void trace_executed(void);

/* The descriptor that events go to, -1 when tracing is off: for who closes all descriptors. */
int trace_descriptor(void);

/* End the current operation and its group, e.g. just before execve(2). */
void trace_flush(void);

/* End the trace: the file becomes a complete JSON document. Only in the process that started it,
 * and after its children have ended. */
void trace_end(void);
