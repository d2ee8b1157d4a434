/* Network interfaces and their addresses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/own.h"

/* More than the kernel puts into one message of a dump (NLMSG_GOODSIZE, at most 32 KiB). */
#define BUFFER_BYTES (64 << 10)

int interface_socket(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

static void take_link(const struct nlmsghdr *header, const struct interface_visitor *visitor)
{
    const struct ifinfomsg *message = NLMSG_DATA(header);
    struct interface interface = {.index = message->ifi_index, .flags = message->ifi_flags};
    int left = (int)IFLA_PAYLOAD(header);
    for (const struct rtattr *one = IFLA_RTA(message); RTA_OK(one, left);
         one = RTA_NEXT(one, left)) {
        const uint8_t *data = RTA_DATA(one);
        size_t length = RTA_PAYLOAD(one);
        switch (one->rta_type) {
        case IFLA_IFNAME:
            snprintf(interface.name, sizeof(interface.name), "%.*s", (int)length,
                     (const char *)data);
            break;
        case IFLA_MTU:
            if (length == sizeof(interface.mtu))
                memcpy(&interface.mtu, data, length);
            break;
        case IFLA_ADDRESS:
            for (size_t i = 0; i < length && i < 32; i++)
                snprintf(interface.hardware + i * 3 - (i > 0), 4, i > 0 ? ":%02x" : "%02x",
                         data[i]);
            break;
        default:
            break;
        }
    }
    visitor->interface(visitor->context, &interface);
}

static void take_attribute(const struct rtattr *one, size_t size, struct interface_address *address,
                           const void **local)
{
    size_t length = RTA_PAYLOAD(one);
    const void *data = RTA_DATA(one);
    if (one->rta_type == IFA_FLAGS && length == sizeof(address->flags)) {
        memcpy(&address->flags, data, length);
    } else if (one->rta_type == IFA_BROADCAST && length == sizeof(address->broadcast)) {
        memcpy(address->broadcast, data, length);
        address->has_broadcast = true;
    } else if (one->rta_type == IFA_ADDRESS && length == size) {
        memcpy(address->peer, data, size);
        *local = *local ? *local : address->peer;
    } else if (one->rta_type == IFA_LOCAL && length == size) {
        memcpy(address->local, data, size);
        *local = address->local;
    }
}

static void take_address(const struct nlmsghdr *header, const struct interface_visitor *visitor)
{
    const struct ifaddrmsg *message = NLMSG_DATA(header);
    struct interface_address address = {.index = (int)message->ifa_index,
                                        .family = message->ifa_family,
                                        .prefix = message->ifa_prefixlen,
                                        .scope = message->ifa_scope,
                                        .flags = message->ifa_flags};
    size_t size = message->ifa_family == AF_INET ? 4 : 16;
    /* With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours. */
    const void *local = NULL;
    int left = (int)IFA_PAYLOAD(header);
    for (const struct rtattr *one = IFA_RTA(message); RTA_OK(one, left); one = RTA_NEXT(one, left))
        take_attribute(one, size, &address, &local);
    if (!local || (message->ifa_family != AF_INET && message->ifa_family != AF_INET6))
        return;
    memmove(address.local, local, size);
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(message->ifa_family, address.local, text, sizeof(text));
    snprintf(address.text, sizeof(address.text), "%s/%u", text, message->ifa_prefixlen);
    visitor->address(visitor->context, &address);
}

static int request(int fd, uint16_t type)
{
    struct {
        struct nlmsghdr header;
        struct rtgenmsg message;
    } dump = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
                   .nlmsg_type = type,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .message = {.rtgen_family = AF_UNSPEC},
    };
    return send(fd, &dump, dump.header.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* One message. Returns 1 to go on, 0 at the end of the list, or a negative errno. */
static int take_message(const struct nlmsghdr *header, const struct interface_visitor *visitor)
{
    const struct nlmsgerr *error = NLMSG_DATA(header);
    switch (header->nlmsg_type) {
    case NLMSG_DONE:
        return 0;
    case NLMSG_ERROR:
        return header->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) || !error->error ? -EBADMSG
                                                                                 : error->error;
    case RTM_NEWLINK:
        if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
            take_link(header, visitor);
        return 1;
    case RTM_NEWADDR:
        if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
            take_address(header, visitor);
        return 1;
    default:
        return 1;
    }
}

static int dump(int fd, uint16_t type, void *buffer, const struct interface_visitor *visitor)
{
    int result = request(fd, type);
    bool interrupted = false;
    if (result < 0)
        return result;
    for (;;) {
        ssize_t count = recv(fd, buffer, BUFFER_BYTES, MSG_TRUNC);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0 || count > BUFFER_BYTES)
            return -EMSGSIZE;
        size_t left = (size_t)count;
        for (const struct nlmsghdr *header = buffer; NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            /* To the end all the same: the rest would be taken for the answer to what is asked
             * next. */
            if (header->nlmsg_flags & NLM_F_DUMP_INTR)
                interrupted = true;
            result = take_message(header, visitor);
            if (result <= 0)
                return result == 0 && interrupted ? -EINTR : result;
        }
    }
}

int interface_list(int socket, const struct interface_visitor *visitor)
{
    autofree void *buffer = malloc(BUFFER_BYTES);
    if (!buffer)
        return -ENOMEM;
    int result = dump(socket, RTM_GETLINK, buffer, visitor);
    return result < 0 ? result : dump(socket, RTM_GETADDR, buffer, visitor);
}
