/* malloc(3) and the like for a process of one thread that keeps little: a list of free blocks.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The heap begins in this program's own data, so that a small program asks the kernel for nothing,
 * and grows by mappings. Free neighbours become one block. What is large has a mapping of its own,
 * which goes back to the kernel.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT  16
#define FIRST_SIZE 8192
#define GROW_SIZE  65536
#define LARGE_SIZE 32768 /* from here on blocks have mappings of their own */

/* In front of the memory that is given away. */
struct block {
    size_t size;        /* of the whole block; a multiple of ALIGNMENT */
    struct block *next; /* of the free ones, by address */
};

_Static_assert(sizeof(struct block) == ALIGNMENT, "memory behind the header must be aligned");

static _Alignas(ALIGNMENT) union {
    struct block block;
    char bytes[FIRST_SIZE];
} first;
static struct block *free_blocks;
static bool started;

static struct block *block_of(void *memory)
{
    return (struct block *)memory - 1;
}

static char *end_of(struct block *block)
{
    return (char *)block + block->size;
}

/* Put a block into the list, and together with free neighbours. */
static void give_back(struct block *block)
{
    struct block *before = NULL;
    struct block *after = free_blocks;
    for (; after && after < block; after = after->next)
        before = after;
    block->next = after;
    if (after && end_of(block) == (char *)after) {
        block->size += after->size;
        block->next = after->next;
    }
    if (!before) {
        free_blocks = block;
    } else if (end_of(before) == (char *)block) {
        before->size += block->size;
        before->next = block->next;
    } else {
        before->next = block;
    }
}

/* Leave the block with that size; what is behind it is free. */
static void cut(struct block *block, size_t size)
{
    if (block->size == size)
        return;
    struct block *rest = (struct block *)(void *)((char *)block + size);
    rest->size = block->size - size;
    block->size = size;
    give_back(rest);
}

static struct block *map(size_t size)
{
    struct block *block =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    block->size = size;
    return block;
}

/* Take the first block that is large enough out of the list. */
static struct block *take(size_t size)
{
    for (struct block **link = &free_blocks; *link; link = &(*link)->next) {
        struct block *block = *link;
        if (block->size >= size) {
            *link = block->next;
            cut(block, size);
            return block;
        }
    }
    return NULL;
}

static bool grow(void)
{
    struct block *block = &first.block;
    if (started)
        block = map(GROW_SIZE);
    else
        block->size = FIRST_SIZE;
    started = true;
    if (block)
        give_back(block);
    return block != NULL;
}

void *malloc(size_t wanted)
{
    struct block *block;
    if (wanted > PTRDIFF_MAX - GROW_SIZE) {
        errno = ENOMEM;
        return NULL;
    }
    size_t size = (wanted + sizeof(*block) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size >= LARGE_SIZE) {
        block = map(size);
    } else {
        do
            block = take(size);
        while (!block && grow());
    }
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    return block + 1;
}

void free(void *memory)
{
    if (!memory)
        return;
    struct block *block = block_of(memory);
    int saved = errno;
    if (block->size >= LARGE_SIZE)
        munmap(block, block->size);
    else
        give_back(block);
    errno = saved;
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX; /* too much for malloc() */
    void *memory = malloc(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *realloc(void *memory, size_t wanted)
{
    if (!memory)
        return malloc(wanted);
    size_t room = block_of(memory)->size - sizeof(struct block);
    if (wanted <= room && (wanted > room / 2 || room < LARGE_SIZE - sizeof(struct block)))
        return memory;
    void *moved = malloc(wanted);
    if (moved) {
        memcpy(moved, memory, wanted < room ? wanted : room);
        free(memory);
    }
    return moved;
}
