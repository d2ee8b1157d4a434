/* The state of a container's parent, for the two files that share it: supervise_set_up.c and
 * supervise.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

struct container;
struct pollfd;
struct process;
struct relay;

/* What the driver can be asked for. */
enum occasion { NOTHING, MADE, HOOKS, READY, LISTENER };

struct supervision {
    struct container *container;
    struct process *child;
    int channel;         /* -1 once the program runs */
    struct relay *relay; /* of its terminal */
    sigset_t pending;    /* came before there was a program to pass them on to */
    enum occasion asked; /* the driver, who has not answered yet */
    bool hooked;         /* what has to be done before the root is changed is done, or being done */
    bool listened;       /* the listener of its filter has come */
    bool terminal;       /* its master has come */
    bool ready;          /* the set-up is done but for the user and the program */
    bool released;       /* it has been told to run the program */
    bool created;        /* it waits to be started, or runs, and is no longer ours */
    bool pid_file;       /* written */
    bool lasting;        /* it has run for a while */
    bool ended;
    int status; /* wait status, once ended */
};

/* Ask the driver whether the child may go on, and if it says so, let it. These return 0, or a
 * negative errno (recorded) to end everything. */
int supervision_begin(struct supervision *supervision);

/* The child has said something, or its end of the channel is closed. */
int supervision_hear(struct supervision *supervision);

/* The program has run for a while, and may do so for longer. */
void supervision_last(struct supervision *supervision);

/* What the driver waits for, DRIVER_EVENTS of them, and how long (driver.h). */
int supervision_wait_driver(const struct supervision *supervision, struct pollfd *events);

/* One of them is ready, or that time is over: the driver's answer, or news. */
int supervision_hear_driver(struct supervision *supervision, const struct pollfd *events);
