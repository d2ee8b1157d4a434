/* Tests of core/base/pattern.c, beside regcomp(3).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <regex.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/pattern.h"

static const char *const expressions[] = {
    "",          "a",           "abc",     "a*",         "a+",       "a?",          "^a",
    "a$",        "^$",          "^a$",     "^a.*b$",     "a|b",      "^(a|b)$",     "(ab)+",
    "^(ab)*$",   "a.c",         "[abc]",   "[^abc]",     "^[a-c]+$", "[]]",         "[^]a]",
    "[a-]",      "^[^a-c]",     "a|b|c",   "^(a|bc)*d$", "(a*)*b",   "(a|a)*(b|c)", "\\.",
    "a\\*",      "web-[0-9]+$", "^(a+)+$", "((a))",      "x(y|z)?",  "(^a|b$)",     "a**",
    "(a?)(a?)a", "^test-",
};

static const char *const names[] = {
    "",    "a",    "b",      "c",     "ab",
    "abc", "abab", "aab",    "bca",   "bcd",
    "d",   "]",    "-",      ".",     "a*",
    "a.c", "xyz",  "web-12", "web-x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    "xz",  "cab",  "b-a",    "test-", "a-test-",
    "A0",  "_+-.",
};

/* Whatever regcomp(3) takes is matched as regexec(3) does. */
static void as_libc_has_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        struct pattern pattern;
        regex_t libc;
        assert_int_equal(pattern_compile(&pattern, expressions[i]), 0);
        assert_int_equal(regcomp(&libc, expressions[i], REG_EXTENDED | REG_NOSUB), 0);
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            bool found = regexec(&libc, names[j], 0, NULL, 0) == 0;
            if (pattern_matches(&pattern, names[j]) != found)
                print_error("'%s' on '%s' is %d\n", expressions[i], names[j], found);
            assert_int_equal(pattern_matches(&pattern, names[j]), found);
        }
        regfree(&libc);
    }
}

/* No expression takes long. */
static void no_blow_up(void **state)
{
    (void)state;
    struct pattern pattern;
    char name[256];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(pattern_compile(&pattern, "^((a*)*)*(a|aa|aaa)*(a?)(a?)(a?)b$"), 0);
    assert_false(pattern_matches(&pattern, name));
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"a[", "[ without ]"},
        {"[", "[ without ]"},
        {"[]", "[ without ]"},
        {"(", "( without )"},
        {"(a", "( without )"},
        {")", ") without ("},
        {"a)", ") without ("},
        {"*", "nothing to repeat"},
        {"a|*", "nothing to repeat"},
        {"(+)", "nothing to repeat"},
        {"a\\", "\\ at the end"},
        {"a{2}", "{ is not supported"},
        {"[[:alpha:]]", "[: is not supported"},
    };
    struct pattern pattern;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(pattern_compile(&pattern, wrong[i][0]) < 0);
        assert_non_null(strstr(error_get()->text, wrong[i][1]));
        error_clear();
    }
    char text[4000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_true(pattern_compile(&pattern, text) < 0);
    error_clear();
    memset(text, '(', 100);
    assert_true(pattern_compile(&pattern, text) < 0);
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_libc_has_it),
        cmocka_unit_test(no_blow_up),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
