/* A container that has a state on disk.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/container/hooks.h"
#include "core/container/lifecycle.h"
#include "core/container/start.h"
#include "core/linux/console_socket.h"
#include "core/linux/process.h"
#include "core/oci/config.h"
#include "core/oci/json.h"

static const char fifo_name[] = "start.fifo";

/* Who it is, as soon as there is somebody; until it is ready, it ends with us. */
static int record_child(struct keeper *keeper)
{
    const struct process *child = keeper->container->child;
    int proc = keeper->container->proc;
    keeper->pid = child->pid;
    pid_t number = process_number_in(proc, child);
    int result = number < 0 ? number : record_process(&keeper->record.init, proc, number);
    keeper->record.init.pid = child->pid;
    struct stat status;
    if (result == 0 && fstat(child->pidfd, &status) == 0)
        keeper->record.init.inode = status.st_ino;
    /* Below the mount, wherever that is later. */
    const struct own_cgroup *cgroup = &keeper->container->cgroup;
    if (result < 0 || cgroup->fd < 0)
        return result;
    if (fstat(cgroup->fd, &status) < 0)
        return fail(errno, "cannot examine cgroup %s", cgroup->place.path);
    keeper->record.cgroup = cgroup->place.path + cgroup->place.mount;
    keeper->record.cgroup_inode = status.st_ino;
    return 0;
}

/* Done with the record: an error has been in that. */
static int kept(int result)
{
    if (result < 0)
        error_step("keep state");
    return result;
}

static int record_known_child(struct keeper *keeper)
{
    step("note the state");
    return keeper->pid ? 0 : record_child(keeper);
}

/* A hook may ask for the state, or tell somebody who will. */
static int made_with_hooks(void *context, const struct process *child)
{
    struct keeper *keeper = context;
    (void)child;
    int result = record_known_child(keeper);
    return kept(result < 0 ? result : record_write(keeper->state, &keeper->record));
}

static int run_hooks(void *context)
{
    struct keeper *keeper = context;
    const struct hooks *hooks = keeper->container->config->hooks;
    static const enum hook_type types[] = {HOOK_PRESTART, HOOK_CREATE_RUNTIME};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int result = hooks_run(&hooks[types[i]], types[i], &keeper->record,
                               status_name(STATUS_CREATING), keeper->pid);
        if (result < 0) {
            error_step("run hooks");
            return result;
        }
    }
    step("wait for the set-up");
    return DRIVER_GO;
}

/* What the record will say when the container is ready. */
static int make_draft(struct keeper *keeper)
{
    int result = record_known_child(keeper);
    keeper->record.ready = true;
    return result < 0 ? result : record_draft(keeper->state, &keeper->record, &keeper->draft);
}

/* After this it does not end with us any more. */
static int make_ready(void *context)
{
    struct keeper *keeper = context;
    int result = keeper->draft.data ? 0 : make_draft(keeper);
    if (result == 0)
        result = record_use(keeper->state, &keeper->draft);
    if (FREE_AT_END)
        text_free(&keeper->draft);
    return kept(result);
}

static int send_terminal(void *context, int *master)
{
    struct keeper *keeper = context;
    return console_socket_send(keeper->console, *master);
}

static void set_up(void *context)
{
    struct keeper *keeper = context;
    if (keeper->setting_up)
        keeper->setting_up(keeper->context);
    /* The child will wait for its being used; if it cannot be written, that is the time to say so.
     */
    if (make_draft(keeper) < 0) {
        text_free(&keeper->draft);
        error_clear();
    }
}

/* With `run`, this is the time of `start`; from now on others may come to it. */
static int begin_running(void *context)
{
    struct keeper *keeper = context;
    if (keeper->container->start_fifo < 0)
        record_seal(keeper->state);
    if (keeper->foreground) {
        hooks_run_all(&keeper->record.poststart, HOOK_POSTSTART, &keeper->record,
                      status_name(STATUS_RUNNING), keeper->pid);
        state_unlock(keeper->state);
    }
    return 0;
}

static void last(void *context)
{
    struct keeper *keeper = context;
    keeper->forgotten = true;
    if (keeper->lasting)
        keeper->lasting(keeper->context);
}

/* Nothing is waited for that nobody does. Made here: what is a constant is relocated at each start.
 */
static void make_driver(struct keeper *keeper, bool hooked)
{
    struct driver *driver = &keeper->driver;
    *driver = (struct driver){0};
    driver->ready = make_ready;
    driver->setting_up = set_up;
    driver->running = begin_running;
    driver->lasting = last;
    if (hooked) {
        driver->made = made_with_hooks;
        driver->hooks = run_hooks;
    }
    if (keeper->console >= 0)
        driver->terminal = send_terminal;
}

/* For `exec`, which is to find the config that the container was made of. */
static int keep_config(const struct state *state, const struct config *config)
{
    autotext struct text text = {0};
    autoclose int fd = openat(state->fd, RECORD_CONFIG,
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(errno, "cannot keep the configuration");
    int result = json_write(config->document, &text);
    return result < 0 ? result : write_all(fd, "the configuration", text.data, text.length);
}

int keeper_begin(struct keeper *keeper, struct container *container)
{
    const struct config *config = container->config;
    bool hooked = false;
    step("note the state");
    keeper->container = container;
    for (int type = HOOK_PRESTART; type <= HOOK_START_CONTAINER; type++)
        hooked = hooked || config->hooks[type].count > 0;
    int result = record_init(&keeper->record, config, state_id(keeper->state), keeper->bundle,
                             keeper->rootfs);
    if (result == 0 && keeper->foreground && !keeper->kept)
        result = record_own(&keeper->record.runner, container->proc);
    if (result == 0)
        result = record_write(keeper->state, &keeper->record);
    if (result == 0 && keeper->unbundled)
        result = keep_config(keeper->state, config);
    container->record = &keeper->record;
    container->wait_for_hooks = hooked;
    make_driver(keeper, hooked);
    container->driver = &keeper->driver;
    container->driver_context = keeper;
    if (result < 0)
        error_step("keep state");
    return result;
}

void keeper_undo(struct keeper *keeper)
{
    struct error kept = error_set_aside();
    step("take the state back");
    if (keeper->state->locked || state_lock(keeper->state, 10000) == 0)
        keeper->state->claimed = state_clear(keeper->state) == 0;
    error_clear();
    hooks_run_all(&keeper->record.poststop, HOOK_POSTSTOP, &keeper->record,
                  status_name(STATUS_STOPPED), 0);
    error_put_back(&kept);
}

/* Opened here, where its name can be reached; the container's process needs no more than this. */
static int make_fifo(struct keeper *keeper)
{
    int directory = keeper->state->fd;
    step("make the start fifo beside the state");
    if (mkfifoat(directory, fifo_name, 0600) < 0 || fchmodat(directory, fifo_name, 0622, 0) < 0)
        return fail(errno, "cannot make the start fifo");
    int fd = openat(directory, fifo_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? fail(errno, "cannot open the start fifo") : fd;
}

int keeper_create(struct keeper *keeper)
{
    int fifo = make_fifo(keeper);

    int result = fifo < 0 ? fifo : 0;
    keeper->container->start_fifo = fifo < 0 ? -1 : fifo;
    if (result == 0)
        result = container_create(keeper->container);
    if (result < 0)
        keeper_undo(keeper);
    return result;
}

/* With the record again where that of the beginning used a config which is gone. */
static int remove_entry(struct keeper *keeper)
{
    autorecord struct record again = {0};
    const struct record *record = keeper->forgotten ? &again : &keeper->record;
    int result = state_lock(keeper->state, 10000);
    if (result == 0 && keeper->forgotten)
        result = record_read(keeper->state, &again);
    if (result == 0)
        result = state_remove(keeper->state);
    if (result == 0)
        hooks_run_all(&record->poststop, HOOK_POSTSTOP, record, status_name(STATUS_STOPPED), 0);
    if (result == -ENOENT) {
        /* Somebody else has deleted it. */
        error_clear();
        return 0;
    }
    if (result < 0)
        error_step("keep state");
    return result;
}

int keeper_run(struct keeper *keeper)
{
    int code = container_run(keeper->container);
    if (code < 0) {
        keeper_undo(keeper);
        return code;
    }
    if (keeper->kept)
        return code;
    int result = remove_entry(keeper);
    return result < 0 ? result : code;
}

/* As runc says it, for engines. */
static int fail_start(const struct lifecycle *lifecycle)
{
    const char *id = state_id(&lifecycle->state);
    switch (lifecycle->status) {
    case STATUS_STOPPED:
        return fail_state(EINVAL, "%s: cannot start a container that has stopped", id);
    case STATUS_CREATING:
        return fail_state(EINVAL, "%s: cannot start a container that is being created", id);
    default:
        return fail_state(EINVAL, "%s: cannot start an already running container", id);
    }
}

int keeper_start(struct lifecycle *lifecycle)
{
    const struct record *record = &lifecycle->record;
    if (lifecycle->status != STATUS_CREATED)
        return fail_start(lifecycle);
    autoclose int pidfd = lifecycle_pidfd(lifecycle);
    if (pidfd < 0)
        return error_is_set() ? pidfd : fail_start(lifecycle);
    int result = start_container(lifecycle->state.fd, fifo_name, pidfd);
    /* Whatever came of it, it cannot be started again. */
    unlinkat(lifecycle->state.fd, fifo_name, 0);
    if (result < 0)
        return result;
    record_seal(&lifecycle->state);
    hooks_run_all(&record->poststart, HOOK_POSTSTART, record, status_name(STATUS_RUNNING),
                  record->init.pid);
    return 0;
}
