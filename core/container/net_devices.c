/* linux.netDevices: interfaces that the parent moves into the container's network namespace.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/net_devices.h"
#include "core/linux/capability.h"
#include "core/linux/network_device.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

#define FIELD "/linux/netDevices"

/* Sockets of both namespaces, which last as long as these: also after the child's end. */
struct net_devices {
    struct netlink host;
    struct netlink inside;
    struct moved {
        struct network_device device;
        bool moved;
        bool was_up;
    } list[];
};

/* Names what the failure was about. */
static int fail_device(const struct container *container, size_t i, int result)
{
    char field[48];
    snprintf(field, sizeof(field), FIELD "/%s", container->config->net_devices[i].name);
    error_field(field);
    return result;
}

static int check_namespace(const struct container *container)
{
    int joined = container->namespaces[NAMESPACE_NETWORK];
    int own = joined < 0 ? 0 : namespace_is_own(joined, NAMESPACE_NETWORK);
    if (own > 0)
        return fail_config(FIELD, "the network namespace to join is the host's");
    if (own == 0 && !capability_have(CAP_NET_ADMIN))
        return fail_config(FIELD, "moving interfaces needs CAP_NET_ADMIN");
    return own;
}

int net_devices_prepare(struct container *container)
{
    const struct config *config = container->config;
    if (config->net_device_count == 0)
        return 0;
    step("look for the interfaces");
    int result = check_namespace(container);
    if (result < 0)
        return result;
    container->net_devices =
        calloc(1, sizeof(struct net_devices) + config->net_device_count * sizeof(struct moved));
    if (!container->net_devices)
        return fail(ENOMEM, "cannot allocate memory");
    container->net_devices->inside.fd = -1;
    result = netlink_open(&container->net_devices->host);
    for (size_t i = 0; result == 0 && i < config->net_device_count; i++) {
        struct moved *one = &container->net_devices->list[i];
        result = network_device_find(&one->device, &container->net_devices->host,
                                     config->net_devices[i].name);
        one->was_up = one->device.up;
        if (result < 0)
            return fail_device(container, i, result);
    }
    return result;
}

int net_devices_move(struct container *container, const struct process *child)
{
    struct net_devices *devices = container->net_devices;
    if (!devices)
        return 0;
    trace_group("move network devices");
    step("enter the network namespace of the container");
    int result = netlink_open_in(&devices->inside, child->pidfd);
    for (size_t i = 0; result == 0 && i < container->config->net_device_count; i++) {
        struct moved *one = &devices->list[i];
        trace_field(FIELD "/%s", container->config->net_devices[i].name);
        result = network_device_move(&one->device, &devices->host, &devices->inside,
                                     container->config->net_devices[i].inside, true, &one->moved);
        if (result < 0)
            fail_device(container, i, result);
    }
    if (result < 0) {
        error_step("move network devices");
        error_field(FIELD);
    }
    return result;
}

void net_devices_end(struct container *container, bool back)
{
    struct net_devices *devices = container->net_devices;
    for (size_t i = 0; devices && i < container->config->net_device_count; i++) {
        struct moved *one = &devices->list[i];
        if (back && one->moved)
            network_device_move(&one->device, &devices->inside, &devices->host,
                                container->config->net_devices[i].name, one->was_up, &one->moved);
        network_device_free(&one->device);
    }
    if (devices) {
        netlink_close(&devices->host);
        netlink_close(&devices->inside);
    }
    free_pointer(&container->net_devices);
}
