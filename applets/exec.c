/* exec: run one more program in a container.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/bundle.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/join.h"
#include "core/container/lifecycle.h"
#include "core/linux/cgroup.h"
#include "core/linux/console_socket.h"
#include "core/linux/own_binary.h"
#include "core/oci/config.h"
#include "core/oci/exec_document.h"
#include "core/oci/json.h"

struct exec_options {
    const char *console_socket;
    const char *cwd;
    const char *user;
    const char *process;
    const char *pid_file;
    const char *process_label;
    const char *apparmor;
    const char *cgroup;
    struct text_list env;
    struct text_list additional_gids;
    struct text_list cap;
    uint32_t preserve_fds;
    bool tty;
    bool detach;
    bool no_new_privs;
    bool ignore_paused;
};

#define FIELD(name) ((uint16_t)offsetof(struct exec_options, name))

static const struct option options[] = {
    {0, OPTION_TEXT, FIELD(console_socket),
     OPTION_WORDS("console-socket", "PATH", "Send the terminal's master to this socket")},
    {0, OPTION_TEXT, FIELD(cwd), OPTION_WORDS("cwd", "DIR", "Working directory in the container")},
    {'e', OPTION_LIST, FIELD(env), OPTION_WORDS("env", "NAME=VALUE", "Add to the environment")},
    {'t', OPTION_FLAG, FIELD(tty), OPTION_WORDS("tty", "", "Give it a terminal of its own")},
    {'u', OPTION_TEXT, FIELD(user), OPTION_WORDS("user", "UID[:GID]", "Ids of the program")},
    {'g', OPTION_LIST, FIELD(additional_gids),
     OPTION_WORDS("additional-gids", "GID", "Add to its supplementary groups")},
    {'p', OPTION_TEXT, FIELD(process),
     OPTION_WORDS("process", "FILE", "Take the process from FILE; only labels are added")},
    {'d', OPTION_FLAG, FIELD(detach),
     OPTION_WORDS("detach", "", "Do not wait for the program's end")},
    {0, OPTION_TEXT, FIELD(pid_file),
     OPTION_WORDS("pid-file", "FILE", "Write its pid, as it is here, to FILE")},
    {0, OPTION_TEXT, FIELD(process_label),
     OPTION_WORDS("process-label", "LABEL", "SELinux label of the program")},
    {0, OPTION_TEXT, FIELD(apparmor),
     OPTION_WORDS("apparmor", "PROFILE", "AppArmor profile of the program")},
    {0, OPTION_FLAG, FIELD(no_new_privs),
     OPTION_WORDS("no-new-privs", "", "It gains no privileges by executing files")},
    {'c', OPTION_LIST, FIELD(cap),
     OPTION_WORDS("cap", "NAME", "Add a capability: bounding, effective, permitted")},
    {0, OPTION_NUMBER, FIELD(preserve_fds),
     OPTION_WORDS("preserve-fds", "N", "Pass N descriptors on, from 3 upwards")},
    {0, OPTION_TEXT, FIELD(cgroup),
     OPTION_WORDS("cgroup", "PATH", "A cgroup below the container's, which must be there")},
    {0, OPTION_FLAG, FIELD(ignore_paused),
     OPTION_WORDS("ignore-paused", "", "Also in a container that is paused")},
};

/* As runc has it, CONTROLLER:PATH is for version 1, where each controller has cgroups of its own.
 */
static int check_cgroup(const char *path)
{
    if (strchr(path, ':'))
        return fail_usage("option --cgroup: '%s': controllers have no cgroups of their own in "
                          "version 2",
                          path);
    return cgroup_check_path(path);
}

static int check_options(const struct call *call)
{
    const struct exec_options *values = call->values;
    if (values->cgroup && check_cgroup(values->cgroup) < 0)
        return -EINVAL;
    if (call->argc < 1)
        return fail_usage("a container ID is wanted");
    if (call->argc < 2 && !values->process)
        return fail_usage("no program: exec ID COMMAND [ARG...], or --process FILE");
    if (call->argc > 1 && values->process)
        return fail_usage("--process: not together with a command");
    return state_check_id(call->argv[0]);
}

/* As runc says it, for engines. */
static int check_status(const struct lifecycle *lifecycle, bool ignore_paused)
{
    const char *id = state_id(&lifecycle->state);
    if (lifecycle->status == STATUS_STOPPED)
        return fail_state(ESRCH, "%s: cannot exec in a stopped container", id);
    if (lifecycle->status == STATUS_CREATING)
        return fail_state(EBUSY, "%s: cannot exec in a container that is being created", id);
    if (lifecycle->status != STATUS_PAUSED || ignore_paused)
        return 0;
    int result = fail_state(EBUSY, "%s: cannot exec in a paused container", id);
    error_hint("resume it, or use --ignore-paused");
    return result;
}

static int read_process(const struct exec_options *values, struct json_object **process)
{
    *process = NULL;
    return values->process ? bundle_read_document(process, values->process) : 0;
}

/* The config of the program alone, made of the container's. */
static int make_config(const struct call *call, const struct lifecycle *lifecycle,
                       struct config *config)
{
    const struct exec_options *values = call->values;
    const char *kept = faccessat(lifecycle->state.fd, RECORD_CONFIG, F_OK, AT_SYMLINK_NOFOLLOW) == 0
                           ? lifecycle->state.path
                           : lifecycle->record.bundle;
    autofree char *path = NULL;
    autojson struct json_object *base = NULL;
    autojson struct json_object *process = NULL;
    struct json_object *document = NULL;
    step("read the configuration");
    if (asprintf(&path, "%s/config.json", kept) < 0) {
        path = NULL;
        return fail(ENOMEM, "cannot open the container's bundle");
    }
    int result = bundle_read_document(&base, path);
    if (result == 0)
        result = read_process(values, &process);
    struct exec_wish wish = {.process = process,
                             .args = call->argc > 1 ? call->argv + 1 : NULL,
                             .arg_count = (size_t)call->argc - 1,
                             .env = &values->env,
                             .capabilities = &values->cap,
                             .gids = &values->additional_gids,
                             .cwd = values->cwd,
                             .apparmor = values->apparmor,
                             .selinux = values->process_label,
                             .user = values->user,
                             .terminal = values->tty,
                             .no_new_privileges = values->no_new_privs};
    if (result == 0)
        result = exec_document(base, &wish, &document);
    return result < 0
               ? result
               : config_from_document(config, values->process ? values->process : path, document);
}

/* What is done on the occasions that driver.h offers. */
struct occasions {
    struct config *config;
    int *overlay; /* own_binary_protect() */
    int console;  /* connection to the console socket, -1: none */
};

static void release(void *context)
{
    const struct occasions *occasions = context;
    config_free(occasions->config);
}

static int send_terminal(void *context, int *master)
{
    const struct occasions *occasions = context;
    return console_socket_send(occasions->console, *master);
}

static const struct driver driver = {.lasting = release};
static const struct driver console_driver = {.lasting = release, .terminal = send_terminal};

/* Its processes are counted where all of the container's are: in its cgroup, or, where that has
 * given its controllers away, in the one that its first process has moved into. */
static int open_cgroup(const struct lifecycle *lifecycle, const char *below)
{
    if (below)
        return lifecycle_open_subcgroup(lifecycle, below);
    autoclose int fd = lifecycle_open_cgroup(lifecycle);
    int gives = fd < 0 ? fd : cgroup_gives_controllers(fd);
    if (gives <= 0)
        return gives < 0 ? gives : take_fd(&fd);
    int own = lifecycle_open_own_cgroup(lifecycle);
    return own == -ENOENT && !error_is_set() ? take_fd(&fd) : own;
}

static int enter_cgroup(struct container *container, const struct lifecycle *lifecycle,
                        const char *below)
{
    int fd = open_cgroup(lifecycle, below);
    if (fd == -ENOENT && !error_is_set())
        return 0;
    container->cgroup.fd = fd < 0 ? -1 : fd;
    snprintf(container->cgroup.place.path, sizeof(container->cgroup.place.path), "%s%s%s",
             lifecycle->record.cgroup, below && *below != '/' ? "/" : "", below ? below : "");
    return fd < 0 ? fd : 0;
}

static int execute(const struct exec_options *values, const struct lifecycle *lifecycle,
                   struct occasions *occasions, int target)
{
    struct container container;
    container_init(&container, occasions->config);
    container.id = state_id(&lifecycle->state);
    container.join_process = target;
    container.limited_outside = true;
    container.detached = values->detach;
    container.preserved_fds = values->preserve_fds;
    container.pid_file = values->pid_file;
    container.overlay = take_fd(occasions->overlay);
    container.driver = occasions->console >= 0 ? &console_driver : &driver;
    container.driver_context = occasions;
    struct join join;
    int result = join_config(&join, occasions->config, target);
    if (result == 0)
        result = container_prepare(&container);
    if (result == 0)
        result = enter_cgroup(&container, lifecycle, values->cgroup);
    if (result == 0)
        result = container_run(&container);
    container_free(&container);
    return result;
}

static int join(const struct call *call, struct lifecycle *lifecycle, int *overlay)
{
    const struct exec_options *values = call->values;
    int result = lifecycle_open(lifecycle, call->globals->root, call->argv[0]);
    if (result == 0)
        result = check_status(lifecycle, values->ignore_paused);
    if (result < 0)
        return result;
    autoclose int target = lifecycle_pidfd(lifecycle);
    if (target < 0)
        return error_is_set()
                   ? target
                   : fail_state(ESRCH, "%s: cannot exec in a stopped container", call->argv[0]);
    struct config config = {0};
    autoclose int console = -1;
    result = make_config(call, lifecycle, &config);
    if (result == 0)
        result = bundle_check_terminal(&config, values->console_socket, values->detach);
    if (result == 0 && values->console_socket)
        result = console = console_socket_connect(values->console_socket);
    struct occasions occasions = {&config, overlay, console};
    if (result < 0)
        error_step("read configuration");
    else
        result = execute(values, lifecycle, &occasions, target);
    if (FREE_AT_END)
        config_free(&config);
    return result;
}

static int run(const struct call *call)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    autoclose int overlay = -1;
    int result = check_options(call);
    if (result == 0)
        result = own_binary_protect(call->globals->command_line, &overlay);
    if (result == 0)
        result = join(call, &lifecycle, &overlay);
    return result < 0 ? report_error(EXIT_EXEC) : result;
}

static const struct applet applet = {
    .name = "exec",
    .texts = APPLET_TEXTS(
        "run one more program in a container", "[options] ID COMMAND [ARG...]",
        "Runs COMMAND in a container that is there: in all of its namespaces, its cgroup and its "
        "session keyring, under its seccomp profile, with user, environment, working directory, "
        "capabilities and limits of the process of its config.json, changed by the options. It "
        "begins with the privileges of "
        "its own, and nothing in the container can look into it before.\n"
        "\n"
        "In the foreground signals are passed on and the exit code is the program's, or 128 plus "
        "the signal that "
        "ended it; 255 where it could not be run.\n",
        "# look around\n"
        "shimbox exec --tty web sh\n"
        "\n"
        "# as another user, in another folder\n"
        "shimbox exec --user 1000:1000 --cwd /srv web ls -l\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct exec_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_EXEC,
    .run = run,
};
APPLET(applet);
