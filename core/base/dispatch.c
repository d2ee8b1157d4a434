/* From the command line to the applet.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/report.h"
#include "core/base/start.h"
#include "core/base/trace.h"
#include "core/base/usage.h"

/* What stands before the applet's name. */
struct front {
    struct globals globals; /* first: global_options holds offsets into both */
    bool version;
    bool list;
    bool help;
};

#define GLOBAL(field) ((uint16_t)offsetof(struct globals, field))
#define FRONT(field)  ((uint16_t)offsetof(struct front, field))

const struct option global_options[] = {
    {0, OPTION_TEXT, GLOBAL(root), "root", "DIR", "Keep the state of containers in DIR"},
    {0, OPTION_TEXT, GLOBAL(log), "log", "FILE", "Append errors and warnings to FILE, too"},
    {0, OPTION_TEXT, GLOBAL(log_format), "log-format", "text|json", "Form of the log (text)"},
    {0, OPTION_FLAG, GLOBAL(debug), "debug", "", "Tell more on standard error and in the log"},
    {0, OPTION_FLAG, GLOBAL(systemd_cgroup), "systemd-cgroup", "",
     "Refused: cgroups are managed without systemd"},
    {0, OPTION_TEXT, GLOBAL(rootless), "rootless", "true|false|auto",
     "Work without root's privilege (auto)"},
    {0, OPTION_MAYBE, GLOBAL(trace), "trace", "FILE",
     "Show each step, or write it to FILE for a trace viewer"},
    {'v', OPTION_FLAG, FRONT(version), "version", "", "Print the version"},
    {0, OPTION_FLAG, FRONT(list), "list", "", "List the applets, one a line"},
    {'h', OPTION_FLAG, FRONT(help), "help", "", "Show this help"},
};
const size_t global_option_count = sizeof(global_options) / sizeof(global_options[0]);

const char usage_description[] =
    "Container tools in one static binary. Each applet is a command of its own: call it as "
    "'shimbox APPLET', or by a link of its name.\n";

const char usage_examples[] = "# what there is\nshimbox --list\n";

/* Print what was composed on standard output. */
static int print_text(struct text *text, int failure)
{
    if (text->failed)
        fail(ENOMEM, "cannot compose the output");
    else if (write_all(STDOUT_FILENO, "standard output", text->data, text->length) == 0)
        return EXIT_YES;
    return report_error(failure);
}

static int print_help(const struct applet *applet, int failure)
{
    autotext struct text text = {0};
    usage_help(&text, applet);
    return print_text(&text, failure);
}

static int print_list(void)
{
    autotext struct text text = {0};
    usage_list(&text, isatty(STDOUT_FILENO));
    return print_text(&text, EXIT_TROUBLE);
}

static int print_version(void)
{
    /* Two lines as runc has them; engines look for the second. */
    static const char version[] = "shimbox " SHIMBOX_VERSION "\nspec: 1.1.0\n";
    if (write_all(STDOUT_FILENO, "standard output", version, sizeof(version) - 1) < 0)
        return report_error(EXIT_TROUBLE);
    return EXIT_YES;
}

int applet_run(const struct applet *applet, const struct globals *globals, int argc, char **argv)
{
    /* On the stack: no applet's options are large. */
    _Alignas(max_align_t) char values[applet->values_size + 1];
    struct call call = {.applet = applet, .globals = globals, .values = values};
    bool help = false;
    int operands;
    memset(values, 0, sizeof(values));
    if (options_parse_help(applet->options, applet->option_count, argc, argv, values, &operands,
                           &call.separated, &help) < 0) {
        error_hint("see 'shimbox %s --help'", applet->name);
        return report_error(applet->failure);
    }
    if (help)
        return print_help(applet, applet->failure);
    call.argc = argc - operands;
    call.argv = argv + operands;
    return applet->run(&call);
}

static int start_trace(const struct globals *globals)
{
    const char *path = globals->trace;
    if (!path) {
        path = getenv("SHIMBOX_TRACE");
        if (!path || !path[0])
            return 0;
        if (strcmp(path, "-") == 0)
            path = "";
    }
    int result = trace_start(path[0] ? path : NULL);
    /* One trace, one file: what is started from here must not empty it. */
    unsetenv("SHIMBOX_TRACE");
    return result;
}

/* Everything between the command line and the applet that may still fail. */
static int run_named(const struct applet *applet, const struct globals *globals, int argc,
                     char **argv)
{
    if (report_start(applet->name, globals) < 0 || start_trace(globals) < 0)
        return report_error(applet->failure);
    int code = applet_run(applet, globals, argc, argv);
    trace_end();
    return code;
}

/* Check the values of global options that are words. */
static int check_globals(const struct globals *globals)
{
    static const char *const words[] = {"true", "false", "auto"};
    if (globals->systemd_cgroup)
        return fail_usage(
            "option --systemd-cgroup is not supported: shimbox manages cgroups without systemd");
    for (size_t i = 0; i < 3; i++)
        if (strcmp(globals->rootless, words[i]) == 0)
            return 0;
    return fail_usage("option --rootless: unknown word '%s': true, false or auto",
                      globals->rootless);
}

static int fail_unknown_applet(const char *name)
{
    const struct applet *nearest = applet_nearest(name);
    fail_usage("unknown applet '%s'", name);
    if (nearest)
        error_hint("did you mean '%s'?", nearest->name);
    error_hint("see 'shimbox --list'");
    return report_error(EXIT_TROUBLE);
}

static int dispatch_front(int argc, char **argv)
{
    struct front front = {
        .globals = {.log_format = "text", .rootless = "auto", .command_line = argv}};
    int operand;
    if (options_parse(global_options, global_option_count, argc, argv, &front, &operand, NULL) <
            0 ||
        check_globals(&front.globals) < 0) {
        error_hint("see 'shimbox --help'");
        return report_error(EXIT_TROUBLE);
    }
    argc -= operand;
    argv += operand;
    if (front.help)
        return print_help(NULL, EXIT_TROUBLE);
    if (front.version)
        return print_version();
    if (front.list)
        return print_list();
    if (argc == 0) {
        fail_usage("no applet named");
        error_hint("see 'shimbox --help' and 'shimbox --list'");
        return report_error(EXIT_TROUBLE);
    }
    const struct applet *applet = applet_find(argv[0]);
    if (!applet)
        return fail_unknown_applet(argv[0]);
    return run_named(applet, &front.globals, argc, argv);
}

int dispatch(int argc, char **argv)
{
    const struct globals defaults = {
        .log_format = "text", .rootless = "auto", .command_line = argv};
    const char *program = argc > 0 ? argv[0] : "";
    const char *slash = strrchr(program, '/');
    const struct applet *applet = applet_find(slash ? slash + 1 : program);
    start_stdio();
    if (start_check_privilege() < 0)
        return report_error(applet ? applet->failure : EXIT_TROUBLE);
    if (applet)
        return run_named(applet, &defaults, argc, argv);
    return dispatch_front(argc, argv);
}
