/* The log of --log.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/report.h"
#include "core/base/text.h"

static bool log_json;

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
static void write_record(const char *level, const char *message, const struct error *error)
{
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
    while (write(report_descriptor(), line.data, line.length) < 0 && errno == EINTR)
        continue;
}

int log_open(const struct globals *globals)
{
    if (globals->log_format && strcmp(globals->log_format, "text") != 0) {
        if (strcmp(globals->log_format, "json") != 0)
            return fail_usage("unknown log format '%s': text or json", globals->log_format);
        log_json = true;
    }
    if (globals->log && globals->log[0]) {
        int fd = open(globals->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
            return fail(errno, "cannot open the log %s", globals->log);
        report_log(report_high_fd(fd), write_record);
    }
    return 0;
}

int log_use(const struct globals *globals, int fd)
{
    if (globals->log && globals->log[0])
        return fail_usage("--log-fd: not together with --log");
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return fail(errno, "cannot use descriptor %d for the log", fd);
    log_json = true;
    report_log(report_high_fd(copy), write_record);
    return 0;
}
