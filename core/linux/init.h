/* The first process of a system or container, or one that acts like it for a program: passes
 * signals on, reaps whatever ends below it, and follows the program's life in a terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/linux/follow.h"
#include "core/linux/process.h"
#include "core/linux/signals.h"

struct init {
    struct process child;               /* whose end is waited for */
    bool own_group;                     /* it leads a process group of its own */
    bool to_group;                      /* signals go to that whole group */
    bool tell;                          /* of each signal and each orphan, by report_debug() */
    bool warn;                          /* of each orphan, by report_warning() */
    uint8_t passed_on[SIGNAL_LAST + 1]; /* the signal to send for each that comes, 0 for none */
};

/* No child; every signal is passed on as it is. */
void init_prepare(struct init *init);

/* Make orphans below this process its children, as they are those of process 1. prctl(2),
 * PR_SET_CHILD_SUBREAPER. Returns 0 or a negative errno (recorded). */
int init_adopt_orphans(void);

/* Make the child, after follow_begin(). With own_group it leads a new process group, which gets the
 * terminal on standard input if this process was in the terminal's foreground. Returns the pid, 0
 * in the child, whose signals are still blocked, or a negative errno (recorded). */
pid_t init_start(struct init *init);

/* Pass signals on, reap, stop and go on with the child, until the child has ended; then take the
 * terminal back. Returns its wait status. */
int init_wait(struct init *init);

/* Without a child: reap until SIGTERM, SIGINT or SIGQUIT comes. */
void init_pause(const struct init *init);

/* End what the child left behind: SIGTERM to all processes below this one, SIGKILL after `grace` to
 * what is left then, or at once when SIGTERM, SIGINT or SIGQUIT comes meanwhile. Processes that do
 * not even end by SIGKILL are not waited for longer than a second. Without /proc only
 * process 1 can do it. Returns 0 or a negative errno (recorded). */
int init_end_rest(const struct init *init, struct timespec grace);
