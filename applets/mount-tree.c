/* mount-tree: a root with all that is mounted in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/container/container.h"
#include "core/container/tree.h"
#include "core/linux/chain.h"
#include "core/linux/namespace_word.h"
#include "core/oci/config.h"
#include "core/oci/json.h"
#include "core/oci/spec_edit.h"

struct tree_options {
    const char *config;
    struct text_list mounts;
    bool proc;
    bool dev;
    bool sys;
    struct text_list devices;
    struct text_list masks;
    struct text_list readonly_paths;
    bool readonly;
    bool pivot;
    bool detached;
    struct config parsed; /* all of it, by check() */
};

#define AT(field) ((uint16_t)offsetof(struct tree_options, field))

static const struct option options[] = {
    {'c', OPTION_TEXT, AT(config),
     OPTION_WORDS("config", "FILE|-", "What a config.json says of mounts, devices and paths")},
    {0, OPTION_FLAG, AT(proc), OPTION_WORDS("proc", "", "Mount a new proc on /proc")},
    {0, OPTION_FLAG, AT(dev),
     OPTION_WORDS("dev", "", "A /dev of its own, with the usual nodes, pts and shm")},
    {0, OPTION_FLAG, AT(sys), OPTION_WORDS("sys", "", "Mount a new sysfs on /sys, read-only")},
    {0, OPTION_LIST, AT(mounts), OPTION_WORDS("mount", "type=T,src=S,dst=D,...", "Add a mount")},
    {0, OPTION_LIST, AT(devices),
     OPTION_WORDS("device", "PATH", "Add the device that is called so here")},
    {0, OPTION_LIST, AT(masks), OPTION_WORDS("mask", "PATH", "Hide a file or directory")},
    {0, OPTION_LIST, AT(readonly_paths),
     OPTION_WORDS("readonly-path", "PATH", "Make a file or directory read-only")},
    {0, OPTION_FLAG, AT(readonly), OPTION_WORDS("readonly", "", "Make the root read-only")},
    {0, OPTION_FLAG, AT(pivot),
     OPTION_WORDS("pivot", "", "NEXT has the tree for its root directory")},
    {0, OPTION_FLAG, AT(detached),
     OPTION_WORDS("detached", "", "Attach nothing: NEXT gets the mount")},
};

static bool is_dash(const char *word)
{
    return strcmp(word, "-") == 0;
}

/* ---- what is asked for, as one configuration ---- */

static int start_document(const char *path, struct json_object **document)
{
    static const char nothing[] = "{\"ociVersion\":\"1.1.0\"}";
    autotext struct text text = {0};
    if (!path)
        return json_parse(document, "options", nothing, sizeof(nothing) - 1);
    bool input = is_dash(path);
    const char *name = input ? "<stdin>" : path;
    int result = input ? read_all(STDIN_FILENO, name, JSON_BYTES_MAX, &text)
                       : read_file(AT_FDCWD, path, JSON_BYTES_MAX, &text);
    if (result == 0)
        result = json_parse(document, name, text.data ? text.data : "", text.length);
    /* A chain with nsenter starts twice, as the protected binary. */
    if (result < 0 && input && text.length == 0)
        error_hint("in a chain with nsenter, give a file");
    if (result == 0 && !json_object_is_type(*document, json_type_object))
        return fail_config(NULL, "%s: expected an object", name);
    return result;
}

static int add_paths(struct json_object *document, const char *list, const struct text_list *paths)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < paths->count; i++)
        result = spec_add_path(document, list, paths->items[i]);
    return result;
}

static int add_options(const struct tree_options *values, struct json_object *document)
{
    static const char dev[][9] = {"/dev", "/dev/pts", "/dev/shm"};
    int result = values->proc ? spec_add_default_mount(document, "/proc") : 0;
    for (size_t i = 0; result == 0 && values->dev && i < sizeof(dev) / sizeof(dev[0]); i++)
        result = spec_add_default_mount(document, dev[i]);
    if (result == 0 && values->sys)
        result = spec_add_default_mount(document, "/sys");
    for (size_t i = 0; result == 0 && i < values->mounts.count; i++)
        result = spec_add_mount(document, values->mounts.items[i]);
    for (size_t i = 0; result == 0 && i < values->devices.count; i++)
        result = spec_add_device(document, values->devices.items[i]);
    if (result == 0)
        result = add_paths(document, "maskedPaths", &values->masks);
    if (result == 0)
        result = add_paths(document, "readonlyPaths", &values->readonly_paths);
    return result;
}

static int check(struct call *call, int *consumed)
{
    struct tree_options *values = call->values;
    struct json_object *document = NULL;
    *consumed = 1;
    if (call->argc == 0)
        return fail_usage("expected ROOT");
    if (values->pivot && values->detached)
        return fail_usage("--pivot and --detached exclude each other");
    int result = start_document(values->config, &document);
    if (result == 0)
        result = add_options(values, document);
    if (result < 0) {
        json_object_put(document);
        return result;
    }
    result = config_from_document(&values->parsed, values->config ? values->config : "options",
                                  document);
    if (result == 0)
        result = tree_check(&values->parsed, values->pivot ? TREE_ENTER : TREE_DETACH);
    values->parsed.root_readonly = values->parsed.root_readonly || values->readonly;
    if (call->argc == 1 && !values->pivot && !values->detached && !is_dash(call->argv[0])) {
        call->argc = 0;
        *consumed = CHAIN_LAST;
    }
    return result;
}

/* ---- doing it ---- */

static int make_tree(const struct tree_options *values, struct container *container,
                     struct chain *chain)
{
    if (values->pivot)
        return tree_enter(container);
    if (!values->detached && container->rootfs)
        return tree_cover(container);
    int tree = tree_make(container);
    return tree < 0 ? tree : chain_put(chain, CHAIN_MOUNT, tree);
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct tree_options *values = call->values;
    struct container container;
    int result = 0;
    container_init(&container, &values->parsed);
    container.listed_devices_only = !values->config && !values->dev;
    if (is_dash(call->argv[0]))
        result = container.root = mount_of_chain(chain);
    else
        container.rootfs = call->argv[0];
    if (result >= 0)
        result = make_tree(values, &container, chain);
    container_free(&container);
    return result == 0 && call->argc == 0 ? CHAIN_END(0) : result;
}

static void release(struct call *call)
{
    struct tree_options *values = call->values;
    config_free(&values->parsed);
}

static const struct applet applet = {
    .name = "mount-tree",
    .texts = APPLET_TEXTS(
        "a root directory with all that is mounted in it", "[options] ROOT [-- NEXT [ARG...]]",
        "Mounts in the directory ROOT what a container has there: only what is asked for, in the "
        "order config, proc, dev, sys, mounts. All of it is made out of sight, and nothing is left "
        "of it when something fails. Paths are resolved within ROOT, as by a process that has it "
        "for its root directory; what is missing to mount on is made there.\n"
        "\n"
        "The whole is then mounted on ROOT itself; or with --pivot it is the root directory of "
        "NEXT, in a new mount namespace; or with --detached it stays a descriptor of the chain, "
        "for unshare --detached-root or idmap-mount --attach. A ROOT of - is the chain's mount, "
        "which stays one, or is entered with --pivot.\n"
        "\n"
        "Of a config.json these are applied: mounts, root.readonly, linux.devices with the default "
        "ones, maskedPaths, readonlyPaths, rootfsPropagation. Everything else of it is for other "
        "links. --mount is written as for spec.\n"
        "\n"
        "proc and sysfs show the pid and network namespace that this link is in, so unshare comes "
        "before.\n",
        "# a shell in a directory, with what programs expect\n"
        "shimbox unshare --pid --fork -- mount-tree --proc --dev --pivot /srv/root -- sh\n"
        "\n"
        "# the mounts of a bundle, and a volume\n"
        "shimbox unshare -m -p -i -n -u --fork -- mount-tree --config config.json \\\n"
        "    --mount type=bind,src=/srv/data,dst=/data,ro --pivot rootfs -- sh\n"
        "\n"
        "# for chroot(8); umount -R /srv/root undoes it\n"
        "shimbox mount-tree --dev /srv/root\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct tree_options),
    .failure = EXIT_OWN_FAILURE,
    LINK_APPLET(.check = check, .apply = apply, .release = release),
};
APPLET(applet);
