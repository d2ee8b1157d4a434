/* resume: let the processes of a paused container go on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/report.h"
#include "core/container/lifecycle.h"

static int resume_container(const struct call *call)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    int result = lifecycle_open_locked(&lifecycle, call->globals->root, call->argv[0]);
    return result < 0 ? result : lifecycle_freeze(&lifecycle, false);
}

static int run(const struct call *call)
{
    return resume_container(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "resume",
    .texts = APPLET_TEXTS("let the processes of a paused container go on", "ID",
                          "Lets the processes of a container that `pause` has stopped go on.\n",
                          "shimbox resume web\n"),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
