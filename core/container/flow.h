/* Bytes from one descriptor to another, counted and limited.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing here waits, and nothing is read before there is room for it: whichever of several flows
 * stands still, the others go on. Where the kernel can, it moves the bytes itself (splice(2)), so
 * that memory does not depend on how many there are. SIGPIPE must be blocked or ignored.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is kept of the end of a flow. */
#define FLOW_TAIL 512

struct flow {
    int from;         /* -1: the flow is over */
    int to;           /* -1: nobody wants it any more */
    bool owned[2];    /* from and to are closed when the flow is over */
    const char *name; /* "standard output" */
    uint64_t limit;   /* bytes; 0: none */
    uint64_t moved;   /* bytes so far */
    bool exceeded;    /* there was more */
    bool full;        /* (own) waits for `to` rather than `from` */
    bool copying;     /* (own) bytes go through this process */
    bool keeping;     /* the tail is wanted */
    size_t length;    /* of the tail */
    char tail[FLOW_TAIL];
};

/* Nothing to be moved. */
#define NO_FLOW ((struct flow){.from = -1, .to = -1})

/* Everything is filled in: find out how bytes can be moved. */
void flow_begin(struct flow *flow);

/* What to wait for, as for poll(2). */
struct pollfd flow_wait(const struct flow *flow);

/* That is ready: move what can be moved. A reader that is gone ends the flow, as does the end of
 * what is read. Returns 0 or a negative errno (recorded). */
int flow_serve(struct flow *flow);

/* At most so many at once. */
#define FLOWS_MAX 3

/* All that was written is there, in pipes that are read without waiting: move it, waiting for
 * whoever takes it, until `deadline` (microseconds of CLOCK_MONOTONIC; 0: for ever). Likewise, or
 * -ETIMEDOUT (not recorded). */
int flow_drain(struct flow *flows, size_t count, int64_t deadline);

/* End it, whatever is left. */
void flow_close(struct flow *flow);
