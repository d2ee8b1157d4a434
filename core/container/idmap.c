/* Idmapped mounts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/sync.h"
#include "core/linux/mount.h"
#include "core/linux/mount_idmap.h"
#include "core/linux/process.h"
#include "core/linux/userns.h"
#include "core/oci/config.h"

static bool has_maps(const struct container *container, size_t i)
{
    return container->config->mounts[i].maps.uid.count > 0;
}

static bool has_user_namespace(const struct container *container)
{
    return container->config->namespaces[NAMESPACE_USER].wanted;
}

static int check(const struct container *container, size_t i, const char *field)
{
    bool given = container->mappings[i] >= 0;
    if (!given && !has_maps(container, i) && !has_user_namespace(container))
        return fail_config(field, "idmap needs uidMappings and gidMappings, or a user namespace");
    if (!container->privileged) {
        int result = fail_config(field, "an ordinary user may not idmap mounts");
        error_hint("that takes CAP_SYS_ADMIN where the file system was mounted");
        return result;
    }
    /* The kernel would refuse it, because its ids are those of the container anyway. */
    if (!given && !has_maps(container, i) && !container->options[i].bind)
        return fail_config(field, "a new file system has the container's ids already");
    return 0;
}

/* The user namespace of these maps: one that is there already, as a second descriptor. */
static int find_or_create(const struct container *container, size_t i)
{
    const struct config_mount *mounts = container->config->mounts;
    for (size_t earlier = 0; earlier < i; earlier++) {
        int fd = container->mappings[earlier];
        if (fd < 0 || !userns_same_maps(&mounts[earlier].maps, &mounts[i].maps))
            continue;
        int same = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return same < 0 ? fail(errno, "cannot duplicate a descriptor") : same;
    }
    return userns_create(container->proc, &mounts[i].maps);
}

int idmap_prepare(struct container *container)
{
    for (size_t i = 0; i < container->mount_count; i++) {
        char field[48];
        if (!container->options[i].idmap)
            continue;
        snprintf(field, sizeof(field), "/mounts/%zu/options", i);
        int result = check(container, i, field);
        if (result < 0)
            return result;
        if (!has_maps(container, i) || container->mappings[i] >= 0)
            continue;
        if (container->new_user &&
            userns_same_maps(&container->config->mounts[i].maps, container->maps))
            continue;
        container->mappings[i] = find_or_create(container, i);
        if (container->mappings[i] < 0) {
            snprintf(field, sizeof(field), "/mounts/%zu/uidMappings", i);
            error_field(field);
            return container->mappings[i];
        }
    }
    return 0;
}

/* What a new file system was made with is not repeated: it may have to be writable for now. */
static int change(const struct mount_options *options, int mount, int userns)
{
    struct mount_options rest = *options;
    if (!options->bind)
        rest.set = rest.clear = rest.recursive_set = rest.recursive_clear = 0;
    return mount_change(mount, &rest, userns);
}

int idmap_open_own(const struct container *container, const struct process *child)
{
    char path[32];
    int joined = container->namespaces[NAMESPACE_USER];
    if (joined >= 0) {
        int fd = fcntl(joined, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? fail(errno, "cannot duplicate a descriptor") : fd;
    }
    pid_t number = process_number_in(container->proc, child);
    if (number < 0)
        return number;
    snprintf(path, sizeof(path), "%d/ns/user", (int)number);
    int fd = openat(container->proc, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? fail(errno, "cannot open the user namespace of the container") : fd;
}

int idmap_mount(const struct container *container, size_t i, int mount, const struct process *child)
{
    const struct config_mount *entry = &container->config->mounts[i];
    const struct mount_options *options = &container->options[i];
    bool shared = container->mappings[i] < 0;
    autoclose int own = shared ? idmap_open_own(container, child) : -1;
    int userns = shared ? own : container->mappings[i];
    if (userns < 0)
        return userns;
    step("idmap the mount on %s", entry->destination);
    int result = change(options, mount, userns);
    if (result < 0 && options->bind)
        mount_explain_idmap(entry->source, options->idmap_recursive, userns);
    else if (result == -EINVAL)
        error_hint("this kernel cannot idmap the file system type %s", entry->type);
    return result;
}

int idmap_in_child(const struct container *container, size_t i, int mount)
{
    if (!container->options[i].idmap)
        return change(&container->options[i], mount, -1);
    if (!has_user_namespace(container))
        return idmap_mount(container, i, mount, NULL);
    int result = sync_send_mount(container->channel, (uint32_t)i, mount);
    return result < 0 ? result : sync_expect(container->channel, SYNC_IDMAPPED);
}
