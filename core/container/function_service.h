/* A stream of calls through one process: requests on standard input, answers on standard output, a
 * line of JSON each.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests are read here and handed to workers, processes that are forked when there is more to do
 * than they can, each with one call at a time. A worker makes the container of its next call ready
 * before there is one; and there is one worker more than there may be calls at once, so that while
 * the others are at work, the next call finds a container that waits for it. A worker composes its
 * answer, asks for standard output, and writes: so answers come whole, as the calls end. Between
 * here and a worker there is a stream socket:
 *
 *     here                    worker
 *       header, line   ---->            it is called
 *                      <----  ASKS      the answer is ready
 *       GO             ---->            nobody else writes
 *                      <----  DONE      or BROKEN: it could not be written
 *
 * One that is the only one may write as soon as it has an answer, and says ASKS before one that its
 * end could cut off, without waiting.
 *
 * A worker ends when its socket does, and with this process. Should one end before that, its
 * request is answered here.
 */
#pragma once

#include "core/container/function.h"

struct function_service {
    unsigned jobs;       /* calls at once */
    const char *scratch; /* directory for answers that are not whole yet; NULL: in memory */
    /* In a worker: make ready, call, and clean up. begin() and call() return as function_run()
     * does.
     */
    int (*begin)(void *context);
    int (*call)(void *context, const struct function_call *call, struct function_result *result);
    void (*end)(void *context);
    /* Here: one has ended that should not have. */
    void (*lost)(void *context);
    void *context;
};

/* Serve until standard input ends, or SIGTERM, SIGINT or SIGHUP asks to take no more; what has been
 * begun is finished. SIGPIPE must be ignored, and SIGCHLD must not. Returns 0 or a negative errno
 * (recorded). */
int function_serve(const struct function_service *given);

/* The part of a worker: answer what comes by the socket until that ends. */
_Noreturn void function_work(const struct function_service *service, int socket);

/* What is sent along with a line. */
struct function_header {
    uint64_t line;   /* its number, from 1 */
    int64_t begun;   /* when it was sent (moment_now()) */
    uint32_t length; /* of the line, bytes */
    uint16_t cut;    /* it was longer, and is not complete */
    uint8_t granted; /* nobody else is at work */
    uint8_t last;    /* nothing comes after it */
};

enum { WORKER_ASKS = 'a', WORKER_GO = 'g', WORKER_DONE = 'd', WORKER_BROKEN = 'b' };
