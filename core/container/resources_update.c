/* Other limits for a container that is there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/container/resources.h"
#include "core/linux/device_filter.h"
#include "core/linux/process.h"
#include "core/oci/quantity.h"

/* A file of one line. What is not there, or is a directory that the container has made, has none:
 * its controller may be enabled later on. */
static int read_present(int fd, const char *file, struct text *text)
{
    int result = read_file(fd, file, 256, text);
    if (result != -ENOENT && result != -EISDIR)
        return result;
    error_clear();
    return 0;
}

/* Quota and period are one setting: the one that is not given stays as it is, as with runc. */
static int keep_quota(int fd, struct resources *resources)
{
    autotext struct text text = {0};
    if ((resources->cpu_quota != 0) == (resources->cpu_period != 0))
        return 0;
    int result = read_present(fd, "cpu.max", &text);
    char *end = text.data;
    if (result < 0 || !end)
        return result;
    long long quota = strtoll(text.data, &end, 10);
    if (end == text.data)
        end += strcspn(end, " ");
    if (resources->cpu_quota == 0)
        resources->cpu_quota = quota > 0 ? quota : -1;
    else
        resources->cpu_period = strtoull(end, NULL, 10);
    return 0;
}

/* "max" is more than any number. */
static unsigned long long bytes_of(const char *text)
{
    return starts_with(text, "max") ? UINT64_MAX : strtoull(text, NULL, 10);
}

static void put_before(struct text_list *list, size_t from, size_t to)
{
    const char *item = list->items[from];
    memmove(&list->items[to + 1], &list->items[to], (from - to) * sizeof(*list->items));
    list->items[to] = item;
}

/* What is raised comes first, so that there is never less than before and after: the other order is
 * that of resources_settings(). */
static int order_memory(int fd, struct text_list *list)
{
    static const char swap_file[] = "memory.swap.max=";
    static const char file[] = "memory.max=";
    size_t swap = list->count;
    size_t memory = list->count;
    autotext struct text present = {0};
    for (size_t i = list->count; i-- > 0;) {
        swap = starts_with(list->items[i], swap_file) ? i : swap;
        memory = starts_with(list->items[i], file) ? i : memory;
    }
    if (memory == list->count || swap > memory)
        return 0;
    int result = read_present(fd, "memory.max", &present);
    if (result == 0 && present.data &&
        bytes_of(list->items[memory] + strlen(file)) > bytes_of(present.data))
        put_before(list, memory, swap);
    return result;
}

/* cpu.idle takes the weight away. It is written as it is, so that undoing brings it back. */
static int keep_weight(int fd, const struct resources *resources,
                       struct resource_settings *settings)
{
    autotext struct text idle = {0};
    autotext struct text weight = {0};
    size_t count = settings->list.count;
    if (!resources->has_cpu_idle || count == CGROUP_SETTINGS_MAX)
        return 0;
    int result = read_present(fd, "cpu.idle", &idle);
    if (result == 0)
        result = read_present(fd, "cpu.weight", &weight);
    if (result < 0 || !idle.data || !weight.data || *idle.data != '0')
        return result;
    weight.data[strcspn(weight.data, "\n")] = '\0';
    if (asprintf(&settings->texts[count], "cpu.weight=%s", weight.data) < 0) {
        settings->texts[count] = NULL;
        return fail(ENOMEM, "cannot allocate memory");
    }
    result = text_list_add(&settings->list, settings->texts[count]);
    if (result == 0)
        put_before(&settings->list, count, 0);
    return result;
}

static int attach(void *context, int directory)
{
    const int *program = context;
    return device_filter_attach(directory, *program);
}

int resources_update(struct cgroup *place, int process, const struct resources *resources)
{
    __attribute__((cleanup(resource_settings_free))) struct resource_settings settings = {0};
    struct resources wanted = *resources; /* borrowed */
    int result = resources_refuse(resources);
    autoclose int fd = result < 0 ? -1 : cgroup_open(place);
    if (fd < 0)
        return result < 0 ? result : fd;
    result = keep_quota(fd, &wanted);
    if (result == 0)
        result = resources_settings(&wanted, &settings);
    if (result == 0)
        result = resources_check_memory(fd, place->path, resources);
    if (result < 0)
        return result;
    result = keep_weight(fd, resources, &settings);
    if (result == 0)
        result = order_memory(fd, &settings.list);
    autoclose int program = -1;
    if (result == 0 && resources->has_devices)
        result = program = device_filter_load(resources->devices, resources->device_count);
    if (result < 0)
        return result;
    struct cgroup_wish wish = {.settings = &settings.list,
                               .present = true,
                               .moot = resources_is_moot,
                               .finish = program >= 0 ? attach : NULL,
                               .context = &program};
    /* To lower the limit of memory may take the kernel seconds: who interrupts us then would leave
     * one half of it. */
    sigset_t all;
    sigset_t before;
    process_all_signals(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    autoclose int made = cgroup_make(place, process, &wish);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return made < 0 ? made : 0;
}
