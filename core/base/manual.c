/* Manual pages in roff, printed from the tables. man(7)
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "core/base/exit.h"
#include "core/base/usage.h"

/* Commands that share their exit codes. */
enum exit_group { ANSWERS, LIFECYCLE, STAND_INS, RUNNERS, EXIT_GROUPS };

static const char exit_headings[EXIT_GROUPS][64] = {
    [ANSWERS] = "Commands that answer a question or write a file:",
    [LIFECYCLE] = "Commands of the life of a container:",
    [STAND_INS] = "Commands that stand in for those of util\\-linux:",
    [RUNNERS] = "Commands that run a program, which has codes of its own:",
};

/* The table of exit.h in words. */
static const struct exit_meaning {
    uint8_t group;
    uint8_t code;
    char meaning[76];
} exit_codes[] = {
    {ANSWERS, EXIT_YES, "Yes, or done"},
    {ANSWERS, EXIT_NO, "No"},
    {ANSWERS, EXIT_TROUBLE, "Bad usage or input, or no answer could be found"},
    {LIFECYCLE, 0, "Done; a command that runs a program passes on its exit code"},
    {LIFECYCLE, EXIT_LIFECYCLE, "It failed, bad usage included"},
    {LIFECYCLE, EXIT_EXEC, "exec: it failed, bad usage included"},
    {LIFECYCLE, EXIT_SIGNAL, "plus N: the program was ended by signal N"},
    {STAND_INS, EXIT_STAND_IN, "shimbox itself failed, bad usage included"},
    {STAND_INS, EXIT_CANNOT_EXEC, "The program exists, but cannot be executed"},
    {STAND_INS, EXIT_NOT_FOUND, "The program does not exist; setpriv: a privilege was not changed"},
    {STAND_INS, EXIT_SIGNAL, "plus N: the program was ended by signal N"},
    {RUNNERS, EXIT_OUTPUT_LIMIT, "The program was ended because it wrote too much"},
    {RUNNERS, EXIT_TIMEOUT, "The program was ended because its time was up"},
    {RUNNERS, EXIT_OWN_FAILURE, "shimbox itself failed, bad usage included"},
    {RUNNERS, EXIT_CANNOT_EXEC, "The program exists, but cannot be executed"},
    {RUNNERS, EXIT_NOT_FOUND, "The program does not exist"},
    {RUNNERS, EXIT_SIGNAL, "plus N: the program was ended by signal N"},
};

static enum exit_group exit_group_of(const struct applet *applet)
{
    if (applet->failure == EXIT_TROUBLE)
        return ANSWERS;
    if (applet->failure == EXIT_OWN_FAILURE)
        return RUNNERS;
    return applet->flags & APPLET_LINK ? STAND_INS : LIFECYCLE;
}

/* Append text that roff shall not interpret. */
static void append_escaped(struct text *text, const char *string, size_t length)
{
    bool first = text->length == 0 || text->data[text->length - 1] == '\n';
    for (size_t i = 0; i < length; i++) {
        char c = string[i];
        if (first && (c == '.' || c == '\''))
            text_append(text, "\\&");
        if (c == '-')
            text_append(text, "\\-");
        else if (c == '\\')
            text_append(text, "\\e");
        else
            text_append_bytes(text, &c, 1);
        first = c == '\n';
    }
}

static void append_string(struct text *text, const char *string)
{
    append_escaped(text, string, strlen(string));
}

static void append_paragraphs(struct text *text, const char *string)
{
    while (*string) {
        const char *end = strstr(string, "\n\n");
        size_t length = end ? (size_t)(end - string) : strlen(string);
        while (length > 0 && string[length - 1] == '\n')
            length--;
        text_append(text, ".PP\n");
        append_escaped(text, string, length);
        text_append(text, "\n");
        string += length + strspn(string + length, "\n");
    }
}

static void append_option(struct text *text, const struct option *option)
{
    text_append(text, ".TP\n");
    if (option->letter) {
        text_append(text, "\\fB\\-");
        append_escaped(text, &option->letter, 1);
        text_append_format(text, "\\fR%s", option_name(option)[0] ? ", " : "");
    }
    if (option_name(option)[0]) {
        text_append(text, "\\fB\\-\\-");
        append_string(text, option_name(option));
        text_append(text, "\\fR");
    }
    if (option_has_argument(option)) {
        text_append(text, option_is_optional(option) ? "[=" : " ");
        text_append(text, "\\fI");
        append_string(text, option_argument(option));
        text_append(text, option_is_optional(option) ? "\\fR]" : "\\fR");
    }
    text_append(text, "\n");
    append_string(text, option_help(option));
    text_append(text, option->kind == OPTION_LIST ? ". May be given more than once.\n" : ".\n");
}

static void append_options(struct text *text, const struct option *options, size_t count)
{
    text_append(text, ".SH OPTIONS\n");
    for (size_t i = 0; i < count; i++)
        append_option(text, &options[i]);
    if (!usage_has_help(options, count))
        append_option(text, &help_option);
}

/* The codes that a command can end with; of all commands for NULL. */
/* A code of lifecycle commands, but not of this one. */
static bool is_another(const struct applet *applet, const struct exit_meaning *meaning)
{
    if (!applet || meaning->group != LIFECYCLE || meaning->code == 0)
        return false;
    bool executes = applet->failure == EXIT_EXEC;
    if (meaning->code == EXIT_SIGNAL)
        return !executes && strcmp(applet->name, "run") != 0;
    return (meaning->code == EXIT_EXEC) != executes;
}

static void append_exit_codes(struct text *text, const struct applet *applet)
{
    text_append(text, ".SH EXIT STATUS\n");
    for (int group = 0; group < EXIT_GROUPS; group++) {
        if (applet && exit_group_of(applet) != (enum exit_group)group)
            continue;
        if (!applet)
            text_append_format(text, ".SS %s\n", exit_headings[group]);
        for (size_t i = 0; i < sizeof(exit_codes) / sizeof(exit_codes[0]); i++)
            if (exit_codes[i].group == group && !is_another(applet, &exit_codes[i]))
                text_append_format(text, ".TP\n%d\n%s.\n", exit_codes[i].code,
                                   exit_codes[i].meaning);
    }
}

/* "# what it does" as text, the commands below it as they are. */
static void append_examples(struct text *text, const char *examples)
{
    bool verbatim = false;
    text_append(text, ".SH EXAMPLES\n");
    while (*examples) {
        size_t length = strcspn(examples, "\n");
        bool title = starts_with(examples, "# ");
        if (verbatim && (title || length == 0)) {
            text_append(text, ".EE\n.RE\n");
            verbatim = false;
        }
        if (title) {
            text_append(text, ".PP\n");
            append_escaped(text, examples + 2, length - 2);
            text_append(text, "\n");
        } else if (length > 0) {
            if (!verbatim)
                text_append(text, ".RS 4\n.EX\n");
            verbatim = true;
            append_escaped(text, examples, length);
            text_append(text, "\n");
        }
        examples += length + (examples[length] == '\n');
    }
    if (verbatim)
        text_append(text, ".EE\n.RE\n");
}

static void append_applets(struct text *text)
{
    const struct applet *applet;
    text_append(text, ".SH APPLETS\n");
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        text_append(text, ".TP\n\\fB");
        append_string(text, applet->name);
        text_append(text, "\\fR\n");
        append_string(text, applet_text(applet, TEXT_SUMMARY));
        text_append(text, ".\n");
    }
}

static const char environment[] =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBSHIMBOX_TRACE\\fR\n"
    "As \\fB\\-\\-trace\\fR, for applets that are called by a link of their name: a file, or \\- "
    "for standard error. It is removed, and what is started does not see it.\n"
    ".TP\n\\fBSHIMBOX_FDS\\fR\n"
    "Descriptors that one link of a chain leaves for a later one when another program stands in "
    "between, such as userns:3,mount:5. It is checked, and removed by the next shimbox.\n";

static void append_heading(struct text *text, const struct applet *applet)
{
    text_append(text, ".TH SHIMBOX");
    if (applet) {
        text_append(text, "\\-");
        for (const char *c = applet->name; *c; c++) {
            char upper = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
            append_escaped(text, &upper, 1);
        }
    }
    /* No date: the same source gives the same bytes. */
    text_append(text, " 1 \"\" \"shimbox " SHIMBOX_VERSION "\" \"shimbox\"\n.SH NAME\n");
    if (applet) {
        text_append(text, "shimbox\\-");
        append_string(text, applet->name);
        text_append(text, " \\- ");
        append_string(text, applet_text(applet, TEXT_SUMMARY));
    } else {
        text_append(text, "shimbox \\- container tools in one static binary");
    }
    text_append(text, "\n.SH SYNOPSIS\n");
    autotext struct text synopsis = {0};
    usage_synopsis(&synopsis, applet);
    if (synopsis.failed)
        text->failed = true;
    else
        append_string(text, synopsis.data);
    text_append(text, "\n");
}

void usage_manual(struct text *text, const struct applet *applet)
{
    append_heading(text, applet);
    text_append(text, ".SH DESCRIPTION\n");
    if (!applet) {
        append_paragraphs(text, usage_description);
        append_options(text, global_options, global_option_count);
        append_applets(text);
        append_exit_codes(text, NULL);
        text_append(text, environment);
        append_examples(text, usage_examples);
        return;
    }
    const char *description = applet_text(applet, TEXT_DESCRIPTION);
    append_paragraphs(text, *description ? description : applet_text(applet, TEXT_SUMMARY));
    append_options(text, applet->options, applet->option_count);
    append_exit_codes(text, applet);
    if (*applet_text(applet, TEXT_EXAMPLES))
        append_examples(text, applet_text(applet, TEXT_EXAMPLES));
    text_append(text, ".SH SEE ALSO\n.BR shimbox (1)\n");
}
