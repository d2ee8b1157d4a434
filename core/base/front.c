/* From the command line to the applet's name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/log.h"
#include "core/base/report.h"
#include "core/base/start.h"
#include "core/base/usage.h"

/* What stands before the applet's name. */
struct front {
    struct globals globals; /* first: global_options holds offsets into both */
    bool version;
    bool list;
    bool help;
    bool manual;
    const char *install;
    const char *completions;
};

#define GLOBAL(field) ((uint16_t)offsetof(struct globals, field))
#define FRONT(field)  ((uint16_t)offsetof(struct front, field))

const struct option global_options[] = {
    {0, OPTION_TEXT, GLOBAL(root),
     OPTION_WORDS("root", "DIR", "Keep the state of containers in DIR (/run/shimbox)")},
    {0, OPTION_TEXT, GLOBAL(log),
     OPTION_WORDS("log", "FILE", "Append errors to FILE, too, and warnings to it alone")},
    {0, OPTION_TEXT, GLOBAL(log_format),
     OPTION_WORDS("log-format", "text|json", "Form of the log (text)")},
    {0, OPTION_FLAG, GLOBAL(debug),
     OPTION_WORDS("debug", "", "Tell more, in the log where there is one")},
    {0, OPTION_FLAG, GLOBAL(systemd_cgroup),
     OPTION_WORDS("systemd-cgroup", "", "Refused: cgroups are managed without systemd")},
    {0, OPTION_TEXT, GLOBAL(rootless),
     OPTION_WORDS("rootless", "true|false|auto", "Work without root's privilege (auto)")},
    {0, OPTION_MAYBE, GLOBAL(trace),
     OPTION_WORDS("trace", "FILE", "Show each step, or write it to FILE for a trace viewer")},
    {'v', OPTION_FLAG, FRONT(version), OPTION_WORDS("version", "", "Print the version")},
    {0, OPTION_FLAG, FRONT(list), OPTION_WORDS("list", "", "List the applets, one a line")},
    {0, OPTION_TEXT, FRONT(install),
     OPTION_WORDS("install", "DIR", "Link applets to this binary in DIR (not run, kill...)")},
    {0, OPTION_FLAG, FRONT(manual),
     OPTION_WORDS("man", "", "Print the manual page, or that of an applet")},
    {0, OPTION_TEXT, FRONT(completions),
     OPTION_WORDS("completions", "bash|zsh|fish", "Print completions for a shell")},
    {'h', OPTION_FLAG, FRONT(help),
     OPTION_WORDS("help", "", "Show this help, or that of an applet")},
};
const size_t global_option_count = sizeof(global_options) / sizeof(global_options[0]);

const char usage_description[] =
    "Container tools in one static binary. Each applet is a command of its own: call it as "
    "'shimbox APPLET', or by a link that has its name.\n"
    "\n"
    "Applets that change one thing about the process are links of a chain: what stands after their "
    "'--' is the command to go on with, and when that is such an applet, too, it is applied in the "
    "same process, so that a chain needs no other program.\n";

const char usage_examples[] = "# Which applets are there?\n"
                              "shimbox --list\n"
                              "\n"
                              "# Call them by their names\n"
                              "shimbox --install /usr/local/bin\n"
                              "\n"
                              "# Read a manual page\n"
                              "shimbox --man | man -l -\n";

/* Two lines as runc has them; engines look for the second. */
static const char version[] = "shimbox " SHIMBOX_VERSION "\nspec: 1.1.0\n";

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

/* Global options that are the whole command: they print, and end. -1 when there is none. The
 * operand names the applet that --help and --man are about. */
static int answer(const struct front *front, const char *operand)
{
    autotext struct text text = {0};
    const struct applet *applet = operand ? applet_find(operand) : NULL;
    if (operand && !applet && (front->help || front->manual))
        return fail_unknown_applet(operand);
    if (front->help && applet)
        usage_help(&text, applet);
    else if (front->help)
        usage_front_help(&text);
    else if (front->manual)
        usage_manual(&text, applet);
    else if (front->version)
        text_append(&text, version);
    else if (front->list)
        usage_list(&text, isatty(STDOUT_FILENO));
    else if (front->install)
        return usage_install(front->install);
    else if (!front->completions)
        return -1;
    else if (usage_completions(&text, front->completions) < 0)
        return report_error(EXIT_TROUBLE);
    return usage_print(&text, EXIT_TROUBLE);
}

/* shimbox [global options] APPLET … */
static int dispatch_front(int argc, char **argv, unsigned filled)
{
    struct front front = {
        .globals = {
            .log_format = "text", .rootless = "auto", .command_line = argv, .filled = filled}};
    int operand;
    int result =
        options_parse(global_options, global_option_count, argc, argv, &front, &operand, NULL);
    report_start(NULL, &front.globals);
    if (result < 0 || log_open(&front.globals) < 0 || check_globals(&front.globals) < 0) {
        if (error_get()->kind == ERROR_USAGE)
            error_hint("see 'shimbox --help'");
        return report_error(EXIT_TROUBLE);
    }
    argc -= operand;
    argv += operand;
    const char *name = argc > 0 ? argv[0] : NULL;
    /* "help" is not an applet, but what many people try first. */
    if (name && strcmp(name, "help") == 0 && !applet_find(name)) {
        front.help = true;
        name = argc > 1 ? argv[1] : NULL;
    }
    int code = answer(&front, name);
    if (code >= 0)
        return code;
    if (!name) {
        fail_usage("no applet named");
        error_hint("see 'shimbox --help' and 'shimbox --list'");
        return report_error(EXIT_TROUBLE);
    }
    const struct applet *applet = applet_find(name);
    if (!applet)
        return fail_unknown_applet(name);
    return applet_start(applet, &front.globals, argc, argv);
}

/* A kernel starts /init with nothing mounted, and with words of its command line that it does not
 * know as arguments: that is for boot, if it is in this binary, and those are not its options. */
static const struct applet *started_by_kernel(const char *name)
{
    if (strcmp(name, "init") != 0 || getpid() != 1 || access("/proc/self", F_OK) == 0)
        return NULL;
    return applet_find("boot");
}

int dispatch(int argc, char **argv)
{
    const struct globals defaults = {
        .log_format = "text", .rootless = "auto", .command_line = argv, .filled = start_stdio()};
    const char *program = argc > 0 ? argv[0] : "";
    const char *slash = strrchr(program, '/');
    const char *name = slash ? slash + 1 : program;
    const struct applet *boot = started_by_kernel(name);
    char *alone[] = {argv[0], NULL};
    if (boot)
        return applet_start(boot, &defaults, 1, alone);
    const struct applet *applet = applet_find(name);
    if (start_check_privilege() < 0)
        return report_error(applet ? applet->failure : EXIT_TROUBLE);
    if (applet)
        return applet_start(applet, &defaults, argc, argv);
    return dispatch_front(argc, argv, defaults.filled);
}
