/* pause: stop all processes of a container.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/report.h"
#include "core/container/lifecycle.h"

static int pause_container(const struct call *call)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    int result = lifecycle_open_locked(&lifecycle, call->globals->root, call->argv[0]);
    return result < 0 ? result : lifecycle_freeze(&lifecycle, true);
}

static int run(const struct call *call)
{
    return pause_container(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "pause",
    .texts = APPLET_TEXTS(
        "stop all processes of a container", "ID",
        "Stops all processes of a container by its cgroup, until `resume`; meanwhile its status is "
        "paused. Signals are delivered when it goes on, but KILL at once.\n",
        "shimbox pause web\n"),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
