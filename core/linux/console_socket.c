/* Handing the master of a terminal to whoever asked for it, by a socket.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/console_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/packet.h"

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
    /* It was opened not to block, which goes along. */
    int flags = fcntl(master, F_GETFL);
    if (flags < 0 || fcntl(master, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return fail(errno, "cannot prepare the terminal for the console socket");
    int result = packet_send(connection, name, strlen(name), master);
    return result < 0 ? fail(-result, "cannot send the terminal to the console socket") : 0;
}
