/* Tests of core/base/base64.c, with the examples of RFC 4648, section 10.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/text.h"

static void examples(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        autotext struct text text = {0};
        char bytes[16];
        size_t length = 99;
        base64_encode(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(text.data ? text.data : "", pairs[i][1]);
        assert_int_equal(base64_decode(pairs[i][1], bytes, &length), 0);
        assert_int_equal(length, strlen(pairs[i][0]));
        assert_memory_equal(bytes, pairs[i][0], length);
    }
}

/* Of any length, also beyond what is encoded at once. */
static void there_and_back(void **state)
{
    (void)state;
    for (size_t size = 0; size < 3000; size += size < 800 ? 1 : 97) {
        autotext struct text text = {0};
        unsigned char bytes[3000];
        unsigned char back[3000];
        size_t length;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)(i * 167 + size);
        base64_encode(&text, bytes, size);
        assert_int_equal(text.length, (size + 2) / 3 * 4);
        assert_int_equal(base64_decode(text.data ? text.data : "", back, &length), 0);
        assert_int_equal(length, size);
        assert_memory_equal(back, bytes, size);
    }
}

static void what_is_none(void **state)
{
    static const char *const texts[] = {
        "A",
        "AA",
        "AAA",
        "A===",
        "====",
        "AA=A",
        "AA==A",
        "AA==AAAA",
        "AB==",
        "AAB=",
        " AAA",
        "AAA\n",
        "AA-A",
        "AA_A",
        "AAAA=",
        "=AAA",
        "\xc3\xa9"
        "AA",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char bytes[16];
        size_t length;
        if (base64_decode(texts[i], bytes, &length) != -EINVAL)
            fail_msg("'%s' is taken", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
