/* What is checked and pinned before anything is created.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/idmap.h"
#include "core/container/layer.h"
#include "core/container/net_devices.h"
#include "core/container/seccomp.h"
#include "core/container/setup.h"
#include "core/linux/capability.h"
#include "core/linux/mount.h"
#include "core/linux/process.h"
#include "core/linux/rlimit.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

void container_init(struct container *container, const struct config *config)
{
    *container = (struct container){.config = config,
                                    .proc = -1,
                                    .root = -1,
                                    .exe = -1,
                                    .channel = -1,
                                    .state = -1,
                                    .listener = -1,
                                    .start_fifo = -1,
                                    .overlay = -1,
                                    .join_process = -1,
                                    .cgroup = NO_OWN_CGROUP,
                                    .layer = {.changes = -1},
                                    .streams = {-1, -1, -1},
                                    .guard = -1,
                                    .covered = {{.fd = -1}, {.fd = -1}}};
    for (int type = 0; type < NAMESPACE_TYPES; type++)
        container->namespaces[type] = -1;
}

void container_close(struct container *container)
{
    for (size_t i = 0; container->sources && i < container->mount_count; i++)
        close_fd(&container->sources[i]);
    for (size_t i = 0; container->mappings && i < container->mount_count; i++)
        close_fd(&container->mappings[i]);
    for (int type = 0; type < NAMESPACE_TYPES; type++)
        close_fd(&container->namespaces[type]);
    for (size_t i = 0; i < sizeof(container->covered) / sizeof(container->covered[0]); i++)
        close_fd(&container->covered[i].fd);
    close_fd(&container->proc);
    close_fd(&container->root);
    close_fd(&container->layer.changes);
    close_fd(&container->exe);
    close_fd(&container->listener);
    close_fd(&container->start_fifo);
    close_fd(&container->overlay);
    resources_close(container);
}

void container_free(struct container *container)
{
    container_close(container);
    net_devices_end(container, false);
    if (container->files.rlim_max)
        setrlimit(RLIMIT_NOFILE, &container->files);
    if (!FREE_AT_END && container->guard < 0)
        return;
    mount_options_free(&container->nothing);
    for (size_t i = 0; container->options && i < container->mount_count; i++)
        mount_options_free(&container->options[i]);
    idmaps_free(&container->own_maps);
    text_free(&container->earlier_children);
    resource_settings_free(&container->cgroup.settings);
    free_pointer(&container->options);
    free_pointer(&container->sources);
    free_pointer(&container->mappings);
    free_pointer(&container->filter.code);
    free_pointer(&container->given_mounts);
    free_pointer(&container->given_mappings);
}

static bool is_bind(const struct config_mount *mount, const struct mount_options *options)
{
    return options->bind || (mount->type && strcmp(mount->type, "bind") == 0);
}

/* A mount namespace of its own is what everything here happens in. Joining one that exists is
 * another matter: whoever made it has set it up, so nothing may be mounted in it. */
static int check_mount_namespace(const struct config *config)
{
    const struct config_namespace *mount = &config->namespaces[NAMESPACE_MOUNT];
    if (!mount->wanted) {
        return fail_config("/linux/namespaces",
                           "a container without a mount namespace is not supported");
    }
    if (!mount->path)
        return 0;
    if (config->mount_count > 0)
        return fail_config("/mounts", "not supported together with a mount namespace to join");
    if (config->masked_paths[0])
        return fail_config("/linux/maskedPaths",
                           "not supported together with a mount namespace to join");
    if (config->readonly_paths[0])
        return fail_config("/linux/readonlyPaths",
                           "not supported together with a mount namespace to join");
    if (config->device_count > 0)
        return fail_config("/linux/devices",
                           "not supported together with a mount namespace to join");
    if (config->root_readonly)
        return fail_config("/root/readonly",
                           "not supported together with a mount namespace to join");
    if (config->root_path && strcmp(config->root_path, "/") != 0)
        return fail_config("/root/path", "must be / with a mount namespace to join");
    return 0;
}

/* An ordinary user's ids can be told without being asked (crun's rootless specification does not
 * name them). For root there is no such choice. */
static int choose_maps(struct container *container)
{
    container->maps = &container->config->maps;
    if (container->maps->uid.count > 0 && container->maps->gid.count > 0)
        return 0;
    if (container->privileged)
        return fail_config("/linux/uidMappings",
                           "a new user namespace needs uidMappings and gidMappings");
    container->maps = &container->own_maps;
    return idmaps_by_word(&container->own_maps, "auto");
}

static bool joins(const struct config *config)
{
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        if (config->namespaces[type].path)
            return true;
    }
    return false;
}

static int check_user_namespace(struct container *container)
{
    const struct config *config = container->config;
    const struct config_namespace *user = &config->namespaces[NAMESPACE_USER];
    container->privileged = capability_have(CAP_SYS_ADMIN);
    container->new_user = user->wanted && !user->path;
    container->new_pid =
        config->namespaces[NAMESPACE_PID].wanted && !config->namespaces[NAMESPACE_PID].path;
    if (container->new_user && choose_maps(container) < 0)
        return -EINVAL;
    if (container->privileged || user->wanted)
        return 0;
    /* Root as well, in most containers. */
    int result = fail_config("/linux/namespaces", "%s needs a user namespace here",
                             geteuid() == 0 ? "root without CAP_SYS_ADMIN" : "an ordinary user");
    error_hint("make the config with: shimbox spec --rootless%s",
               geteuid() == 0 ? " --nested" : "");
    return result;
}

/* What is left of a container is found in /proc, and so is who was made on its behalf. */
static int check_proc(const struct container *container)
{
    if ((container->new_pid && !joins(container->config)) || process_knows_proc(container->proc))
        return 0;
    int result = fail_config("/linux/namespaces",
                             "only all new namespaces can be had with the /proc of the outside");
    error_hint("mount one: mount -t proc proc /proc");
    return result;
}

static int check_program(struct container *container)
{
    const struct config *config = container->config;
    if (!container->program)
        container->program = (char **)(uintptr_t)config->process.args;
    if (!container->program)
        return fail_config("/process/args", "no program to run");
    if (config->hostname && !config->namespaces[NAMESPACE_UTS].wanted)
        return fail_config("/hostname", "needs a uts namespace in /linux/namespaces");
    return 0;
}

/* What an entry asks for must fit together. */
static int check_mount(const struct config_mount *mount, const struct mount_options *options,
                       const char *entry, const char *field)
{
    bool tmpfs = mount->type && strcmp(mount->type, "tmpfs") == 0;
    if (options->remount && (options->copy_up || options->idmap))
        return fail_config(field, "remount changes a mount, %s is for a new one",
                           options->copy_up ? "tmpcopyup" : "idmap");
    if (options->copy_up && (!tmpfs || options->bind))
        return fail_config(entry, "the option tmpcopyup is for tmpfs only");
    if (options->bind && !mount->source)
        return fail_config(entry, "a bind mount needs a source");
    if (!options->bind && !options->remount && !mount->type)
        return fail_config(entry, "a mount needs a type, or the option bind");
    return options->bind || options->remount ? mount_options_refuse_filesystem(options, field) : 0;
}

int container_parse_mounts(struct container *container)
{
    const struct config *config = container->config;
    container->mount_count = config->mount_count;
    container->options = calloc(config->mount_count + 1, sizeof(*container->options));
    container->sources = malloc((config->mount_count + 1) * sizeof(*container->sources));
    container->mappings = malloc((config->mount_count + 1) * sizeof(*container->mappings));
    if (!container->options || !container->sources || !container->mappings)
        return fail(ENOMEM, "cannot prepare %zu mounts", config->mount_count);
    for (size_t i = 0; i < config->mount_count; i++) {
        container->sources[i] = container->given_mounts ? container->given_mounts[i] : -1;
        container->mappings[i] = container->given_mappings ? container->given_mappings[i] : -1;
    }
    /* Of each mount: the parent's clone, the child's, the mapping. */
    rlimit_raise_files(64 + 3 * (uint64_t)config->mount_count, &container->files);
    for (size_t i = 0; i < config->mount_count; i++) {
        const struct config_mount *mount = &config->mounts[i];
        struct mount_options *options = &container->options[i];
        char entry[32];
        char field[48];
        snprintf(entry, sizeof(entry), "/mounts/%zu", i);
        snprintf(field, sizeof(field), "%s/options", entry);
        int result = mount_options_parse(options, mount->options, field);
        if (result < 0)
            return result;
        options->bind = is_bind(mount, options) && !options->remount;
        /* As other runtimes have it: the mappings alone do. */
        options->idmap = options->idmap || mount->maps.uid.count > 0 || container->mappings[i] >= 0;
        result = check_mount(mount, options, entry, field);
        if (result == 0 && container->sources[i] >= 0 && !options->bind)
            result = fail_config(entry, "a mount is given for what is no bind mount");
        if (result < 0)
            return result;
    }
    return setup_parse_nothing(container);
}

static int pin_namespaces(struct container *container)
{
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        const char *path = container->config->namespaces[type].path;
        if (!path)
            continue;
        step("open %s namespace %s", namespace_name((enum namespace_type)type), path);
        trace_field("/linux/namespaces");
        container->namespaces[type] = namespace_open(path, (enum namespace_type)type);
        if (container->namespaces[type] < 0) {
            error_field("/linux/namespaces");
            return -EINVAL;
        }
    }
    return 0;
}

/* A parameter is for the container's namespace, which one that is joined need not be. */
static int check_sysctls(const struct container *container)
{
    const struct config *config = container->config;
    for (size_t i = 0; i < config->sysctl_count; i++) {
        enum namespace_type type = config->sysctls[i].type;
        if (container->namespaces[type] < 0)
            continue;
        int own = namespace_is_own(container->namespaces[type], type);
        if (own < 0)
            return own;
        if (own)
            return fail_config("/linux/sysctl", "%s: the %s namespace to join is the host's",
                               config->sysctls[i].name, namespace_name(type));
    }
    return 0;
}

/* The root of a new user namespace may not be allowed to reach what the privileged caller can: so
 * its mounts are cloned here, for mount_clone_locked(). Without privilege the child has the same
 * rights as we, and more: it may mount. */
static int pin_mounts(struct container *container)
{
    const struct config *config = container->config;
    if (!container->privileged || !container->new_user)
        return 0;
    for (size_t i = 0; i < config->mount_count; i++) {
        if (!container->options[i].bind || container->sources[i] >= 0)
            continue;
        step("open %s", config->mounts[i].source);
        trace_field("/mounts/%zu/source", i);
        container->sources[i] =
            mount_clone(AT_FDCWD, config->mounts[i].source, container->options[i].bind_recursive);
        /* The child finds out for itself, and goes on without. */
        if (container->sources[i] == -ENOENT && container->options[i].optional) {
            error_clear();
            container->sources[i] = -1;
            continue;
        }
        if (container->sources[i] < 0) {
            char field[48];
            snprintf(field, sizeof(field), "/mounts/%zu/source", i);
            error_field(field);
            return container->sources[i];
        }
        /* What the container mounts or unmounts below must not come back to the host. */
        int result = mount_set_propagation(container->sources[i], MS_SLAVE, true);
        if (result < 0)
            return result;
    }
    return 0;
}

static int pin_root(struct container *container)
{
    if (container->embedded_root) {
        step("open the own binary");
        container->exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        if (container->exe < 0)
            return fail(errno, "cannot open the own binary, /proc/self/exe");
        return 0;
    }
    if (container->config->namespaces[NAMESPACE_MOUNT].path)
        return 0;
    const char *path = container->rootfs ? container->rootfs : container->config->root_path;
    if (!path)
        return fail_config("/root", "no root file system; give root.path, or --rootfs DIR");
    step("open root file system %s", path);
    if (!container->rootfs)
        trace_field("/root/path");
    int result = 0;
    struct stat status;
    if (stat(path, &status) < 0)
        result = fail(errno, "cannot open root file system %s", path);
    else if (!S_ISDIR(status.st_mode))
        result = fail(ENOTDIR, "cannot use root file system %s", path);
    else if (container->layer.overlay)
        result = layer_pin(container, path);
    else if (container->privileged && container->new_user)
        result = container->root = mount_clone(AT_FDCWD, path, true);
    if (result > 0)
        result = mount_set_propagation(container->root, MS_SLAVE, true);
    if (result < 0)
        error_field("/root/path");
    return result < 0 ? result : 0;
}

static int prepare(struct container *container)
{
    const struct config *config = container->config;
    step("check what is possible here");
    container->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (container->proc < 0)
        return fail(errno, "cannot open /proc");
    int result = check_mount_namespace(config);
    if (result == 0)
        result = check_user_namespace(container);
    if (result == 0)
        result = check_proc(container);
    if (result == 0)
        result = check_program(container);
    if (result == 0)
        result = resources_prepare(container);
    if (result == 0)
        result = container_parse_mounts(container);
    if (result == 0)
        result = labels_prepare(container);
    if (result == 0)
        result = filter_prepare(container);
    if (result == 0 && !container->new_pid) {
        step("list earlier children");
        result = process_list_children(container->proc, getpid(), &container->earlier_children);
    }
    if (result == 0)
        result = pin_namespaces(container);
    if (result == 0)
        result = check_sysctls(container);
    if (result == 0)
        result = net_devices_prepare(container);
    if (result == 0)
        result = pin_root(container);
    if (result == 0)
        result = pin_mounts(container);
    if (result == 0)
        result = idmap_prepare(container);
    return result;
}

int container_prepare(struct container *container)
{
    int result = prepare(container);
    if (result < 0)
        error_step("prepare");
    return result;
}
