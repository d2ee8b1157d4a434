/* How a system call filter is made and kept: what the files seccomp*.c share.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "core/base/text.h"
#include "core/linux/seccomp.h"

/* Ask libseccomp. As filter_compile(), without a cache. */
int filter_make(const struct filter_profile *profile, struct filter_program *program,
                long *bad_rule);

/* The version of libseccomp, which decides what a program is like. */
const char *filter_library(char *text, size_t size);

/* Programs are kept under the whole text of their profile. Is there one? Returns 1, or 0. */
int filter_cache_find(int cache, const struct text *profile, struct filter_program *program);
/* Keep this one; nothing is done if that fails. */
void filter_cache_keep(int cache, const struct text *profile, const struct filter_program *program);

/* Append the whole of a profile, and what else decides on the program, so that equal bytes mean
 * equal programs. */
void filter_describe(const struct filter_profile *profile, struct text *text);
