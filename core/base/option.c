/* Option tables: the parser.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/option.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/usage.h"

#define DAY_MS (24 * 3600 * 1000)

/* One parse: the tables and the place in argv. */
struct parse {
    const struct option *table;
    size_t count;
    int argc;
    char **argv;
    int index; /* of the next argument */
    char *values;
    bool *help; /* where -h and --help go, or NULL */
};

const struct option help_option = {'h', OPTION_FLAG, 0, OPTION_WORDS("help", "", "Show this help")};

const char *option_name(const struct option *option)
{
    return option->text;
}

const char *option_argument(const struct option *option)
{
    return option->text + strlen(option->text) + 1;
}

const char *option_help(const struct option *option)
{
    const char *argument = option_argument(option);
    return argument + strlen(argument) + 1;
}

static bool is_help(const struct parse *parse, const struct option *option)
{
    return parse->help && option == &help_option;
}

static const struct option *find_letter(const struct parse *parse, char letter)
{
    for (size_t i = 0; i < parse->count; i++)
        if (parse->table[i].letter == letter)
            return &parse->table[i];
    return parse->help && letter == 'h' ? &help_option : NULL;
}

static const struct option *find_name(const struct parse *parse, const char *name, size_t length)
{
    for (size_t i = 0; i < parse->count; i++) {
        const struct option *option = &parse->table[i];
        if (length > 0 && length < sizeof(option->text) && !option->text[length] &&
            memcmp(option->text, name, length) == 0)
            return option;
    }
    if (parse->help && length == 4 && memcmp(name, "help", 4) == 0)
        return &help_option;
    return NULL;
}

/* Record the usage error for an unknown long option, with the nearest name as a hint. */
static int fail_unknown(const struct parse *parse, const char *name, size_t length)
{
    char given[sizeof(parse->table->text) * 2];
    const char *nearest = NULL;
    unsigned least = 3;
    int result = fail_usage("unknown option --%.*s", (int)(length < 200 ? length : 200), name);
    if (length >= sizeof(given))
        return result;
    memcpy(given, name, length);
    given[length] = '\0';
    for (size_t i = 0; i < parse->count; i++) {
        unsigned distance = text_distance(given, parse->table[i].text);
        if (parse->table[i].text[0] && distance < least && distance <= length / 3) {
            least = distance;
            nearest = parse->table[i].text;
        }
    }
    if (nearest)
        error_hint("did you mean --%s?", nearest);
    return result;
}

/* Without OPTION_ONCE. */
static enum option_kind kind_of(const struct option *option)
{
    return (enum option_kind)(option->kind & ~OPTION_ONCE);
}

bool option_has_argument(const struct option *option)
{
    return kind_of(option) != OPTION_FLAG && option->kind != OPTION_COUNT;
}

bool option_is_optional(const struct option *option)
{
    return option->kind == OPTION_MAYBE || option->kind == OPTION_MAYBE_LONG;
}

/* Act on one option. shown: as the user wrote it, for messages. */
static int set_option(const struct parse *parse, const struct option *option, const char *argument,
                      const char *shown)
{
    char *field = parse->values + option->offset;
    if (is_help(parse, option)) {
        *parse->help = true;
        return 0;
    }
    enum option_kind kind = kind_of(option);
    if ((option->kind & OPTION_ONCE) &&
        (kind == OPTION_FLAG ? *(bool *)field : *(const char **)(void *)field != NULL))
        return fail_usage("duplicate option %s", shown);
    switch (kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return 0;
    case OPTION_COUNT:
        ++*(unsigned *)(void *)field;
        return 0;
    case OPTION_TEXT:
    case OPTION_MAYBE:
    case OPTION_MAYBE_LONG:
        *(const char **)(void *)field = argument;
        return 0;
    case OPTION_LIST:
        return text_list_add((struct text_list *)(void *)field, argument);
    case OPTION_NUMBER:
        switch (parse_u32(argument, UINT32_MAX, (uint32_t *)(void *)field)) {
        case 0:
            return 0;
        case -ERANGE:
            return fail_usage("option %s: %s is too large (at most %u)", shown, argument,
                              UINT32_MAX);
        default:
            return fail_usage("option %s: '%s' is not a number", shown, argument);
        }
    }
    return fail_usage("option %s: unknown kind", shown);
}

/* --name, --name=ARGUMENT, --name ARGUMENT */
static int parse_long(struct parse *parse, const char *word)
{
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const char *argument = name[length] ? name + length + 1 : NULL;
    const struct option *option = find_name(parse, name, length);
    char shown[sizeof(option->text) + 2] = "--";
    if (!option)
        return fail_unknown(parse, name, length);
    memcpy(shown + 2, name, length);

    if (!option_has_argument(option)) {
        if (argument)
            return fail_usage("option %s takes no argument", shown);
    } else if (!argument && option_is_optional(option)) {
        argument = "";
    } else if (!argument) {
        if (parse->index >= parse->argc)
            return fail_usage("option %s needs an argument: %s", shown, option_argument(option));
        argument = parse->argv[parse->index++];
    }
    return set_option(parse, option, argument, shown);
}

/* -x, -xyz, -xARGUMENT, -x ARGUMENT */
static int parse_short(struct parse *parse, const char *word)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const struct option *option = find_letter(parse, *letter);
        char shown[3] = {'-', *letter, '\0'};
        const char *argument = NULL;
        if (!option)
            return fail_usage("unknown option %s", shown);
        bool takes = option_has_argument(option) && option->kind != OPTION_MAYBE_LONG;
        if (option->kind == OPTION_MAYBE_LONG) {
            argument = "";
        } else if (takes) {
            if (letter[1] || option->kind == OPTION_MAYBE)
                argument = letter + 1;
            else if (parse->index < parse->argc)
                argument = parse->argv[parse->index++];
            else
                return fail_usage("option %s needs an argument: %s", shown,
                                  option_argument(option));
        }
        int result = set_option(parse, option, argument, shown);
        if (result < 0 || takes)
            return result;
    }
    return 0;
}

int options_parse_help(const struct option *table, size_t count, int argc, char **argv,
                       void *values, int *operands, bool *separated, bool *help)
{
    struct parse parse = {
        .table = table,
        .count = count,
        .argc = argc,
        .argv = argv,
        .index = 1,
        .values = values,
        .help = help,
    };
    bool dashes = false;
    int result = 0;
    while (result == 0 && parse.index < argc) {
        const char *word = argv[parse.index];
        if (word[0] != '-' || !word[1])
            break;
        parse.index++;
        if (strcmp(word, "--") == 0) {
            dashes = true;
            break;
        }
        result = word[1] == '-' ? parse_long(&parse, word) : parse_short(&parse, word);
    }
    *operands = parse.index < argc ? parse.index : argc;
    if (separated)
        *separated = dashes;
    return result;
}

int options_parse(const struct option *table, size_t count, int argc, char **argv, void *values,
                  int *operands, bool *separated)
{
    return options_parse_help(table, count, argc, argv, values, operands, separated, NULL);
}

int option_duration(const char *name, const char *text, int64_t least, int64_t *milliseconds)
{
    if (parse_duration(text, DAY_MS, milliseconds) < 0 || *milliseconds < least)
        return fail_usage("option --%s: '%s' is not a time of up to a day such as 500ms, 5s or "
                          "1m30s",
                          name, text);
    return 0;
}
