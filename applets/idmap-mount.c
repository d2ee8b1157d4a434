/* idmap-mount: a mount that shows other owners than the disk has.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/linux/chain.h"
#include "core/linux/idmap.h"
#include "core/linux/mount.h"
#include "core/linux/mount_idmap.h"
#include "core/linux/namespace_word.h"
#include "core/linux/path.h"
#include "core/linux/sys.h"
#include "core/linux/userns.h"

struct idmap_options {
    struct text_list uid_map;
    struct text_list gid_map;
    struct text_list both;
    const char *map;
    const char *userns;
    bool recursive;
    bool readonly;
    bool nosuid;
    bool nodev;
    bool noexec;
    bool noatime;
    bool nosymfollow;
    const char *propagation;
    bool beneath;
    bool replace;
    bool follow;
    bool detached;
    const char *attach;
    const char *probe;
    const char *umount;
};

#define AT(field) ((uint16_t)offsetof(struct idmap_options, field))

static const struct option options[] = {
    {'u', OPTION_LIST, AT(uid_map),
     OPTION_WORDS("uid-map", "CONTAINER:HOST:SIZE",
                  "User ids on disk (CONTAINER) are shown as HOST")},
    {'g', OPTION_LIST, AT(gid_map),
     OPTION_WORDS("gid-map", "CONTAINER:HOST:SIZE", "The same for group ids")},
    {'b', OPTION_LIST, AT(both),
     OPTION_WORDS("both", "CONTAINER:HOST:SIZE", "Map user and group ids alike")},
    {0, OPTION_TEXT, AT(map),
     OPTION_WORDS("map", "WORD", "Map ids: auto, root, current or subids")},
    {0, OPTION_TEXT, AT(userns),
     OPTION_WORDS("userns", "FD|PATH|PID",
                  "Map as this user namespace does (default: the chain's)")},
    {'r', OPTION_FLAG, AT(recursive),
     OPTION_WORDS("recursive", "", "Take along what is mounted below SRC")},
    {0, OPTION_FLAG, AT(readonly), OPTION_WORDS("readonly", "", "Make the mount read-only")},
    {0, OPTION_FLAG, AT(nosuid),
     OPTION_WORDS("nosuid", "", "Ignore set-user-ID bits and file capabilities")},
    {0, OPTION_FLAG, AT(nodev), OPTION_WORDS("nodev", "", "Make device nodes unusable")},
    {0, OPTION_FLAG, AT(noexec), OPTION_WORDS("noexec", "", "Make programs not executable")},
    {0, OPTION_FLAG, AT(noatime), OPTION_WORDS("noatime", "", "Leave access times alone")},
    {0, OPTION_FLAG, AT(nosymfollow), OPTION_WORDS("nosymfollow", "", "Follow no symbolic links")},
    {0, OPTION_TEXT, AT(propagation),
     OPTION_WORDS("propagation", "WORD",
                  "Of the new mount: private (default), shared, slave, unbindable")},
    {0, OPTION_FLAG, AT(beneath),
     OPTION_WORDS("beneath", "", "Attach below what is mounted on DST")},
    {0, OPTION_FLAG, AT(replace),
     OPTION_WORDS("replace", "", "Take the place of what is mounted on DST")},
    {0, OPTION_FLAG, AT(follow), OPTION_WORDS("follow", "", "DST may lead through symbolic links")},
    {0, OPTION_FLAG, AT(detached),
     OPTION_WORDS("detached", "", "Attach nothing: NEXT gets the mount")},
    {0, OPTION_TEXT, AT(attach), OPTION_WORDS("attach", "DST", "Attach the chain's mount on DST")},
    {0, OPTION_TEXT, AT(probe),
     OPTION_WORDS("probe", "PATH", "Can what is at PATH be idmapped, by us?")},
    {0, OPTION_TEXT, AT(umount), OPTION_WORDS("umount", "PATH", "Unmount what is mounted on PATH")},
};

static bool has_map(const struct idmap_options *values)
{
    return values->uid_map.count + values->gid_map.count + values->both.count > 0 || values->map;
}

static int read_options(const struct idmap_options *values, struct mount_options *wanted)
{
    bool recursive;
    uint64_t flags =
        (values->readonly ? MOUNT_ATTR_RDONLY : 0) | (values->nosuid ? MOUNT_ATTR_NOSUID : 0) |
        (values->nodev ? MOUNT_ATTR_NODEV : 0) | (values->noexec ? MOUNT_ATTR_NOEXEC : 0) |
        (values->noatime ? MOUNT_ATTR_NOATIME : 0) |
        (values->nosymfollow ? MOUNT_ATTR_NOSYMFOLLOW : 0);
    uint64_t clear = values->noatime ? MOUNT_ATTR__ATIME : 0;
    const char *word = values->propagation ? values->propagation : "private";
    *wanted = (struct mount_options){.idmap = true, .idmap_recursive = values->recursive};
    /* All at once, so that there is no moment with one and without the other. */
    if (values->recursive) {
        wanted->recursive_set = flags;
        wanted->recursive_clear = clear;
    } else {
        wanted->set = flags;
        wanted->clear = clear;
    }
    wanted->propagation = mount_propagation(word, &recursive);
    wanted->propagation_recursive = values->recursive;
    if (!wanted->propagation || recursive)
        return fail_usage("option --propagation: unknown word '%s'", word);
    return 0;
}

/* Ways to use this applet, and what each takes. */
static int check_mode(const struct idmap_options *values)
{
    int modes = values->detached + (values->attach != NULL) + (values->probe != NULL) +
                (values->umount != NULL);
    bool flags = values->recursive || values->readonly || values->nosuid || values->nodev ||
                 values->noexec || values->noatime || values->nosymfollow || values->propagation;
    if (modes > 1)
        return fail_usage("--detached, --attach, --probe and --umount exclude each other");
    if ((values->attach || values->umount || values->probe) && flags)
        return fail_usage("flags are for a new mount, with SRC");
    if ((values->attach || values->umount) && (has_map(values) || values->userns))
        return fail_usage("a map is for a new mount, with SRC");
    if ((values->detached || values->probe || values->umount) &&
        (values->beneath || values->replace))
        return fail_usage("--beneath and --replace need a DST");
    if (values->beneath && values->replace)
        return fail_usage("--beneath and --replace exclude each other");
    if (has_map(values) && values->userns)
        return fail_usage("--userns and a map exclude each other");
    return values->userns ? namespace_check_word("--userns", values->userns, NAMESPACE_USER) : 0;
}

static int check(struct call *call, int *consumed)
{
    const struct idmap_options *values = call->values;
    struct mount_options wanted;
    struct idmaps maps = {0};
    int operands = values->probe || values->umount || values->attach ? 0 : values->detached ? 1 : 2;
    int result = check_mode(values);
    if (result == 0)
        result = read_options(values, &wanted);
    if (result == 0 && has_map(values))
        result =
            idmaps_by_lists(&maps, &values->uid_map, &values->gid_map, &values->both, values->map);
    idmaps_free(&maps);
    if (result == 0 && call->argc < operands)
        result = fail_usage(operands == 1 ? "expected SRC" : "expected SRC and DST");
    *consumed = operands;
    if (result == 0 && call->argc == operands && !values->detached) {
        call->argc = 0;
        *consumed = CHAIN_LAST;
    }
    return result;
}

/* ---- doing it ---- */

/* The user namespace that says how ids are mapped. *mapped: are the caller's own? -1: not known, it
 * was there before. */
static int open_userns(const struct idmap_options *values, struct chain *chain, int *mapped)
{
    struct idmaps maps = {0};
    *mapped = -1;
    if (!has_map(values))
        return values->userns && *values->userns
                   ? namespace_by_word(values->userns, NAMESPACE_USER, chain)
                   : userns_of_chain_shared(chain);
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return fail(errno, "cannot open /proc");
    int result =
        idmaps_by_lists(&maps, &values->uid_map, &values->gid_map, &values->both, values->map);
    if (result == 0)
        result = userns_create(proc, &maps);
    *mapped = idmaps_have_caller(&maps);
    idmaps_free(&maps);
    return result;
}

static int make_mount(const struct idmap_options *values, const char *source, int userns)
{
    struct mount_options wanted;
    int result = read_options(values, &wanted);
    if (result < 0)
        return result;
    step("idmap %s", source);
    autoclose int mount = mount_clone_idmapped(source, &wanted, userns);
    if (mount < 0)
        mount_explain_idmap(source, values->recursive, userns);
    return mount < 0 ? mount : take_fd(&mount);
}

static int attach(const struct idmap_options *values, int mount, const char *path)
{
    enum mount_place place = values->beneath   ? MOUNT_BENEATH
                             : values->replace ? MOUNT_REPLACE
                                               : MOUNT_ON_TOP;
    step("attach the mount on %s", path);
    autoclose int target = path_open_plain(path, values->follow);
    return target < 0 ? target : mount_attach_at(mount, target, path, place);
}

static int probe(const struct idmap_options *values, struct chain *chain)
{
    autoclose int userns = -1;
    int mapped;
    if (has_map(values) || values->userns) {
        userns = open_userns(values, chain, &mapped);
    } else {
        const struct idmap_options plain = {.map = "root"};
        userns = open_userns(&plain, chain, &mapped);
    }
    if (userns < 0)
        return userns;
    autoclose int mount = make_mount(values, values->probe, userns);
    if (mount >= 0)
        return write_line("yes") < 0 ? -EIO : CHAIN_END(EXIT_YES);
    autotext struct text line = {0};
    char why[768];
    error_format(error_get(), why, sizeof(why));
    text_append_format(&line, "no: %s", why);
    error_clear();
    if (line.failed)
        return fail(ENOMEM, "cannot compose the output");
    return write_line(line.data) < 0 ? -EIO : CHAIN_END(EXIT_NO);
}

/* Who creates files through the mount needs ids that it maps. */
static void warn_unmapped(int userns, int mapped)
{
    if ((mapped < 0 ? userns_maps_caller(userns) : mapped) == 0)
        report_warning("the caller's own ids are not mapped, so it cannot create files there");
}

static int mount_new(const struct call *call, struct chain *chain)
{
    const struct idmap_options *values = call->values;
    int mapped;
    autoclose int userns = open_userns(values, chain, &mapped);
    if (userns < 0)
        return userns;
    autoclose int mount = make_mount(values, call->argv[0], userns);
    if (mount < 0)
        return mount;
    if (values->detached)
        return chain_put(chain, CHAIN_MOUNT, take_fd(&mount));
    int result = attach(values, mount, call->argv[1]);
    if (result == 0)
        warn_unmapped(userns, mapped);
    return result;
}

static int unmount(const char *path)
{
    step("unmount %s", path);
    if (sys_umount2(path, UMOUNT_NOFOLLOW) == 0)
        return 0;
    int result = fail(errno, "cannot unmount %s", path);
    if (errno == EBUSY)
        error_hint("somebody uses it: a working directory, an open file, a mount below");
    return result;
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct idmap_options *values = call->values;
    int result;
    if (values->probe)
        return probe(values, chain);
    if (values->umount) {
        result = unmount(values->umount);
    } else if (values->attach) {
        autoclose int mount = mount_of_chain(chain);
        result = mount < 0 ? mount : attach(values, mount, values->attach);
    } else {
        result = mount_new(call, chain);
    }
    return result == 0 && call->argc == 0 ? CHAIN_END(0) : result;
}

static const struct applet applet = {
    .name = "idmap-mount",
    .texts = APPLET_TEXTS(
        "a mount that shows other owners than the disk has", "[options] SRC DST [-- NEXT [ARG...]]",
        "Mounts the directory or file SRC on DST so that its owners are seen through an ID "
        "mapping: "
        "what belongs to CONTAINER ids on disk is shown as HOST ids, and what is created by them "
        "is "
        "stored so. The map comes from options, from --userns, or from a userns-fd earlier in the "
        "chain.\n"
        "\n"
        "Nothing is attached before the mount is complete with its flags, and a failure leaves "
        "what "
        "was mounted before. DST may not lead through symbolic links, unless --follow.\n"
        "\n"
        "idmap-mount --detached SRC -- NEXT keeps the mount a descriptor of the chain; a later "
        "idmap-mount --attach DST attaches it, also within other namespaces, and unshare "
        "--detached-root makes it the root directory.\n"
        "\n"
        "--probe prints yes, or no with the reason, and ends with 0 or 1; without a map it tries a "
        "map of the caller alone.\n",
        "# what root owns on disk is seen as uid 100000's\n"
        "shimbox idmap-mount --both 0:100000:65536 /srv/rootfs /mnt\n"
        "\n"
        "# is that possible?\n"
        "shimbox idmap-mount --probe /srv/rootfs\n"
        "\n"
        "# made here, attached elsewhere\n"
        "shimbox idmap-mount --both 0:100000:65536 --detached /srv -- \\\n"
        "    unshare --mount -- idmap-mount --attach /mnt -- ls -ln /mnt\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct idmap_options),
    .failure = EXIT_OWN_FAILURE,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
