/* How a process speaks to its user: the error line, warnings, and the log of --log.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"

#define LINE_SIZE 1536

static char speaker_name[32];
static int log_fd = -1;
static bool log_json;
static bool debugging;

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

int report_descriptor(void)
{
    return log_fd;
}

int report_start(const char *speaker, const struct globals *globals)
{
    snprintf(speaker_name, sizeof(speaker_name), "%s", speaker ? speaker : "");
    if (!globals)
        return 0;
    debugging = globals->debug;
    if (globals->log_format && strcmp(globals->log_format, "text") != 0) {
        if (strcmp(globals->log_format, "json") != 0)
            return fail_usage("unknown log format '%s': text or json", globals->log_format);
        log_json = true;
    }
    if (globals->log && globals->log[0] && log_fd < 0) {
        int fd = open(globals->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
            return fail(errno, "cannot open the log %s", globals->log);
        log_fd = report_high_fd(fd);
    }
    return 0;
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

/* The time as RFC 3339 has it, in UTC. Not by gmtime_r(3) and strftime(3), which would bring 14 KiB
 * of time zones and locales with them. */
static void format_time(char *text, size_t size)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct timespec clock = {0};
    clock_gettime(CLOCK_REALTIME, &clock);
    unsigned long days = (unsigned long)clock.tv_sec / 86400;
    unsigned second = (unsigned)((unsigned long)clock.tv_sec % 86400);
    unsigned year = 1970, month = 0, leap = 0;
    for (;; year++) {
        leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (days < 365 + leap)
            break;
        days -= 365 + leap;
    }
    for (;; month++) {
        unsigned length = lengths[month] + (month == 1 ? leap : 0);
        if (days < length)
            break;
        days -= length;
    }
    snprintf(text, size, "%04u-%02u-%02luT%02u:%02u:%02uZ", year, month + 1, days + 1,
             second / 3600, second / 60 % 60, second % 60);
}

/* What a program that reads the log wants to know of a failure, without taking the message apart:
 * the errno as a number, the field as a JSON pointer, both only where there is one. */
static void append_details(struct text *line, const struct error *error)
{
    char field[sizeof(error->field) * 4];
    if (error->number)
        text_append_format(line, log_json ? "\"errno\":%d," : " errno=%d", error->number);
    if (!error->field[0])
        return;
    text_append(line, log_json ? "\"field\":" : " field=");
    text_printable(error->field, field, sizeof(field));
    text_append_json(line, field);
    text_append(line, log_json ? "," : "");
}

/* One record in the log, keys in the order that runc's library writes them in. error: NULL where
 * nothing failed. */
static void log_line(const char *level, const char *message, const struct error *error)
{
    if (log_fd < 0)
        return;
    char now[40];
    char step[sizeof(error->step) * 4] = "";
    format_time(now, sizeof(now));
    if (error)
        text_printable(error->step, step, sizeof(step));
    autotext struct text line = {0};
    if (log_json) {
        text_append(&line, "{");
        if (error)
            append_details(&line, error);
        text_append_format(&line, "\"level\":\"%s\",\"msg\":", level);
        text_append_json(&line, message);
        if (step[0]) {
            text_append(&line, ",\"step\":");
            text_append_json(&line, step);
        }
        text_append_format(&line, ",\"time\":\"%s\"}\n", now);
    } else {
        text_append_format(&line, "time=\"%s\" level=%s msg=", now, level);
        text_append_json(&line, message);
        if (error)
            append_details(&line, error);
        if (step[0]) {
            text_append(&line, " step=");
            text_append_json(&line, step);
        }
        text_append(&line, "\n");
    }
    if (line.failed)
        return;
    while (write(log_fd, line.data, line.length) < 0 && errno == EINTR)
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
    log_line("error", message, error);
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
    print_line(shown, line);
    log_line(level, line, NULL);
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
