/* Tests of core/linux/path.c: openat2(2) and the walk must agree.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/path.h"

static char folder[] = "/tmp/path-test-XXXXXX";
static int root = -1;

static void make_file(const char *path)
{
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    close(fd);
}

static int set_up(void **state)
{
    char link[16];
    char target[16];

    (void)state;
    assert_non_null(mkdtemp(folder));
    root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
    assert_int_equal(mkdirat(root, "a", 0755), 0);
    assert_int_equal(mkdirat(root, "a/b", 0755), 0);
    assert_int_equal(mkdirat(root, "etc", 0755), 0);
    make_file("a/b/file");
    make_file("etc/passwd");
    assert_int_equal(symlinkat("/etc", root, "absolute"), 0);
    assert_int_equal(symlinkat("../../../../../../etc", root, "a/b/up"), 0);
    assert_int_equal(symlinkat("loop", root, "loop"), 0);
    assert_int_equal(symlinkat("nowhere", root, "dangling"), 0);
    assert_int_equal(symlinkat("/", root, "a/slash"), 0);
    assert_int_equal(symlinkat("a/b/", root, "trailing"), 0);
    assert_int_equal(symlinkat("/proc/self/root", root, "magic"), 0);
    /* link40 is followed by 40 links, link41 by one too many. */
    assert_int_equal(symlinkat("a/b/file", root, "link1"), 0);
    for (int i = 2; i <= 41; i++) {
        snprintf(link, sizeof(link), "link%d", i);
        snprintf(target, sizeof(target), "link%d", i - 1);
        assert_int_equal(symlinkat(target, root, link), 0);
    }
    return 0;
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    close(root);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* Both ways lead to the same file, or to the same error. */
static void check(const char *path, int flags, const char *want, int want_error)
{
    int (*const ways[])(int, const char *, int) = {path_open_in_root, path_walk_in_root};
    struct stat expected;
    struct stat found;

    if (want)
        assert_int_equal(fstatat(root, want, &expected, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), 0);
    for (size_t i = 0; i < 2; i++) {
        int fd = ways[i](root, path, flags);

        if (!want) {
            if (fd != want_error)
                print_error("way %zu, %s: %d\n", i, path, fd);
            assert_int_equal(fd, want_error);
            assert_int_equal(error_get()->number, -want_error);
            error_clear();
            continue;
        }
        if (fd < 0)
            print_error("way %zu, %s: %s\n", i, path, error_get()->text);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &found), 0);
        assert_int_equal(found.st_ino, expected.st_ino);
        assert_int_equal(found.st_dev, expected.st_dev);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
    }
}

static void paths_stay_inside(void **state)
{
    (void)state;
    check("a/b/file", O_RDONLY, "a/b/file", 0);
    check("/a/b/file", O_RDONLY, "a/b/file", 0);
    check("//a/./b/../b//file", O_RDONLY, "a/b/file", 0);
    check("/etc/passwd", O_RDONLY, "etc/passwd", 0);
    check("../../../etc/passwd", O_RDONLY, "etc/passwd", 0);
    check("absolute/passwd", O_RDONLY, "etc/passwd", 0);
    check("a/b/up/passwd", O_RDONLY, "etc/passwd", 0);
    check("a/slash/a/b/up", O_PATH, "etc", 0);
    check("/", O_PATH, "", 0);
    check(".", O_PATH, "", 0);
    check("..", O_PATH, "", 0);
    check("a/..", O_PATH | O_DIRECTORY, "", 0);
    check("a/", O_PATH, "a", 0);
    check("trailing/file", O_RDONLY, "a/b/file", 0);
    check("link40", O_RDONLY, "a/b/file", 0);
    check("loop", O_PATH | O_NOFOLLOW, "loop", 0);
}

static void what_cannot_be_opened(void **state)
{
    char long_name[NAME_MAX + 2];
    char long_path[PATH_MAX + 1];

    (void)state;
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    memset(long_path, '/', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    check("missing", O_RDONLY, NULL, -ENOENT);
    check("missing/x", O_RDONLY, NULL, -ENOENT);
    check("", O_RDONLY, NULL, -ENOENT);
    check("a/b/file/x", O_RDONLY, NULL, -ENOTDIR);
    check("a/b/file/", O_RDONLY, NULL, -ENOTDIR);
    check("a/b/file", O_RDONLY | O_DIRECTORY, NULL, -ENOTDIR);
    check("loop", O_RDONLY, NULL, -ELOOP);
    check("absolute", O_RDONLY | O_NOFOLLOW, NULL, -ELOOP);
    check("dangling", O_RDONLY, NULL, -ENOENT);
    check("link41", O_RDONLY, NULL, -ELOOP);
    check(long_name, O_RDONLY, NULL, -ENAMETOOLONG);
    check(long_path, O_RDONLY, NULL, -ENAMETOOLONG);
    check("magic/etc", O_RDONLY, NULL, -ENOENT);
}

/* With the real root, whose /proc has links that lead anywhere. */
static void magic_links_are_refused(void **state)
{
    int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(path_open_in_root(slash, "proc/self/cwd", O_PATH), -ELOOP);
    error_clear();
    assert_int_equal(path_walk_in_root(slash, "proc/1/cwd/x", O_PATH), -ELOOP);
    error_clear();
    close(slash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_stay_inside),
        cmocka_unit_test(what_cannot_be_opened),
        cmocka_unit_test(magic_links_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
