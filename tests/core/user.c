/* Tests of core/oci/user.c; tests/spec/test_user.py has the matrix of forms.
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

#include "core/base/error.h"
#include "core/oci/user.h"

static char folder[] = "/tmp/user-test-XXXXXX";

static void write_text(const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", folder, name);

    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int set_up(void **state)
{
    char path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/etc", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    write_text("etc/passwd", "root:x:0:0:::\nann:x:10:20:::\n");
    write_text("etc/group", "wheel:x:30:ann\nstaff:x:20:ann\nlogs:x:40:ann\n");
    write_text("other", "ann:x:1:2:::\n");
    return 0;
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void names_come_from_the_root(void **state)
{
    struct user_tables tables = {.rootfs = folder};
    struct user user;

    (void)state;
    assert_int_equal(user_resolve(&user, "ann", &tables), 0);
    assert_int_equal(user.uid, 10);
    assert_int_equal(user.gid, 20);
    assert_int_equal(user.groups.count, 2); /* 20 is the primary one */
    assert_int_equal(user.groups.gids[0], 30);
    assert_int_equal(user.groups.gids[1], 40);
    user_free(&user);
    assert_int_equal(user_resolve(&user, "10:wheel", &tables), 0);
    assert_int_equal(user.gid, 30);
    assert_int_equal(user.groups.count, 1);
    assert_int_equal(user.groups.gids[0], 40);
    user_free(&user);
    assert_int_equal(user_resolve(&user, "nobody", &tables), -EINVAL);
    assert_string_equal(error_get()->text, "unknown user \"nobody\": etc/passwd has no such name");
    error_clear();
    user_free(&user);
}

static void files_go_before_the_root(void **state)
{
    char passwd[64];
    struct user_tables tables = {.rootfs = folder, .passwd = passwd, .group = "/dev/null"};
    struct user user;

    (void)state;
    snprintf(passwd, sizeof(passwd), "%s/other", folder);
    assert_int_equal(user_resolve(&user, "ann", &tables), 0);
    assert_int_equal(user.uid, 1);
    assert_int_equal(user.gid, 2);
    assert_int_equal(user.groups.count, 0);
    user_free(&user);
}

static void numbers_need_nothing(void **state)
{
    struct user_tables none = {.rootfs = "/nowhere"};
    struct user_tables bad = {.passwd = "/nowhere", .group = "/nowhere"};
    struct user user;

    (void)state;
    assert_int_equal(user_resolve(&user, "4294967294:1", &bad), 0);
    assert_int_equal(user.uid, 4294967294U);
    assert_int_equal(user.gid, 1);
    assert_int_equal(user_resolve(&user, "5", &none), 0);
    assert_int_equal(user.gid, 0);
    assert_int_equal(user_resolve(&user, "5", &bad), -ENOENT);
    error_clear();
    assert_int_equal(user_resolve(&user, "4294967295:1", &none), -EINVAL);
    error_clear();
    assert_int_equal(user_resolve(&user, "ann", &none), -EINVAL);
    assert_string_equal(error_get()->text, "unknown user \"ann\": etc/passwd does not exist");
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_from_the_root),
        cmocka_unit_test(files_go_before_the_root),
        cmocka_unit_test(numbers_need_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
