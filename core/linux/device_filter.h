/* Which devices the processes of a cgroup may use: an eBPF program that the kernel asks.
 * SPDX-License-Identifier: Apache-2.0
 *
 * bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE; the kernel's Documentation/admin-guide/cgroup-v2.rst,
 * "Device controller". The rules are those of runtime-spec, config-linux.md, "Allowed Device list".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is asked for: the kernel's BPF_DEVCG_ACC_*. */
#define DEVICE_MKNOD 1U
#define DEVICE_READ  2U
#define DEVICE_WRITE 4U
#define DEVICE_ALL   (DEVICE_MKNOD | DEVICE_READ | DEVICE_WRITE)

#define DEVICE_ANY (-1) /* every major, every minor number */

struct device_rule {
    bool allow;
    char type;     /* 'b', 'c', or 'a' for both */
    int64_t major; /* or DEVICE_ANY */
    int64_t minor;
    unsigned access; /* DEVICE_*, at least one */
};

/* The same as the kernel's struct bpf_insn. */
struct device_instruction {
    uint8_t code;
    uint8_t registers; /* destination in the one half, source in the other */
    int16_t offset;
    int32_t value;
};

/* Instructions that one rule takes at most, and those around all of them. */
#define DEVICE_RULE_INSTRUCTIONS  6
#define DEVICE_FRAME_INSTRUCTIONS 8

/* The rules that hold behind all others: to make any node, and to use what every container has.
 * The list is that of runc, which has no way to take them away either. */
extern const struct device_rule device_default_rules[];
extern const size_t device_default_rule_count;

/* Write the program for these rules, and the default ones behind them. A later rule overrides an
 * earlier one, for the kinds of access that it names; what no rule names is denied. code has room
 * for DEVICE_FRAME_INSTRUCTIONS, and DEVICE_RULE_INSTRUCTIONS for each rule, the default ones
 * included. Returns the number of instructions. */
size_t device_filter_write(const struct device_rule *rules, size_t count,
                           struct device_instruction *code);

/* Load that program. Needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, in the initial user
 * namespace. Returns its descriptor or a negative errno (recorded). */
int device_filter_load(const struct device_rule *rules, size_t count);

/* Make it the one of the cgroup whose descriptor is given: it takes the place of the one that is
 * there, at no moment is there none. Returns 0 or a negative errno (recorded). */
int device_filter_attach(int cgroup, int program);
