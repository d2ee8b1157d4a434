/* Tests of core/linux/idmap_unshare.c: the words of unshare(1) for ID mappings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/idmap_unshare.h"

static const struct text_list none;

/* The ranges of a map as "inner:outer:size ...". */
static void assert_ranges(const struct idmap *map, const char *expected)
{
    char text[256] = "";
    size_t length = 0;
    for (size_t i = 0; i < map->count; i++)
        length +=
            (size_t)snprintf(text + length, sizeof(text) - length, "%s%u:%u:%u", i > 0 ? " " : "",
                             map->ranges[i].container, map->ranges[i].host, map->ranges[i].size);
    assert_string_equal(text, expected);
}

static int make(struct idmaps *maps, const struct idmap_unshare *wish, const char *word)
{
    struct text_list users = {0};
    struct idmap_unshare with = *wish;
    error_clear();
    memset(maps, 0, sizeof(*maps));
    if (word)
        assert_int_equal(text_list_add(&users, word), 0);
    with.users = word ? &users : &none;
    with.groups = &none;
    int result = idmaps_by_unshare(maps, &with);
    text_list_free(&users);
    return result;
}

static void no_wish_is_no_map(void **state)
{
    struct idmaps maps;
    (void)state;
    assert_int_equal(make(&maps, &(struct idmap_unshare){0}, NULL), 0);
    assert_int_equal(maps.uid.count, 0);
    assert_int_equal(maps.gid.count, 0);
    assert_false(maps.deny_setgroups);
    idmaps_free(&maps);
}

static void both_forms_of_ranges(void **state)
{
    struct idmaps maps;
    (void)state;
    assert_int_equal(make(&maps, &(struct idmap_unshare){0}, "5:100000:10"), 0);
    assert_ranges(&maps.uid, "5:100000:10");
    idmaps_free(&maps);
    /* Before util-linux 2.39: the outer one first. */
    assert_int_equal(make(&maps, &(struct idmap_unshare){0}, "100000,5,10"), 0);
    assert_ranges(&maps.uid, "5:100000:10");
    assert_int_equal(maps.gid.count, 0);
    idmaps_free(&maps);
    /* A list of ranges of today has commas, too. */
    assert_int_equal(make(&maps, &(struct idmap_unshare){0}, "0:1:1,1:5:1"), 0);
    assert_ranges(&maps.uid, "0:1:1 1:5:1");
    idmaps_free(&maps);
}

static void mistakes_are_refused(void **state)
{
    static const char *const words[] = {
        "",
        "1,2",
        "1,2,",
        ",,",
        "1,2,3,4",
        "a,b,c",
        "1,2,0",
        "x:1:1",
        "automatic",
        "-1,0,1",
        "0,0,4294967296",
        "11111111111111111111111111111111,22222222222222222222222222222222,33333333333333333333",
    };
    struct idmaps maps;
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_true(make(&maps, &(struct idmap_unshare){0}, words[i]) < 0);
        assert_true(error_is_set());
        idmaps_free(&maps);
    }
    error_clear();
}

static void the_own_id(void **state)
{
    struct idmaps maps;
    char own[64];
    (void)state;
    const struct idmap_unshare both = {.user = {true, 0}, .group = {true, 7}};
    assert_int_equal(make(&maps, &both, NULL), 0);
    snprintf(own, sizeof(own), "0:%u:1", geteuid());
    assert_ranges(&maps.uid, own);
    snprintf(own, sizeof(own), "7:%u:1", getegid());
    assert_ranges(&maps.gid, own);
    assert_true(maps.deny_setgroups);
    idmaps_free(&maps);
    /* With the user alone, setgroups(2) is as it was. */
    const struct idmap_unshare user = {.user = {true, 3}};
    assert_int_equal(make(&maps, &user, NULL), 0);
    assert_int_equal(maps.gid.count, 0);
    assert_false(maps.deny_setgroups);
    idmaps_free(&maps);
}

/* A range makes room for it, in front of it or in the middle. */
static void the_own_id_within_a_range(void **state)
{
    struct idmaps maps;
    char expected[128];
    (void)state;
    const struct idmap_unshare user = {.user = {true, 2}};
    assert_int_equal(make(&maps, &user, "0:500000:5"), 0);
    uint32_t host;
    assert_int_equal(idmap_to_host(&maps.uid, 2, &host), 0);
    assert_int_equal(host, geteuid());
    assert_int_equal(idmap_to_host(&maps.uid, 0, &host), 0);
    assert_int_equal(host, 500000);
    idmaps_free(&maps);
    /* It is there already. */
    char word[64];
    snprintf(word, sizeof(word), "2:%u:1", geteuid());
    assert_int_equal(make(&maps, &user, word), 0);
    snprintf(expected, sizeof(expected), "2:%u:1", geteuid());
    assert_ranges(&maps.uid, expected);
    idmaps_free(&maps);
}

/* All that this user namespace has, but for the last id, which is none. */
static void all_of_them(void **state)
{
    struct idmaps maps;
    (void)state;
    assert_int_equal(make(&maps, &(struct idmap_unshare){0}, "all"), 0);
    assert_true(maps.uid.count > 0);
    uint64_t size = 0;
    for (size_t i = 0; i < maps.uid.count; i++) {
        assert_int_equal(maps.uid.ranges[i].container, maps.uid.ranges[i].host);
        size += maps.uid.ranges[i].size;
    }
    assert_true(size <= (uint64_t)ID_MAX + 1);
    uint32_t host;
    assert_int_equal(idmap_to_host(&maps.uid, geteuid(), &host), 0);
    assert_int_equal(host, geteuid());
    idmaps_free(&maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wish_is_no_map),         cmocka_unit_test(both_forms_of_ranges),
        cmocka_unit_test(mistakes_are_refused),      cmocka_unit_test(the_own_id),
        cmocka_unit_test(the_own_id_within_a_range), cmocka_unit_test(all_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
