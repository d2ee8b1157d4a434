/* Copying a directory tree by descriptors.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

enum copy_manner {
    COPY_EXACT,
    COPY_LENIENT, /* without the owners and devices that this user namespace cannot have */
};

/* Copy what is in the directory `from` into the directory `to`, and give `to` the owner and mode of
 * `from`: directories, files, symbolic links (as they are), nodes; not sockets, which nobody would
 * listen on. Owners, modes and times are kept; extended attributes and hard links are not. Nothing
 * is followed and no file system is left: what is mounted below `from` stays out. Both are
 * descriptors, O_PATH allowed. path: for messages. The umask must be 0.
 * Returns 0 or a negative errno (recorded). */
int copy_tree(int from, int to, const char *path, enum copy_manner manner);
