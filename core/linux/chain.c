/* Running a chain of links.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/chain.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/base/usage.h"
#include "core/linux/handover.h"

void chain_default_shell(struct call *call)
{
    static char *program[] = {NULL, NULL};
    const char *shell = getenv("SHELL");
    if (call->argc > 0)
        return;
    program[0] = (char *)(uintptr_t)(shell && *shell ? shell : "/bin/sh");
    call->argv = program;
    call->argc = 1;
}

/* A link that has been parsed and checked. */
struct link {
    struct link *next;
    struct call call;
    _Alignas(max_align_t) char values[];
};

static void release(struct call *call)
{
    if (call->applet->link->release)
        call->applet->link->release(call);
}

static void free_links(struct link **first)
{
    while (*first) {
        struct link *link = *first;
        *first = link->next;
        release(&link->call);
        free(link);
    }
}

/* Parse a link further down the chain, whose name is argv[0]. *code: set when the answer is --help,
 * and there is nothing to run. Returns 0, 1 for help, or a negative errno (recorded). */
static int parse_link(struct link **made, const struct applet *applet,
                      const struct globals *globals, int argc, char **argv)
{
    bool help = false;
    int operands;
    struct link *link = calloc(1, sizeof(*link) + applet->values_size);
    if (!link)
        return fail(ENOMEM, "cannot make room for the link %s", applet->name);
    *made = link;
    link->call = (struct call){.applet = applet, .globals = globals, .values = link->values};
    int result = options_parse_help(applet->options, applet->option_count, argc, argv, link->values,
                                    &operands, &link->call.separated, &help);
    if (result < 0)
        return result;
    link->call.argc = argc - operands;
    link->call.argv = argv + operands;
    return help;
}

/* Check one link. Returns its NEXT, which is what is left of its operands, and in *argc how many
 * there are; NULL when something is wrong (recorded). */
static char **check_link(struct call *call, int *argc)
{
    static char *nothing[] = {NULL};
    int consumed = 0;
    if (call->applet->link->check && call->applet->link->check(call, &consumed) < 0)
        return NULL;
    if (consumed == CHAIN_LAST) {
        if (call->argc == 0)
            return nothing;
        fail_usage("unexpected argument '%s'", call->argv[0]);
        return NULL;
    }
    if (consumed < 0 || consumed > call->argc) {
        fail_usage("operands are missing");
        return NULL;
    }
    char **next = call->argv + consumed;
    *argc = call->argc - consumed;
    if (consumed > 0 && *argc > 0 && strcmp(next[0], "--") == 0) {
        --*argc;
        next++;
    }
    if (*argc > 0)
        return next;
    fail_usage("no command to go on with");
    return NULL;
}

static int report_link(const struct applet *applet)
{
    if (error_get()->kind == ERROR_USAGE)
        error_hint("see 'shimbox %s --help'", applet->name);
    return report_failure(applet->failure);
}

/* Check the whole chain. *links: all after the first; *argv: the program at its end.
 * Returns -1, or the exit code if the chain is not to be run. */
static int check_chain(struct call *first, struct link **links, char ***program)
{
    struct call *call = first;
    for (;;) {
        int argc = 0;
        char **argv = check_link(call, &argc);
        if (!argv)
            return report_link(call->applet);
        const struct applet *applet =
            !argv[0] || strchr(argv[0], '/') ? NULL : applet_find(argv[0]);
        if (!applet || !(applet->flags & APPLET_LINK)) {
            *program = argv;
            return -1;
        }
        report_start(applet->name, NULL);
        int result = parse_link(links, applet, first->globals, argc, argv);
        if (result < 0)
            return report_link(applet);
        if (result > 0)
            return applet_help(applet);
        call = &(*links)->call;
        links = &(*links)->next;
    }
}

int chain_finish(const struct call *last, const struct chain *chain, int result)
{
    const struct applet *applet = last->applet;
    char **argv = chain->program;
    if (result < 0)
        return report_link(applet);
    if (chain_export(chain) < 0)
        return report_failure(applet->failure);
    step("execute %s", argv[0]);
    trace_end();
    execvp(argv[0], argv);
    int number = errno;
    fail_exec(number, "cannot execute %s", argv[0]);
    if (number == ENOENT && strchr(argv[0], '/') && access(argv[0], F_OK) == 0)
        error_hint("the file is there, but not the interpreter or loader that it names");
    return report_failure(applet->failure);
}

static int protect_binary(const struct call *first, const struct link *links)
{
    int (*protect)(char **, int *) = first->applet->link->protect;
    autoclose int overlay = -1;
    for (; links && !protect; links = links->next)
        protect = links->call.applet->link->protect;
    return protect ? protect(first->globals->command_line, &overlay) : 0;
}

int chain_run(const struct call *first)
{
    autochain struct chain chain = {0};
    __attribute__((cleanup(free_links))) struct link *links = NULL;
    __attribute__((cleanup(release))) struct call start = *first;
    char **program = NULL;
    int code = check_chain(&start, &links, &program);
    if (code >= 0)
        return code;
    report_start(first->applet->name, NULL);
    /* In this order: protection may execute this program anew, which is to inherit as we do. */
    if (protect_binary(&start, links) < 0 || chain_inherit(&chain) < 0)
        return report_failure(first->applet->failure);

    const struct call *call = &start;
    const struct link *next = links;
    for (;;) {
        report_start(call->applet->name, NULL);
        chain.program = next ? NULL : program;
        int result = call->applet->link->apply(call, &chain);
        if (result > 0)
            return result - CHAIN_END(0);
        if (result < 0 || !next)
            return chain_finish(call, &chain, result);
        if (hand_over(&chain) < 0)
            return report_failure(call->applet->failure);
        call = &next->call;
        next = next->next;
    }
}
