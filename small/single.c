/* The front of a binary that holds one applet, in place of core/base/front.c.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Such a binary can have any name, that of tini, too: the whole command line is the applet's,
 * behind the applet's name if that comes first, as in "shimbox init". The options that stand before
 * an applet's name elsewhere are not there, but for --version.
 */
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/report.h"
#include "core/base/start.h"
#include "core/base/usage.h"

static int print_version(const struct applet *applet)
{
    autotext struct text text = {0};
    text_append(&text, "shimbox " SHIMBOX_VERSION ", with ");
    text_append(&text, applet->name);
    text_append(&text, " alone\n");
    return usage_print(&text, applet->failure);
}

int dispatch(int argc, char **argv)
{
    const struct applet *applet = applet_at(0);
    const struct globals globals = {
        .log_format = "text", .rootless = "auto", .command_line = argv, .filled = start_stdio()};
    if (start_check_privilege() < 0)
        return report_error(applet->failure);
    if (argc > 1 && strcmp(argv[1], applet->name) == 0) {
        argc--;
        argv++;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return print_version(applet);
    return applet_start(applet, &globals, argc, argv);
}
