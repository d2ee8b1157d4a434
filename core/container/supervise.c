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
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/supervision.h"
#include "core/container/terminal.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"

/* Milliseconds: many programs end before, and then so does all else. */
#define LASTING 100

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
    default:
        return 0;
    }
}

/* A signal came. Until the program runs there is nobody to pass it on to: one that asks us to end
 * ends the set-up, others wait. */
static int handle_signal(struct supervision *supervision, int signals)
{
    struct signalfd_siginfo signal;
    if (read(signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return errno == EAGAIN || errno == EINTR ? 0 : fail(errno, "cannot receive a signal");
    int number = (int)signal.ssi_signo;
    if (number == SIGCHLD)
        return reap(supervision);
    /* From a write of our own, which knows. */
    if (number == SIGPIPE && signal.ssi_pid == (uint32_t)getpid())
        return 0;
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

/* Of two time limits, -1 for none. */
static int sooner(int one, int other)
{
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

static int serve(struct supervision *supervision, int signals)
{
    struct relay *relay = supervision->relay;
    while (!supervision->created && (!supervision->ended || relay_is_on(relay))) {
        struct pollfd events[2 + DRIVER_EVENTS + RELAY_EVENTS] = {
            {.fd = supervision->channel, .events = POLLIN},
            {.fd = signals, .events = POLLIN},
        };
        struct pollfd *driver = events + 2;
        struct pollfd *terminal = driver + DRIVER_EVENTS;
        int timeout =
            sooner(supervision_wait_driver(supervision, driver), relay_wait(relay, terminal));
        bool lasting = supervision->channel < 0 && !supervision->ended && !supervision->lasting &&
                       (timeout < 0 || timeout > LASTING);
        int count = poll(events, sizeof(events) / sizeof(events[0]), lasting ? LASTING : timeout);
        if (count < 0 && errno != EINTR)
            return fail(errno, "cannot wait for the container");
        if (count == 0 && lasting)
            supervision_last(supervision);
        /* The channel first: what the child had to say comes before its end. */
        int result = 0;
        if (events[0].revents)
            result = supervision_hear(supervision);
        else if (events[1].revents)
            result = handle_signal(supervision, signals);
        else
            result = supervision_hear_driver(supervision, driver);
        if (result == 0 && !events[0].revents && !events[1].revents)
            result = relay_serve(relay, terminal);
        if (result == 0 && supervision->ended)
            result = relay_end(relay);
        if (result < 0)
            return result;
    }
    return 0;
}

static int wait_for_end(struct supervision *supervision)
{
    sigset_t signals;
    step("wait for the set-up");
    process_all_signals(&signals);
    autoclose int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0)
        return fail(errno, "cannot receive signals by descriptor");
    return serve(supervision, signal_fd);
}

/* Without a pid namespace of its own, a container's other processes outlive its first one, and are
 * our children now. */
static void end_orphans(const struct supervision *supervision)
{
    if (!supervision->container->new_pid)
        process_end_children(supervision->container->proc,
                             &supervision->container->earlier_children);
}

static int supervise(struct supervision *supervision)
{
    struct container *container = supervision->container;
    int result = supervision_begin(supervision);
    if (result == 0)
        result = wait_for_end(supervision);
    relay_free(supervision->relay);
    step("end what is left");
    close_fd(&supervision->channel);
    if (result < 0) {
        error_step("supervise");
        process_end(supervision->child);
    }
    if (!supervision->created)
        end_orphans(supervision);
    if (result < 0 && supervision->pid_file)
        unlink(container->pid_file);
    if (result == 0 && !supervision->created && container->driver && container->driver->ended)
        container->driver->ended(container->driver_context, supervision->status);
    return result < 0 ? result : process_exit_code(supervision->status);
}

int supervise_container(struct container *container, struct process *child, int *channel)
{
    struct relay relay;
    relay_init(&relay);
    struct supervision supervision = {
        .container = container, .child = child, .channel = take_fd(channel), .relay = &relay};
    return supervise(&supervision);
}
