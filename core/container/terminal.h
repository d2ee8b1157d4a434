/* The parent's side of a container's terminal: bytes between its master and our own streams.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Standard input -> master -> standard output, one small buffer each way: nothing is read before
 * there is room for it, and nothing here waits. Our own terminal, if standard input is one, is in
 * raw mode meanwhile, so that keys such as ^C mean something in the container only; newlines are
 * left to it (ONLCR), as runc has it. All signals must be blocked.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct relay_buffer {
    size_t start;
    size_t end;
    char bytes[4096]; /* PIPE_BUF: what a pipe that is ready to be written to takes without delay */
};

struct relay {
    bool started; /* relay_begin() has been called: our terminal is none of the container's */
    int master;   /* nonblocking; -1: there is none (yet, or any more) */
    int output;   /* our own copy of standard output; -1: standard output itself */
    int caller;   /* which of 0, 1, 2 is a terminal, for its size; -1: none */
    bool output_socket;
    bool input_terminal;
    bool input_open;
    bool raw;        /* our terminal is in raw mode, original is to come back */
    bool line_begun; /* what was typed so far does not end a line */
    bool unused;     /* nobody has the slave open at the moment */
    bool ended;      /* the program has: only what it wrote is still to be read */
    bool drained;    /* and that is done */
    size_t late;     /* bytes that were read since */
    struct termios original;
    struct relay_buffer to_program;
    struct relay_buffer to_caller;
};

#define RELAY_EVENTS 3

/* No terminal. The buffers are not touched. */
void relay_init(struct relay *relay);

/* Give our terminal its modes back and close everything. */
void relay_free(struct relay *relay);

/* Begin with the master (taken over) of the container: give it our
 * terminal's size, and put that in raw mode. proc: descriptor of /proc. Returns 0 or a negative
 * errno (recorded). */
int relay_begin(struct relay *relay, int *master, int proc);

static inline bool relay_is_on(const struct relay *relay)
{
    return relay->master >= 0;
}

/* What to wait for, and how long at most (milliseconds, -1: no limit), as for poll(2). */
int relay_wait(const struct relay *relay, struct pollfd events[RELAY_EVENTS]);

/* Move what can be moved. Returns 0 or a negative errno (recorded). */
int relay_serve(struct relay *relay, const struct pollfd events[RELAY_EVENTS]);

/* The program has ended: relay what it wrote, then switch off. */
int relay_end(struct relay *relay);

/* Our terminal has another size now. */
void relay_resize(const struct relay *relay);

/* Stop this process by that signal, with the modes that our terminal had; and after that. */
void relay_suspend(struct relay *relay, int number);
int relay_resume(struct relay *relay);
