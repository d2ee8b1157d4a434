/* What the parent and the child of a container's set-up tell each other.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/sync.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/packet.h"

struct message {
    uint32_t type;
    uint32_t number;    /* of the mount, with SYNC_IDMAP */
    struct error error; /* sent with SYNC_ERROR only */
};

#define BARE_LENGTH offsetof(struct message, error)

/* Of the arrows in a trace. Those without a name have none: SYNC_CHILD, whose sender has no more to
 * say, and what can come more than once. */
static const char names[SYNC_TYPES][12] = {
    [SYNC_MAPPED] = "IDs mapped", [SYNC_READY] = "ready",           [SYNC_RUN] = "run",
    [SYNC_HOOKS] = "mounted",     [SYNC_HOOKS_DONE] = "hooks done", [SYNC_CREATED] = "created",
    [SYNC_ERROR] = "error",
};

int sync_open(int channel[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
        return fail(errno, "cannot make a channel to the container");
    return 0;
}

static int send_bare(int channel, enum sync_type type, uint32_t number, int fd)
{
    const struct message message = {.type = type, .number = number};
    int result = packet_send(channel, &message, BARE_LENGTH, fd);
    return result < 0 ? fail(-result, "cannot tell the other side of the container's set-up") : 0;
}

int sync_send_fd(int channel, enum sync_type type, int fd)
{
    return send_bare(channel, type, 0, fd);
}

int sync_send_mount(int channel, uint32_t number, int mount)
{
    return send_bare(channel, SYNC_IDMAP, number, mount);
}

int sync_send(int channel, enum sync_type type)
{
    if (names[type][0])
        trace_sent(type, names[type]);
    return sync_send_fd(channel, type, -1);
}

void sync_send_error(int channel)
{
    struct message message = {.type = SYNC_ERROR, .error = *error_get()};
    /* Who hears of it may end this process. */
    trace_sent(SYNC_ERROR, names[SYNC_ERROR]);
    trace_flush();
    packet_send(channel, &message, sizeof(message), -1);
}

int sync_receive_numbered(int channel, int *fd, uint32_t *number)
{
    struct message message = {0};
    autoclose int received = -1;
    bool malformed;
    ssize_t length = packet_receive(channel, &message, sizeof(message), &received, &malformed);
    if (length < 0)
        return fail((int)-length, "cannot hear from the other side of the container's set-up");
    if (length == 0)
        return SYNC_EOF;
    bool whole = message.type == SYNC_ERROR ? length == (ssize_t)sizeof(message)
                                            : length == (ssize_t)BARE_LENGTH;
    if (!whole || malformed || message.type <= SYNC_EOF || message.type >= SYNC_TYPES)
        return fail(EPROTO, "unexpected message during the container's set-up");
    if (message.type == SYNC_ERROR)
        error_adopt(&message.error);
    if (names[message.type][0])
        trace_received(message.type, names[message.type]);
    if (fd)
        *fd = take_fd(&received);
    *number = message.number;
    return (int)message.type;
}

int sync_receive(int channel, int *fd)
{
    uint32_t number;
    return sync_receive_numbered(channel, fd, &number);
}

int sync_expect(int channel, enum sync_type type)
{
    int received = sync_receive(channel, NULL);
    if (received < 0)
        return received;
    if (received == (int)type)
        return 0;
    if (received == SYNC_EOF)
        return fail(EPIPE, "the other side of the container's set-up is gone");
    return fail(EPROTO, "message out of order during the container's set-up");
}
