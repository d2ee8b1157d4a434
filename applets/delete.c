/* delete: remove containers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/pattern.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"

struct delete_options {
    bool force;
    bool regex;
};

#define FIELD(name) ((uint16_t)offsetof(struct delete_options, name))

static const struct option options[] = {
    {'f', OPTION_FLAG, FIELD(force),
     OPTION_WORDS("force", "", "Kill it if it runs, and remove what is broken")},
    {'r', OPTION_FLAG, FIELD(regex),
     OPTION_WORDS("regex", "", "Take ID as an extended regular expression")},
};

static int delete_one(const char *root, const char *id, bool force)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    int result = lifecycle_open(&lifecycle, root, id);
    /* With --force a container that is not there is as good as one that was removed. */
    if (result == -ENOENT && force && lifecycle.state.fd < 0) {
        error_clear();
        return 0;
    }
    if (result < 0 && (!force || lifecycle.state.fd < 0))
        return result;
    error_clear();
    result = lifecycle_delete(&lifecycle, force);
    if (result == -ENOENT && force) {
        /* Somebody else has done it. */
        error_clear();
        return 0;
    }
    return result;
}

/* Each is tried; what fails is told at once. Returns the exit code. */
static int delete_each(const struct call *call, const char *id, int code)
{
    const struct delete_options *values = call->values;
    if (delete_one(call->globals->root, id, values->force) < 0) {
        code = report_error(EXIT_LIFECYCLE);
        error_clear();
    }
    return code;
}

static int delete_matches(const struct call *call, const char *expression, int code)
{
    struct pattern pattern;
    autostateroot struct state_root all = NO_STATE_ROOT;
    if (pattern_compile(&pattern, expression) < 0 ||
        state_open_root(&all, call->globals->root, false) < 0)
        return report_error(EXIT_LIFECYCLE);
    for (size_t i = 0; i < all.count; i++) {
        if (pattern_matches(&pattern, all.names[i]))
            code = delete_each(call, all.names[i], code);
    }
    return code;
}

static int run(const struct call *call)
{
    const struct delete_options *values = call->values;
    int code = EXIT_YES;
    if (call->argc < 1) {
        fail_usage("no container ID is given");
        return report_error(EXIT_LIFECYCLE);
    }
    for (int i = 0; i < call->argc; i++) {
        if (values->regex)
            code = delete_matches(call, call->argv[i], code);
        else
            code = delete_each(call, call->argv[i], code);
    }
    return code;
}

static const struct applet applet = {
    .name = "delete",
    .texts = APPLET_TEXTS(
        "remove containers", "[options] ID...",
        "Removes containers that have stopped, or were not started yet, with all that belongs to "
        "them, and executes their poststop hooks. With --force, also those that run, which are "
        "killed, and what was left behind by a command that was killed, or by a loss of power; a "
        "container that is not there is no error then.\n",
        "# one\n"
        "shimbox delete web\n"
        "\n"
        "# all whose names begin so, whatever they are doing\n"
        "shimbox delete --force --regex '^test-'\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct delete_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
