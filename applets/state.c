/* state: tell the state of a container.
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

static int tell(const struct call *call)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    autotext struct text text = {0};
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    int result = lifecycle_open(&lifecycle, call->globals->root, call->argv[0]);
    if (result < 0)
        return result;
    pid_t pid = lifecycle.status == STATUS_STOPPED ? 0 : lifecycle.record.init.pid;
    record_tell(&lifecycle.record, status_name(lifecycle.status), pid, "", true, &text);
    text_append(&text, "\n");
    if (text.failed)
        return fail(ENOMEM, "cannot compose the answer");
    return write_all(STDOUT_FILENO, "standard output", text.data, text.length);
}

static int run(const struct call *call)
{
    return tell(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "state",
    .texts = APPLET_TEXTS(
        "tell the state of a container", "ID",
        "Writes the state of a container as JSON: what runtime-spec has in it, and what "
        "runc adds (rootfs, created, owner). status is creating, created, running, "
        "paused or stopped; pid is 0 when it is stopped.\n",
        "# is it running?\n"
        "shimbox state web | jq -r .status\n"),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
