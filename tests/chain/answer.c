/* Test applet: a command that is no link, and a sub-command of the runtime.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/report.h"
#include "core/base/trace.h"

struct options {
    bool fail;
    bool warn;
};

static const struct option table[] = {
    {'f', OPTION_FLAG, offsetof(struct options, fail),
     OPTION_WORDS("fail", "", "Fail with an awkward message")},
    {'w', OPTION_FLAG, offsetof(struct options, warn), OPTION_WORDS("warn", "", "Warn and debug")},
};

static int run(const struct call *call)
{
    const struct options *o = call->values;
    step("answer the question");
    dprintf(1, "root %s rootless %s debug %d separated %d\n",
            call->globals->root ? call->globals->root : "-", call->globals->rootless,
            call->globals->debug, call->separated);
    for (int i = 0; i < call->argc; i++)
        dprintf(1, "operand %s\n", call->argv[i]);
    if (o->warn) {
        report_warning("this is\nodd");
        report_debug("more about it");
    }
    if (!o->fail)
        return EXIT_YES;
    fail(EPERM, "cannot attach %s", "/mnt\n\x1b[31m");
    error_field("/mounts/0");
    error_step("mount rootfs");
    error_hint("needs CAP_SYS_ADMIN");
    return report_error(EXIT_TROUBLE);
}

static const struct applet answer = {
    .name = "answer",
    .texts = APPLET_TEXTS("Answer a question", "[options] [ARG...]", "Answers.\n\nNever asks.\n",
                          "# Ask\nshimbox answer\n"),
    OPTION_TABLE(table),
    .values_size = sizeof(struct options),
    .failure = EXIT_TROUBLE,
    .run = run,
};
APPLET(answer);

static const struct applet inner = {
    .name = "inner",
    .texts = APPLET_TEXTS("Be a sub-command", "", "", ""),
    .values_size = sizeof(struct options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(inner);
