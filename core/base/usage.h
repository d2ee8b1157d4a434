/* What is printed about shimbox and its applets, all of it from their tables.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A NULL applet stands for shimbox itself, with the global options. The functions append to *text,
 * which tells of running out of memory (text.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/applet.h"
#include "core/base/text.h"

/* The options that stand before an applet's name. */
extern const struct option global_options[];
extern const size_t global_option_count;

/* --help of an applet, never NULL, and of shimbox itself. */
void usage_help(struct text *text, const struct applet *applet);
void usage_front_help(struct text *text);

/* Print on standard output what was composed. Returns EXIT_YES or, with an error reported, failure.
 */
int usage_print(struct text *text, int failure);

/* --list: one name a line; summaries: with the summary in a second column. */
void usage_list(struct text *text, bool summaries);

/* One line: how to call it. */
void usage_synopsis(struct text *text, const struct applet *applet);

/* --man: a manual page in roff (man(7)), "shimbox-run(1)"; with the exit codes of exit.h. */
void usage_manual(struct text *text, const struct applet *applet);

/* --completions: a script for the shell "bash", "zsh" or "fish". Returns 0 or -EINVAL (recorded).
 */
int usage_completions(struct text *text, const char *shell);

/* --install: make a symbolic link to this binary for each applet that is not a sub-command of the
 * runtime. A file that exists is left alone, and told of at the end of its own line; a link that is
 * right already is done. Relative when the binary is in the same directory. Returns the exit code.
 */
int usage_install(const char *directory);

/* Are these the choices of an option, "text|json"? */
bool usage_has_choices(const struct option *option);

/* Does the table have an option of its own for --help? */
bool usage_has_help(const struct option *options, size_t count);

/* What shimbox itself is, in paragraphs and examples as in struct applet. */
extern const char usage_description[];
extern const char usage_examples[];

/* -h, --help of every applet. */
extern const struct option help_option;
