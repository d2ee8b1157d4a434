/* The parent's side of a container's set-up: what the child says, and what the driver says to that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/idmap.h"
#include "core/container/launch.h"
#include "core/container/net_devices.h"
#include "core/container/resources.h"
#include "core/container/seccomp.h"
#include "core/container/setup.h"
#include "core/container/supervision.h"
#include "core/container/sync.h"
#include "core/container/terminal.h"
#include "core/linux/pages.h"
#include "core/linux/process.h"
#include "core/linux/rlimit.h"
#include "core/linux/sys.h"
#include "core/linux/terminal.h"
#include "core/oci/config.h"

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

/* The child is gone, or will be; what it had to say about that is still to be heard. */
static int forgive_end(int result)
{
    if (result == -EPIPE) {
        error_clear();
        return 0;
    }
    return result;
}

/* Only now does the child get ids. */
static int let_set_up(struct supervision *supervision)
{
    struct container *container = supervision->container;
    const struct driver *driver = container->driver;
    int result = net_devices_move(container, supervision->child);
    if (result == 0)
        result = launch_map_ids(container, supervision->child, supervision->channel);
    if (result == 0)
        result = resources_load_filter(container);
    if (result == 0 && driver && driver->setting_up) {
        step("look for fields that are not applied");
        driver->setting_up(container->driver_context);
    }
    /* The child has closed it, so here the kernel takes it apart: there is nothing else to do. */
    if (container->overlay >= 0)
        step("release the overlay of the own binary");
    close_fd(&container->overlay);
    return result;
}

static int let_run(struct supervision *supervision)
{
    supervision->released = true;
    step("let the program run");
    int result = sync_send(supervision->channel, SYNC_RUN);
    if (result == 0)
        step("wait until the program runs");
    return forgive_end(result);
}

/* The driver has done what it was asked for. */
static int go_on(struct supervision *supervision, enum occasion done)
{
    supervision->asked = NOTHING;
    switch (done) {
    case MADE:
        return let_set_up(supervision);
    case HOOKS:
        return forgive_end(sync_send(supervision->channel, SYNC_HOOKS_DONE));
    case READY:
        return let_run(supervision);
    case LISTENER:
        return forgive_end(sync_send(supervision->channel, SYNC_SECCOMP_DONE));
    default:
        return fail(EPROTO, "an answer of the driver that nobody waits for");
    }
}

/* Ask the driver, if it has a say in this. */
static int ask(struct supervision *supervision, enum occasion occasion)
{
    const struct driver *driver = supervision->container->driver;
    void *context = supervision->container->driver_context;
    int answer = DRIVER_GO;
    if (driver && occasion == MADE && driver->made)
        answer = driver->made(context, supervision->child);
    else if (driver && occasion == HOOKS && driver->hooks)
        answer = driver->hooks(context);
    else if (driver && occasion == READY && driver->ready)
        answer = driver->ready(context);
    if (answer == DRIVER_GO)
        return go_on(supervision, occasion);
    supervision->asked = occasion;
    return answer < 0 ? answer : 0;
}

int supervision_wait_driver(const struct supervision *supervision, struct pollfd *events)
{
    const struct container *container = supervision->container;
    for (int i = 0; i < DRIVER_EVENTS; i++)
        events[i] = (struct pollfd){.fd = -1};
    return container->driver && container->driver->wait
               ? container->driver->wait(container->driver_context, events)
               : -1;
}

int supervision_hear_driver(struct supervision *supervision, const struct pollfd *events)
{
    const struct container *container = supervision->container;
    if (!container->driver || !container->driver->serve)
        return 0;
    int answer = container->driver->serve(container->driver_context, events);
    return answer == DRIVER_GO ? go_on(supervision, supervision->asked) : answer < 0 ? answer : 0;
}

static int make_hooks(struct supervision *supervision)
{
    if (supervision->ready || supervision->hooked || !supervision->container->wait_for_hooks)
        return fail(EPROTO, "message out of order from the container");
    supervision->hooked = true;
    return ask(supervision, HOOKS);
}

static int make_ready(struct supervision *supervision)
{
    struct container *container = supervision->container;
    if (supervision->ready || supervision->terminal != container->config->process.terminal ||
        supervision->hooked != container->wait_for_hooks)
        return fail(EPROTO, "message out of order from the container");
    supervision->ready = true;
    int result = set_rlimits(supervision);
    /* Privilege in the initial user namespace again. An ordinary user has none, and may not have
     * the ids of the child, which then does it itself. */
    if (result == 0 && supervision->container->privileged)
        result = setup_schedule(supervision->container, supervision->child->pid);
    if (result == 0)
        result = resources_limit(container);
    if (result == 0)
        result = write_pid_file(supervision);
    return result < 0 ? result : ask(supervision, READY);
}

/* Once, before "ready", and only if it was asked for. */
static int begin_terminal(struct supervision *supervision, int *master)
{
    const struct container *container = supervision->container;
    const struct driver *driver = container->driver;
    if (supervision->ready || supervision->terminal || !container->config->process.terminal)
        return fail(EPROTO, "message out of order from the container");
    supervision->terminal = true;
    step("relay the terminal");
    trace_field("/process/terminal");
    int result = 0;
    if (!terminal_is_master(*master))
        result = fail(EPROTO, "the container sent something else than a terminal");
    else if (driver && driver->terminal)
        result = driver->terminal(container->driver_context, master);
    else
        result = relay_begin(supervision->relay, master, container->proc);
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

/* Once, when all else is done, and only if the filter asks. */
static int hand_over_listener(struct supervision *supervision, int listener)
{
    struct container *container = supervision->container;
    bool asked = filter_is_for_driver(container);
    if (!supervision->released || supervision->listened || listener < 0 ||
        (!asked && container->listener < 0))
        return fail(EPROTO, "message out of order from the container");
    supervision->listened = true;
    if (asked) {
        int answer = container->driver->listener(container->driver_context, listener);
        supervision->asked = LISTENER;
        return answer == DRIVER_GO ? go_on(supervision, LISTENER) : answer < 0 ? answer : 0;
    }
    int result = filter_hand_over(container, supervision->child->pid, listener);
    return result < 0 ? result : sync_send(supervision->channel, SYNC_SECCOMP_DONE);
}

static int tell_running(const struct container *container)
{
    return container->driver && container->driver->running
               ? container->driver->running(container->driver_context)
               : 0;
}

/* It is not ours any more. */
static void let_go(struct supervision *supervision)
{
    supervision->created = true;
    supervision->child->pid = 0;
    close_fd(&supervision->child->pidfd);
}

/* The other end of the channel is closed: the program has been executed, or the child has ended.
 * After "run" that makes no difference here: its exit code tells. But if it was to wait, it would
 * have said so. */
static int begin_program(struct supervision *supervision)
{
    if (!supervision->released || supervision->container->start_fifo >= 0)
        return fail(EPIPE, "the container's process ended during its set-up");
    trace_executed();
    step("release what is not needed any more");
    close_fd(&supervision->channel);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&supervision->pending, number) == 1)
            sys_pidfd_send_signal(supervision->child->pidfd, number);
    }
    int result = tell_running(supervision->container);
    if (result == 0 && supervision->container->detached)
        let_go(supervision);
    step("wait for the program's end");
    return result;
}

/* It waits at the start fifo, and is not to end with us any more. */
static int leave(struct supervision *supervision)
{
    if (!supervision->released || supervision->container->start_fifo < 0)
        return fail(EPROTO, "message out of order from the container");
    int result = tell_running(supervision->container);
    if (result < 0)
        return result;
    let_go(supervision);
    return 0;
}

int supervision_hear(struct supervision *supervision)
{
    uint32_t number;
    autoclose int fd = -1;
    int type = sync_receive_numbered(supervision->channel, &fd, &number);
    /* It waits, as we do. */
    if (supervision->asked != NOTHING && type > 0 && type != SYNC_ERROR)
        return fail(EPROTO, "message out of order from the container");
    switch (type) {
    case SYNC_TERMINAL:
        return begin_terminal(supervision, &fd);
    case SYNC_IDMAP:
        return idmap_for_child(supervision, number, fd);
    case SYNC_HOOKS:
        return make_hooks(supervision);
    case SYNC_READY:
        return make_ready(supervision);
    case SYNC_SECCOMP:
        return hand_over_listener(supervision, fd);
    case SYNC_CREATED:
        return leave(supervision);
    case SYNC_EOF:
        return begin_program(supervision);
    case SYNC_ERROR:
        return error_get()->number ? -error_get()->number : -EINVAL;
    default:
        return type < 0 ? type : fail(EPROTO, "message out of order from the container");
    }
}

void supervision_last(struct supervision *supervision)
{
    const struct container *container = supervision->container;
    supervision->lasting = true;
    step("release the configuration");
    if (container->driver && container->driver->lasting)
        container->driver->lasting(container->driver_context);
    pages_release();
    step("wait for the program's end");
}

int supervision_begin(struct supervision *supervision)
{
    return ask(supervision, MADE);
}
