/* What file system is on a device.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/superblock.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/own.h"

/* Numbers in either order of bytes, wherever they lie. */
static uint32_t little(const uint8_t *at, int bytes)
{
    uint32_t number = 0;
    while (bytes-- > 0)
        number = number << 8 | at[bytes];
    return number;
}

static uint32_t big(const uint8_t *at, int bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

static bool is_power_of_two(uint32_t number)
{
    return number && !(number & (number - 1));
}

/* A label of fixed length: ends at a NUL; blanks at its end are padding. */
static void set_label(struct superblock *found, const uint8_t *at, size_t length)
{
    length = strnlen((const char *)at, length);
    while (length > 0 && at[length - 1] == ' ')
        length--;
    memcpy(found->label, at, length);
    found->label[length] = '\0';
}

static void set_uuid(struct superblock *found, const uint8_t *at)
{
    static const char digits[] = "0123456789abcdef";
    char *to = found->uuid;
    bool zero = true;
    for (int i = 0; i < 16; i++) {
        zero = zero && at[i] == 0;
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[at[i] >> 4];
        *to++ = digits[at[i] & 15];
    }
    *to = '\0';
    if (zero)
        found->uuid[0] = '\0';
}

/* Each of these gets the whole start of the device, zeros behind its end, and returns the name of
 * the type, or NULL. Label and UUID are set only on success. */
typedef const char *parser(const uint8_t *data, struct superblock *found);

/* fs/ext4/ext4.h: struct ext4_super_block. Which of the three it is follows from the features: ext2
 * has no journal, and each knows only those of its time. */
static const char *parse_ext(const uint8_t *data, struct superblock *found)
{
    const uint8_t *block = data + 1024;
    uint32_t compatible = little(block + 0x5c, 4);
    uint32_t incompatible = little(block + 0x60, 4);
    uint32_t readonly = little(block + 0x64, 4);
    if (little(block + 0x38, 2) != 0xef53 || little(block + 0x18, 4) > 6 ||
        little(block + 0x28, 4) == 0)
        return NULL;
    set_uuid(found, block + 0x68);
    set_label(found, block + 0x78, 16);
    if (incompatible & 0x8)
        return "jbd"; /* a journal for another device */
    /* filetype, recover, meta_bg; sparse_super, large_file, btree_dir */
    if ((incompatible & ~0x16U) || (readonly & ~0x7U))
        return "ext4";
    return compatible & 0x4 ? "ext3" : "ext2";
}

/* fs/xfs/libxfs/xfs_format.h: struct xfs_dsb, big endian. */
static const char *parse_xfs(const uint8_t *data, struct superblock *found)
{
    uint32_t block_size = big(data + 4, 4);
    uint32_t sector_size = big(data + 102, 2);
    if (memcmp(data, "XFSB", 4) != 0 || !is_power_of_two(block_size) || block_size < 512 ||
        block_size > 65536 || !is_power_of_two(sector_size) || sector_size < 512)
        return NULL;
    set_uuid(found, data + 32);
    set_label(found, data + 108, 12);
    return "xfs";
}

/* include/uapi/linux/btrfs_tree.h: struct btrfs_super_block. It names its own place. */
static const char *parse_btrfs(const uint8_t *data, struct superblock *found)
{
    const uint8_t *block = data + 65536;
    if (memcmp(block + 0x40, "_BHRfS_M", 8) != 0 || little(block + 0x30, 4) != 65536 ||
        little(block + 0x34, 4) != 0)
        return NULL;
    set_uuid(found, block + 0x20);
    set_label(found, block + 0x12b, 256);
    return "btrfs";
}

/* The boot sector: a partition table has its mark as well, so the rest must be right, too. The
 * label is that of the boot sector, which mkfs writes; a later one in the root directory is not
 * looked for. */
static const char *parse_vfat(const uint8_t *data, struct superblock *found)
{
    uint32_t sector_size = little(data + 11, 2);
    bool wide = memcmp(data + 82, "FAT32   ", 8) == 0;
    if (data[510] != 0x55 || data[511] != 0xaa || !is_power_of_two(sector_size) ||
        sector_size < 512 || sector_size > 4096 || !is_power_of_two(data[13]) ||
        little(data + 14, 2) == 0 || data[16] == 0 || data[16] > 2 || data[21] < 0xf0)
        return NULL;
    if (!wide && memcmp(data + 54, "FAT12   ", 8) != 0 && memcmp(data + 54, "FAT16   ", 8) != 0)
        return NULL;
    const uint8_t *serial = data + (wide ? 67 : 39);
    snprintf(found->uuid, sizeof(found->uuid), "%04X-%04X", (unsigned)little(serial + 2, 2),
             (unsigned)little(serial, 2));
    if (memcmp(serial + 4, "NO NAME    ", 11) != 0)
        set_label(found, serial + 4, 11);
    return "vfat";
}

/* fs/squashfs/squashfs_fs.h; it has neither label nor UUID. */
static const char *parse_squashfs(const uint8_t *data, struct superblock *found)
{
    uint32_t log = little(data + 22, 2);
    (void)found;
    if (memcmp(data, "hsqs", 4) != 0 || little(data + 28, 2) != 4 || log < 12 || log > 20 ||
        little(data + 12, 4) != UINT32_C(1) << log)
        return NULL;
    return "squashfs";
}

/* ECMA-119, 8.4: the primary volume descriptor. Its UUID is the time of its making, to hundredths
 * of a second, which stands there in digits. */
static const char *parse_iso9660(const uint8_t *data, struct superblock *found)
{
    const uint8_t *block = data + 32768;
    if (block[0] != 1 || memcmp(block + 1, "CD001\1", 6) != 0)
        return NULL;
    set_label(found, block + 40, 32);
    const uint8_t *time = block + 813;
    for (int i = 0; i < 16; i++) {
        if (!isdigit(time[i]))
            return "iso9660";
    }
    if (memcmp(time, "0000000000000000", 16) != 0)
        snprintf(found->uuid, sizeof(found->uuid), "%.4s-%.2s-%.2s-%.2s-%.2s-%.2s-%.2s", time,
                 time + 4, time + 6, time + 8, time + 10, time + 12, time + 14);
    return "iso9660";
}

/* fs/erofs/erofs_fs.h: struct erofs_super_block. */
static const char *parse_erofs(const uint8_t *data, struct superblock *found)
{
    const uint8_t *block = data + 1024;
    if (little(block, 4) != 0xe0f5e1e2 || block[12] < 9 || block[12] > 16)
        return NULL;
    set_uuid(found, block + 48);
    set_label(found, block + 64, 16);
    return "erofs";
}

/* include/linux/swap.h: union swap_header. The mark ends the first page, whose size is the
 * machine's that made it. */
static const char *parse_swap(const uint8_t *data, struct superblock *found)
{
    bool marked = false;
    for (uint32_t page = 4096; page <= 65536; page *= 2)
        marked = marked || memcmp(data + page - 10, "SWAPSPACE2", 10) == 0;
    const uint8_t *block = data + 1024;
    if (!marked || (little(block, 4) != 1 && big(block, 4) != 1) || little(block + 4, 4) == 0)
        return NULL;
    set_uuid(found, block + 12);
    set_label(found, block + 28, 16);
    return "swap";
}

/* LUKS1 and LUKS2 on-disk format, big endian. The UUID is text. */
static const char *parse_luks(const uint8_t *data, struct superblock *found)
{
    uint32_t version = big(data + 6, 2);
    if (memcmp(data, "LUKS\xba\xbe", 6) != 0 || version < 1 || version > 2)
        return NULL;
    size_t length = strnlen((const char *)data + 168, 40);
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit(data[168 + i]) && data[168 + i] != '-')
            return NULL;
    }
    memcpy(found->uuid, data + 168, length);
    if (version == 2)
        set_label(found, data + 24, 48);
    return version == 1 ? "luks1" : "luks2";
}

static parser *const parsers[] = {
    parse_ext,     parse_xfs,   parse_btrfs, parse_vfat, parse_squashfs,
    parse_iso9660, parse_erofs, parse_swap,  parse_luks,
};

/* data: SUPERBLOCK_BYTES. */
static void parse_padded(const uint8_t *data, struct superblock *found)
{
    int count = 0;
    *found = (struct superblock){0};
    for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        struct superblock one = {0};
        const char *type = parsers[i](data, &one);
        if (!type)
            continue;
        /* All the names together are shorter than `types`. */
        snprintf(one.types, sizeof(one.types), "%.64s%s%s", found->types, count ? " " : "", type);
        *found = one;
        count++;
    }
    /* Whose label it is cannot be told. */
    if (count > 1)
        found->label[0] = found->uuid[0] = '\0';
}

void superblock_parse(const uint8_t *data, size_t size, struct superblock *found)
{
    autofree uint8_t *padded = calloc(1, SUPERBLOCK_BYTES);
    *found = (struct superblock){0};
    if (!padded)
        return;
    memcpy(padded, data, size < SUPERBLOCK_BYTES ? size : SUPERBLOCK_BYTES);
    parse_padded(padded, found);
}

int superblock_read(int fd, struct superblock *found)
{
    autofree uint8_t *data = calloc(1, SUPERBLOCK_BYTES);
    size_t used = 0;
    if (!data)
        return -ENOMEM;
    while (used < SUPERBLOCK_BYTES) {
        ssize_t count = pread(fd, data + used, SUPERBLOCK_BYTES - used, (off_t)used);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            break;
        used += (size_t)count;
    }
    parse_padded(data, found);
    return 0;
}
