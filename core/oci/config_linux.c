/* config.json: the linux section.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/path.h"
#include "core/oci/config.h"
#include "core/oci/config_parts.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

/* Device numbers as the kernel has them: 12 and 20 bits. */
#define MAJOR_MAX 0xfffU
#define MINOR_MAX 0xfffffU

/* Bytes of cgroupsPath, at most: with a mount point in front it is a path still. */
#define CGROUP_NAME_MAX 3000

struct written_namespace {
    const char *type;
    const char *path;
};

static int read_namespace(struct config *config, const struct json_field *element)
{
    static const struct member table[] = {
        {"type", MEMBER_TEXT, 1, offsetof(struct written_namespace, type)},
        {"path", MEMBER_PATH, 0, offsetof(struct written_namespace, path)},
    };
    struct written_namespace written = {0};
    struct json_field type = json_member(element, "type");
    int result = json_require(element);

    if (result == 0)
        result = members_read(element, table, sizeof(table) / sizeof(table[0]), &written);
    if (result < 0)
        return result;

    int index = namespace_by_name(written.type ? written.type : "");

    if (index < 0)
        return json_fail(&type, "unknown namespace \"%s\"", written.type ? written.type : "");
    if (config->namespaces[index].wanted)
        return json_fail(&type, "%s is listed twice", written.type);
    config->namespaces[index] = (struct config_namespace){.wanted = true, .path = written.path};
    return 0;
}

static int read_namespaces(struct config *config, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "namespaces");
    size_t count;
    int result = json_get_array(&field, &count);

    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);

        result = read_namespace(config, &element);
    }
    return result;
}

/* The map's own complaint, as one about this field. */
static int adopt_failure(const struct json_field *field)
{
    struct error error = *error_get();

    error_clear();
    return json_fail(field, "%s", error.text);
}

struct written_range {
    uint32_t container;
    uint32_t host;
    uint32_t size;
};

static int read_map(struct idmap *map, const struct json_field *parent, const char *key,
                    const char *what)
{
    static const struct member table[] = {
        {"containerID", MEMBER_ID, 1, offsetof(struct written_range, container)},
        {"hostID", MEMBER_ID, 1, offsetof(struct written_range, host)},
        {"size", MEMBER_U32, 1, offsetof(struct written_range, size)},
    };
    struct json_field field = json_member(parent, key);
    size_t count;
    int result = json_get_array(&field, &count);

    /* More than that could only be refused, range by range. */
    if (result == 0 && count > IDMAP_EXTENTS_MAX)
        return json_fail(&field, "%zu ranges, the kernel takes %d", count, IDMAP_EXTENTS_MAX);
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);
        struct written_range range = {0};

        result = json_require(&element);
        if (result == 0)
            result = members_read(&element, table, sizeof(table) / sizeof(table[0]), &range);
        if (result == 0 && idmap_add(map, what, range.container, range.host, range.size) < 0)
            result = adopt_failure(&element);
    }
    if (result == 0 && count > 0 && idmap_check(map, what) < 0)
        result = adopt_failure(&field);
    return result;
}

int config_read_maps(struct idmaps *maps, const struct json_field *parent)
{
    struct json_field uid = json_member(parent, "uidMappings");
    struct json_field gid = json_member(parent, "gidMappings");
    int result = read_map(&maps->uid, parent, "uidMappings", "uid map");

    if (result == 0)
        result = read_map(&maps->gid, parent, "gidMappings", "gid map");
    if (result < 0)
        return result;
    if (maps->uid.count > 0 && maps->gid.count == 0)
        return json_fail(&gid, "missing, while uidMappings is given");
    if (maps->gid.count > 0 && maps->uid.count == 0)
        return json_fail(&uid, "missing, while gidMappings is given");
    return 0;
}

static int read_maps(struct config *config, const struct json_field *parent)
{
    struct json_field uid = json_member(parent, "uidMappings");
    int result = config_read_maps(&config->maps, parent);

    if (result < 0)
        return result;
    if (config->maps.uid.count > 0 && !config->namespaces[NAMESPACE_USER].wanted)
        return json_fail(&uid, "needs a user namespace in /linux/namespaces");
    return 0;
}

struct written_device {
    const char *path;
    const char *type;
    uint32_t major;
    uint32_t minor;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
};

static int check_device(const struct json_field *element, const struct written_device *device,
                        mode_t *type)
{
    struct json_field type_field = json_member(element, "type");
    const char *letter = device->type ? device->type : "";

    /* "u" is an unbuffered character device, which Linux does not tell from "c". */
    if (strcmp(letter, "c") == 0 || strcmp(letter, "u") == 0)
        *type = S_IFCHR;
    else if (strcmp(letter, "b") == 0)
        *type = S_IFBLK;
    else if (strcmp(letter, "p") == 0)
        *type = S_IFIFO;
    else
        return json_fail(&type_field, "expected \"c\", \"u\", \"b\" or \"p\", found \"%s\"",
                         letter);

    struct json_field major = json_member(element, "major");
    struct json_field minor = json_member(element, "minor");

    if (*type == S_IFIFO)
        return 0;
    if (json_require(&major) < 0 || json_require(&minor) < 0)
        return -EINVAL;
    if (device->major > MAJOR_MAX)
        return json_fail(&major, "more than %u", MAJOR_MAX);
    if (device->minor > MINOR_MAX)
        return json_fail(&minor, "more than %u", MINOR_MAX);
    return 0;
}

static int read_device(struct config_device *device, const struct json_field *element)
{
    static const struct member table[] = {
        {"path", MEMBER_PATH, 1, offsetof(struct written_device, path)},
        {"type", MEMBER_TEXT, 1, offsetof(struct written_device, type)},
        {"fileMode", MEMBER_U32, 0, offsetof(struct written_device, mode)},
        {"uid", MEMBER_ID, 0, offsetof(struct written_device, uid)},
        {"gid", MEMBER_ID, 0, offsetof(struct written_device, gid)},
        {"major", MEMBER_U32, 0, offsetof(struct written_device, major)},
        {"minor", MEMBER_U32, 0, offsetof(struct written_device, minor)},
    };
    struct written_device written = {.mode = 0666};
    /* A fifo's numbers mean nothing, and some writers put -1 there. */
    struct json_field type = json_member(element, "type");
    const char *letter = NULL;
    int result = json_require(element);

    if (result == 0)
        result = json_check_object(element);
    if (result == 0)
        result = json_get_text(&type, &letter);
    if (result < 0)
        return result;

    size_t count = sizeof(table) / sizeof(table[0]) - (letter && strcmp(letter, "p") == 0 ? 2 : 0);

    result = members_read(element, table, count, &written);
    if (result == 0)
        result = check_device(element, &written, &device->type);
    if (result == 0 && !written.path)
        result = json_fail(element, "expected an object with a path");
    if (result < 0)
        return result;
    device->path = written.path;
    device->major = written.major;
    device->minor = written.minor;
    device->mode = written.mode & 07777;
    device->uid = written.uid;
    device->gid = written.gid;
    return 0;
}

static int read_devices(struct config *config, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "devices");
    size_t count;
    int result = json_get_array(&field, &count);

    if (result < 0 || count == 0)
        return result;
    config->devices = calloc(count, sizeof(*config->devices));
    if (!config->devices)
        return fail(ENOMEM, "cannot allocate memory");
    config->device_count = count;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field element = json_element(&field, i);

        result = read_device(&config->devices[i], &element);
    }
    return result;
}

static int check_propagation(const struct config *config, const struct json_field *parent)
{
    static const char words[][12] = {"shared",  "slave",  "private",  "unbindable",
                                     "rshared", "rslave", "rprivate", "runbindable"};
    struct json_field field = json_member(parent, "rootfsPropagation");

    if (!config->rootfs_propagation)
        return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], config->rootfs_propagation) == 0)
            return 0;
    }
    return json_fail(&field, "unknown propagation \"%s\"", config->rootfs_propagation);
}

/* systemd's form, "slice:prefix:name", is for a runtime that asks systemd. */
static int check_cgroups_path(const struct config *config, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "cgroupsPath");
    const char *path = config->cgroups_path;

    if (!path)
        return 0;
    if (path[0] != '/' && strchr(path, ':'))
        return json_fail(&field, "\"%s\" is for systemd (slice:prefix:name), a path is expected",
                         path);
    if (strlen(path) > CGROUP_NAME_MAX || !path_is_plain(path + (*path == '/')))
        return json_fail(&field, "\"%s\" is not the path of a cgroup", path);
    return 0;
}

/* Since runtime-spec 1.3 a limit of 0 processes is one. Before, the field had to be there, and who
 * had no limit wrote 0. */
static void follow_version(struct config *config, const struct json_field *root)
{
    struct json_field field = json_member(root, "ociVersion");
    const char *version = "1.0.0";

    json_get_text(&field, &version);
    if (config->resources.pids_limit == 0 && strtoul(version + 2, NULL, 10) < 3)
        config->resources.has_pids_limit = false;
}

int config_read_linux(struct config *config, const struct json_field *root)
{
    static const struct member table[] = {
        {"rootfsPropagation", MEMBER_TEXT, 0, offsetof(struct config, rootfs_propagation)},
        {"mountLabel", MEMBER_TEXT, 0, offsetof(struct config, mount_label)},
        {"cgroupsPath", MEMBER_TEXT, 0, offsetof(struct config, cgroups_path)},
        {"maskedPaths", MEMBER_PATHS, 0, offsetof(struct config, masked_paths)},
        {"readonlyPaths", MEMBER_PATHS, 0, offsetof(struct config, readonly_paths)},
    };
    struct json_field field = json_member(root, "linux");
    struct json_field resources = json_member(&field, "resources");
    int result = members_read(&field, table, sizeof(table) / sizeof(table[0]), config);

    if (result == 0)
        result = check_cgroups_path(config, &field);
    if (result == 0)
        result = resources_read(&config->resources, &resources);
    if (result == 0)
        follow_version(config, root);
    if (result == 0)
        result = check_propagation(config, &field);
    if (result == 0)
        result = read_namespaces(config, &field);
    if (result == 0)
        result = read_maps(config, &field);
    if (result == 0)
        result = read_devices(config, &field);
    if (result == 0)
        result = config_read_kernel(config, &field);
    if (result == 0)
        result = config_read_seccomp(config, &field);
    return result;
}
