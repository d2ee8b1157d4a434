/* Quantities as Kubernetes writes them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A value is a string of decimal digits d1 d2 … dn with the decimal point after `point` digits
 * (which may lie outside of the digits), times 2^binary. Neither leading nor trailing digits are
 * zeros, so that the number of digits alone tells whether something is left behind the point.
 */
#include "core/oci/quantity.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/base/error.h"

/* Exponents are cut here: no value between 1n and 2^63 comes near it, however long its digits are.
 */
#define EXPONENT_MAX 1000000000

/* A fraction that is a multiple of 2^-60 has at most 60 decimal digits; the largest suffix is 2^60.
 */
#define FRACTION_DIGITS 60

struct number {
    const char *digits; /* of the text, with the point among them */
    size_t count;       /* of digits, without the point */
    int64_t point;      /* position of the decimal point, counted in digits */
    unsigned binary;    /* exponent of 2 */
};

enum shape { SHAPE_GOOD, SHAPE_WRONG, SHAPE_SUFFIX };

/* The digit at that position; zeros are everywhere outside. position: from 0, may be negative. */
static unsigned digit_at(const struct number *number, int64_t position)
{
    if (position < 0 || (uint64_t)position >= number->count)
        return 0;

    const char *digit = number->digits;

    for (;; digit++) {
        if (*digit == '.')
            continue;
        if (position-- == 0)
            return (unsigned)(*digit - '0');
    }
}

/* Take the digits off *text, with at most one point among them. */
static enum shape take_digits(const char **text, struct number *number)
{
    size_t whole = strspn(*text, "0123456789");
    const char *rest = *text + whole;
    size_t fraction = 0;

    number->digits = *text;
    number->point = (int64_t)whole;
    if (*rest == '.') {
        fraction = strspn(rest + 1, "0123456789");
        rest += 1 + fraction;
    }
    number->count = whole + fraction;
    *text = rest;
    return number->count > 0 ? SHAPE_GOOD : SHAPE_WRONG;
}

/* Leave out leading and trailing zeros. */
static void trim_zeros(struct number *number)
{
    while (number->count > 0 && (*number->digits == '0' || *number->digits == '.')) {
        if (*number->digits == '0') {
            number->count--;
            number->point--;
        }
        number->digits++;
    }

    const char *end = number->digits;

    for (size_t left = number->count; left > 0; end++)
        left -= *end != '.';
    for (; number->count > 0 && (end[-1] == '0' || end[-1] == '.'); end--)
        number->count -= end[-1] == '0';
}

/* "e" or "E" and a signed whole number. */
static bool take_exponent(const char *suffix, int64_t *exponent)
{
    const char *digits = suffix + 1;
    bool negative = *digits == '-';
    int64_t value = 0;

    if (*digits == '-' || *digits == '+')
        digits++;
    if (!*digits || digits[strspn(digits, "0123456789")])
        return false;
    for (; *digits; digits++) {
        value = value * 10 + (*digits - '0');
        if (value > EXPONENT_MAX)
            value = EXPONENT_MAX;
    }
    *exponent = negative ? -value : value;
    return true;
}

static enum shape apply_suffix(const char *suffix, struct number *number)
{
    static const struct {
        char name[3];
        int8_t ten;
        uint8_t two;
    } table[] = {
        {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"", 0, 0},    {"k", 3, 0},   {"M", 6, 0},
        {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
        {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
    };
    int64_t exponent;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, suffix) == 0) {
            number->point += table[i].ten;
            number->binary = table[i].two;
            return SHAPE_GOOD;
        }
    }
    if ((*suffix == 'e' || *suffix == 'E') && take_exponent(suffix, &exponent)) {
        number->point += exponent;
        return SHAPE_GOOD;
    }

    /* Letters of suffixes, a sign, digits: a suffix that does not exist. Anything else: no
     * quantity. */
    const char *rest = suffix + strspn(suffix, "eEinumkKMGTP");

    rest += *rest == '+' || *rest == '-';
    rest += strspn(rest, "0123456789");
    return *rest ? SHAPE_WRONG : SHAPE_SUFFIX;
}

/* The fraction times 2^binary: *whole is its whole part, the result tells whether something is
 * left. Sixty digits are enough for both: a multiple of 2^-60 cannot lie between them and the rest.
 */
static bool scale_fraction(const struct number *number, uint64_t *whole)
{
    unsigned digits[FRACTION_DIGITS];
    bool rest = (int64_t)number->count - number->point > FRACTION_DIGITS;

    for (int i = 0; i < FRACTION_DIGITS; i++)
        digits[i] = digit_at(number, number->point + i);
    *whole = 0;
    for (unsigned doubling = 0; doubling < number->binary; doubling++) {
        unsigned carry = 0;

        for (int i = FRACTION_DIGITS - 1; i >= 0; i--) {
            unsigned twice = 2 * digits[i] + carry;

            digits[i] = twice % 10;
            carry = twice / 10;
        }
        *whole = *whole << 1 | carry;
    }
    for (int i = 0; i < FRACTION_DIGITS; i++)
        rest = rest || digits[i] != 0;
    return rest;
}

/* Round up to a whole number. False when it is more than max (below 2^64). */
static bool round_up(const struct number *number, uint64_t max, uint64_t *value)
{
    unsigned __int128 whole = 0;
    uint64_t scaled = 0;

    if (number->point > 20) /* at least 10^20, more than 2^64 */
        return false;
    for (int64_t i = 0; i < number->point; i++)
        whole = whole * 10 + digit_at(number, i);
    /* Below 10^20 and up to 2^60: less than 2^127. */
    whole <<= number->binary;
    if ((int64_t)number->count > number->point) {
        bool rest = scale_fraction(number, &scaled);

        whole += scaled + rest;
    }
    *value = (uint64_t)whole;
    return whole <= max;
}

static int parse(const char *what, const char *text, int scale, uint64_t max, uint64_t *value)
{
    struct number number = {0};
    const char *rest = text;
    bool negative = *rest == '-';

    rest += *rest == '-' || *rest == '+';

    enum shape shape = take_digits(&rest, &number);

    if (shape == SHAPE_GOOD)
        shape = apply_suffix(rest, &number);
    if (shape == SHAPE_WRONG)
        return fail_usage("%s: \"%s\" is not a quantity such as 500m, 1.5 or 64Mi", what, text);
    if (shape == SHAPE_SUFFIX)
        return fail_usage("%s: \"%s\" has the unknown suffix \"%s\"", what, text, rest);
    trim_zeros(&number);
    if (negative || number.count == 0)
        return fail_usage("%s: \"%s\" is not more than 0", what, text);
    number.point += scale;
    if (!round_up(&number, max, value))
        return fail_usage("%s: \"%s\" is too much", what, text);
    return 0;
}

int quantity_milli(const char *what, const char *text, uint64_t *milli)
{
    return parse(what, text, 3, QUANTITY_MILLI_MAX, milli);
}

int quantity_bytes(const char *what, const char *text, uint64_t *bytes)
{
    return parse(what, text, 0, INT64_MAX, bytes);
}

uint64_t quantity_cpu_quota(uint64_t milli)
{
    const uint64_t least = 1000; /* min_cfs_quota_period in kernel/sched/core.c */
    uint64_t quota = milli * (CPU_PERIOD / 1000);
    return quota < least ? least : quota;
}
