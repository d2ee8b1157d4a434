/* What the parent and the child of a container's set-up tell each other.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     parent                                child
 *       (writes the ID mappings)  --MAPPED-->  (only with a new user namespace, or joined ones,
 *                                              or if the driver has something to do before)
 *       (idmaps a mount)          <--IDMAP---  (each that only the parent may idmap)
 *                                 -IDMAPPED->
 *                                 <--HOOKS---  (only if it is asked for) all is mounted
 *       (whatever the driver does) HOOKS_DONE>
 *                                 <-TERMINAL-  (only with a terminal) its master
 *                                 <--READY---  all is mounted; the root is changed meanwhile
 *       (resource limits, pid file) ---RUN-->
 *                                 <--ERROR---  instead of any of its messages
 *                                 <-CREATED--  (only with a start fifo) it waits there: the last
 *                                              message, nobody listens any more
 *                                 <----EOF---  the program has been executed
 *
 * The channel is a SOCK_SEQPACKET pair, close-on-exec, one message a packet. EOF without a reason
 * means that the other side is gone.
 */
#pragma once

#include <stdint.h>

#include "core/base/error.h"

enum sync_type {
    SYNC_EOF = 0,
    SYNC_MAPPED,
    SYNC_READY,
    SYNC_RUN,
    SYNC_ERROR,
    SYNC_CHILD, /* with the pidfd of a process that was made on behalf of the parent */
    SYNC_IDMAP, /* with a detached mount, and the number of its entry in the config */
    SYNC_IDMAPPED,
    SYNC_TERMINAL, /* with the master of the container's terminal */
    SYNC_HOOKS,
    SYNC_HOOKS_DONE,
    SYNC_CREATED,
    SYNC_TREE, /* with a detached tree of mounts, from who makes just that (tree.h) */
    SYNC_TYPES,
    /* No message: in a trace, what leads from the parent to the start of the child. */
    SYNC_START = SYNC_TYPES,
};

/* Make the channel. Returns 0 or a negative errno (recorded). */
int sync_open(int channel[2]);

/* Returns 0 or a negative errno (recorded); -EPIPE when the other side is gone. Never SIGPIPE. */
int sync_send(int channel, enum sync_type type);
int sync_send_fd(int channel, enum sync_type type, int fd);
int sync_send_mount(int channel, uint32_t number, int mount);

/* Send this process's error record. Nothing can be done if that fails. */
void sync_send_error(int channel);

/* Wait for the next message. fd, if not NULL, receives a descriptor that came with it, or -1.
 * With SYNC_ERROR the sender's record has become this process's. Anything malformed is -EPROTO.
 * Returns the type, SYNC_EOF, or a negative errno (recorded). */
int sync_receive(int channel, int *fd);

/* The same, with the number of a SYNC_IDMAP, 0 otherwise. */
int sync_receive_numbered(int channel, int *fd, uint32_t *number);

/* Wait for exactly this message. Returns 0 or a negative errno (recorded). */
int sync_expect(int channel, enum sync_type type);
