/* core/linux/pages.c: the piece of the heap, which the debug build does without, and the stack.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* Write to each page that lies so far below; a sanitizer would touch others for that. */
static __attribute__((noinline, no_sanitize("address", "undefined"))) void touch_stack(void)
{
    volatile char *here = __builtin_frame_address(0);
    for (size_t offset = 0; offset < STACK_SIZE - PAGE; offset += PAGE)
        here[-(ptrdiff_t)offset - 512] = 1;
}

/* How many exceptions that takes in a child, after whatever is to make it take none. */
static int faults_of_child(void (*prepare)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        faults();
        if (prepare)
            prepare();
        long before = faults();
        touch_stack();
        _exit((int)(faults() - before));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_stack(void **state)
{
    (void)state;
    assert_true(faults_of_child(NULL) >= 3);
    assert_int_equal(faults_of_child(pages_of_stack), 0);
    assert_int_equal(faults_of_child(pages_of_child), 0);
    assert_int_equal(faults_of_child(pages_of_parent), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_there_is_one),
        cmocka_unit_test(test_piece),
        cmocka_unit_test(test_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
