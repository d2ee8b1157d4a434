/* cgroup-run: go on in a cgroup, with limits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/linux/cgroup.h"
#include "core/linux/chain.h"
#include "core/oci/quantity.h"

/* What the kernel's cpuset can number at most, and how many processes there can be (PID_MAX_LIMIT).
 */
#define CPU_MAX  8191
#define PIDS_MAX 4194304

#define WEIGHT_MAX   10000
#define SETTING_SIZE 256

struct cgroup_options {
    const char *path;
    bool fresh;
    const char *memory, *memory_high, *memory_low, *swap;
    const char *cpu, *cpu_weight;
    const char *pids;
    const char *cpus, *mems;
    struct text_list settings;
    const char *delegate;
    bool kill;
    bool remove;
};

#define AT(field) ((uint16_t)offsetof(struct cgroup_options, field))

static const struct option options[] = {
    {'n', OPTION_FLAG, AT(fresh), OPTION_WORDS("new", "", "Fail if the cgroup is there")},
    {'m', OPTION_TEXT, AT(memory), OPTION_WORDS("memory", "QUANTITY", "Most memory, 64Mi; or max")},
    {0, OPTION_TEXT, AT(memory_high),
     OPTION_WORDS("memory-high", "QUANTITY", "Memory above which processes are slowed down")},
    {0, OPTION_TEXT, AT(memory_low),
     OPTION_WORDS("memory-low", "QUANTITY", "Memory that is taken away last (reservation)")},
    {0, OPTION_TEXT, AT(swap),
     OPTION_WORDS("swap", "QUANTITY", "Most swap space, beside --memory; 0 for none")},
    {'c', OPTION_TEXT, AT(cpu),
     OPTION_WORDS("cpu", "QUANTITY", "Most CPU time: 500m is half of a CPU; or max")},
    {0, OPTION_TEXT, AT(cpu_weight),
     OPTION_WORDS("cpu-weight", "NUMBER", "Share of CPU time, 1 to 10000 (default: 100)")},
    {'p', OPTION_TEXT, AT(pids),
     OPTION_WORDS("pids", "NUMBER", "Most processes and threads; or max")},
    {0, OPTION_TEXT, AT(cpus), OPTION_WORDS("cpus", "LIST", "CPUs to run on: 0-3,7")},
    {0, OPTION_TEXT, AT(mems), OPTION_WORDS("mems", "LIST", "Memory nodes to allocate from")},
    {'s', OPTION_LIST, AT(settings),
     OPTION_WORDS("set", "FILE=VALUE", "Write any other limit: io.max=...")},
    {0, OPTION_TEXT, AT(delegate),
     OPTION_WORDS("delegate", "UID[:GID]", "Give the cgroup to that user")},
    {'k', OPTION_FLAG, AT(kill), OPTION_WORDS("kill", "", "Kill all processes in it and below")},
    {'d', OPTION_FLAG, AT(remove), OPTION_WORDS("delete", "", "Remove it, and those below it")},
};

/* ---- what the options ask for ---- */

enum limit_kind {
    LIMIT_BYTES,     /* a quantity, or "max" */
    LIMIT_ALSO_NONE, /* the same, or 0 */
    LIMIT_CPU,       /* a quantity of CPUs, or "max" */
    LIMIT_WEIGHT,    /* a number */
    LIMIT_PIDS,      /* a number, or "max" */
    LIMIT_LIST,      /* "0-3,7" */
};

/* In the order of the option table, from FIRST_LIMIT on. */
static const struct limit {
    uint8_t kind;
    char file[16];
} limits[] = {
    {LIMIT_BYTES, "memory.max"},     {LIMIT_BYTES, "memory.high"},
    {LIMIT_ALSO_NONE, "memory.low"}, {LIMIT_ALSO_NONE, "memory.swap.max"},
    {LIMIT_CPU, "cpu.max"},          {LIMIT_WEIGHT, "cpu.weight"},
    {LIMIT_PIDS, "pids.max"},        {LIMIT_LIST, "cpuset.cpus"},
    {LIMIT_LIST, "cpuset.mems"},
};
#define LIMITS      (sizeof(limits) / sizeof(limits[0]))
#define FIRST_LIMIT 1

/* Settings that were made from options, before those of --set. */
struct settings {
    char text[LIMITS][SETTING_SIZE];
    struct text_list list;
};

static void free_settings(struct settings *settings)
{
    text_list_free(&settings->list);
}

static int read_number(const char *option, const char *text, uint32_t least, uint32_t most)
{
    uint32_t number;
    if (parse_u32(text, most, &number) == 0 && number >= least)
        return 0;
    return fail_usage("%s: '%s' is not a number from %u to %u", option, text, least, most);
}

/* The setting that goes to the kernel, "memory.max=67108864". */
static int read_limit(size_t index, const char *text, char setting[SETTING_SIZE])
{
    const struct limit *limit = &limits[index];
    uint64_t number = 0;
    char option[32];
    int length = snprintf(setting, SETTING_SIZE, "%s=%s", limit->file, text);
    snprintf(option, sizeof(option), "option --%s", option_name(&options[FIRST_LIMIT + index]));
    if (limit->kind == LIMIT_WEIGHT)
        return read_number(option, text, 1, WEIGHT_MAX);
    if (limit->kind == LIMIT_LIST)
        return length < SETTING_SIZE && parse_number_list(text, CPU_MAX, NULL) == 0
                   ? 0
                   : fail_usage("%s: '%s' is not a list such as 0-3,7", option, text);
    if (strcmp(text, "max") == 0 || (limit->kind == LIMIT_ALSO_NONE && strcmp(text, "0") == 0))
        return 0;
    if (limit->kind == LIMIT_PIDS)
        return read_number(option, text, 0, PIDS_MAX);
    if (limit->kind != LIMIT_CPU) {
        int result = quantity_bytes(option, text, &number);
        snprintf(setting, SETTING_SIZE, "%s=%llu", limit->file, (unsigned long long)number);
        return result;
    }
    int result = quantity_milli(option, text, &number);
    snprintf(setting, SETTING_SIZE, "%s=%llu %d", limit->file,
             (unsigned long long)quantity_cpu_quota(number), CPU_PERIOD);
    return result;
}

static int read_settings(const struct cgroup_options *values, struct settings *settings)
{
    int result = 0;
    *settings = (struct settings){0};
    for (size_t i = 0; result == 0 && i < LIMITS; i++) {
        const char *text;
        memcpy(&text, (const char *)values + options[FIRST_LIMIT + i].offset, sizeof(text));
        if (!text)
            continue;
        result = read_limit(i, text, settings->text[i]);
        if (result == 0)
            result = text_list_add(&settings->list, settings->text[i]);
    }
    for (size_t i = 0; result == 0 && i < values->settings.count; i++) {
        result = cgroup_check_setting("--set", values->settings.items[i]);
        if (result == 0)
            result = text_list_add(&settings->list, values->settings.items[i]);
    }
    if (result == 0 && settings->list.count > CGROUP_SETTINGS_MAX)
        result = fail_usage("more than %d settings", CGROUP_SETTINGS_MAX);
    return result;
}

static int read_owner(const char *text, struct cgroup_wish *wish)
{
    char uid[16];
    if (!text)
        return 0;
    wish->delegate = true;
    wish->group = (gid_t)-1; /* as it is */
    snprintf(uid, sizeof(uid), "%.*s", (int)strcspn(text, ":"), text);
    const char *gid = strchr(text, ':');
    if (parse_id(uid, &wish->owner) < 0 || (gid && parse_id(gid + 1, &wish->group) < 0))
        return fail_usage("option --delegate: '%s' is not UID[:GID]", text);
    return 0;
}

static int check(struct call *call, int *consumed)
{
    struct cgroup_options *values = call->values;
    struct cgroup_wish wish = {0};
    __attribute__((cleanup(free_settings))) struct settings settings;
    int result = read_settings(values, &settings);
    if (result == 0)
        result = read_owner(values->delegate, &wish);
    if (result == 0 && call->argc == 0)
        result = fail_usage("no PATH of a cgroup");
    if (result < 0)
        return result;
    values->path = *call->argv++;
    call->argc--;
    if (call->argc > 0 && strcmp(*call->argv, "--") == 0) {
        call->argv++;
        call->argc--;
    }
    *consumed = call->argc == 0 || values->kill || values->remove ? CHAIN_LAST : 0;
    if ((values->kill || values->remove) &&
        (settings.list.count > 0 || wish.delegate || values->fresh))
        return fail_usage("--kill and --delete go with nothing but a PATH");
    if ((values->kill || values->remove) && strcmp(values->path, "/") == 0)
        return fail_usage("--kill and --delete are not for the root of the tree");
    return cgroup_check_path(values->path);
}

/* ---- doing it ---- */

static int end(struct cgroup *cgroup, int process, const struct cgroup_options *values)
{
    int result = 0;
    if (cgroup_holds(cgroup, process)) {
        result = fail(EBUSY, "this process is in cgroup %s itself", cgroup->path);
        error_hint("call it from another cgroup");
        return result;
    }
    if (values->kill)
        result = cgroup_kill(cgroup);
    return result == 0 && values->remove ? cgroup_delete(cgroup) : result;
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct cgroup_options *values = call->values;
    struct cgroup_wish wish = {.exclusive = values->fresh, .join = call->argc > 0};
    __attribute__((cleanup(free_settings))) struct settings settings;
    autocgroup struct cgroup cgroup = NO_CGROUP;
    (void)chain;
    autoclose int process = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = read_settings(values, &settings);
    if (result == 0 && process < 0)
        result = fail(errno, "cannot open /proc/self");
    if (result == 0)
        result = read_owner(values->delegate, &wish);
    if (result == 0)
        result = cgroup_find(&cgroup, process, values->path);
    if (result < 0)
        return result;
    wish.settings = &settings.list;
    if (values->kill || values->remove) {
        result = end(&cgroup, process, values);
    } else {
        autoclose int made = cgroup_make(&cgroup, process, &wish);
        result = made < 0 ? made : 0;
    }
    return result == 0 && call->argc == 0 ? CHAIN_END(0) : result;
}

static const struct applet applet = {
    .name = "cgroup-run",
    .texts = APPLET_TEXTS(
        "go on in a cgroup, with limits", "[options] PATH [-- NEXT [ARG...]]",
        "Creates the cgroup PATH (version 2) if it is missing, sets its limits, moves this process "
        "there and becomes NEXT. Without NEXT nothing is moved. A PATH that starts with a slash is "
        "below the mounted tree, another one below the cgroup that this process is in.\n"
        "\n"
        "Controllers are enabled in the cgroups above where they are not yet. Only the root of the "
        "tree can have both processes and controllers for the cgroups below it; if this process "
        "alone is in the way, it moves first. When something fails, all is as it was.\n"
        "\n"
        "Quantities are those of Kubernetes. The cgroup stays when NEXT has ended: --delete "
        "removes it, --kill --delete also while it has processes.\n"
        "\n"
        "A user needs a cgroup of his own: from systemd-run --user --scope -p Delegate=yes, or by "
        "--delegate.\n",
        "# at most 64 MiB, half of a CPU and 20 processes\n"
        "shimbox cgroup-run --memory 64Mi --swap 0 --cpu 500m --pids 20 /job -- make\n"
        "shimbox cgroup-run --kill --delete /job\n"
        "\n"
        "# an ordinary user\n"
        "systemd-run --user --scope -p Delegate=yes \\\n"
        "    shimbox cgroup-run --memory 1Gi job -- make\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct cgroup_options),
    .failure = EXIT_OWN_FAILURE,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
