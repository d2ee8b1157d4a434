/* Tests of core/linux/mountinfo.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/linux/mountinfo.h"

static void fields_are_told_apart(void **state)
{
    char text[] = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:7 master:1 - ext3 /dev/root "
                  "rw,errors=continue\n"
                  "37 36 0:5 / /\\134040 rw - tmpfs  rw,x=- y\n";
    char *rest = text;
    struct mountinfo mount;

    (void)state;
    assert_int_equal(mountinfo_next(&rest, &mount), 1);
    assert_int_equal(mount.id, 36);
    assert_int_equal(mount.parent, 35);
    assert_string_equal(mount.device, "98:0");
    assert_string_equal(mount.root, "/mnt1");
    assert_string_equal(mount.point, "/mnt 2");
    assert_string_equal(mount.options, "rw,noatime");
    assert_string_equal(mount.propagation, "shared:7 master:1");
    assert_string_equal(mount.type, "ext3");
    assert_string_equal(mount.source, "/dev/root");
    assert_string_equal(mount.filesystem, "rw,errors=continue");
    assert_int_equal(mountinfo_next(&rest, &mount), 1);
    assert_string_equal(mount.point, "/\\040");
    assert_string_equal(mount.propagation, "");
    assert_string_equal(mount.source, "");
    assert_string_equal(mount.filesystem, "rw,x=- y");
    assert_int_equal(mountinfo_next(&rest, &mount), 0);
    assert_int_equal(mountinfo_next(&rest, &mount), 0);
}

static void escapes_are_undone_once(void **state)
{
    static const char *const pairs[][2] = {
        {"a\\011b\\012c", "a\tb\nc"},
        {"\\043", "#"},
        {"\\", "\\"},
        {"\\0", "\\0"},
        {"\\04x", "\\04x"},
        {"\\777", "\\777"},
        {"\\303\\274", "\303\274"},
        {"a\\000b", "ab"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[128];
        char *rest = text;
        struct mountinfo mount;

        snprintf(text, sizeof(text), "1 2 0:1 / %s rw - proc p rw", pairs[i][0]);
        assert_int_equal(mountinfo_next(&rest, &mount), 1);
        assert_string_equal(mount.point, pairs[i][1]);
    }
}

static void other_lines_are_passed_over(void **state)
{
    static const char *const lines[] = {
        "x",
        "1",
        "1 2 3",
        "1 2 0:1 / /p rw",
        "1 2 0:1 / /p rw shared:1 proc p rw",
        "1 2 0:1 / /p rw - proc",
        "1 2 0:1 / /p rw - proc p",
        "-1 2 0:1 / /p rw - proc p rw",
        "1 2x 0:1 / /p rw - proc p rw",
        "99999999999 2 0:1 / /p rw - proc p rw",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[128];
        char *rest = text;
        struct mountinfo mount;

        snprintf(text, sizeof(text), "%s\n1 2 0:1 / /p rw - proc p rw\n", lines[i]);
        assert_int_equal(mountinfo_next(&rest, &mount), -EINVAL);
        assert_int_equal(mountinfo_next(&rest, &mount), 1);
        assert_string_equal(mount.type, "proc");
        assert_int_equal(mountinfo_next(&rest, &mount), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_told_apart),
        cmocka_unit_test(escapes_are_undone_once),
        cmocka_unit_test(other_lines_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
