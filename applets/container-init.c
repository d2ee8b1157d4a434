/* container-init: a container's init that any program can drive.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/bundle.h"
#include "core/container/container.h"
#include "core/container/foreign.h"
#include "core/container/join.h"
#include "core/container/told.h"
#include "core/linux/listen.h"
#include "core/linux/own_binary.h"
#include "core/oci/config.h"

struct init_options {
    const char *bundle;
    const char *config;
    const char *config_fd;
    const char *sync_fd;
    const char *log_fd;
    const char *exec_fifo;
    const char *exec_fifo_fd;
    const char *join_fd;
    bool listen_fds;
    const char *id;
    const char *pid_file;
    uint32_t preserve_fds;
    bool no_pivot;
    bool no_new_keyring;
    const char *rootfs;
    bool strict;
};

#define FIELD(name) ((uint16_t)offsetof(struct init_options, name))

static const struct option options[] = {
    {'b', OPTION_TEXT, FIELD(bundle),
     OPTION_WORDS("bundle", "DIR", "Folder that relative paths start at, with config.json")},
    {0, OPTION_TEXT, FIELD(config),
     OPTION_WORDS("config", "FILE|-", "Read the configuration from FILE or standard input")},
    {0, OPTION_TEXT, FIELD(config_fd),
     OPTION_WORDS("config-fd", "N", "Read the configuration from descriptor N, to its end")},
    {0, OPTION_TEXT, FIELD(sync_fd),
     OPTION_WORDS("sync-fd", "N", "Let a parent decide, by messages on socket N")},
    {0, OPTION_TEXT, FIELD(log_fd),
     OPTION_WORDS("log-fd", "N", "Write a log to descriptor N, one JSON record a line")},
    {0, OPTION_TEXT, FIELD(exec_fifo),
     OPTION_WORDS("exec-fifo", "PATH", "Leave the program waiting until this fifo is read")},
    {0, OPTION_TEXT, FIELD(exec_fifo_fd),
     OPTION_WORDS("exec-fifo-fd", "N", "The same with an O_PATH descriptor of the fifo")},
    {0, OPTION_TEXT, FIELD(join_fd),
     OPTION_WORDS("join-fd", "N", "Join the namespaces of the process of pidfd N, all at once")},
    {0, OPTION_FLAG, FIELD(listen_fds),
     OPTION_WORDS("listen-fds", "", "Take these descriptors by $LISTEN_FDNAMES instead")},
    {0, OPTION_TEXT, FIELD(id),
     OPTION_WORDS("id", "ID", "Its name, for hooks and for the session keyring _ses.ID")},
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
};

/* What a parent hands over; the names are those of LISTEN_FDNAMES. */
enum { CONFIG, SYNC, LOG, FIFO, JOIN, HANDLES };
static const char *const handle_names[HANDLES] = {"config", "sync", "log", "exec-fifo", "join"};

/* A descriptor that an option names: the program must not get it. */
static int take_number(const char *name, const char *text, unsigned preserved, int *fd)
{
    uint32_t number;
    if (parse_u32(text, INT32_MAX, &number) < 0)
        return fail_usage("--%s-fd: '%s' is no descriptor", name, text);
    if (*fd >= 0)
        return fail_usage("--%s-fd: not together with --listen-fds, which has it", name);
    if (number < 3)
        return fail_usage("--%s-fd: %u is a standard stream", name, number);
    if (number < 3 + preserved)
        return fail_usage("--%s-fd: %u is one of the --preserve-fds", name, number);
    *fd = (int)number;
    return 0;
}

static int check_open(const char *name, int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return fail(errno, "cannot use descriptor %d (%s)", fd, name);
    return 0;
}

static int find_handles(const struct init_options *values, int handles[HANDLES])
{
    const char *const texts[HANDLES] = {values->config_fd, values->sync_fd, values->log_fd,
                                        values->exec_fifo_fd, values->join_fd};
    int result = 0;
    if (values->id && (!*values->id || strlen(values->id) > 255))
        return fail_usage("--id: 1 to 255 bytes");
    if (values->listen_fds && values->preserve_fds)
        return fail_usage("--listen-fds: not together with --preserve-fds");
    if (values->listen_fds)
        result = listen_take(handle_names, HANDLES, handles);
    for (int i = 0; result == 0 && i < HANDLES; i++) {
        if (texts[i])
            result = take_number(handle_names[i], texts[i], values->preserve_fds, &handles[i]);
        for (int other = 0; result == 0 && other < i; other++) {
            if (handles[i] >= 0 && handles[i] == handles[other])
                result = fail_usage("descriptor %d cannot be both %s and %s", handles[i],
                                    handle_names[other], handle_names[i]);
        }
        if (result == 0 && handles[i] >= 0)
            result = check_open(handle_names[i], handles[i]);
    }
    return result;
}

/* Opened so that it does not count as a reader or writer of it. */
static int open_fifo(const struct init_options *values, int *fifo)
{
    struct stat status;
    if (values->exec_fifo && *fifo >= 0)
        return fail_usage("--exec-fifo: not together with a descriptor of it");
    if (values->exec_fifo)
        *fifo = open(values->exec_fifo, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    else if (*fifo < 0)
        return 0;
    if (*fifo < 0 || fstat(*fifo, &status) < 0)
        return fail(errno, "cannot open the exec fifo %s",
                    values->exec_fifo ? values->exec_fifo : "");
    int flags = fcntl(*fifo, F_GETFL);
    if (!S_ISFIFO(status.st_mode) || flags < 0 || !(flags & O_PATH))
        return fail_usage("the exec fifo is no %s",
                          S_ISFIFO(status.st_mode) ? "O_PATH descriptor" : "fifo");
    return 0;
}

static int read_config(const struct init_options *values, int stream, struct config *config)
{
    if (values->config && stream >= 0)
        return fail_usage("--config: not together with a descriptor of it");
    if (stream < 0)
        return bundle_read(config, values->bundle,
                           values->config || values->bundle ? values->config : "-");
    step("read the configuration");
    return bundle_read_stream(config, stream, "configuration");
}

static int enter_bundle(const struct init_options *values, char **rootfs, char **pid_file)
{
    int result = 0;
    if (values->rootfs)
        result = absolute_path(values->rootfs, rootfs);
    if (result == 0 && values->pid_file)
        result = absolute_path(values->pid_file, pid_file);
    if (result == 0 && values->bundle && chdir(values->bundle) < 0)
        result = fail(errno, "cannot enter bundle %s", values->bundle);
    return result;
}

/* Returns the exit code, or a negative errno (recorded). */
static int run_config(const struct init_options *values, struct config *config,
                      int handles[HANDLES])
{
    autofree char *rootfs = NULL;
    autofree char *pid_file = NULL;
    struct foreign foreign = {.socket = handles[SYNC]};
    struct join join;
    autotold struct told told = NO_TOLD;
    int result = enter_bundle(values, &rootfs, &pid_file);
    if (result == 0 && handles[JOIN] >= 0)
        result = join_config(&join, config, handles[JOIN]);
    if (result < 0)
        return result;
    bundle_warn(config, values->strict);
    struct container container;
    container_init(&container, config);
    container.rootfs = rootfs;
    container.no_pivot = values->no_pivot;
    container.no_new_keyring = values->no_new_keyring;
    container.id = values->id;
    container.preserved_fds = values->preserve_fds;
    container.pid_file = pid_file;
    container.start_fifo = take_fd(&handles[FIFO]);
    container.join_process = handles[JOIN];
    container.strict = values->strict;
    container.limited_outside = handles[SYNC] >= 0 || container.start_fifo >= 0;
    result = told_prepare(&told, &container, handles[SYNC] >= 0);
    if (result == 0 && handles[SYNC] >= 0)
        result = foreign_begin(&foreign, &container);
    else if (result == 0 && container.limited_outside &&
             (config->cgroups_path || !resources_are_standard(&config->resources)))
        result = fail_config("/linux/resources", "limits of a container that is left waiting take "
                                                 "a parent that sees to them (--sync-fd)");
    if (result == 0)
        result = container_prepare(&container);
    if (result == 0)
        result =
            container.start_fifo >= 0 ? container_create(&container) : container_run(&container);
    container_free(&container);
    return result;
}

static int init_container(const struct call *call, int handles[HANDLES])
{
    const struct init_options *values = call->values;
    struct config config = {0};
    autoclose int overlay = -1;
    int result = own_binary_protect(call->globals->command_line, &overlay);
    if (result == 0 && *call->argv)
        result = fail_usage("unexpected argument '%s'", *call->argv);
    if (result == 0)
        result = find_handles(values, handles);
    if (result == 0 && handles[SYNC] >= 0 && (result = foreign_check(handles[SYNC])) < 0)
        handles[SYNC] = -1;
    if (result == 0 && handles[LOG] >= 0)
        result = log_use(call->globals, handles[LOG]);
    if (result == 0)
        result = open_fifo(values, &handles[FIFO]);
    if (result == 0)
        result = read_config(values, handles[CONFIG], &config);
    if (result == 0 && values->strict)
        result = bundle_refuse_unapplied(&config);
    if (result < 0)
        error_step("read configuration");
    if (result == 0)
        result = run_config(values, &config, handles);
    config_free(&config);
    return result;
}

static int run(const struct call *call)
{
    int handles[HANDLES] = {-1, -1, -1, -1, -1};
    int result = init_container(call, handles);
    if (result >= 0)
        return result;
    struct error error = *error_get();
    int code = report_failure(EXIT_OWN_FAILURE);
    if (handles[SYNC] >= 0)
        foreign_tell_error(handles[SYNC], &error, code);
    return code;
}

static const struct applet applet = {
    .name = "container-init",
    .texts = APPLET_TEXTS(
        "make a container as its parent says, message by message", "[options]",
        "Makes the container of a config.json and runs its program, as run does, by the same code; "
        "but for a "
        "parent that wants a say in it: an engine of its own, a script, a test. Without --sync-fd "
        "nobody is asked: the configuration comes from standard input (or from "
        "--config, --config-fd or config.json of --bundle), signals are passed on, and the exit "
        "code is the "
        "program's, 128 plus the signal that ended it, 126 or 127 if it could not be executed or "
        "found, 125 for "
        "a failure of container-init itself. Relative paths of the configuration start at "
        "--bundle, else at the working directory.\n"
        "\n"
        "With --sync-fd N the parent and container-init tell each other what is next, on a unix "
        "socket of the type SOCK_SEQPACKET: one JSON object a packet, "
        "{\"type\": \"...\"} and what else is named here, with at most one descriptor "
        "(SCM_RIGHTS). container-init "
        "says, in this order:\n"
        "\n"
        "configured, version (1), mounts (how many the configuration has): it has been read, "
        "nothing is made yet. Answer: begin. Before that, as often as "
        "needed: mount, index, with a detached mount (open_tree(2), fsmount(2)) that takes the "
        "place of the source of this entry of mounts, a bind mount; and idmap, index, with a user "
        "namespace that this entry is idmapped by.\n"
        "\n"
        "pid, pid, with a pidfd: the container's first process exists, in its new namespaces, "
        "without ids if it "
        "gets a user namespace. The time to put it into a cgroup. Answer: pid-done.\n"
        "\n"
        "hooks: all file systems and devices are there, the root is still the host's: the time for "
        "prestart and "
        "createRuntime hooks. Answer: hooks-done. Left out where a mount namespace is joined.\n"
        "\n"
        "console, with the master of its terminal: if process.terminal is true. No answer.\n"
        "\n"
        "ready: resource limits (rlimits) are set; scheduling, memory policy, personality, system "
        "call filter, user, capabilities and the program are left to do. Cgroup, limits and device "
        "rules are the parent's to see to. Answer: run.\n"
        "\n"
        "seccomp, with the listener of its system call filter (seccomp_unotify(2)): if a rule has "
        "SCMP_ACT_NOTIFY and there is no listenerPath. Answer: seccomp-done, before or after which "
        "calls may already be waiting.\n"
        "\n"
        "running: the program has been executed. Or, with --exec-fifo, created: it waits.\n"
        "\n"
        "exited, status, signal (only if one ended it): it has ended, and so has all that it left "
        "behind. status is container-init's own "
        "exit code, too.\n"
        "\n"
        "error, code, text, and where they are known errno, field (a JSON pointer into the "
        "configuration), step, hint: instead of any of "
        "these; nothing is left of the container. code is container-init's exit code.\n"
        "\n"
        "Where the parent says anything else, or is gone (the end of the socket, at any time), the "
        "container ends, and "
        "so it does with container-init itself. A message of the parent has at most 512 bytes; an "
        "empty one counts as the end.\n"
        "\n"
        "With --exec-fifo container-init ends with 0 as soon as the program waits to be executed. "
        "From then "
        "on the container is on its own, and the child of the nearest subreaper "
        "(PR_SET_CHILD_SUBREAPER). Whoever opens the fifo for reading starts it, and reads "
        "\"0\" and the end when the program has been executed, \"0\" and one line that says why if "
        "it could not be, or just "
        "the end if the process ended before. The program's user must be allowed to write to the "
        "fifo: mode 0622.\n"
        "\n"
        "A configuration whose namespaces all have a path joins them, the mount namespace too: "
        "then the root file "
        "system is left as it is, and only the process is set up: working directory, user, groups, "
        "capabilities, limits, terminal, session keyring (--id). So it is with --join-fd, where "
        "the namespaces are those of the process of a pidfd, joined all at once; the configuration "
        "lists none then.\n"
        "\n"
        "With --listen-fds the descriptors are those that LISTEN_FDS and LISTEN_FDNAMES say "
        "(sd_listen_fds(3)), "
        "by the names config, sync, join, log and exec-fifo. The program gets none of all these "
        "descriptors, only the standard streams and "
        "--preserve-fds. --log-fd gets what --log does, as JSON whatever --log-format says.\n",
        "# a shell as the parent\n"
        "shimbox spec -o - --rootfs /srv/debian -- id | shimbox container-init\n"
        "\n"
        "# created, then started\n"
        "mkfifo -m 622 /run/web.fifo\n"
        "shimbox container-init --bundle /srv/bundle --exec-fifo /run/web.fifo --pid-file "
        "/run/web.pid\n"
        "cat /run/web.fifo\n"
        "\n"
        "# a parent in Python: parent.py BUNDLE\n"
        "import json, os, socket, subprocess, sys\n"
        "ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "child = subprocess.Popen([\"shimbox\", \"container-init\", \"--bundle\", sys.argv[1],\n"
        "                          \"--sync-fd\", str(theirs.fileno())], "
        "pass_fds=[theirs.fileno()])\n"
        "theirs.close()\n"
        "answers = {\"configured\": \"begin\", \"pid\": \"pid-done\", \"hooks\": \"hooks-done\", "
        "\"ready\": \"run\",\n"
        "           \"seccomp\": \"seccomp-done\"}\n"
        "while True:\n"
        "    packet, descriptors, _, _ = socket.recv_fds(ours, 65536, 1)\n"
        "    if not packet:\n"
        "        break\n"
        "    message = json.loads(packet)\n"
        "    print(message)\n"
        "    for descriptor in descriptors:  # a pidfd, a terminal's master, a listener\n"
        "        os.close(descriptor)\n"
        "    if message[\"type\"] in answers:\n"
        "        ours.send(json.dumps({\"type\": answers[message[\"type\"]]}).encode())\n"
        "sys.exit(child.wait())\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct init_options),
    .failure = EXIT_OWN_FAILURE,
    .run = run,
};
APPLET(applet);
