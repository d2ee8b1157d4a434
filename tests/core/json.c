/* Tests of core/oci/json.c, json_parse.c and json_build.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/oci/json.h"
#include "core/oci/json_build.h"

static struct json_object *parse(const char *text)
{
    struct json_object *document;

    assert_int_equal(json_parse(&document, "doc", text, strlen(text)), 0);
    return document;
}

static void refuse(const char *text, size_t length, const char *message)
{
    struct json_object *document;

    assert_int_equal(json_parse(&document, "doc", text, length), -EINVAL);
    assert_null(document);
    assert_int_equal(error_get()->kind, ERROR_CONFIG);
    assert_string_equal(error_get()->text, message);
    error_clear();
}

static void good_documents_keep_their_text(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "1",
        "-1",
        "18446744073709551615",
        "-9223372036854775808",
        "1.50",
        "-0.1",
        "1e5",
        "\"a\"",
        "true",
        "false",
        "\"\\\"\\\\/\"",
        "[1,{\"a\":[null]},\"N I . -01 '\"]",
        "{\"\":{\"\":0}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_object *document = parse(texts[i]);

        assert_string_equal(
            json_object_to_json_string_ext(document, JSON_C_TO_STRING_NOSLASHESCAPE), texts[i]);
        json_object_put(document);
    }
    assert_null(parse("null"));
    json_object_put(parse(" \t\r\n{ } \n"));
    assert_false(error_is_set());
}

static void bad_documents_are_located(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "doc:1:1: unexpected end of data"},
        {"{", "doc:1:1: unexpected end of data"},
        {"[1,]", "doc:1:4: unexpected character"},
        {"{}{}", "doc:1:3: unexpected character"},
        {"{\n \"a\":1 \"b\"}", "doc:2:8: object value separator ',' expected"},
        {"\"a\nb\"", "doc:1:3: control character in a string"},
        {"\"\\u0000\"", "doc:1:2: \\u0000 in a string"},
        {"[NaN]", "doc:1:2: NaN and Infinity are not JSON"},
        {"[-Infinity]", "doc:1:3: NaN and Infinity are not JSON"},
        {"['a']", "doc:1:2: strings have double quotes"},
        {"[1.]", "doc:1:3: no digit behind the decimal point"},
        {"[-01]", "doc:1:2: leading zero"},
        {"[00]", "doc:1:2: leading zero"},
        {"01.5", "doc:1:1: leading zero"},
        {"[18446744073709551616]", "doc:1:2: not of 64 bits"},
        {"[99999999999999999999999]", "doc:1:2: not of 64 bits"},
        {"[1, -9223372036854775809]", "doc:1:5: not of 64 bits"},
        {"{\"a\":1,\"a\":2}", "doc:1:8: duplicate key \"a\""},
        {"[{\"a\":{}},{\"a\":{\"a\":[{}]},\n\"a\":2}]", "doc:2:1: duplicate key \"a\""},
        {"{\"a\":1,\"\\u0061\":2}", "doc:1:8: duplicate key \"\\u0061\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_object *document;
        int result = json_parse(&document, "doc", cases[i].text, strlen(cases[i].text));

        assert_int_equal(result, -EINVAL);
        assert_string_equal(error_get()->text, cases[i].message);
        error_clear();
    }
    refuse("{}\0", 3, "doc:1:3: NUL byte");
    refuse("\"\xff\"", 3, "doc:1:2: not UTF-8");
}

static void the_depth_is_bounded(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 3];
    struct json_object *document;

    (void)state;
    for (size_t depth = JSON_DEPTH_MAX - 2; depth < JSON_DEPTH_MAX + 2; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);

        int result = json_parse(&document, "doc", text, 2 * depth);

        if (depth < JSON_DEPTH_MAX)
            assert_int_equal(result, 0);
        if (depth > JSON_DEPTH_MAX) {
            assert_int_equal(result, -EINVAL);
            assert_non_null(strstr(error_get()->text, "nested too deeply"));
        }
        error_clear();
        json_object_put(document);
    }
}

static void fields_are_read_with_their_types(void **state)
{
    struct json_object *document =
        parse("{\"a\":{\"b~/\":[1,\"t\",true,-5,18446744073709551615,1.5,null]},\"n\":null}");
    struct json_field root = json_root(document);
    struct json_field a = json_member(&root, "a");
    struct json_field list = json_member(&a, "b~/");
    struct json_field missing = json_member(&list, "x");
    struct json_field null = json_member(&root, "n");
    struct json_field items[7];
    size_t count;
    uint64_t number = 7;
    uint32_t small = 7;
    int64_t sign;
    const char *text = "old";
    bool flag = false;

    (void)state;
    for (size_t i = 0; i < 7; i++)
        items[i] = json_element(&list, i);
    assert_int_equal(json_get_array(&list, &count), 0);
    assert_int_equal(count, 7);
    assert_int_equal(json_get_number(&items[0], 1, &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(json_get_text(&items[1], &text), 0);
    assert_string_equal(text, "t");
    assert_int_equal(json_get_bool(&items[2], &flag), 0);
    assert_true(flag);
    assert_int_equal(json_get_signed(&items[3], -5, 0, &sign), 0);
    assert_int_equal(sign, -5);
    assert_int_equal(json_get_number(&items[4], UINT64_MAX, &number), 0);
    assert_true(number == UINT64_MAX);
    assert_false(error_is_set());

    /* What is not there changes nothing. */
    assert_int_equal(json_get_text(&missing, &text), 0);
    assert_int_equal(json_get_text(&null, &text), 0);
    assert_int_equal(json_get_u32(&null, 9, &small), 0);
    assert_int_equal(json_get_array(&null, &count), 0);
    assert_string_equal(text, "t");
    assert_int_equal(small, 7);
    assert_int_equal(count, 0);

    assert_int_equal(json_get_number(&items[3], 9, &number), -EINVAL);
    assert_string_equal(error_get()->text, "/a/b~0~1/3: expected a number from 0 to 9, found -5");
    assert_string_equal(error_get()->field, "/a/b~0~1/3");
    error_clear();
    assert_int_equal(json_get_u32(&items[4], UINT32_MAX, &small), -EINVAL);
    error_clear();
    assert_int_equal(json_get_signed(&items[4], 0, INT64_MAX, &sign), -EINVAL);
    error_clear();
    assert_int_equal(json_get_number(&items[5], 9, &number), -EINVAL);
    assert_string_equal(error_get()->text,
                        "/a/b~0~1/5: expected a number from 0 to 9, found a fraction");
    error_clear();
    assert_int_equal(json_require(&missing), -EINVAL);
    error_clear();
    json_object_put(document);
}

static void trees_are_built(void **state)
{
    struct json_object *document = parse("{\"linux\":null,\"mounts\":1}");
    autotext struct text text = {0};

    (void)state;
    assert_int_equal(json_add_namespace(document, "user"), 0);
    assert_int_equal(json_add_namespace(document, "user"), 0);
    assert_int_equal(json_write(document, &text), 0);
    assert_string_equal(text.data,
                        "{\n  \"linux\": {\n    \"namespaces\": [\n      {\n        \"type\": "
                        "\"user\"\n      }\n    ]\n  },\n  \"mounts\": 1\n}\n");
    assert_null(json_descend_array(document, "mounts", NULL, NULL));
    assert_string_equal(error_get()->text, "/mounts: expected an array, found a number");
    error_clear();
    json_object_put(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_documents_keep_their_text),
        cmocka_unit_test(bad_documents_are_located),
        cmocka_unit_test(the_depth_is_bounded),
        cmocka_unit_test(fields_are_read_with_their_types),
        cmocka_unit_test(trees_are_built),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
