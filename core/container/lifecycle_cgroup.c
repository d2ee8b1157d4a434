/* The cgroup of a container that exists.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"
#include "core/container/resources.h"
#include "core/linux/cgroup.h"

/* Milliseconds that freezing may take: a process in the kernel is not interrupted for it. */
#define PATIENCE 10000

static int open_self(const struct lifecycle *lifecycle)
{
    int self = openat(lifecycle->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return self < 0 ? fail(errno, "cannot open /proc/self") : self;
}

int lifecycle_fail_without_cgroup(const struct lifecycle *lifecycle)
{
    return fail_state(ENOENT, "%s: the container has no cgroup of its own",
                      state_id(&lifecycle->state));
}

/* Open it. Once it is empty, another container's may have taken its place and name. inode: 0: not
 * known. Returns its descriptor, or as below. */
static int open_checked(struct cgroup *cgroup, uint64_t inode)
{
    struct stat status;
    autoclose int fd = cgroup_open(cgroup);
    if (fd == -ENOENT) {
        error_clear();
        return -ENOENT;
    }
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return fail(errno, "cannot examine cgroup %s", cgroup->path);
    return !inode || status.st_ino == inode ? take_fd(&fd) : -ENOENT;
}

static int find_place(const struct lifecycle *lifecycle, const char *path, struct cgroup *cgroup)
{
    struct lifecycle_host *host = lifecycle->host;
    if (host && host->cgroup.root >= 0)
        return cgroup_beside(cgroup, &host->cgroup, path);
    autoclose int self = open_self(lifecycle);
    if (self < 0)
        return self;
    int result = cgroup_find(cgroup, self, path);
    return result == 0 && host ? cgroup_beside(&host->cgroup, cgroup, "/") : result;
}

/* Find and open the one that is there. Returns its descriptor, -ENOENT (not recorded) where there
 * is none, or a negative errno (recorded). */
static int find_there(const struct lifecycle *lifecycle, const char *path, uint64_t inode,
                      struct cgroup *cgroup)
{
    int result = find_place(lifecycle, path, cgroup);
    return result < 0 ? result : open_checked(cgroup, inode);
}

/* That of the container. Results likewise. */
static int find_cgroup(const struct lifecycle *lifecycle, struct cgroup *cgroup)
{
    const struct record *record = &lifecycle->record;
    if (!lifecycle->recorded || !lifecycle->this_boot || !record->cgroup[0])
        return -ENOENT;
    return find_there(lifecycle, record->cgroup, record->cgroup_inode, cgroup);
}

int lifecycle_open_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    return find_cgroup(lifecycle, &cgroup);
}

int lifecycle_open_subcgroup(const struct lifecycle *lifecycle, const char *path)
{
    autoclose int top = lifecycle_open_cgroup(lifecycle);
    if (top == -ENOENT && !error_is_set())
        return lifecycle_fail_without_cgroup(lifecycle);
    return top < 0 ? top : cgroup_open_below(top, path);
}

/* The kernel takes no processes beside cgroups that have been given controllers. What an init of
 * the container has moved into, before it gave them away, is still the container's. */
int lifecycle_open_own_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autocgroup struct cgroup own = NO_CGROUP;
    char pid[16];
    autoclose int top = find_cgroup(lifecycle, &cgroup);
    if (top < 0)
        return top;
    snprintf(pid, sizeof(pid), "%d", (int)lifecycle->record.init.pid);
    autoclose int process = openat(lifecycle->proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0 || !cgroup_holds(&cgroup, process))
        return -ENOENT;
    int result = cgroup_find(&own, process, "");
    return result < 0 ? result : cgroup_open(&own);
}

/* Who was killed between noting the path and making the cgroup has nobody in it: one that is in
 * use, or about to be, is somebody else's. */
static int remove_unsure(struct cgroup *cgroup, int *fd)
{
    int result = cgroup_lock(fd, 0);
    if (result == 0 && cgroup_is(cgroup, *fd))
        result = cgroup_delete(cgroup);
    if (result == -ENOENT || result == -EAGAIN || result == -EBUSY) {
        error_clear();
        return 0;
    }
    return result < 0 && !error_is_set() ? fail(-result, "cannot lock cgroup %s", cgroup->path)
                                         : result;
}

/* Whatever is in it is killed. Somebody who wants the name may look whether it can be removed. */
static int end(struct cgroup *cgroup, int *fd)
{
    int result = cgroup_lock(fd, PATIENCE);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return fail(-result, "cannot lock cgroup %s", cgroup->path);
    return cgroup_is(cgroup, *fd) ? cgroup_end(cgroup) : 0;
}

/* Until the record has it, it is noted. */
int lifecycle_end_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autotext struct text note = {0};
    const char *path = NULL;
    uint64_t inode = 1;
    autoclose int fd = find_cgroup(lifecycle, &cgroup);
    bool known = lifecycle->recorded && (!lifecycle->this_boot || lifecycle->record.cgroup[0]);
    if (!known) {
        fd = record_read_note(&lifecycle->state, &note, &path, &inode);
        if (fd == 0)
            fd = find_there(lifecycle, path, inode, &cgroup);
    }
    if (fd == -ENOENT && !error_is_set())
        return 0;
    if (fd < 0)
        return fd;
    return inode ? end(&cgroup, &fd) : remove_unsure(&cgroup, &fd);
}

int lifecycle_signal_cgroup(const struct lifecycle *lifecycle, int number)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autoclose int fd = find_cgroup(lifecycle, &cgroup);
    if (fd < 0)
        return fd;
    return number == SIGKILL ? cgroup_kill(&cgroup) : cgroup_signal(&cgroup, number);
}

int lifecycle_is_frozen(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autoclose int fd = find_cgroup(lifecycle, &cgroup);
    if (fd == -ENOENT && !error_is_set())
        return 0;
    int result = fd < 0 ? fd : cgroup_is_frozen(fd);
    if (result != -ENOENT && result != -ENODEV)
        return result;
    /* Somebody has removed it. */
    error_clear();
    return 0;
}

int lifecycle_freeze(const struct lifecycle *lifecycle, bool freeze)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    if (lifecycle->status == STATUS_STOPPED || lifecycle->status == STATUS_CREATING)
        return lifecycle_fail_not_running(lifecycle);
    if (!freeze && lifecycle->status != STATUS_PAUSED)
        return fail_state(EINVAL, "%s: container not paused", state_id(&lifecycle->state));
    autoclose int fd = find_cgroup(lifecycle, &cgroup);
    if (fd < 0)
        return error_is_set() ? fd : lifecycle_fail_without_cgroup(lifecycle);
    return freeze ? cgroup_freeze(&cgroup, PATIENCE) : cgroup_thaw(&cgroup, PATIENCE);
}

int lifecycle_update(const struct lifecycle *lifecycle, const struct resources *resources)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    if (lifecycle->status == STATUS_STOPPED || lifecycle->status == STATUS_CREATING)
        return lifecycle_fail_not_running(lifecycle);
    autoclose int fd = find_cgroup(lifecycle, &cgroup);
    if (fd < 0)
        return error_is_set() ? fd : lifecycle_fail_without_cgroup(lifecycle);
    /* So that a `run` in the foreground does not remove it meanwhile. */
    int result = cgroup_lock(&fd, PATIENCE);
    if (result < 0)
        return error_is_set() ? result : fail(-result, "cannot lock cgroup %s", cgroup.path);
    if (!cgroup_is(&cgroup, fd))
        return lifecycle_fail_without_cgroup(lifecycle);
    autoclose int self = open_self(lifecycle);
    return self < 0 ? self : resources_update(&cgroup, self, resources);
}
