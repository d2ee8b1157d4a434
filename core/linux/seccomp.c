/* System call filters: their words, and loading them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/seccomp_parts.h"
#include "core/linux/sys.h"

/* KILL has always meant the thread. */
static const struct action {
    char name[22];
    uint16_t number_max;
    uint32_t value;
} actions[] = {
    {"SCMP_ACT_KILL", 0, SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", 0, SECCOMP_RET_KILL_PROCESS},
    {"SCMP_ACT_KILL_THREAD", 0, SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_TRAP", 0, SECCOMP_RET_TRAP},
    {"SCMP_ACT_ERRNO", FILTER_ERRNO_MAX, SECCOMP_RET_ERRNO},
    {"SCMP_ACT_TRACE", FILTER_MESSAGE_MAX, SECCOMP_RET_TRACE},
    {"SCMP_ACT_ALLOW", 0, SECCOMP_RET_ALLOW},
    {"SCMP_ACT_LOG", 0, SECCOMP_RET_LOG},
    {"SCMP_ACT_NOTIFY", 0, SECCOMP_RET_USER_NOTIF},
};

/* In the order of libseccomp's enum scmp_compare, which starts with 1. */
static const char comparisons[][20] = {"SCMP_CMP_NE",       "SCMP_CMP_LT", "SCMP_CMP_LE",
                                       "SCMP_CMP_EQ",       "SCMP_CMP_GE", "SCMP_CMP_GT",
                                       "SCMP_CMP_MASKED_EQ"};

static const struct flag {
    char name[40];
    uint8_t value;
} flags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

/* All that runtime-spec and libseccomp know; those of this family of machines come first, and their
 * numbers are the bits. */
static const char architectures[][12] = {
#ifdef __x86_64__
    "X86_64",   "X86",     "X32",         "AARCH64", "ARM",
#else
    "AARCH64",  "ARM",     "X86_64",      "X86",    "X32",
#endif
    "MIPS",     "MIPS64",  "MIPS64N32",   "MIPSEL",  "MIPSEL64", "MIPSEL64N32",
    "PPC",      "PPC64",   "PPC64LE",     "S390",    "S390X",    "PARISC",
    "PARISC64", "RISCV64", "LOONGARCH64", "M68K",    "SH",       "SHEB",
};

#ifdef __x86_64__
#define FAMILY 3
#else
#define FAMILY 2
#endif

int filter_action(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

uint32_t filter_action_value(int action)
{
    return actions[action].value;
}

uint32_t filter_action_number_max(int action)
{
    return actions[action].number_max;
}

int filter_comparison(const char *name)
{
    for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        if (strcmp(comparisons[i], name) == 0)
            return (int)i + 1;
    }
    return -1;
}

int filter_flag(const char *name)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(flags[i].name, name) == 0)
            return flags[i].value;
    }
    return -1;
}

int filter_architecture(const char *name)
{
    static const char prefix[] = "SCMP_ARCH_";
    if (!starts_with(name, prefix))
        return -1;
    for (size_t i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++) {
        if (strcmp(architectures[i], name + strlen(prefix)) == 0)
            return i < FAMILY ? 1 << i : 0;
    }
    return -1;
}

void filter_profile_free(struct filter_profile *profile)
{
    for (size_t i = 0; i < profile->rule_count; i++) {
        free(profile->rules[i].names);
        free(profile->rules[i].arguments);
    }
    free(profile->rules);
    *profile = (struct filter_profile){.given = false};
}

/* seccomp(2) without CONFIG_SECCOMP is ENOSYS; with it, but without filters, EINVAL. */
int filter_check(void)
{
    uint32_t action = SECCOMP_RET_ALLOW;
    if (sys_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot filter system calls");
    if (number == ENOSYS || number == EINVAL)
        error_hint("this needs a kernel with CONFIG_SECCOMP_FILTER");
    return result;
}

/* What a program needs beside the profile's flags. */
static uint32_t load_flags(const struct filter_profile *profile)
{
    uint32_t wanted = profile->flags;
    if (!profile->notifies)
        return wanted;
    /* Both give a result; without this one the kernel refuses them together (Linux 5.7). */
    if (wanted & SECCOMP_FILTER_FLAG_TSYNC)
        wanted |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    return wanted | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

int filter_compile(const struct filter_profile *profile, int cache, struct filter_program *program,
                   long *bad_rule)
{
    autotext struct text text = {0};
    *program = (struct filter_program){.flags = load_flags(profile)};
    *bad_rule = -1;
    if (cache >= 0) {
        step("look for the filter in the cache");
        filter_describe(profile, &text);
        if (text.failed)
            cache = -1;
        else if (filter_cache_find(cache, &text, program))
            return 0;
    }
    step("compile the filter");
    int result = filter_make(profile, program, bad_rule);
    if (result == 0 && cache >= 0) {
        step("keep the filter in the cache");
        filter_cache_keep(cache, &text, program);
    }
    return result;
}

int filter_load(const struct filter_program *program)
{
    struct sock_fprog sent = {.len = (unsigned short)program->length, .filter = program->code};
    int listener = sys_seccomp(SECCOMP_SET_MODE_FILTER, program->flags, &sent);
    if (listener >= 0)
        return program->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? listener : 0;
    int number = errno;
    int result = fail(number, "cannot load the system call filter");
    if (number == EINVAL && program->flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
        error_hint("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs Linux 5.19");
    else if (number == EBUSY)
        error_hint("a filter from outside has a listener already, and there can be one only");
    return result;
}
