/* A container's own cgroup, its limits, and its filter of devices.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/record.h"
#include "core/linux/capability.h"
#include "core/linux/device_filter.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

#define FIELD      "/linux/resources"
#define PATH_FIELD "/linux/cgroupsPath"

/* Whoever has the lock is about to remove the cgroup, or to limit it; without it, removing it is
 * tried all the same. */
#define LOCK_MS 1000

/* What a processor may keep of a cgroup's memory; those that its set-up comes to; and how long to
 * wait until they give it back, which most do within one millisecond. */
#define RESERVE     (64LL * 4096)
#define RESERVES    (4 * RESERVE)
#define RESERVES_MS 100

int resources_refuse(const struct resources *resources)
{
    return resources->unsupported[0]
               ? fail_config(resources->unsupported,
                             "cannot be applied: it is of cgroup version 1, or not supported")
               : 0;
}

int resources_prepare(struct container *container)
{
    const struct config *config = container->config;
    const struct resources *resources = &config->resources;
    if (container->limited_outside)
        return 0;
    int result = resources_refuse(resources);
    if (result < 0)
        return result;
    container->cgroup.standard = resources_are_standard(resources);
    container->cgroup.optional = container->cgroup.standard && !config->cgroups_path;
    result = resources_settings(resources, &container->cgroup.settings);
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

int resources_create(struct container *container)
{
    if (container->limited_outside || !is_needed(container))
        return 0;
    trace_group("make cgroup");
    int result = resources_place(container);
    if (result == 0)
        return 0;
    resources_remove(container);
    if (container->state >= 0)
        record_forget_note(container->state);
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

/* After a failure: is that one to be passed over? Returns 0 then, else the error. */
static int judge_filter(const struct container *container, int result)
{
    if (result != -EPERM || may_filter_devices()) {
        error_step("limit resources");
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
    report_warning("%s", FIELD "/devices is left out: it needs CAP_BPF and CAP_NET_ADMIN");
    return 0;
}

int resources_load_filter(struct container *container)
{
    struct own_cgroup *cgroup = &container->cgroup;
    const struct resources *resources = &container->config->resources;
    if (cgroup->fd < 0 || container->limited_outside || !resources->has_devices)
        return 0;
    cgroup->filter = device_filter_load(resources->devices, resources->device_count);
    return cgroup->filter < 0 ? judge_filter(container, cgroup->filter) : 0;
}

static int attach_filter(struct container *container)
{
    struct own_cgroup *cgroup = &container->cgroup;
    if (cgroup->filter < 0)
        return 0;
    int result = device_filter_attach(cgroup->fd, cgroup->filter);
    close_fd(&cgroup->filter);
    return result < 0 ? judge_filter(container, result) : 0;
}

/* Bytes. Where the controller is about to be enabled, it has counted nothing. */
static int read_used(int fd, long long *used)
{
    autotext struct text text = {0};
    int result = read_file(fd, "memory.current", 64, &text);
    *used = result == 0 && text.data ? strtoll(text.data, NULL, 10) : 0;
    if (result != -ENOENT)
        return result;
    error_clear();
    return 0;
}

int resources_check_memory(int fd, const char *path, const struct resources *resources)
{
    long long used;
    if (!resources->check_memory || resources->memory_limit <= 0)
        return 0;
    int result = read_used(fd, &used);
    if (result < 0 || used <= resources->memory_limit)
        return result;
    return fail(EBUSY, "cannot limit the memory of cgroup %s to %lld: %lld are in use", path,
                (long long)resources->memory_limit, used);
}

/* Without swap space there is no such file, and none to be limited. */
bool resources_is_moot(int fd, const char *setting)
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
        if (!resources_is_moot(fd, list->items[i]))
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

/* The kernel charges 64 pages at a time, and each processor keeps what is left of them. Where that
 * is all that there may be, a process is killed that uses a third of it: the kernel asks for the
 * reserves then, but does not wait. It asks as well for memory.high, and kills nobody. */
static void give_back_reserves(int fd, long long limit)
{
    autotext struct text before = {0};
    char high[32];
    long long used = 0;
    /* Some has to be left for the program, and what the set-up has freed comes back by and by. */
    long long less = limit / 8 * 5 < RESERVE ? limit / 8 * 5 : RESERVE - 1;
    if (limit > 0 && read_used(fd, &used) == 0 && used > less && limit - used < RESERVES &&
        read_file(fd, "memory.high", 64, &before) == 0 && before.data) {
        step("give back reserves of memory");
        snprintf(high, sizeof(high), "%lld\n", less);
        bool asked = write_value(fd, "memory.high", high) == 0;
        for (unsigned i = 0; asked && i < RESERVES_MS && read_used(fd, &used) == 0 && used > less;
             i++)
            poll(NULL, 0, 1);
        if (asked)
            write_value(fd, "memory.high", before.data);
    }
    /* Else memory.max does what it can. */
    error_clear();
}

int resources_limit(struct container *container)
{
    struct own_cgroup *cgroup = &container->cgroup;
    const struct resources *resources = &container->config->resources;
    if (cgroup->fd < 0 || container->limited_outside)
        return 0;
    /* Its first process is in it by now, so that nobody takes it for one that was left behind. */
    flock(cgroup->fd, LOCK_UN);
    struct text_list list = cgroup->settings.list;
    drop_moot(cgroup->fd, &list);
    give_back_reserves(cgroup->fd, resources->memory_limit);
    int result = resources_check_memory(cgroup->fd, cgroup->place.path, resources);
    if (result == 0)
        result = cgroup_set(cgroup->fd, cgroup->place.path, &list);
    if (result < 0) {
        error_field(FIELD);
        error_step("limit resources");
        return result;
    }
    return attach_filter(container);
}

/* ---- the end ---- */

/* Since Linux 5.19. */
static void read_peak(struct own_cgroup *cgroup)
{
    autotext struct text text = {0};
    if (read_file(cgroup->fd, "memory.peak", 64, &text) == 0 && text.data)
        cgroup->peak = strtoull(text.data, NULL, 10);
    error_clear();
}

uint64_t resources_oom_kills(struct cgroup *place)
{
    autotext struct text events = {0};
    uint64_t kills = 0;
    struct error record = error_set_aside();
    autoclose int fd = cgroup_open(place);
    if (fd >= 0 && read_file(fd, "memory.events", 4096, &events) == 0)
        cgroup_number(events.data, "oom_kill", &kills);
    error_put_back(&record);
    return kills;
}

void resources_close(struct container *container)
{
    close_fd(&container->cgroup.fd);
    close_fd(&container->cgroup.filter);
    cgroup_close(&container->cgroup.place);
}

void resources_remove(struct container *container)
{
    struct own_cgroup *cgroup = &container->cgroup;
    bool ours = !container->limited_outside && cgroup->fd >= 0;
    if (ours) {
        trace_group("remove cgroup");
        flock(cgroup->fd, LOCK_UN); /* of another descriptor's than the one to come */
        cgroup_lock(&cgroup->fd, LOCK_MS);
        /* Who has removed it may have made another container since, of the same name. */
        ours = cgroup_is(&cgroup->place, cgroup->fd);
    }
    if (ours) {
        struct error record = error_set_aside();
        if (cgroup->measured)
            read_peak(cgroup);
        if (cgroup->settings.list.count > 0)
            cgroup->oom_kills = resources_oom_kills(&cgroup->place);
        /* Once more: what is left here stays. */
        if (cgroup_end(&cgroup->place) < 0) {
            error_clear();
            if (cgroup_end(&cgroup->place) < 0)
                report_warning("%s", error_get()->text);
        }
        error_put_back(&record);
    }
    resources_close(container);
}
