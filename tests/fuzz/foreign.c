/* Fuzz target: messages of container-init's parent, one a line. '+' before it: with a descriptor of
 * a user namespace, '-': with one of something else.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/foreign.h"
#include "core/linux/packet.h"
#include "core/oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOUNTS 3

/* Returns how many were sent: a socket holds only so many. */
static int send_all(int socket, const uint8_t *data, size_t size, const int fds[2])
{
    int count = 0;

    while (size > 0 && count < 8) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        int fd = data[0] == '+' ? fds[0] : data[0] == '-' ? fds[1] : -1;
        size_t skip = fd >= 0;

        if (packet_send(socket, data + skip, length - skip, fd) < 0)
            break;
        count++;
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    return count;
}

static void serve(struct container *container, struct foreign *foreign)
{
    static const char *const answers[] = {"pid-done", "hooks-done", "run", NULL};

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        foreign->awaited = answers[i];
        const struct pollfd events[DRIVER_EVENTS] = {{.revents = POLLIN}};
        int result = container->driver->serve(foreign, events);
        if ((result < 0) != error_is_set() || (result >= 0 && !answers[i]))
            abort();
        if (result < 0)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config config = {.mount_count = MOUNTS};
    struct foreign foreign = {0};
    struct container container;
    int ends[2];
    int fds[2] = {open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC),
                  open("/dev/null", O_RDONLY | O_CLOEXEC)};

    if (fds[0] < 0 || fds[1] < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    send_all(ends[1], data, size, fds);
    shutdown(ends[1], SHUT_WR);
    container_init(&container, &config);
    foreign.socket = ends[0];

    int result = foreign_begin(&foreign, &container);

    if ((result < 0) != error_is_set())
        abort();
    if (result == 0)
        serve(&container, &foreign);
    for (size_t i = 0; i < MOUNTS; i++) {
        if (container.given_mounts[i] >= 0)
            close(container.given_mounts[i]);
        if (container.given_mappings[i] >= 0)
            close(container.given_mappings[i]);
    }
    container_free(&container);
    error_clear();
    close(ends[0]);
    close(ends[1]);
    close(fds[0]);
    close(fds[1]);
    /* What came is closed, or in one of the lists. */
    int next = dup(0);
    if (next >= 0 && next > fds[0])
        abort();
    close(next);
    return 0;
}
