/* update: other limits for a container.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/container/bundle.h"
#include "core/container/lifecycle.h"
#include "core/linux/schedule.h"
#include "core/oci/json.h"
#include "core/oci/resources.h"

struct update_options {
    const char *resources;
    const char *values[18]; /* of the other options, in their order */
};

#define VALUE(number)                                                                              \
    ((uint16_t)(offsetof(struct update_options, values) + (number) * sizeof(const char *)))

#define REFUSED(number, name, argument)                                                            \
    {                                                                                              \
        0, OPTION_TEXT, VALUE(number), OPTION_WORDS(name, argument, "Not supported")               \
    }

static const struct option options[] = {
    {'r', OPTION_TEXT, offsetof(struct update_options, resources),
     OPTION_WORDS("resources", "FILE", "Take all limits from FILE, as linux.resources; -: stdin")},
    {0, OPTION_TEXT, VALUE(0),
     OPTION_WORDS("memory", "BYTES", "Memory; as 512m, 1g; -1: no limit")},
    {0, OPTION_TEXT, VALUE(1),
     OPTION_WORDS("memory-reservation", "BYTES", "Memory that is left to it in need")},
    {0, OPTION_TEXT, VALUE(2),
     OPTION_WORDS("memory-swap", "BYTES", "Memory and swap space together; -1: no limit")},
    {0, OPTION_TEXT, VALUE(3), OPTION_WORDS("cpu-period", "USEC", "Period that a quota is for")},
    {0, OPTION_TEXT, VALUE(4),
     OPTION_WORDS("cpu-quota", "USEC", "CPU time in each period; -1: no limit")},
    {0, OPTION_TEXT, VALUE(5),
     OPTION_WORDS("cpu-burst", "USEC", "What may be saved up beyond the quota")},
    {0, OPTION_TEXT, VALUE(6), OPTION_WORDS("cpu-share", "SHARES", "Weight; 1024 is usual")},
    {0, OPTION_TEXT, VALUE(7), OPTION_WORDS("cpu-idle", "0|1", "Only what nobody else wants")},
    {0, OPTION_TEXT, VALUE(8), OPTION_WORDS("cpuset-cpus", "LIST", "CPUs to run on: 0-3,7")},
    {0, OPTION_TEXT, VALUE(9), OPTION_WORDS("cpuset-mems", "LIST", "Memory nodes to use")},
    {0, OPTION_TEXT, VALUE(10),
     OPTION_WORDS("pids-limit", "NUMBER", "Processes and threads; -1: no limit")},
    REFUSED(11, "kernel-memory", "BYTES"),
    REFUSED(12, "kernel-memory-tcp", "BYTES"),
    REFUSED(13, "cpu-rt-period", "USEC"),
    REFUSED(14, "cpu-rt-runtime", "USEC"),
    REFUSED(15, "blkio-weight", "WEIGHT"),
    REFUSED(16, "l3-cache-schema", "SCHEMA"),
    REFUSED(17, "mem-bw-schema", "SCHEMA"),
};

/* What an option's argument is, and what it sets. */
enum form {
    FORM_NONE, /* not supported */
    FORM_BYTES,
    FORM_SIGNED,
    FORM_UNSIGNED,
    FORM_LIST,
    FORM_IDLE,
};

static const struct meaning {
    uint8_t form;
    uint8_t given; /* offset of the flag that there is one; 0: the value says so */
    uint8_t target;
} meanings[18] = {
#define MEANING(form, field)                                                                       \
    {                                                                                              \
        form, 0, offsetof(struct resources, field)                                                 \
    }
#define FLAGGED(form, flag, field)                                                                 \
    {                                                                                              \
        form, offsetof(struct resources, flag), offsetof(struct resources, field)                  \
    }
    MEANING(FORM_BYTES, memory_limit),
    MEANING(FORM_BYTES, memory_reservation),
    MEANING(FORM_BYTES, memory_swap),
    MEANING(FORM_UNSIGNED, cpu_period),
    MEANING(FORM_SIGNED, cpu_quota),
    FLAGGED(FORM_UNSIGNED, has_cpu_burst, cpu_burst),
    MEANING(FORM_UNSIGNED, cpu_shares),
    FLAGGED(FORM_IDLE, has_cpu_idle, cpu_idle),
    MEANING(FORM_LIST, cpus),
    MEANING(FORM_LIST, mems),
    FLAGGED(FORM_SIGNED, has_pids_limit, pids_limit),
};

/* Bytes as runc reads them: "512m", "1.5GiB"; a unit is a power of 1024. -1: no limit. */
static int read_bytes(const char *text, int64_t *bytes)
{
    static const char units[] = "kmgtp";
    size_t digits = strspn(text, "0123456789.");
    char *end = NULL;
    if (strcmp(text, "-1") == 0) {
        *bytes = -1;
        return 0;
    }
    if (digits == 0 || *text == '.')
        return -EINVAL;
    double number = strtod(text, &end);
    if (end != text + digits || end[-1] == '.')
        return -EINVAL;
    if (*end == ' ')
        end++;
    const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
    for (const char *power = units; unit && power <= unit; power++)
        number *= 1024;
    end += unit != NULL;
    end += unit && (*end | 0x20) == 'i';
    end += (*end | 0x20) == 'b';
    if (*end || !(number < 0x1p63))
        return -EINVAL;
    *bytes = (int64_t)number;
    return 0;
}

static int read_signed(const char *text, int64_t *number)
{
    uint64_t magnitude;
    bool negative = *text == '-';
    int result = parse_u64(text + negative, INT64_MAX, &magnitude);
    if (result == 0)
        *number = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return result;
}

static int read_list(const char *text, const char **list)
{
    *list = text;
    return parse_number_list(text, CPU_MAX, NULL);
}

static int read_option(const struct option *option, const struct meaning *meaning, const char *text,
                       struct resources *resources)
{
    static const char kinds[][40] = {
        [FORM_BYTES] = "a number of bytes, such as 512m",
        [FORM_SIGNED] = "a whole number",
        [FORM_UNSIGNED] = "a whole number from 0 upwards",
        [FORM_LIST] = "a list such as 0-3,7",
        [FORM_IDLE] = "0 or 1",
    };
    char *target = (char *)resources + meaning->target;
    uint64_t idle = 0;
    int result = -EINVAL;
    switch (meaning->form) {
    case FORM_BYTES:
        result = read_bytes(text, (void *)target);
        break;
    case FORM_SIGNED:
        result = read_signed(text, (void *)target);
        break;
    case FORM_UNSIGNED:
        result = parse_u64(text, UINT64_MAX, (void *)target);
        break;
    case FORM_LIST:
        result = read_list(text, (void *)target);
        break;
    case FORM_IDLE:
        result = parse_u64(text, 1, &idle);
        resources->cpu_idle = idle == 1;
        break;
    default:
        return fail_usage("option --%s is not supported", option_name(option));
    }
    if (result < 0)
        return fail_usage("option --%s: '%s' is not %s", option_name(option), text,
                          kinds[meaning->form]);
    if (meaning->given)
        *((bool *)resources + meaning->given) = true;
    return 0;
}

/* An empty argument is none, as with runc. */
static int read_options(const struct update_options *values, struct resources *resources)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        const char *text = values->values[i];
        if (!text || !*text)
            continue;
        if (values->resources && meanings[i].form != FORM_NONE)
            return fail_usage("option --%s: not together with --resources",
                              option_name(&options[i + 1]));
        result = read_option(&options[i + 1], &meanings[i], text, resources);
    }
    return result;
}

static int read_resources(const char *file, struct json_object **document,
                          struct resources *resources)
{
    int result = bundle_read_document(document, file);
    if (result < 0)
        return result;
    struct json_field root = json_root(*document);
    result = resources_read(resources, &root);
    if (result < 0)
        error_context("%s", strcmp(file, "-") == 0 ? "standard input" : file);
    return result;
}

static int update(const struct call *call, struct json_object **document,
                  struct resources *resources)
{
    const struct update_options *values = call->values;
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    if (call->argc != 1)
        return fail_usage("one container ID is wanted, %d are given", call->argc);
    int result = read_options(values, resources);
    if (result == 0 && values->resources)
        result = read_resources(values->resources, document, resources);
    if (result < 0)
        return result;
    /* 0 is no limit to be set, as with runc. */
    resources->has_pids_limit = resources->has_pids_limit && resources->pids_limit != 0;
    result = lifecycle_open_locked(&lifecycle, call->globals->root, call->argv[0]);
    return result < 0 ? result : lifecycle_update(&lifecycle, resources);
}

static int run(const struct call *call)
{
    autojson struct json_object *document = NULL;
    struct resources resources = {0};
    int result = update(call, &document, &resources);
    resources_free(&resources);
    return result < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "update",
    .texts = APPLET_TEXTS(
        "give a container other limits", "[options] ID",
        "Changes limits of a container that is created, runs or is paused, in its cgroup of "
        "version 2; what is not named stays as it is, and so does a limit that is given as 0, but "
        "for --cpu-burst and --cpu-idle. All of it is done or nothing: on a failure the values "
        "that were there are put back.\n"
        "\n"
        "--resources takes a JSON object as linux.resources of config.json is one, also with "
        "devices, whose filter is replaced in one step, and unified; other options of limits are "
        "refused beside it. Swap space is counted "
        "together with memory, so that --memory-swap needs --memory, and at least as much, unless "
        "it is -1. A "
        "limit of memory below what is in use may end processes.\n",
        "# half a CPU, and 512 MiB\n"
        "shimbox update --cpu-period 100000 --cpu-quota 50000 --memory 512m web\n"
        "\n"
        "# as an engine does it\n"
        "echo '{\"pids\":{\"limit\":100}}' | shimbox update --resources - web\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct update_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
