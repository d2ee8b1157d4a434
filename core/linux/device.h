/* Device nodes in a container's /dev.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct device {
    mode_t type; /* S_IFCHR, S_IFBLK or S_IFIFO */
    uint32_t major;
    uint32_t minor;
    mode_t mode; /* permission bits */
    uint32_t uid;
    uint32_t gid;
};

/* Make the node called name in directory, with exactly these permissions and this owner. A node
 * that is there already must be the same device. path: for messages. Returns 0, -EPERM not recorded
 * where this process may not make nodes, or a plain file is in the way (then bind the host's, see
 * device_bind), or another negative errno (recorded). */
int device_make(int directory, const char *name, const char *path, const struct device *device);

/* Bind the host's node of that path (as this process sees it) on name in directory, after checking
 * that it is this device. Returns 0 or a negative errno (recorded). */
int device_bind(int directory, const char *name, const char *path, const struct device *device);

/* Is the file that was examined this character device? null is 1:3. */
bool device_is(const struct stat *status, uint32_t major, uint32_t minor);

/* Make a symbolic link, unless the same one is there. Returns 0 or a negative errno (recorded). */
int device_link(int directory, const char *name, const char *target);
