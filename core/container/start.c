/* "Created, not started": a container's process that waits at a fifo to be started.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/sync.h"
#include "core/linux/process.h"

#define STARTED  '0'
#define TEXT_MAX 512 /* of an error, with its newline: one write(2), so never in parts */

static void end_by_signal(int number)
{
    _exit(EXIT_SIGNAL + number);
}

/* To the first process of a pid namespace nothing comes but SIGKILL and what it handles; and who
 * kills a container that is not started means it. Who reads from the fifo may go away. */
static int prepare_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    const struct sigaction end = {.sa_handler = end_by_signal};
    int result = process_reset_signals();
    for (size_t i = 0; result == 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (process_catch(numbers[i], &end) < 0)
            result = fail(errno, "cannot handle signal %d", numbers[i]);
    }
    if (result == 0 && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        result = fail(errno, "cannot ignore SIGPIPE");
    return result;
}

/* Where the host's /proc has it, whatever it is called, and wherever that is. */
static void write_path(const struct container *container, char *path, size_t size)
{
    snprintf(path, size, "self/fd/%d", container->start_fifo);
}

/* Opened for writing: which takes until there is a reader. */
static int open_for_writing(const struct container *container)
{
    char path[32];
    int fd;
    write_path(container, path, sizeof(path));
    do
        fd = openat(container->proc, path, O_WRONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? fail(errno, "cannot open the start fifo") : fd;
}

/* Until a reader has come and has not gone away again. Returns the fifo or a negative errno. */
static int wait_for_reader(const struct container *container)
{
    for (;;) {
        autoclose int fifo = open_for_writing(container);
        if (fifo < 0)
            return fifo;
        const char byte = STARTED;
        ssize_t count;
        while ((count = write(fifo, &byte, 1)) < 0 && errno == EINTR)
            ;
        if (count == 1)
            return take_fd(&fifo);
        if (count == 0 || errno != EPIPE)
            return fail(count == 0 ? EIO : errno, "cannot write to the start fifo");
    }
}

int start_wait(struct container *container)
{
    struct stat status;
    step("wait to be started");
    if (fstat(container->start_fifo, &status) < 0 || !S_ISFIFO(status.st_mode))
        return fail(EINVAL, "the start fifo is no fifo");
    /* Later there is nobody to tell. */
    char path[32];
    write_path(container, path, sizeof(path));
    if (faccessat(container->proc, path, W_OK, AT_EACCESS) < 0) {
        int number = errno;
        int result = fail(number, "cannot open the start fifo");
        error_hint("the user of the program must be allowed to write to it: mode 0622");
        return result;
    }
    /* What is open here leads to the host, and other processes may join the container meanwhile:
     * they must not look into this one (CVE-2016-9962). The exec ends that. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail(errno, "cannot hide the process that waits to be started");
    int result = prepare_signals();
    if (result < 0)
        return result;
    /* In this order: when the parent hears of it, it may end. If it has ended before, there is
     * nobody to hear. */
    if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
        return fail(errno, "cannot leave the parent process");
    trace_flush();
    result = sync_send(container->channel, SYNC_CREATED);
    if (result < 0)
        return result;
    close_fd(&container->channel);
    container->started = true;
    autoclose int fifo = wait_for_reader(container);
    close_fd(&container->start_fifo);
    close_fd(&container->proc);
    if (fifo < 0)
        return fifo;
    container->start_fifo = take_fd(&fifo);
    return 0;
}

void start_send_error(const struct container *container)
{
    char line[TEXT_MAX];
    signal(SIGPIPE, SIG_IGN);
    size_t length = error_format(error_get(), line, sizeof(line));
    line[length++] = '\n';
    ssize_t written = write(container->start_fifo, line, length);
    (void)written; /* whoever was there has gone away, and knows nothing of it */
}

/* Returns 1 when there is something to read, or the end; 0 when the process has ended. */
static int wait_for_word(int fifo, int pidfd)
{
    struct pollfd events[2] = {{.fd = fifo, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    while (poll(events, 2, -1) < 0) {
        if (errno != EINTR)
            return fail(errno, "cannot wait for the container to start");
    }
    return events[0].revents != 0;
}

/* What the container said, as this process's error. */
static int fail_start(const char *text)
{
    struct error error = {.kind = ERROR_CANNOT_EXEC};
    snprintf(error.text, sizeof(error.text), "%.511s", text);
    return error_adopt(&error);
}

/* All that comes, as a string. Returns its length or a negative errno (recorded). */
static int read_answer(int fifo, int pidfd, char *text, size_t size)
{
    size_t length = 0;
    while (length < size - 1) {
        int result = wait_for_word(fifo, pidfd);
        if (result < 0)
            return result;
        ssize_t count = read(fifo, text + length, size - 1 - length);
        if (count < 0 && (errno == EINTR || (errno == EAGAIN && result)))
            continue;
        if (count < 0 && errno != EAGAIN)
            return fail(errno, "cannot read from the start fifo");
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    text[length] = '\0';
    return (int)length;
}

/* Not waiting to be opened: the process may have ended, or may end. Then poll(2) tells, and while
 * nobody has had the other side open yet, it tells no end. */
int start_container(int directory, const char *fifo, int pidfd)
{
    char text[1 + TEXT_MAX + 1];
    step("open the start fifo");
    autoclose int fd = openat(directory, fifo, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0)
        return fail(errno, "cannot open the start fifo");
    if (fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))
        return fail(EINVAL, "the start fifo is no fifo");
    step("wait for the program to run");
    int length = read_answer(fd, pidfd, text, sizeof(text));
    if (length < 0)
        return length;
    if (length == 0)
        return fail(EPIPE, "the container's process ended before it was started");
    if (text[0] == STARTED && length == 1)
        return 0;
    if (text[0] != STARTED || text[length - 1] != '\n')
        return fail(EPROTO, "unexpected answer from the start fifo");
    text[length - 1] = '\0';
    return fail_start(text + 1);
}
