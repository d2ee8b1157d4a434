/* A program as a function: what is written to it, what it answers, and the bounds of that.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each call has a container of its own: a new user and pid namespace, and the root file system as
 * layer.h has it. Its streams are pipes, moved by the loop that supervises the container (flow.h),
 * so that none of them can stop another. All that a call makes is gone when it returns; when this
 * process is killed, the container ends by its guard (guard.h), and what stays in the file systems
 * is swept by the next one (function_entry.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/container/flow.h"

struct config;
struct function_entry;

enum { FUNCTION_INPUT, FUNCTION_OUTPUT, FUNCTION_ERRORS, FUNCTION_STREAMS };

/* Their names in reports and answers. */
extern const char function_streams[FUNCTION_STREAMS][7];

/* What all calls have in common. */
struct function {
    struct config *config;        /* with a user, a pid and a mount namespace to be made */
    const char *rootfs;           /* NULL: the config's */
    char **program;               /* NULL: the config's, */
    bool nameless;                /* which is none: a call has to name one */
    struct function_entry *entry; /* where what is to be swept is noted; NULL: nothing is */
    char **arguments;             /* of this process, which the function is not to see */
    bool idmap;                   /* its owners are ids of the container */
    bool limited;                 /* it has limits: the cgroup is named after the entry */
    bool strict;                  /* limits that cannot be had are an error */
    bool told;                    /* (own) that its owners are nobody inside */
    bool warned;                  /* (own) fields that are not applied have been named */
    struct late *late;            /* (own) NULL: not needed yet */
    uint64_t limit;               /* bytes of each stream; 0: none */
    int64_t timeout;              /* milliseconds; 0: none */
};

struct function_call {
    char **program;                /* NULL: the function's */
    char **env;                    /* besides the config's, of a call that arrives; NULL: none */
    bool own_input;                /* it is a file of this call's own, read from its beginning */
    int streams[FUNCTION_STREAMS]; /* of the caller: read, written, written */
    int64_t begun;                 /* when (moment_now()); 0: as it is called */
    /* The container is made before there is a call: then it waits until `requests` can be read (-1:
     * it need not), and what is above, but for the streams that are written, is asked for. Returns
     * 0, 1 (there was none after all) or a negative errno (recorded). NULL: there is a call. */
    int (*arrive)(void *context, struct function_call *call);
    void *context;
    int requests;
};

enum function_end {
    FUNCTION_FAILED,    /* could not be run */
    FUNCTION_ENDED,     /* by itself, or by a signal from elsewhere */
    FUNCTION_EXCEEDED,  /* a stream had too many bytes */
    FUNCTION_TIMED_OUT, /* its time was up */
};

struct function_result {
    enum function_end end;
    int code;                            /* the exit code; 128 and more: plus the signal */
    int signal;                          /* that ended it, 0: none */
    bool oom;                            /* the kernel has killed a process for lack of memory */
    int64_t wall;                        /* microseconds, from the call to its return */
    int64_t user, system;                /* microseconds of processor time */
    uint64_t peak;                       /* bytes of memory, 0: not known */
    int exceeded;                        /* which stream, -1: none */
    struct flow flows[FUNCTION_STREAMS]; /* over; bytes moved, and the tail of its errors */
};

/* Call it. Returns its exit code, EXIT_OUTPUT_LIMIT or EXIT_TIMEOUT, or a negative errno if it
 * could not be run; unless it is 0, the record says why. */
int function_run(struct function *function, const struct function_call *call,
                 struct function_result *result);

/* After a failure to run it: the exit code for that, by the record. */
int function_failure(void);

struct text;

/* Append what there is to say about a call, as the members of a JSON object, without braces. code:
 * what function_run() has returned; the record is part of it. */
void function_tell(const struct function_result *result, int code, struct text *text);
