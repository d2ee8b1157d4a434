/* Tests of core/base/lines.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/lines.h"

/* What is taken from a text that comes in pieces of that size: lines joined by '|', with '+' behind
 * one that was cut, and the count. */
static void take(const char *text, size_t piece, const char *expected, uint64_t count)
{
    struct lines lines = {.limit = 8};
    char taken[256] = "";
    struct line line;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t left = strlen(text); !lines.ended;) {
        size_t now = left < piece ? left : piece;
        if (now > 0)
            assert_int_equal(write(ends[1], text, now), now);
        else
            close(ends[1]);
        text += now;
        left -= now;
        assert_int_equal(lines_read(&lines, ends[0], "lines"), 0);
        while (lines_take(&lines, &line)) {
            strncat(taken, line.bytes, line.length);
            strcat(taken, line.cut ? "+|" : "|");
        }
    }
    close(ends[0]);
    assert_string_equal(taken, expected);
    assert_int_equal(lines.count, count);
    lines_end(&lines);
}

static void lines_are_taken_whole(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        take("", piece, "", 0);
        take("\n", piece, "", 1);
        take("one\ntwo\n", piece, "one|two|", 2);
        take("one\n\n \t\r\ntwo", piece, "one|two|", 4);
        take("12345678\n12345678", piece, "12345678|12345678|", 2);
        take("123456789\nx\n", piece, "12345678+|x|", 2);
        take("12345678901234567890123456789\nx", piece, "12345678+|x|", 2);
        take("12345678901234567890", piece, "12345678+|", 1);
        take("         x\ny\n", piece, "y|", 2);
    }
}

static void no_more(void **state)
{
    struct lines lines = {.limit = 8};
    struct line line;
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "a\nb\n", 4), 4);
    assert_int_equal(lines_read(&lines, ends[0], "lines"), 0);
    assert_true(lines_take(&lines, &line));
    lines_end(&lines);
    assert_false(lines_take(&lines, &line));
    assert_true(lines.ended);
    close(ends[0]);
    close(ends[1]);
}

static void what_cannot_be_read(void **state)
{
    struct lines lines = {.limit = 8};
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)state;
    assert_true(fd >= 0);
    assert_true(lines_read(&lines, fd, "the root") < 0);
    assert_string_equal(error_get()->text, "cannot read the root");
    error_clear();
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_taken_whole),
        cmocka_unit_test(no_more),
        cmocka_unit_test(what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
