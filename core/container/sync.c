/* What the parent and the child of a container's set-up tell each other.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/sync.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/base/own.h"
#include "core/base/trace.h"

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

static int send_message(int channel, const struct message *message, size_t length, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(int));
    }
    while (sendmsg(channel, &packet, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static int send_bare(int channel, enum sync_type type, uint32_t number, int fd)
{
    const struct message message = {.type = type, .number = number};
    int result = send_message(channel, &message, BARE_LENGTH, fd);
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
    send_message(channel, &message, sizeof(message), -1);
}

/* The descriptor that came with a packet, or -1. There is room for two, because the kernel aligns:
 * a second one is closed, and *malformed set. */
static int received_fd(struct msghdr *packet, bool *malformed)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(packet);
    *malformed = (packet->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return -1;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[2];
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    if (count > 1) {
        *malformed = true;
        close(fds[1]);
    }
    return fds[0];
}

int sync_receive_numbered(int channel, int *fd, uint32_t *number)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct message message = {0};
    struct iovec part = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t length;
    while ((length = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC)) < 0) {
        /* The other side has ended without reading all; told once, and before what it had to say.
         */
        if (errno != EINTR && errno != ECONNRESET)
            return fail(errno, "cannot hear from the other side of the container's set-up");
    }
    bool malformed;
    autoclose int received = received_fd(&packet, &malformed);
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
