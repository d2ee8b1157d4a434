/* The container's /dev: default nodes, listed ones, links. runtime-spec, config-linux.md, "Default
 * Devices" and "Dev symbolic links".
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/linux/device.h"
#include "core/linux/path.h"
#include "core/oci/config.h"

static const struct {
    char name[8];
    unsigned char major;
    unsigned char minor;
} default_devices[] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct {
    char name[8];
    char target[20];
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

/* Make the node, or bind the host's where nodes cannot be made: in a user namespace. */
static int provide(int directory, const char *name, const char *path, const struct device *device)
{
    int result = device_make(directory, name, path, device);
    if (result == -EPERM && !error_is_set())
        result = device_bind(directory, name, path, device);
    return result;
}

static int make_listed(struct container *container)
{
    for (size_t i = 0; i < container->config->device_count; i++) {
        const struct config_device *listed = &container->config->devices[i];
        const struct device device = {listed->type, listed->major, listed->minor,
                                      listed->mode, listed->uid,   listed->gid};
        const char *name;
        step("make device %s", listed->path);
        trace_field("/linux/devices/%zu", i);
        autoclose int parent = path_make_parent_in_root(container->root, listed->path, &name);
        int result = parent < 0 ? parent : provide(parent, name, listed->path, &device);
        if (result < 0) {
            char field[40];
            snprintf(field, sizeof(field), "/linux/devices/%zu", i);
            error_field(field);
            return result;
        }
    }
    return 0;
}

static int make_defaults(int dev)
{
    for (size_t i = 0; i < sizeof(default_devices) / sizeof(default_devices[0]); i++) {
        const struct device device = {.type = S_IFCHR,
                                      .major = default_devices[i].major,
                                      .minor = default_devices[i].minor,
                                      .mode = 0666};
        char path[24];
        snprintf(path, sizeof(path), "/dev/%.8s", default_devices[i].name);
        step("make device %s", path);
        int result = provide(dev, default_devices[i].name, path, &device);
        if (result < 0)
            return result;
    }
    return 0;
}

int setup_devices(struct container *container)
{
    /* A /dev that the config binds is taken as it is, like everything that is bound. */
    if (container->config->namespaces[NAMESPACE_MOUNT].path || container->dev.bound)
        return 0;
    int result = make_listed(container);
    if (result < 0 || container->listed_devices_only)
        return result;
    step("open /dev");
    autoclose int dev = path_make_in_root(container->root, "/dev", S_IFDIR);
    if (dev < 0)
        return dev;
    result = make_defaults(dev);
    step("link /dev/fd, /dev/stdin and others");
    for (size_t i = 0; result == 0 && i < sizeof(links) / sizeof(links[0]); i++)
        result = device_link(dev, links[i].name, links[i].target);
    return result;
}
