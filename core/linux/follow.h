/* Standing in for a child: whoever started this process sees the child's life in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <signal.h>

#include "core/linux/process.h"

/* Before the child is made: block all signals, so that none is lost in between. *mask: what was
 * blocked before, which the child restores, and so does who gives up. */
void follow_begin(sigset_t *mask);
void follow_cancel(const sigset_t *mask);

/* Wait until the child ends. Signals that come are passed on, except those that the terminal sends
 * to the whole foreground group, the child included. When the child stops, this process stops, too,
 * and both go on together. Takes the child over. Returns the exit code; a child that a signal ended
 * takes this process with it by the same signal, so that a shell sees what it would have seen, and
 * where that is not possible (pid 1) the code is 128 plus the signal. */
int follow(struct process *child, const sigset_t *mask);

/* End by the signal that ended a child, without a second core file. Returns where that cannot be:
 * for process 1. */
void follow_end_by(int number, const sigset_t *mask);
