/* Tests of core/linux/kernel_command.c and core/linux/boot_settings.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/linux/boot_settings.h"
#include "core/linux/kernel_command.h"

/* Expected: "NAME|" or "NAME|VALUE" of each word, a newline after each. */
static void assert_words(const char *line, const char *expected)
{
    char text[256];
    char found[256] = "";
    char *rest = text;
    struct kernel_word word;

    snprintf(text, sizeof(text), "%s", line);
    while (kernel_command_next(&rest, &word)) {
        size_t length = strlen(found);
        snprintf(found + length, sizeof(found) - length, "%s%s%s\n", word.name,
                 word.value ? "|" : "", word.value ? word.value : "");
    }
    assert_string_equal(found, expected);
    assert_false(kernel_command_next(&rest, &word));
}

static void words_are_split_as_the_kernel_does(void **state)
{
    (void)state;
    assert_words("", "");
    assert_words(" \n", "");
    assert_words("quiet\n", "quiet\n");
    assert_words("  ro root=/dev/vda\tx= ", "ro\nroot|/dev/vda\nx|\n");
    assert_words("a=b=c d", "a|b=c\nd\n");
    assert_words("a=\"b c\" d", "a|b c\nd\n");
    assert_words("\"a=b c\" d", "a|b c\nd\n");
    assert_words("\"a b\" \"\" c", "a b\n\nc\n");
    /* Quotes in the middle keep blanks, and stay. */
    assert_words("a=b\" \"c d", "a|b\" \"c\nd\n");
    assert_words("a=x\"y\" b", "a|x\"y\"\nb\n");
    /* One that is not ended goes on to the end. */
    assert_words("a=\"b c", "a|b c\n");
    assert_words("a=\"", "a|\n");
    assert_words("\"", "\n");
    assert_words("=x", "|x\n");
}

static void words_behind_dashes_are_left_out(void **state)
{
    (void)state;
    assert_words("a -- b c=d", "a\n");
    assert_words("--x --=y --", "--x\n--|y\n");
}

static void names_are_compared_as_the_kernel_does(void **state)
{
    (void)state;
    assert_true(kernel_command_same("a_b-c", "a-b_c"));
    assert_true(kernel_command_same("", ""));
    assert_false(kernel_command_same("a_b", "a.b"));
    assert_false(kernel_command_same("a", "ab"));
    assert_false(kernel_command_same("a_", "a"));
}

static int read_settings(char *text, size_t size, const char *line, struct boot_settings *settings)
{
    snprintf(text, size, "%s", line);
    error_clear();
    return boot_read_settings(text, settings);
}

static void settings_are_read(void **state)
{
    char text[512];
    struct boot_settings settings;

    (void)state;
    assert_int_equal(
        read_settings(text, sizeof(text), "quiet console=ttyS0 xshimbox.run=a", &settings), 0);
    assert_null(settings.run);
    assert_int_equal(settings.exit, BOOT_POWER_OFF);
    assert_int_equal(settings.wait, 10);
    assert_int_equal(read_settings(text, sizeof(text),
                                   "shimbox.run=\"a b\" shimbox.exit=halt shimbox.wait=0 rw "
                                   "shimbox.modules=a,b shimbox.debug ip=10.0.0.2 init=/x",
                                   &settings),
                     0);
    assert_string_equal(settings.run, "a b");
    assert_string_equal(settings.modules, "a,b");
    assert_string_equal(settings.ip, "10.0.0.2");
    assert_string_equal(settings.init, "/x");
    assert_int_equal(settings.exit, BOOT_HALT);
    assert_int_equal(settings.wait, 0);
    assert_true(settings.debug && settings.writable && !settings.overlay);
    assert_int_equal(read_settings(text, sizeof(text),
                                   "shimbox.device=/dev/vda shimbox.overlay shimbox.switch-root=/ "
                                   "rw ro shimbox.exit=reboot",
                                   &settings),
                     0);
    assert_string_equal(settings.device, "/dev/vda");
    assert_string_equal(settings.switch_root, "/");
    assert_int_equal(settings.exit, BOOT_REBOOT);
    assert_true(settings.overlay && !settings.writable);
}

static void mistakes_are_named(void **state)
{
    static const char *const lines[][2] = {
        {"shimbox.rum=x", "unknown kernel argument shimbox.rum"},
        {"shimbox.", "unknown kernel argument shimbox."},
        {"shimbox.run", "kernel argument shimbox.run: has no value"},
        {"shimbox.run=\" \"", "kernel argument shimbox.run: has no value"},
        {"shimbox.exit", "kernel argument shimbox.exit: has no value"},
        {"shimbox.exit=stop",
         "kernel argument shimbox.exit: 'stop' is none of poweroff, reboot, halt"},
        {"shimbox.wait=-1",
         "kernel argument shimbox.wait: '-1' is not a number of seconds up to 3600"},
        {"shimbox.debug=1", "kernel argument shimbox.debug: takes no value"},
        {"shimbox.overlay=", "kernel argument shimbox.overlay: takes no value"},
        {"shimbox.overlay shimbox.run=a", "kernel argument shimbox.overlay: needs shimbox.device"},
        {"shimbox.run=a shimbox.bundle=/b",
         "kernel arguments shimbox.run and shimbox.bundle exclude each other"},
        {"shimbox.switch_root=/a shimbox.bundle=/b",
         "kernel arguments shimbox.bundle and shimbox.switch_root exclude each other"},
        {"shimbox.x shimbox.y", "unknown kernel argument shimbox.x"},
    };
    char text[512];
    struct boot_settings settings;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(read_settings(text, sizeof(text), lines[i][0], &settings), -EINVAL);
        assert_string_equal(error_get()->text, lines[i][1]);
        assert_int_equal(error_get()->kind, ERROR_USAGE);
    }
    /* How the machine ends counts whatever else is wrong. */
    assert_int_equal(read_settings(text, sizeof(text), "shimbox.x shimbox.exit=reboot", &settings),
                     -EINVAL);
    assert_int_equal(settings.exit, BOOT_REBOOT);
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_as_the_kernel_does),
        cmocka_unit_test(words_behind_dashes_are_left_out),
        cmocka_unit_test(names_are_compared_as_the_kernel_does),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
