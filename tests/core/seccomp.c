/* Tests of core/linux/seccomp*.c: what the program answers for each architecture, told by an
 * interpreter of its own instead of the kernel; words; too large ones.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/linux/seccomp.h"

#define ERRNO(number) (SECCOMP_RET_ERRNO | (number))
#define X32           0x40000000U

/* A few numbers of Linux, by architecture. */
enum { I386_GETPID = 20, I386_MKDIR = 39, I386_SOCKETCALL = 102, I386_READV = 145 };
enum { X86_64_GETPID = 39, X86_64_MKDIR = 83, X86_64_READV = 19, X32_READV = 515 };
enum { ARM_GETPID = 20, ARM_MKDIR = 39, AARCH64_GETPID = 172, AARCH64_MKDIRAT = 34 };

/* Classic BPF, as far as programs for seccomp(2) have it. A jump beyond the end, or an instruction
 * that is not known, is a failure. */
static uint32_t interpret(const struct filter_program *program, const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t at = 0; at < program->length; at++) {
        const struct sock_filter *code = &program->code[at];
        bool yes = false;

        switch (code->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(code->k <= sizeof(*data) - sizeof(a) && code->k % 4 == 0);
            memcpy(&a, (const char *)data + code->k, sizeof(a));
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= code->k;
            continue;
        case BPF_RET | BPF_K:
            return code->k;
        case BPF_JMP | BPF_JA:
            at += code->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            yes = a == code->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            yes = a > code->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            yes = a >= code->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            yes = a & code->k;
            break;
        default:
            print_error("instruction %zu is unknown: %#x\n", at, code->code);
            assert_true(false);
        }
        at += yes ? code->jt : code->jf;
    }
    print_error("the program has no end\n");
    assert_true(false);
    return 0;
}

struct answer {
    uint32_t architecture;
    uint32_t number;
    uint64_t argument; /* the first one */
    uint32_t expected;
};

static void check(const struct filter_profile *profile, const struct answer *answers, size_t count)
{
    struct filter_program program;
    long bad_rule;

    assert_int_equal(filter_compile(profile, -1, &program, &bad_rule), 0);
    assert_int_equal(bad_rule, -1);
    for (size_t i = 0; i < count; i++) {
        struct seccomp_data data = {.arch = answers[i].architecture,
                                    .nr = (int)answers[i].number,
                                    .args = {answers[i].argument}};
        uint32_t found = interpret(&program, &data);

        if (found != answers[i].expected)
            print_error("answer %zu, of call %#x of %#x\n", i, (unsigned)data.nr, data.arch);
        assert_int_equal(found, answers[i].expected);
    }
    free(program.code);
}

#define CHECK(profile, answers) check(profile, answers, sizeof(answers) / sizeof((answers)[0]))

static uint32_t architectures(const char *const *names)
{
    uint32_t bits = 0;

    for (; *names; names++) {
        int bit = filter_architecture(*names);

        assert_true(bit >= 0);
        bits |= (uint32_t)bit;
    }
    return bits;
}

#ifdef __x86_64__

static const char *const all[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", NULL};
static const char *const native[] = {"SCMP_ARCH_X86_64", NULL};
static const char *made[] = {"mkdir", "readv", "no_such_call", NULL};

/* The same names have other numbers, which libseccomp knows; what is not in the profile is killed.
 */
static void each_architecture(void **state)
{
    struct filter_rule rule = {.action = ERRNO(7), .names = made};
    struct filter_profile profile = {
        .given = true, .default_action = SECCOMP_RET_ALLOW, .rules = &rule, .rule_count = 1};
    const struct answer every[] = {
        {AUDIT_ARCH_X86_64, X86_64_MKDIR, 0, ERRNO(7)},
        {AUDIT_ARCH_X86_64, X86_64_READV, 0, ERRNO(7)},
        {AUDIT_ARCH_X86_64, X86_64_GETPID, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, 9999, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, X32 | X86_64_MKDIR, 0, ERRNO(7)},
        {AUDIT_ARCH_X86_64, X32 | X32_READV, 0, ERRNO(7)},
        {AUDIT_ARCH_X86_64, X32 | X86_64_READV, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_I386, I386_MKDIR, 0, ERRNO(7)},
        {AUDIT_ARCH_I386, I386_READV, 0, ERRNO(7)},
        {AUDIT_ARCH_I386, I386_GETPID, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_AARCH64, AARCH64_GETPID, 0, SECCOMP_RET_KILL_THREAD},
    };
    const struct answer alone[] = {
        {AUDIT_ARCH_X86_64, X86_64_MKDIR, 0, ERRNO(7)},
        {AUDIT_ARCH_X86_64, X86_64_GETPID, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, X32 | X86_64_GETPID, 0, SECCOMP_RET_KILL_THREAD},
        {AUDIT_ARCH_I386, I386_GETPID, 0, SECCOMP_RET_KILL_THREAD},
    };

    (void)state;
    profile.architectures = architectures(all);
    CHECK(&profile, every);
    profile.architectures = architectures(native);
    CHECK(&profile, alone);
    profile.architectures = 0;
    CHECK(&profile, alone);
}

/* ENOSYS above the highest number that is named, of each architecture by itself; below it the
 * default. Not where the default lets calls pass, or asks a tracer. */
static void newer_calls(void **state)
{
    static const uint32_t passing[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE | 1};
    struct filter_rule rule = {.action = SECCOMP_RET_ALLOW, .names = made};
    struct filter_profile profile = {
        .given = true, .default_action = ERRNO(EPERM), .rules = &rule, .rule_count = 1};
    const struct answer every[] = {
        {AUDIT_ARCH_X86_64, X86_64_MKDIR, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, X86_64_GETPID, 0, ERRNO(EPERM)},
        {AUDIT_ARCH_X86_64, X86_64_MKDIR + 1, 0, ERRNO(ENOSYS)},
        {AUDIT_ARCH_X86_64, X32 | X32_READV, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, X32 | X86_64_GETPID, 0, ERRNO(EPERM)},
        {AUDIT_ARCH_X86_64, X32 | (X32_READV + 1), 0, ERRNO(ENOSYS)},
        {AUDIT_ARCH_X86_64, UINT32_MAX, 0, ERRNO(ENOSYS)},
        {AUDIT_ARCH_I386, I386_READV, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_I386, I386_GETPID, 0, ERRNO(EPERM)},
        {AUDIT_ARCH_I386, I386_READV + 1, 0, ERRNO(ENOSYS)},
        {AUDIT_ARCH_ARM, 9999, 0, SECCOMP_RET_KILL_THREAD},
    };
    const struct answer alone[] = {
        {AUDIT_ARCH_X86_64, X86_64_GETPID, 0, ERRNO(EPERM)},
        {AUDIT_ARCH_X86_64, 9999, 0, ERRNO(ENOSYS)},
        {AUDIT_ARCH_X86_64, X32 | 9999, 0, SECCOMP_RET_KILL_THREAD},
        {AUDIT_ARCH_I386, 9999, 0, SECCOMP_RET_KILL_THREAD},
    };

    (void)state;
    profile.architectures = architectures(all);
    CHECK(&profile, every);
    profile.architectures = 0;
    CHECK(&profile, alone);
    rule.action = ERRNO(7);
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        const struct answer newer[] = {{AUDIT_ARCH_X86_64, 9999, 0, passing[i]},
                                       {AUDIT_ARCH_X86_64, X86_64_MKDIR, 0, ERRNO(7)}};

        profile.default_action = passing[i];
        CHECK(&profile, newer);
    }
}

/* A profile without a known name has no highest number. */
static void no_names(void **state)
{
    const char *unknown[] = {"no_such_call", NULL};
    struct filter_rule rule = {.action = SECCOMP_RET_ALLOW, .names = unknown};
    struct filter_profile profile = {
        .given = true, .default_action = ERRNO(EPERM), .rules = &rule, .rule_count = 1};
    const struct answer answers[] = {
        {AUDIT_ARCH_X86_64, X86_64_GETPID, 0, ERRNO(EPERM)},
        {AUDIT_ARCH_X86_64, 9999, 0, ERRNO(EPERM)},
    };

    (void)state;
    CHECK(&profile, answers);
    profile.rule_count = 0;
    CHECK(&profile, answers);
}

/* What a tree of them answers is what a list does. */
static void many_names(void **state)
{
    static const char *names[] = {
        "read",      "write",   "open",    "close",    "stat",    "fstat",  "lstat",
        "poll",      "lseek",   "mmap",    "mprotect", "munmap",  "brk",    "ioctl",
        "pread64",   "readv",   "writev",  "access",   "pipe",    "select", "mremap",
        "msync",     "mincore", "madvise", "shmget",   "dup",     "dup2",   "pause",
        "nanosleep", "alarm",   "getpid",  "socket",   "connect", "accept", "rename",
        "mkdir",     "rmdir",   "creat",   "link",     "unlink",  NULL,
    };
    struct filter_argument argument = {.index = 0, .comparison = 4, .value = 1ULL << 40};
    struct filter_rule rules[] = {
        {.action = SECCOMP_RET_ALLOW, .names = names},
        {.action = ERRNO(9),
         .names = (const char *[]){"symlink", NULL},
         .arguments = &argument,
         .argument_count = 1},
    };
    struct filter_profile profile = {
        .given = true, .default_action = SECCOMP_RET_TRAP, .rules = rules, .rule_count = 2};
    const struct answer answers[] = {
        {AUDIT_ARCH_X86_64, 0, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, X86_64_GETPID, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, X86_64_MKDIR, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_X86_64, 40, 0, SECCOMP_RET_TRAP},
        {AUDIT_ARCH_X86_64, 88, 1ULL << 40, ERRNO(9)},
        {AUDIT_ARCH_X86_64, 88, 0, SECCOMP_RET_TRAP},
        {AUDIT_ARCH_X86_64, 89, 0, ERRNO(ENOSYS)},
    };

    (void)state;
    CHECK(&profile, answers);
}

#else

static void each_architecture(void **state)
{
    static const char *const all[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", NULL};
    const char *names[] = {"mkdirat", NULL};
    struct filter_rule rule = {.action = SECCOMP_RET_ALLOW, .names = names};
    struct filter_profile profile = {
        .given = true, .default_action = ERRNO(EPERM), .rules = &rule, .rule_count = 1};
    const struct answer answers[] = {
        {AUDIT_ARCH_AARCH64, AARCH64_MKDIRAT, 0, SECCOMP_RET_ALLOW},
        {AUDIT_ARCH_AARCH64, AARCH64_GETPID, 0, ERRNO(ENOSYS)},
        {AUDIT_ARCH_AARCH64, 1, 0, ERRNO(EPERM)},
        {AUDIT_ARCH_ARM, ARM_GETPID, 0, ERRNO(EPERM)},
        {AUDIT_ARCH_ARM, 9999, 0, ERRNO(ENOSYS)},
        {AUDIT_ARCH_X86_64, 0, 0, SECCOMP_RET_KILL_THREAD},
    };

    (void)state;
    profile.architectures = architectures(all);
    CHECK(&profile, answers);
}

#endif

static void words(void **state)
{
    static const char *const unknown[] = {"",    "SCMP_ACT_",  "SCMP_ACT_ALLOWED", "ALLOW",
                                          "X32", "SCMP_ARCH_", "SCMP_CMP_EQ2",     "SCMP_ARCH_x86"};
    static const char *const foreign[] = {"SCMP_ARCH_S390X", "SCMP_ARCH_MIPSEL64N32",
                                          "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64"};

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(filter_action(unknown[i]), -1);
        assert_int_equal(filter_comparison(unknown[i]), -1);
        assert_int_equal(filter_flag(unknown[i]), -1);
        assert_int_equal(filter_architecture(unknown[i]), -1);
    }
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_int_equal(filter_architecture(foreign[i]), 0);
    assert_int_equal(filter_action_value(filter_action("SCMP_ACT_KILL")), SECCOMP_RET_KILL_THREAD);
    assert_int_equal(filter_action_value(filter_action("SCMP_ACT_NOTIFY")), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(filter_action_number_max(filter_action("SCMP_ACT_TRACE")), 65535);
    assert_int_equal(filter_action_number_max(filter_action("SCMP_ACT_TRAP")), 0);
    assert_int_equal(filter_flag("SECCOMP_FILTER_FLAG_LOG"), SECCOMP_FILTER_FLAG_LOG);
}

/* The listener's flags come from the rules. */
static void flags(void **state)
{
    const char *names[] = {"getpid", NULL};
    struct filter_rule rule = {.action = SECCOMP_RET_USER_NOTIF, .names = names};
    struct filter_profile profile = {.given = true,
                                     .default_action = SECCOMP_RET_ALLOW,
                                     .flags = SECCOMP_FILTER_FLAG_LOG,
                                     .rules = &rule,
                                     .rule_count = 1};
    struct filter_program program;
    long bad_rule;

    (void)state;
    assert_int_equal(filter_compile(&profile, -1, &program, &bad_rule), 0);
    assert_int_equal(program.flags, SECCOMP_FILTER_FLAG_LOG);
    free(program.code);
    profile.notifies = true;
    profile.flags |= SECCOMP_FILTER_FLAG_TSYNC;
    assert_int_equal(filter_compile(&profile, -1, &program, &bad_rule), 0);
    assert_int_equal(program.flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC |
                                        SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
                                        SECCOMP_FILTER_FLAG_NEW_LISTENER);
    free(program.code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_architecture),
#ifdef __x86_64__
        cmocka_unit_test(newer_calls),
        cmocka_unit_test(no_names),
        cmocka_unit_test(many_names),
#endif
        cmocka_unit_test(words),
        cmocka_unit_test(flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
