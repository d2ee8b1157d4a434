/* The annex of a child that runs in the memory of its parent (process_clone_annexed()).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Copying a process costs more than all that the copy then does: its page tables, and every page
 * that one of the two writes to. So the container's first process has no copy. It uses what its
 * parent has in memory as it is, and changes nothing that the parent reads; what it would change
 * without meaning to is in its annex: a stack, what libc keeps for a thread (errno), an error
 * record (error.h), and a heap. malloc() and its kin know by the stack who calls, so nothing else
 * need know of it, and however the child ends, the parent's heap is whole. When the child executes
 * a program or ends, the kernel has taken it out of this memory before it closes its descriptors.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"

/* The error record of one side, and whether the last failure was not recorded, since an earlier one
 * stands: a hint would be meant for it. */
struct error_state {
    struct error record;
    bool superseded;
};

struct annex;

/* There is at most one at a time of each: the container's process, and one that makes that. */
enum annex_use { ANNEX_CONTAINER, ANNEX_JOINER, ANNEX_USES };

#if !defined(SHIMBOX_NO_ANNEX) && !defined(__GLIBC__) && defined(__linux__) &&                     \
    (defined(__x86_64__) || defined(__aarch64__))
#define ANNEX 1

extern struct annex *annexes[ANNEX_USES];

/* The annex whose stack the caller runs on, NULL: none, it is the process that was executed. */
struct annex *annex_of_stack(const void *frame);
static inline struct annex *annex_here(void)
{
    if (__builtin_expect(!annexes[ANNEX_CONTAINER] && !annexes[ANNEX_JOINER], 1))
        return NULL;
    return annex_of_stack(__builtin_frame_address(0));
}

/* The annex of that use, as it was new. Returns NULL (nothing recorded) where there is none to be
 * had, and while somebody uses it. */
struct annex *annex_open(enum annex_use use);

/* Where the kernel is to keep who that is (CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID). */
pid_t *annex_user(struct annex *annex);

/* Its stack, from below, and what the child has for a thread pointer (CLONE_SETTLS). */
void *annex_stack(const struct annex *annex, size_t *size);
uintptr_t annex_thread(const struct annex *annex);

/* Of its heap. Returns NULL when that is full. */
void *annex_allocate(struct annex *annex, size_t size);

struct error_state *annex_errors(struct annex *annex);
#else
static inline struct annex *annex_here(void)
{
    return NULL;
}
static inline struct error_state *annex_errors(struct annex *annex)
{
    (void)annex;
    return NULL;
}
#endif
