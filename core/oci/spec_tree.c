/* Changes to a config.json that is under construction: what there is in its root.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/oci/json_build.h"
#include "core/oci/spec_default.h"
#include "core/oci/spec_edit.h"

int spec_add_default_mount(struct json_object *document, const char *destination)
{
    struct json_object *standard = spec_default(SPEC_PLAIN);
    struct json_object *mounts = json_descend_array(document, "mounts", NULL, NULL);
    struct json_object *found = standard ? json_object_object_get(standard, "mounts") : NULL;
    int result = found && mounts ? 0 : -EINVAL;

    for (size_t i = 0; result == 0 && i < json_object_array_length(found); i++) {
        struct json_object *mount = json_object_array_get_idx(found, i);
        struct json_object *place = json_object_object_get(mount, "destination");

        if (strcmp(json_object_get_string(place), destination) == 0)
            result = json_append(mounts, json_object_get(mount));
    }
    json_object_put(standard);
    return result;
}

int spec_add_path(struct json_object *document, const char *list, const char *path)
{
    struct json_object *paths = json_descend_array(document, "linux", list, NULL);

    return paths ? json_append(paths, json_text(path)) : -EINVAL;
}

int spec_add_device(struct json_object *document, const char *path)
{
    struct json_object *devices = json_descend_array(document, "linux", "devices", NULL);
    struct stat status;

    if (!devices)
        return -EINVAL;
    if (stat(path, &status) < 0)
        return fail(errno, "cannot examine device %s", path);

    const char *type = S_ISCHR(status.st_mode) ? "c" : S_ISBLK(status.st_mode) ? "b" : NULL;

    if (!type)
        return fail_usage("--device: %s is not a device", path);

    struct json_object *device = json_object_new_object();
    int result = json_append(devices, device);
    if (result == 0)
        result = json_set(device, "path", json_text(path));
    if (result == 0)
        result = json_set(device, "type", json_text(type));
    if (result == 0)
        result = json_set(device, "major", json_number(major(status.st_rdev)));
    if (result == 0)
        result = json_set(device, "minor", json_number(minor(status.st_rdev)));
    if (result == 0)
        result = json_set(device, "fileMode", json_number(status.st_mode & 07777));
    if (result == 0)
        result = json_set(device, "uid", json_number(status.st_uid));
    if (result == 0)
        result = json_set(device, "gid", json_number(status.st_gid));
    return result;
}
