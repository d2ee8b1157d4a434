/* The system call filter of a container. runtime-spec, config-linux.md, "Seccomp".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct container;

/* In the parent, before anything is made: the filter's program, and the connection to who answers
 * the system calls that it passes on. Changes nothing but the cache of programs. Returns 0 or a
 * negative errno (recorded with the config's field). */
int filter_prepare(struct container *container);

/* Does the filter's listener go to the container's driver, and not to a listenerPath? */
bool filter_is_for_driver(const struct container *container);

/* In the parent: hand over the filter's listener, which the container's process pid has sent, with
 * the "container process state" of runtime-spec. Once, then the connection is closed. Returns 0 or
 * a negative errno (recorded with the config's field). */
int filter_hand_over(struct container *container, pid_t pid, int listener);
