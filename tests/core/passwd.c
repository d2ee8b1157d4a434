/* Tests of core/base/table.c and core/oci/passwd.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/table.h"
#include "core/base/text.h"
#include "core/oci/passwd.h"

static int make_file(const char *text, size_t length)
{
    int fd = memfd_create("table", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* All fields as "LINE.COLUMN=TEXT", with "!" for a cut one and ";" at the end of a line. */
static void check_fields(const char *bytes, size_t length, const char *want)
{
    struct table_reader reader = {.fd = make_file(bytes, length), .name = "t", .list_column = 3};
    autotext struct text text = {0};
    struct table_field field;
    int result;

    while ((result = table_next(&reader, &field)) > 0)
        text_append_format(&text, "%zu.%u=%s%s%s", field.line, field.column, field.text,
                           field.cut ? "!" : "", field.last ? "; " : " ");
    assert_int_equal(result, 0);
    assert_int_equal(table_next(&reader, &field), 0);
    assert_string_equal(text.data ? text.data : "", want);
    close(reader.fd);
}

static void fields_come_one_by_one(void **state)
{
    (void)state;
    check_fields("", 0, "");
    check_fields("\n\n", 2, "");
    check_fields("a", 1, "1.0=a; ");
    check_fields("a:b\nc", 5, "1.0=a 1.1=b; 2.0=c; ");
    check_fields(":", 1, "1.0= 1.1=; ");
    check_fields("#x:y\n\r\na\r\n", 10, "3.0=a; ");
    check_fields(" #x\n \t y: z \n", 13, "1.0=#x; 2.0=y 2.1=z ; ");
    check_fields("a,b:c,d:e:f,g,,h:i,j\n", 21,
                 "1.0=a,b 1.1=c,d 1.2=e 1.3=f 1.3=g 1.3= 1.3=h 1.4=i 1.4=j; ");
    check_fields("a\0b:c\n", 6, "1.0=ab! 1.1=c; ");
}

static void long_fields_are_cut(void **state)
{
    enum { LENGTH = 100000 };
    autotext struct text text = {0};
    struct table_reader reader = {.name = "t"};
    struct table_field field;

    (void)state;
    for (int i = 0; i < LENGTH; i++)
        text_append(&text, "x");
    text_append(&text, ":y\nz");
    reader.fd = make_file(text.data, text.length);
    assert_int_equal(table_next(&reader, &field), 1);
    assert_true(field.cut);
    assert_int_equal(strlen(field.text), sizeof(field.text) - 1);
    assert_int_equal(table_next(&reader, &field), 1);
    assert_string_equal(field.text, "y");
    assert_false(field.cut);
    assert_int_equal(table_next(&reader, &field), 1);
    assert_int_equal(field.line, 2);
    close(reader.fd);
}

static void a_read_that_fails(void **state)
{
    struct table_reader reader = {.fd = -1, .name = "t"};
    struct table_field field;

    (void)state;
    assert_int_equal(table_next(&reader, &field), -EBADF);
    assert_string_equal(error_get()->text, "cannot read t");
    error_clear();
}

static void users_are_found(void **state)
{
    static const char table[] = "bad\nann:x:1:2:c:/home/ann:/bin/sh\nann:x:3:4:::\nbob:x:1:5\n"
                                "neg:x:-1:1:::\nmax:x:4294967295:1:::\n:x:77:1:::\n";
    struct passwd_notes notes = {0};
    struct passwd_user user;
    int fd = make_file(table, strlen(table));

    (void)state;
    assert_int_equal(passwd_find(fd, "p", "ann", 0, &user, &notes), 0);
    assert_true(user.found);
    assert_int_equal(user.uid, 1);
    assert_int_equal(user.gid, 2);
    assert_string_equal(user.home, "/home/ann");
    assert_int_equal(notes.bad_lines, 1);
    assert_int_equal(notes.first, 1);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(passwd_find(fd, "p", "bob", 0, &user, &notes), 0);
    assert_int_equal(user.gid, 5);
    assert_string_equal(user.home, "");
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(passwd_find(fd, "p", NULL, 1, &user, &notes), 0);
    assert_string_equal(user.name, "ann");
    for (const char *const *name = (const char *const[]){"neg", "max", "x", NULL}; *name; name++) {
        lseek(fd, 0, SEEK_SET);
        notes = (struct passwd_notes){0};
        assert_int_equal(passwd_find(fd, "p", *name, 0, &user, &notes), 0);
        assert_false(user.found);
        assert_int_equal(notes.bad_lines, 4);
    }
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(passwd_find(fd, "p", NULL, 77, &user, &notes), 0);
    assert_false(user.found);
    close(fd);
}

static void groups_are_found(void **state)
{
    static const char table[] =
        "a:x:1:ann\nb:x:2:bob,ann,ann\nodd\nc:x:x:ann\na:x:9:ann\nd:x:1:ann\n"
        "e:x:7";
    struct passwd_notes notes = {0};
    struct group_set set = {0};
    bool found;
    uint32_t gid = 0;
    int fd = make_file(table, strlen(table));

    (void)state;
    assert_int_equal(group_find(fd, "g", "a", &found, &gid, "ann", &set, &notes), 0);
    assert_true(found);
    assert_int_equal(gid, 1);
    assert_int_equal(set.count, 3);
    assert_int_equal(set.gids[0], 1);
    assert_int_equal(set.gids[1], 2);
    assert_int_equal(set.gids[2], 9);
    assert_int_equal(notes.bad_lines, 2);
    assert_int_equal(notes.first, 3);
    group_set_free(&set);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(group_find(fd, "g", "e", &found, &gid, NULL, &set, &notes), 0);
    assert_int_equal(gid, 7);
    assert_int_equal(set.count, 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(group_find(fd, "g", "c", &found, &gid, "", &set, &notes), 0);
    assert_false(found);
    assert_int_equal(set.count, 0);
    close(fd);
}

static void too_many_groups_are_refused(void **state)
{
    autotext struct text text = {0};
    struct passwd_notes notes = {0};
    struct group_set set = {0};
    bool found;
    uint32_t gid;

    (void)state;
    for (int i = 0; i <= PASSWD_GROUPS_MAX; i++)
        text_append_format(&text, "g:x:%d:ann\n", i);

    int fd = make_file(text.data, text.length);

    assert_int_equal(group_find(fd, "g", NULL, &found, &gid, "ann", &set, &notes), -EINVAL);
    assert_string_equal(error_get()->text, "g: more than 65536 groups, the kernel's limit");
    error_clear();
    assert_int_equal(set.count, PASSWD_GROUPS_MAX);
    group_set_free(&set);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_one_by_one), cmocka_unit_test(long_fields_are_cut),
        cmocka_unit_test(a_read_that_fails),      cmocka_unit_test(users_are_found),
        cmocka_unit_test(groups_are_found),       cmocka_unit_test(too_many_groups_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
