/* Tests of core/linux/idmap.c and idmap_word.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/idmap.h"

static void lists_are_parsed(void **state)
{
    struct idmap map = {0};
    uint32_t id;

    (void)state;
    assert_int_equal(idmap_parse(&map, "m", "0:100000:10,10:4294967294:1"), 0);
    assert_int_equal(idmap_parse(&map, "m", "4294967294:5:1"), 0);
    assert_int_equal(map.count, 3);
    assert_int_equal(idmap_check(&map, "m"), 0);
    assert_int_equal(idmap_to_host(&map, 9, &id), 0);
    assert_int_equal(id, 100009);
    assert_int_equal(idmap_to_host(&map, 11, &id), -ENOENT);
    assert_int_equal(idmap_to_container(&map, 4294967294U, &id), 0);
    assert_int_equal(id, 10);
    assert_int_equal(idmap_to_container(&map, 6, &id), -ENOENT);
    assert_false(error_is_set());
    idmap_free(&map);
    assert_null(map.ranges);
}

static void bad_lists_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        ",",
        "0",
        "0:0",
        "0:0:",
        ":0:1",
        "0:0:1,",
        ",0:0:1",
        "0:0:1:",
        "0:0:1:1",
        "-1:0:1",
        "+1:0:1",
        "0x1:0:1",
        " 0:0:1",
        "0:0:1 ",
        "0:0:0",
        "0:4294967295:1",
        "4294967295:0:1",
        "0:4294967296:1",
        "0:0:4294967296",
        "1:0:4294967295",
        "0:4294967290:6",
        "0:18446744073709551615:1",
        "0:0:18446744073709551615",
        "0:18446744073709551616:1",
        "0:000000000000000000000000000000001:1",
        "a:b:c",
        "0;0;1",
        "0:0:1\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct idmap map = {0};

        assert_int_equal(idmap_parse(&map, "m", texts[i]), -EINVAL);
        assert_int_equal(error_get()->kind, ERROR_USAGE);
        error_clear();
        idmap_free(&map);
    }
}

static void the_last_id_can_be_mapped(void **state)
{
    struct idmap map = {0};

    (void)state;
    assert_int_equal(idmap_add(&map, "m", 0, 0, 4294967295U), 0);
    assert_int_equal(idmap_check(&map, "m"), 0);
    idmap_free(&map);
}

static void whole_maps_are_checked(void **state)
{
    static const char *const overlaps[] = {"0:0:2,1:5:1",
                                           "0:0:1,5:0:1",
                                           "5:5:5,0:20:6",
                                           "0:9:9,20:5:5",
                                           "30:0:1,10:1:5,20:9:1,12:30:1",
                                           "1:40:1,2:10:1,3:20:30,4:30:1"};
    struct idmap map = {0};

    (void)state;
    assert_int_equal(idmap_check(&map, "m"), -EINVAL);
    assert_string_equal(error_get()->text, "m: is empty");
    error_clear();
    for (size_t i = 0; i < sizeof(overlaps) / sizeof(overlaps[0]); i++) {
        assert_int_equal(idmap_parse(&map, "m", overlaps[i]), 0);
        assert_int_equal(idmap_check(&map, "m"), -EINVAL);
        assert_non_null(strstr(error_get()->text, "overlap"));
        error_clear();
        idmap_free(&map);
    }
    for (uint64_t i = 0; i < IDMAP_EXTENTS_MAX; i++)
        assert_int_equal(idmap_add(&map, "m", i, i, 1), 0);
    assert_int_equal(idmap_check(&map, "m"), 0);
    assert_int_equal(idmap_add(&map, "m", 1000, 1000, 1), 0);
    assert_int_equal(idmap_check(&map, "m"), -EINVAL);
    error_clear();
    idmap_free(&map);
}

static void words_are_of_the_caller(void **state)
{
    struct idmaps maps = {0};

    (void)state;
    assert_int_equal(idmaps_by_word(&maps, "root"), 0);
    assert_int_equal(maps.uid.count, 1);
    assert_int_equal(maps.uid.ranges[0].container, 0);
    assert_int_equal(maps.uid.ranges[0].host, getuid());
    assert_int_equal(maps.gid.ranges[0].host, getgid());
    idmaps_free(&maps);
    assert_int_equal(idmaps_by_word(&maps, "current"), 0);
    assert_int_equal(maps.uid.ranges[0].container, getuid());
    idmaps_free(&maps);
    assert_int_equal(idmaps_by_word(&maps, "auto"), 0);
    assert_int_equal(maps.uid.ranges[0].container, 0);
    assert_int_equal(maps.uid.ranges[0].host, getuid());
    assert_int_equal(maps.uid.count > 1, maps.gid.count > 1);
    idmaps_free(&maps);
    assert_int_equal(idmaps_by_word(&maps, "identity"), -EINVAL);
    error_clear();
    idmaps_free(&maps);
}

static void options_come_in_pairs(void **state)
{
    struct text_list some = {0};
    const struct text_list none = {0};
    struct idmaps maps = {0};

    (void)state;
    assert_int_equal(text_list_add(&some, "0:1:1"), 0);
    assert_int_equal(text_list_add(&some, "1:2:1,2:3:1"), 0);
    assert_int_equal(idmaps_by_options(&maps, &none, &none, NULL), 0);
    assert_int_equal(maps.uid.count + maps.gid.count, 0);
    assert_int_equal(idmaps_by_options(&maps, &some, &some, NULL), 0);
    assert_int_equal(maps.gid.count, 3);
    idmaps_free(&maps);
    assert_int_equal(idmaps_by_options(&maps, &some, &none, NULL), -EINVAL);
    error_clear();
    assert_int_equal(idmaps_by_options(&maps, &none, &some, NULL), -EINVAL);
    error_clear();
    assert_int_equal(idmaps_by_options(&maps, &some, &some, "root"), -EINVAL);
    error_clear();
    idmaps_free(&maps);
    text_list_free(&some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_parsed),          cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(the_last_id_can_be_mapped), cmocka_unit_test(whole_maps_are_checked),
        cmocka_unit_test(words_are_of_the_caller),   cmocka_unit_test(options_come_in_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
