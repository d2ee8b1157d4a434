/* Network interfaces that go over to another network namespace, with their addresses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/network_device.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/network.h"

/* How often interfaces may change while they are listed. */
#define TRIES 10

struct search {
    struct network_device *device;
    const char *name;
    int index; /* 0: not seen yet */
    bool failed;
};

static void take_interface(void *context, const struct interface *interface)
{
    struct search *search = context;
    if (strcmp(interface->name, search->name) != 0)
        return;
    search->index = interface->index;
    search->device->up = interface->flags & IFF_UP;
}

/* Those that are the interface's own alone (fe80::) come with the new namespace; those with a
 * lifetime are somebody's to look after, who is not there. */
static void take_address(void *context, const struct interface_address *address)
{
    struct search *search = context;
    struct network_device *device = search->device;
    if (address->index != search->index || address->scope != RT_SCOPE_UNIVERSE ||
        !(address->flags & IFA_F_PERMANENT))
        return;
    struct interface_address *more =
        realloc(device->addresses, (device->count + 1) * sizeof(*device->addresses));
    if (!more) {
        search->failed = true;
        return;
    }
    device->addresses = more;
    device->addresses[device->count++] = *address;
}

int network_device_find(struct network_device *device, const struct netlink *netlink,
                        const char *name)
{
    struct search search = {.device = device, .name = name};
    const struct interface_visitor visitor = {take_interface, take_address, &search};
    *device = (struct network_device){.up = false};
    snprintf(device->name, sizeof(device->name), "%s", name);
    int result = -EINTR;
    for (int i = 0; result == -EINTR && i < TRIES; i++) {
        device->count = 0;
        search.index = 0;
        result = interface_list(netlink->fd, &visitor);
    }
    if (result == 0 && search.failed)
        result = -ENOMEM;
    if (result == 0 && search.index == 0)
        result = -ENODEV;
    return result < 0 ? fail(-result, "cannot find the interface %s", name) : 0;
}

void network_device_free(struct network_device *device)
{
    free_pointer(&device->addresses);
    device->count = 0;
}

/* The kernel would only look when the interface is there already. */
static int choose_name(const struct netlink *to, const char *wanted, char name[IFNAMSIZ])
{
    const char *number = strstr(wanted, "%d");
    int length = number ? (int)(number - wanted) : 0;
    snprintf(name, IFNAMSIZ, "%s", wanted);
    for (int i = 0; number; i++) {
        int size = snprintf(name, IFNAMSIZ, "%.*s%d%s", length, wanted, i, number + 2);
        if (size >= IFNAMSIZ)
            break;
        if (netlink_index(to, name) < 0)
            return 0;
    }
    if (number || netlink_index(to, name) >= 0)
        return fail(EEXIST, "cannot move an interface to the name %s", wanted);
    return 0;
}

static int add_address(struct netlink *netlink, int index, const struct interface_address *address)
{
    size_t size = address->family == AF_INET ? 4 : 16;
    /* Nobody else has had it meanwhile: it can be used at once. */
    uint32_t flags = address->flags & (IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS);
    flags |= address->family == AF_INET6 ? IFA_F_NODAD : 0;
    const struct ifaddrmsg header = {.ifa_family = (unsigned char)address->family,
                                     .ifa_prefixlen = (unsigned char)address->prefix,
                                     .ifa_scope = RT_SCOPE_UNIVERSE,
                                     .ifa_index = (unsigned)index};
    netlink_begin(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
    netlink_put(netlink, IFA_LOCAL, address->local, size);
    netlink_put(netlink, IFA_ADDRESS, address->peer, size);
    if (address->has_broadcast)
        netlink_put(netlink, IFA_BROADCAST, address->broadcast, sizeof(address->broadcast));
    netlink_put_u32(netlink, IFA_FLAGS, flags);
    int answer = netlink_talk(netlink);
    return answer < 0 ? fail(-answer, "cannot give the interface its address %s", address->text)
                      : 0;
}

int network_device_move(struct network_device *device, struct netlink *from, struct netlink *to,
                        const char *name, bool up, bool *moved)
{
    int index = device->index ? device->index : netlink_index(from, device->name);
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    char chosen[IFNAMSIZ];
    autoclose int netns = netlink_namespace(to);
    *moved = false;
    if (netns < 0 || choose_name(to, name, chosen) < 0)
        return -EINVAL;
    step("move the interface %s", device->name);
    netlink_begin(from, RTM_NEWLINK, 0, &header, sizeof(header));
    netlink_put_u32(from, IFLA_NET_NS_FD, (uint32_t)netns);
    netlink_put_text(from, IFLA_IFNAME, chosen);
    int answer = index < 0 ? index : netlink_talk(from);
    if (answer < 0) {
        /* The kernel moves it first, and renames it then: somebody may have taken the name. */
        int there =
            index < 0 || netlink_has_index(from, index) ? -1 : netlink_index(to, device->name);
        *moved = there > 0;
        device->index = there > 0 ? there : device->index;
        int result = fail(-answer, "cannot move the interface %s to another network namespace",
                          device->name);
        if (answer == -EINVAL)
            error_hint("some kinds of interface belong to one namespace for good");
        return result;
    }
    *moved = true;
    memcpy(device->name, chosen, sizeof(chosen));
    device->index = netlink_index(to, device->name);
    int result = 0;
    for (size_t i = 0; result == 0 && i < device->count; i++)
        result = add_address(to, device->index, &device->addresses[i]);
    return result == 0 && up ? network_set_up(to, device->name) : result;
}
