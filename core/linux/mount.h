/* Mounts as descriptors: made detached, given their attributes, attached last. fsopen(2),
 * open_tree(2), mount_setattr(2), move_mount(2) as the kernel's include/uapi/linux/mount.h has
 * them. SPDX-License-Identifier: Apache-2.0
 *
 * A mount that is attached only when it is complete has no moment without its flags, and a failure
 * before leaves nothing behind: a detached mount goes away with its descriptor. Targets are
 * descriptors too (path.h), so no path of a container is ever looked up twice.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/linux/mount_options.h"

/* Make a new file system instance and a detached mount of it.
 * type: "tmpfs"; source: shown in mountinfo, NULL for the type's name. options: attributes of the
 * mount (its set and recursive_set) and options of the file system.
 * Returns the mount's descriptor or a negative errno (recorded; the kernel's own words as hint). */
int mount_create(const char *type, const char *source, const struct mount_options *options);

/* Give the root of a mount, a directory, an SELinux label: for a file system that can have none for
 * all of its files. Returns 0 or a negative errno (recorded). */
int mount_set_label(int mount, const char *label);

/* Clone the mount at path (relative to directory; "" for directory itself) as a detached one, with
 * all mounts below it if recursive. Returns its descriptor or a negative errno (recorded). */
int mount_clone(int directory, const char *path, bool recursive);

/* The same for a process that has just entered a user namespace, with *pinned a clone that its
 * parent made before, or -1. A clone made here is preferred: its submounts stay locked together, as
 * everything in a mount namespace with a new owner is, so that none of them can be taken off what
 * it covers (mount_namespaces(7)). *pinned is what there is where this process may not look.
 * Returns a descriptor or a negative errno (recorded). */
int mount_clone_locked(const char *path, bool recursive, int *pinned);

/* Change attributes and propagation of the mount by its options. The mount may be detached; with
 * the options idmap and ridmap it must be. userns: what they map by, a descriptor of a user
 * namespace whose inside is the ids on disk, and whose outside is what is to be seen of them; -1
 * leaves them out. Needs Linux 5.12, as does every container with flags on a bind mount.
 * Returns 0 or a negative errno (recorded). */
int mount_change(int mount, const struct mount_options *options, int userns);

/* Attach a detached mount on path, which is trusted. Returns 0 or a negative errno (recorded). */
int mount_attach_path(int mount, const char *path);

/* Attach a detached mount on target, an O_PATH descriptor. what: for messages.
 * Returns 0 or a negative errno (recorded). */
int mount_attach(int mount, int target, const char *what);

/* Where a mount is attached when something is mounted on the target. */
enum mount_place {
    MOUNT_ON_TOP,
    MOUNT_BENEATH, /* below the topmost one; Linux 6.5 */
    MOUNT_REPLACE, /* in its place, without a moment in which what is below can be seen */
};

/* The same, with a choice. target must have been opened through what is mounted there. */
int mount_attach_at(int mount, int target, const char *what, enum mount_place place);

/* Set one mount (recursive: and all below) read-only. Returns 0 or a negative errno (recorded). */
int mount_set_readonly(int mount, bool recursive);

/* Set the propagation (MS_SLAVE ...) of a mount, recursively. Returns 0 or negative errno
 * (recorded). */
int mount_set_propagation(int mount, uint64_t propagation, bool recursive);
