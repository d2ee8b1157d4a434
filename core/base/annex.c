/* The annex of a child that runs in the memory of its parent.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/annex.h"

#ifdef ANNEX
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/populate.h"

/* Only what is touched takes memory. The stack has room for a set-up within a set-up
 * (setup_guard()), the heap for what is never given back. */
#define STACK_BYTES (256 * 1024)
#define HEAP_BYTES  (8 * 1024 * 1024)

/* Of the stack and the rest, what nearly every child writes to; asked for in one piece. */
#define STACK_USED (6 * PAGE)
#define REST_USED  PAGE

/* On either side of the thread pointer, of what musl keeps for a thread: one has it above, the
 * other below, and it takes some 200 bytes. */
#define THREAD_BYTES 256

/* Every piece of the heap has its size before it. */
#define ALIGNMENT 16

struct annex {
    pid_t user; /* 0: it has executed a program, or ended, or there was none */
    char thread[2 * THREAD_BYTES] __attribute__((aligned(64)));
    struct error_state errors;
    char *next; /* the first free byte of the heap */
    char heap[] __attribute__((aligned(ALIGNMENT)));
};

struct annex *annexes[ANNEX_USES];

static char *base_of(const struct annex *annex)
{
    return (char *)(uintptr_t)annex - STACK_BYTES;
}

static char *limit_of(const struct annex *annex)
{
    return (char *)(uintptr_t)annex + HEAP_BYTES;
}

struct annex *annex_of_stack(const void *frame)
{
    for (int i = 0; i < ANNEX_USES; i++) {
        if (annexes[i] && (uintptr_t)frame - (uintptr_t)base_of(annexes[i]) < STACK_BYTES)
            return annexes[i];
    }
    return NULL;
}

/* A page that nobody has lies below the stack. */
static struct annex *map(void)
{
    const size_t size = PAGE + STACK_BYTES + HEAP_BYTES;
    char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    /* The first touch would take two megabytes; where there is nothing of that kind it says so. */
    madvise(pages, size, MADV_NOHUGEPAGE);
    if (mprotect(pages, PAGE, PROT_NONE) < 0) {
        munmap(pages, size);
        return NULL;
    }
    char *annex = pages + PAGE + STACK_BYTES;
    return (struct annex *)(void *)annex;
}

/* A copy of what libc has for the only thread there is, that says of itself where it is. Returns
 * whether it was found where it is expected. */
static bool copy_thread(struct annex *annex)
{
    char *here = __builtin_thread_pointer();
    if (here < _edata || here > _end)
        return false;
    size_t below = (size_t)(here - _edata);
    size_t above = (size_t)(_end - here);
    if (below > THREAD_BYTES)
        below = THREAD_BYTES;
    if (above > THREAD_BYTES)
        above = THREAD_BYTES;
    char *there = annex->thread + THREAD_BYTES;
    memcpy(there - below, here - below, below + above);
#ifdef __x86_64__
    memcpy(there, &there, sizeof(there)); /* %fs:0 */
#endif
    return true;
}

struct annex *annex_open(enum annex_use use)
{
    bool mapped = annexes[use];
    struct annex *annex = mapped ? annexes[use] : map();
    if (!annex || (mapped && annex->user))
        return NULL;
    if (!mapped && use == ANNEX_CONTAINER)
        populate((uintptr_t)annex - STACK_USED, (uintptr_t)annex + REST_USED, MADV_POPULATE_WRITE);
    annexes[use] = annex;
    memset(&annex->errors, 0, sizeof(annex->errors));
    annex->next = annex->heap;
    return copy_thread(annex) ? annex : NULL;
}

pid_t *annex_user(struct annex *annex)
{
    return &annex->user;
}

void *annex_stack(const struct annex *annex, size_t *size)
{
    *size = STACK_BYTES;
    return base_of(annex);
}

uintptr_t annex_thread(const struct annex *annex)
{
    return (uintptr_t)annex->thread + THREAD_BYTES;
}

struct error_state *annex_errors(struct annex *annex)
{
    return &annex->errors;
}

/* ---- the heap ---- */

static size_t *size_before(void *piece)
{
    return (size_t *)(void *)((char *)piece - ALIGNMENT);
}

static size_t rounded(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

void *annex_allocate(struct annex *annex, size_t size)
{
    size_t room = (size_t)(limit_of(annex) - annex->next);
    if (size > HEAP_BYTES || rounded(size) + ALIGNMENT > room) {
        errno = ENOMEM;
        return NULL;
    }
    char *piece = annex->next + ALIGNMENT;
    *size_before(piece) = size;
    annex->next = piece + rounded(size);
    return piece;
}

/* Is it of the heap of an annex? Whose does not matter: the parent gives such a piece back as
 * little as the child does one of the parent's. */
static struct annex *owner_of(const void *piece)
{
    for (int i = 0; i < ANNEX_USES; i++) {
        if (annexes[i] &&
            (uintptr_t)piece - (uintptr_t)annexes[i]->heap < HEAP_BYTES - sizeof(struct annex))
            return annexes[i];
    }
    return NULL;
}

static bool is_last(const struct annex *annex, void *piece)
{
    return (char *)piece + rounded(*size_before(piece)) == annex->next;
}

static void *resize(struct annex *annex, void *piece, size_t size)
{
    bool own = piece && owner_of(piece) == annex;
    char *next = annex->next;
    if (own && is_last(annex, piece))
        annex->next = (char *)piece - ALIGNMENT;
    void *moved = annex_allocate(annex, size);
    if (!moved)
        annex->next = next;
    if (moved && piece && moved != piece) {
        size_t old = own ? *size_before(piece) : malloc_usable_size(piece);
        memcpy(moved, piece, old < size ? old : size);
    }
    return moved;
}

/* The linker gives these to whoever asks for malloc() and its kin, libc included (Makefile). */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    struct annex *annex = annex_here();
    return annex ? annex_allocate(annex, size) : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    struct annex *annex = annex_here();
    if (!annex)
        return __real_calloc(count, size);
    size_t all;
    if (__builtin_mul_overflow(count, size, &all))
        all = SIZE_MAX;
    void *piece = annex_allocate(annex, all);
    return piece ? memset(piece, 0, all) : NULL;
}

void *__real_realloc(void *piece, size_t size);
void *__wrap_realloc(void *piece, size_t size)
{
    struct annex *annex = annex_here();
    return annex ? resize(annex, piece, size) : __real_realloc(piece, size);
}

void __real_free(void *piece);
void __wrap_free(void *piece)
{
    struct annex *annex = annex_here();
    struct annex *owner = owner_of(piece);
    if (!annex && !owner)
        __real_free(piece);
    else if (annex && annex == owner && is_last(annex, piece))
        annex->next = (char *)piece - ALIGNMENT;
}
#endif
