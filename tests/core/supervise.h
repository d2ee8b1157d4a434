/* What the tests of supervise.c share: a child that plays a container.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/container/container.h"
#include "core/container/supervise.h"
#include "core/container/sync.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

/* Of this program alone: the tests of drivers may run beside those of supervise.c. */
static char pid_file[48];

/* What may come with a message instead of the master of a terminal. */
enum { NOTHING, MASTER, SLAVE, NULL_DEVICE, PIPE, PTMX_PATH, KINDS, AWAIT /* this message */ };

struct message {
    enum sync_type type;
    int with;
};

static const struct message END = {SYNC_EOF, NOTHING};

/* What tests of drivers want besides. */
static struct container wanted;

static sigset_t signals_before;

static int set_up(void **state)
{
    sigset_t all;
    (void)state;
    error_clear();
    snprintf(pid_file, sizeof(pid_file), "/tmp/supervise-test-%d.pid", (int)getpid());
    process_all_signals(&all);
    return sigprocmask(SIG_SETMASK, &all, &signals_before);
}

static int tear_down(void **state)
{
    (void)state;
    error_clear();
    wanted = (struct container){0};
    unlink(pid_file);
    return sigprocmask(SIG_SETMASK, &signals_before, NULL);
}

static int count_open(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* In the child, which ends anyway. */
static int make_descriptor(int kind)
{
    int ends[2];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    switch (kind) {
    case MASTER:
        return master;
    case SLAVE:
        return grantpt(master) < 0 || unlockpt(master) < 0
                   ? -1
                   : open(ptsname(master), O_RDWR | O_NOCTTY);
    case NULL_DEVICE:
        return open("/dev/null", O_RDWR);
    case PIPE:
        return pipe(ends) < 0 ? -1 : ends[0];
    case PTMX_PATH: /* the device, but no terminal of it */
        return open("/dev/ptmx", O_PATH);
    default:
        return -1;
    }
}

/* Send them all, whatever comes back unless that is awaited, and stay; with `end`, be gone after
 * that. */
static _Noreturn void play_container(int channel, const struct message *messages, bool end)
{
    for (; messages->type != SYNC_EOF; messages++) {
        if (messages->with == AWAIT) {
            if (sync_expect(channel, messages->type) < 0)
                _exit(98);
            continue;
        }
        int fd = make_descriptor(messages->with);
        if (messages->with != NOTHING && fd < 0)
            _exit(99);
        if (messages->type == SYNC_IDMAP && fd >= 0)
            sync_send_mount(channel, 7, fd);
        else if (fd >= 0)
            sync_send_fd(channel, messages->type, fd);
        else
            sync_send(channel, messages->type);
    }
    while (!end)
        pause();
    _exit(0);
}

static int supervise(bool terminal, const struct message *messages, bool end)
{
    struct config config = {0};
    struct container container;
    struct process child = NO_PROCESS;
    int ends[2];
    config.process.terminal = terminal;
    container_init(&container, &config);
    container.driver = wanted.driver;
    container.driver_context = wanted.driver_context;
    container.wait_for_hooks = wanted.wait_for_hooks;
    container.start_fifo = wanted.start_fifo ? open("/dev/null", O_PATH | O_CLOEXEC) : -1;
    container.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    container.new_pid = true;
    container.pid_file = pid_file;
    assert_int_equal(sync_open(ends), 0);
    pid_t pid = process_clone(0, -1, &child);
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        play_container(ends[1], messages, end);
    }
    close(ends[1]);
    int result = supervise_container(&container, &child, &ends[0]);
    container_free(&container);
    return result;
}

/* It is refused in these words; neither the container nor a file nor a descriptor is left. */
static void check_refused(bool terminal, const struct message *messages, const char *words)
{
    int before = count_open();
    assert_int_equal(supervise(terminal, messages, false), -EPROTO);
    assert_string_equal(error_get()->text, words);
    assert_string_equal(error_get()->step, "supervise");
    assert_int_equal(waitpid(-1, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(access(pid_file, F_OK), -1);
    assert_int_equal(count_open(), before);
    error_clear();
}

static const char out_of_order[] = "message out of order from the container";

/* Not a terminal of whoever runs this, which would be put in raw mode. */
static bool replace_input(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO && close(null) == 0;
}
