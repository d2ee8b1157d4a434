/* Requests to the kernel's routing netlink, and its answers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"

int netlink_open(struct netlink *netlink)
{
    *netlink = (struct netlink){.fd = -1};
    netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return netlink->fd < 0 ? fail(errno, "cannot open a socket to the kernel's network set-up") : 0;
}

struct visit {
    struct netlink *netlink;
    int pidfd;
};

static int open_there(void *context)
{
    const struct visit *visit = context;
    if (visit->pidfd >= 0 && sys_setns(visit->pidfd, CLONE_NEWNET) < 0)
        return fail(errno, "cannot enter the network namespace of the container") < 0;
    return netlink_open(visit->netlink) < 0;
}

int netlink_open_in(struct netlink *netlink, int pidfd)
{
    _Alignas(16) char stack[16384]; /* ample; what is not touched costs nothing */
    struct visit visit = {netlink, pidfd};
    autoprocess struct process visitor = NO_PROCESS;
    uint64_t flags = CLONE_FILES | CLONE_VFORK | (pidfd < 0 ? CLONE_NEWNET : 0);
    pid_t pid = process_clone_here(flags, open_there, &visit, stack, sizeof(stack), &visitor);
    return pid < 0 || error_is_set() ? -EINVAL : 0;
}

/* Any socket tells. */
int netlink_index(const struct netlink *netlink, const char *name)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return ioctl(netlink->fd, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

bool netlink_has_index(const struct netlink *netlink, int index)
{
    struct ifreq request = {.ifr_ifindex = index};
    return ioctl(netlink->fd, SIOCGIFNAME, &request) == 0;
}

int netlink_namespace(const struct netlink *netlink)
{
    int fd = ioctl(netlink->fd, SIOCGSKNS);
    return fd < 0 ? fail(errno, "cannot open the network namespace of a socket") : fd;
}

void netlink_close(struct netlink *netlink)
{
    close_fd(&netlink->fd);
}

/* Append with padding to four bytes; too much only makes the length impossible. */
static void append(struct netlink *netlink, const void *data, size_t size)
{
    size_t padded = NLMSG_ALIGN(size);
    if (netlink->length + padded <= sizeof(netlink->bytes)) {
        memset(netlink->bytes + netlink->length, 0, padded);
        memcpy(netlink->bytes + netlink->length, data, size);
    }
    netlink->length += padded;
}

void netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags, const void *header,
                   size_t size)
{
    const struct nlmsghdr start = {
        .nlmsg_type = type,
        .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
        .nlmsg_seq = ++netlink->sequence,
    };
    netlink->length = 0;
    append(netlink, &start, sizeof(start));
    append(netlink, header, size);
}

void netlink_put(struct netlink *netlink, uint16_t type, const void *data, size_t size)
{
    const struct nlattr attribute = {.nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + size)};
    append(netlink, &attribute, sizeof(attribute));
    append(netlink, data, size);
}

void netlink_put_text(struct netlink *netlink, uint16_t type, const char *text)
{
    netlink_put(netlink, type, text, strlen(text) + 1);
}

void netlink_put_u32(struct netlink *netlink, uint16_t type, uint32_t number)
{
    netlink_put(netlink, type, &number, sizeof(number));
}

size_t netlink_nest(struct netlink *netlink, uint16_t type)
{
    size_t start = netlink->length;
    const struct nlattr attribute = {.nla_type = type};
    append(netlink, &attribute, sizeof(attribute));
    return start;
}

void netlink_end(struct netlink *netlink, size_t nest)
{
    struct nlattr attribute;
    if (netlink->length > sizeof(netlink->bytes))
        return;
    memcpy(&attribute, netlink->bytes + nest, sizeof(attribute));
    attribute.nla_len = (uint16_t)(netlink->length - nest);
    memcpy(netlink->bytes + nest, &attribute, sizeof(attribute));
}

void netlink_put_raw(struct netlink *netlink, const void *data, size_t size)
{
    append(netlink, data, size);
}

int netlink_talk(struct netlink *netlink)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        unsigned char rest[sizeof(netlink->bytes)];
    } answer;
    if (netlink->length > sizeof(netlink->bytes))
        return -EMSGSIZE;
    uint32_t length = (uint32_t)netlink->length;
    memcpy(netlink->bytes, &length, sizeof(length)); /* nlmsg_len is the first member */
    if (sendto(netlink->fd, netlink->bytes, netlink->length, 0, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0)
        return -errno;
    for (;;) {
        struct sockaddr_nl sender = {0};
        socklen_t size = sizeof(sender);
        ssize_t count =
            recvfrom(netlink->fd, &answer, sizeof(answer), 0, (struct sockaddr *)&sender, &size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        /* Others may send to this socket as well; the kernel has port 0. */
        if (sender.nl_pid != 0 || answer.header.nlmsg_seq != netlink->sequence)
            continue;
        if ((size_t)count < NLMSG_HDRLEN + sizeof(answer.error.error) ||
            answer.header.nlmsg_type != NLMSG_ERROR)
            return -EPROTO;
        return answer.error.error;
    }
}
