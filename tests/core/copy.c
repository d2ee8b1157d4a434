/* core/linux/copy: what is kept, what is left out, what fails.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/copy.h"

static char folder[64];
static int from, to;

static int open_folder(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    umask(0);
    error_clear();
    snprintf(folder, sizeof(folder), "/tmp/copy-test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    from = open_folder("from");
    to = open_folder("to");
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    close(from);
    close(to);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void write_file(int directory, const char *name, const char *text, mode_t mode)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_everything_is_kept(void **state)
{
    (void)state;
    struct stat status;
    char text[16] = "";
    const struct timespec times[2] = {{.tv_sec = 1000000}, {.tv_sec = 2000000}};
    assert_int_equal(mkdirat(from, "sub", 01750), 0);
    assert_int_equal(mkdirat(from, "sub/deep", 0711), 0);
    write_file(from, "sub/deep/file", "hello", 0604);
    assert_int_equal(fchmodat(from, "sub/deep/file", 04755, 0), 0);
    assert_int_equal(utimensat(from, "sub/deep/file", times, 0), 0);
    assert_int_equal(symlinkat("/not/there", from, "link"), 0);
    assert_int_equal(mkfifoat(from, "pipe", 0640), 0);
    assert_int_equal(fchmodat(from, ".", 01777, 0), 0);
    assert_int_equal(copy_tree(from, to, "from", COPY_EXACT), 0);

    assert_int_equal(fstat(to, &status), 0);
    assert_int_equal(status.st_mode, S_IFDIR | 01777);
    assert_int_equal(fstatat(to, "sub", &status, 0), 0);
    assert_int_equal(status.st_mode, S_IFDIR | 01750);
    assert_int_equal(fstatat(to, "sub/deep/file", &status, 0), 0);
    assert_int_equal(status.st_mode, S_IFREG | 04755);
    assert_int_equal(status.st_mtim.tv_sec, 2000000);
    int fd = openat(to, "sub/deep/file", O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    close(fd);
    assert_string_equal(text, "hello");
    assert_int_equal(readlinkat(to, "link", text, sizeof(text)), 10);
    assert_memory_equal(text, "/not/there", 10);
    assert_int_equal(fstatat(to, "pipe", &status, 0), 0);
    assert_int_equal(status.st_mode, S_IFIFO | 0640);
}

static void test_nothing_is_replaced_or_followed(void **state)
{
    (void)state;
    write_file(from, "name", "new", 0644);
    assert_int_equal(symlinkat("elsewhere", to, "name"), 0);
    assert_int_equal(copy_tree(from, to, "from", COPY_EXACT), -EEXIST);
    assert_string_equal(error_get()->text, "cannot copy name in from");
    assert_int_equal(faccessat(to, "elsewhere", F_OK, 0), -1);
}

static void test_depth_is_limited(void **state)
{
    (void)state;
    int fd = dup(from);
    for (int i = 0; i < 130; i++) {
        assert_int_equal(mkdirat(fd, "d", 0755), 0);
        int next = openat(fd, "d", O_PATH | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    assert_int_equal(copy_tree(from, to, "from", COPY_EXACT), -ENAMETOOLONG);
}

/* In a user namespace without ids nothing can be given away, and no device be made. */
static int copy_as_nobody(enum copy_manner manner)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) < 0 ? 99 : -copy_tree(from, to, "from", manner));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void test_lenient(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    write_file(from, "file", "hello", 0644);
    assert_int_equal(mkdirat(from, "sub", 0755), 0);
    assert_int_equal(fchmodat(from, ".", 0755, 0), 0);
    assert_int_equal(fchmodat(to, ".", 0777, 0), 0);
    assert_int_equal(fchownat(from, "file", 7, 8, 0), 0);
    assert_int_equal(symlinkat("file", from, "link"), 0);
    assert_int_equal(mknodat(from, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_not_equal(copy_as_nobody(COPY_EXACT), 0);
    error_clear();
    close(to);
    to = open_folder("other");
    assert_int_equal(fchmodat(to, ".", 0777, 0), 0);
    assert_int_equal(copy_as_nobody(COPY_LENIENT), 0);
    struct stat status;
    assert_int_equal(fstatat(to, "file", &status, 0), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0644);
    assert_int_equal(status.st_size, 5);
    assert_int_equal(fstatat(to, "sub", &status, 0), 0);
    assert_int_equal(fstatat(to, "link", &status, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(fstatat(to, "null", &status, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_replaced_or_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lenient, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
