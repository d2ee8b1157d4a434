/* The registry of applets, and dispatch.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "tests/core/test.h"

struct options {
    const char *text;
    bool flag;
};

static const struct option table[] = {
    {'t', OPTION_TEXT, offsetof(struct options, text), OPTION_WORDS("text", "TEXT", "Text")},
    {'f', OPTION_FLAG, offsetof(struct options, flag), OPTION_WORDS("flag", "", "A flag")},
};

/* What the applet saw at its last call. */
static struct {
    int calls;
    struct options options;
    struct globals globals;
    const char *name;
    int argc;
    const char *first;
    bool separated;
    bool terminated;
} seen;

static int run(const struct call *call)
{
    seen.calls++;
    seen.options = *(const struct options *)call->values;
    seen.globals = *call->globals;
    seen.name = call->applet->name;
    seen.argc = call->argc;
    seen.first = call->argv[0];
    seen.separated = call->separated;
    seen.terminated = call->argv[call->argc] == NULL;
    return 42;
}

#define TEST_APPLET(variable, string)                                                              \
    static const struct applet variable = {                                                        \
        .name = string,                                                                            \
        .texts = APPLET_TEXTS("Test", "", "", ""),                                                 \
        OPTION_TABLE(table),                                                                       \
        .values_size = sizeof(struct options),                                                     \
        .failure = EXIT_OWN_FAILURE,                                                               \
        .run = run,                                                                                \
    };                                                                                             \
    APPLET(variable)

/* Not in the order of the alphabet. */
TEST_APPLET(middle, "middle");
TEST_APPLET(zeta, "zeta");
TEST_APPLET(alpha, "alpha");
TEST_APPLET(middle_two, "middle-2");

static int start(void **state)
{
    (void)state;
    error_clear();
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static int call(char *first, ...)
{
    char *argv[16];
    int argc = 0;
    va_list words;
    va_start(words, first);
    for (char *word = first; word; word = va_arg(words, char *))
        argv[argc++] = word;
    va_end(words);
    argv[argc] = NULL;
    return dispatch(argc, argv);
}

static void test_registry(void **state)
{
    (void)state;
    static const char *const order[] = {"alpha", "middle", "middle-2", "zeta"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(applet_at(i)->name, order[i]);
    assert_null(applet_at(4));
    assert_null(applet_at(5));
    assert_ptr_equal(applet_find("zeta"), &zeta);
    assert_null(applet_find("zet"));
    assert_null(applet_find("zetaa"));
    assert_null(applet_find(""));
    assert_ptr_equal(applet_nearest("zetta"), &zeta);
    assert_ptr_equal(applet_nearest("aplha"), &alpha);
    assert_null(applet_nearest("unrelated"));
}

static void test_by_name(void **state)
{
    (void)state;
    assert_int_equal(call("/usr/bin/alpha", "-tx", "--", "one", "two", NULL), 42);
    assert_string_equal(seen.name, "alpha");
    assert_string_equal(seen.options.text, "x");
    assert_false(seen.options.flag);
    assert_int_equal(seen.argc, 2);
    assert_string_equal(seen.first, "one");
    assert_true(seen.separated);
    assert_true(seen.terminated);
    assert_string_equal(seen.globals.log_format, "text");
    assert_string_equal(seen.globals.rootless, "auto");
    assert_null(seen.globals.root);
    assert_null(seen.globals.trace);
}

static void test_by_argument(void **state)
{
    (void)state;
    assert_int_equal(
        call("shimbox-0.1", "--root=/r", "--log-format", "json", "middle-2", "-f", NULL), 42);
    assert_string_equal(seen.name, "middle-2");
    assert_string_equal(seen.globals.root, "/r");
    assert_string_equal(seen.globals.log_format, "json");
    assert_true(seen.options.flag);
    assert_null(seen.options.text);
    assert_int_equal(seen.argc, 0);
    assert_true(seen.terminated);
    /* A second call starts from nothing. */
    assert_int_equal(call("shimbox", "zeta", "operand", "-f", NULL), 42);
    assert_false(seen.options.flag);
    assert_int_equal(seen.argc, 2);
    assert_false(seen.separated);
    assert_null(seen.globals.root);
}

static void test_usage_errors(void **state)
{
    (void)state;
    assert_int_equal(call("alpha", "--bogus", NULL), EXIT_OWN_FAILURE);
    assert_int_equal(seen.calls, 0);
    error_clear();
    assert_int_equal(call("shimbox", "--bogus", "alpha", NULL), EXIT_TROUBLE);
    error_clear();
    assert_int_equal(call("shimbox", "nothing", NULL), EXIT_TROUBLE);
    error_clear();
    assert_int_equal(call("shimbox", NULL), EXIT_TROUBLE);
    error_clear();
    assert_int_equal(call(NULL), EXIT_TROUBLE);
    assert_int_equal(seen.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_registry, start),
        cmocka_unit_test_setup(test_by_name, start),
        cmocka_unit_test_setup(test_by_argument, start),
        cmocka_unit_test_setup(test_usage_errors, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
