/* Handing the master of a terminal to whoever asked for it, by a socket. unix(7), SCM_RIGHTS; as
 * runc and conmon have it (runc's docs/terminals.md).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Connect to the AF_UNIX socket at path. Returns a descriptor or a negative errno (recorded). */
int console_socket_connect(const char *path);

/* Send the descriptor of the master: one message, whose text is the name "/dev/ptmx". Returns 0 or
 * a negative errno (recorded). */
int console_socket_send(int connection, int master);
