/* A container's own cgroup, its limits, and its filter of devices.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/linux/capability.h"
#include "core/linux/device_filter.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

#define FIELD      "/linux/resources"
#define PATH_FIELD "/linux/cgroupsPath"

/* Containers without an ID that the same pid may have at once: in several pid namespaces. */
#define NAMES_MAX 100

/* What was killed with its container ends within this time. */
#define DYING_MS 1000

int resources_prepare(struct container *container)
{
    const struct config *config = container->config;
    const struct resources *resources = &config->resources;
    if (resources->unsupported[0])
        return fail_config(resources->unsupported, "cannot be applied: it is of cgroup version 1, "
                                                   "or not supported yet");
    container->cgroup.standard = resources_are_standard(resources);
    container->cgroup.optional = container->cgroup.standard && !config->cgroups_path;
    int result = resources_settings(resources, &container->cgroup.settings);
    if (result < 0)
        error_field(FIELD);
    return result;
}

static bool is_needed(const struct container *container)
{
    const struct own_cgroup *cgroup = &container->cgroup;
    if (!cgroup->optional || container->id)
        return true;
    return !container->unlimited &&
           (cgroup->settings.list.count > 0 || container->config->resources.has_devices);
}

static void warn(const struct container *container, const char *text)
{
    if (container->warn)
        container->warn(text);
}

/* Limits that cannot be had here since the controllers, or all of it, belong to version 1. */
static int leave_out(const struct container *container, const char *what)
{
    char text[256];
    if (container->cgroup.standard)
        return 0;
    snprintf(text, sizeof(text), "limits are left out: %s", what);
    if (container->strict) {
        int result = fail_config(FIELD, "%s (--strict)", text);
        error_hint("boot with systemd.unified_cgroup_hierarchy=1");
        return result;
    }
    warn(container, text);
    return 0;
}

/* Keep only what can be had. */
static int drop_old(struct container *container, int process)
{
    struct own_cgroup *cgroup = &container->cgroup;
    struct text_list *list = &cgroup->settings.list;
    size_t kept = 0;
    char what[160] = "cgroup version 1 has the controllers of";
    size_t length = strlen(what);
    for (size_t i = 0; i < list->count; i++) {
        int lacks = cgroup_lacks(&cgroup->place, process, list->items[i]);
        if (lacks < 0)
            return lacks;
        if (lacks != CGROUP_LACKS_NEW) {
            list->items[kept++] = list->items[i];
            continue;
        }
        if (length < sizeof(what) - 70)
            length += (size_t)snprintf(what + length, sizeof(what) - length, " %.*s",
                                       (int)strcspn(list->items[i], "="), list->items[i]);
    }
    bool dropped = kept < list->count;
    list->count = kept;
    return dropped ? leave_out(container, what) : 0;
}

/* A cgroup of that path, with nobody in it. */
static int make(struct container *container, int process, bool exclusive)
{
    struct own_cgroup *cgroup = &container->cgroup;
    struct cgroup_wish wish = {
        .settings = &cgroup->settings.list, .only_enable = true, .exclusive = exclusive};
    step("make the cgroup %s", cgroup->place.path);
    autoclose int fd = cgroup_make(&cgroup->place, process, &wish);
    autotext struct text events = {0};
    int result = fd < 0 || exclusive ? fd : read_file(fd, "cgroup.events", 4096, &events);
    if (result >= 0 && !exclusive && (!events.data || strstr(events.data, "populated 1"))) {
        result = fail(EBUSY, "cannot use cgroup %s", cgroup->place.path);
        error_hint("it has processes");
    }
    if (result < 0)
        return result;
    cgroup->fd = take_fd(&fd);
    return 0;
}

/* Returns -EEXIST (recorded or not), or another negative errno (recorded). */
static int remove_old(struct cgroup *place)
{
    int result = cgroup_wait(place, DYING_MS);
    if (result == -ETIMEDOUT) {
        result = fail(EEXIST, "cannot make cgroup %s", place->path);
        error_hint("it has processes");
        return result;
    }
    if (result == 0)
        result = cgroup_delete(place);
    return result < 0 ? result : -EEXIST;
}

/* Under the name of the ID, what is there is of a container that was killed; whoever has no ID
 * takes a name that is free. */
static int make_named(struct container *container, int process, size_t base)
{
    struct cgroup *place = &container->cgroup.place;
    size_t room = sizeof(place->path) - base;
    int result = -EEXIST;
    for (int i = 0; result == -EEXIST && i < (container->id ? 2 : NAMES_MAX); i++) {
        if (container->id && error_is_set())
            break;
        error_clear();
        int length = container->id
                         ? snprintf(place->path + base, room, "/%s", container->id)
                         : snprintf(place->path + base, room, i ? "/shimbox-%d-%d" : "/shimbox-%d",
                                    (int)getpid(), i);
        if (length < 0 || (size_t)length >= room)
            return fail(ENAMETOOLONG, "cannot make a cgroup");
        result = make(container, process, true);
        if (result == -EEXIST && container->id && i == 0) {
            error_clear();
            result = remove_old(place);
        }
    }
    return result;
}

/* Below the cgroup of this process; or, where this process itself is in the way of controllers,
 * beside it: in the next cgroup above that gives them. */
static int make_below(struct container *container, int process)
{
    struct cgroup *place = &container->cgroup.place;
    const char *path = container->config->cgroups_path;
    struct error first = {0};
    int result;
    size_t base = strlen(place->path);
    for (;;) {
        place->path[base] = '\0';
        if (!path)
            result = make_named(container, process, base);
        else if ((size_t)snprintf(place->path + base, sizeof(place->path) - base, "/%s", path) >=
                 sizeof(place->path) - base)
            result = fail(ENAMETOOLONG, "cannot make a cgroup");
        else
            result = make(container, process, false);
        if (result >= 0 || base <= place->mount || (result != -EBUSY && !first.kind))
            break;
        if (!first.kind)
            first = *error_get();
        error_clear();
        while (base > place->mount && place->path[--base] != '/')
            ;
    }
    if (result < 0 && first.kind) {
        error_clear();
        return error_adopt(&first);
    }
    return result;
}

/* The user of the program may do in its cgroup what it likes, if it sees it as its own: with a
 * cgroup namespace, and a mount that can be written to (runtime-spec, "Cgroup ownership"). */
static bool is_delegated(const struct container *container)
{
    const struct config *config = container->config;
    const struct config_namespace *own = &config->namespaces[NAMESPACE_CGROUP];
    for (size_t i = 0; own->wanted && !own->path && i < config->mount_count; i++) {
        const struct config_mount *mount = &config->mounts[i];
        bool cgroup = mount->type && starts_with(mount->type, "cgroup");
        if (cgroup && !container->options[i].bind &&
            !(container->options[i].set & MOUNT_ATTR_RDONLY))
            return true;
    }
    return false;
}

static int delegate(const struct container *container)
{
    const struct config *config = container->config;
    uint32_t owner = config->process.uid;
    if (!is_delegated(container) || container->namespaces[NAMESPACE_USER] >= 0 ||
        (container->new_user && idmap_to_host(&container->maps->uid, owner, &owner) < 0))
        return 0;
    int result =
        cgroup_delegate(container->cgroup.fd, container->cgroup.place.path, owner, (gid_t)-1);
    /* An ordinary user's first id is its own, and it may not give anything to others. */
    if (result == -EPERM && !container->privileged) {
        error_clear();
        return 0;
    }
    return result;
}

static int create(struct container *container)
{
    const char *path = container->config->cgroups_path;
    struct cgroup *place = &container->cgroup.place;
    autoclose int process = openat(container->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0)
        return fail(errno, "cannot open /proc/self");
    bool absolute = path && path[0] == '/';
    int result = cgroup_find(place, process, absolute ? path : "");
    if (result == -ENOENT && cgroup_has_old(process)) {
        error_clear();
        return leave_out(container, "no cgroup of version 2 is mounted");
    }
    if (result == 0)
        result = drop_old(container, process);
    if (result == 0)
        result = absolute ? make(container, process, false) : make_below(container, process);
    return result == 0 ? delegate(container) : result;
}

int resources_create(struct container *container)
{
    if (!is_needed(container))
        return 0;
    trace_group("make cgroup");
    int result = create(container);
    if (result == 0)
        return 0;
    resources_remove(container);
    if (container->cgroup.optional) {
        error_clear();
        return 0;
    }
    error_step("make cgroup");
    error_field(container->config->cgroups_path ? PATH_FIELD : FIELD);
    return result;
}

/* With CLONE_NEWCGROUP, clone3(2) would take the parent's cgroup as the root of the namespace also
 * for a child that is born in another one: so the namespace comes afterwards. */
int setup_cgroup(struct container *container)
{
    const struct config_namespace *own = &container->config->namespaces[NAMESPACE_CGROUP];
    int result = 0;
    if (container->cgroup.fd >= 0 && container->cgroup.join)
        result = cgroup_join(container->cgroup.fd, container->cgroup.place.path);
    if (result == 0 && container->cgroup.fd >= 0 && own->wanted && !own->path &&
        sys_unshare(CLONE_NEWCGROUP) < 0)
        return fail(errno, "cannot create a cgroup namespace");
    return result;
}

/* ---- limits ---- */

/* Not in a user namespace: the kernel asks for these capabilities in the initial one. */
static bool may_filter_devices(void)
{
    return (capability_have(CAP_SYS_ADMIN) ||
            (capability_have(CAP_BPF) && capability_have(CAP_NET_ADMIN))) &&
           namespace_own_is_initial(NAMESPACE_USER) != 0;
}

static int filter_devices(const struct container *container)
{
    const struct resources *resources = &container->config->resources;
    int result =
        device_filter_set(container->cgroup.fd, resources->devices, resources->device_count);
    if (result == 0 || result != -EPERM || may_filter_devices()) {
        if (result < 0)
            error_field(FIELD "/devices");
        return result;
    }
    /* Without these rights no device can be made, and those that are there have their modes. */
    error_clear();
    if (container->cgroup.standard)
        return 0;
    if (container->strict)
        return fail_config(FIELD "/devices", "the rules cannot be applied without CAP_BPF and "
                                             "CAP_NET_ADMIN (--strict)");
    warn(container, FIELD "/devices is left out: it needs CAP_BPF and CAP_NET_ADMIN");
    return 0;
}

/* The kernel would make room, by ending processes if need be. */
static int check_memory(int fd, const char *path, const struct resources *resources)
{
    autotext struct text text = {0};
    if (!resources->check_memory || resources->memory_limit <= 0)
        return 0;
    int result = read_file(fd, "memory.current", 64, &text);
    if (result < 0)
        return result;
    unsigned long long used = strtoull(text.data ? text.data : "", NULL, 10);
    return used <= (unsigned long long)resources->memory_limit
               ? 0
               : fail(EBUSY, "cannot limit the memory of cgroup %s to %lld: %llu are in use", path,
                      (long long)resources->memory_limit, used);
}

/* Without swap space there is no such file, and none to be limited. */
static bool is_moot(int fd, const char *setting)
{
    return (strcmp(setting, "memory.swap.max=0") == 0 ||
            strcmp(setting, "memory.swap.max=max") == 0) &&
           faccessat(fd, "memory.swap.max", F_OK, 0) < 0 &&
           faccessat(fd, "memory.max", F_OK, 0) == 0;
}

static void drop_moot(int fd, struct text_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!is_moot(fd, list->items[i]))
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

int resources_limit(const struct container *container)
{
    const struct own_cgroup *cgroup = &container->cgroup;
    const struct resources *resources = &container->config->resources;
    if (cgroup->fd < 0)
        return 0;
    struct text_list list = cgroup->settings.list;
    drop_moot(cgroup->fd, &list);
    int result = check_memory(cgroup->fd, cgroup->place.path, resources);
    if (result == 0)
        result = cgroup_set(cgroup->fd, cgroup->place.path, &list);
    if (result < 0)
        error_field(FIELD);
    if (result == 0 && resources->has_devices)
        result = filter_devices(container);
    if (result < 0)
        error_step("limit resources");
    return result;
}

int resources_update(struct cgroup *place, int process, const struct resources *resources)
{
    __attribute__((cleanup(resource_settings_free))) struct resource_settings settings;
    if (resources->unsupported[0])
        return fail_config(resources->unsupported, "cannot be applied: it is of cgroup version 1, "
                                                   "or not supported yet");
    int result = resources_settings(resources, &settings);
    if (result < 0)
        return result;
    autoclose int fd = cgroup_open(place);
    result = fd < 0 ? fd : check_memory(fd, place->path, resources);
    if (result < 0)
        return result;
    drop_moot(fd, &settings.list);
    struct cgroup_wish wish = {.settings = &settings.list};
    autoclose int made = cgroup_make(place, process, &wish);
    if (made < 0)
        return made;
    return resources->has_devices
               ? device_filter_set(fd, resources->devices, resources->device_count)
               : 0;
}

/* ---- the end ---- */

uint64_t resources_oom_kills(struct cgroup *place)
{
    autotext struct text events = {0};
    uint64_t kills = 0;
    struct error record = *error_get();
    error_clear();
    autoclose int fd = cgroup_open(place);
    if (fd >= 0 && read_file(fd, "memory.events", 4096, &events) == 0 && events.data) {
        const char *line = strstr(events.data, "\noom_kill ");
        kills = line ? strtoull(line + strlen("\noom_kill "), NULL, 10) : 0;
    }
    error_clear();
    if (record.kind)
        error_adopt(&record);
    return kills;
}

void resources_remove(struct container *container)
{
    struct own_cgroup *cgroup = &container->cgroup;
    if (cgroup->fd >= 0) {
        trace_group("remove cgroup");
        struct error record = *error_get();
        error_clear();
        if (cgroup->settings.list.count > 0)
            cgroup->oom_kills = resources_oom_kills(&cgroup->place);
        if (cgroup_end(&cgroup->place) < 0)
            warn(container, error_get()->text);
        error_clear();
        if (record.kind)
            error_adopt(&record);
    }
    close_fd(&cgroup->fd);
    cgroup_close(&cgroup->place);
}
