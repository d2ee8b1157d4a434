/* Handing the master of a terminal to whoever asked for it, by a socket.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/console_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "core/base/error.h"
#include "core/base/own.h"

int console_socket_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return fail(ENAMETOOLONG, "cannot connect to console socket %s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    autoclose int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0)
        return fail(errno, "cannot make a socket");
    while (connect(connection, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno != EINTR)
            return fail(errno, "cannot connect to console socket %s", path);
    }
    return take_fd(&connection);
}

int console_socket_send(int connection, int master)
{
    static const char name[] = "/dev/ptmx";
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)name, .iov_len = strlen(name)};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &master, sizeof(int));
    while (sendmsg(connection, &packet, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return fail(errno, "cannot send the terminal to the console socket");
    }
    return 0;
}
