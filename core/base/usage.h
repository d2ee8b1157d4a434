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

/* --help */
void usage_help(struct text *text, const struct applet *applet);

/* --list: one name a line; summaries: with the summary in a second column. */
void usage_list(struct text *text, bool summaries);

/* One line: how to call it. */
void usage_synopsis(struct text *text, const struct applet *applet);

/* What the global options and the environment do, in paragraphs as in struct applet. */
extern const char usage_description[];
extern const char usage_examples[];
