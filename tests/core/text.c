/* Numbers, text under construction, lists, UTF-8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "tests/core/test.h"

static void test_numbers(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t max;
        int result;
        uint64_t number;
    } cases[] = {
        {"0", 0, 0, 0},
        {"1", 0, -ERANGE, 0},
        {"007", 10, 0, 7},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
        {"99999999999999999999999999", UINT64_MAX, -ERANGE, 0},
        {"99999999999999999999999999x", UINT64_MAX, -EINVAL, 0},
        {"", 9, -EINVAL, 0},
        {"-1", 9, -EINVAL, 0},
        {"+1", 9, -EINVAL, 0},
        {" 1", 9, -EINVAL, 0},
        {"1 ", 9, -EINVAL, 0},
        {"1\n", 9, -EINVAL, 0},
        {"0x1", 9, -EINVAL, 0},
        {"1e1", 99, -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t number = 4711;
        assert_int_equal(parse_u64(cases[i].text, cases[i].max, &number), cases[i].result);
        assert_int_equal(number, cases[i].result ? 4711 : cases[i].number);
    }
    uint32_t small = 4711;
    assert_int_equal(parse_u32("4294967295", UINT32_MAX, &small), 0);
    assert_int_equal(small, UINT32_MAX);
    assert_int_equal(parse_u32("4294967296", UINT32_MAX, &small), -ERANGE);
    assert_int_equal(small, UINT32_MAX);
    assert_int_equal(parse_id("4294967294", &small), 0);
    assert_int_equal(parse_id("4294967295", &small), -ERANGE);
    assert_int_equal(small, ID_MAX);
}

static void test_affixes(void **state)
{
    (void)state;
    assert_true(starts_with("abc", "ab"));
    assert_true(starts_with("abc", ""));
    assert_false(starts_with("a", "ab"));
    assert_true(ends_with("abc", "bc"));
    assert_true(ends_with("abc", ""));
    assert_false(ends_with("c", "bc"));
    assert_false(ends_with("abd", "bc"));
}

static void test_text(void **state)
{
    (void)state;
    autotext struct text text = {0};
    for (int i = 0; i < 1000; i++) {
        text_append(&text, "ab");
        text_append_format(&text, "%03d", i);
        text_append_bytes(&text, "\0", 1);
    }
    assert_false(text.failed);
    assert_int_equal(text.length, 6000);
    assert_memory_equal(text.data, "ab000\0ab001", 11);
    assert_int_equal(text.data[text.length], '\0');
    text_free(&text);
    assert_null(text.data);
    text_append(&text, "");
    assert_string_equal(text.data, "");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    autotext struct text text = {0};
    text_append(&text, "x");
    /* More than any address space holds: nothing of the bytes is touched. */
    text_append_bytes(&text, "y", SIZE_MAX / 2);
    assert_true(text.failed);
    text_append(&text, "z");
    assert_string_equal(text.data, "x");
}

static void test_json(void **state)
{
    (void)state;
    autotext struct text text = {0};
    text_append_json(&text, "a\"\\/\n\t\x01\x7f \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_string_equal(text.data, "\"a\\\"\\\\/\\n\\t\\u0001\\u007f \xc3\xa4 \xe2\x82\xac "
                                   "\xf0\x9f\x98\x80\"");
    text_free(&text);
    /* A stray byte, an overlong slash, a surrogate, beyond Unicode, cut off. */
    text_append_json(&text, "\x80|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82");
#define R "\xef\xbf\xbd"
    assert_string_equal(text.data, "\"" R "|" R R "|" R R R "|" R R R R "|" R R "\"");
}

static void test_utf8(void **state)
{
    (void)state;
    uint32_t code;
    assert_int_equal(utf8_sequence("", &code), 0);
    assert_int_equal(utf8_sequence("a", &code), 1);
    assert_int_equal(code, 'a');
    assert_int_equal(utf8_sequence("\xc3\xa4", &code), 2);
    assert_int_equal(code, 0xe4);
    assert_int_equal(utf8_sequence("\xef\xbf\xbf", NULL), 3);
    assert_int_equal(utf8_sequence("\xf4\x8f\xbf\xbf", &code), 4);
    assert_int_equal(code, 0x10ffff);
    assert_int_equal(utf8_sequence("\xf5\x80\x80\x80", NULL), 0);
    assert_int_equal(utf8_sequence("\xe0\x80\xaf", NULL), 0);
    assert_int_equal(utf8_sequence("\xf0\x80\x80\xaf", NULL), 0);
    assert_int_equal(utf8_sequence("\xc3", NULL), 0);
}

static void test_printable(void **state)
{
    (void)state;
    char line[16];
    assert_int_equal(text_printable("a\tb", line, sizeof(line)), 6);
    assert_string_equal(line, "a\\x09b");
    /* Cut between characters only. */
    assert_int_equal(text_printable("a\tb", line, 5), 1);
    assert_string_equal(line, "a");
    assert_int_equal(text_printable("a\xc3\xa4", line, 3), 1);
    assert_string_equal(line, "a");
    assert_int_equal(text_printable("abc", line, 1), 0);
    assert_string_equal(line, "");
    assert_int_equal(text_printable("abc", NULL, 0), 0);
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t milliseconds;
    } rows[] = {
        {"0", 0},
        {"0s", 0},
        {"1ns", 1},
        {"999us", 1},
        {"1500us", 1},
        {"1ms", 1},
        {"0.5s", 500},
        {"25s", 25000},
        {"1m", 60000},
        {"1m30s", 90000},
        {"1h", 3600000},
        {".5m", 30000},
        {"1.s", 1000},
        {"5m5ms", 300005},
        {"1s1s", 2000},
        {"86399.999s", 86399999},
        {"86400s", 86400000},
    };
    static const char *const none[] = {
        "",      "1",  "s",    "-1s",  "+1s",    "1 s", " 1s", "1s ",  "1d",    "1S", "1s1",
        "1..5s", ".s", "0x1s", "1e3s", "1.2.3s", "nan", "inf", "infs", "1m 2s", "00", "5µs"};
    static const char *const many[] = {"86400001ms", "25h", "24h1ms", "99999999999999999999h"};
    int64_t found;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse_duration(rows[i].text, 86400000, &found), 0);
        assert_int_equal(found, rows[i].milliseconds);
    }
    found = 7;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(parse_duration(none[i], 86400000, &found), -EINVAL);
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        assert_int_equal(parse_duration(many[i], 86400000, &found), -ERANGE);
    assert_int_equal(found, 7);
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(text_distance("run", "run"), 0);
    assert_int_equal(text_distance("", "run"), 3);
    assert_int_equal(text_distance("rum", "run"), 1);
    assert_int_equal(text_distance("rnu", "run"), 1);
    assert_int_equal(text_distance("ru", "run"), 1);
    assert_int_equal(text_distance("runn", "run"), 1);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_int_equal(text_distance("aaaaaaaaaabbbbbbbbbbccccccccccdd", "a"), UINT_MAX);
    assert_int_equal(text_distance("aaaaaaaaaabbbbbbbbbbccccccccccd", "a"), 30);
}

static void test_list(void **state)
{
    (void)state;
    struct text_list list = {0};
    static const char *const words[] = {"a", "b", "c"};
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(text_list_add(&list, words[i % 3]), 0);
    assert_int_equal(list.count, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_ptr_equal(list.items[i], words[i % 3]);
    text_list_free(&list);
    assert_null(list.items);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_affixes),
        cmocka_unit_test(test_text),      cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_json),      cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_printable), cmocka_unit_test(test_distance),
        cmocka_unit_test(test_list),      cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
