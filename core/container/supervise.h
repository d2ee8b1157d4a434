/* The parent's side of a running container: messages, signals, children.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct container;
struct process;

/* Serve the child until it ends, or waits to be started: the rest of the set-up (sync.h), then pass
 * signals on and reap what ends. channel: the parent's end, taken over. Signals must be blocked
 * already. Returns the exit code or a negative errno (recorded); in both cases the child is gone
 * and so is everything that it left behind. With a start fifo: 0, and the child, who is nobody's to
 * end any more, waits there. */
int supervise_container(const struct container *container, struct process *child, int *channel);
