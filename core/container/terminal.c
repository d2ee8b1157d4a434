/* The parent's side of a container's terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/terminal.h"

/* How often to look whether anybody has opened the slave again: no event tells. */
#define UNUSED_MILLISECONDS 100

/* Bytes that the kernel may still hold of what an ended program wrote are fewer. Whoever has the
 * terminal open behind our back could write for ever. */
#define LATE_MAX (1U << 20)

void relay_init(struct relay *relay)
{
    relay->started = false;
    relay->master = -1;
    relay->output = -1;
    relay->caller = -1;
    relay->output_socket = false;
    relay->input_terminal = false;
    relay->input_open = false;
    relay->raw = false;
    relay->line_begun = false;
    relay->unused = false;
    relay->ended = false;
    relay->drained = false;
    relay->late = 0;
    relay->to_program.start = relay->to_program.end = 0;
    relay->to_caller.start = relay->to_caller.end = 0;
}

/* From the background, too: SIGTTOU is blocked. */
static void restore(struct relay *relay)
{
    if (relay->raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &relay->original);
    relay->raw = false;
}

/* Without its master a terminal is hung up: programs on it get SIGHUP, and errors. Our own keys are
 * signals to us again. */
static void hang_up(struct relay *relay)
{
    restore(relay);
    close_fd(&relay->master);
    relay->input_open = false;
}

void relay_free(struct relay *relay)
{
    hang_up(relay);
    close_fd(&relay->output);
}

static int begin_raw(struct relay *relay)
{
    if (!relay->input_terminal)
        return 0;
    int result = relay->raw || tcgetattr(STDIN_FILENO, &relay->original) == 0 ? 0 : -errno;
    if (result == 0)
        result = terminal_set_raw(STDIN_FILENO, &relay->original);
    relay->raw = relay->raw || result == 0;
    /* In the background for ever, or hung up: there is nothing to be read from it. */
    if (result == -EIO)
        relay->input_open = false;
    return result == 0 || result == -EIO ? 0 : fail(-result, "cannot set our terminal to raw mode");
}

int relay_begin(struct relay *relay, int *master, int proc)
{
    relay->master = take_fd(master);
    relay->started = true;
    for (int fd = 2; fd >= 0; fd--) {
        if (isatty(fd))
            relay->caller = fd;
    }
    struct stat status;
    relay->input_terminal = relay->caller == STDIN_FILENO;
    relay->input_open = true;
    relay->output_socket = fstat(STDOUT_FILENO, &status) == 0 && S_ISSOCK(status.st_mode);
    relay->output = terminal_reopen(proc, STDOUT_FILENO, O_WRONLY);
    relay_resize(relay);
    return begin_raw(relay);
}

/* A size of nothing says that it is not known; then the one that the config gave stays. */
void relay_resize(const struct relay *relay)
{
    struct winsize size;
    if (relay->master >= 0 && relay->caller >= 0 && ioctl(relay->caller, TIOCGWINSZ, &size) == 0 &&
        size.ws_row > 0 && size.ws_col > 0)
        ioctl(relay->master, TIOCSWINSZ, &size);
}

void relay_suspend(struct relay *relay, int number)
{
    sigset_t stop;
    sigset_t before;
    restore(relay);
    sigemptyset(&stop);
    sigaddset(&stop, number);
    kill(getpid(), number);
    sigprocmask(SIG_UNBLOCK, &stop, &before); /* here we stop */
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int relay_resume(struct relay *relay)
{
    relay_resize(relay);
    return relay->master >= 0 ? begin_raw(relay) : 0;
}

static bool is_empty(const struct relay_buffer *buffer)
{
    return buffer->start == buffer->end;
}

static bool wants_output(const struct relay *relay)
{
    return is_empty(&relay->to_caller) && !relay->unused && !relay->ended;
}

/* A descriptor that is waited for in vain would wake us at once and always when its other side is
 * gone: then it is left out. */
int relay_wait(const struct relay *relay, struct pollfd events[RELAY_EVENTS])
{
    bool typed = !is_empty(&relay->to_program);
    bool output = wants_output(relay);
    for (int i = 0; i < RELAY_EVENTS; i++)
        events[i] = (struct pollfd){.fd = -1};
    if (relay->master < 0)
        return -1;
    events[0].events = (short)((output ? POLLIN : 0) | (typed ? POLLOUT : 0));
    events[0].fd = events[0].events ? relay->master : -1;
    events[1].events = POLLIN;
    events[1].fd = relay->input_open && !typed ? STDIN_FILENO : -1;
    events[2].events = POLLOUT;
    events[2].fd = is_empty(&relay->to_caller) ? -1
                   : relay->output >= 0        ? relay->output
                                               : STDOUT_FILENO;
    return relay->unused && !relay->ended ? UNUSED_MILLISECONDS : -1;
}

/* The end of a file is typed, as on any terminal: ^D, and once more behind a line without end,
 * which the first one only sends off. */
static void type_end(struct relay *relay)
{
    struct termios settings;
    if (tcgetattr(relay->master, &settings) < 0 || settings.c_cc[VEOF] == _POSIX_VDISABLE)
        return;
    struct relay_buffer *buffer = &relay->to_program;
    buffer->start = 0;
    buffer->end = relay->line_begun && settings.c_lflag & ICANON ? 2 : 1;
    buffer->bytes[0] = buffer->bytes[1] = (char)settings.c_cc[VEOF];
}

static void read_input(struct relay *relay)
{
    struct relay_buffer *buffer = &relay->to_program;
    ssize_t length = read(STDIN_FILENO, buffer->bytes, sizeof(buffer->bytes));
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length > 0) {
        char last = buffer->bytes[length - 1];
        relay->line_begun = last != '\n' && last != '\r';
        buffer->start = 0;
        buffer->end = (size_t)length;
        return;
    }
    relay->input_open = false;
    if (!relay->input_terminal)
        type_end(relay);
    else if (length == 0) /* in raw mode there is no other end */
        hang_up(relay);
}

static void write_input(struct relay *relay)
{
    struct relay_buffer *buffer = &relay->to_program;
    ssize_t length =
        write(relay->master, buffer->bytes + buffer->start, buffer->end - buffer->start);
    if (length >= 0)
        buffer->start += (size_t)length;
    else if (errno != EAGAIN && errno != EINTR)
        buffer->start = buffer->end; /* nobody is there to read it */
}

static int read_output(struct relay *relay)
{
    struct relay_buffer *buffer = &relay->to_caller;
    ssize_t length = read(relay->master, buffer->bytes, sizeof(buffer->bytes));
    if (length > 0) {
        buffer->start = 0;
        buffer->end = (size_t)length;
        relay->late += relay->ended ? (size_t)length : 0;
        relay->drained = relay->late >= LATE_MAX;
        return 0;
    }
    if (length < 0 && errno != EAGAIN && errno != EINTR && errno != EIO)
        return fail(errno, "cannot read from the container's terminal");
    /* EIO: the slave is open nowhere. What was written is there to be read before that is told. */
    relay->unused = length == 0 || errno == EIO;
    relay->drained = relay->ended;
    return 0;
}

static int write_output(struct relay *relay)
{
    struct relay_buffer *buffer = &relay->to_caller;
    const char *bytes = buffer->bytes + buffer->start;
    size_t size = buffer->end - buffer->start;
    ssize_t length;
    if (relay->output_socket)
        length = send(STDOUT_FILENO, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        length = write(relay->output >= 0 ? relay->output : STDOUT_FILENO, bytes, size);
    if (length >= 0) {
        buffer->start += (size_t)length;
        return 0;
    }
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    /* Nobody reads any more; EIO: our terminal was hung up. The program is told by the same. */
    if (errno != EPIPE && errno != ECONNRESET && errno != EIO)
        return fail(errno, "cannot write to standard output");
    hang_up(relay);
    return 0;
}

/* Whatever happened to the descriptor, the call on it tells. */
static bool happened(const struct pollfd *event, short wanted)
{
    return event->fd >= 0 && event->revents & (wanted | POLLERR | POLLHUP | POLLNVAL);
}

int relay_serve(struct relay *relay, const struct pollfd events[RELAY_EVENTS])
{
    int result = 0;
    relay->unused = false;
    if (happened(&events[2], POLLOUT))
        result = write_output(relay);
    if (relay->master >= 0 && !is_empty(&relay->to_program) && happened(&events[0], POLLOUT))
        write_input(relay);
    if (result == 0 && relay->master >= 0 && wants_output(relay) && happened(&events[0], POLLIN))
        result = read_output(relay);
    if (result == 0 && relay->master >= 0 && happened(&events[1], POLLIN))
        read_input(relay);
    return result;
}

int relay_end(struct relay *relay)
{
    relay->ended = true;
    relay->input_open = false;
    relay->to_program.start = relay->to_program.end;
    int result = 0;
    if (relay->master >= 0 && is_empty(&relay->to_caller) && !relay->drained)
        result = read_output(relay);
    if (relay->drained && is_empty(&relay->to_caller))
        hang_up(relay);
    return result;
}
