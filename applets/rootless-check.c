/* rootless-check: is this rootless, and what keeps containers of an ordinary user from working?
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/report.h"
#include "core/linux/rootless.h"

struct check_options {
    bool quiet;
};

#define FIELD(name) ((uint16_t)offsetof(struct check_options, name))

static const struct option options[] = {
    {'q', OPTION_FLAG, FIELD(quiet), "quiet", "", "Print nothing: the exit code is the answer"},
};

static int print_answer(const struct check_options *given, struct text *text)
{
    static const char *const words[] = {"rootless", "not rootless", "cannot tell"};
    struct rootless rootless;
    rootless_ask(&rootless);
    if (!given->quiet)
        text_append_format(text, "%s: %s\n", words[rootless.answer], rootless.reason);
    return (int)rootless.answer;
}

static int run(const struct call *call)
{
    const struct check_options *given = call->values;
    if (call->argc > 0) {
        fail_usage("unexpected argument '%s'", call->argv[0]);
        return report_error(EXIT_TROUBLE);
    }
    autotext struct text text = {0};
    int code = print_answer(given, &text);
    if (text.length > 0 && write_all(STDOUT_FILENO, "standard output", text.data, text.length) < 0)
        return report_error(EXIT_TROUBLE);
    return code;
}

static const struct applet applet = {
    .name = "rootless-check",
    .summary = "tell whether this is rootless, and why",
    .synopsis = "[options]",
    .description = "Exits with 0 when the caller is rootless, 1 when not, and 2 when that cannot "
                   "be told, and prints the reason.\n"
                   "\n"
                   "Rootless is who has no power over the machine: every user but 0, and user 0 of "
                   "a user namespace that is not the initial one, whatever it maps.\n",
    .examples = "# in a script\n"
                "shimbox rootless-check -q && echo rootless\n",
    OPTION_TABLE(options),
    .values_size = sizeof(struct check_options),
    .failure = EXIT_TROUBLE,
    .run = run,
};
APPLET(applet);
