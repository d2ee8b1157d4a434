/* rootless-check: is this rootless, and what keeps containers of an ordinary user from working?
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
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/container/check.h"
#include "core/linux/rootless.h"

struct check_options {
    bool quiet;
    bool report;
    bool json;
    struct text_list require;
};

#define FIELD(name) ((uint16_t)offsetof(struct check_options, name))

static const struct option options[] = {
    {'q', OPTION_FLAG, FIELD(quiet),
     OPTION_WORDS("quiet", "", "Print nothing: the exit code is the answer")},
    {0, OPTION_FLAG, FIELD(report),
     OPTION_WORDS("report", "", "Try all that containers need, and tell")},
    {0, OPTION_FLAG, FIELD(json), OPTION_WORDS("json", "", "The same as a JSON document")},
    {0, OPTION_LIST, FIELD(require),
     OPTION_WORDS("require", "ID[,ID]", "Succeed when these checks of --report pass")},
};

static const char answers[][16] = {"rootless", "not rootless", "cannot tell"};

static bool is_feature(size_t index)
{
    return index >= CHECK_FEATURES;
}

/* "fail mount-proc: what was seen; cause: ID; fix: COMMAND" */
static void print_plain(const struct check *check, struct text *text)
{
    text_append_format(text, "%s %s: %s", check_status_name(check->status), check->id, check->seen);
    if (check->cause[0])
        text_append_format(text, "; cause: %s", check->cause);
    if (check->fix[0])
        text_append_format(text, "; fix: %s", check->fix);
    text_append(text, "\n");
}

static void print_row(const struct check *check, bool colour, struct text *text)
{
    static const char colours[][8] = {"\033[36m", "\033[32m", "\033[33m", "\033[31m"};
    text_append_format(text, "%-18s  %s%-7s%s  %s\n", check->id,
                       colour ? colours[check->status] : "", check_status_name(check->status),
                       colour ? "\033[0m" : "", check->seen);
    if (check->cause[0])
        text_append_format(text, "%-27s  cause: %s\n", "", check->cause);
    if (check->fix[0])
        text_append_format(text, "%-27s  fix: %s\n", "", check->fix);
}

static void print_report(const struct checks *checks, const struct rootless *rootless,
                         struct text *text)
{
    const char *plain = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO);
    bool colour = terminal && !(plain && *plain);
    text_append_format(text, "%s: %s\n", answers[rootless->answer], rootless->reason);
    for (size_t i = 0; i < checks->count; i++) {
        if (terminal && (i == 0 || i == CHECK_FEATURES))
            text_append_format(text, "\n%s\n",
                               is_feature(i) ? "What the kernel has" : "What containers need");
        if (terminal)
            print_row(&checks->list[i], colour, text);
        else
            print_plain(&checks->list[i], text);
    }
}

static void print_member(struct text *text, const char *name, const char *value, bool last)
{
    text_append_format(text, "\"%s\": ", name);
    if (*value)
        text_append_json(text, value);
    else
        text_append(text, "null");
    text_append(text, last ? "}" : ", ");
}

static void print_json(const struct checks *checks, const struct rootless *rootless,
                       struct text *text)
{
    static const char words[][8] = {"true", "false", "null"};
    text_append_format(
        text, "{\n  \"version\": 1,\n  \"rootless\": %s,\n  \"reason\": ", words[rootless->answer]);
    text_append_json(text, rootless->reason);
    text_append(text, ",\n  \"checks\": [\n");
    for (size_t i = 0; i < checks->count; i++) {
        const struct check *check = &checks->list[i];
        text_append(text, "    {");
        print_member(text, "id", check->id, false);
        print_member(text, "kind", is_feature(i) ? "feature" : "need", false);
        print_member(text, "status", check_status_name(check->status), false);
        text_append_format(text, "\"errno\": %d, ", check->number);
        print_member(text, "seen", check->seen, false);
        print_member(text, "cause", check->cause, false);
        print_member(text, "fix", check->fix, true);
        text_append(text, i + 1 < checks->count ? ",\n" : "\n");
    }
    text_append(text, "  ]\n}\n");
}

/* Call `visit` for each id of --require, until it fails. */
static int each_required(const struct check_options *given, const struct checks *checks,
                         int (*visit)(const struct checks *checks, const char *id, size_t length))
{
    int result = 0;
    for (size_t i = 0; i < given->require.count; i++) {
        const char *id = given->require.items[i];
        for (;;) {
            size_t length = strcspn(id, ",");
            int next = visit(checks, id, length);
            /* A failure outweighs what could not be told. */
            if (next < 0 || next == EXIT_NO || result != EXIT_NO)
                result = next != 0 ? next : result;
            if (next < 0 || !id[length])
                break;
            id += length + 1;
        }
        if (result < 0)
            break;
    }
    return result;
}

static int check_id(const struct checks *checks, const char *id, size_t length)
{
    autofree char *name = strndup(id, length);
    if (!name)
        return fail(ENOMEM, "cannot allocate memory");
    if (check_find(checks, id, length))
        return 0;
    int result = fail_usage("--require: there is no check '%s'", name);
    const char *nearest = check_nearest(checks, name);
    if (nearest)
        error_hint("did you mean %s?", nearest);
    else
        error_hint("see rootless-check --report for all");
    return result;
}

/* Returns the exit code that this check asks for. */
static int judge(const struct checks *checks, const char *id, size_t length)
{
    const struct check *check = check_find(checks, id, length);
    if (!check || check->status == CHECK_PASS)
        return EXIT_YES;
    fail_usage("%s: %s: %s", check->id, check_status_name(check->status), check->seen);
    if (check->fix[0])
        error_hint("fix: %s", check->fix);
    report_error(0);
    error_clear();
    return check->status == CHECK_UNKNOWN ? EXIT_TROUBLE : EXIT_NO;
}

/* Without --require: does any check fail? */
static int weigh(const struct checks *checks)
{
    for (size_t i = 0; i < checks->count; i++) {
        if (checks->list[i].status == CHECK_FAIL)
            return EXIT_NO;
    }
    return EXIT_YES;
}

static int check_all(const struct check_options *given, struct text *text)
{
    struct checks *checks = NULL;
    struct rootless rootless;
    rootless_ask(&rootless);
    int code = checks_run(&checks);
    if (code < 0)
        return code;
    code = each_required(given, checks, check_id);
    if (code == 0) {
        if (given->report)
            print_report(checks, &rootless, text);
        if (given->json)
            print_json(checks, &rootless, text);
        code = given->require.count > 0 ? each_required(given, checks, judge) : weigh(checks);
    }
    checks_free(checks);
    return code;
}

static int answer(const struct check_options *given, struct text *text)
{
    struct rootless rootless;
    rootless_ask(&rootless);
    if (!given->quiet)
        text_append_format(text, "%s: %s\n", answers[rootless.answer], rootless.reason);
    return (int)rootless.answer;
}

static int check_options(const struct check_options *given, const struct call *call)
{
    if (call->argc > 0)
        return fail_usage("unexpected argument '%s'", call->argv[0]);
    if (given->report && given->json)
        return fail_usage("--report and --json exclude each other");
    if (given->quiet && (given->report || given->json))
        return fail_usage("--quiet and --%s exclude each other", given->report ? "report" : "json");
    return 0;
}

static int run(const struct call *call)
{
    struct check_options *given = call->values;
    autotext struct text text = {0};
    int code = check_options(given, call);
    if (code == 0)
        code = given->report || given->json || given->require.count > 0 ? check_all(given, &text)
                                                                        : answer(given, &text);
    text_list_free(&given->require);
    if (code >= 0 && text.failed)
        code = fail(ENOMEM, "cannot allocate memory");
    if (code >= 0 && text.length > 0)
        code =
            write_all(STDOUT_FILENO, "standard output", text.data, text.length) < 0 ? -EIO : code;
    return code < 0 ? report_error(EXIT_TROUBLE) : code;
}

static const struct applet applet = {
    .name = "rootless-check",
    .texts = APPLET_TEXTS(
        "tell whether this is rootless, and what containers lack", "[options]",
        "Exits with 0 when the caller is rootless, 1 when not, and 2 when that cannot be told, and "
        "prints the reason. Rootless is who has no power over the machine: every user but 0, and "
        "user 0 of a user namespace that is not the initial one, whatever it maps.\n"
        "\n"
        "--report tries what a container of this user needs: namespaces, ID mappings, mounts, "
        "cgroups, the folders of the user; and what the kernel has. All is really tried, in "
        "children that leave nothing behind. Each check has an id that stays the same, and is "
        "pass, warn (containers work, with less), fail, or unknown (could not be told); with what "
        "was seen, the check that is the cause, and the command that helps. It is a table on a "
        "terminal (in colour unless NO_COLOR is set), one line for each check elsewhere; --json is "
        "for programs. Exits with 1 when a check fails, else 0.\n"
        "\n"
        "--require makes some of the checks a condition: exits with 0 when all of them pass, 1 "
        "when one warns or fails, and 2 when one could not be told (or is none); what does not "
        "pass is told on standard error.\n",
        "# in a script\n"
        "shimbox rootless-check -q && echo rootless\n"
        "\n"
        "# why do containers not work here?\n"
        "shimbox rootless-check --report | grep fail\n"
        "\n"
        "# as a condition\n"
        "shimbox rootless-check --require userns-create,newuidmap || exit\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct check_options),
    .failure = EXIT_TROUBLE,
    .run = run,
};
APPLET(applet);
