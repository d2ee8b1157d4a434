/* System call filters, from a profile's rules to the program that the kernel takes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * seccomp(2); runtime-spec, config-linux.md, "Seccomp". libseccomp makes the program, and has all
 * names that start with seccomp_.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sock_filter;

#define FILTER_ARGUMENTS   6     /* that a system call has, at most */
#define FILTER_LENGTH_MAX  4096  /* instructions of a program, at most (BPF_MAXINSNS) */
#define FILTER_ERRNO_MAX   4095  /* the kernel would return this one for any that is larger */
#define FILTER_MESSAGE_MAX 65535 /* to a tracer */

/* Of the names that runtime-spec has for them; -1 for one that is unknown. */
int filter_action(const char *name);     /* an index, for the functions below */
int filter_comparison(const char *name); /* as struct filter_argument has it */
int filter_flag(const char *name);       /* SECCOMP_FILTER_FLAG_* */
/* A bit of struct filter_profile's architectures; 0 for one that the kernels of this family of
 * machines never run: whatever is said of it makes no difference. */
int filter_architecture(const char *name);

/* Of an action by its index: SECCOMP_RET_*; and the most that its number can be: an errno, or a
 * message to the tracer; 0: it has none. */
uint32_t filter_action_value(int action);
uint32_t filter_action_number_max(int action);

struct filter_argument {
    uint32_t index;      /* 0 to 5 */
    uint32_t comparison; /* filter_comparison() */
    uint64_t value;      /* with MASKED_EQ, the mask */
    uint64_t value_two;
};

struct filter_rule {
    uint32_t action;    /* SECCOMP_RET_*, with its number */
    const char **names; /* of system calls, NULL-terminated */
    struct filter_argument *arguments;
    size_t argument_count;
};

struct filter_profile {
    bool given;
    bool notifies; /* a rule asks the listener */
    uint32_t default_action;
    uint32_t architectures; /* beside the native one */
    uint32_t flags;         /* SECCOMP_FILTER_FLAG_* */
    struct filter_rule *rules;
    size_t rule_count;
    const char *listener_path; /* unix socket of who answers; NULL: not given */
    const char *listener_metadata;
};

/* Release the rules; the strings belong to somebody else. */
void filter_profile_free(struct filter_profile *profile);

/* What the kernel takes. */
struct filter_program {
    struct sock_filter *code; /* allocated; NULL: none */
    size_t length;            /* instructions */
    uint32_t flags;           /* of seccomp(2) */
};

/* Does this kernel have filters? Returns 0 or a negative errno (recorded). */
int filter_check(void);

/* Open the cache in a directory of ours, and make it if it is not there. Returns a descriptor, or
 * -1 (nothing is recorded): there is none to be had, or not one of this user alone. */
int filter_cache_open(int directory);

/* Make the program; nothing is loaded. Names that libseccomp does not know are passed over, as
 * runtime-spec wants it. cache: -1: none. A cache that cannot be read or written is no error.
 * *bad_rule is the index of the rule that cannot be had, or -1. Returns 0 or a negative errno
 * (recorded). */
int filter_compile(const struct filter_profile *profile, int cache, struct filter_program *program,
                   long *bad_rule);

/* Let the kernel check all system calls of this thread from now on, without a way back. Needs
 * no_new_privs or CAP_SYS_ADMIN in the user namespace. Returns 0, or the listener's descriptor for
 * a program whose flags ask for one, or a negative errno (recorded). */
int filter_load(const struct filter_program *program);
