/* The option parser.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/option.h"
#include "tests/core/test.h"

struct values {
    bool flag, other;
    unsigned count;
    const char *text;
    struct text_list list;
    uint32_t number;
    const char *maybe;
    const char *one, *two;
};

#define AT(field) ((uint16_t)offsetof(struct values, field))

static const struct option table[] = {
    {'f', OPTION_FLAG, AT(flag), OPTION_WORDS("flag", "", "A flag")},
    {'o', OPTION_FLAG, AT(other), OPTION_WORDS("", "", "Without a name")},
    {'v', OPTION_COUNT, AT(count), OPTION_WORDS("verbose", "", "More each time")},
    {'t', OPTION_TEXT, AT(text), OPTION_WORDS("text", "TEXT", "Text")},
    {'l', OPTION_LIST, AT(list), OPTION_WORDS("list", "ITEM", "A list")},
    {'n', OPTION_NUMBER, AT(number), OPTION_WORDS("number", "N", "A number")},
    {'m', OPTION_MAYBE, AT(maybe), OPTION_WORDS("maybe", "WORD", "Perhaps")},
    {'a', OPTION_MAYBE_LONG, AT(one), OPTION_WORDS("one", "FILE", "Perhaps, by its name only")},
    {'b', OPTION_MAYBE_LONG, AT(two), OPTION_WORDS("two", "FILE", "The same")},
    {0, OPTION_TEXT, AT(text), OPTION_WORDS("nineteen-characters", "X", "The longest name")},
};
#define COUNT (sizeof(table) / sizeof(table[0]))

static struct values values;
static int operands;
static bool separated;

/* Parse words up to NULL. */
static int parse(char *first, ...)
{
    static char *argv[32];
    int argc = 1;
    va_list words;
    error_clear();
    text_list_free(&values.list);
    memset(&values, 0, sizeof(values));
    argv[0] = "test";
    va_start(words, first);
    for (char *word = first; word; word = va_arg(words, char *))
        argv[argc++] = word;
    va_end(words);
    argv[argc] = NULL;
    return options_parse(table, COUNT, argc, argv, &values, &operands, &separated);
}

static void test_forms(void **state)
{
    (void)state;
    assert_int_equal(parse("-tone", NULL), 0);
    assert_string_equal(values.text, "one");
    assert_int_equal(parse("-t", "one", NULL), 0);
    assert_string_equal(values.text, "one");
    assert_int_equal(parse("--text=one", NULL), 0);
    assert_string_equal(values.text, "one");
    assert_int_equal(parse("--text", "one", NULL), 0);
    assert_string_equal(values.text, "one");
    assert_int_equal(parse("--text=", NULL), 0);
    assert_string_equal(values.text, "");
    assert_int_equal(parse("--text", "-f", "-t--", NULL), 0);
    assert_string_equal(values.text, "--");
    assert_false(values.flag);
    assert_int_equal(parse("--text=a=b", NULL), 0);
    assert_string_equal(values.text, "a=b");
    assert_int_equal(parse("--nineteen-characters", "x", NULL), 0);
    assert_string_equal(values.text, "x");
    assert_int_equal(parse("-fovvtx", NULL), 0);
    assert_true(values.flag);
    assert_true(values.other);
    assert_int_equal(values.count, 2);
    assert_string_equal(values.text, "x");
}

static void test_list_and_last(void **state)
{
    (void)state;
    assert_int_equal(parse("-la", "--list", "b", "--list=c", "-tx", "-ty", NULL), 0);
    assert_int_equal(values.list.count, 3);
    assert_string_equal(values.list.items[0], "a");
    assert_string_equal(values.list.items[1], "b");
    assert_string_equal(values.list.items[2], "c");
    assert_string_equal(values.text, "y");
}

/* The letter stands alone: what follows it are more letters, or operands. */
static void test_maybe_long(void **state)
{
    (void)state;
    assert_int_equal(parse("-abf", "x", NULL), 0);
    assert_string_equal(values.one, "");
    assert_string_equal(values.two, "");
    assert_true(values.flag);
    assert_int_equal(operands, 2);
    assert_int_equal(parse("-a", "-tx", NULL), 0);
    assert_string_equal(values.one, "");
    assert_null(values.two);
    assert_string_equal(values.text, "x");
    assert_int_equal(parse("-a=x", NULL), -EINVAL);
    assert_string_equal(error_get()->text, "unknown option -=");
    assert_int_equal(parse("--one=x", "--two", "y", NULL), 0);
    assert_string_equal(values.one, "x");
    assert_string_equal(values.two, "");
    assert_int_equal(operands, 3);
    assert_int_equal(parse("--one=", NULL), 0);
    assert_string_equal(values.one, "");
    /* The last one counts. */
    assert_int_equal(parse("--one=x", "-a", NULL), 0);
    assert_string_equal(values.one, "");
}

static void test_maybe(void **state)
{
    (void)state;
    assert_int_equal(parse("--maybe", "x", NULL), 0);
    assert_string_equal(values.maybe, "");
    assert_int_equal(operands, 2);
    assert_int_equal(parse("--maybe=x", NULL), 0);
    assert_string_equal(values.maybe, "x");
    assert_int_equal(parse("-mx", NULL), 0);
    assert_string_equal(values.maybe, "x");
    assert_int_equal(parse("-m", "x", NULL), 0);
    assert_string_equal(values.maybe, "");
    assert_int_equal(operands, 2);
}

static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(parse("-n4294967295", NULL), 0);
    assert_int_equal(values.number, UINT32_MAX);
    assert_int_equal(parse("-n", "4294967296", NULL), -EINVAL);
    assert_string_equal(error_get()->text,
                        "option -n: 4294967296 is too large (at most 4294967295)");
    assert_int_equal(parse("--number=-1", NULL), -EINVAL);
    assert_string_equal(error_get()->text, "option --number: '-1' is not a number");
    assert_int_equal(parse("--number=", NULL), -EINVAL);
}

static void test_operands(void **state)
{
    (void)state;
    assert_int_equal(parse(NULL), 0);
    assert_int_equal(operands, 1);
    assert_false(separated);
    assert_int_equal(parse("-f", "a", "-o", NULL), 0);
    assert_int_equal(operands, 2);
    assert_false(separated);
    assert_false(values.other);
    assert_int_equal(parse("-f", "--", "-o", NULL), 0);
    assert_int_equal(operands, 3);
    assert_true(separated);
    assert_int_equal(parse("-f", "--", NULL), 0);
    assert_int_equal(operands, 3);
    assert_true(separated);
    assert_int_equal(parse("-f", "-", "-o", NULL), 0);
    assert_int_equal(operands, 2);
    assert_int_equal(parse("", "-f", NULL), 0);
    assert_int_equal(operands, 1);
}

static void test_errors(void **state)
{
    (void)state;
    const struct {
        char *word;
        const char *text;
        const char *hint;
    } cases[] = {
        {"--text", "option --text needs an argument: TEXT", ""},
        {"-t", "option -t needs an argument: TEXT", ""},
        {"-ft", "option -t needs an argument: TEXT", ""},
        {"--flag=yes", "option --flag takes no argument", ""},
        {"--flag=", "option --flag takes no argument", ""},
        {"--fla", "unknown option --fla", "did you mean --flag?"},
        {"--verbsoe", "unknown option --verbsoe", "did you mean --verbose?"},
        {"--zzzzzz", "unknown option --zzzzzz", ""},
        {"--txt=a=b", "unknown option --txt", "did you mean --text?"},
        {"-z", "unknown option -z", ""},
        {"-fz", "unknown option -z", ""},
        {"--=x", "unknown option --", ""},
        {"-f-", "unknown option --", ""},
        {"-h", "unknown option -h", ""},
        {"---flag", "unknown option ---flag", "did you mean --flag?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].word, NULL), -EINVAL);
        assert_int_equal(error_get()->kind, ERROR_USAGE);
        assert_string_equal(error_get()->text, cases[i].text);
        assert_string_equal(error_get()->hint, cases[i].hint);
    }
    char word[1000] = "--";
    memset(word + 2, 'x', sizeof(word) - 3);
    assert_int_equal(parse(word, NULL), -EINVAL);
}

static void test_help(void **state)
{
    (void)state;
    static const struct option own[] = {
        {'h', OPTION_FLAG, 0, OPTION_WORDS("hold", "", "Own letter")}};
    char *words[] = {"test", "-h", "--help", NULL};
    bool hold = false, help = false;
    error_clear();
    assert_int_equal(options_parse_help(own, 1, 2, words, &hold, &operands, NULL, &help), 0);
    assert_true(hold);
    assert_false(help);
    assert_int_equal(options_parse_help(own, 1, 3, words, &hold, &operands, NULL, &help), 0);
    assert_true(help);
    help = false;
    assert_int_equal(options_parse_help(NULL, 0, 2, words, NULL, &operands, NULL, &help), 0);
    assert_true(help);
}

static int clean(void **state)
{
    (void)state;
    text_list_free(&values.list);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),   cmocka_unit_test(test_list_and_last),
        cmocka_unit_test(test_maybe),   cmocka_unit_test(test_maybe_long),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_operands),
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
