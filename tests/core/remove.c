/* core/linux/remove: what goes, what does not, and what another removal has left.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/linux/remove.h"

static char folder[64];
static int top;

static int setup(void **state)
{
    (void)state;
    umask(0);
    snprintf(folder, sizeof(folder), "/tmp/remove-test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    top = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(top, "tree", 0700), 0);
    return 0;
}

/* Nothing but the folder itself is left. */
static int teardown(void **state)
{
    (void)state;
    close(top);
    return rmdir(folder);
}

static void make_file(const char *name, mode_t mode)
{
    int fd = openat(top, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    assert_true(fd >= 0);
    close(fd);
}

static void make_directories(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(mkdirat(top, names[i], 0700), 0);
}

static void check_gone(void)
{
    assert_int_equal(remove_tree(top, "tree"), 0);
    assert_int_equal(faccessat(top, "tree", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(errno, ENOENT);
}

static void test_nothing(void **state)
{
    (void)state;
    check_gone();
    assert_int_equal(remove_tree(top, "tree"), 0);
    make_file("tree", 0600);
    assert_int_equal(remove_tree(top, "tree"), -ENOTDIR);
    assert_int_equal(unlinkat(top, "tree", 0), 0);
    assert_int_equal(symlinkat(".", top, "tree"), 0);
    assert_true(remove_tree(top, "tree") < 0);
    assert_int_equal(unlinkat(top, "tree", 0), 0);
}

static void test_each_kind(void **state)
{
    (void)state;
    static const char *const names[] = {"tree/a", "tree/a/b", "tree/a/b/c", "tree/closed",
                                        "tree/closed/in"};
    make_directories(names, sizeof(names) / sizeof(names[0]));
    make_file("tree/a/b/c/file", 0);
    make_file("tree/closed/in/file", 0);
    assert_int_equal(mkfifoat(top, "tree/a/pipe", 0), 0);
    assert_int_equal(symlinkat("..", top, "tree/a/b/up"), 0);
    assert_int_equal(symlinkat("nowhere", top, "tree/dangling"), 0);
    assert_int_equal(fchmodat(top, "tree/closed/in", 0, 0), 0);
    assert_int_equal(fchmodat(top, "tree/closed", 0, 0), 0);
    assert_int_equal(fchmodat(top, "tree", 0, 0), 0);
    check_gone();
}

/* Links to outside are removed, and not what they lead to. */
static void test_nothing_is_followed(void **state)
{
    (void)state;
    static const char *const names[] = {"kept", "tree/a"};
    make_directories(names, 2);
    make_file("kept/file", 0600);
    assert_int_equal(symlinkat("../kept", top, "tree/link"), 0);
    assert_int_equal(symlinkat("../../kept/file", top, "tree/a/file"), 0);
    check_gone();
    assert_int_equal(faccessat(top, "kept/file", F_OK, 0), 0);
    assert_int_equal(unlinkat(top, "kept/file", 0), 0);
    assert_int_equal(unlinkat(top, "kept", AT_REMOVEDIR), 0);
}

static void test_depth(void **state)
{
    (void)state;
    int fd = openat(top, "tree", O_PATH | O_DIRECTORY);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(fd, "directory", 0700), 0);
        int next = openat(fd, "directory", O_PATH | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    check_gone();
}

/* As of a removal that could not go on, and of somebody who knows how it is done. */
static void test_names_of_its_own(void **state)
{
    (void)state;
    static const char *const names[] = {"tree/.removed-0",
                                        "tree/.removed-0/a",
                                        "tree/.removed-0/a/.removed-1",
                                        "tree/.removed-1",
                                        "tree/.removed-1/b",
                                        "tree/.removed-7",
                                        "tree/.removed-7/c",
                                        "tree/.removed-01",
                                        "tree/.removed-01/d",
                                        "tree/.removed-",
                                        "tree/.removed-/e",
                                        "tree/.removed--1",
                                        "tree/.removed--1/f",
                                        "tree/x",
                                        "tree/x/.removed-0",
                                        "tree/x/.removed-0/g",
                                        "tree/x/.removed-0/g/h",
                                        "tree/.removed-99999999999999999999",
                                        "tree/.removed-99999999999999999999/i"};
    make_directories(names, sizeof(names) / sizeof(names[0]));
    make_file("tree/.removed-2", 0600);
    assert_int_equal(symlinkat("x", top, "tree/.removed-3"), 0);
    make_file("tree/x/.removed-0/g/file", 0600);
    check_gone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_its_own, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
