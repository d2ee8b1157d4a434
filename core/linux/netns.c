/* Network namespaces: made and furnished.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/netlink.h"
#include "core/linux/sys.h"

/* What the process inside is asked for, a byte each; it answers with its error record. */
enum request { FURNISH = 'f', GIVE_BACK = 'b' };

/* ---- inside ---- */

static int furnish(const struct netns_wish *wish)
{
    const char *name = wish->peer ? wish->peer : wish->move;
    autonetlink struct netlink netlink = {.fd = -1};
    int result = netlink_open(&netlink);
    if (result == 0 && wish->loopback)
        result = network_set_up(&netlink, "lo");
    if (result == 0 && wish->has_address)
        result = network_add_address(&netlink, name, &wish->address);
    if (result == 0 && wish->peer)
        result = network_set_up(&netlink, wish->peer);
    if (result == 0 && wish->move)
        result = network_set_up(&netlink, wish->move);
    if (result == 0 && wish->has_gateway)
        result = network_add_gateway(&netlink, &wish->gateway);
    return result;
}

/* host: the namespace outside. Interfaces that are not virtual would go there by themselves, but to
 * the initial one. */
static int give_back(const struct netns_wish *wish, int host)
{
    autonetlink struct netlink netlink = {.fd = -1};
    int result = netlink_open(&netlink);
    return result < 0 ? result : network_move(&netlink, wish->move, host);
}

static _Noreturn void serve(const struct netns_wish *wish, int channel, int host)
{
    char request;
    trace_child("inside");
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* Until the parent closes its end, by dying or otherwise. */
    while (read(channel, &request, 1) == 1) {
        error_clear();
        if (request == FURNISH)
            furnish(wish);
        else
            give_back(wish, host);
        trace_flush();
        if (write(channel, error_get(), sizeof(struct error)) < 0)
            break;
    }
    close(channel);
    for (;;)
        pause();
}

/* ---- outside ---- */

static int ask(int channel, char request)
{
    struct error answer;
    if (write(channel, &request, 1) != 1 ||
        read(channel, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
        return fail(EPIPE, "the process in the new network namespace is gone");
    return answer.kind == ERROR_NONE ? 0 : error_adopt(&answer);
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
static int connect_inside(const struct netns_wish *wish, int netns, int channel)
{
    autonetlink struct netlink netlink = {.fd = -1};
    bool has_veth = false;
    bool moved = false;
    int result = wish->host || wish->move ? netlink_open(&netlink) : 0;
    if (result == 0 && wish->host) {
        result = network_add_veth(&netlink, wish->host, wish->peer, netns);
        has_veth = result == 0;
    }
    if (has_veth)
        result = network_set_up(&netlink, wish->host);
    if (result == 0 && wish->move) {
        result = network_move(&netlink, wish->move, netns);
        moved = result == 0;
    }
    if (result == 0)
        result = ask(channel, FURNISH);
    if (result == 0 && wish->keep)
        result = wish->keep(wish->context, netns);
    /* The failure that is told is the first one. */
    if (result < 0 && moved)
        ask(channel, GIVE_BACK);
    if (result < 0 && has_veth)
        network_delete(&netlink, wish->host);
    return result;
}

int netns_create(const struct netns_wish *wish, struct process *holder)
{
    char path[32];
    int ends[2];
    autoprocess struct process child = NO_PROCESS;
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autoclose int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (proc < 0 || host < 0)
        return fail(errno, "cannot open /proc");
    if (check_right(wish) < 0)
        return -EPERM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return fail(errno, "cannot make a channel to the new network namespace");
    autoclose int channel = ends[0];
    autoclose int theirs = ends[1];
    step("create a network namespace");
    pid_t pid = process_clone(CLONE_NEWNET | (wish->maps ? CLONE_NEWUSER : 0), -1, &child);
    if (pid == 0) {
        close(ends[0]);
        serve(wish, theirs, host);
    }
    close_fd(&theirs);
    if (pid < 0)
        return pid;
    snprintf(path, sizeof(path), "%d/ns/net", (int)pid);
    autoclose int netns = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (netns < 0)
        return fail(errno, "cannot open the new network namespace, /proc/%s", path);
    int result = wish->maps ? idmaps_write(proc, pid, wish->maps) : 0;
    if (result == 0)
        result = connect_inside(wish, netns, channel);
    if (result < 0)
        return result;
    *holder = child;
    child = NO_PROCESS;
    return take_fd(&netns);
}
