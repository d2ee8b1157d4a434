/* Tests of core/oci/quantity.c; tests/spec/test_quantity.py has the matrix.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>

#include "core/base/error.h"
#include "core/oci/quantity.h"

static void quantities_are_rounded_up(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"1", 1},
        {"1.1Ki", 1127},
        {"0.1Gi", 107374183},
        {"1n", 1},
        {"5.", 5},
        {".5", 1},
        {"1E", 1000000000000000000},
        {"2e3", 2000},
        {"1500e-3", 2},
        {"7.5Ei", 8646911284551352320},
        {"9223372036854775807", INT64_MAX},
    };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(quantity_bytes("x", cases[i].text, &value), 0);
        assert_true(value == cases[i].bytes);
    }
    assert_int_equal(quantity_milli("x", "0.0001", &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(quantity_milli("x", "1Ki", &value), 0);
    assert_int_equal(value, 1024000);
    assert_false(error_is_set());
}

static void bad_ones_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "x: \"\" is not a quantity such as 500m, 1.5 or 64Mi"},
        {"Mi", "x: \"Mi\" is not a quantity such as 500m, 1.5 or 64Mi"},
        {"1 ", "x: \"1 \" is not a quantity such as 500m, 1.5 or 64Mi"},
        {"1K", "x: \"1K\" has the unknown suffix \"K\""},
        {"1e", "x: \"1e\" has the unknown suffix \"e\""},
        {"-1", "x: \"-1\" is not more than 0"},
        {"0e9", "x: \"0e9\" is not more than 0"},
        {"8Ei", "x: \"8Ei\" is too much"},
        {"1e2147483648", "x: \"1e2147483648\" is too much"},
        {"9223372036854775807.1", "x: \"9223372036854775807.1\" is too much"},
    };
    uint64_t value = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(quantity_bytes("x", cases[i].text, &value), -EINVAL);
        assert_int_equal(error_get()->kind, ERROR_USAGE);
        assert_string_equal(error_get()->text, cases[i].message);
        error_clear();
    }
    assert_int_equal(quantity_milli("x", "175921860444m", &value), 0);
    assert_int_equal(quantity_milli("x", "175921860445m", &value), -EINVAL);
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_are_rounded_up),
        cmocka_unit_test(bad_ones_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
