/* The cgroup of a container that exists.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"
#include "core/linux/cgroup.h"

/* Milliseconds that freezing may take: a process in the kernel is not interrupted for it. */
#define PATIENCE 10000

/* Once it is empty, another container's may have taken its place and name. inode: 0: not known.
 * Results as below. */
static int check_inode(struct cgroup *cgroup, uint64_t inode)
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
    return !inode || status.st_ino == inode ? 0 : -ENOENT;
}

/* Find the one that is there. Returns 0, -ENOENT (not recorded) where there is none, or a negative
 * errno (recorded). */
static int find_there(const struct lifecycle *lifecycle, const char *path, uint64_t inode,
                      struct cgroup *cgroup)
{
    autoclose int self = openat(lifecycle->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (self < 0)
        return fail(errno, "cannot open /proc/self");
    int result = cgroup_find(cgroup, self, path);
    return result < 0 ? result : check_inode(cgroup, inode);
}

/* Find that of the container. Results likewise. */
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
    int result = find_cgroup(lifecycle, &cgroup);
    return result < 0 ? result : cgroup_open(&cgroup);
}

/* Who was killed between noting the path and making the cgroup has nobody in it: one that is in
 * use, or about to be, is somebody else's. */
static int remove_unsure(struct cgroup *cgroup)
{
    autoclose int fd = cgroup_open(cgroup);
    int result = fd < 0 ? fd : cgroup_lock(&fd, 0);
    if (result == 0 && cgroup_is(cgroup, fd))
        result = cgroup_delete(cgroup);
    if (result == -ENOENT || result == -EAGAIN || result == -EBUSY) {
        error_clear();
        return 0;
    }
    return result < 0 && !error_is_set() ? fail(-result, "cannot lock cgroup %s", cgroup->path)
                                         : result;
}

/* Whatever is in it is killed. Somebody who wants the name may look whether it can be removed. */
static int end(struct cgroup *cgroup)
{
    autoclose int fd = cgroup_open(cgroup);
    int result = fd < 0 ? fd : cgroup_lock(&fd, PATIENCE);
    if (result == -ENOENT) {
        error_clear();
        return 0;
    }
    if (result < 0)
        return error_is_set() ? result : fail(-result, "cannot lock cgroup %s", cgroup->path);
    return cgroup_is(cgroup, fd) ? cgroup_end(cgroup) : 0;
}

/* Until the record has it, it is noted. */
int lifecycle_end_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autotext struct text note = {0};
    const char *path = NULL;
    uint64_t inode = 1;
    int result = find_cgroup(lifecycle, &cgroup);
    if (lifecycle->recorded && lifecycle->this_boot && !lifecycle->record.cgroup[0]) {
        result = record_read_note(&lifecycle->state, &note, &path, &inode);
        if (result == 0)
            result = find_there(lifecycle, path, inode, &cgroup);
    }
    if (result == -ENOENT && !error_is_set())
        return 0;
    if (result < 0)
        return result;
    return inode ? end(&cgroup) : remove_unsure(&cgroup);
}

int lifecycle_signal_cgroup(const struct lifecycle *lifecycle, int number)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    int result = find_cgroup(lifecycle, &cgroup);
    if (result < 0)
        return result;
    return number == SIGKILL ? cgroup_kill(&cgroup) : cgroup_signal(&cgroup, number);
}

int lifecycle_is_frozen(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    int result = find_cgroup(lifecycle, &cgroup);
    if (result == -ENOENT && !error_is_set())
        return 0;
    result = result < 0 ? result : cgroup_is_frozen(&cgroup);
    if (result != -ENOENT)
        return result;
    /* Somebody has removed it. */
    error_clear();
    return 0;
}

int lifecycle_freeze(const struct lifecycle *lifecycle, bool freeze)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    const char *id = state_id(&lifecycle->state);
    if (lifecycle->status == STATUS_STOPPED || lifecycle->status == STATUS_CREATING)
        return fail_state(ESRCH, "%s: container not running", id);
    if (!freeze && lifecycle->status != STATUS_PAUSED)
        return fail_state(EINVAL, "%s: container not paused", id);
    int result = find_cgroup(lifecycle, &cgroup);
    if (result == -ENOENT && !error_is_set())
        return fail_state(ENOENT, "%s: the container has no cgroup of its own", id);
    if (result < 0)
        return result;
    return freeze ? cgroup_freeze(&cgroup, PATIENCE) : cgroup_thaw(&cgroup, PATIENCE);
}
