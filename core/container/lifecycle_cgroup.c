/* The cgroup of a container that exists.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/* Once it is empty, another container's may have taken its place and name. Results as below. */
static int check_inode(const struct lifecycle *lifecycle, struct cgroup *cgroup)
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
    return status.st_ino == lifecycle->record.cgroup_inode ? 0 : -ENOENT;
}

/* Find it. Returns 0, -ENOENT (not recorded) where it has none, or a negative errno (recorded). */
static int find_cgroup(const struct lifecycle *lifecycle, struct cgroup *cgroup)
{
    if (!lifecycle->recorded || !lifecycle->this_boot || !lifecycle->record.cgroup[0])
        return -ENOENT;
    autoclose int self = openat(lifecycle->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (self < 0)
        return fail(errno, "cannot open /proc/self");
    int result = cgroup_find(cgroup, self, lifecycle->record.cgroup);
    return result < 0 ? result : check_inode(lifecycle, cgroup);
}

int lifecycle_open_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    int result = find_cgroup(lifecycle, &cgroup);
    return result < 0 ? result : cgroup_open(&cgroup);
}

/* Whatever is in it is killed. Somebody who wants the name may look whether it can be removed. */
int lifecycle_end_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    int result = find_cgroup(lifecycle, &cgroup);
    if (result == -ENOENT && !error_is_set())
        return 0;
    if (result < 0)
        return result;
    autoclose int fd = cgroup_open(&cgroup);
    result = fd < 0 ? fd : cgroup_lock(&fd, PATIENCE);
    if (result == -ENOENT) {
        error_clear();
        return 0;
    }
    if (result < 0)
        return error_is_set() ? result : fail(-result, "cannot lock cgroup %s", cgroup.path);
    return cgroup_is(&cgroup, fd) ? cgroup_end(&cgroup) : 0;
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

static int fail_without(const struct lifecycle *lifecycle)
{
    return fail_state(ENOENT, "%s: the container has no cgroup of its own",
                      state_id(&lifecycle->state));
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
    if (result < 0)
        return error_is_set() ? result : fail_without(lifecycle);
    return freeze ? cgroup_freeze(&cgroup, PATIENCE) : cgroup_thaw(&cgroup, PATIENCE);
}

int lifecycle_update(const struct lifecycle *lifecycle, const struct resources *resources)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    if (lifecycle->status == STATUS_STOPPED || lifecycle->status == STATUS_CREATING)
        return fail_state(ESRCH, "%s: container not running", state_id(&lifecycle->state));
    int result = find_cgroup(lifecycle, &cgroup);
    if (result < 0)
        return error_is_set() ? result : fail_without(lifecycle);
    /* So that a `run` in the foreground does not remove it meanwhile. */
    autoclose int fd = cgroup_open(&cgroup);
    result = fd < 0 ? fd : cgroup_lock(&fd, PATIENCE);
    if (result < 0)
        return error_is_set() ? result : fail(-result, "cannot lock cgroup %s", cgroup.path);
    if (!cgroup_is(&cgroup, fd))
        return fail_without(lifecycle);
    autoclose int self = openat(lifecycle->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (self < 0)
        return fail(errno, "cannot open /proc/self");
    return resources_update(&cgroup, self, resources);
}
