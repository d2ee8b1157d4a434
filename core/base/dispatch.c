/* From an applet's name to the applet.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/base/usage.h"

int usage_print(struct text *text, int failure)
{
    if (text->failed)
        fail(ENOMEM, "cannot compose the output");
    else if (write_all(STDOUT_FILENO, "standard output", text->data, text->length) == 0)
        return EXIT_YES;
    return report_error(failure);
}

int applet_help(const struct applet *applet)
{
    autotext struct text text = {0};
    usage_help(&text, applet);
    return usage_print(&text, applet->failure);
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
        return applet_help(applet);
    call.argc = argc - operands;
    call.argv = argv + operands;
    return applet->run(&call);
}

static int start_trace(const struct globals *globals)
{
    const char *path = globals->trace;
    if (trace_resume())
        return 0;
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

/* Links take the descriptors of an earlier shimbox; what others were not asked to take ends here.
 */
static int drop_inherited(const struct applet *applet)
{
    struct chain left = {0};
    if (applet->flags & APPLET_LINK)
        return 0;
    int result = chain_inherit(&left);
    if (result == 0)
        chain_close(&left);
    return result;
}

#ifdef SHIMBOX_NO_ANNEX
/* None of such a binary does: libc's heap stays out of it. */
#define applet_hides_arguments(applet) false
#else
#define applet_hides_arguments(applet) ((applet)->flags & APPLET_HIDES_ARGUMENTS)
#endif

/* What the applet knows of them is here then, and globals->command_line only what /proc shows.
 * Returns one piece of memory, or NULL (recorded). */
static char **copy_arguments(struct globals *globals, int argc, char **argv)
{
    size_t size = (size_t)(argc + 1) * sizeof(*argv);
    for (int i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    size_t root = globals->root ? strlen(globals->root) + 1 : 0;
    char **copies = malloc(size + root);
    if (!copies) {
        fail(ENOMEM, "cannot keep the arguments");
        return NULL;
    }
    char *next = (char *)(copies + argc + 1);
    for (int i = 0; i < argc; i++) {
        copies[i] = next;
        next = stpcpy(next, argv[i]) + 1;
    }
    copies[argc] = NULL;
    if (globals->root)
        globals->root = memcpy(next, globals->root, root);
    return copies;
}

int applet_start(const struct applet *applet, const struct globals *given, int argc, char **argv)
{
    struct globals globals = *given;
    autofree char **copies = NULL;
    report_start(applet->name, &globals);
    int result = start_trace(&globals);
    if (result == 0)
        result = drop_inherited(applet);
    if (result == 0 && applet_hides_arguments(applet)) {
        copies = copy_arguments(&globals, argc, argv);
        result = copies ? 0 : -ENOMEM;
    }
    if (result < 0) {
        int code = report_error(applet->failure);
        if (!(applet->flags & APPLET_REGARDLESS))
            return code;
        error_clear();
    }
    int code = applet_run(applet, &globals, argc, copies ? copies : argv);
    trace_end();
    return code;
}
