/* Where a container's own cgroup is, and making it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/record.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"

#define FIELD "/linux/resources"

/* Containers of the same name that there may be at once: of other roots of states, or without an ID
 * and of the same pid in other pid namespaces. */
#define NAMES_MAX 100

/* How often a cgroup may be taken away before it is locked. */
#define RACES_MAX 10

/* What was killed with its container ends within this time. */
#define DYING_MS 1000

/* Limits that cannot be had here since the controllers, or all of it, belong to version 1. */
static int leave_out(const struct container *container, const char *what)
{
    char text[256];
    if (container->cgroup.standard)
        return 0;
    snprintf(text, sizeof(text), "limits are left out: %s", what);
    if (container->strict) {
        int result = fail_config(FIELD, "%s%s", text, container->guard < 0 ? " (--strict)" : "");
        error_hint("boot with systemd.unified_cgroup_hierarchy=1");
        return result;
    }
    report_warning("%s", text);
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

/* For who finds what is left when this process has been killed. inode: 0: not made yet. */
static int note(const struct container *container, int file, int made)
{
    const struct cgroup *place = &container->cgroup.place;
    struct stat status = {0};
    if (file < 0)
        return 0;
    if (made >= 0 && fstat(made, &status) < 0)
        return fail(errno, "cannot examine cgroup %s", place->path);
    return record_note_cgroup(file, place->path + place->mount, status.st_ino);
}

/* A cgroup of that path, with nobody in it. */
static int make(struct container *container, int process, bool exclusive)
{
    struct own_cgroup *cgroup = &container->cgroup;
    struct cgroup_wish wish = {
        .settings = &cgroup->settings.list, .only_enable = true, .exclusive = exclusive};
    step("make the cgroup %s", cgroup->place.path);
    autoclose int file = container->state < 0 ? -1 : record_open_note(container->state);
    if (container->state >= 0 && file < 0)
        return file;
    int noted = note(container, file, -1);
    if (noted < 0)
        return noted;
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
    return note(container, file, cgroup->fd);
}

/* Remove a cgroup that was left behind by one that was killed. Returns 0, -EAGAIN (not recorded)
 * when it is in use, or another negative errno (recorded). */
static int remove_old(struct cgroup *place)
{
    autoclose int fd = cgroup_open(place);
    int result = fd < 0 ? fd : cgroup_lock(&fd, DYING_MS);
    if (result == 0 && !cgroup_is(place, fd))
        return 0;
    if (result == 0)
        result = cgroup_wait(place, DYING_MS);
    if (result == 0)
        result = cgroup_delete(place);
    if (result == -EAGAIN || result == -ETIMEDOUT || result == -ENOENT || result == -EBUSY) {
        error_clear();
        return result == -ENOENT ? 0 : -EAGAIN;
    }
    return result < 0 && !error_is_set() ? fail(-result, "cannot remove cgroup %s", place->path)
                                         : result;
}

/* Returns 0, -EEXIST (recorded) when the name is taken, or another negative errno (recorded). */
static int make_new(struct container *container, int process)
{
    struct own_cgroup *cgroup = &container->cgroup;
    for (int i = 0; i < RACES_MAX; i++) {
        int result = make(container, process, true);
        if (result == -EEXIST && container->id) {
            error_clear();
            result = remove_old(&cgroup->place);
            if (result == 0)
                continue;
            if (result == -EAGAIN)
                return fail(EEXIST, "cannot make cgroup %s", cgroup->place.path);
        }
        if (result < 0)
            return result;
        /* Until it was locked, somebody may have taken it for an old one. */
        if (cgroup_lock(&cgroup->fd, 0) == 0 &&
            faccessat(cgroup->fd, "cgroup.procs", F_OK, AT_EACCESS) == 0)
            return 0;
        close_fd(&cgroup->fd);
    }
    return fail(EEXIST, "cannot make cgroup %s", cgroup->place.path);
}

/* Named after the ID; or, where others have that name, with a number behind. */
static int make_named(struct container *container, int process, size_t base)
{
    struct cgroup *place = &container->cgroup.place;
    size_t room = sizeof(place->path) - base;
    int result = -EEXIST;
    for (int i = 0; result == -EEXIST && i < NAMES_MAX; i++) {
        char number[16] = "";
        char name[32];
        snprintf(name, sizeof(name), "shimbox-%d", (int)getpid());
        if (i > 0)
            snprintf(number, sizeof(number), "-%d", i);
        error_clear();
        if ((size_t)snprintf(place->path + base, room, "/%s%s",
                             container->id ? container->id : name, number) >= room)
            return fail(ENAMETOOLONG, "cannot make a cgroup");
        result = make_new(container, process);
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

int resources_place(struct container *container)
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
