/* events: what happens to a container, and what it uses, as time goes by.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/lifecycle.h"
#include "core/container/stats.h"

struct events_options {
    bool stats;
    const char *interval;
};

#define FIELD(name) ((uint16_t)offsetof(struct events_options, name))

static const struct option options[] = {
    {0, OPTION_FLAG, FIELD(stats), OPTION_WORDS("stats", "", "Tell once what it uses, and end")},
    {0, OPTION_TEXT, FIELD(interval),
     OPTION_WORDS("interval", "DURATION", "Time between two: 500ms, 1m30s (5s)")},
};

static int tell(const struct watch *watch, const char *id, bool stats)
{
    autotext struct text line = {0};
    int result = stats_line(watch, stats ? "stats" : "oom", id, stats, &line);
    return result < 0 ? result
                      : write_all(STDOUT_FILENO, "standard output", line.data, line.length);
}

/* Until it ends. A cgroup that is gone means the same, which its process will tell in a moment. */
static int follow(struct watch *watch, const char *id, int64_t interval)
{
    int64_t next = watch_now() + interval;
    int result;
    step("wait for events");
    while ((result = watch_wait(watch, next)) == WATCHED_TIME || result == WATCHED_OOM) {
        int told = tell(watch, id, result == WATCHED_TIME);
        if (told < 0 && (told != -ENODEV || error_is_set()))
            return told;
        if (result == WATCHED_TIME)
            next = watch_now() + interval;
    }
    return result < 0 ? result : 0;
}

static int watch_container(const struct call *call)
{
    const struct events_options *values = call->values;
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    autowatch struct watch watch = NO_WATCH;
    int64_t interval = 5000;
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    const char *id = call->argv[0];
    int result = values->interval ? option_duration("interval", values->interval, 1, &interval) : 0;
    if (result == 0)
        result = lifecycle_open(&lifecycle, call->globals->root, id);
    if (result == 0)
        result = watch_open(&watch, &lifecycle);
    if (result < 0)
        return result;
    watch_warn(&watch, &lifecycle, !values->stats);
    if (!values->stats)
        return follow(&watch, id, interval);
    result = tell(&watch, id, true);
    return result == -ENODEV && !error_is_set()
               ? fail_state(ESRCH, "container with id %s is not running", id)
               : result;
}

static int run(const struct call *call)
{
    return watch_container(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "events",
    .texts = APPLET_TEXTS(
        "tell what happens to a container, and what it uses", "[options] ID",
        "Writes a line of JSON each time something happens to a container, until it ends: of type "
        "oom, when the kernel has killed processes of it for lack of memory, at once; and of type "
        "stats at each interval, with what it uses: CPU time in nanoseconds, memory in bytes, "
        "processes, input and output, huge pages, and how long it waited for CPU, memory and input "
        "and output (psi).\n"
        "\n"
        "The names are runc's. What its cgroup has no controller for is left out; where cgroup "
        "version 1 has the controllers, a warning says so. Swap space is counted together with "
        "memory, and 18446744073709551615 means no limit of these; without a limit of processes "
        "there is no pids.limit.\n",
        "# until it ends\n"
        "shimbox events --interval 1m web\n"
        "\n"
        "# once\n"
        "shimbox events --stats web | jq .data.pids.current\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct events_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
