/* run: create a container, run its program, wait for it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/container/bundle.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/keeper.h"
#include "core/container/lifecycle.h"
#include "core/container/state.h"
#include "core/linux/capability.h"
#include "core/linux/console_socket.h"
#include "core/linux/own_binary.h"
#include "core/oci/config.h"
#include "core/oci/spec_default.h"
#include "core/oci/spec_edit.h"

struct run_options {
    const char *bundle;
    const char *config;
    const char *pid_file;
    uint32_t preserve_fds;
    bool no_pivot;
    bool no_new_keyring;
    const char *rootfs;
    bool strict;
    bool tty;
    bool detach;
    bool keep;
    const char *console_socket;
};

#define FIELD(name) ((uint16_t)offsetof(struct run_options, name))

static const struct option options[] = {
    {'b', OPTION_TEXT, FIELD(bundle),
     OPTION_WORDS("bundle", "DIR", "Folder with config.json and the root file system")},
    {0, OPTION_TEXT, FIELD(config),
     OPTION_WORDS("config", "FILE|-", "Read the configuration from FILE or standard input")},
    {0, OPTION_TEXT, FIELD(pid_file),
     OPTION_WORDS("pid-file", "FILE", "Write the pid of the container's first process to FILE")},
    {0, OPTION_NUMBER, FIELD(preserve_fds),
     OPTION_WORDS("preserve-fds", "N", "Pass N descriptors on, from 3 upwards")},
    {0, OPTION_FLAG, FIELD(no_pivot),
     OPTION_WORDS("no-pivot", "", "Cover the old root instead of calling pivot_root")},
    {0, OPTION_FLAG, FIELD(no_new_keyring),
     OPTION_WORDS("no-new-keyring", "", "Keep the caller's session keyring")},
    {0, OPTION_TEXT, FIELD(rootfs),
     OPTION_WORDS("rootfs", "DIR", "Use this root file system, whatever the config says")},
    {0, OPTION_FLAG, FIELD(strict),
     OPTION_WORDS("strict", "", "Refuse a config with fields that are not applied")},
    {'t', OPTION_FLAG, FIELD(tty),
     OPTION_WORDS("tty", "", "Without a config: give the program a terminal of its own")},
    {'d', OPTION_FLAG, FIELD(detach),
     OPTION_WORDS("detach", "", "Do not wait for the program's end")},
    {0, OPTION_FLAG, FIELD(keep),
     OPTION_WORDS("keep", "", "Keep the state when the program has ended, for delete")},
    {0, OPTION_TEXT, FIELD(console_socket),
     OPTION_WORDS("console-socket", "PATH",
                  "With --detach: send the terminal's master to a socket")},
};

/* run [ID] [-- ARG...] */
struct operands {
    const char *id; /* NULL: none given */
    char **program; /* NULL: the config's */
};

/* At most one operand stands before "--". */
static int split_operands(const struct call *call, struct operands *operands)
{
    char **argv = call->argv;
    *operands = (struct operands){0};
    if (!call->separated && *argv) {
        operands->id = *argv++;
        if (*argv && strcmp(*argv, "--") != 0)
            return fail_usage("unexpected argument '%s' (the program goes behind --)", *argv);
        if (*argv)
            argv++;
    }
    if (*argv)
        operands->program = argv;
    const struct run_options *values = call->values;
    if (operands->id)
        return state_check_id(operands->id);
    if (values->detach || values->keep)
        return fail_usage("--%s: needs a container ID", values->detach ? "detach" : "keep");
    return 0;
}

static bool uses_default(const struct run_options *values)
{
    return !values->bundle && !values->config;
}

/* Read the configuration, or make the default one of that form. */
static int load_config(const struct run_options *values, enum spec_form form, struct config *config)
{
    if (uses_default(values)) {
        step("make the default configuration");
        struct json_object *document = spec_default(form);
        if (document && values->tty && spec_set_terminal(document) < 0) {
            json_object_put(document);
            return -EINVAL;
        }
        return document ? config_from_document(config, "default specification", document) : -EINVAL;
    }
    if (values->tty)
        return fail_usage("--tty: not together with --bundle or --config (which can have "
                          "process.terminal)");
    return bundle_read(config, values->bundle, values->config);
}

/* What is typed comes from standard input; if the configuration came from there, there is nothing
 * left, and our terminal takes its place, if we have one. */
static void find_input(const struct run_options *values, const struct config *config)
{
    if (!config->process.terminal || !values->config || strcmp(values->config, "-") != 0)
        return;
    autoclose int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal >= 0)
        dup2(terminal, STDIN_FILENO);
}

/* Relative paths of the config start at the bundle, those of the command line where we are. */
static int enter_bundle(const struct run_options *values, char **rootfs, char **pid_file)
{
    int result = 0;
    step("enter the bundle");
    if (values->rootfs)
        result = absolute_path(values->rootfs, rootfs);
    if (result == 0 && values->pid_file)
        result = absolute_path(values->pid_file, pid_file);
    if (result == 0 && values->bundle && chdir(values->bundle) < 0)
        result = fail(errno, "cannot enter bundle %s", values->bundle);
    return result;
}

/* What is done on the occasions that driver.h offers. */
struct occasions {
    struct config *config;
    bool strict;
    int *overlay;        /* own_binary_protect() */
    struct state *state; /* of a container with an ID, else NULL */
    int console;         /* connection to the console socket, -1: none */
};

/* Warnings change nothing, so they need not hold up what does. */
static void warn(void *context)
{
    const struct occasions *occasions = context;
    bundle_warn(occasions->config, occasions->strict);
}

static void release(void *context)
{
    const struct occasions *occasions = context;
    config_free(occasions->config);
}

static const struct driver driver = {.setting_up = warn, .lasting = release};

/* Hooks are told of a container by its ID. */
static int run_nameless(struct container *container)
{
    for (int type = 0; type < HOOK_TYPES; type++) {
        if (container->config->hooks[type].count == 0)
            continue;
        int result = fail_config("/hooks", "hooks are told of a container by its ID: run ID");
        error_step("read configuration");
        return result;
    }
    return container_run(container);
}

/* Create, then start: what others can see is the same. */
static int run_detached(struct keeper *keeper)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    int result = keeper_create(keeper);
    if (result < 0)
        return result;
    result = lifecycle_take(&lifecycle, keeper->state, NULL);
    if (result == 0)
        result = keeper_start(&lifecycle);
    if (result < 0)
        lifecycle_discard(&lifecycle);
    return result;
}

/* A container with an ID has a state. */
static int run_kept(const struct run_options *values, struct container *container,
                    struct occasions *occasions)
{
    autofree char *bundle = NULL;
    autofree char *root = NULL;
    int result = bundle_name(container->config, container->rootfs, &bundle, &root);
    if (result < 0) {
        error_step("keep state");
        return result;
    }
    struct keeper keeper = {.state = occasions->state,
                            .bundle = bundle,
                            .rootfs = root,
                            .foreground = !values->detach,
                            .kept = values->keep,
                            .unbundled = values->config || !values->bundle,
                            .console = occasions->console,
                            .setting_up = warn,
                            .lasting = release,
                            .context = occasions};
    result = keeper_begin(&keeper, container);
    if (result < 0)
        return result;
    return values->detach ? run_detached(&keeper) : keeper_run(&keeper);
}

static int run_config(const struct run_options *values, const struct config *config,
                      const struct operands *operands, struct occasions *occasions)
{
    /* Not even a root file system was given. */
    bool embedded = uses_default(values) && !values->rootfs;
    static char *embedded_program[] = {"shimbox", "--help", NULL};
    autofree char *rootfs = NULL;
    autofree char *pid_file = NULL;
    int result = values->strict ? bundle_refuse_unapplied(config) : 0;
    if (result == 0)
        result = enter_bundle(values, &rootfs, &pid_file);
    if (result < 0) {
        error_step("read configuration");
        return result;
    }
    struct container container;
    container_init(&container, config);
    container.rootfs = rootfs;
    container.embedded_root = embedded;
    container.program = operands->program || !embedded ? operands->program : embedded_program;
    container.no_pivot = values->no_pivot;
    container.no_new_keyring = values->no_new_keyring;
    container.id = operands->id;
    container.preserved_fds = values->preserve_fds;
    container.pid_file = pid_file;
    container.strict = values->strict;
    container.unlimited = uses_default(values);
    container.state = occasions->state ? occasions->state->fd : -1;
    container.overlay = take_fd(occasions->overlay);
    container.driver = &driver;
    container.driver_context = occasions;
    result = bundle_check_terminal(config, values->console_socket, values->detach);
    if (result == 0)
        result = container_prepare(&container);
    if (result == 0)
        result = operands->id ? run_kept(values, &container, occasions) : run_nameless(&container);
    if (container.cgroup.oom_kills > 0)
        report_warning("out of memory: the kernel has killed %llu of the container's processes",
                       (unsigned long long)container.cgroup.oom_kills);
    step("release the container");
    container_free(&container);
    return result;
}

/* Which default specification is right for this process. Root in a container may have no right to
 * mount, and is an ordinary user then. */
static enum spec_form choose_form(const char *rootless)
{
    if (strcmp(rootless, "auto") == 0)
        return capability_have(CAP_SYS_ADMIN) ? SPEC_PLAIN : SPEC_ROOTLESS;
    return strcmp(rootless, "false") == 0 ? SPEC_PLAIN : SPEC_ROOTLESS;
}

/* Where nobody has said how the container is to be, the form for containers will do as well. */
static int run_some_form(const struct run_options *values, enum spec_form form,
                         const struct operands *operands, struct occasions *occasions)
{
    int result = load_config(values, form, occasions->config);
    if (result < 0) {
        error_step("read configuration");
    } else {
        find_input(values, occasions->config);
        result = run_config(values, occasions->config, operands, occasions);
    }
    bool again = result < 0 && uses_default(values) && bundle_was_refused_proc(occasions->config);
    if (again || FREE_AT_END)
        config_free(occasions->config);
    if (!again)
        return result;
    error_clear();
    report_warning("this container cannot have a new proc and sysfs, so /proc and /sys are bound "
                   "from outside (spec --nested)");
    result = load_config(values, form | SPEC_NESTED, occasions->config);
    if (result == 0)
        result = run_config(values, occasions->config, operands, occasions);
    if (FREE_AT_END)
        config_free(occasions->config);
    return result;
}

static int run_container(const struct call *call)
{
    const struct run_options *values = call->values;
    struct operands operands;
    int result = split_operands(call, &operands);
    if (result < 0)
        return result;
    autoclose int overlay = -1;
    result = own_binary_protect(call->globals->command_line, &overlay);
    if (result < 0)
        return result;
    autostate struct state state = NO_STATE;
    if (operands.id && state_claim(&state, call->globals->root, operands.id) < 0)
        return -EINVAL;
    autoclose int console = -1;
    if (values->console_socket && (console = console_socket_connect(values->console_socket)) < 0)
        return console;
    struct config config = {0};
    struct occasions occasions = {.config = &config,
                                  .strict = values->strict,
                                  .overlay = &overlay,
                                  .state = operands.id ? &state : NULL,
                                  .console = console};
    if (uses_default(values) && access("config.json", F_OK) == 0)
        report_warning("config.json is here, but not used (to use it: run --bundle .)");
    return run_some_form(values, choose_form(call->globals->rootless), &operands, &occasions);
}

static int run(const struct call *call)
{
    int result = run_container(call);
    return result < 0 ? report_error(EXIT_LIFECYCLE) : result;
}

static const struct applet applet = {
    .name = "run",
    .texts = APPLET_TEXTS(
        "create a container, run its program, wait for it", "[options] [ID] [-- ARG...]",
        "Runs the program of an OCI bundle in the foreground: standard streams are the caller's, "
        "signals are passed on, and the exit code is the program's, or 128 plus the number of the "
        "signal that ended it.\n"
        "\n"
        "Without --bundle and --config the default specification is used (see spec). Without "
        "--rootfs as well, the root is a small tmpfs that holds shimbox and its links, so that "
        "this works on any machine with nothing but the binary. ARG... takes the place of the "
        "configuration's program.\n"
        "\n"
        "ID names the container while it runs, for kill, ps and the like: no other one can have it "
        "under the same --root (default /run/shimbox; for an ordinary user "
        "$XDG_RUNTIME_DIR/shimbox, else "
        "/tmp/shimbox-UID).\n"
        "\n"
        "An ordinary user gets a user namespace: with the subordinate ids of /etc/subuid and "
        "/etc/subgid where there are any, else with one id. Within a container, where a new proc "
        "and sysfs cannot be had, those of the outside are bound.\n"
        "\n"
        "With process.terminal, or --tty, the program has a terminal of the container's own. What "
        "is typed on standard input goes there, what it shows to standard output. If standard "
        "input "
        "is a terminal, that is raw meanwhile, and gets its modes back in the end (not after kill "
        "-9 of shimbox: then `stty sane` helps). The size is that of the caller's terminal, else "
        "consoleSize. The end of an input that is no terminal is typed as ^D, once.\n"
        "\n"
        "Fields of the configuration that are not applied, or not known, are named in a warning "
        "each. Hooks, --detach and --keep need an ID, by which the container is known until it "
        "ends, or until `delete` with the latter two.\n",
        "# a container on any machine\n"
        "shimbox run -- shimbox --list\n"
        "\n"
        "# a program in a root file system\n"
        "shimbox run --rootfs /srv/debian -- apt-get --version\n"
        "\n"
        "# a bundle, as runc has it\n"
        "shimbox run --bundle /srv/bundle web\n"
        "\n"
        "# made on the way\n"
        "shimbox spec -o - --rootfs /srv/debian -- id | shimbox run --config -\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct run_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
