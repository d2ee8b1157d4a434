/* Whole files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "tests/core/test.h"

static char directory[] = "/tmp/shimbox-file-XXXXXX";

static int enter(void **state)
{
    (void)state;
    error_clear();
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

/* How many files are left in the directory; they are removed. */
static int count_files(void)
{
    int count = 0;
    DIR *stream = opendir(directory);
    if (!stream)
        return -1;
    for (struct dirent *entry; (entry = readdir(stream));)
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            count += unlinkat(dirfd(stream), entry->d_name, 0) == 0;
    closedir(stream);
    return count;
}

static int leave(void **state)
{
    (void)state;
    count_files();
    return chdir("/") == 0 ? rmdir(directory) : -1;
}

static void assert_content(const char *path, const char *want)
{
    autotext struct text text = {0};
    assert_int_equal(read_file(AT_FDCWD, path, 100000, &text), 0);
    assert_int_equal(text.length, strlen(want));
    assert_string_equal(text.data, want);
}

static void test_create(void **state)
{
    (void)state;
    struct stat status;
    umask(022);
    assert_int_equal(create_file("one", 0666, "abc", 3), 0);
    assert_content("one", "abc");
    assert_int_equal(stat("one", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    assert_int_equal(status.st_nlink, 1);
    assert_int_equal(create_file("one", 0666, "xyz", 3), -EEXIST);
    assert_string_equal(error_get()->text, "cannot create one");
    assert_content("one", "abc");
    char path[64];
    snprintf(path, sizeof(path), "%s/two", directory);
    error_clear();
    assert_int_equal(create_file(path, 0600, "", 0), 0);
    assert_content(path, "");
    assert_int_equal(count_files(), 2);
}

static void test_create_leaves_links_alone(void **state)
{
    (void)state;
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(create_file("link", 0666, "abc", 3), -EEXIST);
    assert_int_equal(access("target", F_OK), -1);
    assert_int_equal(count_files(), 1);
}

static void test_create_fails_clean(void **state)
{
    (void)state;
    assert_int_equal(create_file("none/file", 0666, "abc", 3), -ENOENT);
    assert_string_equal(error_get()->text, "cannot create none/file");
    error_clear();
    char name[300];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(create_file(name, 0666, "abc", 3), -ENAMETOOLONG);
    assert_int_equal(count_files(), 0);
}

static void test_stale_temporary(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), ".shimbox-%ld-0", (long)getpid());
    close(open(name, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(create_file("one", 0666, "abc", 3), 0);
    assert_content("one", "abc");
    assert_int_equal(count_files(), 2);
}

static void test_replace(void **state)
{
    (void)state;
    assert_int_equal(replace_file("one", 0600, "abc", 3), 0);
    assert_int_equal(replace_file("one", 0600, "defg", 4), 0);
    assert_content("one", "defg");
    assert_int_equal(symlink("one", "link"), 0);
    assert_int_equal(replace_file("link", 0600, "new", 3), 0);
    assert_content("one", "defg");
    assert_content("link", "new");
    assert_int_equal(count_files(), 2);
}

static void test_read(void **state)
{
    (void)state;
    autotext struct text text = {0};
    static char large[70000];
    memset(large, 'l', sizeof(large));
    assert_int_equal(create_file("large", 0600, large, sizeof(large)), 0);
    assert_int_equal(read_file(AT_FDCWD, "large", sizeof(large), &text), 0);
    assert_int_equal(text.length, sizeof(large));
    assert_memory_equal(text.data, large, sizeof(large));
    text_free(&text);
    assert_int_equal(read_file(AT_FDCWD, "large", sizeof(large) - 1, &text), -EFBIG);
    assert_string_equal(error_get()->hint, "it holds more than 69999 bytes");
    error_clear();
    assert_int_equal(read_file(AT_FDCWD, "none", 10, &text), -ENOENT);
    assert_string_equal(error_get()->text, "cannot open none");
    error_clear();
    assert_int_equal(read_file(AT_FDCWD, "/", 10, &text), -EISDIR);
    assert_string_equal(error_get()->text, "cannot read /");
    error_clear();
    autoclose int fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    text_free(&text);
    assert_int_equal(read_file(fd, "comm", 100, &text), 0);
    assert_true(text.length > 0);
}

static void test_write_all(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write_all(ends[1], "the pipe", "abc", 3), 0);
    static char large[1 << 20];
    assert_int_equal(write_all(ends[1], "the pipe", large, sizeof(large)), -EAGAIN);
    assert_string_equal(error_get()->text, "cannot write the pipe");
    close(ends[0]);
    close(ends[1]);
}

static void test_write_value(void **state)
{
    (void)state;
    assert_int_equal(write_value(AT_FDCWD, "none", "1"), -ENOENT);
    assert_string_equal(error_get()->text, "cannot open none");
    error_clear();
    assert_int_equal(access("none", F_OK), -1);
    assert_int_equal(write_value(AT_FDCWD, "/dev/full", "1"), -ENOSPC);
    assert_string_equal(error_get()->text, "cannot write '1' to /dev/full");
    error_clear();
    assert_int_equal(write_value(AT_FDCWD, "/proc/self/comm", "changed"), 0);
    assert_content("/proc/self/comm", "changed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create, enter, leave),
        cmocka_unit_test_setup_teardown(test_create_leaves_links_alone, enter, leave),
        cmocka_unit_test_setup_teardown(test_create_fails_clean, enter, leave),
        cmocka_unit_test_setup_teardown(test_stale_temporary, enter, leave),
        cmocka_unit_test_setup_teardown(test_replace, enter, leave),
        cmocka_unit_test_setup_teardown(test_read, enter, leave),
        cmocka_unit_test_setup_teardown(test_write_all, enter, leave),
        cmocka_unit_test_setup_teardown(test_write_value, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
