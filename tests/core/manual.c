/* Help, manual pages and completions from the tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/usage.h"
#include "tests/core/test.h"

static const struct option table[] = {
    {'b', OPTION_TEXT, 0, OPTION_WORDS("bundle", "DIR", "Use 'DIR', not . as the bundle [it: is]")},
    {0, OPTION_FLAG, 0, OPTION_WORDS("no-pivot", "", ".start with a dot \\ and a backslash")},
    {'x', OPTION_LIST, 0, OPTION_WORDS("", "ITEM", "Add an item")},
    {'m', OPTION_MAYBE, 0, OPTION_WORDS("maybe", "on|off", "Switch")},
    {0, OPTION_NUMBER, 0,
     OPTION_WORDS("nineteen-characters", "A-VERY-LONG-ARGUMENT", "Long names")},
};

static int run(const struct call *call)
{
    (void)call;
    return 0;
}

static const struct applet sample = {
    .name = "sample-two",
    .texts = APPLET_TEXTS(
        "Show what a table gives", "[options] [-- ARG...]",
        "'Quoted' at the start of a paragraph, which goes on for long enough to be "
        "wrapped before it ends.\n\n.Dotted paragraph.\n",
        "# Run it - twice\nshimbox sample-two\n.dotted\n\n# Again\nshimbox sample-two -b .\n"),
    OPTION_TABLE(table),
    .failure = EXIT_OWN_FAILURE,
    .run = run,
};
APPLET(sample);

static const struct applet plain = {
    .name = "plain",
    .texts = APPLET_TEXTS("Have nothing", "", "", ""),
    .failure = 1,
    .run = run,
};
APPLET(plain);

static void assert_has(const struct text *text, const char *part)
{
    assert_false(text->failed);
    bool found = strstr(text->data, part) != NULL;
    if (!found)
        print_error("not found: %s\nin: %s\n", part, text->data);
    assert_true(found);
}

static void assert_lacks(const struct text *text, const char *part)
{
    assert_null(strstr(text->data, part));
}

static void test_help(void **state)
{
    (void)state;
    autotext struct text text = {0};
    usage_help(&text, &sample);
    assert_string_equal(
        text.data, "Usage: shimbox sample-two [options] [-- ARG...]\n"
                   "\n"
                   "Show what a table gives.\n"
                   "\n"
                   "'Quoted' at the start of a paragraph, which goes on for long enough to be\n"
                   "wrapped before it ends.\n"
                   "\n"
                   ".Dotted paragraph.\n"
                   "\n"
                   "Options:\n"
                   "  -b, --bundle DIR          Use 'DIR', not . as the bundle [it: is]\n"
                   "      --no-pivot            .start with a dot \\ and a backslash\n"
                   "  -x ITEM                   Add an item (repeatable)\n"
                   "  -m, --maybe[=on|off]      Switch\n"
                   "      --nineteen-characters A-VERY-LONG-ARGUMENT\n"
                   "                            Long names\n"
                   "  -h, --help                Show this help\n"
                   "\n"
                   "Examples:\n"
                   "  # Run it - twice\n"
                   "  shimbox sample-two\n"
                   "  .dotted\n"
                   "\n"
                   "  # Again\n"
                   "  shimbox sample-two -b .\n");
    text_free(&text);
    usage_help(&text, &plain);
    assert_string_equal(text.data, "Usage: shimbox plain\n\nHave nothing.\n\nOptions:\n"
                                   "  -h, --help                Show this help\n");
}

static void test_manual(void **state)
{
    (void)state;
    autotext struct text text = {0};
    usage_manual(&text, &sample);
    assert_true(starts_with(text.data, ".TH SHIMBOX\\-SAMPLE\\-TWO 1 \"\" \"shimbox "));
    assert_has(&text, ".SH NAME\nshimbox\\-sample\\-two \\- Show what a table gives\n");
    assert_has(&text, ".SH SYNOPSIS\nshimbox sample\\-two [options] [\\-\\- ARG...]\n");
    /* What roff would take for a request, or for an escape. */
    assert_has(&text, ".PP\n\\&'Quoted' at the start");
    assert_has(&text, ".PP\n\\&.Dotted paragraph.\n");
    assert_has(&text, "\n\\&.start with a dot \\e and a backslash.\n");
    assert_has(&text, ".EX\nshimbox sample\\-two\n\\&.dotted\n.EE\n.RE\n.PP\nAgain\n");
    assert_has(&text, ".TP\n\\fB\\-b\\fR, \\fB\\-\\-bundle\\fR \\fIDIR\\fR\n");
    assert_has(&text,
               ".TP\n\\fB\\-x\\fR \\fIITEM\\fR\nAdd an item. May be given more than once.\n");
    assert_has(&text, "\\fB\\-\\-maybe\\fR[=\\fIon|off\\fR]\n");
    assert_has(&text, ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n");
}

static void test_exit_codes(void **state)
{
    (void)state;
    autotext struct text text = {0};
    usage_manual(&text, &sample);
    assert_has(&text, ".TP\n125\n");
    assert_has(&text, ".TP\n127\n");
    assert_lacks(&text, ".TP\n2\n");
    text_free(&text);
    usage_manual(&text, &plain);
    /* A command of the runtime that runs no program, and is not exec. */
    assert_has(&text, ".TP\n1\n");
    assert_lacks(&text, ".TP\n128\n");
    assert_lacks(&text, ".TP\n255\n");
    assert_lacks(&text, ".TP\n125\n");
    text_free(&text);
    usage_manual(&text, NULL);
    static const char *const codes[] = {"0", "1", "2", "123", "124", "125", "126", "127", "128"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char part[16] = ".TP\n";
        strcat(part, codes[i]);
        strcat(part, "\n");
        assert_has(&text, part);
    }
    assert_has(&text, "SHIMBOX_TRACE");
    assert_has(&text, "SHIMBOX_FDS");
    assert_has(&text, ".TP\n\\fBsample\\-two\\fR\nShow what a table gives.\n");
    assert_has(&text, "\\fB\\-\\-log\\-format\\fR \\fItext|json\\fR\n");
}

static void test_list(void **state)
{
    (void)state;
    autotext struct text text = {0};
    usage_list(&text, false);
    assert_string_equal(text.data, "plain\nsample-two\n");
    text_free(&text);
    usage_list(&text, true);
    assert_string_equal(text.data, "  plain       Have nothing\n"
                                   "  sample-two  Show what a table gives\n");
}

static void test_completions(void **state)
{
    (void)state;
    autotext struct text text = {0};
    assert_int_equal(usage_completions(&text, "bash"), 0);
    assert_has(&text, "    sample-two) words='-b --bundle --no-pivot -x -m --maybe "
                      "--nineteen-characters -h --help ' ;;\n");
    assert_has(&text, "sample-two:--maybe) choices='on off' ;;\n");
    text_free(&text);
    assert_int_equal(usage_completions(&text, "zsh"), 0);
    assert_has(&text, "'(-b --bundle)'{-b+,--bundle=}'[Use '\\''DIR'\\'', not . as the bundle "
                      "\\[it\\: is\\]]:DIR:_files'");
    assert_has(&text, "'*'-x+'[Add an item]:ITEM:_files'");
    assert_has(&text, "{-m+,--maybe=-}'[Switch]::on|off:(on off)'");
    text_free(&text);
    assert_int_equal(usage_completions(&text, "fish"), 0);
    assert_has(&text,
               "complete -c shimbox -n '__fish_seen_subcommand_from sample-two' -s b -l bundle "
               "-r -d 'Use '\\''DIR'\\'', not . as the bundle [it: is]'\n");
    assert_has(&text, " -a sample-two -d 'Show what a table gives'\n");
    error_clear();
    assert_int_equal(usage_completions(&text, "tcsh"), -EINVAL);
    assert_int_equal(error_get()->kind, ERROR_USAGE);
}

static void test_global_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < global_option_count; i++) {
        const struct option *option = &global_options[i];
        assert_true(option_help(option) < option->text + sizeof(option->text));
        assert_int_equal(option_has_argument(option), option_argument(option)[0] != '\0');
        assert_false(ends_with(option_help(option), "."));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_exit_codes),  cmocka_unit_test(test_list),
        cmocka_unit_test(test_completions), cmocka_unit_test(test_global_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
