/* What file system is on a device, read from its superblock.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The layouts are those of Linux' Documentation/filesystems/, the kernel's headers, and the LUKS
 * on-disk format specifications. Only what stands in the first 68 KiB is looked at, and the device
 * is only read.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes from the start of a device that can matter: btrfs has its superblock at 64 KiB. */
#define SUPERBLOCK_BYTES (68 << 10)

struct superblock {
    char types[80];  /* "ext4"; "" for none; "ext4 btrfs" when the marks of several are there */
    char label[257]; /* as it is there: bytes, maybe not UTF-8; "" for none */
    char uuid[41];   /* as blkid(8) writes it for that file system; "" for none */
};

/* Look for superblocks in the first `size` bytes of a device. ext2, ext3, ext4, xfs, btrfs, vfat,
 * squashfs, iso9660, erofs, swap, LUKS 1 and 2 are known. A mark with values that cannot be right
 * does not count. Label and UUID are given when exactly one was found. */
void superblock_parse(const uint8_t *data, size_t size, struct superblock *found);

/* Read the start of an open device or file and look. Returns 0 or a negative errno (not recorded).
 */
int superblock_read(int fd, struct superblock *found);
