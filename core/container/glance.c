/* Many containers looked at, each with as few system calls as its status can be told by.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Six a container that runs: open, examine and read the record; get hold of the process by what no
 * other one has; open and read the events of its cgroup. Who has ended is asked, and all is
 * closed, for many at once. What is not as `run` and `start` leave it, or is not known of this host
 * yet, is left to lifecycle.c, which knows the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/container/lifecycle.h"
#include "core/linux/sys.h"

#define AT_ONCE 40
#define EACH    3 /* descriptors */
#define ROOM    (16 << 10)

struct glance {
    struct lifecycle_view view;
    struct record record;
    bool sealed;
};

/* What pidfds can do. */
enum pidfs { UNKNOWN, MISSING, INODES, HANDLES };

struct glances {
    struct state_root root;
    struct lifecycle_host host;
    enum pidfs pidfs;
    int self;    /* a pidfd, with HANDLES */
    uid_t owner; /* of all that may be trusted */
    bool brief;
    int (*visit)(void *context, const struct lifecycle_view *view);
    void *context;
    size_t count;
    size_t used; /* of the room for records */
    size_t fd_count;
    struct glance each[AT_ONCE];
    struct pollfd ends[AT_ONCE];
    int fds[AT_ONCE * EACH]; /* open until all of them have been told of */
    char room[ROOM];
};

static int keep(struct glances *all, int fd)
{
    if (fd >= 0)
        all->fds[all->fd_count++] = fd;
    return fd;
}

/* Those that follow each other in one call. */
static void close_all(struct glances *all)
{
    for (size_t i = 0, last; i < all->fd_count; i = last + 1) {
        for (last = i; last + 1 < all->fd_count && all->fds[last + 1] == all->fds[last] + 1; last++)
            ;
        if (last == i || sys_close_range((unsigned)all->fds[i], (unsigned)all->fds[last], 0) < 0) {
            for (size_t at = i; at <= last; at++)
                close_fd(&all->fds[at]);
        }
    }
    all->fd_count = 0;
}

/* The one name and the other, in a path of that size. */
static bool join(char *path, size_t size, const char *name, const char *other)
{
    size_t length = strlen(name);
    size_t rest = strlen(other);
    if (length + rest >= size)
        return false;
    memcpy(path, name, length);
    memcpy(path + length, other, rest);
    path[length + rest] = '\0';
    return true;
}

/* The functions below return whether they could tell; they record nothing. */

static bool read_record(struct glances *all, struct glance *glance)
{
    char path[NAME_MAX + 32];
    char *text = all->room + all->used;
    struct stat status;
    const char *id = glance->view.id;
    if (!join(path, sizeof(path), id, "/" RECORD_NAME))
        return false;
    int fd = keep(all, openat(all->root.fd, path, RECORD_OPEN_FLAGS));
    if (fd < 0 || fstat(fd, &status) < 0 || !record_is_trusted(&status, all->owner) ||
        status.st_size >= (off_t)(ROOM - all->used))
        return false;
    ssize_t length = read(fd, text, (size_t)status.st_size + 1);
    if (length < 0 || length != status.st_size)
        return false;
    text[length] = '\0';
    all->used += (size_t)length + 1;
    glance->sealed = record_is_sealed(&status);
    return record_parse_quickly(&glance->record, id, text, (size_t)length, all->brief) &&
           glance->record.ready;
}

/* What this kernel's pidfds can do is asked of our own, once. Inodes tell processes apart since
 * Linux 6.9, and one can be had by it since 6.14. */
static bool has_pidfs(struct glances *all)
{
    struct statfs system;
    if (all->pidfs == UNKNOWN) {
        autoclose int self = sys_pidfd_open(getpid());
        struct stat status;
        all->pidfs = MISSING;
        if (self >= 0 && fstatfs(self, &system) == 0 && system.f_type == PIDFS_MAGIC &&
            fstat(self, &status) == 0) {
            autoclose int same = sys_pidfs_open(self, status.st_ino);
            all->pidfs = same < 0 ? INODES : HANDLES;
            all->self = take_fd(&same);
        }
    }
    return all->pidfs != MISSING;
}

/* By its pidfd, -1 where there is no such process. Whether it has ended is asked later. */
static bool find_by_pidfd(struct glances *all, const struct record_process *init, int *pidfd)
{
    struct stat status;
    if (all->pidfs == HANDLES) {
        *pidfd = keep(all, sys_pidfs_open(all->self, init->inode));
        return *pidfd >= 0 || errno == ESTALE;
    }
    *pidfd = keep(all, sys_pidfd_open(init->pid));
    /* EINVAL: that is not the first thread of a process. */
    if (*pidfd < 0)
        return errno == ESRCH || errno == EINVAL;
    if (fstat(*pidfd, &status) < 0)
        return false;
    if (status.st_ino != init->inode)
        *pidfd = -1;
    return true;
}

static bool find_process(struct glances *all, struct glance *glance, int *pidfd)
{
    const struct record_process *init = &glance->record.init;
    bool fresh = false;
    if (glance->sealed && init->inode && has_pidfs(all) && find_by_pidfd(all, init, pidfd)) {
        glance->view.status = *pidfd < 0 ? STATUS_STOPPED : STATUS_RUNNING;
        return true;
    }
    *pidfd = -1;
    int alive = all->host.proc < 0 ? -1 : lifecycle_is_alive(all->host.proc, init, &fresh);
    error_clear();
    glance->view.status = alive <= 0 ? STATUS_STOPPED : fresh ? STATUS_CREATED : STATUS_RUNNING;
    return alive >= 0;
}

/* Its cgroup stays as long as the process is there: of one that is asked later whether it has
 * ended, no other cgroup can have taken the place and the name. */
static bool find_frozen(struct glances *all, const struct glance *glance, bool later, bool *frozen)
{
    const struct record *record = &glance->record;
    const struct cgroup *mount = &all->host.cgroup;
    const char *name = record->cgroup + 1;
    char path[PATH_MAX];
    char events[256];
    struct stat status;
    if (glance->view.status == STATUS_STOPPED || !record->cgroup[0])
        return true;
    if (mount->root < 0 || !name[0] || !join(path, sizeof(path), name, "/cgroup.events"))
        return false;
    if (!later && (fstatat(mount->root, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
                   status.st_ino != record->cgroup_inode))
        return false;
    int fd = keep(all, openat(mount->root, path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
    ssize_t length = fd < 0 ? -1 : read(fd, events, sizeof(events) - 1);
    if (length <= 0)
        return false;
    events[length] = '\0';
    *frozen = strstr(events, "frozen 1") != NULL;
    return true;
}

static bool look(struct glances *all, const char *id)
{
    struct glance *glance = &all->each[all->count];
    struct pollfd *end = &all->ends[all->count];
    const struct record *record = &glance->record;
    bool frozen = false;
    *glance = (struct glance){.view = {.id = id, .record = record, .status = STATUS_STOPPED}};
    *end = (struct pollfd){.fd = -1, .events = POLLIN};
    if (!all->host.boot[0] || !read_record(all, glance))
        return false;
    if (strcmp(record->boot, all->host.boot) != 0)
        return true;
    if (!find_process(all, glance, &end->fd) || !find_frozen(all, glance, end->fd >= 0, &frozen))
        return false;
    if (frozen)
        glance->view.status = STATUS_PAUSED;
    return true;
}

/* All that lifecycle.c knows. */
static int look_closely(struct glances *all, const char *id)
{
    autolifecycle struct lifecycle lifecycle = NO_LIFECYCLE;
    autostate struct state state = NO_STATE;
    int result = state_open_below(&state, &all->root, id);
    /* Removed since. */
    if ((result == -ENOENT || result == -ENOTDIR) && !error_is_set())
        return 0;
    if (result < 0)
        return result;
    result = lifecycle_take(&lifecycle, &state, &all->host);
    struct lifecycle_view view = {id, &lifecycle.record, lifecycle.status};
    /* Deleted while we were looking, or somebody is at it; then there is nothing to tell. */
    if (result < 0 && (lifecycle.status == STATUS_CREATING || state_is_gone(&lifecycle.state))) {
        error_clear();
        return 0;
    }
    if (result < 0)
        view.record = NULL;
    return all->visit(all->context, &view);
}

/* In their order. */
static int tell(struct glances *all)
{
    int result = 0;
    int ended;
    do
        ended = all->count ? poll(all->ends, all->count, 0) : 0;
    while (ended < 0 && errno == EINTR);
    for (size_t i = 0; result == 0 && i < all->count; i++) {
        struct lifecycle_view *view = &all->each[i].view;
        if (all->ends[i].revents)
            view->status = STATUS_STOPPED;
        result = ended < 0 ? look_closely(all, view->id) : all->visit(all->context, view);
    }
    close_all(all);
    all->count = all->used = 0;
    return result;
}

static int visit(struct glances *all, const char *id)
{
    if (look(all, id))
        return ++all->count < AT_ONCE ? 0 : tell(all);
    /* There may have been too little room for it, or too few descriptors. */
    bool again = all->count > 0;
    int result = tell(all);
    if (result == 0 && again && look(all, id))
        return all->count++, 0;
    close_all(all);
    return result < 0 ? result : look_closely(all, id);
}

int lifecycle_each(const char *root, bool brief,
                   int (*tell_of)(void *context, const struct lifecycle_view *view), void *context)
{
    /* The large parts are not touched before they are needed. */
    struct glances all;
    all.root = NO_STATE_ROOT;
    all.host = NO_LIFECYCLE_HOST;
    all.pidfs = UNKNOWN;
    all.self = -1;
    all.owner = geteuid();
    all.brief = brief;
    all.visit = tell_of;
    all.context = context;
    all.count = all.used = all.fd_count = 0;
    int result = state_open_root(&all.root, root, false);
    for (size_t i = 0; result == 0 && i < all.root.count; i++)
        result = visit(&all, all.root.names[i]);
    if (result == 0)
        result = tell(&all);
    close_all(&all);
    close_fd(&all.self);
    lifecycle_host_close(&all.host);
    state_close_root(&all.root);
    return result;
}
