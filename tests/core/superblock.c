/* Tests of core/linux/superblock.c: marks with values that cannot be right. Real file systems are
 * compared with blkid(8) in tests/inspect/test_system.py.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/own.h"
#include "core/linux/superblock.h"

static void put_ext(uint8_t *data)
{
    memcpy(data + 1024 + 0x38, "\x53\xef", 2);
    data[1024 + 0x28] = 8;
    memcpy(data + 1024 + 0x78, "root  ", 6);
    data[1024 + 0x68] = 0xab;
}

static void put_xfs(uint8_t *data)
{
    memcpy(data, "XFSB\0\0\x10\0", 8);
    memcpy(data + 102, "\x02\0", 2);
}

static void check(const uint8_t *data, size_t size, const char *types, const char *label)
{
    struct superblock found;

    superblock_parse(data, size, &found);
    assert_string_equal(found.types, types);
    assert_string_equal(found.label, label);
}

static void nothing_is_nothing(void **state)
{
    autofree uint8_t *data = calloc(1, SUPERBLOCK_BYTES);
    struct superblock found;

    (void)state;
    check(data, 0, "", "");
    check(data, SUPERBLOCK_BYTES, "", "");
    /* A partition table has the mark of a boot sector. */
    memcpy(data + 510, "\x55\xaa", 2);
    check(data, SUPERBLOCK_BYTES, "", "");
    assert_int_equal(superblock_read(-1, &found), -EBADF);
}

static void values_are_checked(void **state)
{
    autofree uint8_t *data = calloc(1, SUPERBLOCK_BYTES);
    struct superblock found;

    (void)state;
    put_ext(data);
    check(data, SUPERBLOCK_BYTES, "ext2", "root");
    superblock_parse(data, SUPERBLOCK_BYTES, &found);
    assert_string_equal(found.uuid, "ab000000-0000-0000-0000-000000000000");
    /* Cut off before the mark, and behind it. */
    check(data, 1024 + 0x38, "", "");
    check(data, 1024 + 0x7a, "ext2", "ro");
    data[1024 + 0x18] = 7; /* blocks of 128 KiB */
    check(data, SUPERBLOCK_BYTES, "", "");
    memset(data, 0, SUPERBLOCK_BYTES);
    put_xfs(data);
    check(data, SUPERBLOCK_BYTES, "xfs", "");
    data[7] = 1; /* blocks of 4097 bytes */
    check(data, SUPERBLOCK_BYTES, "", "");
    memset(data, 0, SUPERBLOCK_BYTES);
    memcpy(data + 65536 + 0x40, "_BHRfS_M", 8);
    check(data, SUPERBLOCK_BYTES, "", ""); /* does not name its place */
    data[65536 + 0x32] = 1;
    check(data, SUPERBLOCK_BYTES, "btrfs", "");
}

static void several_have_no_label(void **state)
{
    autofree uint8_t *data = calloc(1, SUPERBLOCK_BYTES);
    struct superblock found;

    (void)state;
    put_ext(data);
    put_xfs(data);
    superblock_parse(data, SUPERBLOCK_BYTES, &found);
    assert_string_equal(found.types, "ext2 xfs");
    assert_string_equal(found.label, "");
    assert_string_equal(found.uuid, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(several_have_no_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
