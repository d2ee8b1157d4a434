/* Executing hooks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/moment.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/record.h"
#include "core/linux/descriptors.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"

/* One that is being executed. */
struct execution {
    const struct hook *hook;
    struct process process;
    int input;      /* the state */
    int output;     /* of both of its streams */
    char said[256]; /* the beginning of it */
    size_t length;
    int64_t until; /* milliseconds of the monotonic clock, INT64_MAX: no limit */
};

/* In the child: a group of its own, so that it can be killed with what it has started; and it does
 * not outlive us, who would tell of its failure. */
static _Noreturn void execute(const struct execution *execution, int output)
{
    const struct hook *hook = execution->hook;
    const char *const argv[] = {hook->path, NULL};
    trace_child("hook");
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (dup2(execution->input, 0) == 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2 &&
        descriptors_close(3, NULL, 0) == 0 && process_reset_signals() == 0) {
        execve(hook->path, (char **)(uintptr_t)(hook->args[0] ? hook->args : argv),
               (char **)(uintptr_t)hook->env);
        fail(errno, "cannot execute it");
    }
    char line[256];
    size_t length = error_format(error_get(), line, sizeof(line));
    write_all(2, "standard error", line, length);
    _exit(127);
}

/* The state is in memory, not in a pipe: a hook need not read it. */
static int begin(struct execution *execution, const struct text *state)
{
    int ends[2] = {-1, -1};
    execution->input = memfd_create("state", MFD_CLOEXEC);
    if (execution->input < 0)
        return fail(errno, "cannot hand over the state");
    int result = write_all(execution->input, "the state", state->data, state->length);
    if (result == 0 && lseek(execution->input, 0, SEEK_SET) < 0)
        result = fail(errno, "cannot hand over the state");
    if (result == 0 && pipe2(ends, O_CLOEXEC) < 0)
        result = fail(errno, "cannot make a pipe");
    if (result < 0)
        return result;
    execution->output = ends[0];
    autoclose int output = ends[1];
    pid_t pid = process_clone(0, -1, &execution->process);
    if (pid == 0)
        execute(execution, output);
    /* As in the child, for whichever is first. */
    if (pid > 0)
        setpgid(pid, pid);
    return pid < 0 ? pid : 0;
}

/* Take what it writes, and keep the beginning. Returns whether there may be more. */
static bool take_output(struct execution *execution)
{
    char buffer[4096];
    ssize_t count = read(execution->output, buffer, sizeof(buffer));
    if (count <= 0) {
        if (count == 0 || (errno != EINTR && errno != EAGAIN))
            close_fd(&execution->output);
        return false;
    }
    size_t room = sizeof(execution->said) - 1 - execution->length;
    size_t kept = (size_t)count < room ? (size_t)count : room;
    memcpy(execution->said + execution->length, buffer, kept);
    execution->length += kept;
    execution->said[execution->length] = '\0';
    return true;
}

/* Signals that ask us to end come here only where they are blocked; then they stay pending for
 * whoever handles them. */
static int open_signals(void)
{
    sigset_t blocked;
    sigset_t ending;
    sigemptyset(&ending);
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (sigismember(&blocked, numbers[i]))
            sigaddset(&ending, numbers[i]);
    }
    int fd = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? fail(errno, "cannot receive signals by descriptor") : fd;
}

/* Until it has ended. What it has started may keep the pipe open: that is not waited for. */
static int wait_for_end(struct execution *execution)
{
    autoclose int signals = open_signals();
    if (signals < 0)
        return signals;
    for (;;) {
        struct pollfd events[] = {
            {.fd = execution->process.pidfd, .events = POLLIN},
            {.fd = signals, .events = POLLIN},
            {.fd = execution->output, .events = POLLIN},
        };
        int64_t left = execution->until - moment_now() / 1000;
        int timeout = left > INT_MAX ? INT_MAX : left < 0 ? 0 : (int)left;
        int count = poll(events, 3, execution->until == INT64_MAX ? -1 : timeout);
        if (count < 0 && errno != EINTR)
            return fail(errno, "cannot wait for it");
        if (count > 0 && events[0].revents)
            return 0;
        if (count > 0 && events[1].revents)
            return fail(EINTR, "ended by a signal");
        if (count > 0)
            take_output(execution);
        if (execution->until <= moment_now() / 1000)
            return fail(ETIMEDOUT, "killed after %u s", execution->hook->timeout);
    }
}

/* What it said, for the end of a message: one line. */
static void add_output(struct execution *execution)
{
    for (size_t i = 0; i < execution->length; i++) {
        if (execution->said[i] == '\n')
            execution->said[i] = i + 1 < execution->length ? ' ' : '\0';
    }
}

static int judge(struct execution *execution)
{
    int status;
    while (waitpid(execution->process.pid, &status, 0) < 0) {
        if (errno != EINTR)
            return fail(errno, "cannot wait for it");
    }
    execution->process.pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    fcntl(execution->output, F_SETFL, O_NONBLOCK);
    while (execution->output >= 0 && execution->length < sizeof(execution->said) - 1 &&
           take_output(execution))
        continue;
    add_output(execution);
    const char *colon = execution->said[0] ? ": " : "";
    return WIFSIGNALED(status)
               ? fail_config(NULL, "ended by signal %d%s%s", WTERMSIG(status), colon,
                             execution->said)
               : fail_config(NULL, "exit code %d%s%s", WEXITSTATUS(status), colon, execution->said);
}

static int run_hook(const struct hook *hook, const struct text *state)
{
    struct execution execution = {
        .hook = hook, .process = NO_PROCESS, .input = -1, .output = -1, .until = INT64_MAX};
    if (hook->timeout)
        execution.until = moment_now() / 1000 + (int64_t)hook->timeout * 1000;
    int result = begin(&execution, state);
    if (result == 0)
        result = wait_for_end(&execution);
    if (result == 0)
        result = judge(&execution);
    else if (execution.process.pid > 0)
        kill(-execution.process.pid, SIGKILL);
    process_end(&execution.process);
    close_fd(&execution.input);
    close_fd(&execution.output);
    if (result < 0)
        error_context("hook %s", hook->path);
    return result;
}

static int tell_state(struct text *text, const struct record *record, const char *status, pid_t pid)
{
    record_tell(record, status, pid, "", false, text);
    return text->failed ? fail(ENOMEM, "cannot compose the state") : 0;
}

/* The hooks from number *next on, up to the first that fails. */
static int run_from(const struct hooks *hooks, enum hook_type type, const struct text *state,
                    size_t *next)
{
    while (*next < hooks->count) {
        size_t i = (*next)++;
        char field[48];
        snprintf(field, sizeof(field), "/hooks/%s/%zu", hook_name(type), i);
        step("execute hook %s", hooks->items[i].path);
        trace_field("%s", field);
        int result = run_hook(&hooks->items[i], state);
        if (result < 0) {
            error_context("%s", field);
            error_field(field);
            return result;
        }
    }
    return 0;
}

int hooks_run(const struct hooks *hooks, enum hook_type type, const struct record *record,
              const char *status, pid_t pid)
{
    autotext struct text state = {0};
    size_t next = 0;
    if (hooks->count == 0)
        return 0;
    step("execute hooks");
    int result = tell_state(&state, record, status, pid);
    return result < 0 ? result : run_from(hooks, type, &state, &next);
}

void hooks_run_all(const struct hooks *hooks, enum hook_type type, const struct record *record,
                   const char *status, pid_t pid)
{
    autotext struct text state = {0};
    size_t next = 0;
    if (hooks->count == 0)
        return;
    step("execute hooks");
    int result = tell_state(&state, record, status, pid);
    while (result < 0 || next < hooks->count) {
        if (result == 0)
            result = run_from(hooks, type, &state, &next);
        if (result < 0) {
            char line[1024];
            error_format(error_get(), line, sizeof(line));
            report_warning("%s", line);
            error_clear();
            result = 0;
        }
        if (!state.data)
            return;
    }
}
