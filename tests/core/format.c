/* The formatter of small binaries (small/format.c) beside libc's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/core/test.h"

#define snprintf  small_snprintf
#define vsnprintf small_vsnprintf
int small_snprintf(char *restrict text, size_t size, const char *restrict format, ...);
int small_vsnprintf(char *restrict text, size_t size, const char *restrict format,
                    va_list arguments);
#include "small/format.c"
#undef snprintf
#undef vsnprintf

/* Both with the same arguments, and with room for all, for nothing, and for less than all. */
static void compare(const char *format, ...)
{
    char ours[512];
    char theirs[512];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(theirs, sizeof(theirs), format, arguments);
    va_end(arguments);
    assert_in_range(wanted, 0, sizeof(theirs) - 1);
    const size_t sizes[] = {sizeof(ours), 0, 1, 2, (size_t)wanted, (size_t)wanted + 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(ours, '#', sizeof(ours));
        va_start(arguments, format);
        int length = small_vsnprintf(sizes[i] ? ours : NULL, sizes[i], format, arguments);
        va_end(arguments);
        size_t shown = (size_t)wanted < sizes[i] ? (size_t)wanted : sizes[i] - 1;
        if (length != wanted || (sizes[i] > 0 && (memcmp(ours, theirs, shown) != 0 || ours[shown] ||
                                                  ours[shown + 1] != '#'))) {
            print_error("\"%s\" in %zu: %d '%.*s', libc: %d '%s'", format, sizes[i], length,
                        (int)shown, ours, wanted, theirs);
            assert_string_equal(ours, theirs);
        }
    }
}

static void each_number(const char *before, const char *size, int width, int precision)
{
    static const long numbers[] = {0,       1,        -1,       7,        8,         9,
                                   10,      15,       16,       -4711,    123456789, INT_MAX,
                                   INT_MIN, LONG_MAX, LONG_MIN, UINT_MAX, 0xdeadbeef};
    bool by_width = strchr(before, '*') != NULL;
    bool by_precision = strstr(before, ".*") != NULL;
    by_width = by_precision ? strchr(before, '*') < strstr(before, ".*") : by_width;
    for (const char *letter = "duxXo"; *letter; letter++) {
        char format[32];
        snprintf(format, sizeof(format), "[%s%s%c]", before, size, *letter);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            long wide = numbers[i];
            int narrow = (int)wide;
            if (by_width && by_precision)
                *size ? compare(format, width, precision, wide)
                      : compare(format, width, precision, narrow);
            else if (by_width || by_precision)
                *size ? compare(format, by_width ? width : precision, wide)
                      : compare(format, by_width ? width : precision, narrow);
            else
                *size ? compare(format, wide) : compare(format, narrow);
        }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const flags[] = {"", "-", "0", "#", "-#", "0#", "-0", "#-0"};
    static const char *const widths[] = {"", "1", "5", "25", "*"};
    static const char *const precisions[] = {"", ".", ".0", ".1", ".4", ".22", ".*"};
    static const char *const sizes[] = {"", "l", "ll", "z"};
    for (size_t flag = 0; flag < 8; flag++) {
        for (size_t width = 0; width < 5; width++) {
            for (size_t precision = 0; precision < 7; precision++) {
                char before[24];
                snprintf(before, sizeof(before), "%%%s%s%s", flags[flag], widths[width],
                         precisions[precision]);
                for (size_t size = 0; size < 4; size++) {
                    each_number(before, sizes[size], 9, 5);
                    each_number(before, sizes[size], -9, -1);
                }
            }
        }
    }
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "word", "a longer one, of some words"};
    for (size_t i = 0; i < 4; i++) {
        compare("%s", texts[i]);
        compare("<%s>%s%s", texts[i], texts[i], "end");
        compare("%10s|%-10s|%.3s|%10.2s|%-6.0s|", texts[i], texts[i], texts[i], texts[i], texts[i]);
        compare("%*s|%-*s|%.*s|%.*s", 8, texts[i], 8, texts[i], 2, texts[i], -2, texts[i]);
    }
    /* Of an array that has no NUL. */
    const char open[3] = {'a', 'b', 'c'};
    compare("%.3s|%.*s", open, 2, open);
    compare("%c%3c|%-3c|%c", 'a', 'b', 'c', 'd');
    compare("100%%, %d%%", 7);
    compare("%s", "");
    compare("no conversion");
    compare("");
}

static void refuse(const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    errno = 0;
    int length = small_vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert_int_equal(length, -1);
    assert_int_equal(errno, EINVAL);
    /* What stands before it is there, as a string. */
    assert_string_equal(text, "x");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const formats[] = {"x%f",  "x%n", "x%p", "x%+d", "x% d", "x%hd", "x%jd",
                                          "x%td", "x%i", "x%",  "x%5",  "x%l",  "x%.",  "x%y"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        refuse(formats[i], 1, 2, 3);
}

static void test_too_long(void **state)
{
    (void)state;
    char text[8];
    errno = 0;
    assert_int_equal(small_snprintf(text, sizeof(text), "%*s%*s", INT_MAX, "", 1, ""), -1);
    assert_int_equal(errno, EOVERFLOW);
    assert_string_equal(text, "       ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
