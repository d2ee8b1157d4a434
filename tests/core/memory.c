/* The allocator of small binaries (small/memory.c): random calls, all that is held looked after.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/core/test.h"

/* How much the allocator has from the kernel now. */
static size_t mapped;

static void *count_map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *memory = mmap(address, size, protection, flags, fd, offset);
    mapped += memory == MAP_FAILED ? 0 : size;
    return memory;
}

static int count_unmap(void *address, size_t size)
{
    mapped -= size;
    return munmap(address, size);
}

#define malloc  small_malloc
#define free    small_free
#define calloc  small_calloc
#define realloc small_realloc
#define mmap    count_map
#define munmap  count_unmap
void *small_malloc(size_t wanted);
void small_free(void *memory);
void *small_calloc(size_t count, size_t size);
void *small_realloc(void *memory, size_t wanted);
#include "small/memory.c"
#undef malloc
#undef free
#undef calloc
#undef realloc
#undef mmap
#undef munmap

#define SLOTS 200

struct slot {
    unsigned char *memory;
    size_t size;
    unsigned char fill;
};

/* The list is in order, without neighbours, and all of the heap that is not given away. */
static size_t check_list(void)
{
    size_t total = 0;
    for (const struct block *block = free_blocks; block; block = block->next) {
        assert_true(block->size > 0 && block->size % ALIGNMENT == 0);
        assert_true(!block->next || (const char *)block + block->size < (const char *)block->next);
        total += block->size;
    }
    return total;
}

static void check_slot(const struct slot *slot, size_t size)
{
    /* The bytes one by one, but only one assertion for them all. */
    bool same = true;
    for (size_t i = 0; i < size; i++)
        same = same && slot->memory[i] == slot->fill;
    assert_true(same);
}

static uint32_t random_number(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Mostly small ones, some around the limit of mappings of their own. */
static size_t random_size(uint32_t *seed)
{
    switch (random_number(seed) % 16) {
    case 0:
        return LARGE_SIZE - 64 + random_number(seed) % 96;
    case 1:
        return random_number(seed) % 200000;
    case 2:
        return 0;
    default:
        return random_number(seed) % (16U << random_number(seed) % 7);
    }
}

static void change(struct slot *slot, uint32_t *seed)
{
    size_t before = slot->size;
    unsigned char *memory = slot->memory;
    bool zeroed = random_number(seed) % 4 == 0;
    slot->size = random_size(seed);
    errno = 4711;
    if (!memory) {
        slot->memory = zeroed ? small_calloc(slot->size, 1) : small_malloc(slot->size);
        if (zeroed && slot->memory)
            check_slot(&(struct slot){.memory = slot->memory}, slot->size);
    } else if (random_number(seed) % 3 == 0) {
        slot->memory = small_realloc(memory, slot->size);
        check_slot(slot, before < slot->size ? before : slot->size);
    } else {
        check_slot(slot, before);
        small_free(memory);
        *slot = (struct slot){0};
        assert_int_equal(errno, 4711);
        return;
    }
    assert_non_null(slot->memory);
    assert_int_equal((uintptr_t)slot->memory % ALIGNMENT, 0);
    slot->fill = (unsigned char)random_number(seed);
    if (slot->size > 0)
        memset(slot->memory, slot->fill, slot->size);
}

static void test_random(void **state)
{
    (void)state;
    static struct slot slots[SLOTS];
    uint32_t seed = 1;
    for (int i = 0; i < 50000; i++) {
        change(&slots[random_number(&seed) % SLOTS], &seed);
        if (i % 1000 == 0)
            check_list();
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].memory)
            check_slot(&slots[i], slots[i].size);
        small_free(slots[i].memory);
    }
    /* Nothing is lost: all is free again, but for what the kernel has back. */
    assert_int_equal(check_list(), FIRST_SIZE + mapped);
}

/* What is freed is used again, whatever order it is freed in. */
static void test_again(void **state)
{
    (void)state;
    void *held[100];
    size_t most = 0;
    for (int turn = 0; turn < 50; turn++) {
        for (size_t i = 0; i < 100; i++)
            held[i] = small_malloc(100 + i * (size_t)(turn % 7));
        for (size_t i = 0; i < 100; i++)
            small_free(held[turn % 2 ? i : 99 - i]);
        if (turn == 7)
            most = mapped;
        assert_true(turn < 8 || mapped == most);
    }
    assert_int_equal(check_list(), FIRST_SIZE + mapped);
}

static void test_too_much(void **state)
{
    (void)state;
    size_t before = mapped;
    errno = 0;
    assert_null(small_malloc(SIZE_MAX));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(small_malloc(PTRDIFF_MAX));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(small_calloc(SIZE_MAX / 2, 3));
    assert_int_equal(errno, ENOMEM);
    /* A realloc() that fails leaves what is there. */
    char *kept = small_malloc(10);
    memcpy(kept, "123456789", 10);
    assert_null(small_realloc(kept, SIZE_MAX - 100));
    assert_string_equal(kept, "123456789");
    small_free(kept);
    small_free(NULL);
    assert_int_equal(mapped, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
