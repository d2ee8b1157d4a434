/* Fuzz target: what the two sides of a container's set-up may be told. The first byte of each
 * packet says how long it is (in quarters of what the longest message has, or exactly), the next
 * one how many descriptors come with it. Whatever comes, strings end, and no descriptor stays
 * behind. SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/container/sync.h"
#include "core/linux/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE (8 + sizeof(struct error))
#define PACKETS 16

static void send_packet(int socket, const uint8_t *bytes, size_t length, unsigned fds)
{
    uint8_t message[2 * MESSAGE] = {0};
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = message, .iov_len = length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

    memcpy(message, bytes, length);
    if (fds > 0) {
        const int list[3] = {socket, socket, socket};

        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(fds * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds * sizeof(int));
        memcpy(CMSG_DATA(header), list, fds * sizeof(int));
    }
    if (sendmsg(socket, &packet, MSG_NOSIGNAL) < 0)
        abort();
}

/* As long as the sender wants, filled up with zeros where the input ends. */
static void send_all(int socket, const uint8_t *data, size_t size)
{
    for (int packets = 0; size >= 2 && packets < PACKETS; packets++) {
        uint8_t message[2 * MESSAGE] = {0};
        size_t length = data[0] & 0x80 ? MESSAGE : data[0] & 0x40 ? 8 : data[0] & 0x3f;
        size_t there = size - 2 < length ? size - 2 : length;

        memcpy(message, data + 2, there);
        send_packet(socket, message, length, data[1] & 3);
        data += 2 + there;
        size -= 2 + there;
    }
}

static void check_error(void)
{
    const struct error *error = error_get();
    char line[256];

    if (memchr(error->text, 0, sizeof(error->text)) == NULL ||
        memchr(error->field, 0, sizeof(error->field)) == NULL ||
        memchr(error->step, 0, sizeof(error->step)) == NULL ||
        memchr(error->hint, 0, sizeof(error->hint)) == NULL)
        abort();
    size_t length = error_format(error, line, sizeof(line));
    if (length != strlen(line) || strpbrk(line, "\n\r\033"))
        abort();
    error_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    int type;

    if (sync_open(ends) < 0)
        abort();
    send_all(ends[1], data, size);
    close(ends[1]);
    for (int count = 0; count <= PACKETS; count++) {
        uint32_t number;
        int fd = -1;

        type = sync_receive_numbered(ends[0], count & 1 ? NULL : &fd, &number);
        if (type >= SYNC_TYPES || (type < 0 && (fd >= 0 || !error_is_set())))
            abort();
        if (fd >= 0)
            close(fd);
        if (error_is_set())
            check_error();
        if (type == SYNC_EOF)
            break;
    }
    close(ends[0]);
    /* The lowest one that is free is the same as before. */
    int next = dup(0);
    if (next >= 0 && next > ends[0])
        abort();
    close(next);
    return 0;
}
