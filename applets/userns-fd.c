/* userns-fd: make a user namespace, with no process kept in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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
#include "core/linux/pin.h"
#include "core/linux/process.h"
#include "core/linux/userns.h"

struct userns_options {
    struct text_list uid_map;
    struct text_list gid_map;
    struct text_list both;
    const char *map;
    const char *fd;
    const char *pin;
    const char *unpin;
    bool hold;
};

#define AT(field) ((uint16_t)offsetof(struct userns_options, field))

static const struct option options[] = {
    {'u', OPTION_LIST, AT(uid_map), OPTION_WORDS("uid-map", "CONTAINER:HOST:SIZE", "Map user ids")},
    {'g', OPTION_LIST, AT(gid_map),
     OPTION_WORDS("gid-map", "CONTAINER:HOST:SIZE", "Map group ids")},
    {'b', OPTION_LIST, AT(both),
     OPTION_WORDS("both", "CONTAINER:HOST:SIZE", "Map user and group ids alike")},
    {0, OPTION_TEXT, AT(map),
     OPTION_WORDS("map", "WORD", "Map ids: auto, root, current or subids")},
    {0, OPTION_TEXT, AT(fd), OPTION_WORDS("fd", "N", "Hand it on to NEXT as descriptor N")},
    {0, OPTION_TEXT, AT(pin),
     OPTION_WORDS("pin", "PATH", "Keep it on the new file PATH, and print the path")},
    {0, OPTION_TEXT, AT(unpin), OPTION_WORDS("unpin", "PATH", "Remove what --pin made")},
    {0, OPTION_FLAG, AT(hold),
     OPTION_WORDS("hold", "", "Keep it until standard input ends or a signal, print its path")},
};

static int read_fd(const struct userns_options *values, int *fd)
{
    uint32_t number;
    *fd = -1;
    if (!values->fd)
        return 0;
    if (parse_u32(values->fd, INT_MAX, &number) < 0 || number < 3)
        return fail_usage("option --fd: '%s' is not a number from 3 on", values->fd);
    *fd = (int)number;
    return 0;
}

static int read_maps(const struct userns_options *values, struct idmaps *maps)
{
    int result =
        idmaps_by_lists(maps, &values->uid_map, &values->gid_map, &values->both, values->map);
    if (result == 0 && maps->uid.count == 0)
        result = fail_usage("no map: give --uid-map and --gid-map, --both, or --map");
    return result;
}

static int check(struct call *call, int *consumed)
{
    const struct userns_options *values = call->values;
    struct idmaps maps = {0};
    int fd;
    int ways = values->hold + (values->pin != NULL) + (values->unpin != NULL);
    bool mapped =
        values->uid_map.count + values->gid_map.count + values->both.count > 0 || values->map;
    *consumed = ways > 0 ? CHAIN_LAST : 0;
    if (ways > 1)
        return fail_usage("--pin, --unpin and --hold exclude each other");
    if (ways > 0 && values->fd)
        return fail_usage("--fd is for NEXT, which --pin, --unpin and --hold do not have");
    if (values->unpin)
        return mapped ? fail_usage("--unpin makes nothing, so it takes no map") : 0;
    int result = read_fd(values, &fd);
    if (result == 0)
        result = read_maps(values, &maps);
    idmaps_free(&maps);
    return result;
}

static int pin(const char *path, int userns)
{
    autofree char *whole = NULL;
    int result = absolute_path(path, &whole);
    if (result == 0)
        result = pin_namespace(userns, AT_FDCWD, whole, path);
    if (result == 0 && write_line(whole) < 0) {
        pin_remove(whole, NAMESPACE_USER);
        result = -EIO;
    }
    return result < 0 ? result : CHAIN_END(0);
}

static int hold_it(const struct process *holder)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)holder->pid);
    hold_signals();
    int result = write_line(path);
    if (result == 0)
        result = hold();
    return result < 0 ? result : CHAIN_END(0);
}

/* At a fixed number, which must not be in use: something of the caller's would be gone. */
static int hand_on(const struct userns_options *values, struct chain *chain, int *userns)
{
    int wanted;
    if (read_fd(values, &wanted) < 0)
        return -EINVAL;
    if (wanted < 0 || wanted == *userns)
        return chain_put(chain, CHAIN_USERNS, take_fd(userns));
    if (fcntl(wanted, F_GETFD) >= 0)
        return fail(EBUSY, "descriptor %d is open already", wanted);
    if (dup3(*userns, wanted, O_CLOEXEC) < 0)
        return fail(errno, "cannot use descriptor %d", wanted);
    return chain_put(chain, CHAIN_USERNS, wanted);
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct userns_options *values = call->values;
    autoprocess struct process holder = NO_PROCESS;
    struct idmaps maps = {0};
    if (values->unpin) {
        int removed = pin_remove(values->unpin, NAMESPACE_USER);
        return removed < 0 ? removed : CHAIN_END(0);
    }
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return fail(errno, "cannot open /proc");
    int result = read_maps(values, &maps);
    autoclose int userns = -1;
    if (result == 0)
        result = userns =
            values->hold ? userns_hold(proc, &maps, &holder) : userns_create(proc, &maps);
    idmaps_free(&maps);
    if (result < 0)
        return result;
    if (values->hold)
        return hold_it(&holder);
    return values->pin ? pin(values->pin, userns) : hand_on(values, chain, &userns);
}

static const struct applet applet = {
    .name = "userns-fd",
    .texts = APPLET_TEXTS(
        "make a user namespace, with no process kept in it", "[options] -- NEXT [ARG...]",
        "Makes a user namespace with the given ID mappings and hands it on: as a descriptor to "
        "later links of the chain, which take it with --userns (idmap-mount does so by itself), "
        "and to a program in the variable SHIMBOX_FDS; with --fd N at that number.\n"
        "\n"
        "The process that a user namespace is made by is gone when NEXT begins; the namespace "
        "lives "
        "as long as somebody has the descriptor, or uses what was made with it. --pin keeps it on "
        "a file, which needs the right to mount. --hold keeps a process in it.\n"
        "\n"
        "CONTAINER is the first id inside, HOST the first one outside; ranges can be listed with "
        "commas. Of WORD, auto is the caller as 0 and its subordinate ids after that, root the "
        "caller as 0 alone, current the caller as itself, subids the subordinate ids as "
        "themselves.\n",
        "# files of 0 and up on disk are seen as 100000 and up\n"
        "shimbox userns-fd --both 0:100000:65536 -- idmap-mount /srv/data /mnt\n"
        "\n"
        "# a program inside of it\n"
        "shimbox userns-fd --map auto -- unshare --userns -- id\n"
        "\n"
        "# kept on a file\n"
        "shimbox userns-fd --both 0:100000:65536 --pin /run/user-ns\n"
        "shimbox userns-fd --unpin /run/user-ns\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct userns_options),
    .failure = EXIT_OWN_FAILURE,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
