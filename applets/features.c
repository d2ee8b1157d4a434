/* features: tell what this runtime can do.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/oci/features.h"
#include "core/oci/json.h"

static int tell(const struct call *call)
{
    autotext struct text text = {0};
    if (call->argc > 0)
        return fail_usage("unexpected argument '%s'", call->argv[0]);
    struct json_object *document = features_document();
    if (!document)
        return -1;
    int result = json_write(document, &text);
    json_object_put(document);
    return result < 0 ? result
                      : write_all(STDOUT_FILENO, "standard output", text.data, text.length);
}

static int run(const struct call *call)
{
    return tell(call) < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "features",
    .texts = APPLET_TEXTS(
        "tell what this runtime can do", "",
        "Writes what a config.json may ask for as JSON, as runtime-spec has it: hooks, "
        "mount options, namespaces, capabilities, and which other parts are applied (enabled), "
        "those of later versions too. "
        "It comes from the tables that configurations are read by.\n",
        "shimbox features | jq .linux.seccomp.enabled\n"),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
