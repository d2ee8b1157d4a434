/* The parent's side of a running container.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One loop over few descriptors: the channel to the child until its program runs, the signals, and
 * those of the container's terminal, if it has one.
 * After the child was created nothing here may give up early: every way out ends the child first.
 */
#include "core/container/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/idmap.h"
#include "core/container/seccomp.h"
#include "core/container/setup.h"
#include "core/container/sync.h"
#include "core/container/terminal.h"
#include "core/linux/process.h"
#include "core/linux/rlimit.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

struct supervision {
    struct container *container;
    struct process *child;
    int channel;         /* -1 once the program runs */
    int signals;         /* signalfd */
    struct relay *relay; /* of its terminal */
    sigset_t pending;    /* came before there was a program to pass them on to */
    bool ready;          /* the set-up is done but for the user and the program */
    bool pid_file;       /* written */
    bool ended;
    int status; /* wait status, once ended */
};

/* Raising a hard limit takes privilege in the initial user namespace, which the child may not have:
 * so its limits are set from here. */
static int set_rlimits(const struct supervision *supervision)
{
    const struct config_process *process = &supervision->container->config->process;
    for (size_t i = 0; i < process->rlimit_count; i++) {
        const struct config_rlimit *rlimit = &process->rlimits[i];
        step("limit %s", rlimit_name(rlimit->resource));
        trace_field("/process/rlimits/%zu", i);
        if (prlimit(supervision->child->pid, rlimit->resource, &rlimit->limit, NULL) < 0) {
            int number = errno;
            int result = fail(number, "cannot set %s", rlimit_name(rlimit->resource));
            error_field("/process/rlimits");
            error_step("set limits");
            if (number == EPERM)
                error_hint("raising a hard limit needs CAP_SYS_RESOURCE");
            return result;
        }
    }
    return 0;
}

static int write_pid_file(struct supervision *supervision)
{
    if (!supervision->container->pid_file)
        return 0;
    step("write the pid file");
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", (int)supervision->child->pid);
    int result = replace_file(supervision->container->pid_file, 0644, text, (size_t)length);
    supervision->pid_file = result == 0;
    if (result < 0)
        error_step("write pid file");
    return result;
}

static int make_ready(struct supervision *supervision)
{
    const struct config *config = supervision->container->config;
    if (supervision->ready || relay_is_on(supervision->relay) != config->process.terminal)
        return fail(EPROTO, "message out of order from the container");
    supervision->ready = true;
    int result = set_rlimits(supervision);
    /* Privilege in the initial user namespace again. An ordinary user has none, and may not have
     * the ids of the child, which then does it itself. */
    if (result == 0 && supervision->container->privileged)
        result = setup_schedule(supervision->container, supervision->child->pid);
    if (result == 0)
        result = write_pid_file(supervision);
    step("let the program run");
    if (result == 0)
        result = sync_send(supervision->channel, SYNC_RUN);
    if (result == 0)
        step("wait until the program runs");
    if (result != -EPIPE)
        return result;
    /* The child ended meanwhile; what it had to say about that is still to be heard. */
    error_clear();
    return 0;
}

/* Once, before "ready", and only if it was asked for. */
static int begin_terminal(struct supervision *supervision, int *master)
{
    const struct container *container = supervision->container;
    if (supervision->ready || relay_is_on(supervision->relay) ||
        !container->config->process.terminal)
        return fail(EPROTO, "message out of order from the container");
    step("relay the terminal");
    trace_field("/process/terminal");
    int result = relay_begin(supervision->relay, master, container->proc);
    if (result < 0)
        error_field("/process/terminal");
    return result;
}

/* The child may not idmap a mount of a file system that is not its user namespace's; we may. */
static int idmap_for_child(const struct supervision *supervision, uint32_t number, int mount)
{
    const struct container *container = supervision->container;
    if (number >= container->mount_count || mount < 0)
        return fail(EPROTO, "message out of order from the container");
    int result = idmap_mount(container, number, mount, supervision->child);
    if (result < 0) {
        char field[32];
        snprintf(field, sizeof(field), "/mounts/%u", number);
        error_context("cannot mount %s", container->config->mounts[number].destination);
        error_field(field);
        return result;
    }
    return sync_send(supervision->channel, SYNC_IDMAPPED);
}

/* Once, after "ready", and only if the filter asks. */
static int hand_over_listener(struct supervision *supervision, int listener)
{
    struct container *container = supervision->container;
    if (!supervision->ready || container->listener < 0 || listener < 0)
        return fail(EPROTO, "message out of order from the container");
    int result = filter_hand_over(container, supervision->child->pid, listener);
    return result < 0 ? result : sync_send(supervision->channel, SYNC_SECCOMP_DONE);
}

/* The other end of the channel is closed: the program has been executed, or the child has ended.
 * After "ready" that makes no difference here: its exit code tells. */
static int begin_program(struct supervision *supervision)
{
    if (!supervision->ready)
        return fail(EPIPE, "the container's process ended during its set-up");
    trace_executed();
    step("release what is not needed any more");
    close_fd(&supervision->channel);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&supervision->pending, number) == 1)
            sys_pidfd_send_signal(supervision->child->pidfd, number);
    }
    if (supervision->container->when_running)
        supervision->container->when_running(supervision->container->context);
    step("wait for the program's end");
    return 0;
}

/* The child said something. Returns 0, or a negative errno (recorded) to end everything. */
static int handle_message(struct supervision *supervision)
{
    uint32_t number;
    autoclose int fd = -1;
    int type = sync_receive_numbered(supervision->channel, &fd, &number);
    switch (type) {
    case SYNC_TERMINAL:
        return begin_terminal(supervision, &fd);
    case SYNC_IDMAP:
        return idmap_for_child(supervision, number, fd);
    case SYNC_SECCOMP:
        return hand_over_listener(supervision, fd);
    case SYNC_READY:
        return make_ready(supervision);
    case SYNC_EOF:
        return begin_program(supervision);
    case SYNC_ERROR:
        return error_get()->number ? -error_get()->number : -EINVAL;
    default:
        return type < 0 ? type : fail(EPROTO, "message out of order from the container");
    }
}

/* Reap everything that has ended: the container's process, and orphans that came to us. Signals of
 * the same number are merged, so one SIGCHLD can stand for many children. */
static int reap(struct supervision *supervision)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != supervision->child->pid)
            continue;
        supervision->ended = true;
        supervision->status = status;
        supervision->child->pid = 0;
        close_fd(&supervision->child->pidfd);
    }
    return pid == 0 || supervision->ended ? 0 : fail(errno, "cannot wait for the container");
}

/* Signals about our own terminal are dealt with here, where the container has another one. Returns
 * 1 if the signal is for us only, 0 if not, or a negative errno (recorded). */
static int handle_own_signal(struct relay *relay, const struct signalfd_siginfo *signal)
{
    switch (signal->ssi_signo) {
    case SIGWINCH:
        relay_resize(relay);
        return 1;
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        relay_suspend(relay, (int)signal->ssi_signo);
        return 1;
    case SIGCONT:
        return relay_resume(relay);
    case SIGPIPE: /* from a write to standard output of ours? */
        return signal->ssi_pid == (uint32_t)getpid();
    default:
        return 0;
    }
}

/* A signal came. Until the program runs there is nobody to pass it on to: one that asks us to end
 * ends the set-up, others wait. */
static int handle_signal(struct supervision *supervision)
{
    struct signalfd_siginfo signal;
    if (read(supervision->signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return errno == EAGAIN || errno == EINTR ? 0 : fail(errno, "cannot receive a signal");
    int number = (int)signal.ssi_signo;
    if (number == SIGCHLD)
        return reap(supervision);
    int result = supervision->relay->started ? handle_own_signal(supervision->relay, &signal) : 0;
    if (result != 0)
        return result < 0 ? result : 0;
    if (supervision->channel < 0 && !supervision->ended) {
        sys_pidfd_send_signal(supervision->child->pidfd, number);
        return 0;
    }
    if (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT) {
        /* What it wrote need not be waited for any longer. */
        if (supervision->ended) {
            relay_free(supervision->relay);
            return 0;
        }
        return fail(EINTR, "ended by signal %d during the container's set-up", number);
    }
    sigaddset(&supervision->pending, number);
    return 0;
}

static int serve(struct supervision *supervision)
{
    struct relay *relay = supervision->relay;
    while (!supervision->ended || relay_is_on(relay)) {
        struct pollfd events[2 + RELAY_EVENTS] = {
            {.fd = supervision->channel, .events = POLLIN},
            {.fd = supervision->signals, .events = POLLIN},
        };
        int timeout = relay_wait(relay, events + 2);
        if (poll(events, 2 + RELAY_EVENTS, timeout) < 0 && errno != EINTR)
            return fail(errno, "cannot wait for the container");
        /* The channel first: what the child had to say comes before its end. */
        int result = 0;
        if (events[0].revents)
            result = handle_message(supervision);
        else if (events[1].revents)
            result = handle_signal(supervision);
        else
            result = relay_serve(relay, events + 2);
        if (result == 0 && supervision->ended)
            result = relay_end(relay);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Without a pid namespace of its own, a container's other processes outlive its first one, and are
 * our children now. */
static void end_orphans(const struct supervision *supervision)
{
    if (!supervision->container->new_pid)
        process_end_children(supervision->container->proc,
                             &supervision->container->earlier_children);
}

int supervise_container(struct container *container, struct process *child, int *channel)
{
    sigset_t signals;
    step("wait for the set-up");
    process_all_signals(&signals);
    autoclose int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0) {
        int result = fail(errno, "cannot receive signals by descriptor");
        error_step("supervise");
        return result;
    }
    struct relay relay;
    relay_init(&relay);
    struct supervision supervision = {.container = container,
                                      .child = child,
                                      .channel = take_fd(channel),
                                      .signals = signal_fd,
                                      .relay = &relay};
    int result = serve(&supervision);
    relay_free(&relay);
    step("end what is left");
    close_fd(&supervision.channel);
    if (result < 0) {
        error_step("supervise");
        process_end(child);
    }
    end_orphans(&supervision);
    if (result < 0 && supervision.pid_file)
        unlink(container->pid_file);
    return result < 0 ? result : process_exit_code(supervision.status);
}
