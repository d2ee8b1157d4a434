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
