/* kill: send a signal to a container.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/report.h"
#include "core/container/lifecycle.h"
#include "core/linux/signals.h"

struct kill_options {
    bool all;
};

#define FIELD(name) ((uint16_t)offsetof(struct kill_options, name))

static const struct option options[] = {
    {'a', OPTION_FLAG, FIELD(all),
     OPTION_WORDS("all", "", "Send it to all processes of the container")},
};

/* 0 is no signal, and only asks. Returns the number or -EINVAL (recorded). */
static int parse_signal(const char *name)
{
    int number = strcmp(name, "0") == 0 ? 0 : signal_number(name);
    return number >= 0 ? number : fail_usage("unknown signal \"%s\"", name);
}

static int send(const struct call *call)
{
    const struct kill_options *values = call->values;
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    if (call->argc < 1)
        return fail_usage("no container ID is given");
    if (call->argc > 2)
        return fail_usage("unexpected argument '%s'", call->argv[2]);
    int number = call->argc > 1 ? parse_signal(call->argv[1]) : SIGTERM;
    int result = number < 0 ? number : 0;
    if (result == 0)
        result = lifecycle_open(&lifecycle, call->globals->root, call->argv[0]);
    return result < 0 ? result : lifecycle_kill(&lifecycle, number, values->all);
}

static int run(const struct call *call)
{
    return send(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "kill",
    .texts = APPLET_TEXTS(
        "send a signal to a container", "[options] ID [SIGNAL]",
        "Sends SIGNAL, a name with or without SIG or a number (default: TERM), to the first "
        "process of a container that is created or runs; 0 only asks whether it could. The first "
        "process of a pid namespace gets only what it has a handler for, and KILL and STOP. A "
        "process that has got the pid of one that has ended is never sent anything.\n",
        "# ask it to end\n"
        "shimbox kill web\n"
        "\n"
        "# all processes, at once\n"
        "shimbox kill --all web KILL\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct kill_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
