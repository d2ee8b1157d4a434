/* unshare: go on in new namespaces.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Names, meaning and exit codes of the options are those of util-linux' unshare(1). Beside them are
 * descriptors of the chain: --userns, --netns, --detached-root.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/linux/chain.h"
#include "core/linux/credentials.h"
#include "core/linux/follow.h"
#include "core/linux/idmap_unshare.h"
#include "core/linux/isolate.h"
#include "core/linux/mount.h"
#include "core/linux/namespace_word.h"
#include "core/linux/procfs.h"
#include "core/linux/root.h"
#include "core/linux/signals.h"
#include "core/linux/sys.h"
#include "core/oci/user.h"

struct unshare_options {
    const char *mount, *uts, *ipc, *net, *pid, *user, *cgroup, *time;
    bool fork;
    bool map_root;
    bool map_current;
    bool map_auto;
    bool map_subids;
    const char *map_user;
    const char *map_group;
    struct text_list map_users;
    struct text_list map_groups;
    const char *kill_child;
    const char *mount_proc;
    const char *propagation;
    const char *setgroups;
    bool keep_caps;
    const char *root;
    const char *wd;
    const char *setuid;
    const char *setgid;
    const char *monotonic;
    const char *boottime;
    const char *userns;
    const char *netns;
    bool detached_root;
};

#define AT(field) ((uint16_t)offsetof(struct unshare_options, field))

static const struct option options[] = {
    {'m', OPTION_MAYBE_LONG, AT(mount),
     OPTION_WORDS("mount", "FILE", "New mount namespace, kept on FILE")},
    {'u', OPTION_MAYBE_LONG, AT(uts),
     OPTION_WORDS("uts", "FILE", "New uts namespace (hostname, domainname)")},
    {'i', OPTION_MAYBE_LONG, AT(ipc), OPTION_WORDS("ipc", "FILE", "New ipc namespace")},
    {'n', OPTION_MAYBE_LONG, AT(net), OPTION_WORDS("net", "FILE", "New network namespace")},
    {'p', OPTION_MAYBE_LONG, AT(pid),
     OPTION_WORDS("pid", "FILE", "New pid namespace, for children: see --fork")},
    {'U', OPTION_MAYBE_LONG, AT(user), OPTION_WORDS("user", "FILE", "New user namespace")},
    {'C', OPTION_MAYBE_LONG, AT(cgroup), OPTION_WORDS("cgroup", "FILE", "New cgroup namespace")},
    {'T', OPTION_MAYBE_LONG, AT(time),
     OPTION_WORDS("time", "FILE", "New time namespace, for children")},
    {'f', OPTION_FLAG, AT(fork), OPTION_WORDS("fork", "", "Go on in a child, and wait for it")},
    {'r', OPTION_FLAG, AT(map_root),
     OPTION_WORDS("map-root-user", "", "Map the user to root (implies --user)")},
    {'c', OPTION_FLAG, AT(map_current),
     OPTION_WORDS("map-current-user", "", "Map the user to itself (implies --user)")},
    {0, OPTION_TEXT, AT(map_user),
     OPTION_WORDS("map-user", "USER", "Map the user to USER (implies --user)")},
    {0, OPTION_TEXT, AT(map_group),
     OPTION_WORDS("map-group", "GROUP", "Map the group to GROUP (implies --user)")},
    {0, OPTION_FLAG, AT(map_auto),
     OPTION_WORDS("map-auto", "", "Map the subordinate ids from 0 on (implies --user)")},
    {0, OPTION_FLAG, AT(map_subids),
     OPTION_WORDS("map-subids", "", "Map the subordinate ids to themselves (implies --user)")},
    {0, OPTION_LIST, AT(map_users),
     OPTION_WORDS("map-users", "RANGE|auto|subids|all",
                  "Users by INNER:OUTER:COUNT (implies --user)")},
    {0, OPTION_LIST, AT(map_groups),
     OPTION_WORDS("map-groups", "RANGE|auto|subids|all",
                  "Groups by INNER:OUTER:COUNT (implies --user)")},
    {0, OPTION_TEXT, AT(setgroups),
     OPTION_WORDS("setgroups", "allow|deny",
                  "Whether setgroups(2) stays possible in the user namespace")},
    {0, OPTION_MAYBE, AT(kill_child),
     OPTION_WORDS("kill-child", "SIGNAL", "The child dies with its parent (implies --fork)")},
    {0, OPTION_MAYBE, AT(mount_proc),
     OPTION_WORDS("mount-proc", "DIR", "Mount a new proc on DIR, or /proc (implies --mount)")},
    {0, OPTION_TEXT, AT(propagation),
     OPTION_WORDS("propagation", "WORD", "Of mounts: private (default), slave, shared, unchanged")},
    {0, OPTION_FLAG, AT(keep_caps),
     OPTION_WORDS("keep-caps", "", "Keep the capabilities over the program's start")},
    {'R', OPTION_TEXT, AT(root), OPTION_WORDS("root", "DIR", "Make DIR the root directory")},
    {'w', OPTION_TEXT, AT(wd), OPTION_WORDS("wd", "DIR", "Change the working directory to DIR")},
    {'S', OPTION_TEXT, AT(setuid), OPTION_WORDS("setuid", "USER", "Become USER inside")},
    {'G', OPTION_TEXT, AT(setgid),
     OPTION_WORDS("setgid", "GROUP", "Become GROUP inside, without additional groups")},
    {0, OPTION_TEXT, AT(monotonic),
     OPTION_WORDS("monotonic", "SECONDS", "Offset of the monotonic clock, with --time")},
    {0, OPTION_TEXT, AT(boottime),
     OPTION_WORDS("boottime", "SECONDS", "Offset of the boottime clock, with --time")},
    {0, OPTION_MAYBE, AT(userns),
     OPTION_WORDS("userns", "FD|PATH|PID", "Join this user namespace, or the chain's, first")},
    {0, OPTION_MAYBE, AT(netns),
     OPTION_WORDS("netns", "FD|PATH|PID", "Join this network namespace, or the chain's, first")},
    {0, OPTION_FLAG, AT(detached_root),
     OPTION_WORDS("detached-root", "", "Make the chain's detached mount the root directory")},
};

/* ---- what the options ask for, checked before anything is done ---- */

struct wish {
    struct isolation isolation;
    uint64_t propagation; /* MS_*, 0: leave it */
    int kill_signal;      /* 0: none */
    bool set_uid;
    bool set_gid;
    uint32_t uid;
    uint32_t gid;
};

static void read_namespaces(const struct unshare_options *values, struct isolation *isolation)
{
    const char *const files[NAMESPACE_TYPES] = {
        [NAMESPACE_USER] = values->user,     [NAMESPACE_MOUNT] = values->mount,
        [NAMESPACE_PID] = values->pid,       [NAMESPACE_NETWORK] = values->net,
        [NAMESPACE_IPC] = values->ipc,       [NAMESPACE_UTS] = values->uts,
        [NAMESPACE_CGROUP] = values->cgroup, [NAMESPACE_TIME] = values->time,
    };
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (files[type])
            isolation->flags |= namespace_flag((enum namespace_type)type);
        if (files[type] && *files[type])
            isolation->pins[type] = files[type];
    }
    if (values->mount_proc)
        isolation->flags |= CLONE_NEWNS;
    if (values->map_root || values->map_current || values->map_auto || values->map_subids ||
        values->map_user || values->map_group || values->map_users.count > 0 ||
        values->map_groups.count > 0)
        isolation->flags |= CLONE_NEWUSER;
    isolation->fork = values->fork || values->kill_child;
}

/* What the options say of ids, in the terms of idmap_unshare.h. */
static int read_maps(const struct unshare_options *values, struct idmaps *maps)
{
    struct idmap_unshare wish = {
        .automatic = values->map_auto,
        .subids = values->map_subids,
        .user = {.given = values->map_root || values->map_current || values->map_user},
        .group = {.given = values->map_root || values->map_current || values->map_group},
        .users = &values->map_users,
        .groups = &values->map_groups,
    };
    if (values->map_current) {
        wish.user.inner = geteuid();
        wish.group.inner = getegid();
    }
    if (values->map_user &&
        user_find_id("--map-user", values->map_user, false, &wish.user.inner) < 0)
        return -EINVAL;
    if (values->map_group &&
        user_find_id("--map-group", values->map_group, true, &wish.group.inner) < 0)
        return -EINVAL;
    if (values->setgroups && strcmp(values->setgroups, "deny") == 0)
        maps->deny_setgroups = true;
    else if (values->setgroups && strcmp(values->setgroups, "allow") != 0)
        return fail_usage("option --setgroups: '%s' is neither allow nor deny", values->setgroups);
    else if (values->setgroups && idmap_unshare_must_deny(&wish))
        return fail_usage("--setgroups allow and a map of the own group alone exclude each other");
    return idmaps_by_unshare(maps, &wish);
}

static int read_offset(const char *option, const char *text, uint64_t flags,
                       struct time_offset *offset)
{
    uint64_t number;
    if (!text)
        return 0;
    if (!(flags & CLONE_NEWTIME))
        return fail_usage("option %s needs --time", option);
    if (parse_u64(*text == '-' || *text == '+' ? text + 1 : text, INT64_MAX, &number) < 0)
        return fail_usage("option %s: '%s' is not a number of seconds", option, text);
    *offset = (struct time_offset){.given = true,
                                   .seconds = *text == '-' ? -(int64_t)number : (int64_t)number};
    return 0;
}

static int read_propagation(const char *word, uint64_t *propagation)
{
    bool recursive;
    *propagation = word ? mount_propagation(word, &recursive) : MS_PRIVATE;
    if ((*propagation && !(word && recursive) && *propagation != MS_UNBINDABLE) ||
        strcmp(word, "unchanged") == 0)
        return 0;
    return fail_usage("option --propagation: '%s' is none of private, slave, shared, unchanged",
                      word);
}

static int read_wish(const struct unshare_options *values, struct wish *wish)
{
    struct isolation *isolation = &wish->isolation;
    read_namespaces(values, isolation);
    int result = read_maps(values, &isolation->maps);
    if (result == 0)
        result = read_offset("--monotonic", values->monotonic, isolation->flags,
                             &isolation->clocks[TIME_MONOTONIC]);
    if (result == 0)
        result = read_offset("--boottime", values->boottime, isolation->flags,
                             &isolation->clocks[TIME_BOOTTIME]);
    if (result == 0)
        result = read_propagation(values->propagation, &wish->propagation);
    if (result == 0 && values->setuid)
        result = user_find_id("--setuid", values->setuid, false, &wish->uid);
    if (result == 0 && values->setgid)
        result = user_find_id("--setgid", values->setgid, true, &wish->gid);
    if (result < 0 || !values->kill_child)
        return result;
    wish->kill_signal = *values->kill_child ? signal_number(values->kill_child) : SIGKILL;
    return wish->kill_signal > 0
               ? 0
               : fail_usage("option --kill-child: there is no signal '%s'", values->kill_child);
}

static int check(struct call *call, int *consumed)
{
    const struct unshare_options *values = call->values;
    struct wish wish = {0};
    int result = read_wish(values, &wish);
    if (result == 0 && wish.isolation.pins[NAMESPACE_PID] && !wish.isolation.fork)
        result = fail_usage("--pid=FILE needs --fork: an empty pid namespace cannot be kept");
    if (result == 0 && wish.isolation.maps.deny_setgroups &&
        !(wish.isolation.flags & CLONE_NEWUSER))
        result = fail_usage("--setgroups needs --user");
    if (result == 0 && (values->root || values->detached_root) && values->root &&
        values->detached_root)
        result = fail_usage("--root and --detached-root exclude each other");
    if (result == 0 && values->detached_root && !(wish.isolation.flags & CLONE_NEWNS))
        result = fail_usage("--detached-root needs --mount");
    if (result == 0 && values->userns)
        result = namespace_check_word("--userns", values->userns, NAMESPACE_USER);
    if (result == 0 && values->netns)
        result = namespace_check_word("--netns", values->netns, NAMESPACE_NETWORK);
    idmaps_free(&wish.isolation.maps);
    *consumed = 0;
    if (result == 0)
        chain_default_shell(call);
    return result;
}

/* ---- doing it ---- */

/* What the chain or others have made already. */
static int join(const struct unshare_options *values, struct chain *chain)
{
    int fds[NAMESPACE_TYPES];
    for (int type = 0; type < NAMESPACE_TYPES; type++)
        fds[type] = -1;
    autoclose int user = -1;
    autoclose int net = -1;
    if (values->userns)
        user = fds[NAMESPACE_USER] = namespace_by_word(values->userns, NAMESPACE_USER, chain);
    if (values->netns && (!values->userns || user >= 0))
        net = fds[NAMESPACE_NETWORK] = namespace_by_word(values->netns, NAMESPACE_NETWORK, chain);
    if ((values->userns && user < 0) || (values->netns && net < 0))
        return -error_get()->number;
    if (user < 0 && net < 0)
        return 0;
    int result = namespace_join_all(fds);
    return result == 0 && user >= 0 ? credentials_enter_root() : result;
}

/* Die with the parent; whether it is still there is seen by a pipe that only it holds open. */
static int follow_parent(int number, int parent)
{
    struct pollfd event = {.fd = parent, .events = POLLIN};
    if (number == 0)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) < 0)
        return fail(errno, "cannot follow the parent process");
    if (poll(&event, 1, 0) > 0)
        return fail(EPIPE, "the parent process is gone");
    return 0;
}

/* Everything that comes after the namespaces, in the order of unshare(1). */
static int furnish(const struct unshare_options *values, const struct wish *wish, int root)
{
    int result = 0;
    bool own_mounts = wish->isolation.flags & CLONE_NEWNS;
    if (own_mounts && wish->propagation) {
        step("set the propagation of all mounts");
        if (sys_mount(NULL, "/", NULL, MS_REC | wish->propagation, NULL) < 0)
            return fail(errno, "cannot set the propagation of all mounts");
    }
    autoclose int proc = values->mount_proc ? procfs_create() : -1;
    if (values->mount_proc && proc < 0)
        return proc;
    if (root >= 0)
        result = root_change(root);
    else if (values->root)
        result = own_mounts ? root_pivot(values->root) : root_chroot(values->root);
    if (result == 0 && values->wd && chdir(values->wd) < 0)
        result = fail(errno, "cannot enter %s", values->wd);
    if (result == 0 && values->mount_proc)
        result = mount_attach_path(proc, *values->mount_proc ? values->mount_proc : "/proc");
    if (result == 0 && (values->setuid || values->setgid))
        result = credentials_become(values->setuid ? &wish->uid : NULL,
                                    values->setgid ? &wish->gid : NULL, false);
    if (result == 0 && values->keep_caps)
        result = capability_keep_over_exec();
    return result;
}

/* What a child needs that is made in this process's memory; descriptors are its own copies. */
struct start {
    const struct call *call;
    const struct chain *chain;
    const struct wish *wish;
    const sigset_t *mask;
    int root;
    int parent;
    int life;
};

static int become_program(void *argument)
{
    const struct start *start = argument;
    follow_cancel(start->mask);
    if (start->life >= 0)
        close(start->life);
    int result = follow_parent(start->wish->kill_signal, start->parent);
    if (result == 0)
        result = furnish(start->call->values, start->wish, start->root);
    return chain_finish(start->call, start->chain, result);
}

/* Not where it would have a user's rights, or be traced, in the memory of this process. */
static bool may_share_memory(const struct unshare_options *values, const struct chain *chain)
{
    return chain->program && !values->setuid && !values->setgid && !trace_wanted;
}

static int go_on(const struct call *call, struct wish *wish, struct chain *chain)
{
    const struct unshare_options *values = call->values;
    autoprocess struct process child = NO_PROCESS;
    autoclose int root = values->detached_root ? mount_of_chain(chain) : -1;
    int ends[2] = {-1, -1};
    sigset_t mask;
    if (values->detached_root && root < 0)
        return root;
    int result = join(values, chain);
    if (result == 0 && wish->kill_signal && pipe2(ends, O_CLOEXEC) < 0)
        result = fail(errno, "cannot make a pipe");
    autoclose int parent = ends[0];
    autoclose int life = ends[1];
    if (result < 0)
        return result;
    if (wish->isolation.fork)
        follow_begin(&mask);
    struct start start = {call, chain, wish, &mask, root, parent, life};
    if (may_share_memory(values, chain)) {
        wish->isolation.become = become_program;
        wish->isolation.argument = &start;
    }
    pid_t pid = isolate(&wish->isolation, &child);
    if (pid > 0) {
        close_fd(&root);
        chain_close(chain);
        return CHAIN_END(follow(&child, &mask));
    }
    if (wish->isolation.fork)
        follow_cancel(&mask);
    if (pid < 0)
        return pid;
    close_fd(&life);
    if (wish->isolation.fork)
        trace_child("unshare");
    result = follow_parent(wish->kill_signal, parent);
    return result < 0 ? result : furnish(values, wish, root);
}

static int apply(const struct call *call, struct chain *chain)
{
    struct wish wish = {0};
    int result = read_wish(call->values, &wish);
    if (result == 0)
        result = go_on(call, &wish, chain);
    idmaps_free(&wish.isolation.maps);
    return result;
}

static const struct applet applet = {
    .name = "unshare",
    .texts = APPLET_TEXTS(
        "go on in new namespaces", "[options] [-- NEXT [ARG...]]",
        "Puts this process into new namespaces and becomes NEXT, a shell when there is none. "
        "Options, defaults and exit codes are those of util-linux' unshare(1); the differences: "
        "--root changes the root of a new mount namespace by pivot_root, so that nothing of the "
        "old "
        "one is left in it; with --fork, signals are passed on to the child, and both stop and go "
        "on together; --map-auto takes all subordinate ranges, not only the first.\n"
        "\n"
        "--pid and --time concern children: use --fork. A FILE (--net=FILE) keeps the namespace "
        "when nobody is in it any more, until FILE is unmounted.\n"
        "\n"
        "--userns, --netns and --detached-root take what earlier links of a chain have made; "
        "a namespace that exists can be given as fd:N, as a path, or by the pid of somebody in "
        "it.\n",
        "# root in a world of one's own\n"
        "shimbox unshare --map-root-user --pid --fork --mount-proc -- sh\n"
        "\n"
        "# with all subordinate ids\n"
        "shimbox unshare --map-root-user --map-auto -- cat /proc/self/uid_map\n"
        "\n"
        "# a network namespace that stays\n"
        "touch /run/netns/blue && shimbox unshare --net=/run/netns/blue -- true\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct unshare_options),
    .failure = EXIT_STAND_IN,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
