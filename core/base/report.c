/* How a process speaks to its user: the error line and warnings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/text.h"
#include "core/base/trace.h"

#define LINE_SIZE 1536

static char speaker_name[32];
static bool debugging;

static int log_fd = -1;
static void (*log_record)(const char *, const char *, const struct error *);

int report_high_fd(int fd)
{
    /* Away from the numbers that --preserve-fds and shells hand over, and still inside the table of
     * 64 descriptors that every process has anyway. */
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 40);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

void report_log(int fd, void (*record)(const char *, const char *, const struct error *))
{
    log_fd = fd;
    log_record = record;
}

int report_descriptor(void)
{
    return log_fd;
}

void report_start(const char *speaker, const struct globals *globals)
{
    snprintf(speaker_name, sizeof(speaker_name), "%s", speaker ? speaker : "");
    if (globals)
        debugging = globals->debug;
}

/* One line on standard error by one write(2), so that lines of several processes do not mix. */
static void print_line(const char *level, const char *message)
{
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof(line), "shimbox%s%s: %s%s%s\n", speaker_name[0] ? " " : "",
                          speaker_name, level ? level : "", level ? ": " : "", message);
    if (length >= (int)sizeof(line)) {
        length = (int)sizeof(line);
        line[length - 1] = '\n';
    }
    /* There is nobody left to tell when this fails. */
    while (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0 && errno == EINTR)
        continue;
}

int report_error(int code)
{
    const struct error *error = error_get();
    if (error->kind == ERROR_NONE)
        return code;
    /* The step that failed stands before its error. */
    trace_flush();
    char message[LINE_SIZE - 64];
    char step[sizeof(error->step) * 4];
    error_format(error, message, sizeof(message));
    text_printable(error->step, step, sizeof(step));
    print_line(NULL, message);
    /* The step often says the same as the text, in other words; who debugs wants its exact name. */
    if (debugging && step[0]) {
        char line[sizeof(step) + 32];
        snprintf(line, sizeof(line), "failed in step '%s'", step);
        print_line("debug", line);
    }
    if (log_record)
        log_record("error", message, error);
    return code;
}

int report_failure(int own)
{
    switch (error_get()->kind) {
    case ERROR_NOT_FOUND:
        return report_error(EXIT_NOT_FOUND);
    case ERROR_CANNOT_EXEC:
        return report_error(EXIT_CANNOT_EXEC);
    default:
        return report_error(own);
    }
}

static void report_level(const char *level, const char *shown, const char *format,
                         va_list arguments)
{
    char message[LINE_SIZE / 2], line[LINE_SIZE - 64];
    if (vsnprintf(message, sizeof(message), format, arguments) < 0)
        return;
    text_printable(message, line, sizeof(line));
    /* Not on both: the standard error of an engine's command is the container's, and what is
     * written there becomes part of what the container says. runc does the same. */
    if (log_record)
        log_record(level, line, NULL);
    else
        print_line(shown, line);
}

void report_warning(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_level("warning", "warning", format, arguments);
    va_end(arguments);
}

void report_debug(const char *format, ...)
{
    va_list arguments;
    if (!debugging)
        return;
    va_start(arguments, format);
    report_level("debug", "debug", format, arguments);
    va_end(arguments);
}
