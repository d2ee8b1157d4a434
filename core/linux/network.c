/* Network interfaces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/network.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/base/error.h"
#include "core/base/own.h"

int network_loopback_up(void)
{
    autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(errno, "cannot open a socket to bring the loopback interface up");
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return fail(errno, "cannot bring the loopback interface up");
    return 0;
}
