/* Why a mount cannot be idmapped. mount_setattr(2), "ID-mapped mounts".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/* After the kernel has refused to idmap a clone of the mount at path (recursive: one of those below
 * it, too) with this user namespace: find out which mount it is and why, by trying each alone, and
 * hint at it. The kernel's answers stand for several causes. Does nothing if none is found. */
void mount_explain_idmap(const char *path, bool recursive, int userns);
