/* Network namespaces: made and furnished.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/netns.h"

#include <errno.h>
#include <linux/capability.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/isolate.h"
#include "core/linux/netlink.h"
#include "core/linux/sys.h"

/* What is furnished by sockets alone: one here, and one that was opened inside. */
struct site {
    struct netlink host;   /* only where something of here is to go inside */
    struct netlink inside; /* its socket belongs to the new namespace, whoever uses it */
};

static void close_site(struct site *site)
{
    netlink_close(&site->host);
    netlink_close(&site->inside);
}

static int furnish(const struct netns_wish *wish, struct netlink *inside)
{
    const char *name = wish->peer ? wish->peer : wish->move;
    int result = wish->loopback ? network_set_up(inside, "lo") : 0;
    if (result == 0 && wish->has_address)
        result = network_add_address(inside, name, &wish->address);
    if (result == 0 && wish->peer)
        result = network_set_up(inside, wish->peer);
    if (result == 0 && wish->move)
        result = network_set_up(inside, wish->move);
    if (result == 0 && wish->has_gateway)
        result = network_add_gateway(inside, &wish->gateway);
    return result;
}

/* Interfaces that are not virtual would come back by themselves, but to the initial namespace. */
static void give_back(const struct netns_wish *wish, struct site *site)
{
    autoclose int host = netlink_namespace(&site->host);
    if (host >= 0)
        network_move(&site->inside, wish->move, host);
}

static int check_right(const struct netns_wish *wish)
{
    if (wish->maps || capability_have(CAP_SYS_ADMIN))
        return 0;
    int result = fail(EPERM, "cannot create a network namespace without CAP_SYS_ADMIN");
    error_hint("an ordinary user has it in a user namespace: shimbox unshare --map-root-user "
               "--mount -- shimbox netns-new ..., or use --hold");
    return result;
}

/* Interfaces from outside, then everything inside; undone in the opposite order. */
static int connect_inside(const struct netns_wish *wish, struct site *site, int netns)
{
    bool has_veth = false;
    bool moved = false;
    int result = 0;
    if (wish->host) {
        result = network_add_veth(&site->host, wish->host, wish->peer, netns);
        has_veth = result == 0;
    }
    if (has_veth)
        result = network_set_up(&site->host, wish->host);
    if (result == 0 && wish->move) {
        result = network_move(&site->host, wish->move, netns);
        moved = result == 0;
    }
    if (result == 0)
        result = furnish(wish, &site->inside);
    if (result == 0 && wish->keep)
        result = wish->keep(wish->context, netns);
    /* The failure that is told is the first one. */
    if (result < 0 && moved)
        give_back(wish, site);
    if (result < 0 && has_veth)
        network_delete(&site->host, wish->host);
    return result;
}

/* This process goes inside, where it keeps the namespace. */
static int enter_new(const struct netns_wish *wish, struct netlink *inside)
{
    struct isolation isolation = {.flags = CLONE_NEWNET};
    if (wish->maps) {
        isolation.flags |= CLONE_NEWUSER;
        isolation.maps = *wish->maps;
        *wish->maps = (struct idmaps){0};
    }
    int result = isolate(&isolation, NULL);
    return result < 0 ? result : netlink_open(inside);
}

int netns_create(const struct netns_wish *wish)
{
    __attribute__((cleanup(close_site))) struct site site = {.host.fd = -1, .inside.fd = -1};
    if (check_right(wish) < 0)
        return -EPERM;
    if ((wish->host || wish->move) && netlink_open(&site.host) < 0)
        return -EINVAL;
    step("create a network namespace");
    int result = wish->enter ? enter_new(wish, &site.inside) : netlink_open_in(&site.inside, -1);
    if (result < 0)
        return result;
    autoclose int netns = netlink_namespace(&site.inside);
    if (netns < 0)
        return netns;
    result = connect_inside(wish, &site, netns);
    return result < 0 ? result : take_fd(&netns);
}
