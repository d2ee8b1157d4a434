/* Numbers from text, text under construction, lists of text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

int parse_u64(const char *text, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    bool large = false;
    if (!*text)
        return -EINVAL;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > (UINT64_MAX - digit) / 10)
            large = true;
        else
            value = value * 10 + digit;
    }
    if (large || value > max)
        return -ERANGE;
    *number = value;
    return 0;
}

int parse_u32(const char *text, uint32_t max, uint32_t *number)
{
    uint64_t value;
    int result = parse_u64(text, max, &value);
    if (result == 0)
        *number = (uint32_t)value;
    return result;
}

int parse_id(const char *text, uint32_t *id)
{
    return parse_u32(text, ID_MAX, id);
}

/* The number that *text starts with; *text moves behind it. */
static int take_number(const char **text, uint32_t max, uint32_t *number)
{
    char digits[12];
    size_t length = strspn(*text, "0123456789");

    if (length >= sizeof(digits))
        return -ERANGE;
    memcpy(digits, *text, length);
    digits[length] = '\0';
    *text += length;
    return parse_u32(digits, max, number);
}

int parse_number_list(const char *text, uint32_t max, uint64_t *bits)
{
    for (;;) {
        uint32_t first = 0;
        int result = take_number(&text, max, &first);
        uint32_t last = first;

        if (result == 0 && *text == '-') {
            text++;
            result = take_number(&text, max, &last);
        }
        if (result < 0)
            return result;
        if (last < first || (*text && *text != ','))
            return -EINVAL;
        for (uint32_t number = first; bits && number <= last; number++)
            bits[number / 64] |= UINT64_C(1) << number % 64;
        if (!*text)
            return 0;
        text++;
    }
}

int parse_duration(const char *text, int64_t max, int64_t *milliseconds)
{
    static const struct {
        char name[3];
        double milliseconds;
    } units[] = {{"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000}, {"us", 1e-3}, {"ns", 1e-6}};
    const char *rest = text;
    double sum = 0;
    if (strcmp(text, "0") == 0)
        rest++;
    else if (!*text)
        return -EINVAL;
    while (*rest) {
        size_t digits = strspn(rest, "0123456789.");
        char *end = NULL;
        size_t i = 0;
        double number = digits ? strtod(rest, &end) : -1;
        if (end != rest + digits)
            return -EINVAL;
        while (i < sizeof(units) / sizeof(units[0]) && !starts_with(end, units[i].name))
            i++;
        if (i == sizeof(units) / sizeof(units[0]))
            return -EINVAL;
        sum += number * units[i].milliseconds;
        rest = end + strlen(units[i].name);
    }
    if (!(sum <= (double)max))
        return -ERANGE;
    *milliseconds = sum > 0 && sum < 1 ? 1 : (int64_t)sum;
    return 0;
}

size_t utf8_sequence(const char *text, uint32_t *code)
{
    const unsigned char *byte = (const unsigned char *)text;
    uint32_t value;
    size_t length;
    if (byte[0] == 0)
        return 0;
    if (byte[0] < 0x80) {
        value = byte[0];
        length = 1;
    } else if (byte[0] >= 0xc2 && byte[0] <= 0xdf) {
        value = byte[0] & 0x1fU;
        length = 2;
    } else if ((byte[0] & 0xf0) == 0xe0) {
        value = byte[0] & 0x0fU;
        length = 3;
    } else if (byte[0] >= 0xf0 && byte[0] <= 0xf4) {
        value = byte[0] & 0x07U;
        length = 4;
    } else {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (byte[i] & 0x3fU);
    }
    if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000) || value > 0x10ffff ||
        (value >= 0xd800 && value <= 0xdfff))
        return 0;
    if (code)
        *code = value;
    return length;
}

size_t text_printable(const char *text, char *line, size_t size)
{
    size_t used = 0;
    while (*text) {
        /* Most of it. */
        if (*text >= ' ' && *text < 0x7f && used + 1 < size) {
            line[used++] = *text++;
            continue;
        }
        uint32_t code = 0;
        size_t length = utf8_sequence(text, &code);
        bool plain = length > 0 && code >= 0x20 && (code < 0x7f || code > 0x9f);
        size_t need = plain ? length : 4;
        if (used + need >= size)
            break;
        if (plain) {
            memcpy(line + used, text, length);
            text += length;
        } else {
            static const char digits[] = "0123456789abcdef";
            unsigned char byte = (unsigned char)*text++;
            line[used] = '\\';
            line[used + 1] = 'x';
            line[used + 2] = digits[byte >> 4];
            line[used + 3] = digits[byte & 15];
        }
        used += need;
    }
    if (size > 0)
        line[used] = '\0';
    return used;
}

#define DISTANCE_MAX 32

unsigned text_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    /* Three rows of the table of Levenshtein: this one and the two before it. */
    unsigned char rows[3][DISTANCE_MAX];
    if (a_length >= DISTANCE_MAX || b_length >= DISTANCE_MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned char *row = rows[i % 3], *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned least = above[j - 1] + (unsigned)(a[i - 1] != b[j - 1]);
            if (above[j] + 1U < least)
                least = above[j] + 1U;
            if (row[j - 1] + 1U < least)
                least = row[j - 1] + 1U;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                second[j - 2] + 1U < least)
                least = second[j - 2] + 1U;
            row[j] = (unsigned char)least;
        }
    }
    return rows[a_length % 3][b_length];
}

bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), end = strlen(suffix);
    return length >= end && memcmp(text + length - end, suffix, end) == 0;
}

/* Make room for length more bytes and the final NUL. */
static bool reserve(struct text *text, size_t length)
{
    if (text->failed)
        return false;
    if (length < text->capacity - text->length)
        return true;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity - text->length <= length) {
        if (capacity > SIZE_MAX / 2) {
            text->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append_bytes(struct text *text, const void *bytes, size_t length)
{
    if (!reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_append_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !reserve(text, (size_t)length)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void text_append_json(struct text *text, const char *string)
{
    text_append_bytes(text, "\"", 1);
    while (*string) {
        size_t length = utf8_sequence(string, NULL);
        unsigned char byte = (unsigned char)*string;
        if (length == 0)
            text_append(text, "\xef\xbf\xbd");
        else if (byte == '"' || byte == '\\')
            text_append_format(text, "\\%c", byte);
        else if (byte == '\n')
            text_append(text, "\\n");
        else if (byte == '\t')
            text_append(text, "\\t");
        else if (byte < 0x20 || byte == 0x7f)
            text_append_format(text, "\\u%04x", (unsigned)byte);
        else
            text_append_bytes(text, string, length);
        string += length ? length : 1;
    }
    text_append_bytes(text, "\"", 1);
}

void text_free(struct text *text)
{
    int saved = errno;
    free(text->data);
    memset(text, 0, sizeof(*text));
    errno = saved;
}

int text_list_add(struct text_list *list, const char *item)
{
    /* The array doubles whenever its count is a power of two: no capacity to keep. */
    if ((list->count & (list->count - 1)) == 0) {
        size_t capacity = list->count ? list->count * 2 : 1;
        const char **items = reallocarray(list->items, capacity, sizeof(*items));
        if (!items)
            return fail(ENOMEM, "cannot make room for %zu entries", capacity);
        list->items = items;
    }
    list->items[list->count++] = item;
    return 0;
}

void text_list_free(struct text_list *list)
{
    free(list->items);
    memset(list, 0, sizeof(*list));
}
