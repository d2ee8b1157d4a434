/* A driver (driver.h) that asks another program, by messages on a socket: the protocol of
 * container-init, which its manual page documents.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A SOCK_SEQPACKET socket, one JSON object a packet. To the parent, and what it answers:
 *
 *     configured mounts                begin, and before that: mount index +fd, idmap index +fd
 *     pid pid +pidfd                   pid-done
 *     hooks                            hooks-done   (not with a mount namespace to join)
 *     console +master
 *     ready                            run
 *     seccomp +listener                seccomp-done   (only if the filter asks)
 *     running, or created with a start fifo
 *     exited status [signal]
 *     error code text …                at any time, the last one
 *
 * Anything else, and the end of the socket, ends the container.
 */
#pragma once

#include "core/container/driver.h"

struct container;
struct error;

struct foreign {
    int socket;          /* the caller's */
    const char *awaited; /* the answer that is due, NULL: none */
    struct container *container;
};

/* Check that the descriptor is such a socket. Returns 0 or a negative errno (recorded). */
int foreign_check(int socket);

/* Say that the configuration has been read, and wait until the parent lets us begin: with what it
 * gives for mounts, which becomes the container's. Makes it the container's driver. Returns 0 or a
 * negative errno (recorded). */
int foreign_begin(struct foreign *foreign, struct container *container);

/* Tell the parent the error record, with the exit code that comes of it. Nothing can be done if
 * that fails. */
void foreign_tell_error(int socket, const struct error *error, int code);
