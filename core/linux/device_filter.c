/* The eBPF program that allows and denies devices.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/device_filter.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

_Static_assert(sizeof(struct device_instruction) == sizeof(struct bpf_insn), "the kernel's layout");
_Static_assert(DEVICE_MKNOD == BPF_DEVCG_ACC_MKNOD && DEVICE_READ == BPF_DEVCG_ACC_READ &&
                   DEVICE_WRITE == BPF_DEVCG_ACC_WRITE,
               "the kernel's bits");

/* More programs than that are nobody's work. */
#define ATTACHED_MAX 64

/* /dev/console is no device of its own in a container, but a terminal (136); the host's, 5:1, is
 * not among them. 10:200 is /dev/net/tun. */
const struct device_rule device_default_rules[] = {
    {true, 'c', DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD},
    {true, 'b', DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD},
    {true, 'c', 1, 3, DEVICE_ALL},            /* null */
    {true, 'c', 1, 5, DEVICE_ALL},            /* zero */
    {true, 'c', 1, 7, DEVICE_ALL},            /* full */
    {true, 'c', 1, 8, DEVICE_ALL},            /* random */
    {true, 'c', 1, 9, DEVICE_ALL},            /* urandom */
    {true, 'c', 5, 0, DEVICE_ALL},            /* tty */
    {true, 'c', 5, 2, DEVICE_ALL},            /* ptmx */
    {true, 'c', 136, DEVICE_ANY, DEVICE_ALL}, /* pts/0 ... */
    {true, 'c', 10, 200, DEVICE_ALL},
};
const size_t device_default_rule_count =
    sizeof(device_default_rules) / sizeof(device_default_rules[0]);

/* Registers: the context at first, then scratch; and what the program has taken out of it. */
enum { RESULT, CONTEXT, TYPE, ACCESS, MAJOR, MINOR };

struct program {
    struct device_instruction *code;
    size_t count;
};

static void add(struct program *program, unsigned code, int destination, int source, int offset,
                int32_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint8_t registers = (uint8_t)(destination | source << 4);
#else
    uint8_t registers = (uint8_t)(source | destination << 4);
#endif
    program->code[program->count++] =
        (struct device_instruction){(uint8_t)code, registers, (int16_t)offset, value};
}

/* Return the constant, and end. */
static void add_answer(struct program *program, int answer)
{
    add(program, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 0, 0, answer);
    add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Go on behind the rule unless the register has that value; where that is, is not known yet. */
static void add_condition(struct program *program, int what, int64_t value)
{
    if (value >= 0)
        add(program, BPF_JMP32 | BPF_JNE | BPF_K, what, 0, 0, (int32_t)value);
}

/* The rules are asked from the last to the first, and each kind of access is decided by the first
 * one that names it: what is allowed is taken out of what is asked for, until nothing is left; what
 * is denied of the rest ends it. Returns whether no rule before this one can matter. */
static bool add_rule(struct program *program, const struct device_rule *rule)
{
    size_t first = program->count;
    add_condition(program, TYPE,
                  rule->type == 'a'   ? DEVICE_ANY
                  : rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK
                                      : BPF_DEVCG_DEV_CHAR);
    add_condition(program, MAJOR, rule->major);
    add_condition(program, MINOR, rule->minor);
    size_t last = program->count;
    if (rule->access == DEVICE_ALL) {
        add_answer(program, rule->allow);
    } else if (rule->allow) {
        add(program, BPF_ALU | BPF_AND | BPF_K, ACCESS, 0, 0,
            (int32_t)(DEVICE_ALL & ~rule->access));
        add(program, BPF_JMP32 | BPF_JNE | BPF_K, ACCESS, 0, 2, 0);
        add_answer(program, 1);
    } else {
        add(program, BPF_JMP32 | BPF_JSET | BPF_K, ACCESS, 0, 1, (int32_t)rule->access);
        add(program, BPF_JMP | BPF_JA, 0, 0, 2, 0);
        add_answer(program, 0);
    }
    for (size_t i = first; i < last; i++)
        program->code[i].offset = (int16_t)(program->count - i - 1);
    return first == last && rule->access == DEVICE_ALL;
}

size_t device_filter_write(const struct device_rule *rules, size_t count,
                           struct device_instruction *code)
{
    struct program program = {.code = code};
    /* access_type has the type in its low half, and the access in the other one. */
    add(&program, BPF_LDX | BPF_MEM | BPF_W, TYPE, CONTEXT, 0, 0);
    add(&program, BPF_ALU | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
    add(&program, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
    add(&program, BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
    add(&program, BPF_LDX | BPF_MEM | BPF_W, MAJOR, CONTEXT, 4, 0);
    add(&program, BPF_LDX | BPF_MEM | BPF_W, MINOR, CONTEXT, 8, 0);
    bool decided = false;
    for (size_t i = device_default_rule_count; i-- > 0;)
        add_rule(&program, &device_default_rules[i]);
    /* What cannot be reached any more is refused by the kernel. */
    for (size_t i = count; !decided && i-- > 0;)
        decided = add_rule(&program, &rules[i]);
    if (!decided)
        add_answer(&program, 0);
    return program.count;
}

static int load(const struct device_rule *rules, size_t count)
{
    size_t room =
        DEVICE_FRAME_INSTRUCTIONS + DEVICE_RULE_INSTRUCTIONS * (count + device_default_rule_count);
    autofree struct device_instruction *code = calloc(room, sizeof(*code));
    if (!code)
        return -ENOMEM;
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insn_cnt = (uint32_t)device_filter_write(rules, count, code);
    attributes.insns = (uint64_t)(uintptr_t)code;
    attributes.license = (uint64_t)(uintptr_t) "Apache-2.0";
    memcpy(attributes.prog_name, "shimbox_devices", sizeof("shimbox_devices"));
    int fd = sys_bpf(BPF_PROG_LOAD, &attributes, sizeof(attributes));
    return fd < 0 ? -errno : fd;
}

/* The programs that are attached to this very cgroup. Returns their number or a negative errno. */
static int query(int cgroup, uint32_t ids[ATTACHED_MAX])
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.query.target_fd = (uint32_t)cgroup;
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attributes.query.prog_cnt = ATTACHED_MAX;
    return sys_bpf(BPF_PROG_QUERY, &attributes, sizeof(attributes)) < 0
               ? -errno
               : (int)attributes.query.prog_cnt;
}

static int open_program(uint32_t id)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.prog_id = id;
    int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attributes, sizeof(attributes));
    return fd < 0 ? -errno : fd;
}

/* replaced: a program that is attached, or -1. */
static int attach(int cgroup, int program, int replaced)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (replaced >= 0) {
        attributes.attach_flags |= BPF_F_REPLACE;
        attributes.replace_bpf_fd = (uint32_t)replaced;
    }
    return sys_bpf(BPF_PROG_ATTACH, &attributes, sizeof(attributes)) < 0 ? -errno : 0;
}

static int detach(int cgroup, int program)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    return sys_bpf(BPF_PROG_DETACH, &attributes, sizeof(attributes)) < 0 ? -errno : 0;
}

/* All that are there go; of a failure nothing is left. */
static int detach_all(int cgroup, int program, const int *old, int count)
{
    int result = 0;
    int gone = 0;
    while (gone < count && (result = detach(cgroup, old[gone])) == 0)
        gone++;
    if (result == 0)
        return 0;
    while (gone > 0)
        attach(cgroup, old[--gone], -1);
    detach(cgroup, program);
    return result;
}

/* One program is replaced in a single step. Of several, all of which must allow an access, the new
 * one is added first, and the others go then. */
static int replace(int cgroup, int program)
{
    uint32_t ids[ATTACHED_MAX];
    int old[ATTACHED_MAX];
    int result = 0;
    int opened = 0;
    int count = query(cgroup, ids);
    if (count < 0)
        return count;
    for (; opened < count && result == 0; opened += result == 0) {
        old[opened] = open_program(ids[opened]);
        result = old[opened] < 0 ? old[opened] : 0;
    }
    if (result == 0)
        result = attach(cgroup, program, count == 1 ? old[0] : -1);
    if (result == 0 && count > 1)
        result = detach_all(cgroup, program, old, count);
    while (opened > 0)
        close_fd(&old[--opened]);
    return result;
}

static int fail_filter(int number)
{
    return fail(number, "cannot filter devices by an eBPF program");
}

int device_filter_load(const struct device_rule *rules, size_t count)
{
    step("load the program that filters devices");
    int program = load(rules, count);
    return program < 0 ? fail_filter(-program) : program;
}

int device_filter_attach(int cgroup, int program)
{
    step("attach it to the cgroup");
    int result = replace(cgroup, program);
    return result < 0 ? fail_filter(-result) : 0;
}
