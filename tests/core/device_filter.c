/* Tests of core/linux/device_filter.c: the program is run by an interpreter of its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/linux/device_filter.h"

#define RULES_MAX 8

enum { BLOCK = BPF_DEVCG_DEV_BLOCK, CHAR = BPF_DEVCG_DEV_CHAR };

/* What the kernel does with these few instructions. Jumps go forward only, and inside; an access to
 * what is no register or member of the context ends the test. */
static unsigned interpret(const struct bpf_insn *code, size_t count,
                          const struct bpf_cgroup_dev_ctx *context)
{
    uint64_t registers[11] = {0};

    for (size_t at = 0; at < count; at++) {
        const struct bpf_insn *now = &code[at];
        uint64_t *to = &registers[now->dst_reg];
        uint32_t low = (uint32_t)*to;
        uint32_t value = (uint32_t)now->imm;
        bool jumps = false;

        assert_true(now->dst_reg <= 10 && now->src_reg <= 10);
        switch (now->code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            assert_int_equal(now->src_reg, 1);
            assert_true(now->off >= 0 && now->off <= 8 && now->off % 4 == 0);
            memcpy(&low, (const char *)context + now->off, 4);
            *to = low;
            break;
        case BPF_ALU | BPF_MOV | BPF_X:
            *to = (uint32_t)registers[now->src_reg];
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            *to = (uint64_t)(int64_t)now->imm;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            *to = low & value;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            *to = low >> value;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            jumps = low != value;
            break;
        case BPF_JMP32 | BPF_JSET | BPF_K:
            jumps = (low & value) != 0;
            break;
        case BPF_JMP | BPF_JA:
            jumps = true;
            break;
        case BPF_JMP | BPF_EXIT:
            return (unsigned)registers[0];
        default:
            fail_msg("instruction %zu has the code %#x", at, now->code);
        }
        if (jumps) {
            assert_true(now->off >= 0);
            at += (size_t)now->off;
        }
    }
    fail_msg("the program has no end");
    return 0;
}

/* Every instruction must be reachable, or the kernel refuses the program. */
static void check_reachable(const struct bpf_insn *code, size_t count)
{
    bool reached[512] = {true};

    assert_true(count <= 512);
    for (size_t at = 0; at < count; at++) {
        unsigned class = BPF_CLASS(code[at].code);
        bool jump = class == BPF_JMP || class == BPF_JMP32;

        assert_true(reached[at]);
        if (code[at].code == (BPF_JMP | BPF_EXIT))
            continue;
        if (jump)
            reached[at + 1 + (size_t)code[at].off] = true;
        if (code[at].code != (BPF_JMP | BPF_JA))
            reached[at + 1] = true;
    }
}

struct question {
    unsigned type;
    uint32_t major, minor;
    unsigned access;
    bool allowed;
};

static void ask(const struct device_rule *rules, const struct question *questions, size_t count)
{
    struct device_instruction
        code[DEVICE_FRAME_INSTRUCTIONS + DEVICE_RULE_INSTRUCTIONS * (RULES_MAX + 32)];
    struct bpf_insn copy[sizeof(code) / sizeof(code[0])];
    size_t used = 0;

    while (used < RULES_MAX && rules[used].access)
        used++;

    size_t length = device_filter_write(rules, used, code);

    assert_true(length <= DEVICE_FRAME_INSTRUCTIONS +
                              DEVICE_RULE_INSTRUCTIONS * (used + device_default_rule_count));
    memcpy(copy, code, sizeof(code));
    check_reachable(copy, length);
    for (size_t i = 0; i < count; i++) {
        const struct question *question = &questions[i];
        struct bpf_cgroup_dev_ctx context = {.access_type = question->access << 16 | question->type,
                                             .major = question->major,
                                             .minor = question->minor};

        if (interpret(copy, length, &context) != question->allowed)
            fail_msg("question %zu: %u %u:%u access %u", i, question->type, question->major,
                     question->minor, question->access);
    }
}

#define ASK(rules, ...)                                                                            \
    do {                                                                                           \
        static const struct question questions[] = {__VA_ARGS__};                                  \
        ask(rules, questions, sizeof(questions) / sizeof(questions[0]));                           \
    } while (0)

static void only_default_devices_without_rules(void **state)
{
    static const struct device_rule rules[RULES_MAX] = {0};

    (void)state;
    ASK(rules, {CHAR, 1, 3, DEVICE_ALL, true}, {CHAR, 1, 5, DEVICE_READ | DEVICE_WRITE, true},
        {CHAR, 1, 7, DEVICE_WRITE, true}, {CHAR, 1, 8, DEVICE_READ, true},
        {CHAR, 1, 9, DEVICE_READ, true}, {CHAR, 5, 0, DEVICE_ALL, true},
        {CHAR, 5, 2, DEVICE_ALL, true}, {CHAR, 136, 0, DEVICE_ALL, true},
        {CHAR, 136, 1048575, DEVICE_ALL, true}, {CHAR, 10, 200, DEVICE_ALL, true},
        /* Any node may be made, and hardly any be used. */
        {CHAR, 1, 1, DEVICE_MKNOD, true}, {BLOCK, 8, 0, DEVICE_MKNOD, true},
        {BLOCK, 8, 0, DEVICE_READ, false}, {BLOCK, 1, 3, DEVICE_READ, false},
        {CHAR, 1, 1, DEVICE_READ, false}, {CHAR, 1, 1, DEVICE_MKNOD | DEVICE_READ, false},
        {CHAR, 1, 2, DEVICE_WRITE, false}, {CHAR, 5, 1, DEVICE_READ, false},
        {CHAR, 10, 229, DEVICE_READ, false}, {CHAR, 135, 0, DEVICE_READ, false},
        {CHAR, 4294967295, 4294967295, DEVICE_READ, false}, );
}

static void later_rules_override(void **state)
{
    static const struct device_rule allowed_last[RULES_MAX] = {
        {true, 'a', DEVICE_ANY, DEVICE_ANY, DEVICE_ALL}, /* never asked */
        {false, 'a', DEVICE_ANY, DEVICE_ANY, DEVICE_ALL}, {true, 'c', 10, 229, DEVICE_ALL},
        {true, 'b', 8, DEVICE_ANY, DEVICE_READ},          {false, 'b', 8, 1, DEVICE_READ},
    };
    static const struct device_rule denied_last[RULES_MAX] = {
        {true, 'c', 10, 229, DEVICE_ALL},
        {false, 'a', DEVICE_ANY, DEVICE_ANY, DEVICE_ALL},
    };

    (void)state;
    ASK(allowed_last, {CHAR, 10, 229, DEVICE_READ | DEVICE_WRITE, true},
        {CHAR, 10, 228, DEVICE_READ, false}, {BLOCK, 10, 229, DEVICE_READ, false},
        {BLOCK, 8, 0, DEVICE_READ, true}, {BLOCK, 8, 0, DEVICE_WRITE, false},
        {BLOCK, 8, 0, DEVICE_READ | DEVICE_WRITE, false}, {BLOCK, 8, 1, DEVICE_READ, false},
        {CHAR, 8, 0, DEVICE_READ, false}, {BLOCK, 8, 0, DEVICE_READ | DEVICE_MKNOD, true}, );
    ASK(denied_last, {CHAR, 10, 229, DEVICE_READ, false}, {CHAR, 1, 3, DEVICE_ALL, true}, );
}

static void each_kind_of_access_for_itself(void **state)
{
    static const struct device_rule rules[RULES_MAX] = {
        {true, 'a', DEVICE_ANY, DEVICE_ANY, DEVICE_ALL},
        {false, 'c', 7, DEVICE_ANY, DEVICE_WRITE},
        {true, 'c', 7, 7, DEVICE_WRITE},
        {false, 'a', DEVICE_ANY, 9, DEVICE_READ},
    };
    static const struct device_rule pieces[RULES_MAX] = {
        {true, 'c', 7, 1, DEVICE_READ},
        {true, 'c', 7, DEVICE_ANY, DEVICE_WRITE},
    };

    (void)state;
    ASK(rules, {CHAR, 6, 0, DEVICE_ALL, true}, {BLOCK, 7, 0, DEVICE_ALL, true},
        {CHAR, 7, 0, DEVICE_READ, true}, {CHAR, 7, 0, DEVICE_WRITE, false},
        {CHAR, 7, 0, DEVICE_READ | DEVICE_WRITE, false},
        {CHAR, 7, 7, DEVICE_READ | DEVICE_WRITE, true}, {BLOCK, 3, 9, DEVICE_READ, false},
        {BLOCK, 3, 9, DEVICE_WRITE, true}, {CHAR, 1, 9, DEVICE_READ, true}, );
    /* Allowed by two rules together. */
    ASK(pieces, {CHAR, 7, 1, DEVICE_READ | DEVICE_WRITE, true}, {CHAR, 7, 2, DEVICE_WRITE, true},
        {CHAR, 7, 2, DEVICE_READ | DEVICE_WRITE, false}, );
}

/* Of core/base/error.h, which fail_msg() excludes. */
bool error_is_set(void);
void error_clear(void);

/* A cgroup with programs, which are known by their ids; descriptors are ids, and a bit more. */
#define OPEN    1000
#define PROGRAM 99

static struct {
    uint32_t ids[8];
    unsigned count;
    int calls[64];     /* of each command */
    int refused;       /* this command */
    int refused_after; /* so many of them */
} cgroup;

static long take_out(uint32_t id)
{
    for (unsigned i = 0; i < cgroup.count; i++) {
        if (cgroup.ids[i] != id)
            continue;
        cgroup.ids[i] = cgroup.ids[--cgroup.count];
        return 0;
    }
    errno = ENOENT;
    return -1;
}

static long answer(int command, union bpf_attr *attributes)
{
    if (command == cgroup.refused && cgroup.calls[command]++ == cgroup.refused_after) {
        errno = EPERM;
        return -1;
    }
    switch (command) {
    case BPF_PROG_QUERY:
        attributes->query.prog_cnt = cgroup.count;
        memcpy((void *)(uintptr_t)attributes->query.prog_ids, cgroup.ids,
               cgroup.count * sizeof(*cgroup.ids));
        return 0;
    case BPF_PROG_GET_FD_BY_ID:
        return OPEN + (long)attributes->prog_id;
    case BPF_PROG_DETACH:
        return take_out(attributes->attach_bpf_fd - OPEN);
    case BPF_PROG_ATTACH:
        if (attributes->attach_flags & BPF_F_REPLACE && take_out(attributes->replace_bpf_fd - OPEN))
            return -1;
        cgroup.ids[cgroup.count++] = attributes->attach_bpf_fd - OPEN;
        return 0;
    default:
        errno = EINVAL;
        return -1;
    }
}

/* In place of libc's: nothing else of core's is called here. */
long syscall(long number, ...)
{
    va_list arguments;

    assert_int_equal(number, SYS_bpf);
    va_start(arguments, number);
    int command = va_arg(arguments, int);
    union bpf_attr *attributes = va_arg(arguments, union bpf_attr *);
    va_end(arguments);
    return answer(command, attributes);
}

static void fill(unsigned count, int refused, int after)
{
    memset(&cgroup, 0, sizeof(cgroup));
    for (unsigned i = 0; i < count; i++)
        cgroup.ids[cgroup.count++] = i + 1;
    cgroup.refused = refused;
    cgroup.refused_after = after;
}

static void the_new_one_takes_the_place_of_all(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 4; count++) {
        fill(count, -1, 0);
        assert_int_equal(device_filter_attach(3, OPEN + PROGRAM), 0);
        assert_int_equal(cgroup.count, 1);
        assert_int_equal(cgroup.ids[0], PROGRAM);
    }
}

static void a_failure_changes_nothing(void **state)
{
    static const int commands[] = {BPF_PROG_QUERY, BPF_PROG_GET_FD_BY_ID, BPF_PROG_ATTACH,
                                   BPF_PROG_DETACH};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        int last = commands[i] == BPF_PROG_QUERY || commands[i] == BPF_PROG_ATTACH ? 1 : 3;

        for (int after = 0; after < last; after++) {
            uint32_t sum = 0;

            fill(3, commands[i], after);
            assert_int_equal(device_filter_attach(3, OPEN + PROGRAM), -EPERM);
            assert_true(error_is_set());
            error_clear();
            for (unsigned at = 0; at < cgroup.count; at++)
                sum += cgroup.ids[at];
            assert_int_equal(cgroup.count, 3);
            assert_int_equal(sum, 1 + 2 + 3);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_default_devices_without_rules),
        cmocka_unit_test(later_rules_override),
        cmocka_unit_test(each_kind_of_access_for_itself),
        cmocka_unit_test(the_new_one_takes_the_place_of_all),
        cmocka_unit_test(a_failure_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
