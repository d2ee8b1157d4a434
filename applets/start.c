/* start: run the program of a container that was created.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/report.h"
#include "core/container/keeper.h"
#include "core/container/lifecycle.h"

static int start(const struct call *call)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    int result = lifecycle_open_locked(&lifecycle, call->globals->root, call->argv[0]);
    return result < 0 ? result : keeper_start(&lifecycle);
}

static int run(const struct call *call)
{
    return start(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "start",
    .texts = APPLET_TEXTS(
        "run the program of a container that was created", "ID",
        "Lets the process of a container that `create` has made execute its program. If "
        "the program cannot be executed, that is told here. Returns when it runs.\n",
        "shimbox start web\n"),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
