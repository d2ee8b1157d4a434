/* What the parent of a container has to decide while the container is made: its driver.
 * SPDX-License-Identifier: Apache-2.0
 *
 * There is one state machine (supervise.c) and one order. A driver has the occasions that this
 * order offers to whoever makes a container: `run` has nothing to decide, `create` runs hooks and
 * keeps a state, `container-init` asks a foreign parent.
 *
 *     made        the child exists; it has no ids yet, and waits
 *     setting_up  it goes on, and there is nothing to do meanwhile
 *     hooks       all is mounted, its root is not changed yet, and it waits
 *     terminal    it has a terminal, and goes on
 *     ready       limits are set, all is done but for the user and the program, and it waits
 *     listener    its system call filter is loaded, and asks; it waits
 *     running     the program runs; or waits to be started, where there is a start fifo: then the
 *                 child is not ours any more after this
 *     lasting     it has run for a while: what is not needed any more can go
 *     ended       it has run and ended, and all that it left behind is gone
 *
 * Every function may be NULL: then there is nothing to do. With a negative errno (recorded) the
 * child ends, and all that was made is taken back.
 */
#pragma once

#include <poll.h>

struct process;

/* Descriptors that a driver can wait for. */
#define DRIVER_EVENTS 3

/* What the child waits for is to be done when it is told to go on. */
enum driver_answer {
    DRIVER_GO,    /* that is done */
    DRIVER_LATER, /* serve() will say so; meanwhile signals and the child's end are seen to */
};

struct driver {
    /* Return an enum driver_answer or a negative errno (recorded). The child is valid until it has
     * ended: its pid as we see it, and its pidfd. */
    int (*made)(void *context, const struct process *child);
    int (*hooks)(void *context); /* only with wait_for_hooks of struct container */
    int (*ready)(void *context);
    /* *master may be taken over; it has been checked to be one. NULL: its bytes are relayed between
     * the terminal and our own standard streams. Returns 0 or a negative errno (recorded). */
    int (*terminal)(void *context, int *master);
    /* The listener of a filter that passes system calls on (seccomp_unotify(2)), where the config
     * has no listenerPath; the caller's. The child waits. Returns as above. */
    int (*listener)(void *context, int listener);
    void (*setting_up)(void *context);
    int (*running)(void *context);
    void (*lasting)(void *context);
    void (*ended)(void *context, int wait_status);
    /* What to wait for from first to last, as for poll(2), -1 where there is nothing at present,
     * and how long at most (milliseconds, -1: no limit). */
    int (*wait)(void *context, struct pollfd events[DRIVER_EVENTS]);
    /* One of them is ready, or that time is over. Returns DRIVER_GO if that is the answer that was
     * promised with DRIVER_LATER, else DRIVER_LATER, or a negative errno (recorded) to end the
     * container, at any time. */
    int (*serve)(void *context, const struct pollfd events[DRIVER_EVENTS]);
};
