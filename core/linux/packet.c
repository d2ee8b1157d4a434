/* Packets of a SOCK_SEQPACKET socket, each with one descriptor or none.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/packet.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t packet_send_some(int socket, const void *bytes, size_t length, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
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
    ssize_t sent;
    while ((sent = sendmsg(socket, &packet, MSG_NOSIGNAL)) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return sent;
}

int packet_send(int socket, const void *bytes, size_t length, int fd)
{
    ssize_t sent = packet_send_some(socket, bytes, length, fd);
    return sent < 0 ? (int)sent : 0;
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

ssize_t packet_receive(int socket, void *bytes, size_t size, int *fd, bool *malformed)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t length;
    *fd = -1;
    while ((length = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC)) < 0) {
        /* The other side has ended without reading all; told once, and before what it had to say.
         */
        if (errno != EINTR && errno != ECONNRESET)
            return -errno;
    }
    *fd = received_fd(&packet, malformed);
    return length;
}
