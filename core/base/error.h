/* The one error record of a process.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A core function that fails calls one of the fail functions, which fill the record, and returns
 * their result. Whoever expected that failure clears the record and goes on; an applet that did not
 * prints it once (report.h). The first failure wins, so clean-up on the way out cannot hide the
 * cause. The record holds no pointers: a child sends it to its parent as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum error_kind {
    ERROR_NONE = 0,
    ERROR_USAGE,       /* the command line is wrong */
    ERROR_CONFIG,      /* an input file is wrong, or asks for what is not supported */
    ERROR_SYSTEM,      /* the kernel, or a helper program, said no */
    ERROR_NOT_FOUND,   /* the program to run does not exist */
    ERROR_CANNOT_EXEC, /* the program to run exists, but cannot be executed */
    ERROR_STATE,       /* the container is not in a state in which that can be done */
};

struct error {
    int32_t kind;    /* enum error_kind */
    int32_t number;  /* errno, or 0 where no system call was involved */
    char step[48];   /* the set-up step that was under way, "" outside of one */
    char field[160]; /* JSON pointer of the config field concerned, "" if none */
    char text[512];  /* verb and object: "cannot mount proc on /proc" */
    char hint[256];  /* what the user can do about it, "" if unknown */
};

/* Record a failure of a system call (ERROR_SYSTEM).
 * number: errno, positive. Returns -number, never 0 (0 counts as EIO). */
int fail(int number, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Record a mistake on the command line. Returns -EINVAL. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Record a mistake in an input document. field: JSON pointer, or NULL. Returns -EINVAL. */
int fail_config(const char *field, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Record that the program to run is missing or cannot be executed: the kind follows from number
 * (ENOENT, ENOTDIR: not found). Returns -number. */
int fail_exec(int number, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Record that a container is missing, or in a state in which that cannot be done, which no system
 * call said: number is for the caller alone, and not shown. Returns -number. */
int fail_state(int number, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Set the hint of the current record, unless it has one. */
void error_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Put "context: " before the text of the current record. */
void error_context(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Name the config field, and the set-up step, of the current record, unless it has one. */
void error_field(const char *pointer);
void error_step(const char *step);

/* The record of this process; kind is ERROR_NONE when nothing has failed. */
const struct error *error_get(void);
bool error_is_set(void);

/* Forget the failure: it was expected, or has been dealt with. */
void error_clear(void);

/* Put the record, if there is one, aside while something else is done that may fail, and forget
 * what that has recorded. */
struct error error_set_aside(void);
void error_put_back(const struct error *aside);

/* Take over a record that another process sent. Strings are made safe to print whatever it holds.
 * Does nothing when a failure is recorded already. Returns the negative errno of the record kept
 * (-EIO where it has none). */
int error_adopt(const struct error *foreign);

/* Write the record as one line without a newline: "text: errno text (hint)". Control characters are
 * written as \xNN. size includes the final NUL; a longer line is cut. Returns the length. */
size_t error_format(const struct error *error, char *line, size_t size);
