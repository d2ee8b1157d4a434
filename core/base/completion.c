/* Completions for shells, printed from the tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/usage.h"

/* Append a string as part of a word in single quotes; special: characters that also need a
 * backslash. */
static void append_quoted(struct text *text, const char *string, const char *special)
{
    for (; *string; string++) {
        if (*string == '\'')
            text_append(text, "'\\'");
        else if (strchr(special, *string))
            text_append(text, "\\");
        text_append_bytes(text, string, 1);
    }
}

/* The choices of an option, separated by blanks. */
static void append_choices(struct text *text, const struct option *option)
{
    for (const char *c = option_argument(option); *c; c++)
        text_append_bytes(text, *c == '|' ? " " : c, 1);
}

/* Call append for each option of a table, and for --help. */
static void each_option(struct text *text, const struct applet *applet,
                        void (*append)(struct text *, const struct applet *, const struct option *))
{
    const struct option *options = applet ? applet->options : global_options;
    size_t count = applet ? applet->option_count : global_option_count;
    for (size_t i = 0; i < count; i++)
        append(text, applet, &options[i]);
    if (!usage_has_help(options, count))
        append(text, applet, &help_option);
}

static void append_bash_word(struct text *text, const struct applet *applet,
                             const struct option *option)
{
    (void)applet;
    if (option->letter)
        text_append_format(text, "-%c ", option->letter);
    if (option_name(option)[0])
        text_append_format(text, "--%s ", option_name(option));
}

/* Options that take the next word. */
static void append_bash_pattern(struct text *text, const struct applet *applet,
                                const struct option *option)
{
    (void)applet;
    if (!option_has_argument(option) || option_is_optional(option))
        return;
    if (option->letter)
        text_append_format(text, "|-%c", option->letter);
    if (option_name(option)[0])
        text_append_format(text, "|--%s", option_name(option));
}

static void append_bash_choice(struct text *text, const struct applet *applet,
                               const struct option *option)
{
    if (!usage_has_choices(option) || !option_name(option)[0])
        return;
    text_append_format(text, "        %s:--%s) choices='", applet ? applet->name : "",
                       option_name(option));
    append_choices(text, option);
    text_append(text, "' ;;\n");
}

static void append_bash(struct text *text)
{
    const struct applet *applet;
    text_append(text, "# bash completion for shimbox\n"
                      "_shimbox() {\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                      "    local applet='' words='' choices='' i\n"
                      "    COMPREPLY=()\n"
                      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                      "        case ${COMP_WORDS[i]} in\n"
                      "        --");
    /* The pattern starts with "--", which no option is. */
    each_option(text, NULL, append_bash_pattern);
    text_append(text, ") ((i++)) ;;\n"
                      "        -*) ;;\n"
                      "        *) applet=${COMP_WORDS[i]}; break ;;\n"
                      "        esac\n"
                      "    done\n"
                      "    case $applet:$prev in\n");
    each_option(text, NULL, append_bash_choice);
    for (size_t i = 0; (applet = applet_at(i)); i++)
        each_option(text, applet, append_bash_choice);
    text_append(text, "    esac\n"
                      "    case $applet in\n"
                      "    '') words='");
    each_option(text, NULL, append_bash_word);
    for (size_t i = 0; (applet = applet_at(i)); i++)
        text_append_format(text, "%s ", applet->name);
    text_append(text, "' ;;\n");
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        text_append_format(text, "    %s) words='", applet->name);
        each_option(text, applet, append_bash_word);
        text_append(text, "' ;;\n");
    }
    text_append(text, "    esac\n"
                      "    if [[ $choices ]]; then\n"
                      "        mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$cur\")\n"
                      "    elif [[ $cur == -* || ! $applet ]]; then\n"
                      "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                      "    fi\n"
                      "}\n"
                      "complete -o default -F _shimbox shimbox\n");
}

/* '(-b --bundle)'{-b,--bundle}'[help]:DIR:_files' */
static void append_zsh_option(struct text *text, const struct applet *applet,
                              const struct option *option)
{
    (void)applet;
    bool both = option->letter && option_name(option)[0];
    bool list = option->kind == OPTION_LIST;
    text_append(text, " \\\n        ");
    if (list)
        text_append(text, "'*'");
    else if (both)
        text_append_format(text, "'(-%c --%s)'", option->letter, option_name(option));
    /* What may stand between option and argument: -bDIR or -b DIR, --bundle=DIR or --bundle DIR. */
    const char *after = option_is_optional(option) ? "=-" : "=";
    if (!option_has_argument(option))
        after = "";
    if (both)
        text_append_format(text, "{-%c%s,--%s%s}", option->letter, *after ? "+" : "",
                           option_name(option), after);
    else if (option_name(option)[0])
        text_append_format(text, "--%s%s", option_name(option), after);
    else
        text_append_format(text, "-%c%s", option->letter, *after ? "+" : "");
    text_append(text, "'[");
    append_quoted(text, option_help(option), "[]:\\");
    text_append(text, "]");
    if (option_has_argument(option)) {
        text_append(text, option_is_optional(option) ? "::" : ":");
        append_quoted(text, option_argument(option), "[]:\\");
        text_append(text, ":");
        if (usage_has_choices(option)) {
            text_append(text, "(");
            append_choices(text, option);
            text_append(text, ")");
        } else {
            text_append(text, "_files");
        }
    }
    text_append(text, "'");
}

static void append_zsh(struct text *text)
{
    const struct applet *applet;
    text_append(text, "#compdef shimbox\n"
                      "_shimbox() {\n"
                      "    local curcontext=$curcontext state line\n"
                      "    local -a applets\n"
                      "    applets=(\n");
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        text_append_format(text, "        '%s:", applet->name);
        append_quoted(text, applet_text(applet, TEXT_SUMMARY), ":\\");
        text_append(text, "'\n");
    }
    text_append(text, "    )\n"
                      "    _arguments -C -S");
    each_option(text, NULL, append_zsh_option);
    text_append(text, " \\\n        '1:applet:->applet' '*::argument:->arguments'\n"
                      "    case $state in\n"
                      "    applet) _describe applet applets ;;\n"
                      "    arguments)\n"
                      "        case $words[1] in\n");
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        text_append_format(text, "        %s) _arguments -S", applet->name);
        each_option(text, applet, append_zsh_option);
        text_append(text, " \\\n        '*:argument:_files' ;;\n");
    }
    text_append(text, "        esac ;;\n"
                      "    esac\n"
                      "}\n"
                      "_shimbox \"$@\"\n");
}

static void append_fish_option(struct text *text, const struct applet *applet,
                               const struct option *option)
{
    text_append(text, "complete -c shimbox -n '");
    if (applet)
        text_append_format(text, "__fish_seen_subcommand_from %s'", applet->name);
    else
        text_append(text, "__fish_use_subcommand'");
    if (option->letter)
        text_append_format(text, " -s %c", option->letter);
    if (option_name(option)[0])
        text_append_format(text, " -l %s", option_name(option));
    if (option_has_argument(option) && !option_is_optional(option))
        text_append(text, usage_has_choices(option) ? " -x" : " -r");
    if (usage_has_choices(option)) {
        text_append(text, " -a '");
        append_choices(text, option);
        text_append(text, "'");
    }
    text_append(text, " -d '");
    append_quoted(text, option_help(option), "\\");
    text_append(text, "'\n");
}

static void append_fish(struct text *text)
{
    const struct applet *applet;
    text_append(text, "# fish completion for shimbox\n");
    each_option(text, NULL, append_fish_option);
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        text_append_format(text, "complete -c shimbox -n __fish_use_subcommand -f -a %s -d '",
                           applet->name);
        append_quoted(text, applet_text(applet, TEXT_SUMMARY), "\\");
        text_append(text, "'\n");
        each_option(text, applet, append_fish_option);
    }
}

int usage_completions(struct text *text, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        append_bash(text);
    else if (strcmp(shell, "zsh") == 0)
        append_zsh(text);
    else if (strcmp(shell, "fish") == 0)
        append_fish(text);
    else
        return fail_usage("no completions for '%s': bash, zsh or fish", shell);
    return 0;
}
