/* The error record.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "tests/core/test.h"

static int clear(void **state)
{
    (void)state;
    error_clear();
    return 0;
}

static void assert_line(const char *want)
{
    char line[2048];
    size_t length = error_format(error_get(), line, sizeof(line));
    assert_string_equal(line, want);
    assert_int_equal(length, strlen(want));
}

static void test_results(void **state)
{
    (void)state;
    assert_false(error_is_set());
    assert_int_equal(fail(EPERM, "cannot attach %s", "/mnt"), -EPERM);
    assert_true(error_is_set());
    assert_int_equal(error_get()->kind, ERROR_SYSTEM);
    assert_line("cannot attach /mnt: Operation not permitted");
    error_clear();
    assert_false(error_is_set());
    assert_int_equal(fail(0, "x"), -EIO);
    error_clear();
    assert_int_equal(fail(-3, "x"), -EIO);
    error_clear();
    assert_int_equal(fail_usage("wrong"), -EINVAL);
    assert_int_equal(error_get()->kind, ERROR_USAGE);
    assert_line("wrong");
    error_clear();
    assert_int_equal(fail_config("/a/0", "bad"), -EINVAL);
    assert_int_equal(error_get()->kind, ERROR_CONFIG);
    assert_line("/a/0: bad");
    error_clear();
    assert_int_equal(fail_config(NULL, "bad"), -EINVAL);
    assert_line("bad");
}

static void test_exec_kinds(void **state)
{
    (void)state;
    const struct {
        int number, kind;
    } cases[] = {{ENOENT, ERROR_NOT_FOUND},
                 {ENOTDIR, ERROR_NOT_FOUND},
                 {EACCES, ERROR_CANNOT_EXEC},
                 {ENOEXEC, ERROR_CANNOT_EXEC},
                 {0, ERROR_CANNOT_EXEC}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error_clear();
        int want = cases[i].number ? -cases[i].number : -EIO;
        assert_int_equal(fail_exec(cases[i].number, "x"), want);
        assert_int_equal(error_get()->kind, cases[i].kind);
    }
}

static void test_first_wins(void **state)
{
    (void)state;
    fail(EPERM, "first");
    assert_int_equal(fail(ENOENT, "second"), -ENOENT);
    error_hint("for the second");
    assert_line("first: Operation not permitted");
    assert_int_equal(fail_config("/field", "third"), -EINVAL);
    assert_string_equal(error_get()->field, "");
    error_context("while %s", "testing");
    assert_line("while testing: first: Operation not permitted");
}

static void test_once(void **state)
{
    (void)state;
    error_hint("nothing is wrong");
    error_field("/x");
    error_step("step");
    error_context("context");
    assert_false(error_is_set());
    assert_string_equal(error_get()->hint, "");
    fail(EPERM, "x");
    error_hint("one");
    error_hint("two");
    error_field("/one");
    error_field("/two");
    error_step("one");
    error_step("two");
    assert_line("/one: x: Operation not permitted (one)");
    assert_string_equal(error_get()->step, "one");
}

static void test_limits(void **state)
{
    (void)state;
    char large[4096], line[2048];
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    fail(EPERM, "%s", large);
    error_hint("%s", large);
    error_field(large);
    error_step(large);
    error_context("%s", large);
    assert_int_equal(strlen(error_get()->text), sizeof(error_get()->text) - 1);
    assert_int_equal(strlen(error_get()->hint), sizeof(error_get()->hint) - 1);
    assert_int_equal(strlen(error_get()->field), sizeof(error_get()->field) - 1);
    assert_int_equal(strlen(error_get()->step), sizeof(error_get()->step) - 1);
    error_format(error_get(), line, sizeof(line));
    assert_non_null(strstr(line, "Operation not permitted"));
    for (size_t size = 1; size < 40; size++) {
        memset(line, 'x', sizeof(line));
        assert_int_equal(error_format(error_get(), line, size), size - 1);
        assert_int_equal(line[size - 1], '\0');
        assert_int_equal(line[size], 'x');
    }
}

static void test_escapes(void **state)
{
    (void)state;
    fail_usage("a\nb\x7f\x1b c\xc3\xa4 \xff \xc2\x9b");
    assert_line("a\\x0ab\\x7f\\x1b c\xc3\xa4 \\xff \\xc2\\x9b");
}

static void test_adopt(void **state)
{
    (void)state;
    struct error foreign = {.kind = ERROR_CONFIG, .number = EACCES};
    strcpy(foreign.text, "from the child");
    assert_int_equal(error_adopt(&foreign), -EACCES);
    assert_line("from the child: Permission denied");

    struct error other = {.kind = ERROR_SYSTEM, .number = EPERM};
    assert_int_equal(error_adopt(&other), -EACCES);
    assert_line("from the child: Permission denied");

    error_clear();
    foreign.number = 0;
    assert_int_equal(error_adopt(&foreign), -EIO);
}

static void test_adopt_hostile(void **state)
{
    (void)state;
    struct error foreign;
    char line[2048];
    memset(&foreign, 0xff, sizeof(foreign));
    assert_int_equal(error_adopt(&foreign), -EIO);
    assert_int_equal(error_get()->kind, ERROR_SYSTEM);
    assert_int_equal(strlen(error_get()->text), sizeof(foreign.text) - 1);
    size_t length = error_format(error_get(), line, sizeof(line));
    assert_int_equal(length, strlen(line));
    for (size_t i = 0; i < length; i++)
        assert_in_range(line[i], 0x20, 0x7e);
    error_clear();
    memset(&foreign, 0, sizeof(foreign));
    assert_int_equal(error_adopt(&foreign), -EIO);
    assert_true(error_is_set());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_results, clear),
        cmocka_unit_test_setup(test_exec_kinds, clear),
        cmocka_unit_test_setup(test_first_wins, clear),
        cmocka_unit_test_setup(test_once, clear),
        cmocka_unit_test_setup(test_limits, clear),
        cmocka_unit_test_setup(test_escapes, clear),
        cmocka_unit_test_setup(test_adopt, clear),
        cmocka_unit_test_setup(test_adopt_hostile, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
