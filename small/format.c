/* snprintf(3) and vsnprintf(3) in a tenth of libc's size.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is used here: %d, %u, %x, %X, %o, %c, %s and %%, with the flags '-', '0' and '#', width and
 * precision, also as '*', and the sizes l, ll and z. Anything else is -1 with EINVAL. Beside
 * libc's: tests/core/format.c, and for what the sources use, tests/lint/formats.py.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Where the text goes: what does not fit is only counted. */
struct output {
    char *text;
    size_t size; /* room for the final NUL included */
    size_t length;
};

struct conversion {
    bool left;
    bool zeros;
    bool prefix;
    bool is_long;
    int width;
    int precision; /* -1: none */
};

static void put(struct output *output, const char *bytes, size_t length)
{
    if (output->length < output->size) {
        size_t room = output->size - output->length;
        memcpy(output->text + output->length, bytes, length < room ? length : room);
    }
    output->length += length;
}

static void put_many(struct output *output, char byte, int count)
{
    while (count-- > 0)
        put(output, &byte, 1);
}

/* A field: the prefix, zeros, and the text, filled up to the width. */
static void put_field(struct output *output, const struct conversion *conversion,
                      const char *prefix, int zeros, const char *text, size_t length)
{
    int fill = conversion->width - (int)strlen(prefix) - zeros - (int)length;
    if (!conversion->left)
        put_many(output, ' ', fill);
    put(output, prefix, strlen(prefix));
    put_many(output, '0', zeros);
    put(output, text, length);
    if (conversion->left)
        put_many(output, ' ', fill);
}

/* letter: that of the conversion; of 'X' and 'x', the digits follow. */
static void put_number(struct output *output, const struct conversion *conversion, uint64_t number,
                       char letter, const char *prefix)
{
    char digits[24]; /* of 64 bits, in base 8 */
    char *end = digits + sizeof(digits);
    char *start = end;
    unsigned base = letter == 'o' ? 8 : letter == 'd' || letter == 'u' ? 10 : 16;
    for (; number > 0; number /= base) {
        unsigned digit = (unsigned)(number % base);
        *--start = (char)(digit < 10 ? '0' + digit : letter - 'x' + 'a' - 10 + digit);
    }
    int length = (int)(end - start);
    int zeros = (conversion->precision < 0 ? 1 : conversion->precision) - length;
    /* The flag '0' has no meaning beside a precision or '-'. */
    if (conversion->zeros && !conversion->left && conversion->precision < 0)
        zeros = conversion->width - (int)strlen(prefix) - length;
    int least = length == 0 && conversion->precision < 0;
    if (letter == 'o' && conversion->prefix && zeros <= 0)
        least = 1;
    put_field(output, conversion, prefix, zeros > least ? zeros : least, start, (size_t)length);
}

/* Returns whether there is such a conversion. */
static bool convert(struct output *output, const struct conversion *conversion, char letter,
                    va_list *arguments)
{
    char byte = letter;
    const char *text = &byte;
    size_t length = 1;
    uint64_t number;
    switch (letter) {
    case 'd':
        number =
            (uint64_t)(conversion->is_long ? va_arg(*arguments, long) : va_arg(*arguments, int));
        if ((int64_t)number < 0)
            put_number(output, conversion, -number, letter, "-");
        else
            put_number(output, conversion, number, letter, "");
        return true;
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        number =
            conversion->is_long ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
        text = !conversion->prefix || number == 0 ? "" : letter == 'x' ? "0x" : "0X";
        put_number(output, conversion, number, letter, letter == 'u' || letter == 'o' ? "" : text);
        return true;
    case 's':
        text = va_arg(*arguments, const char *);
        length =
            conversion->precision < 0 ? strlen(text) : strnlen(text, (size_t)conversion->precision);
        break;
    case 'c':
        byte = (char)va_arg(*arguments, int);
        break;
    case '%':
        break;
    default:
        return false;
    }
    put_field(output, conversion, "", 0, text, length);
    return true;
}

/* A width or precision: digits, or '*' for an argument. */
static int read_number(const char **format, va_list *arguments)
{
    int number = 0;
    if (**format == '*') {
        ++*format;
        return va_arg(*arguments, int);
    }
    for (; **format >= '0' && **format <= '9'; ++*format)
        number = number * 10 + (**format - '0');
    return number;
}

/* What stands behind '%'. Returns where it ends, or NULL. */
static const char *format_one(struct output *output, const char *format, va_list *arguments)
{
    struct conversion conversion = {.precision = -1};
    for (;; format++) {
        if (*format == '-')
            conversion.left = true;
        else if (*format == '0')
            conversion.zeros = true;
        else if (*format == '#')
            conversion.prefix = true;
        else
            break;
    }
    conversion.width = read_number(&format, arguments);
    if (conversion.width < 0) {
        conversion.left = true;
        conversion.width = -conversion.width;
    }
    if (*format == '.') {
        format++;
        conversion.precision = read_number(&format, arguments);
    }
    /* All three are as wide as a pointer. */
    for (; *format == 'l' || *format == 'z'; format++)
        conversion.is_long = true;
    return convert(output, &conversion, *format, arguments) ? format + 1 : NULL;
}

int vsnprintf(char *restrict text, size_t size, const char *restrict format, va_list arguments)
{
    struct output output = {.text = text, .size = size};
    va_list own;
    va_copy(own, arguments);
    while (format && *format) {
        size_t plain = strcspn(format, "%");
        put(&output, format, plain);
        format += plain;
        if (*format)
            format = format_one(&output, format + 1, &own);
    }
    va_end(own);
    if (size > 0)
        text[output.length < size ? output.length : size - 1] = '\0';
    if (format && output.length <= INT_MAX)
        return (int)output.length;
    errno = format ? EOVERFLOW : EINVAL;
    return -1;
}

int snprintf(char *restrict text, size_t size, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return length;
}
