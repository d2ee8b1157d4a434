/* Descriptors that a parent hands over by name. sd_listen_fds(3).
 * SPDX-License-Identifier: Apache-2.0
 *
 * LISTEN_PID is the pid of the process that they are for, LISTEN_FDS their number; they are those
 * from 3 on. LISTEN_FDNAMES has a name for each, separated by colons.
 */
#pragma once

#include <stddef.h>

/* Take the descriptors with these names: fds[i] receives that of names[i], and is left as it is if
 * there is none of that name. Every descriptor must have one of these names, which no other one
 * has. Returns 0 or a negative errno (recorded). */
int listen_take(const char *const *names, size_t count, int *fds);
