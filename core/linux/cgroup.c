/* Control groups of version 2: where they are, and entering them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/cgroup_parts.h"
#include "core/linux/mountinfo.h"
#include "core/linux/path.h"
#include "core/linux/sys.h"

void cgroup_close(struct cgroup *cgroup)
{
    close_fd(&cgroup->root);
}

int cgroup_check_path(const char *path)
{
    return strcmp(path, "/") == 0 || (*path && path_is_plain(path + (*path == '/')))
               ? 0
               : fail_usage("'%s' is not the path of a cgroup", path);
}

/* The cgroup of a process in the tree of version 2, as its line of /proc/PID/cgroup has it,
 * "0::/a". It lies in *text. */
static int read_own(int process, struct text *text, char **own)
{
    int result = read_file(process, "cgroup", 65536, text);
    if (result < 0)
        return result;
    char *line = starts_with(text->data, "0::/") ? text->data : strstr(text->data, "\n0::/");
    if (!line)
        return fail(ENOENT, "the process is in no cgroup of version 2");
    *own = strchr(line, '/');
    (*own)[strcspn(*own, "\n")] = '\0';
    return 0;
}

/* What is left of a path when `top` is taken off: "" or "/...". NULL when it is not below; both may
 * be outside of the cgroup namespace, where the kernel writes "/..". */
static const char *below(const char *path, const char *top)
{
    size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(path, top, length) != 0 || (path[length] != '/' && path[length]))
        return NULL;
    path += length;
    return starts_with(path, "/..") ? NULL : path + (strcmp(path, "/") == 0);
}

/* Open the mount that shows the process's own cgroup, or else the first one. Others can be hidden
 * by what is mounted on top. *inside: the own cgroup as seen there, or NULL. */
static int find_mount(struct cgroup *cgroup, const char *own, const char **inside)
{
    autotext struct text text = {0};
    struct mountinfo mount;
    int more = read_file(AT_FDCWD, "/proc/self/mountinfo", 64 << 20, &text);
    if (more < 0)
        return more;
    for (char *rest = text.data; !*inside && (more = mountinfo_next(&rest, &mount)) != 0;) {
        uint64_t id;
        if (more < 0 || strcmp(mount.type, "cgroup2") != 0)
            continue;
        const char *seen = below(own, mount.root);
        if (cgroup->root >= 0 && !seen)
            continue;
        autoclose int fd = open(mount.point, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || sys_mount_id(fd, &id) < 0 || id != mount.id)
            continue;
        close_fd(&cgroup->root);
        cgroup->root = take_fd(&fd);
        cgroup->mount = (size_t)snprintf(cgroup->path, PATH_MAX, "%s", mount.point);
        *inside = seen;
    }
    if (cgroup->root >= 0)
        return 0;
    int result = fail(ENOENT, "cannot find cgroups of version 2: none are mounted");
    error_hint("mount -t cgroup2 cgroup2 DIR; for limits boot with "
               "systemd.unified_cgroup_hierarchy=1, since version 1 has the controllers");
    return result;
}

int cgroup_find(struct cgroup *cgroup, int process, const char *path)
{
    autotext struct text text = {0};
    const char *inside = NULL;
    char *own = NULL;
    *cgroup = NO_CGROUP;
    int result = read_own(process, &text, &own);
    if (result == 0)
        result = find_mount(cgroup, own, &inside);
    if (result < 0)
        return result;
    if (*path != '/' && !inside) {
        result = fail(ENOENT, "the cgroup %s is not below %s", own, cgroup->path);
        error_hint("mount a cgroup2 in this cgroup namespace, or give an absolute PATH");
        return result;
    }
    const char *from = *path == '/' ? "" : inside;
    path += *path == '/';
    int length = snprintf(cgroup->path + cgroup->mount, PATH_MAX - cgroup->mount, "%s%s%s", from,
                          *path ? "/" : "", path);
    return (size_t)length < PATH_MAX - cgroup->mount ? 0
                                                     : fail(ENAMETOOLONG, "cannot use %s", path);
}

int cgroup_beside(struct cgroup *cgroup, const struct cgroup *found, const char *path)
{
    *cgroup = NO_CGROUP;
    cgroup->root = fcntl(found->root, F_DUPFD_CLOEXEC, 0);
    if (cgroup->root < 0)
        return fail(errno, "cannot open cgroup %s", path);
    cgroup->mount = found->mount;
    int length = snprintf(cgroup->path, PATH_MAX, "%.*s%s", (int)found->mount, found->path,
                          strcmp(path, "/") == 0 ? "" : path);
    return length < PATH_MAX ? 0 : fail(ENAMETOOLONG, "cannot use %s", path);
}

int cgroup_step(int parent, const char *name, bool exclusive, bool *created)
{
    struct statfs system;
    if (created && mkdirat(parent, name, 0755) == 0)
        *created = true;
    else if (created && (errno != EEXIST || exclusive))
        return -errno;
    autoclose int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &system) < 0)
        return -errno;
    /* Something is mounted there. */
    return system.f_type == CGROUP2_SUPER_MAGIC ? take_fd(&fd) : -EXDEV;
}

/* Walk down to `last`, which is where a component of its path ends. */
static int walk(struct cgroup *cgroup, const char *last)
{
    autoclose int at = -1;
    int result = 0;
    for (char *component = cgroup->path + cgroup->mount; result == 0 && component < last;) {
        char *end = component + 1 + strcspn(component + 1, "/");
        char separator = *end;
        *end = '\0';
        int next = cgroup_step(at < 0 ? cgroup->root : at, component + 1, false, NULL);
        *end = separator;
        close_fd(&at);
        at = next;
        result = next < 0 ? next : 0;
        component = end;
    }
    if (result == 0 && at < 0) {
        at = fcntl(cgroup->root, F_DUPFD_CLOEXEC, 0);
        result = at < 0 ? -errno : 0;
    }
    return result < 0 ? fail(-result, "cannot open cgroup %s", cgroup->path) : take_fd(&at);
}

int cgroup_open_parent(struct cgroup *cgroup, const char **name)
{
    const char *slash = strrchr(cgroup->path + cgroup->mount, '/');
    *name = slash ? slash + 1 : ".";
    return walk(cgroup, slash ? slash : cgroup->path);
}

int cgroup_open(struct cgroup *cgroup)
{
    const struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    const char *path = cgroup->path + cgroup->mount;
    /* Whatever is in the way of this (a filter, too) is told by the walk. */
    int found = path[0] == '/' && path[1] ? sys_openat2(cgroup->root, path + 1, &how) : -1;
    if (found >= 0)
        return found;
    return walk(cgroup, cgroup->path + strlen(cgroup->path));
}

int cgroup_open_below(int top, const char *path)
{
    autoclose int at = fcntl(top, F_DUPFD_CLOEXEC, 0);
    const char *part = path + (*path == '/');
    char name[NAME_MAX + 1];
    int result = at < 0 ? -errno : 0;
    while (result == 0 && *part) {
        size_t length = strcspn(part, "/");
        if (length >= sizeof(name)) {
            result = -ENAMETOOLONG;
            break;
        }
        snprintf(name, sizeof(name), "%.*s", (int)length, part);
        int next = cgroup_step(at, name, false, NULL);
        close_fd(&at);
        at = next;
        result = next < 0 ? next : 0;
        part += length + (part[length] == '/');
    }
    return result < 0 ? fail(-result, "cannot open the container's cgroup %s", path) : take_fd(&at);
}

int cgroup_gives_controllers(int directory)
{
    autotext struct text text = {0};
    int result = read_file(directory, "cgroup.subtree_control", 4096, &text);
    return result < 0 ? result : text.length > 1;
}

bool cgroup_number(const char *lines, const char *key, uint64_t *number)
{
    size_t length = strlen(key);
    for (const char *line = lines; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            *number = strtoull(line + length + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

int cgroup_join(int directory, const char *path)
{
    step("join the cgroup %s", path);
    int result = write_value(directory, "cgroup.procs", "0");
    if (result == 0)
        return 0;
    error_clear();
    fail(-result, "cannot join cgroup %s", path);
    if (result == -EBUSY)
        error_hint(CGROUP_BUSY);
    else if (result == -EOPNOTSUPP)
        error_hint("it is below a threaded one");
    else
        error_hint("cgroup.procs must be writable there, and in the nearest cgroup above both this "
                   "one and the present one");
    return result;
}

int cgroup_holds(const struct cgroup *cgroup, int process)
{
    autocgroup struct cgroup own;
    int result = cgroup_find(&own, process, "");
    if (result < 0) {
        /* Not below the mount. */
        error_clear();
        return 0;
    }
    return below(own.path, cgroup->path) != NULL;
}
