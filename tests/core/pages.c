/* core/linux/pages.c: the piece of the heap, which the debug build does without, and new stacks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

/* As it is with musl. */
#undef __GLIBC__
#include "core/linux/pages.c"

#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS)

static unsigned real_calls;

void *__real___mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
    real_calls++;
    return mmap(start, size, protection, flags, fd, offset);
}

int __real_munmap(void *start, size_t size)
{
    real_calls++;
    return munmap(start, size);
}

static char *ask(size_t pages)
{
    return __wrap___mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, FLAGS, -1, 0);
}

static void test_before_there_is_one(void **state)
{
    (void)state;
    char *page = ask(1);
    page[0] = 1;
    assert_int_equal(__wrap_munmap(page, PAGE), 0);
    assert_int_equal(real_calls, 2);
    pages_release();
}

static void test_piece(void **state)
{
    (void)state;
    pages_begin();
    real_calls = 0;
    char *first = ask(1);
    char *second = ask(4);
    char *third = ask(1);
    assert_ptr_equal(second, first + PAGE);
    assert_ptr_equal(third, second + 4 * PAGE);
    memset(first, 1, PAGE);
    memset(second, 2, 4 * PAGE);
    memset(third, 3, PAGE);
    /* Given back, it is as new. */
    assert_int_equal(__wrap_munmap(second, 4 * PAGE), 0);
    assert_ptr_equal(ask(2), second);
    for (size_t i = 0; i < 4 * PAGE; i++)
        assert_int_equal(second[i], 0);
    assert_ptr_equal(ask(3), third + PAGE);
    assert_ptr_equal(ask(2), second + 2 * PAGE);
    assert_int_equal(first[PAGE - 1], 1);
    assert_int_equal(third[0], 3);
    assert_int_equal(real_calls, 0);
    /* What is for somewhere, or of a file, or does not fit, comes from the kernel. */
    char *large = ask(HEAP_PAGES - 8);
    assert_int_equal(real_calls, 1);
    assert_ptr_equal(__wrap___mmap(large, PAGE, PROT_READ, FLAGS | MAP_FIXED, -1, 0), large);
    assert_int_equal(real_calls, 2);
    assert_int_equal(__wrap_munmap(large, (HEAP_PAGES - 8) * PAGE), 0);
    assert_int_equal(real_calls, 3);
    char *rest = ask(HEAP_PAGES - 9);
    assert_ptr_equal(rest, third + 4 * PAGE);
    assert_int_equal(real_calls, 3);
    assert_ptr_not_equal(ask(1), rest);
    assert_int_equal(real_calls, 4);
    /* Pages that nothing is in go, the others stay. */
    assert_int_equal(__wrap_munmap(rest, (HEAP_PAGES - 9) * PAGE), 0);
    pages_release();
    assert_int_equal(first[0], 1);
    assert_int_equal(third[PAGE - 1], 3);
    assert_int_equal(rest[0], 0);
}

static int look_at_stack(void *argument)
{
    uintptr_t *address = argument;
    *address = (uintptr_t)__builtin_frame_address(0);
    return -7;
}

static void test_new_stack(void **state)
{
    (void)state;
    uintptr_t address = 0;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    assert_int_equal(pages_new_stack(look_at_stack, &address), -7);
    assert_true(address < here - STACK_USED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_there_is_one),
        cmocka_unit_test(test_piece),
        cmocka_unit_test(test_new_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
