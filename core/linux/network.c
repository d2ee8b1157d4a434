/* Network interfaces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/netlink.h"

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

bool network_is_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strpbrk(name, "/: \t\n\v\f\r") == NULL;
}

int network_check_name(const char *option, const char *name)
{
    if (network_is_name(name))
        return 0;
    return fail_usage("option %s: '%s' cannot be the name of an interface", option, name);
}

int network_parse_gateway(const char *option, const char *text, struct network_address *address)
{
    *address = (struct network_address){.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(address->family, text, address->bytes) == 1)
        return 0;
    return fail_usage("option %s: '%s' is not an address", option, text);
}

int network_parse_address(const char *option, const char *text, struct network_address *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    const char *slash = strchr(text, '/');
    uint32_t prefix;
    if (!slash || (size_t)(slash - text) >= sizeof(host))
        return fail_usage("option %s: '%s' is not ADDRESS/PREFIX", option, text);
    memcpy(host, text, (size_t)(slash - text));
    int result = network_parse_gateway(option, host, address);
    if (result < 0)
        return result;
    if (parse_u32(slash + 1, address->family == AF_INET ? 32 : 128, &prefix) < 0)
        return fail_usage("option %s: '%s' has no prefix from 0 to %d", option, text,
                          address->family == AF_INET ? 32 : 128);
    address->prefix = prefix;
    return 0;
}

static size_t address_size(const struct network_address *address)
{
    return address->family == AF_INET ? 4 : 16;
}

static int find_index(struct netlink *netlink, const char *name)
{
    int index = netlink_index(netlink, name);
    return index < 0 ? fail(-index, "cannot find the interface %s", name) : index;
}

int network_add_veth(struct netlink *netlink, const char *name, const char *peer, int netns)
{
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    step("create the interfaces %s and %s", name, peer);
    netlink_begin(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    netlink_put_text(netlink, IFLA_IFNAME, name);
    size_t info = netlink_nest(netlink, IFLA_LINKINFO);
    netlink_put_text(netlink, IFLA_INFO_KIND, "veth");
    size_t data = netlink_nest(netlink, IFLA_INFO_DATA);
    size_t other = netlink_nest(netlink, VETH_INFO_PEER);
    netlink_put_raw(netlink, &header, sizeof(header));
    netlink_put_text(netlink, IFLA_IFNAME, peer);
    netlink_put_u32(netlink, IFLA_NET_NS_FD, (uint32_t)netns);
    netlink_end(netlink, other);
    netlink_end(netlink, data);
    netlink_end(netlink, info);
    int answer = netlink_talk(netlink);
    if (answer == 0)
        return 0;
    int result = fail(-answer, "cannot create the interface %s", name);
    if (answer == -EOPNOTSUPP)
        error_hint("this kernel has no veth, or its module is not loaded");
    return result;
}

int network_set_up(struct netlink *netlink, const char *name)
{
    int index = find_index(netlink, name);
    if (index < 0)
        return index;
    const struct ifinfomsg header = {
        .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    step("bring the interface %s up", name);
    netlink_begin(netlink, RTM_NEWLINK, 0, &header, sizeof(header));
    int answer = netlink_talk(netlink);
    return answer < 0 ? fail(-answer, "cannot bring the interface %s up", name) : 0;
}

int network_add_address(struct netlink *netlink, const char *name,
                        const struct network_address *address)
{
    int index = find_index(netlink, name);
    if (index < 0)
        return index;
    const struct ifaddrmsg header = {
        .ifa_family = (unsigned char)address->family,
        .ifa_prefixlen = (unsigned char)address->prefix,
        /* Without waiting for others who may have the address: it could not be used at once. */
        .ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
        .ifa_index = (unsigned)index,
    };
    step("give the interface %s an address", name);
    netlink_begin(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    netlink_put(netlink, IFA_LOCAL, address->bytes, address_size(address));
    netlink_put(netlink, IFA_ADDRESS, address->bytes, address_size(address));
    int answer = netlink_talk(netlink);
    return answer < 0 ? fail(-answer, "cannot give the interface %s an address", name) : 0;
}

int network_add_gateway(struct netlink *netlink, const struct network_address *gateway)
{
    const struct rtmsg header = {
        .rtm_family = (unsigned char)gateway->family,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_BOOT,
        .rtm_scope = RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
    };
    step("set the default route");
    netlink_begin(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
    netlink_put(netlink, RTA_GATEWAY, gateway->bytes, address_size(gateway));
    int answer = netlink_talk(netlink);
    if (answer == 0)
        return 0;
    int result = fail(-answer, "cannot set the default route");
    if (answer == -ENETUNREACH)
        error_hint("no interface has an address in the gateway's network");
    return result;
}

int network_delete(struct netlink *netlink, const char *name)
{
    int index = find_index(netlink, name);
    if (index < 0)
        return index;
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    netlink_begin(netlink, RTM_DELLINK, 0, &header, sizeof(header));
    int answer = netlink_talk(netlink);
    return answer < 0 ? fail(-answer, "cannot delete the interface %s", name) : 0;
}

int network_move(struct netlink *netlink, const char *name, int netns)
{
    int index = find_index(netlink, name);
    if (index < 0)
        return index;
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    step("move the interface %s", name);
    netlink_begin(netlink, RTM_NEWLINK, 0, &header, sizeof(header));
    netlink_put_u32(netlink, IFLA_NET_NS_FD, (uint32_t)netns);
    int answer = netlink_talk(netlink);
    if (answer == 0)
        return 0;
    int result = fail(-answer, "cannot move the interface %s to another network namespace", name);
    if (answer == -EINVAL)
        error_hint("some kinds of interface belong to one namespace for good");
    else if (answer == -EEXIST)
        error_hint("there is one of that name already");
    return result;
}
