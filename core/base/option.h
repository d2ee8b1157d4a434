/* Option tables: one constant table per applet gives the parser, --help, the manual page and the
 * shell completions.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table entry holds text inline and an offset instead of pointers: in a position-independent
 * executable every pointer costs a relocation at start-up, and 24 bytes of file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"

/* What an option does to the field at `offset` of the applet's struct of options. */
enum option_kind {
    OPTION_FLAG,       /* bool: true */
    OPTION_COUNT,      /* unsigned: one more each time */
    OPTION_TEXT,       /* const char *: the argument; given twice, the last one counts */
    OPTION_LIST,       /* struct text_list: every argument, in order */
    OPTION_NUMBER,     /* uint32_t: the argument, an unsigned decimal number */
    OPTION_MAYBE,      /* const char *: --name=VALUE, or "" for --name alone */
    OPTION_MAYBE_LONG, /* the same, but the letter stands alone: -mu is -m and -u */
};

/* With OPTION_FLAG or OPTION_TEXT: the field can be set once, by whichever option. */
#define OPTION_ONCE 0x80

struct option {
    char letter;     /* short form, 0 for none */
    uint8_t kind;    /* enum option_kind */
    uint16_t offset; /* offsetof(struct of options, field) */
    char text[80];   /* OPTION_WORDS */
};

/* The texts of an option, one behind the other, so that none needs room of a fixed size: its long
 * form without dashes; the name of its argument in the help, "" where there is none; what it does,
 * one line without a full stop. The last NUL makes what is too long an error of the compiler. */
#define OPTION_WORDS(name, argument, help) name "\0" argument "\0" help "\0"

/* Parse argv[1..] by the table into values, which starts zeroed or preset with defaults. Stops at
 * the first operand, after "--", or at a lone "-" (an operand).
 * *operands: index in argv of the first operand; *separated: "--" stood before it (may be NULL).
 * -bDIR, -b DIR, --bundle=DIR, --bundle DIR and grouped flags (-vx) are understood; long names are
 * never abbreviated. Returns 0, or -EINVAL with a usage error recorded that names the option. */
int options_parse(const struct option *table, size_t count, int argc, char **argv, void *values,
                  int *operands, bool *separated);

/* The same, and -h and --help set *help unless the table has its own option of that letter or name.
 * Every applet is parsed by this one. */
int options_parse_help(const struct option *table, size_t count, int argc, char **argv,
                       void *values, int *operands, bool *separated, bool *help);

/* Read the argument of the option of that name, a duration (parse_duration) of up to a day and at
 * least so many milliseconds. Returns 0 or -EINVAL with a usage error recorded. */
int option_duration(const char *name, const char *text, int64_t least, int64_t *milliseconds);

/* Its texts. */
const char *option_name(const struct option *option);
const char *option_argument(const struct option *option);
const char *option_help(const struct option *option);

/* Does the option take an argument (an optional one included)? May it be left out? */
bool option_has_argument(const struct option *option);
bool option_is_optional(const struct option *option);
