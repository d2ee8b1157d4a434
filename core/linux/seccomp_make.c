/* System call filters: made by libseccomp, and what is put before its program.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/seccomp_parts.h"

#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

#define X32_BIT                                                                                    \
    0x40000000U /* in the number of a system call: it is an x32 one, the rest is x86-64 */

/* More names than this are searched as a tree by the kernel, rather than one by one. Not always:
 * libseccomp up to 2.5.4 fails with no rule at all. */
#define TREE_FROM 32

/* By the bits of the profile. */
static const uint32_t family[] = {
#ifdef __x86_64__
    SCMP_ARCH_X86_64,
    SCMP_ARCH_X86,
    SCMP_ARCH_X32,
#else
    SCMP_ARCH_AARCH64,
    SCMP_ARCH_ARM,
#endif
};
#define FAMILY (sizeof(family) / sizeof(family[0]))

struct maker {
    const struct filter_profile *profile;
    scmp_filter_ctx context;
    uint32_t highest[FAMILY]; /* numbers of system calls that the profile names; 0: none */
};

static int fail_make(int result)
{
    /* That is what libseccomp says of most failures of its own. */
    return fail(result == -ECANCELED ? EINVAL : -result, "cannot make the system call filter");
}

static bool is_wanted(const struct filter_profile *profile, size_t index)
{
    return index == 0 || profile->architectures & UINT32_C(1) << index;
}

static int begin(struct maker *maker)
{
    size_t names = 0;
    /* The level of Linux 5.7, rather than what it finds out: which program it makes is not to
     * depend on the kernel. What the kernel lacks then fails when the program is loaded. */
    seccomp_api_set(6);
    maker->context = seccomp_init(maker->profile->default_action);
    if (!maker->context)
        return fail(EINVAL, "cannot make the system call filter");
    /* The errno itself, where one is to blame, rather than ECANCELED. */
    int result = seccomp_attr_set(maker->context, SCMP_FLTATR_API_SYSRAWRC, 1);
    for (size_t i = 1; i < FAMILY && result == 0; i++) {
        if (is_wanted(maker->profile, i))
            result = seccomp_arch_add(maker->context, family[i]);
    }
    for (size_t i = 0; i < maker->profile->rule_count; i++) {
        for (const char **name = maker->profile->rules[i].names; *name; name++)
            names++;
    }
    if (result == 0 && names > TREE_FROM)
        result = seccomp_attr_set(maker->context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return result < 0 ? fail_make(result) : 0;
}

/* Conditions for one argument given twice: then each is a rule of its own, one of which has to
 * hold, instead of all together. Profiles rely on it, since runc began like that, before its
 * library could do better, and kept to it. */
static bool repeats_argument(const struct filter_rule *rule)
{
    unsigned seen = 0;
    for (size_t i = 0; i < rule->argument_count; i++) {
        if (seen & 1U << rule->arguments[i].index)
            return true;
        seen |= 1U << rule->arguments[i].index;
    }
    return false;
}

static struct scmp_arg_cmp compare(const struct filter_argument *argument)
{
    return (struct scmp_arg_cmp){.arg = argument->index,
                                 .op = (enum scmp_compare)argument->comparison,
                                 .datum_a = argument->value,
                                 .datum_b = argument->value_two};
}

static int add_name(struct maker *maker, const struct filter_rule *rule, int number)
{
    struct scmp_arg_cmp all[FILTER_ARGUMENTS];
    if (!repeats_argument(rule)) {
        for (size_t i = 0; i < rule->argument_count; i++)
            all[i] = compare(&rule->arguments[i]);
        return seccomp_rule_add_array(maker->context, rule->action, number,
                                      (unsigned)rule->argument_count, all);
    }
    int result = 0;
    for (size_t i = 0; i < rule->argument_count && result == 0; i++) {
        all[0] = compare(&rule->arguments[i]);
        result = seccomp_rule_add_array(maker->context, rule->action, number, 1, all);
    }
    return result;
}

/* All names count for what the profile knows, also those of rules that say nothing new. */
static void note_highest(struct maker *maker, const char *name)
{
    for (size_t i = 0; i < FAMILY; i++) {
        int number = seccomp_syscall_resolve_name_arch(family[i], name);
        if (number > 0 && (uint32_t)number > maker->highest[i])
            maker->highest[i] = (uint32_t)number;
    }
}

static int add_rule(struct maker *maker, const struct filter_rule *rule)
{
    for (const char **name = rule->names; *name; name++) {
        note_highest(maker, *name);
        int number = seccomp_syscall_resolve_name(*name);
        if (number == __NR_SCMP_ERROR) {
            step("pass over %s, no known system call", *name);
            continue;
        }
        /* libseccomp refuses a rule that says what holds anyway. */
        if (rule->action == maker->profile->default_action)
            continue;
        int result = add_name(maker, rule, number);
        if (result < 0) {
            fail_make(result);
            error_context("%s", *name);
            return result;
        }
    }
    return 0;
}

/* libseccomp writes its program to a file only. vm.memfd_noexec may demand the flag that older
 * kernels do not know. */
static int export(const struct maker *maker, struct filter_program *program, size_t before)
{
    autoclose int file = memfd_create("filter", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (file < 0 && errno == EINVAL)
        file = memfd_create("filter", MFD_CLOEXEC);
    if (file < 0)
        return fail(errno, "cannot make the system call filter");
    int result = seccomp_export_bpf(maker->context, file);
    if (result < 0)
        return fail_make(result);
    off_t size = lseek(file, 0, SEEK_END);
    if (size <= 0 || size % (off_t)sizeof(struct sock_filter))
        return fail(EIO, "cannot make the system call filter");
    size_t count = (size_t)size / sizeof(struct sock_filter);
    if (before + count > FILTER_LENGTH_MAX)
        return fail_config(NULL, "the profile makes %zu instructions, the kernel takes %d",
                           before + count, FILTER_LENGTH_MAX);
    program->code = calloc(before + count, sizeof(struct sock_filter));
    if (!program->code)
        return fail(ENOMEM, "cannot make the system call filter");
    program->length = before + count;
    if (pread(file, program->code + before, (size_t)size, 0) != size)
        return fail(EIO, "cannot make the system call filter");
    return 0;
}

/* A program that tries a new system call expects ENOSYS of a kernel that lacks it, and then does
 * with an older one; EPERM would make it give up. A profile cannot know what is newer than itself;
 * but numbers are given in the order of time. So what is above the highest number that the profile
 * names, whatever it says of it, is answered ENOSYS, as runc does it: unless the default action
 * lets calls pass, or asks a tracer, who may know better. */
static bool answers_newer(const struct filter_profile *profile)
{
    switch (profile->default_action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_TRACE:
        return false;
    default:
        return profile->default_action != SCMP_ACT_ERRNO(ENOSYS);
    }
}

struct part {
    struct sock_filter code[24];
    size_t length;
};

/* Jumps to these are resolved when the end is known. */
enum { TO_FILTER = 0xfe, TO_ENOSYS = 0xff };

static void put(struct part *part, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    part->code[part->length++] = (struct sock_filter){code, yes, no, value};
}

static void put_limit(struct part *part, uint32_t highest)
{
    if (highest)
        put(part, BPF_JMP | BPF_JGT | BPF_K, highest, TO_ENOSYS, TO_FILTER);
    else
        put(part, BPF_JMP | BPF_JGT | BPF_K, 0, TO_FILTER, TO_FILTER);
}

/* Calls of x32 have the architecture of x86-64. */
static void put_architecture(struct part *part, uint32_t token, const uint32_t *highest,
                             const uint32_t *highest_x32)
{
    put(part, BPF_JMP | BPF_JEQ | BPF_K, token, 0, highest_x32 ? 4 : 2);
    put(part, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    if (highest_x32)
        put(part, BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 1, 0);
    put_limit(part, *highest);
    if (highest_x32)
        put_limit(part, *highest_x32);
}

static void resolve(struct part *part)
{
    size_t filter = part->length;
    size_t answer = filter - 1;
    for (size_t i = 0; i < answer; i++) {
        struct sock_filter *code = &part->code[i];
        if (BPF_CLASS(code->code) != BPF_JMP)
            continue;
        for (uint8_t *jump = &code->jt;; jump = &code->jf) {
            if (*jump >= TO_FILTER)
                *jump = (uint8_t)((*jump == TO_FILTER ? filter : answer) - i - 1);
            if (jump == &code->jf)
                break;
        }
    }
}

/* What comes before libseccomp's program. An architecture that the profile does not have is left to
 * that, which denies it. */
static void make_answer(const struct maker *maker, struct part *part)
{
    if (!answers_newer(maker->profile))
        return;
    put(part, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
#ifdef __x86_64__
    static const uint32_t none = 0;
    if (is_wanted(maker->profile, 1))
        put_architecture(part, AUDIT_ARCH_I386, &maker->highest[1], NULL);
    put_architecture(part, AUDIT_ARCH_X86_64, &maker->highest[0],
                     is_wanted(maker->profile, 2) ? &maker->highest[2] : &none);
#else
    if (is_wanted(maker->profile, 1))
        put_architecture(part, AUDIT_ARCH_ARM, &maker->highest[1], NULL);
    put_architecture(part, AUDIT_ARCH_AARCH64, &maker->highest[0], NULL);
#endif
    put(part, BPF_JMP | BPF_JEQ | BPF_K, 0, TO_FILTER, TO_FILTER);
    put(part, BPF_RET | BPF_K, SCMP_ACT_ERRNO(ENOSYS), 0, 0);
    resolve(part);
}

static int make(struct maker *maker, struct filter_program *program, long *bad_rule)
{
    struct part part = {.length = 0};
    int result = begin(maker);
    for (size_t i = 0; i < maker->profile->rule_count && result == 0; i++) {
        result = add_rule(maker, &maker->profile->rules[i]);
        if (result < 0)
            *bad_rule = (long)i;
    }
    if (result < 0)
        return result;
    make_answer(maker, &part);
    result = export(maker, program, part.length);
    if (result == 0 && part.length)
        memcpy(program->code, part.code, part.length * sizeof(part.code[0]));
    return result;
}

int filter_make(const struct filter_profile *profile, struct filter_program *program,
                long *bad_rule)
{
    struct maker maker = {.profile = profile};
    int result = make(&maker, program, bad_rule);
    if (maker.context)
        seccomp_release(maker.context);
    if (result < 0)
        free_pointer(&program->code);
    return result;
}

const char *filter_library(char *text, size_t size)
{
    const struct scmp_version *version = seccomp_version();
    snprintf(text, size, "%u.%u.%u", version->major, version->minor, version->micro);
    return text;
}
