/* Tests of what the toolbox' options are read by: privilege_text, signals, rlimit, network, netns,
 * namespace_word and idmap_insert of core/linux.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include <linux/securebits.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/namespace_word.h"
#include "core/linux/netns.h"
#include "core/linux/network.h"
#include "core/linux/privilege_text.h"
#include "core/linux/rlimit.h"
#include "core/linux/signals.h"

/* It failed as bad usage, and the message holds the text. */
static void assert_usage(int result, const char *text)
{
    assert_int_equal(result, -EINVAL);
    assert_int_equal(error_get()->kind, ERROR_USAGE);
    assert_non_null(strstr(error_get()->text, text));
    error_clear();
}

static void sets_are_edited(void **state)
{
    uint64_t set = 0;
    (void)state;
    assert_int_equal(capabilities_edit(&set, "--x", "+chown,+CAP_KILL,+cap_3,+12-14,-13"), 0);
    assert_true(set == (1 << 0 | 1 << 5 | 1 << 3 | 1 << 12 | 1 << 14));
    assert_int_equal(capabilities_edit(&set, "--x", "-all"), 0);
    assert_true(set == 0);
    assert_int_equal(capabilities_edit(&set, "--x", "+all"), 0);
    assert_true(set == capability_known());
    static const char *const wrong[] = {
        "",    "chown", "+",         "+,",     "+chown,",     "+64",   "+3-2", "+3-",
        "+-3", "+0-63", "+nonsense", "=chown", "+chown,kill", "+cap_", "+ 3",  "+1-2-3"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_usage(capabilities_edit(&set, "--x", wrong[i]), "--x");
}

static void sets_are_listed(void **state)
{
    struct text text = {0};
    (void)state;
    capabilities_list(&text, 0);
    assert_string_equal(text.data, "[none]");
    text_free(&text);
    text = (struct text){0};
    capabilities_list(&text, UINT64_C(1) << 63 | 1 << 5 | 1);
    assert_string_equal(text.data, "chown,kill,cap_63");
    text_free(&text);
    text = (struct text){0};
    assert_int_equal(capabilities_lines(&text, 1 << 5 | 1), 0);
    assert_string_equal(text.data, "chown\nkill\n");
    text_free(&text);
}

static void securebits_are_edited(void **state)
{
    unsigned bits = SECBIT_NOROOT;
    struct text text = {0};
    (void)state;
    assert_int_equal(securebits_edit(&bits, "--x", "-noroot,+no_setuid_fixup,+keep_caps_locked"),
                     0);
    assert_int_equal(bits, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS_LOCKED);
    securebits_list(&text, bits | 1U << 20);
    assert_string_equal(text.data, "no_setuid_fixup,keep_caps_locked,0x100000");
    text_free(&text);
    assert_usage(securebits_edit(&bits, "--x", "+keep_caps"), "keep_caps");
    assert_usage(securebits_edit(&bits, "--x", "+all"), "all");
    assert_int_equal(securebits_edit(&bits, "--x", "-all"), 0);
    assert_int_equal(bits, 0);
}

static void signals_have_names(void **state)
{
    (void)state;
    for (int number = 1; number < 32; number++) {
        assert_int_equal(signal_number(signal_name(number)), number);
        assert_int_equal(signal_number(signal_name(number) + 3), number);
    }
    assert_string_equal(signal_name(0), "");
    assert_string_equal(signal_name(-1), "");
    assert_string_equal(signal_name(32), "");
    assert_int_equal(signal_number("sigterm"), 15);
    assert_int_equal(signal_number("15"), 15);
    assert_int_equal(signal_number("64"), 64);
    assert_int_equal(signal_number("RTMIN"), 34);
    assert_int_equal(signal_number("SIGRTMIN+30"), 64);
    assert_int_equal(signal_number("rtmax-1"), 63);
    assert_int_equal(signal_number("POLL"), 29);
    static const char *const wrong[] = {"",           "0",       "65",       "-1",      "SIG",
                                        "SIGSIGTERM", "RTMIN-1", "RTMIN+31", "RTMAX+1", "TERM "};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(signal_number(wrong[i]), -ENOENT);
    assert_false(error_is_set());
}

static void limits_are_parsed(void **state)
{
    struct rlimit limit;
    (void)state;
    assert_int_equal(rlimit_parse("--x", "nofile=64", &limit), RLIMIT_NOFILE);
    assert_true(limit.rlim_cur == 64 && limit.rlim_max == 64);
    assert_int_equal(rlimit_parse("--x", "Rlimit_As=1:unlimited", &limit), RLIMIT_AS);
    assert_true(limit.rlim_cur == 1 && limit.rlim_max == RLIM_INFINITY);
    static const char *const wrong[] = {"",
                                        "nofile",
                                        "nofile=",
                                        "nofile=:",
                                        "nofile=1:",
                                        "nofile=:1",
                                        "nofile=2:1",
                                        "none=1",
                                        "=1",
                                        "RLIMIT_=1",
                                        "nofile=-1",
                                        "nofile=unlimited:1",
                                        "nofile=1:2:3",
                                        "nofile=99999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_usage(rlimit_parse("--x", wrong[i], &limit), "--x");
}

static void addresses_are_parsed(void **state)
{
    struct network_address address;
    (void)state;
    assert_int_equal(network_parse_address("--x", "10.0.0.2/24", &address), 0);
    assert_int_equal(address.family, AF_INET);
    assert_int_equal(address.prefix, 24);
    assert_memory_equal(address.bytes, "\x0a\0\0\x02", 4);
    assert_int_equal(network_parse_address("--x", "fd00::2/128", &address), 0);
    assert_int_equal(address.family, AF_INET6);
    assert_int_equal(address.prefix, 128);
    assert_int_equal(network_parse_gateway("--x", "::1", &address), 0);
    static const char *const wrong[] = {
        "",           "/",          "10.0.0.1",    "10.0.0.1/",    "10.0.0.1/33",    "/24",
        "10.0.0/24",  "fd00::/129", "10.0.0.1/-1", "10.0.0.256/8", "10.0.0.1/24/24", "name/24",
        "fd00:::1/64"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_usage(network_parse_address("--x", wrong[i], &address), "--x");
    assert_usage(network_parse_gateway("--x", "10.0.0.1/24", &address), "10.0.0.1/24");
    assert_usage(network_parse_gateway("--x", "", &address), "--x");
    assert_int_equal(network_check_name("--x", "fifteen-letters"), 0);
    static const char *const names[] = {"", ".", "..", "a/b", "a b", "a:b", "sixteen-letters-"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_usage(network_check_name("--x", names[i]), "--x");
}

static void namespaces_have_names(void **state)
{
    char one[48];
    char other[48];
    (void)state;
    netns_random_name(one);
    netns_random_name(other);
    assert_string_not_equal(one, other);
    assert_int_equal(strlen(one), strlen("net-") + 36);
    assert_int_equal(strspn(one + 4, "0123456789abcdef"), 8);
    for (size_t i = 12; i <= 27; i += 5)
        assert_int_equal(one[i], '-');
    assert_int_equal(netns_check_name(one), 0);
    assert_int_equal(netns_check_name("..."), 0);
    static const char *const wrong[] = {"", ".", "..", "a/b", "/"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_usage(netns_check_name(wrong[i]), "cannot be the name");
}

static void namespace_words_are_checked(void **state)
{
    (void)state;
    static const char *const right[] = {"", "fd:3", "17", "./x", "/proc/1/ns/user"};
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_int_equal(namespace_check_word("--x", right[i], NAMESPACE_USER), 0);
    assert_int_equal(namespace_check_word("--x", "blue", NAMESPACE_NETWORK), 0);
    assert_usage(namespace_check_word("--x", "blue", NAMESPACE_USER), "'blue'");
    assert_usage(namespace_check_word("--x", "-1", NAMESPACE_USER), "'-1'");
    assert_usage(namespace_check_word("--x", "fd:x", NAMESPACE_NETWORK), "fd:N");
    assert_usage(namespace_check_word("--x", "fd:", NAMESPACE_USER), "fd:N");
    assert_usage(namespace_check_word("--x", "2147483648", NAMESPACE_USER), "--x");
}

static void check_ranges(const struct idmap *map, const struct id_range *ranges, size_t count)
{
    assert_int_equal(map->count, count);
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t j = 0; j < count; j++)
            found |= map->ranges[j].container == ranges[i].container &&
                     map->ranges[j].host == ranges[i].host && map->ranges[j].size == ranges[i].size;
        assert_true(found);
    }
}

static void room_is_made_for_one_id(void **state)
{
    static const struct {
        uint32_t id;
        size_t count;
        struct id_range ranges[3];
    } rows[] = {
        {0, 2, {{0, 1000, 1}, {1, 5000, 9}}},
        {4, 3, {{0, 5000, 4}, {4, 1000, 1}, {5, 5004, 5}}},
        {10, 2, {{0, 5000, 10}, {10, 1000, 1}}},
        {99, 2, {{0, 5000, 10}, {99, 1000, 1}}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct idmap map = {0};
        assert_int_equal(idmap_parse(&map, "uid map", "0:5000:10"), 0);
        assert_int_equal(idmap_insert(&map, "uid map", rows[i].id, 1000), 0);
        assert_int_equal(idmap_check(&map, "uid map"), 0);
        uint32_t host;
        assert_int_equal(idmap_to_host(&map, rows[i].id, &host), 0);
        assert_int_equal(host, 1000);
        check_ranges(&map, rows[i].ranges, rows[i].count);
        idmap_free(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_edited),         cmocka_unit_test(sets_are_listed),
        cmocka_unit_test(securebits_are_edited),   cmocka_unit_test(signals_have_names),
        cmocka_unit_test(limits_are_parsed),       cmocka_unit_test(addresses_are_parsed),
        cmocka_unit_test(namespaces_have_names),   cmocka_unit_test(namespace_words_are_checked),
        cmocka_unit_test(room_is_made_for_one_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
