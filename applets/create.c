/* create: make a container that waits to be started.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/container/bundle.h"
#include "core/container/container.h"
#include "core/container/keeper.h"
#include "core/container/state.h"
#include "core/linux/console_socket.h"
#include "core/linux/own_binary.h"
#include "core/oci/config.h"

struct create_options {
    const char *bundle;
    const char *console_socket;
    const char *pid_file;
    bool no_pivot;
    bool no_new_keyring;
    uint32_t preserve_fds;
    bool strict;
};

#define FIELD(name) ((uint16_t)offsetof(struct create_options, name))

static const struct option options[] = {
    {'b', OPTION_TEXT, FIELD(bundle),
     OPTION_WORDS("bundle", "DIR", "Folder with config.json and the root file system (.)")},
    {0, OPTION_TEXT, FIELD(console_socket),
     OPTION_WORDS("console-socket", "PATH", "Send the terminal's master to this socket")},
    {0, OPTION_TEXT, FIELD(pid_file),
     OPTION_WORDS("pid-file", "FILE", "Write the pid of the container's first process to FILE")},
    {0, OPTION_FLAG, FIELD(no_pivot),
     OPTION_WORDS("no-pivot", "", "Cover the old root instead of calling pivot_root")},
    {0, OPTION_FLAG, FIELD(no_new_keyring),
     OPTION_WORDS("no-new-keyring", "", "Keep the caller's session keyring")},
    {0, OPTION_NUMBER, FIELD(preserve_fds),
     OPTION_WORDS("preserve-fds", "N", "Pass N descriptors on, from 3 upwards")},
    {0, OPTION_FLAG, FIELD(strict),
     OPTION_WORDS("strict", "", "Refuse a config with fields that are not applied")},
};

/* For the time when the container's process is at work. */
struct unsaid {
    const struct config *config;
    bool strict;
};

static void warn(void *context)
{
    const struct unsaid *unsaid = context;
    bundle_warn(unsaid->config, unsaid->strict);
}

/* Relative paths of the config start at the bundle, those of the command line where we are. */
static int enter_bundle(const struct create_options *values, char **pid_file)
{
    int result = 0;
    step("enter the bundle");
    if (values->pid_file)
        result = absolute_path(values->pid_file, pid_file);
    if (result == 0 && values->bundle && chdir(values->bundle) < 0)
        result = fail(errno, "cannot enter bundle %s", values->bundle);
    return result;
}

static int create_container(const struct create_options *values, struct container *container,
                            struct state *state, int console)
{
    autofree char *bundle = NULL;
    autofree char *root = NULL;
    struct unsaid unsaid = {.config = container->config, .strict = values->strict};
    int result = container_prepare(container);
    if (result < 0)
        return result;
    result = bundle_name(container->config, NULL, &bundle, &root);
    if (result < 0) {
        error_step("keep state");
        return result;
    }
    struct keeper keeper = {.state = state,
                            .bundle = bundle,
                            .rootfs = root,
                            .console = console,
                            .setting_up = warn,
                            .context = &unsaid};
    result = keeper_begin(&keeper, container);
    return result < 0 ? result : keeper_create(&keeper);
}

static int create_from(const struct create_options *values, const struct config *config,
                       struct state *state, int *overlay)
{
    autofree char *pid_file = NULL;
    autoclose int console = -1;
    int result = values->strict ? bundle_refuse_unapplied(config) : 0;
    if (result == 0)
        result = bundle_check_terminal(config, values->console_socket, true);
    if (result == 0 && values->console_socket)
        result = console = console_socket_connect(values->console_socket);
    if (result >= 0)
        result = enter_bundle(values, &pid_file);
    if (result < 0) {
        error_step("read configuration");
        return result;
    }
    struct container container;
    container_init(&container, config);
    container.no_pivot = values->no_pivot;
    container.no_new_keyring = values->no_new_keyring;
    container.id = state_id(state);
    container.preserved_fds = values->preserve_fds;
    container.pid_file = pid_file;
    container.strict = values->strict;
    container.state = state->fd;
    container.overlay = take_fd(overlay);
    result = create_container(values, &container, state, console);
    step("release the container");
    container_free(&container);
    return result;
}

static int create(const struct call *call)
{
    const struct create_options *values = call->values;
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    int result = state_check_id(call->argv[0]);
    if (result < 0)
        return result;
    autoclose int overlay = -1;
    result = own_binary_protect(call->globals->command_line, &overlay);
    if (result < 0)
        return result;
    autostate struct state state = NO_STATE;
    result = state_claim(&state, call->globals->root, call->argv[0]);
    if (result < 0)
        return result;
    struct config config = {0};
    result = bundle_read(&config, values->bundle ? values->bundle : ".", NULL);
    if (result < 0)
        error_step("read configuration");
    else
        result = create_from(values, &config, &state, &overlay);
    if (FREE_AT_END)
        config_free(&config);
    return result;
}

static int run(const struct call *call)
{
    return create(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "create",
    .texts = APPLET_TEXTS(
        "make a container that waits to be started", "[options] ID",
        "Makes the container of a bundle up to where its program would be executed: namespaces, "
        "mounts, limits, user and privileges are there, and its process waits for `start`. "
        "Standard streams are the caller's, unless process.terminal gives it a terminal, whose "
        "master goes to --console-socket.\n"
        "\n"
        "The container does not end with this command. It is named ID in the state under --root "
        "until `delete` removes it.\n",
        "# the life of a container\n"
        "shimbox create --bundle /srv/bundle web\n"
        "shimbox start web\n"
        "shimbox kill web KILL\n"
        "shimbox delete --force web\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct create_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
