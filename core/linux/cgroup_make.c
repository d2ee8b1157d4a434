/* Making a cgroup with limits, or leaving all as it was.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/cgroup_parts.h"

/* A directory on the way, the root of the mount being the first. */
struct level {
    int fd;
    unsigned length;  /* of the path down to here */
    bool created;     /* by us */
    uint64_t enabled; /* by us, in its cgroup.subtree_control: bits by number of the setting */
    nlink_t links;    /* before that: tells how many cgroups are below */
};

struct making {
    struct cgroup *cgroup;
    const struct cgroup_wish *wish;
    int process; /* "/proc/self" */
    struct level levels[CGROUP_DEPTH_MAX + 1];
    size_t count;
    int former; /* the cgroup that was left, or -1 */
    size_t written;
    struct text old[CGROUP_SETTINGS_MAX]; /* values of a cgroup that was there */
};

/* Why the root of the mount has no such controller. */
static int refuse_controller(const struct making *making, const char *setting, bool old)
{
    char file[64];
    char controller[64];
    cgroup_cut(setting, file, controller);
    int result = fail(EOPNOTSUPP, "cannot set %s: there is no controller %s in %.*s", file,
                      controller, (int)making->cgroup->mount, making->cgroup->path);
    if (old)
        error_hint("version 1 has it; boot with systemd.unified_cgroup_hierarchy=1");
    else if (!cgroup_is_top(making->cgroup->root))
        error_hint("the cgroup above has not enabled it in its cgroup.subtree_control");
    else
        error_hint("this kernel has none of that name, or cgroup_disable= turned it off");
    return result;
}

/* Before anything is done: what the topmost level has can be enabled further down. */
static int check_controllers(const struct making *making)
{
    const struct text_list *settings = making->wish->settings;
    int result = 0;
    for (size_t i = 0; result == 0 && i < settings->count; i++) {
        result = cgroup_lacks(making->cgroup, making->process, settings->items[i]);
        if (result > 0)
            return refuse_controller(making, settings->items[i], result == CGROUP_LACKS_NEW);
    }
    return result;
}

/* Open all levels, and create those that are missing. */
static int open_levels(struct making *making)
{
    char *path = making->cgroup->path;
    char *component = path + making->cgroup->mount;
    making->levels[0] = (struct level){
        .fd = fcntl(making->cgroup->root, F_DUPFD_CLOEXEC, 0),
        .length = (unsigned)making->cgroup->mount,
    };
    if (making->levels[0].fd < 0)
        return fail(errno, "cannot make cgroup %s", path);
    making->count = 1;
    if (!*component && making->wish->exclusive)
        return fail(EEXIST, "cannot make cgroup %s", path);
    while (*component) {
        char *end = component + 1 + strcspn(component + 1, "/");
        char separator = *end;
        if (making->count > CGROUP_DEPTH_MAX)
            return fail(ENAMETOOLONG, "cannot make cgroup %s", path);
        struct level *level = &making->levels[making->count];
        *level = (struct level){.length = (unsigned)(end - path)};
        *end = '\0';
        level->fd = cgroup_step(level[-1].fd, component + 1, making->wish->exclusive && !separator,
                                making->wish->present ? NULL : &level->created);
        if (level->created)
            making->count++;
        if (level->fd < 0) {
            int result = fail(-level->fd, "cannot %s cgroup %s",
                              making->wish->present ? "open" : "make", path);
            *end = separator;
            if (result == -EACCES || result == -EPERM)
                error_hint("the cgroup above is not delegated to this user");
            return result;
        }
        making->count += !level->created;
        *end = separator;
        component = end;
    }
    return 0;
}

static int check_processes(const struct level *level, const char *what)
{
    autotext struct text processes = {0};
    if (cgroup_is_top(level->fd))
        return 0;
    int result = read_file(level->fd, "cgroup.procs", 1 << 20, &processes);
    if (result < 0 || processes.length == 0)
        return result;
    result = fail(EBUSY, "%s", what);
    error_hint("processes are in it, such as %.*s: move them into a cgroup below, or give a PATH "
               "elsewhere",
               (int)strcspn(processes.data, "\n"), processes.data);
    return result;
}

static int enable(const struct making *making, struct level *level, size_t number)
{
    autotext struct text enabled = {0};
    struct stat status;
    char file[64];
    char word[65] = "+";
    cgroup_cut(making->wish->settings->items[number], file, word + 1);
    int result = read_file(level->fd, "cgroup.subtree_control", 4096, &enabled);
    if (result < 0 || strcmp(word, "+cgroup") == 0 || cgroup_lists(enabled.data, word + 1))
        return result;
    if (level->enabled == 0 && fstat(level->fd, &status) == 0)
        level->links = status.st_nlink;
    char what[PATH_MAX + 128];
    snprintf(what, sizeof(what), "cannot enable the controller %s in cgroup %.*s", word + 1,
             (int)level->length, making->cgroup->path);
    step("%s", what + strlen("cannot "));
    result = check_processes(level, what);
    if (result < 0)
        return result;
    result = write_value(level->fd, "cgroup.subtree_control", word);
    if (result == 0) {
        level->enabled |= UINT64_C(1) << number;
        return 0;
    }
    error_clear();
    fail(-result, "%s", what);
    if (result == -EACCES || result == -EPERM)
        error_hint("it is not delegated to this user");
    return result;
}

static int enable_all(struct making *making)
{
    int result = 0;
    for (size_t i = 0; i + 1 < making->count; i++) {
        for (size_t number = 0; result == 0 && number < making->wish->settings->count; number++)
            result = enable(making, &making->levels[i], number);
    }
    return result;
}

/* Remember where this process is now, and move. */
static int join(struct making *making)
{
    const struct level *level = &making->levels[making->count - 1];
    autocgroup struct cgroup former = NO_CGROUP;
    autotext struct text enabled = {0};
    if (making->former >= 0)
        return 0;
    int result = read_file(level->fd, "cgroup.subtree_control", 4096, &enabled);
    if (result < 0)
        return result;
    if (enabled.length > 0 && !cgroup_is_top(level->fd)) {
        result = fail(EBUSY, "cannot join cgroup %s", making->cgroup->path);
        error_hint(CGROUP_BUSY);
        return result;
    }
    if (cgroup_find(&former, making->process, "") == 0)
        making->former = cgroup_open(&former);
    error_clear();
    return cgroup_join(level->fd, making->cgroup->path);
}

static int write_settings(struct making *making)
{
    const struct text_list *settings = making->wish->settings;
    const struct level *level = &making->levels[making->count - 1];
    char file[64];
    for (size_t i = 0; i < settings->count; i++) {
        const char *value = cgroup_cut(settings->items[i], file, NULL);
        if (making->wish->moot && making->wish->moot(level->fd, settings->items[i]))
            continue;
        if (!level->created && read_file(level->fd, file, 65536, &making->old[i]) < 0)
            error_clear();
        int result = cgroup_write(level->fd, making->cgroup->path, file, value);
        if (result < 0)
            return result;
        making->written = i + 1;
    }
    return 0;
}

static void disable(const struct making *making, const struct level *level)
{
    struct stat status;
    char file[64];
    char word[65] = "-";
    /* Another cgroup has appeared, which would lose its limits. */
    if (level->enabled == 0 || fstat(level->fd, &status) < 0 || status.st_nlink > level->links)
        return;
    for (size_t number = 0; number < making->wish->settings->count; number++) {
        cgroup_cut(making->wish->settings->items[number], file, word + 1);
        if (level->enabled >> number & 1)
            write_value(level->fd, "cgroup.subtree_control", word);
    }
}

/* Whether it could be. A hint belongs to the last failure, which is to be the first one. */
static bool put_back(const struct making *making, const char *file, const char *value)
{
    const struct error kept = *error_get();
    error_clear();
    int result = write_value(making->levels[making->count - 1].fd, file, value);
    error_clear();
    error_adopt(&kept);
    return result == 0;
}

/* In reverse. The first failure stays the recorded one. Controllers go before this process comes
 * back, for it may not be in a cgroup that has enabled some. */
static void undo(const struct making *making)
{
    char *path = making->cgroup->path;
    char file[64];
    for (size_t i = making->written; i-- > 0;) {
        cgroup_cut(making->wish->settings->items[i], file, NULL);
        if (making->old[i].data && !put_back(making, file, making->old[i].data))
            error_hint("%s is changed, and could not be put back", file);
    }
    for (size_t i = making->count; i-- > 0;)
        disable(making, &making->levels[i]);
    if (making->former >= 0)
        write_value(making->former, "cgroup.procs", "0");
    for (size_t i = making->count - 1; i > 0 && making->levels[i].created; i--) {
        path[making->levels[i].length] = '\0';
        unlinkat(making->levels[i - 1].fd, path + making->levels[i - 1].length + 1, AT_REMOVEDIR);
    }
}

static int make(struct making *making)
{
    int result = check_controllers(making);
    if (result == 0)
        result = open_levels(making);
    if (result == 0)
        result = enable_all(making);
    /* Perhaps this very process is in the way, and can go. */
    if (result == -EBUSY && making->wish->join) {
        error_clear();
        result = join(making);
        if (result == 0)
            result = enable_all(making);
    }
    if (result == 0 && !making->wish->only_enable)
        result = write_settings(making);
    if (result == 0 && making->wish->join)
        result = join(making);
    if (result == 0 && making->wish->finish)
        result = making->wish->finish(making->wish->context, making->levels[making->count - 1].fd);
    if (result == 0 && making->wish->delegate)
        result = cgroup_delegate(making->levels[making->count - 1].fd, making->cgroup->path,
                                 making->wish->owner, making->wish->group);
    return result;
}

int cgroup_make(struct cgroup *cgroup, int process, const struct cgroup_wish *wish)
{
    struct making making = {.cgroup = cgroup, .wish = wish, .process = process, .former = -1};
    int result = make(&making);
    if (result < 0 && making.count > 0)
        undo(&making);
    else if (result == 0)
        result = take_fd(&making.levels[making.count - 1].fd);
    for (size_t i = 0; i < making.count; i++)
        close_fd(&making.levels[i].fd);
    for (size_t i = 0; i < wish->settings->count; i++)
        text_free(&making.old[i]);
    close_fd(&making.former);
    return result;
}
