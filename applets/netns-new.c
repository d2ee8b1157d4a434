/* netns-new: make a network namespace, under a name or for the chain.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/linux/chain.h"
#include "core/linux/hold.h"
#include "core/linux/idmap.h"
#include "core/linux/namespace_word.h"
#include "core/linux/netns.h"
#include "core/linux/pin.h"

struct netns_options {
    const char *name;
    const char *dir;
    bool no_lo;
    const char *veth;
    const char *address;
    const char *gateway;
    const char *move;
    bool hold;
    bool list;
    const char *remove;
    const char *enter;
};

#define AT(field) ((uint16_t)offsetof(struct netns_options, field))

static const struct option options[] = {
    {0, OPTION_TEXT, AT(name),
     OPTION_WORDS("name", "NAME", "Call it NAME (default: a random name)")},
    {0, OPTION_TEXT, AT(dir),
     OPTION_WORDS("dir", "DIR", "Keep it in DIR ($XDG_RUNTIME_DIR/netns; root: /run/netns)")},
    {0, OPTION_FLAG, AT(no_lo), OPTION_WORDS("no-lo", "", "Leave the loopback interface down")},
    {0, OPTION_TEXT, AT(veth),
     OPTION_WORDS("veth", "HOST_IF:IN_IF", "Make a pair of interfaces, one inside")},
    {0, OPTION_TEXT, AT(move), OPTION_WORDS("move", "IF", "Move the interface IF inside")},
    {0, OPTION_TEXT, AT(address),
     OPTION_WORDS("address", "ADDRESS/PREFIX", "Address of the interface inside")},
    {0, OPTION_TEXT, AT(gateway), OPTION_WORDS("gateway", "ADDRESS", "Default route inside")},
    {0, OPTION_FLAG, AT(hold),
     OPTION_WORDS("hold", "", "Keep it without a name, until standard input ends or a signal")},
    {0, OPTION_FLAG, AT(list), OPTION_WORDS("list", "", "List those that are kept in DIR")},
    {0, OPTION_TEXT, AT(remove), OPTION_WORDS("delete", "NAME|PATH", "Remove one")},
    {0, OPTION_TEXT, AT(enter), OPTION_WORDS("enter", "NAME|PATH", "Go on with NEXT inside of it")},
};

/* HOST_IF:IN_IF, cut in place of a copy that the caller frees. */
static int split_veth(const char *text, char **copy, struct netns_wish *wish)
{
    *copy = strdup(text);
    if (!*copy)
        return fail(ENOMEM, "cannot read --veth");
    char *colon = strchr(*copy, ':');
    if (!colon)
        return fail_usage("option --veth: '%s' is not HOST_IF:IN_IF", text);
    *colon = '\0';
    wish->host = *copy;
    wish->peer = colon + 1;
    int result = network_check_name("--veth", wish->host);
    return result < 0 ? result : network_check_name("--veth", wish->peer);
}

static int read_wish(const struct netns_options *values, struct netns_wish *wish, char **names)
{
    int result = 0;
    wish->loopback = !values->no_lo;
    wish->move = values->move;
    wish->has_address = values->address != NULL;
    wish->has_gateway = values->gateway != NULL;
    if (values->veth)
        result = split_veth(values->veth, names, wish);
    if (result == 0 && values->move)
        result = network_check_name("--move", values->move);
    if (result == 0 && values->address)
        result = network_parse_address("--address", values->address, &wish->address);
    if (result == 0 && values->gateway)
        result = network_parse_gateway("--gateway", values->gateway, &wish->gateway);
    if (result == 0 && (values->address || values->gateway) && !values->veth && !values->move)
        result = fail_usage("--address and --gateway need --veth or --move");
    if (result == 0 && values->veth && values->move)
        result = fail_usage("--veth and --move exclude each other");
    if (result == 0 && values->gateway && !values->address)
        result = fail_usage("--gateway needs --address");
    if (result == 0 && values->name)
        result = netns_check_name(values->name);
    return result;
}

/* At most one of the ways to use this applet. */
static int check_mode(const struct netns_options *values)
{
    int modes = values->hold + values->list + (values->remove != NULL) + (values->enter != NULL);
    bool makes = values->name || values->no_lo || values->veth || values->address ||
                 values->gateway || values->move;
    if (modes > 1)
        return fail_usage("--hold, --list, --delete and --enter exclude each other");
    if (makes && modes == 1 && !values->hold)
        return fail_usage("--list, --delete and --enter make no namespace, so only --dir goes with "
                          "them");
    if (values->hold && (values->name || values->dir))
        return fail_usage("--hold keeps nothing under a name");
    return 0;
}

static int check(struct call *call, int *consumed)
{
    const struct netns_options *values = call->values;
    struct netns_wish wish = {0};
    autofree char *names = NULL;
    int result = check_mode(values);
    if (result == 0)
        result = read_wish(values, &wish, &names);
    if (result == 0 && !values->enter && call->argc == 0)
        *consumed = CHAIN_LAST;
    else if (result == 0 && (values->hold || values->list || values->remove))
        result = fail_usage("unexpected argument '%s'", call->argv[0]);
    else
        *consumed = 0;
    return result;
}

/* A NAME of the directory, or a PATH. */
static int find_path(const struct netns_options *values, const char *word, char **path)
{
    autofree char *directory = NULL;
    if (strchr(word, '/'))
        return absolute_path(word, path);
    int result = netns_check_name(word);
    if (result == 0)
        result = netns_directory(values->dir, &directory);
    if (result == 0 && asprintf(path, "%s/%s", directory, word) < 0)
        result = fail(ENOMEM, "cannot open network namespace %s", word);
    return result;
}

static int print_list(const struct netns_options *values)
{
    struct text_list names = {0};
    autofree char *directory = NULL;
    int result = netns_directory(values->dir, &directory);
    if (result == 0)
        result = netns_list(directory, &names);
    for (size_t i = 0; result == 0 && i < names.count; i++)
        result = write_line(names.items[i]);
    for (size_t i = 0; i < names.count; i++)
        free((char *)(uintptr_t)names.items[i]);
    text_list_free(&names);
    return result;
}

static int enter(const char *path)
{
    int fds[NAMESPACE_TYPES];
    for (int type = 0; type < NAMESPACE_TYPES; type++)
        fds[type] = -1;
    autoclose int netns = namespace_open(path, NAMESPACE_NETWORK);
    if (netns < 0)
        return netns;
    fds[NAMESPACE_NETWORK] = netns;
    return namespace_join_all(fds);
}

/* Under its name, whose path is the answer. */
static int keep(const void *context, int netns)
{
    const struct netns_options *values = context;
    char random[48];
    const char *name = values->name ? values->name : random;
    autofree char *directory = NULL;
    autofree char *path = NULL;
    netns_random_name(random);
    int result = netns_directory(values->dir, &directory);
    if (result == 0 && asprintf(&path, "%s/%s", directory, name) < 0)
        result = fail(ENOMEM, "cannot keep the network namespace");
    if (result == 0)
        result = netns_pin(netns, directory, name);
    if (result == 0 && write_line(path) < 0) {
        pin_remove(path, NAMESPACE_NETWORK);
        result = -EIO;
    }
    return result;
}

static int hold_it(void)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)getpid());
    hold_signals();
    int result = write_line(path);
    return result < 0 ? result : hold();
}

static int make(const struct call *call, struct chain *chain)
{
    const struct netns_options *values = call->values;
    struct netns_wish wish = {0};
    struct idmaps maps = {0};
    autofree char *names = NULL;
    int result = read_wish(values, &wish, &names);
    wish.enter = values->hold;
    /* Only a user namespace of its own gives an ordinary user the right to a network one. */
    if (result == 0 && values->hold && geteuid() != 0) {
        result = idmaps_by_word(&maps, "root");
        wish.maps = &maps;
    }
    if (!values->hold && (call->argc == 0 || values->name))
        wish.keep = keep;
    wish.context = values;
    autoclose int netns = result < 0 ? result : netns_create(&wish);
    idmaps_free(&maps);
    if (netns < 0)
        return result < 0 ? result : -error_get()->number;
    if (values->hold)
        return hold_it();
    return call->argc > 0 ? chain_put(chain, CHAIN_NETNS, take_fd(&netns)) : 0;
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct netns_options *values = call->values;
    autofree char *path = NULL;
    int result = 0;
    if (values->remove || values->enter)
        result = find_path(values, values->remove ? values->remove : values->enter, &path);
    if (result < 0)
        return result;
    if (values->enter)
        return enter(path);
    if (values->list)
        result = print_list(values);
    else if (values->remove)
        result = pin_remove(path, NAMESPACE_NETWORK);
    else
        result = make(call, chain);
    return result == 0 && call->argc == 0 ? CHAIN_END(0) : result;
}

static const struct applet applet = {
    .name = "netns-new",
    .texts = APPLET_TEXTS(
        "make a network namespace, under a name or for the chain", "[options] [-- NEXT [ARG...]]",
        "Makes a network namespace that needs no process, keeps it under a name and prints its "
        "path. ip netns, nsenter --net=PATH, CNI plugins and config.json can use it by that path.\n"
        "\n"
        "With NEXT and without --name nothing is kept: the namespace is a descriptor for later "
        "links of the chain, which take it with --netns, and ends with its last user.\n"
        "\n"
        "Names need the right to mount. An ordinary user has it in a user and mount namespace "
        "(unshare --map-root-user --mount), or uses --hold, which makes a user namespace as well "
        "and prints /proc/PID/ns/net.\n"
        "\n"
        "--veth connects it: HOST_IF stays here, IN_IF is inside, both are up. --move takes an "
        "interface away from here. --address and --gateway are for the one inside. When something "
        "fails, interfaces are where they were and no name is left.\n",
        "# a name, as ip netns has them\n"
        "shimbox netns-new --name blue\n"
        "shimbox netns-new --enter blue -- ip address\n"
        "shimbox netns-new --delete blue\n"
        "\n"
        "# connected to here\n"
        "shimbox netns-new --name red --veth red0:eth0 --address 10.1.0.2/24\n"
        "\n"
        "# for one program\n"
        "shimbox netns-new -- unshare --netns -- ip address\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct netns_options),
    .failure = EXIT_OWN_FAILURE,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
