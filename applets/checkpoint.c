/* checkpoint: refused by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/report.h"

static int run(const struct call *call)
{
    (void)call;
    fail_state(1, "checkpoints are not supported");
    return report_error(EXIT_LIFECYCLE);
}

static const struct applet applet = {
    .name = "checkpoint",
    .texts = APPLET_TEXTS(
        "keep the state of a container's processes: not supported", "...",
        "Checkpoints are not supported: this command is there to say so, by name, where "
        "an engine asks for it.\n",
        ""),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
