/* Numbers from text, text under construction, lists of text.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The highest id that can be used: 4294967295 is (uid_t)-1, "leave it as it is" to the kernel. */
#define ID_MAX 4294967294U

/* Parse an unsigned decimal number: the whole text, digits alone, no sign, no blanks, at most max.
 * They record no error, since the caller knows what the number is for.
 * Return 0, -EINVAL (not such a number) or -ERANGE (too large). *number is set on success only. */
int parse_u64(const char *text, uint64_t max, uint64_t *number);
int parse_u32(const char *text, uint32_t max, uint32_t *number);

/* Parse a user or group id, 0 to ID_MAX. Results as above. */
int parse_id(const char *text, uint32_t *id);

/* Parse a list of numbers as cpuset(7) has it: "0-3,7". Digits, dashes and commas alone, ranges
 * upwards. bits: NULL, or room for max + 1 bits, of which those of the list are set, the others
 * left as they are; also on failure some may be. Results as above. */
int parse_number_list(const char *text, uint32_t max, uint64_t *bits);

/* Parse Go's form of a duration: numbers with a unit each (h, m, s, ms, us, ns), "1h", "1m30s",
 * "1.5s", or "0"; at most max milliseconds, rounded down, but what is more than nothing is at least
 * 1. Results as above. */
int parse_duration(const char *text, int64_t max, int64_t *milliseconds);

/* The well-formed UTF-8 sequence that text starts with: its length in bytes (1 to 4) and, unless
 * NULL, the code point; 0 when the bytes are none (overlong forms and surrogates included), or at
 * the NUL. */
size_t utf8_sequence(const char *text, uint32_t *code);

/* Copy text to line as something that can be shown on one line of a terminal: control characters
 * (C1 included) and bytes that are not UTF-8 are written as \xNN. size includes the final NUL; what
 * does not fit is cut between characters. Returns the length. */
size_t text_printable(const char *text, char *line, size_t size);

/* How many characters must be inserted, deleted, replaced, or swapped with their neighbour to make
 * b of a: for "did you mean". Names longer than 31 bytes are far from everything (UINT_MAX). */
unsigned text_distance(const char *a, const char *b);

bool starts_with(const char *text, const char *prefix);
bool ends_with(const char *text, const char *suffix);

/* Text that grows. Start with {0}; data is NUL-terminated whenever it is not NULL and may hold NUL
 * bytes before that. After running out of memory, `failed` is set and appending does nothing: check
 * it once, at the end. */
struct text {
    char *data;
    size_t length;   /* without the final NUL */
    size_t capacity; /* allocated bytes */
    bool failed;
};

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const void *bytes, size_t length);
void text_append_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Append a JSON string literal, quotes included; bytes that are not valid UTF-8 become U+FFFD. */
void text_append_json(struct text *text, const char *string);
void text_free(struct text *text);
#define autotext __attribute__((cleanup(text_free)))

/* Strings in the order given; the strings belong to somebody else (argv, a parsed document). */
struct text_list {
    const char **items;
    size_t count;
};

/* Append; returns 0 or -ENOMEM (recorded). */
int text_list_add(struct text_list *list, const char *item);
void text_list_free(struct text_list *list);
