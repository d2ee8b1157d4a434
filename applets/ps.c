/* ps: the processes of a container.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"
#include "core/linux/process_status.h"
#include "core/oci/passwd.h"

struct ps_options {
    const char *format;
};

#define FIELD(name) ((uint16_t)offsetof(struct ps_options, name))

static const struct option options[] = {
    {'f', OPTION_TEXT, FIELD(format),
     OPTION_WORDS("format", "table|json", "Form of the answer: pids alone in JSON (table)")},
};

/* Of the machine, for the times. */
struct clock {
    uint64_t ticks; /* a second */
    time_t boot;
    time_t now;
};

static void read_clock(struct clock *clock)
{
    struct timespec since;
    clock_gettime(CLOCK_BOOTTIME, &since);
    clock->ticks = (uint64_t)sysconf(_SC_CLK_TCK);
    clock->now = time(NULL);
    clock->boot = clock->now - since.tv_sec;
}

static void append_user(struct text *text, uid_t uid)
{
    struct passwd_user user = {0};
    struct passwd_notes notes = {0};
    autoclose int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file >= 0 && passwd_find(file, "/etc/passwd", NULL, uid, &user, &notes) < 0)
        error_clear();
    /* As ps(1): a name that is too long for its column is no help. */
    if (user.found && strlen(user.name) <= 8)
        text_append_format(text, "%-8s", user.name);
    else
        text_append_format(text, "%-8u", uid);
}

/* The time of today, else the day. */
static void append_start(struct text *text, const struct clock *clock, time_t start)
{
    struct tm then;
    struct tm today;
    char word[16];
    localtime_r(&start, &then);
    localtime_r(&clock->now, &today);
    bool same = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
    strftime(word, sizeof(word),
             same                            ? "%H:%M"
             : then.tm_year == today.tm_year ? "%b%d"
                                             : "%Y",
             &then);
    text_append_format(text, " %5s", word);
}

static void append_command(struct text *text, int proc, pid_t pid, const char *name)
{
    autotext struct text arguments = {0};
    char path[32];
    char shown[4096];
    snprintf(path, sizeof(path), "%d/cmdline", (int)pid);
    if (read_file(proc, path, 1 << 20, &arguments) < 0)
        error_clear();
    for (size_t i = 0; i + 1 < arguments.length; i++) {
        if (!arguments.data[i])
            arguments.data[i] = ' ';
    }
    text_printable(arguments.length ? arguments.data : name, shown, sizeof(shown));
    text_append_format(text, arguments.length ? " %s\n" : " [%s]\n", shown);
}

/* One line as `ps -ef` has it. A process that has ended meanwhile has none. */
static int append_line(struct text *text, const struct clock *clock, int proc, pid_t pid)
{
    struct process_stat stat;
    struct stat owner;
    char path[24];
    char terminal[32] = "?";
    snprintf(path, sizeof(path), "%d", (int)pid);
    int result = process_stat_read(proc, (int)pid, &stat);
    if (result == -ESRCH && !error_is_set())
        return 0;
    if (result < 0)
        return result;
    if (fstatat(proc, path, &owner, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (stat.terminal)
        terminal_path(stat.terminal, terminal, sizeof(terminal));
    time_t start = clock->boot + (time_t)(stat.start / clock->ticks);
    uint64_t used = stat.ticks / clock->ticks;
    uint64_t lived = clock->now > start ? (uint64_t)(clock->now - start) : 0;
    uint64_t share = lived ? used * 100 / lived : 0;
    append_user(text, owner.st_uid);
    text_append_format(text, " %7d %7d %2llu", (int)pid, stat.parent,
                       (unsigned long long)(share < 99 ? share : 99));
    append_start(text, clock, start);
    text_append_format(text, " %-8s %02llu:%02llu:%02llu",
                       starts_with(terminal, "/dev/") ? terminal + 5 : terminal,
                       (unsigned long long)(used / 3600), (unsigned long long)(used / 60 % 60),
                       (unsigned long long)(used % 60));
    append_command(text, proc, pid, stat.name);
    return 0;
}

static int compose_table(struct text *text, int proc, const pid_t *pids, size_t count)
{
    struct clock clock;
    int result = 0;
    read_clock(&clock);
    text_append(text, "UID          PID    PPID  C STIME TTY          TIME CMD\n");
    for (size_t i = 0; result == 0 && i < count; i++)
        result = append_line(text, &clock, proc, pids[i]);
    return result;
}

static void compose_json(struct text *text, const pid_t *pids, size_t count)
{
    text_append(text, count ? "[" : "null");
    for (size_t i = 0; i < count; i++)
        text_append_format(text, "%s%d", i ? "," : "", (int)pids[i]);
    text_append(text, count ? "]\n" : "\n");
}

static int list(const struct call *call)
{
    const struct ps_options *values = call->values;
    const char *format = values->format ? values->format : "table";
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    autofree pid_t *pids = NULL;
    autotext struct text text = {0};
    size_t count;
    bool json = strcmp(format, "json") == 0;
    if (call->argc < 1)
        return fail_usage("no container ID is given");
    if (call->argc > 1)
        return fail_usage("'%s': options of ps are not supported", call->argv[1]);
    if (!json && strcmp(format, "table") != 0)
        return fail_usage("option --format: unknown word '%s': table or json", format);
    int result = lifecycle_open(&lifecycle, call->globals->root, call->argv[0]);
    if (result == 0)
        result = lifecycle_pids(&lifecycle, &pids, &count);
    if (result < 0)
        return result;
    if (json)
        compose_json(&text, pids, count);
    else
        result = compose_table(&text, lifecycle.proc, pids, count);
    if (result == 0 && text.failed)
        result = fail(ENOMEM, "cannot compose the answer");
    return result < 0 ? result
                      : write_all(STDOUT_FILENO, "standard output", text.data, text.length);
}

static int run(const struct call *call)
{
    return list(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "ps",
    .texts = APPLET_TEXTS(
        "list the processes of a container", "[options] ID",
        "Lists the processes of a container as `ps -ef` would, from /proc, with the pids of the "
        "caller's pid namespace; no ps is needed. Where the container has no pid namespace of its "
        "own, they are its first process and what descends from that.\n",
        "# a table\n"
        "shimbox ps web\n"
        "\n"
        "# the pids\n"
        "shimbox ps --format json web\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct ps_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
