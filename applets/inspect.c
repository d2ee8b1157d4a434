/* inspect: tell what a process is and sees, or what the machine is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/oci/json.h"

struct inspect_options {
    bool json;
    bool system;
    bool align;
    uint32_t messages;
    const char *device;
};

#define AT(field) offsetof(struct inspect_options, field)

static const struct option options[] = {
    {'j', OPTION_FLAG, AT(json), OPTION_WORDS("json", "", "Write JSON")},
    {'s', OPTION_FLAG, AT(system), OPTION_WORDS("system", "", "The machine instead of a process")},
    {'n', OPTION_NUMBER, AT(messages),
     OPTION_WORDS("messages", "N", "With --system: how many kernel messages (default: 10)")},
    {'d', OPTION_TEXT, AT(device),
     OPTION_WORDS("device", "PATH", "The file system on a device or in a file")},
    {'a', OPTION_FLAG, AT(align), OPTION_WORDS("align", "", "Align the text as on a terminal")},
};

static int check_options(const struct inspect_options *given, const struct call *call,
                         uint32_t *pid)
{
    *pid = 0;
    if (call->argc > 1)
        return fail_usage("unexpected \"%s\": one process at a time", call->argv[1]);
    if (given->system && given->device)
        return fail_usage("--system and --device exclude each other");
    if (call->argc == 1 && (given->system || given->device))
        return fail_usage("--%s and a process exclude each other",
                          given->system ? "system" : "device");
    if (given->messages && !given->system)
        return fail_usage("--messages needs --system");
    if (given->json && given->align)
        return fail_usage("--json and --align exclude each other");
    if (call->argc == 0 || strcmp(call->argv[0], "self") == 0)
        return 0;
    if (parse_u32(call->argv[0], INT_MAX, pid) < 0 || *pid == 0)
        return fail_usage("\"%s\" is not the number of a process", call->argv[0]);
    return 0;
}

static int compose(const struct inspect_options *given, struct json_object *document,
                   struct text *text)
{
    struct winsize size = {0};
    bool terminal = isatty(STDOUT_FILENO);
    const char *no_colour = getenv("NO_COLOR");
    if (given->json)
        return json_write(document, text);
    if (terminal)
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    if (terminal || given->align)
        inspect_aligned(document, terminal && (!no_colour || !*no_colour),
                        size.ws_col ? size.ws_col : 80, text);
    else
        inspect_lines(document, text);
    return text->failed ? fail(ENOMEM, "cannot compose the answer") : 0;
}

static int run_inspect(const struct call *call)
{
    const struct inspect_options *given = call->values;
    struct json_object *document = NULL;
    autotext struct text text = {0};
    uint32_t pid;
    int result = check_options(given, call, &pid);
    if (result < 0) {
        error_hint("see 'shimbox inspect --help'");
        return report_error(EXIT_TROUBLE);
    }
    if (given->system)
        result = inspect_system(given->messages ? given->messages : 10, &document);
    else if (given->device)
        result = inspect_device(given->device, &document);
    else
        result = inspect_process((pid_t)pid, call->globals->filled, &document);
    if (result == 0)
        result = compose(given, document, &text);
    json_object_put(document);
    if (result == 0)
        result = write_all(STDOUT_FILENO, "standard output", text.data, text.length);
    return result < 0 ? report_error(EXIT_TROUBLE) : EXIT_YES;
}

static const struct applet inspect = {
    .name = "inspect",
    .texts = APPLET_TEXTS(
        "tell what a process is and sees, or what the machine is", "[options] [PID]",
        "Tells of a process: ids and groups, id maps, namespaces, capabilities, security, cgroups, "
        "limits, scheduling, signals, open descriptors, environment, mounts, and the interfaces of "
        "its network namespace. Without PID (or with self) it is about what shimbox itself was "
        "given by its caller; then it also answers where /proc is not mounted, as far as system "
        "calls tell. What may not be read is said, in the place of the value: (Permission denied), "
        "in JSON {\"error\": \"Permission denied\"}.\n"
        "\n"
        "The text is aligned on a terminal, with the mounts as a tree, and coloured there unless "
        "NO_COLOR is set; elsewhere each fact is a line of its own, for grep.",
        "# what a container's process may do\n"
        "shimbox inspect 4711\n"
        "\n"
        "# in a container of nothing but shimbox\n"
        "shimbox run -- shimbox inspect --align\n"
        "\n"
        "# for a script\n"
        "shimbox inspect --json 1 | jq -r '.namespaces.network.inode'\n"
        "\n"
        "# disks, file systems, kernel messages\n"
        "shimbox inspect --system --messages 30"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct inspect_options),
    .failure = EXIT_TROUBLE,
    .run = run_inspect,
};

APPLET(inspect);
