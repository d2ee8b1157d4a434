/* How a process speaks to its user: the error line, and warnings.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct error;
struct globals;

/* Remember who speaks ("run") and, unless globals is NULL, whether --debug was given. */
void report_start(const char *speaker, const struct globals *globals);

/* Print the recorded error on standard error, "shimbox run: text: errno (hint)", and write it to
 * the log (log.h). Without a recorded error it does nothing. Returns code, so that an applet can
 * end with it. */
int report_error(int code);

/* The same for commands that run a program: EXIT_NOT_FOUND or EXIT_CANNOT_EXEC when the record says
 * that the program could not be executed, own otherwise. */
int report_failure(int own);

/* "shimbox run: warning: …", one line; with a log a record of level "warning" there instead. */
void report_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with "debug", and only with --debug. */
void report_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Move a descriptor of our own away from low numbers, which belong to what is handed over to
 * programs
 * (--preserve-fds). Close-on-exec. Returns the new one, or fd itself where there is no room. */
int report_high_fd(int fd);

/* For log.h: from now on give errors to record(), too, and all else to it alone, with the level
 * ("error", "warning", "debug"), the text, and the error record, NULL where nothing failed. */
void report_log(int fd,
                void (*record)(const char *level, const char *text, const struct error *error));

/* The descriptor of the log, -1 without one: for who closes all descriptors. */
int report_descriptor(void);
