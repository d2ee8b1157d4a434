/* spec: write a config.json.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/linux/idmap.h"
#include "core/oci/config.h"
#include "core/oci/image_config.h"
#include "core/oci/json.h"
#include "core/oci/json_build.h"
#include "core/oci/spec_default.h"
#include "core/oci/spec_edit.h"
#include "core/oci/user.h"

struct spec_options {
    const char *bundle;
    const char *output;
    const char *config;
    bool rootless;
    bool nested;
    const char *rootfs;
    bool readonly;
    const char *hostname;
    const char *cpu;
    const char *memory;
    bool host_network;
    const char *image_config;
    const char *passwd;
    const char *group;
    const char *user;
    struct text_list env;
    const char *cwd;
    bool tty;
    struct text_list cap_add;
    struct text_list cap_drop;
    struct text_list uid_map;
    struct text_list gid_map;
    const char *map;
    struct text_list mounts;
    struct text_list annotations;
};

#define AT(field) offsetof(struct spec_options, field)

static const struct option options[] = {
    {'b', OPTION_TEXT, AT(bundle),
     OPTION_WORDS("bundle", "DIR", "Folder of config.json (default: .)")},
    {'o', OPTION_TEXT, AT(output),
     OPTION_WORDS("output", "FILE", "Write FILE instead, - is standard output")},
    {0, OPTION_TEXT, AT(config),
     OPTION_WORDS("config", "FILE", "Start from FILE (-: standard input)")},
    {0, OPTION_FLAG, AT(rootless), OPTION_WORDS("rootless", "", "For a user without privileges")},
    {0, OPTION_FLAG, AT(nested), OPTION_WORDS("nested", "", "For use inside a container")},
    {0, OPTION_TEXT, AT(rootfs),
     OPTION_WORDS("rootfs", "PATH", "Root file system (default: rootfs)")},
    {0, OPTION_FLAG, AT(readonly),
     OPTION_WORDS("readonly", "", "Make the root file system read-only")},
    {0, OPTION_TEXT, AT(hostname), OPTION_WORDS("hostname", "NAME", "Name of the host inside")},
    {0, OPTION_TEXT, AT(cpu), OPTION_WORDS("cpu", "QUANTITY", "Limit of CPUs: 500m, 1.5")},
    {0, OPTION_TEXT, AT(memory), OPTION_WORDS("memory", "QUANTITY", "Limit of memory: 64Mi, 1G")},
    {0, OPTION_FLAG, AT(host_network),
     OPTION_WORDS("host-network", "", "Share the network of the host")},
    {0, OPTION_TEXT, AT(image_config),
     OPTION_WORDS("image-config", "FILE", "Take command, env, cwd, user of an image")},
    {0, OPTION_TEXT, AT(passwd),
     OPTION_WORDS("passwd", "FILE", "Users (default: etc/passwd in the rootfs)")},
    {0, OPTION_TEXT, AT(group),
     OPTION_WORDS("group", "FILE", "Groups (default: etc/group in the rootfs)")},
    {0, OPTION_TEXT, AT(user), OPTION_WORDS("user", "USER[:GROUP]", "Names or numbers")},
    {'e', OPTION_LIST, AT(env),
     OPTION_WORDS("env", "NAME=VALUE", "Set a variable of the environment")},
    {0, OPTION_TEXT, AT(cwd), OPTION_WORDS("cwd", "DIR", "Working directory")},
    {'t', OPTION_FLAG, AT(tty), OPTION_WORDS("tty", "", "Give the process a terminal")},
    {0, OPTION_LIST, AT(cap_add),
     OPTION_WORDS("cap-add", "CAPABILITY", "Add a capability, or ALL")},
    {0, OPTION_LIST, AT(cap_drop),
     OPTION_WORDS("cap-drop", "CAPABILITY", "Drop a capability, or ALL")},
    {'u', OPTION_LIST, AT(uid_map), OPTION_WORDS("uid-map", "CONTAINER:HOST:SIZE", "Map user ids")},
    {'g', OPTION_LIST, AT(gid_map),
     OPTION_WORDS("gid-map", "CONTAINER:HOST:SIZE", "Map group ids")},
    {0, OPTION_TEXT, AT(map),
     OPTION_WORDS("map", "WORD", "Map ids: auto, root, current or subids")},
    {0, OPTION_LIST, AT(mounts), OPTION_WORDS("mount", "type=T,src=S,dst=D,...", "Add a mount")},
    {0, OPTION_LIST, AT(annotations), OPTION_WORDS("annotation", "KEY=VALUE", "Add a note")},
};

static bool is_stdin(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static int check_options(const struct spec_options *given, const struct call *call)
{
    if (call->argc > 0 && !call->separated)
        return fail_usage("unexpected \"%s\": a command stands behind --", call->argv[0]);
    if (call->argc == 0 && call->separated)
        return fail_usage("no command behind --");
    if (given->config && (given->rootless || given->nested))
        return fail_usage("--config and --%s exclude each other",
                          given->rootless ? "rootless" : "nested");
    if (given->bundle && given->output && strcmp(given->output, "-") != 0)
        return fail_usage("--bundle and --output FILE exclude each other");
    if (is_stdin(given->config) && is_stdin(given->image_config))
        return fail_usage("--config and --image-config cannot both be standard input");
    if ((given->passwd || given->group) && !given->user && !given->image_config)
        return fail_usage("--passwd and --group need --user or --image-config");
    return 0;
}

static int read_input(const char *path, const char **name, struct text *text)
{
    *name = is_stdin(path) ? "<stdin>" : path;
    return is_stdin(path) ? read_all(STDIN_FILENO, *name, JSON_BYTES_MAX, text)
                          : read_file(AT_FDCWD, path, JSON_BYTES_MAX, text);
}

/* The document to start from: --config, checked as it is, or the default one. */
static int start_document(const struct spec_options *given, struct json_object **document)
{
    autotext struct text text = {0};
    struct config config;
    const char *name;

    if (!given->config) {
        *document = spec_default((given->rootless ? SPEC_ROOTLESS : SPEC_PLAIN) |
                                 (given->nested ? SPEC_NESTED : SPEC_PLAIN));
        return *document ? 0 : -EINVAL;
    }

    int result = read_input(given->config, &name, &text);

    if (result == 0)
        result = config_parse(&config, name, text.data, text.length);
    if (result < 0)
        return result;
    *document = json_object_get(config.document);
    config_free(&config);
    return 0;
}

static void warn_lines(const char *file, const struct passwd_notes *notes)
{
    if (notes->bad_lines > 0)
        report_warning("%s: lines passed over that make no sense: %zu, the first is line %zu", file,
                       notes->bad_lines, notes->first);
}

/* Where root.path leads from here, for the user and group tables. */
static int find_rootfs(const struct spec_options *given, struct json_object *document,
                       struct text *path)
{
    struct json_field field = json_root(document);
    struct json_field root = json_member(&field, "root");
    struct json_field root_path = json_member(&root, "path");
    const char *rootfs = NULL;
    int result = json_get_text(&root_path, &rootfs);

    if (result < 0 || !rootfs)
        return result;
    if (*rootfs != '/')
        text_append_format(path, "%s/", given->bundle ? given->bundle : ".");
    text_append(path, rootfs);
    return path->failed ? fail(ENOMEM, "cannot allocate memory") : 0;
}

static int apply_user(const struct spec_options *given, struct json_object *document,
                      const char *text)
{
    autotext struct text rootfs = {0};
    int result = find_rootfs(given, document, &rootfs);

    if (result < 0)
        return result;

    struct user_tables tables = {
        .rootfs = rootfs.data, .passwd = given->passwd, .group = given->group};
    struct user user;

    result = user_resolve(&user, text, &tables);
    if (result == 0)
        result = spec_set_user(document, &user);
    if (result == 0) {
        warn_lines(given->passwd ? given->passwd : "etc/passwd", &user.passwd_notes);
        warn_lines(given->group ? given->group : "etc/group", &user.group_notes);
    }
    user_free(&user);
    return result;
}

static int apply_image(const struct spec_options *given, struct json_object *document,
                       bool args_given)
{
    autotext struct text text = {0};
    struct image_config image = {0};
    const char *name;
    int result = read_input(given->image_config, &name, &text);

    if (result < 0)
        return result;
    result = image_config_parse(&image, name, text.data, text.length);
    if (result == 0) {
        result = spec_apply_image(document, &image, args_given);
        if (result == 0 && image.user && !given->user)
            result = apply_user(given, document, image.user);
        if (result < 0)
            error_context("%s", name);
    }
    image_config_free(&image);
    return result;
}

static int apply_list(struct json_object *document, const struct text_list *list,
                      int (*apply)(struct json_object *document, const char *text))
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < list->count; i++)
        result = apply(document, list->items[i]);
    return result;
}

static int apply_maps(const struct spec_options *given, struct json_object *document)
{
    struct idmaps maps = {0};
    int result = idmaps_by_options(&maps, &given->uid_map, &given->gid_map, given->map);

    if (result == 0 && maps.uid.count > 0)
        result = json_set_maps(document, &maps);
    idmaps_free(&maps);
    return result;
}

/* Options with one argument, and what they do, in the order in which they are applied. */
static int apply_texts(const struct spec_options *given, struct json_object *document)
{
    const struct {
        const char *text;
        int (*apply)(struct json_object *document, const char *text);
    } changes[] = {
        {given->cpu, spec_set_cpu},
        {given->memory, spec_set_memory},
        {given->hostname, spec_set_hostname},
        {given->cwd, spec_set_cwd},
    };
    int result = 0;

    for (size_t i = 0; result == 0 && i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (changes[i].text)
            result = changes[i].apply(document, changes[i].text);
    }
    return result;
}

/* The user comes after the rootfs, whose tables it needs; the network after the maps, since it asks
 * for a user namespace. */
static int apply_options(const struct spec_options *given, struct json_object *document,
                         const struct call *call)
{
    int result = given->rootfs ? spec_set_rootfs(document, given->rootfs) : 0;

    if (result == 0 && given->readonly)
        result = spec_set_readonly(document);
    if (result == 0 && given->image_config)
        result = apply_image(given, document, call->argc > 0);
    if (result == 0)
        result = apply_maps(given, document);
    if (result == 0)
        result = apply_texts(given, document);
    if (result == 0 && given->user)
        result = apply_user(given, document, given->user);
    if (result == 0)
        result = apply_list(document, &given->env, spec_set_env);
    if (result == 0 && given->tty)
        result = spec_set_terminal(document);
    if (result == 0 && (given->cap_add.count > 0 || given->cap_drop.count > 0))
        result = spec_edit_capabilities(document, &given->cap_add, &given->cap_drop);
    if (result == 0)
        result = apply_list(document, &given->mounts, spec_add_mount);
    if (result == 0 && given->host_network)
        result = spec_set_host_network(document);
    if (result == 0)
        result = apply_list(document, &given->annotations, spec_set_annotation);
    if (result == 0 && call->argc > 0)
        result = spec_set_args(document, (const char *const *)call->argv, (size_t)call->argc);
    return result;
}

static int write_output(const struct spec_options *given, const struct text *text)
{
    autotext struct text path = {0};

    if (is_stdin(given->output))
        return write_all(STDOUT_FILENO, "standard output", text->data, text->length);
    if (given->output)
        text_append(&path, given->output);
    else
        text_append_format(&path, "%s/config.json", given->bundle ? given->bundle : ".");
    if (path.failed)
        return fail(ENOMEM, "cannot allocate memory");
    /* The environment may hold secrets. */
    return create_file(path.data, 0600, text->data, text->length);
}

/* Nothing is written that would not be read: the text itself goes through the parser. */
static int write_document(const struct spec_options *given, struct json_object *document)
{
    autotext struct text text = {0};
    struct config config;
    int result = json_write(document, &text);

    if (result == 0)
        result = config_parse(&config, "config.json", text.data, text.length);
    if (result < 0)
        return result;
    config_free(&config);
    return write_output(given, &text);
}

static void free_lists(struct spec_options *given)
{
    text_list_free(&given->env);
    text_list_free(&given->cap_add);
    text_list_free(&given->cap_drop);
    text_list_free(&given->uid_map);
    text_list_free(&given->gid_map);
    text_list_free(&given->mounts);
    text_list_free(&given->annotations);
}

static int run_spec(const struct call *call)
{
    struct spec_options *given = call->values;
    struct json_object *document = NULL;
    int result = check_options(given, call);

    if (result == 0)
        result = start_document(given, &document);
    if (result == 0)
        result = apply_options(given, document, call);
    if (result == 0)
        result = write_document(given, document);
    json_object_put(document);
    free_lists(given);
    return result < 0 ? report_error(EXIT_TROUBLE) : EXIT_YES;
}

static const struct applet spec = {
    .name = "spec",
    .texts = APPLET_TEXTS(
        "write a config.json", "[options] [-- ARG...]",
        "Writes the configuration of a container (OCI runtime-spec 1.1.0) into the bundle folder, "
        "as "
        "config.json with mode 0600, and never over a file that is there. Each option changes one "
        "thing about the default, or about the file of --config, of which all else is kept, also "
        "what shimbox does not know. The result is checked as run checks it before it is written.\n"
        "\n"
        "The default runs sh as root in new pid, mount, ipc, uts, cgroup and network namespaces, "
        "with proc, sysfs (read-only), cgroup (read-only), tmpfs on /dev, /dev/shm and /tmp, three "
        "capabilities, none of them inheritable or ambient, no_new_privs, no devices but the "
        "standard ones, 32768 processes and 1024 files, on a writable root file system in the "
        "folder rootfs.\n"
        "\n"
        "--rootless adds a user namespace that maps 0 to the caller and, where /etc/subuid and "
        "/etc/subgid give the caller ids, 1 and up to these; limits are left out, since an "
        "ordinary "
        "user may not set them. The network namespace stays: --host-network removes it. --nested "
        "is "
        "for containers, where the kernel refuses a new proc and sysfs: it binds /proc and /sys of "
        "the outside, whose processes can be seen then. Both together are for a container that has "
        "no CAP_SYS_ADMIN.\n"
        "\n"
        "--cpu and --memory take quantities as Kubernetes has them, and replace "
        "linux.resources.cpu "
        "(shares, quota and period) and memory (limit). 0 is not taken for unlimited but refused.\n"
        "\n"
        "--user takes USER, UID, USER:GROUP, UID:GID, UID:GROUP or USER:GID. Digits are always an "
        "id, anything else is always a name, found in etc/passwd and etc/group of the root file "
        "system. The groups that list the user are added; UID:GID reads no file.\n"
        "\n"
        "--image-config takes the configuration of an OCI image: the entry point and the command, "
        "the environment (the last value of a name counts), the working directory, the host name "
        "and the user. ARG... replaces entry point and command; other options go before the "
        "image's values.\n"
        "\n"
        "--mount takes type=, src= (source=) and dst= (destination=, target=); everything else is "
        "an option of the mount, and readonly means ro. A bind mount is recursive unless it has "
        "the "
        "option bind. A part with a comma is put in double quotes as a whole, and a quote inside "
        "is "
        "doubled: '\"src=/a,b\",dst=/c,type=bind'.\n"
        "\n"
        "--cap-add adds to the bounding, effective and permitted sets, --cap-drop takes from all "
        "sets; ALL goes before single names. Maps add a user namespace; both user and group ids "
        "must be mapped. --host-network removes the network namespace and binds /etc/resolv.conf; "
        "in a user namespace it binds /sys, of which no new one can be mounted then.",
        "# a bundle for a root file system that is there\n"
        "shimbox spec --rootfs /srv/debian -- /bin/bash\n"
        "\n"
        "# half a CPU, 64 MiB, read-only\n"
        "shimbox spec --cpu 500m --memory 64Mi --readonly -o - -- /bin/server\n"
        "\n"
        "# what the image says, for an ordinary user\n"
        "shimbox spec --rootless --image-config image.json\n"
        "\n"
        "# another command for an existing configuration\n"
        "shimbox spec --config config.json -o - -- id"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct spec_options),
    .failure = EXIT_TROUBLE,
    .run = run_spec,
};

APPLET(spec);
