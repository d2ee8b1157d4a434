/* stats: what a container uses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"
#include "core/container/stats.h"

static int tell(const struct call *call)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    autowatch struct watch watch = NO_WATCH;
    autotext struct text line = {0};
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    int result = lifecycle_open(&lifecycle, call->globals->root, call->argv[0]);
    if (result == 0)
        result = watch_open(&watch, &lifecycle);
    if (result < 0)
        return result;
    watch_warn(&watch, &lifecycle, false);
    result = stats_line(&watch, "stats", call->argv[0], true, &line);
    if (result == -ENODEV && !error_is_set())
        return fail_state(ESRCH, "container with id %s is not running", call->argv[0]);
    return result < 0 ? result
                      : write_all(STDOUT_FILENO, "standard output", line.data, line.length);
}

static int run(const struct call *call)
{
    return tell(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "stats",
    .texts = APPLET_TEXTS(
        "tell what a container uses", "ID",
        "Writes one line of JSON with what a container uses now, as `events --stats` does: CPU "
        "time in nanoseconds, memory in bytes, processes, input and output, huge pages, and how "
        "long it waited for each (psi). What its cgroup has no controller for is left out.\n",
        "shimbox stats web | jq .data.memory.usage\n"),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
