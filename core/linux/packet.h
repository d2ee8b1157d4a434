/* Packets of a SOCK_SEQPACKET socket, each with one descriptor or none. unix(7), cmsg(3).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Send one packet. fd: comes with it, -1: none. Never SIGPIPE. Returns 0 or a negative errno (not
 * recorded). */
int packet_send(int socket, const void *bytes, size_t length, int fd);

/* The same for a stream, which may take only a part: returns how many bytes it took. */
ssize_t packet_send_some(int socket, const void *bytes, size_t length, int fd);

/* Wait for the next packet. *fd receives the descriptor that came with it, close-on-exec, or -1; it
 * is the caller's, always. *malformed: the packet was longer than size, or had more than one
 * descriptor, or something else beside its bytes; what there was of that is closed.
 * Returns the number of bytes, 0 at the end (or an empty packet), or a negative errno (not
 * recorded). */
ssize_t packet_receive(int socket, void *bytes, size_t size, int *fd, bool *malformed);
