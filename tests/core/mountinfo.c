/* Tests of core/linux/mountinfo.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <string.h>

#include "core/linux/mountinfo.h"

static void lines_are_split(void **state)
{
    char text[] =
        "22 1 0:21 / /proc rw,nosuid shared:5 master:2 - proc proc rw\n"
        "nonsense\n"
        "1 2 3 - x\n"
        "\n"
        "23 22 0:5 /a /with\\040blank\\134and\\011tab ro,idmapped - tmpfs none rw,size=1k\n"
        "24 1 8:1 / / rw - ext4 /dev/sda rw";
    struct mountinfo mount;
    char *rest = text;
    (void)state;
    assert_true(mountinfo_next(&rest, &mount));
    assert_int_equal(mount.id, 22);
    assert_string_equal(mount.path, "/proc");
    assert_string_equal(mount.options, "rw,nosuid");
    assert_string_equal(mount.type, "proc");
    /* An empty line ends nothing. */
    assert_true(mountinfo_next(&rest, &mount));
    assert_int_equal(mount.id, 23);
    assert_string_equal(mount.path, "/with blank\\and\ttab");
    assert_string_equal(mount.options, "ro,idmapped");
    assert_string_equal(mount.type, "tmpfs");
    assert_true(mountinfo_next(&rest, &mount));
    assert_string_equal(mount.path, "/");
    assert_string_equal(mount.type, "ext4");
    assert_false(mountinfo_next(&rest, &mount));
    assert_false(mountinfo_next(&rest, &mount));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
