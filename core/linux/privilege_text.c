/* Sets of capabilities and securebits as setpriv(1) writes them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/privilege_text.h"

#include <errno.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "core/base/error.h"
#include "core/linux/capability.h"

static const char securebits[][28] = {
    [SECURE_NOROOT] = "noroot",
    [SECURE_NOROOT_LOCKED] = "noroot_locked",
    [SECURE_NO_SETUID_FIXUP] = "no_setuid_fixup",
    [SECURE_NO_SETUID_FIXUP_LOCKED] = "no_setuid_fixup_locked",
    [SECURE_KEEP_CAPS] = "keep_caps",
    [SECURE_KEEP_CAPS_LOCKED] = "keep_caps_locked",
    [SECURE_NO_CAP_AMBIENT_RAISE] = "no_cap_ambient_raise",
    [SECURE_NO_CAP_AMBIENT_RAISE_LOCKED] = "no_cap_ambient_raise_locked",
};
#define SECUREBITS (sizeof(securebits) / sizeof(securebits[0]))

const char *securebit_name(unsigned bit)
{
    return bit < SECUREBITS ? securebits[bit] : NULL;
}

/* "N" or "N-M" as bits of capabilities that this kernel has. */
static uint64_t parse_range(const char *text)
{
    uint32_t first;
    uint32_t last;
    char digits[3] = "";
    size_t length = strcspn(text, "-");
    if (length == 0 || length >= sizeof(digits))
        return 0;
    memcpy(digits, text, length);
    if (parse_u32(digits, 63, &first) < 0)
        return 0;
    last = first;
    if (text[length] && (parse_u32(text + length + 1, 63, &last) < 0 || last < first))
        return 0;
    uint64_t bits =
        (last == 63 ? UINT64_MAX : (UINT64_C(1) << (last + 1)) - 1) & ~((UINT64_C(1) << first) - 1);
    return (bits & ~capability_known()) == 0 ? bits : 0;
}

/* The bits that one word stands for, 0 when it makes no sense. */
static uint64_t capability_bits(const char *word)
{
    if (strcmp(word, "all") == 0)
        return capability_known();
    int number = capability_number(word);
    if (number >= 0)
        return UINT64_C(1) << number;
    return parse_range(strncasecmp(word, "cap_", 4) == 0 ? word + 4 : word);
}

static uint64_t securebit_bits(const char *word)
{
    const uint64_t all = (UINT64_C(1) << SECUREBITS) - 1;
    for (unsigned bit = 0; bit < SECUREBITS; bit++) {
        if (strcmp(word, securebits[bit]) == 0 && bit != SECURE_KEEP_CAPS)
            return UINT64_C(1) << bit;
    }
    return strcmp(word, "all") == 0 ? all & ~(UINT64_C(1) << SECURE_KEEP_CAPS) : 0;
}

/* Apply "+a,-b" word by word. */
static int edit(uint64_t *set, const char *option, const char *text, uint64_t (*find)(const char *))
{
    for (const char *item = text;; item++) {
        char word[40] = "";
        size_t length = strcspn(item, ",");
        if ((item[0] != '+' && item[0] != '-') || length < 2)
            return fail_usage("option %s: expected +NAME or -NAME, found '%.*s'", option,
                              (int)length, item);
        if (length <= sizeof(word))
            memcpy(word, item + 1, length - 1);
        uint64_t bits = find(word);
        /* It would lock all of them, as nobody can want; setpriv(1) refuses it, too. */
        if (find == securebit_bits && strcmp(word, "all") == 0 && item[0] == '+')
            bits = 0;
        if (!bits)
            return fail_usage("option %s: '%.*s' is unknown here", option, (int)length - 1,
                              item + 1);
        *set = item[0] == '+' ? *set | bits : *set & ~bits;
        item += length;
        if (!*item)
            return 0;
    }
}

int capabilities_edit(uint64_t *set, const char *option, const char *text)
{
    return edit(set, option, text, capability_bits);
}

int securebits_edit(unsigned *bits, const char *option, const char *text)
{
    uint64_t set = *bits;
    int result = edit(&set, option, text, securebit_bits);
    *bits = (unsigned)set;
    return result;
}

static void append_item(struct text *text, const char *item, bool *first)
{
    text_append_format(text, "%s%s", *first ? "" : ",", item);
    *first = false;
}

void capabilities_list(struct text *text, uint64_t set)
{
    bool first = true;
    for (int number = 0; number < 64; number++) {
        char word[32];
        const char *name = capability_name(number);
        if (!(set >> number & 1))
            continue;
        size_t i = 0;
        for (; name && name[i + 4] && i < sizeof(word) - 1; i++)
            word[i] = (char)(name[i + 4] | ('_' == name[i + 4] ? 0 : 0x20));
        word[i] = '\0';
        if (!name)
            text_append_format(text, "%scap_%d", first ? "" : ",", number);
        else
            text_append_format(text, "%s%s", first ? "" : ",", word);
        first = false;
    }
    if (first)
        text_append(text, "[none]");
}

int capabilities_lines(struct text *text, uint64_t set)
{
    capabilities_list(text, set);
    for (size_t i = 0; i < text->length; i++) {
        if (text->data[i] == ',')
            text->data[i] = '\n';
    }
    text_append(text, "\n");
    return text->failed ? fail(ENOMEM, "cannot compose the output") : 0;
}

void securebits_list(struct text *text, unsigned bits)
{
    bool first = true;
    for (unsigned bit = 0; bit < SECUREBITS; bit++) {
        if (bits >> bit & 1)
            append_item(text, securebits[bit], &first);
        bits &= ~(1U << bit);
    }
    if (bits)
        text_append_format(text, "%s0x%x", first ? "" : ",", bits);
    else if (first)
        text_append(text, "[none]");
}
