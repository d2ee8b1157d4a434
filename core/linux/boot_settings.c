/* What the kernel's command line asks of process 1.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/boot_settings.h"

#include <errno.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/kernel_command.h"

#define PREFIX "shimbox."

/* Long enough for a disk that a bus finds late. */
#define WAIT_SECONDS 10

static int read_exit(const char *value, enum boot_exit *at_end)
{
    static const char *const words[] = {"poweroff", "reboot", "halt"};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            *at_end = (enum boot_exit)i;
            return 0;
        }
    }
    return fail_usage("kernel argument " PREFIX "exit: '%s' is none of poweroff, reboot, halt",
                      value);
}

static int read_wait(const char *value, uint32_t *seconds)
{
    if (parse_u32(value, 3600, seconds) == 0)
        return 0;
    return fail_usage("kernel argument " PREFIX "wait: '%s' is not a number of seconds up to 3600",
                      value);
}

static int read_flag(const struct kernel_word *word, const char *name, bool *flag)
{
    if (word->value)
        return fail_usage("kernel argument " PREFIX "%s: takes no value", name);
    *flag = true;
    return 0;
}

/* One of ours; name: without the prefix. */
static int read_own(const struct kernel_word *word, const char *name,
                    struct boot_settings *settings)
{
    const struct {
        const char *name;
        const char **value;
    } texts[] = {
        {"run", &settings->run},
        {"bundle", &settings->bundle},
        {"device", &settings->device},
        {"switch_root", &settings->switch_root},
        {"exit", NULL},
        {"wait", NULL},
        {"modules", &settings->modules},
    };
    if (kernel_command_same(name, "overlay"))
        return read_flag(word, "overlay", &settings->overlay);
    if (kernel_command_same(name, "debug"))
        return read_flag(word, "debug", &settings->debug);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!kernel_command_same(name, texts[i].name))
            continue;
        const char *value = word->value ? word->value : "";
        if (!value[strspn(value, " \t")])
            return fail_usage("kernel argument " PREFIX "%s: has no value", texts[i].name);
        if (texts[i].value) {
            *texts[i].value = value;
            return 0;
        }
        return texts[i].name[0] == 'e' ? read_exit(value, &settings->exit)
                                       : read_wait(value, &settings->wait);
    }
    int result = fail_usage("unknown kernel argument " PREFIX "%s", name);
    error_hint("see 'shimbox boot --help'");
    return result;
}

static void read_others(const struct kernel_word *word, struct boot_settings *settings)
{
    if (strcmp(word->name, "ro") == 0 || strcmp(word->name, "rw") == 0)
        settings->writable = word->name[1] == 'w';
    else if (word->value && strcmp(word->name, "ip") == 0)
        settings->ip = word->value;
    else if (word->value && word->value[0] && strcmp(word->name, "init") == 0)
        settings->init = word->value;
}

/* At most one of what the machine can be for, and nothing that has no use. */
static int check(const struct boot_settings *settings)
{
    const char *first = settings->run           ? "run"
                        : settings->bundle      ? "bundle"
                        : settings->switch_root ? "switch_root"
                                                : NULL;
    const char *last = settings->switch_root ? "switch_root"
                       : settings->bundle    ? "bundle"
                       : settings->run       ? "run"
                                             : NULL;
    if (first != last)
        return fail_usage("kernel arguments " PREFIX "%s and " PREFIX "%s exclude each other",
                          first, last);
    if (settings->overlay && !settings->device)
        return fail_usage("kernel argument " PREFIX "overlay: needs " PREFIX "device");
    return 0;
}

int boot_read_settings(char *line, struct boot_settings *settings)
{
    struct kernel_word word;
    int result = 0;
    *settings = (struct boot_settings){.wait = WAIT_SECONDS, .exit = BOOT_POWER_OFF};
    while (kernel_command_next(&line, &word)) {
        int now = 0;
        if (strncmp(word.name, PREFIX, strlen(PREFIX)) == 0)
            now = read_own(&word, word.name + strlen(PREFIX), settings);
        else
            read_others(&word, settings);
        result = result < 0 ? result : now;
    }
    return result < 0 ? result : check(settings);
}
