/* --help and --list, printed from the tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "core/base/usage.h"

#define WIDTH 80

/* Append paragraphs, wrapped at blanks; an empty line or a line that starts with a blank keeps its
 * break. */
static void append_wrapped(struct text *text, const char *string)
{
    size_t column = 0;
    while (*string) {
        if (*string == '\n') {
            text_append(text, string[1] == '\n' || column == 0 ? "\n" : "");
            if (column > 0)
                text_append(text, "\n");
            while (*string == '\n')
                string++;
            column = 0;
            continue;
        }
        size_t length = strcspn(string, " \n");
        if (column > 0 && column + 1 + length > WIDTH) {
            text_append(text, "\n");
            column = 0;
        }
        if (column > 0) {
            text_append(text, " ");
            column++;
        }
        text_append_bytes(text, string, length);
        column += length;
        string += length;
        while (*string == ' ')
            string++;
    }
    if (column > 0)
        text_append(text, "\n");
}

static void append_padding(struct text *text, size_t count)
{
    while (count-- > 0)
        text_append(text, " ");
}

/* "  -b, --bundle DIR      help", with the help in a column of its own. */
static void append_option(struct text *text, const struct option *option)
{
    const size_t column = 28;
    size_t start = text->length;
    if (option->letter)
        text_append_format(text, "  -%c%s", option->letter, option_name(option)[0] ? ", " : "");
    else
        text_append(text, "      ");
    if (option_name(option)[0])
        text_append_format(text, "--%s", option_name(option));
    if (option_is_optional(option))
        text_append_format(text, "[=%s]", option_argument(option));
    else if (option_has_argument(option))
        text_append_format(text, " %s", option_argument(option));
    size_t width = text->length - start;
    if (width + 2 > column) {
        text_append(text, "\n");
        width = 0;
    }
    append_padding(text, column - width);
    text_append_format(text, "%s%s\n", option_help(option),
                       option->kind == OPTION_LIST ? " (repeatable)" : "");
}

bool usage_has_choices(const struct option *option)
{
    return strchr(option_argument(option), '|') != NULL;
}

bool usage_has_help(const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(option_name(&options[i]), "help") == 0)
            return true;
    return false;
}

static void append_options(struct text *text, const struct option *options, size_t count)
{
    text_append(text, "\nOptions:\n");
    for (size_t i = 0; i < count; i++)
        append_option(text, &options[i]);
    if (!usage_has_help(options, count))
        append_option(text, &help_option);
}

/* The examples, indented by two. */
static void append_examples(struct text *text, const char *examples)
{
    if (!*examples)
        return;
    text_append(text, "\nExamples:\n");
    while (*examples) {
        size_t length = strcspn(examples, "\n");
        text_append_format(text, "%s%.*s\n", length ? "  " : "", (int)length, examples);
        examples += length + (examples[length] == '\n');
    }
}

void usage_synopsis(struct text *text, const struct applet *applet)
{
    const char *synopsis = applet ? applet_text(applet, TEXT_SYNOPSIS) : "";
    if (applet)
        text_append_format(text, "shimbox %s%s%s", applet->name, *synopsis ? " " : "", synopsis);
    else
        text_append(text, "shimbox [global options] APPLET [options] [ARG...]");
}

static void append_usage(struct text *text, const struct applet *applet)
{
    text_append(text, "Usage: ");
    usage_synopsis(text, applet);
    text_append(text, "\n\n");
}

void usage_front_help(struct text *text)
{
    append_usage(text, NULL);
    append_wrapped(text, usage_description);
    append_options(text, global_options, global_option_count);
    text_append(text, "\nApplets:\n");
    usage_list(text, true);
    append_examples(text, usage_examples);
    text_append(text, "\n'shimbox APPLET --help' tells about one of them.\n");
}

void usage_help(struct text *text, const struct applet *applet)
{
    append_usage(text, applet);
    text_append_format(text, "%s.\n", applet_text(applet, TEXT_SUMMARY));
    const char *description = applet_text(applet, TEXT_DESCRIPTION);
    if (*description) {
        text_append(text, "\n");
        append_wrapped(text, description);
    }
    append_options(text, applet->options, applet->option_count);
    append_examples(text, applet_text(applet, TEXT_EXAMPLES));
}

void usage_list(struct text *text, bool summaries)
{
    const struct applet *applet;
    size_t width = 0;
    for (size_t i = 0; summaries && (applet = applet_at(i)); i++)
        if (strlen(applet->name) > width)
            width = strlen(applet->name);
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        if (summaries) {
            text_append_format(text, "  %s", applet->name);
            append_padding(text, width + 2 - strlen(applet->name));
            text_append_format(text, "%s\n", applet_text(applet, TEXT_SUMMARY));
        } else {
            text_append_format(text, "%s\n", applet->name);
        }
    }
}
