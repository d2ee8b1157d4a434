/* The container's first process, in the memory of its maker until it executes the program.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "core/base/annex.h"

struct container;
struct process;

/* Make a process that does enter(container) with a copy of the container, and never returns from
 * there: in the caller's memory, in new namespaces of flags (CLONE_NEW*, CLONE_PARENT), and in the
 * cgroup (-1: the caller's). channel: our end of what container->channel is the other one of, which
 * the process closes; -1: it is closed. One that is made like this may make the next one.
 * Returns the pid, or 0: that is not for this container, or cannot be had here, and no process was
 * made. */
pid_t annexed_clone(struct container *container, enum annex_use use, uint64_t flags, int cgroup,
                    int channel, void (*enter)(struct container *), struct process *child);
