/* Tests of core/linux/mount_options.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <linux/mount.h>
#include <string.h>

#include "core/base/error.h"
#include "core/linux/mount_options.h"
#include "core/linux/sys.h"

#define PARSE(options, ...)                                                                        \
    mount_options_parse(options, (const char *const[]){__VA_ARGS__, NULL}, "/mounts/0/options")

static void the_last_word_counts(void **state)
{
    struct mount_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "ro", "nosuid", "rw", "noexec", "exec"), 0);
    assert_int_equal(options.set, MOUNT_ATTR_NOSUID);
    assert_int_equal(options.clear, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
    mount_options_free(&options);
    assert_int_equal(PARSE(&options, "rw", "ro"), 0);
    assert_int_equal(options.set, MOUNT_ATTR_RDONLY);
    assert_int_equal(options.clear, 0);
    mount_options_free(&options);
}

/* The kernel refuses to set one access time without clearing the field. */
static void access_times_are_one_field(void **state)
{
    struct mount_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "noatime", "strictatime"), 0);
    assert_int_equal(options.set & MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME);
    assert_int_equal(options.clear & MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME);
    mount_options_free(&options);
    assert_int_equal(PARSE(&options, "noatime", "relatime"), 0);
    assert_int_equal(options.set & MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME);
    assert_int_equal(options.clear & MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME);
    mount_options_free(&options);
}

static void recursive_words_stand_apart(void **state)
{
    struct mount_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "rbind", "rro", "nodev", "rslave"), 0);
    assert_true(options.bind && options.bind_recursive && options.propagation_recursive);
    assert_int_equal(options.recursive_set, MOUNT_ATTR_RDONLY);
    assert_int_equal(options.set, MOUNT_ATTR_NODEV);
    assert_int_equal(options.propagation, MS_SLAVE);
    assert_int_equal(options.filesystem.count, 0);
    mount_options_free(&options);
}

static void the_rest_is_the_file_systems(void **state)
{
    struct mount_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "size=1m", "defaults", "", "mode=755", "rx"), 0);
    assert_int_equal(options.filesystem.count, 3);
    assert_string_equal(options.filesystem.items[1], "mode=755");
    mount_options_free(&options);
}

static void unsupported_words_are_named(void **state)
{
    const char *const words[] = {"loop",
                                 "loop=/dev/loop0",
                                 "idmap=uids=0-1-1",
                                 "ridmap=x",
                                 "X-mount.subdir=a",
                                 "X-mount.mode=7",
                                 "X-mount.owner=0",
                                 "X-mount.group=0",
                                 "X-mount.idmap=x",
                                 "X-mount.mkdir=0700",
                                 "x-mount.mkdir=0700"};
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct mount_options options;
        assert_int_equal(PARSE(&options, words[i]), -EINVAL);
        assert_non_null(strstr(error_get()->text, words[i]));
        assert_string_equal(error_get()->field, "/mounts/0/options");
        error_clear();
        mount_options_free(&options);
    }
}

static void notes_for_others_are_passed_over(void **state)
{
    struct mount_options options;
    struct mount_options nothing = {0};
    (void)state;
    assert_int_equal(PARSE(&options, "defaults", "auto", "noauto", "nouser", "nousers", "noowner",
                           "nogroup", "_netdev", "silent", "loud", "iversion", "noiversion",
                           "comment=a", "helper=a", "uhelper=a", "x-a", "x-a.b=c", "X-a",
                           "X-mount.mkdir", "x-mount.mkdir", "X-mount.mkdir=0755", ""),
                     0);
    assert_memory_equal(&options, &nothing, sizeof(options));
    mount_options_free(&options);
}

/* mount(8): user and users imply noexec, nosuid, nodev; owner and group the last two; unless a
 * later option overrides it. */
static void users_imply_options(void **state)
{
    const uint64_t two = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    const struct {
        const char *word;
        uint64_t set;
    } rows[] = {{"user", two | MOUNT_ATTR_NOEXEC},
                {"user=joe", two | MOUNT_ATTR_NOEXEC},
                {"users", two | MOUNT_ATTR_NOEXEC},
                {"owner", two},
                {"group", two}};
    struct mount_options options;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(PARSE(&options, rows[i].word, "dev"), 0);
        assert_int_equal(options.set, rows[i].set & ~(uint64_t)MOUNT_ATTR_NODEV);
        assert_int_equal(options.filesystem.count, 0);
        mount_options_free(&options);
    }
    /* Not recursive, and nothing else that begins like it. */
    assert_int_equal(PARSE(&options, "ruser", "userx", "group=1", "owner=1", "users=1"), 0);
    assert_int_equal(options.set, 0);
    assert_int_equal(options.filesystem.count, 5);
    mount_options_free(&options);
}

static void switches_are_switched(void **state)
{
    struct mount_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "remount", "nofail", "idmap", "tmpcopyup"), 0);
    assert_true(options.remount && options.optional && options.idmap && options.copy_up);
    assert_false(options.idmap_recursive);
    mount_options_free(&options);
    assert_int_equal(PARSE(&options, "ridmap"), 0);
    assert_true(options.idmap && options.idmap_recursive);
    mount_options_free(&options);
}

static void what_a_file_system_is_told_is_refused_without_one(void **state)
{
    const char *const words[] = {"sync", "dirsync", "lazytime", "mand", "size=1", "nosiud"};
    struct mount_options options;
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(PARSE(&options, "ro", words[i], "bind"), 0);
        assert_int_equal(mount_options_refuse_filesystem(&options, "/x"), -EINVAL);
        assert_non_null(strstr(error_get()->text, words[i]));
        assert_string_equal(error_get()->field, "/x");
        error_clear();
        mount_options_free(&options);
    }
    assert_int_equal(PARSE(&options, "bind", "async", "nolazytime", "nomand"), 0);
    assert_int_equal(mount_options_refuse_filesystem(&options, "/x"), 0);
    mount_options_free(&options);
    assert_int_equal(PARSE(&options, "remount", "async"), 0);
    assert_int_equal(mount_options_refuse_filesystem(&options, "/x"), -EINVAL);
    error_clear();
    mount_options_free(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_word_counts),
        cmocka_unit_test(access_times_are_one_field),
        cmocka_unit_test(recursive_words_stand_apart),
        cmocka_unit_test(the_rest_is_the_file_systems),
        cmocka_unit_test(unsupported_words_are_named),
        cmocka_unit_test(notes_for_others_are_passed_over),
        cmocka_unit_test(users_imply_options),
        cmocka_unit_test(switches_are_switched),
        cmocka_unit_test(what_a_file_system_is_told_is_refused_without_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
