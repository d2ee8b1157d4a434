/* The first process of a container that is not to outlive who has started it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A signal at the parent's end (PR_SET_PDEATHSIG) is forgotten when a program changes its ids, and
 * only its own child gets it. But a pid namespace ends with its first process: so that stays ours,
 * holds a socket to the parent, and ends when nobody is there any more, however it went. The
 * program is its child, and everything in the container is reaped and passed signals by it.
 *
 * To the container it is a process without a file, without a privilege but that of sending signals,
 * and closed to ptrace(2), since it is not dumpable.
 */
#pragma once

#include <sys/resource.h>

/* What it says when the program has ended, as one packet, before it ends itself. */
struct guard_report {
    int status;          /* wait status */
    struct rusage usage; /* of the program and of what it has waited for */
};

/* What can be read by everybody in /proc: arguments have paths of the host, and what the program's
 * environment is to be. Only the name that they begin with is left. */
void guard_hide(char **arguments);
