/* A stream of calls: who reads it and hands it out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/function_service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/lines.h"
#include "core/base/moment.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/process.h"
#include "core/linux/signals.h"
#include "core/oci/function_request.h"
#include "core/oci/json.h"

enum activity {
    IDLE,
    CALLS,  /* has a request */
    ASKS,   /* its answer is ready */
    WRITES, /* may write it */
};

struct worker {
    struct process process; /* none: not begun */
    int socket;
    enum activity activity;
    bool lost;                     /* has ended, while another one wrote */
    uint64_t since;                /* it has been idle: a number that grows */
    struct function_header header; /* of the present request, */
    char *line;                    /* and that itself, in case it gets lost; owned */
};

struct service {
    const struct function_service *given;
    struct worker *workers;
    unsigned count;              /* of them */
    uint64_t answers;            /* so far */
    const struct worker *writer; /* the last one that might write; NULL: nobody has */
    struct pollfd *events;       /* standard input, signals, workers */
    int signals;
    sigset_t mask;      /* the caller's */
    struct lines lines; /* of standard input */
};

/* ---- workers ---- */

/* Out of the terminal's reach: what is typed to end this process is not for the functions that it
 * has begun. */
static _Noreturn void begin_worker(struct service *service, struct worker *worker, int socket,
                                   pid_t parent)
{
    trace_child("worker");
    for (unsigned i = 0; i < service->count; i++)
        close_fd(&service->workers[i].socket);
    close_fd(&service->signals);
    worker->process = NO_PROCESS;
    sigprocmask(SIG_SETMASK, &service->mask, NULL);
    setpgid(0, 0);
    if (process_follow_parent(SIGKILL, parent) < 0)
        _exit(EXIT_OWN_FAILURE);
    function_work(service->given, socket);
}

static int start_worker(struct service *service, struct worker *worker)
{
    int ends[2];
    pid_t parent = getpid();
    step("begin a worker");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return fail(errno, "cannot make a socket");
    autoclose int ours = ends[0];
    autoclose int theirs = ends[1];
    pid_t pid = process_clone(0, -1, &worker->process);
    if (pid == 0) {
        close_fd(&ours);
        begin_worker(service, worker, take_fd(&theirs), parent);
    }
    if (pid < 0)
        return pid;
    worker->socket = take_fd(&ours);
    worker->activity = IDLE;
    return 0;
}

/* The one that may write at present. */
static const struct worker *find_writer(const struct service *service)
{
    for (unsigned i = 0; i < service->count; i++) {
        const struct worker *worker = &service->workers[i];
        if (worker->process.pid && worker->activity == WRITES)
            return worker;
    }
    return NULL;
}

static unsigned count_busy(const struct service *service)
{
    unsigned busy = 0;
    for (unsigned i = 0; i < service->count; i++)
        busy += service->workers[i].process.pid && service->workers[i].activity != IDLE;
    return busy;
}

/* One that is not begun. */
static struct worker *find_unused(const struct service *service)
{
    for (unsigned i = 0; i < service->count; i++)
        if (!service->workers[i].process.pid)
            return &service->workers[i];
    return NULL;
}

/* Who has waited the longest is the readiest. */
static struct worker *find_idle(const struct service *service)
{
    struct worker *found = NULL;
    for (unsigned i = 0; i < service->count; i++) {
        struct worker *worker = &service->workers[i];
        if (worker->process.pid && worker->activity == IDLE &&
            (!found || worker->since < found->since))
            found = worker;
    }
    return found;
}

/* One that waits, or that can be begun; NULL: there are enough calls. */
static struct worker *find_free(const struct service *service)
{
    if (count_busy(service) >= service->given->jobs)
        return NULL;
    struct worker *idle = find_idle(service);
    return idle ? idle : find_unused(service);
}

static int give(struct service *service, struct worker *worker, const struct line *line)
{
    int result = worker->process.pid ? 0 : start_worker(service, worker);
    if (result < 0)
        return result;
    worker->header =
        (struct function_header){.line = service->lines.count,
                                 .begun = moment_now(),
                                 .length = (uint32_t)line->length,
                                 .cut = line->cut,
                                 .granted = service->given->jobs == 1,
                                 .last = service->lines.ended && !lines_are_left(&service->lines)};
    worker->line = strndup(line->bytes, line->cut ? 0 : line->length);
    if (!worker->line)
        return fail(ENOMEM, "cannot keep a request");
    worker->activity = CALLS;
    /* If it is gone, its socket will say so. */
    result = write_all(worker->socket, "a request", &worker->header, sizeof(worker->header));
    if (result == 0)
        result = write_all(worker->socket, "a request", line->bytes, line->length);
    if (result == -EPIPE) {
        error_clear();
        result = 0;
    }
    return result;
}

/* In turn, so that none waits for ever behind others that are quicker. */
static struct worker *find_asking(const struct service *service)
{
    unsigned first = service->writer ? (unsigned)(service->writer - service->workers) + 1 : 0;
    for (unsigned i = 0; i < service->count; i++) {
        struct worker *worker = &service->workers[(first + i) % service->count];
        if (worker->process.pid && worker->activity == ASKS)
            return worker;
    }
    return NULL;
}

/* Let the next one write, if nobody does. */
static int let_write(struct service *service)
{
    const char go = WORKER_GO;
    struct worker *worker = find_asking(service);
    if (!worker || find_writer(service))
        return 0;
    service->writer = worker;
    worker->activity = WRITES;
    if (write(worker->socket, &go, 1) == 1 || errno == EPIPE)
        return 0;
    return fail(errno, "cannot speak to a worker");
}

/* ---- a worker that has ended ---- */

static int answer_for(const struct worker *worker, int status)
{
    autorequest struct function_request request = NO_REQUEST;
    autotext struct text text = {0};
    char how[48];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "was ended by %s", signal_name(WTERMSIG(status)));
    else
        snprintf(how, sizeof(how), "ended with %d", WEXITSTATUS(status));
    request_parse(&request, "", worker->line, strlen(worker->line));
    error_clear();
    text_append_format(&text,
                       "%s{\"id\":%s,\"line\":%llu,\"exit\":%d,\"end\":\"failed\",\"error\":",
                       worker->activity == WRITES ? "\n" : "", request.id ? request.id : "null",
                       (unsigned long long)worker->header.line, EXIT_OWN_FAILURE);
    char line[80];
    snprintf(line, sizeof(line), "its worker %s", how);
    text_append_json(&text, line);
    text_append(&text, "}\n");
    return text.failed
               ? fail(ENOMEM, "cannot compose the answer")
               : write_all_in_time(STDOUT_FILENO, "standard output", text.data, text.length);
}

/* While another one writes there is no room for an answer: then it stays until that has ended.
 * Returns 1 if it was dealt with, 0, or a negative errno (recorded). */
static int bury(struct service *service, struct worker *worker)
{
    int status = 0;
    const struct worker *writer = find_writer(service);
    worker->lost = writer && writer != worker;
    if (worker->lost)
        return 0;
    close_fd(&worker->socket);
    waitpid(worker->process.pid, &status, 0);
    close_fd(&worker->process.pidfd);
    worker->process = NO_PROCESS;
    int result = worker->activity == IDLE ? 0 : answer_for(worker, status);
    free_pointer(&worker->line);
    worker->activity = IDLE;
    service->given->lost(service->given->context);
    return result < 0 ? result : 1;
}

static int hear(struct service *service, struct worker *worker)
{
    char byte;
    ssize_t count = read(worker->socket, &byte, 1);
    if (count < 0 && errno == EINTR)
        return 0;
    if (count <= 0)
        return bury(service, worker);
    if (byte == WORKER_ASKS && worker->activity == CALLS) {
        worker->activity = worker->header.granted ? WRITES : ASKS;
        return 0;
    }
    free_pointer(&worker->line);
    worker->activity = IDLE;
    worker->since = ++service->answers;
    return byte == WORKER_DONE
               ? 0
               : fail_state(EPIPE, "an answer could not be written to standard output");
}

/* ---- requests ---- */

static int hand_out(struct service *service)
{
    struct line line;
    struct worker *worker;
    while ((worker = find_free(service)) && lines_take(&service->lines, &line)) {
        int result = give(service, worker, &line);
        if (result < 0)
            return result;
    }
    /* The one more, as soon as it is sure to be needed. */
    worker = lines_are_left(&service->lines) && !find_idle(service) ? find_unused(service) : NULL;
    return worker ? start_worker(service, worker) : 0;
}

/* ---- the loop ---- */

/* A first one asks to take no more, a second one to end. */
static int hear_signal(struct service *service)
{
    struct signalfd_siginfo signal;
    if (read(service->signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return 0;
    if (service->lines.ended)
        return fail_state(EINTR, "ended by %s before all was answered",
                          signal_name((int)signal.ssi_signo));
    lines_end(&service->lines);
    return 0;
}

static int wait_for_events(struct service *service)
{
    struct pollfd *events = service->events;
    /* Also when all are busy: whether there is one more call. */
    bool reads = !service->lines.ended && (find_free(service) || !lines_are_left(&service->lines));
    events[0] = (struct pollfd){.fd = reads ? STDIN_FILENO : -1, .events = POLLIN};
    events[1] = (struct pollfd){.fd = service->signals, .events = POLLIN};
    /* While one writes there is nothing to be done about others that have ended. */
    const struct worker *writer = find_writer(service);
    for (unsigned i = 0; i < service->count; i++) {
        const struct worker *worker = &service->workers[i];
        bool waits = worker->lost && writer && writer != worker;
        events[2 + i] = (struct pollfd){.fd = waits ? -1 : worker->socket, .events = POLLIN};
    }
    if (poll(events, 2 + service->count, -1) < 0)
        return errno == EINTR ? 0 : fail(errno, "cannot wait for requests");
    int result = events[1].revents ? hear_signal(service) : 0;
    for (unsigned i = 0; result >= 0 && i < service->count; i++) {
        if (events[2 + i].revents)
            result = hear(service, &service->workers[i]);
    }
    if (result >= 0)
        result = let_write(service);
    if (result >= 0 && events[0].revents && !service->lines.ended)
        result = lines_read(&service->lines, STDIN_FILENO, "standard input");
    return result < 0 ? result : 0;
}

static int serve(struct service *service)
{
    int result = 0;
    while (result == 0) {
        result = hand_out(service);
        if (result == 0 && service->lines.ended && count_busy(service) == 0)
            break;
        if (result == 0)
            result = wait_for_events(service);
    }
    return result;
}

/* After a failure they are killed, and their containers end with them. */
static void end_workers(struct service *service, bool kill)
{
    for (unsigned i = 0; i < service->count; i++) {
        struct worker *worker = &service->workers[i];
        if (kill && worker->process.pid)
            process_end(&worker->process);
        close_fd(&worker->socket);
        free_pointer(&worker->line);
    }
    for (unsigned i = 0; i < service->count; i++) {
        struct process *process = &service->workers[i].process;
        if (process->pid)
            waitpid(process->pid, NULL, 0);
        close_fd(&process->pidfd);
    }
    if (kill)
        service->given->lost(service->given->context);
}

static int open_signals(struct service *service)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &service->mask);
    service->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return service->signals < 0 ? fail(errno, "cannot receive signals by descriptor") : 0;
}

int function_serve(const struct function_service *given)
{
    struct service service = {.given = given,
                              .count = given->jobs + 1,
                              .signals = -1,
                              .lines = {.limit = JSON_BYTES_MAX}};
    service.workers = calloc(service.count, sizeof(*service.workers));
    service.events = calloc(service.count + 2, sizeof(*service.events));
    int result = service.workers && service.events ? 0 : fail(ENOMEM, "cannot serve requests");
    for (unsigned i = 0; result == 0 && i < service.count; i++)
        service.workers[i] = (struct worker){.process = NO_PROCESS, .socket = -1};
    if (result == 0)
        result = open_signals(&service);
    if (result == 0)
        result = serve(&service);
    if (service.workers)
        end_workers(&service, result < 0);
    close_fd(&service.signals);
    free(service.workers);
    free(service.events);
    lines_end(&service.lines);
    return result;
}
