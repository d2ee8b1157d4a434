/* Regular expressions for names: regex(7), extended, without {} and without classes by name.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libc's would be a tenth of the program. A set of states is followed through the text, so that no
 * expression takes longer than its length times that of the text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_NODES 512

/* What a state does with the next character, and where it goes then. */
struct pattern_node {
    uint8_t kind;   /* private to pattern.c */
    char character; /* of a literal one */
    uint16_t first; /* of a class: its text in the expression; else the next node */
    uint16_t second;
    uint16_t next;
};

struct pattern {
    const char *text; /* the expression, the caller's */
    struct pattern_node nodes[PATTERN_NODES];
    size_t count;
    uint16_t start;
};

/* Returns 0 or -EINVAL (recorded, a usage error that names the expression). */
int pattern_compile(struct pattern *pattern, const char *text);

/* Does it match any part of the name? */
bool pattern_matches(const struct pattern *pattern, const char *name);
