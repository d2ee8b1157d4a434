/* nsenter: go on in the namespaces of another process.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Names, meaning and exit codes of the options are those of util-linux' nsenter(1). Everything is
 * opened before anything is entered, since afterwards paths lead elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#include "core/linux/namespace_word.h"
#include "core/linux/own_binary.h"
#include "core/linux/sys.h"
#include "core/linux/target.h"
#include "core/oci/user.h"

struct nsenter_options {
    const char *target;
    const char *pidfd;
    bool all;
    const char *mount, *uts, *ipc, *net, *pid, *user, *cgroup, *time;
    const char *net_socket;
    const char *userns;
    const char *netns;
    bool user_parent;
    const char *setuid;
    const char *setgid;
    bool preserve;
    bool keep_caps;
    const char *root;
    const char *wd;
    const char *wdns;
    bool env;
    bool join_cgroup;
    bool no_fork;
    bool follow_context;
};

#define AT(field) ((uint16_t)offsetof(struct nsenter_options, field))

static const struct option options[] = {
    {'t', OPTION_TEXT, AT(target),
     OPTION_WORDS("target", "PID", "The process whose surroundings are entered")},
    {0, OPTION_TEXT, AT(pidfd), OPTION_WORDS("pidfd", "FD", "The same, known by a pidfd")},
    {'a', OPTION_FLAG, AT(all),
     OPTION_WORDS("all", "", "Enter all its namespaces that are not our own")},
    {'m', OPTION_MAYBE, AT(mount), OPTION_WORDS("mount", "FILE", "Enter the mount namespace")},
    {'u', OPTION_MAYBE, AT(uts),
     OPTION_WORDS("uts", "FILE", "Enter the uts namespace (hostname, domainname)")},
    {'i', OPTION_MAYBE, AT(ipc), OPTION_WORDS("ipc", "FILE", "Enter the ipc namespace")},
    {'n', OPTION_MAYBE, AT(net), OPTION_WORDS("net", "FILE", "Enter the network namespace")},
    {'N', OPTION_TEXT, AT(net_socket),
     OPTION_WORDS("net-socket", "FD", "Enter the network namespace of the target's socket")},
    {'p', OPTION_MAYBE, AT(pid), OPTION_WORDS("pid", "FILE", "Enter the pid namespace")},
    {'U', OPTION_MAYBE, AT(user),
     OPTION_WORDS("user", "FILE", "Enter the user namespace, as its root")},
    {'C', OPTION_MAYBE, AT(cgroup), OPTION_WORDS("cgroup", "FILE", "Enter the cgroup namespace")},
    {'T', OPTION_MAYBE, AT(time), OPTION_WORDS("time", "FILE", "Enter the time namespace")},
    {0, OPTION_FLAG, AT(user_parent),
     OPTION_WORDS("user-parent", "", "Enter the user namespace that owns the target's others")},
    {0, OPTION_MAYBE, AT(userns),
     OPTION_WORDS("userns", "FD|PATH|PID", "Enter this user namespace, or the chain's")},
    {0, OPTION_MAYBE, AT(netns),
     OPTION_WORDS("netns", "FD|PATH|PID", "Enter this network namespace, or the chain's")},
    {'S', OPTION_TEXT, AT(setuid),
     OPTION_WORDS("setuid", "USER|follow", "Become USER inside, or the target's")},
    {'G', OPTION_TEXT, AT(setgid),
     OPTION_WORDS("setgid", "GROUP|follow", "Become GROUP inside, without additional groups")},
    {0, OPTION_FLAG, AT(preserve), OPTION_WORDS("preserve-credentials", "", "Stay who we are")},
    {0, OPTION_FLAG, AT(keep_caps),
     OPTION_WORDS("keep-caps", "", "Keep the capabilities over the program's start")},
    {'r', OPTION_MAYBE, AT(root),
     OPTION_WORDS("root", "DIR", "Make DIR the root directory, or the target's")},
    {'w', OPTION_MAYBE, AT(wd),
     OPTION_WORDS("wd", "DIR", "Change to DIR, or to the target's directory")},
    {'W', OPTION_TEXT, AT(wdns), OPTION_WORDS("wdns", "DIR", "Change to DIR as it is seen inside")},
    {'e', OPTION_FLAG, AT(env), OPTION_WORDS("env", "", "Take the target's environment")},
    {'c', OPTION_FLAG, AT(join_cgroup),
     OPTION_WORDS("join-cgroup", "", "Join the target's cgroup (version 2)")},
    {'F', OPTION_FLAG, AT(no_fork),
     OPTION_WORDS("no-fork", "", "Enter a pid namespace for children only")},
    {'Z', OPTION_FLAG, AT(follow_context),
     OPTION_WORDS("follow-context", "", "Refused: only run and exec set labels")},
};

/* The word given for each namespace, NULL where it is not to be entered. */
static const char *word_of(const struct nsenter_options *values, enum namespace_type type)
{
    const char *const words[NAMESPACE_TYPES] = {
        [NAMESPACE_USER] = values->user,     [NAMESPACE_MOUNT] = values->mount,
        [NAMESPACE_PID] = values->pid,       [NAMESPACE_NETWORK] = values->net,
        [NAMESPACE_IPC] = values->ipc,       [NAMESPACE_UTS] = values->uts,
        [NAMESPACE_CGROUP] = values->cgroup, [NAMESPACE_TIME] = values->time,
    };
    return words[type];
}

static bool is_follow(const char *word)
{
    return word && strcmp(word, "follow") == 0;
}

/* The option that takes the target for its default; NULL when none does. */
static const char *wants_target(const struct nsenter_options *values)
{
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        const char *word = word_of(values, (enum namespace_type)type);
        if (word && !*word)
            return type == NAMESPACE_NETWORK ? "net" : namespace_name((enum namespace_type)type);
    }
    if (values->all)
        return "all";
    if (values->net_socket)
        return "net-socket";
    if (values->root && !*values->root)
        return "root";
    if (values->wd && !*values->wd)
        return "wd";
    if (values->env)
        return "env";
    if (values->join_cgroup)
        return "join-cgroup";
    return is_follow(values->setuid) || is_follow(values->setgid) ? "setuid follow" : NULL;
}

/* ---- what is entered, opened before ---- */

struct entry {
    struct target target;
    int fds[NAMESPACE_TYPES];
    bool together; /* all are the target's: one setns(2) joins them */
    int root;
    int wd;
    struct text environment;
    bool set_uid;
    bool set_gid;
    uint32_t uid;
    uint32_t gid;
    uint32_t socket;
};

static void close_entry(struct entry *entry)
{
    target_close(&entry->target);
    for (int type = 0; type < NAMESPACE_TYPES; type++)
        close_fd(&entry->fds[type]);
    close_fd(&entry->root);
    close_fd(&entry->wd);
}

static void init_entry(struct entry *entry)
{
    *entry = (struct entry){.target = NO_TARGET, .root = -1, .wd = -1, .together = true};
    for (int type = 0; type < NAMESPACE_TYPES; type++)
        entry->fds[type] = -1;
}

static int read_number(const char *option, const char *text, uint32_t *number)
{
    if (parse_u32(text, INT_MAX, number) == 0)
        return 0;
    return fail_usage("option %s: '%s' is not a number", option, text);
}

/* What can be known before anything is opened. */
static int read_ids(const struct nsenter_options *values, struct entry *entry)
{
    int result = 0;
    if (values->net_socket)
        result = read_number("--net-socket", values->net_socket, &entry->socket);
    /* Whoever enters a user namespace is nobody in it, unless told otherwise. */
    entry->set_uid = values->setuid && !is_follow(values->setuid);
    entry->set_gid = values->setgid && !is_follow(values->setgid);
    if (result == 0 && entry->set_uid)
        result = user_find_id("--setuid", values->setuid, false, &entry->uid);
    if (result == 0 && entry->set_gid)
        result = user_find_id("--setgid", values->setgid, true, &entry->gid);
    return result;
}

static int check(struct call *call, int *consumed)
{
    const struct nsenter_options *values = call->values;
    const char *wanting = wants_target(values);
    struct entry entry;
    uint32_t number;
    init_entry(&entry);
    *consumed = 0;
    if (values->follow_context)
        return fail_usage(
            "option --follow-context is not supported: shimbox sets no SELinux labels");
    if (values->target && values->pidfd)
        return fail_usage("--target and --pidfd exclude each other");
    if (wanting && !values->target && !values->pidfd)
        return fail_usage("--%s needs a process: --target PID", wanting);
    if ((values->target && read_number("--target", values->target, &number) < 0) ||
        (values->pidfd && read_number("--pidfd", values->pidfd, &number) < 0) ||
        read_ids(values, &entry) < 0)
        return -EINVAL;
    if (values->preserve && (values->setuid || values->setgid))
        return fail_usage("--preserve-credentials excludes --setuid and --setgid");
    if (values->wd && values->wdns)
        return fail_usage("--wd and --wdns exclude each other");
    if ((values->userns && namespace_check_word("--userns", values->userns, NAMESPACE_USER) < 0) ||
        (values->netns && namespace_check_word("--netns", values->netns, NAMESPACE_NETWORK) < 0))
        return -EINVAL;
    chain_default_shell(call);
    return 0;
}

static int open_namespace(const struct nsenter_options *values, struct entry *entry,
                          enum namespace_type type)
{
    const char *word = word_of(values, type);
    int *fd = &entry->fds[type];
    if (word && *word) {
        entry->together = false;
        *fd = namespace_open(word, type);
    } else if (word || values->all) {
        *fd = target_namespace(&entry->target, type);
        if (*fd < 0 && !word && error_get()->number == ENOENT) {
            error_clear(); /* --all means those that there are */
            *fd = -1;
            return 0;
        }
        if (*fd >= 0 && !word && namespace_is_own(*fd, type) > 0)
            close_fd(fd);
        return error_is_set() ? -error_get()->number : 0;
    } else {
        return 0;
    }
    return *fd < 0 ? -error_get()->number : 0;
}

/* Those that have options of their own. */
static int open_others(const struct nsenter_options *values, struct entry *entry,
                       struct chain *chain)
{
    int *user = &entry->fds[NAMESPACE_USER];
    int *network = &entry->fds[NAMESPACE_NETWORK];
    int source = *user;
    entry->together &=
        !values->net_socket && !values->netns && !values->userns && !values->user_parent;
    if (values->net_socket || values->netns)
        close_fd(network);
    if (values->net_socket)
        *network = target_socket_namespace(&entry->target, (int)entry->socket);
    else if (values->netns)
        *network = namespace_by_word(values->netns, NAMESPACE_NETWORK, chain);
    if (!error_is_set() && values->userns) {
        close_fd(user);
        *user = namespace_by_word(values->userns, NAMESPACE_USER, chain);
    }
    for (int type = 0; source < 0 && type < NAMESPACE_TYPES; type++)
        source = entry->fds[type];
    if (error_is_set() || !values->user_parent)
        return error_is_set() ? -error_get()->number : 0;
    if (source < 0)
        return fail_usage("--user-parent needs another namespace to enter");
    int owner = namespace_owner(source);
    if (owner < 0)
        return owner;
    close_fd(user);
    *user = owner;
    return 0;
}

static int open_directories(const struct nsenter_options *values, struct entry *entry)
{
    const struct {
        const char *word;
        const char *name;
        int *fd;
    } directories[] = {{values->root, "root", &entry->root}, {values->wd, "cwd", &entry->wd}};
    for (size_t i = 0; i < 2; i++) {
        if (!directories[i].word)
            continue;
        if (*directories[i].word)
            *directories[i].fd = open(directories[i].word, O_PATH | O_DIRECTORY | O_CLOEXEC);
        else
            *directories[i].fd = target_directory(&entry->target, directories[i].name);
        if (*directories[i].fd < 0)
            return fail(errno, "cannot open %s", directories[i].word);
    }
    return 0;
}

static int open_target(const struct nsenter_options *values, struct entry *entry)
{
    uint32_t number;
    if (values->target)
        return read_number("--target", values->target, &number) < 0
                   ? -EINVAL
                   : target_open(&entry->target, (pid_t)number);
    if (values->pidfd)
        return read_number("--pidfd", values->pidfd, &number) < 0
                   ? -EINVAL
                   : target_open_pidfd(&entry->target, (int)number);
    return 0;
}

static int open_entry(const struct nsenter_options *values, struct entry *entry,
                      struct chain *chain)
{
    int result = read_ids(values, entry);
    if (result == 0)
        result = open_target(values, entry);
    for (int type = 0; result == 0 && type < NAMESPACE_TYPES; type++)
        result = open_namespace(values, entry, (enum namespace_type)type);
    if (result == 0)
        result = open_others(values, entry, chain);
    if (result == 0)
        result = open_directories(values, entry);
    if (result == 0 && values->env)
        result = target_environment(&entry->target, &entry->environment);
    return result;
}

/* ---- entering ---- */

/* Strings that the process keeps. */
static int take_environment(struct text *environment)
{
    const char *end = environment->data + environment->length;
    clearenv();
    for (char *entry = environment->data; entry && entry < end; entry += strlen(entry) + 1) {
        if (strchr(entry, '=') && putenv(entry) != 0)
            return fail(ENOMEM, "cannot take over the environment");
    }
    return 0;
}

static int change_directories(const struct nsenter_options *values, const struct entry *entry)
{
    if (entry->root >= 0 && (fchdir(entry->root) < 0 || chroot(".") < 0))
        return fail(errno, "cannot change the root directory");
    if (values->wdns)
        return chdir(values->wdns) < 0 ? fail(errno, "cannot enter %s", values->wdns) : 0;
    if (entry->wd >= 0 && fchdir(entry->wd) < 0)
        return fail(errno, "cannot enter the working directory");
    return 0;
}

/* Ids are read and set inside, where they mean what they say. */
static int become(const struct nsenter_options *values, struct entry *entry)
{
    bool user = entry->fds[NAMESPACE_USER] >= 0;
    uint32_t uid;
    uint32_t gid;
    int result = 0;
    if (is_follow(values->setuid) || is_follow(values->setgid)) {
        result = target_ids(&entry->target, &uid, &gid);
        if (result == 0 && is_follow(values->setuid)) {
            entry->set_uid = true;
            entry->uid = uid;
        }
        if (result == 0 && is_follow(values->setgid)) {
            entry->set_gid = true;
            entry->gid = gid;
        }
    }
    if (result == 0 && user && !values->preserve && !(entry->set_uid && entry->set_gid))
        result = credentials_enter_root();
    if (result == 0)
        result = credentials_become(entry->set_uid ? &entry->uid : NULL,
                                    entry->set_gid ? &entry->gid : NULL, user);
    if (result == 0 && values->keep_caps)
        result = capability_keep_over_exec();
    return result;
}

/* After the namespaces, in the process that goes on. */
static int settle(const struct nsenter_options *values, struct entry *entry)
{
    int result = change_directories(values, entry);
    if (result == 0)
        result = become(values, entry);
    if (result == 0 && values->env)
        result = take_environment(&entry->environment);
    return result;
}

static int go_on(const struct nsenter_options *values, struct entry *entry, struct chain *chain)
{
    autoprocess struct process child = NO_PROCESS;
    sigset_t mask;
    int result = open_entry(values, entry, chain);
    /* The cgroup first, with the rights that we still have (CVE-2026-78408). */
    if (result == 0 && values->join_cgroup)
        result = target_join_cgroup(&entry->target);
    if (result == 0)
        result = target_enter(&entry->target, entry->fds, entry->together);
    if (result < 0)
        return result;
    if (entry->fds[NAMESPACE_PID] >= 0 && !values->no_fork) {
        follow_begin(&mask);
        pid_t pid = process_clone(0, -1, &child);
        if (pid > 0) {
            close_entry(entry);
            chain_close(chain);
            return CHAIN_END(follow(&child, &mask));
        }
        follow_cancel(&mask);
        if (pid < 0)
            return pid;
        trace_child("nsenter");
    }
    return settle(values, entry);
}

static int apply(const struct call *call, struct chain *chain)
{
    struct entry entry;
    init_entry(&entry);
    int result = go_on(call->values, &entry, chain);
    close_entry(&entry);
    return result;
}

static const struct applet applet = {
    .name = "nsenter",
    .texts = APPLET_TEXTS(
        "go on in the namespaces of another process", "[options] [-- NEXT [ARG...]]",
        "Enters namespaces and becomes NEXT, a shell when there is none. Options, defaults and "
        "exit codes are those of util-linux' nsenter(1); the differences: all namespaces of the "
        "target are joined by one call, and one that refuses is named; --setuid follow means the "
        "user as it is seen inside; signals are passed on to the child.\n"
        "\n"
        "A FILE (--net=FILE) is entered in place of the target's namespace. --userns and --netns "
        "take what an earlier link of the chain has made, or fd:N, a path, or a pid.\n"
        "\n"
        "A user namespace is entered as its root, unless --preserve-credentials, --setuid or "
        "--setgid say otherwise. Entering a pid namespace goes on in a child, unless --no-fork.\n",
        "# everything of a process, as nearly as can be\n"
        "shimbox nsenter --target 4711 --all --root --wd --env -- sh\n"
        "\n"
        "# its network only: the host's tools\n"
        "shimbox nsenter --target 4711 --net -- ip address\n"
        "\n"
        "# a network namespace that ip netns or netns-new made\n"
        "shimbox nsenter --netns=blue -- ping -c 1 10.0.0.1\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct nsenter_options),
    .failure = EXIT_STAND_IN,
    LINK_APPLET(.check = check, .apply = apply, .protect = own_binary_protect),
};
APPLET(applet);
