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
    const char *const words[] = {"remount", "idmap", "idmap=uids=0-1-1", "ridmap"};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_word_counts),
        cmocka_unit_test(access_times_are_one_field),
        cmocka_unit_test(recursive_words_stand_apart),
        cmocka_unit_test(the_rest_is_the_file_systems),
        cmocka_unit_test(unsupported_words_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
