/* Tests of core/linux/rootless.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/linux/rootless.h"

#define FIRST "         0          0 4294967295\n"

static void maps_are_read_whole(void **state)
{
    static const struct {
        const char *text;
        struct own_map map;
    } cases[] = {
        {"", {.lines = 0}},
        {FIRST, {.lines = 1, .identity = true, .zero = true}},
        {"0 0 4294967295", {.lines = 1, .identity = true, .zero = true}},
        {"0\t0\t4294967295\n", {.lines = 1, .identity = true, .zero = true}},
        {"0 0 1\n", {.lines = 1, .zero = true}},
        {"0 0 4294967294\n", {.lines = 1, .zero = true}},
        {"0 1000 1\n", {.lines = 1, .zero = true, .zero_host = 1000}},
        {"1 100000 65536\n", {.lines = 1}},
        /* What comes after "0 0 1" counts, and in any order. */
        {"0 0 1\n1 100000 65536\n", {.lines = 2, .zero = true}},
        {"1 100000 65536\n0 1000 1\n", {.lines = 2, .zero = true, .zero_host = 1000}},
        {"1 1 1\n" FIRST, {.lines = 2, .zero = true}},
        {FIRST "1 1 1\n", {.lines = 2, .zero = true}},
        /* What makes no sense does not hide the rest. */
        {"\n", {.lines = 1, .odd = true}},
        {"\n0 1000 1\n", {.lines = 2, .odd = true, .zero = true, .zero_host = 1000}},
        {"0 1000 1\nx\n", {.lines = 2, .odd = true, .zero = true, .zero_host = 1000}},
        {"0\n", {.lines = 1, .odd = true}},
        {"0 0\n", {.lines = 1, .odd = true}},
        {"0 0 0\n", {.lines = 1, .odd = true}},
        {"0 0 1 1\n", {.lines = 1, .odd = true}},
        {"0 0 1x\n", {.lines = 1, .odd = true}},
        {"0 0 -1\n", {.lines = 1, .odd = true}},
        {"0 +0 1\n", {.lines = 1, .odd = true}},
        {"0,0,1\n", {.lines = 1, .odd = true}},
        {"0 1.5 1\n", {.lines = 1, .odd = true}},
        {"0 0x1 1\n", {.lines = 1, .odd = true}},
        {"0 0 4294967296\n", {.lines = 1, .odd = true}},
        {"0 4294967296 1\n", {.lines = 1, .odd = true}},
        {"0 18446744073709551616 1\n", {.lines = 1, .odd = true}},
        {"0 99999999999999999999999999999999 1\n", {.lines = 1, .odd = true}},
        {"      a       b          c\n", {.lines = 1, .odd = true}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct own_map *want = &cases[i].map;
        struct own_map map;

        own_map_parse(&map, cases[i].text);
        bool right =
            !(map.lines != want->lines || map.odd != want->odd || map.identity != want->identity ||
              map.zero != want->zero || map.zero_host != want->zero_host);

        if (!right)
            print_error("\"%s\": lines %zu odd %d identity %d zero %d at %u\n", cases[i].text,
                        map.lines, map.odd, map.identity, map.zero, map.zero_host);
        assert_true(right);
    }
    assert_false(error_is_set());
}

#define INITIAL .inode = INITIAL_USER_NAMESPACE
#define OTHER   .inode = 4026532281

static void facts_are_combined(void **state)
{
    static const struct {
        struct rootless_facts facts;
        const char *map; /* NULL: cannot be read */
        enum rootless_answer answer;
        const char *reason; /* part of it */
    } cases[] = {
        {{INITIAL}, FIRST, ROOTLESS_NO, "uid 0 of the initial"},
        {{INITIAL}, NULL, ROOTLESS_NO, "uid 0 of the initial"},
        {{INITIAL}, "0 0 1\n", ROOTLESS_UNKNOWN, "not that of it"},
        {{INITIAL}, "x\n", ROOTLESS_UNKNOWN, "not that of it"},
        {{INITIAL}, "", ROOTLESS_UNKNOWN, "not that of it"},
        {{INITIAL, .euid = 1000}, FIRST, ROOTLESS_YES, "uid 1000, not 0"},
        {{.euid = 1000}, NULL, ROOTLESS_YES, "uid 1000, not 0"},
        {{OTHER, .euid = 65534}, "", ROOTLESS_YES, "uid_map is empty"},
        {{OTHER}, "0 1000 1\n", ROOTLESS_YES, "uid 0 is uid 1000 outside"},
        {{OTHER}, "0 0 1\n", ROOTLESS_YES, "uid 0 is uid 0 outside"},
        {{OTHER}, FIRST, ROOTLESS_YES, "uid 0 is uid 0 outside"},
        {{OTHER}, "0 0 1\n1 100000 65536\n", ROOTLESS_YES, "uid 0 is uid 0 outside"},
        {{OTHER}, "bad\n", ROOTLESS_YES, "makes no sense"},
        {{OTHER}, NULL, ROOTLESS_YES, "cannot be read"},
        {{OTHER}, "1 1 1\n", ROOTLESS_YES, "not mapped"},
        {{0}, NULL, ROOTLESS_UNKNOWN, "neither"},
        {{0}, FIRST, ROOTLESS_UNKNOWN, "every id is mapped to itself"},
        {{0}, "bad\n", ROOTLESS_UNKNOWN, "makes no sense"},
        {{0}, "", ROOTLESS_UNKNOWN, "makes no sense"},
        {{0}, "1 1 1\n", ROOTLESS_UNKNOWN, "makes no sense"},
        {{0}, "0 0 1\n", ROOTLESS_YES, "not every id"},
        {{0}, "0 1000 1\n", ROOTLESS_YES, "not every id"},
        {{.no_namespaces = true}, NULL, ROOTLESS_NO, "no user namespaces"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rootless_facts facts = cases[i].facts;
        struct rootless rootless;

        facts.have_map = cases[i].map;
        if (cases[i].map)
            own_map_parse(&facts.map, cases[i].map);
        rootless_decide(&facts, &rootless);
        bool right = !(rootless.answer != cases[i].answer ||
                       !strstr(rootless.reason, cases[i].reason) || strchr(rootless.reason, '\n'));

        if (!right)
            print_error("case %zu: answer %d: %s\n", i, (int)rootless.answer, rootless.reason);
        assert_true(right);
    }
    assert_false(error_is_set());
}

static void ranges_are_found(void **state)
{
    static const char map[] = "10 0 10\n0 100 10\nx\n20 200 4294967275\n";

    (void)state;
    assert_true(own_map_holds(map, 0, 1));
    assert_true(own_map_holds(map, 0, 20));
    assert_true(own_map_holds(map, 5, 1000));
    assert_true(own_map_holds(map, 4294967294U, 1));
    assert_false(own_map_holds(map, 4294967294U, 2));
    assert_true(own_map_holds("0 0 1\n", 5, 0));
    assert_false(own_map_holds("0 0 1\n", 0, 2));
    assert_false(own_map_holds("0 0 1\n2 2 1\n", 0, 3));
    assert_false(own_map_holds("", 0, 1));
    assert_false(own_map_holds("0 0 1 1\n", 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_read_whole),
        cmocka_unit_test(facts_are_combined),
        cmocka_unit_test(ranges_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
