/* Tests of core/oci/image_config.c and of what spec_edit.c makes of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/oci/config.h"
#include "core/oci/image_config.h"
#include "core/oci/spec_default.h"
#include "core/oci/spec_edit.h"

static int parse(struct image_config *image, const char *text)
{
    return image_config_parse(image, "i", text, strlen(text));
}

static void members_are_found_in_any_case(void **state)
{
    struct image_config image;

    (void)state;
    assert_int_equal(parse(&image,
                           "{\"Config\":{\"ENTRYPOINT\":[\"e\"],\"cmd\":null,\"Env\":[\"A=b\"],"
                           "\"workingdir\":\"/w\",\"HostName\":\"\",\"User\":\"u\","
                           "\"Labels\":{\"a\":1}}}"),
                     0);
    assert_string_equal(image.entrypoint[0], "e");
    assert_null(image.entrypoint[1]);
    assert_null(image.command[0]);
    assert_string_equal(image.env[0], "A=b");
    assert_string_equal(image.working_dir, "/w");
    assert_null(image.hostname);
    assert_string_equal(image.user, "u");
    image_config_free(&image);
    assert_int_equal(parse(&image, "{}"), 0);
    assert_null(image.command[0]);
    assert_null(image.env[0]);
    image_config_free(&image);
}

static void wrong_ones_are_named(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[]", "i: expected an object, found an array"},
        {"{\"config\":[]}", "i: /config: expected an object, found an array"},
        {"{\"config\":{\"Cmd\":[1]}}", "i: /config/Cmd/0: expected a string, found a number"},
        {"{\"config\":{\"user\":5}}", "i: /config/user: expected a string, found a number"},
        {"{\"config\":{\"Env\":[\"A\"]}}", "i: /config/Env/0: expected NAME=VALUE, found \"A\""},
        {"{\"config\":{\"WorkingDir\":\"w\"}}",
         "i: /config/WorkingDir: expected an absolute path, found \"w\""},
        {"{\"config\":{\"env\":[],\"Env\":[]}}",
         "i: /config/Env: is there twice, in different cases"},
        {"{\"config\":{},\"Config\":{}}", "i: /Config: is there twice, in different cases"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct image_config image;

        assert_int_equal(parse(&image, cases[i].text), -EINVAL);
        assert_string_equal(error_get()->text, cases[i].message);
        error_clear();
        image_config_free(&image);
    }
}

static void the_image_goes_into_the_document(void **state)
{
    struct json_object *document = spec_default(SPEC_PLAIN);
    struct image_config image;
    struct config config;

    (void)state;
    assert_int_equal(parse(&image, "{\"config\":{\"Entrypoint\":[\"a\",\"b\"],\"Cmd\":[\"c\"],"
                                   "\"Env\":[\"X=1\",\"PATH=/\",\"X=2\"],\"Hostname\":\"h\"}}"),
                     0);
    assert_int_equal(spec_apply_image(document, &image, false), 0);
    assert_int_equal(config_from_document(&config, "c", document), 0);
    assert_string_equal(config.process.args[0], "a");
    assert_string_equal(config.process.args[2], "c");
    assert_null(config.process.args[3]);
    assert_string_equal(config.process.env[0], "PATH=/");
    assert_string_equal(config.process.env[1], "X=2");
    assert_null(config.process.env[2]);
    assert_string_equal(config.process.cwd, "/");
    assert_string_equal(config.hostname, "h");
    config_free(&config);
    image_config_free(&image);

    document = spec_default(SPEC_PLAIN);
    assert_int_equal(parse(&image, "{\"config\":{\"Cmd\":[]}}"), 0);
    assert_int_equal(spec_apply_image(document, &image, true), 0);
    assert_int_equal(spec_apply_image(document, &image, false), -EINVAL);
    error_clear();
    image_config_free(&image);
    json_object_put(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_in_any_case),
        cmocka_unit_test(wrong_ones_are_named),
        cmocka_unit_test(the_image_goes_into_the_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
