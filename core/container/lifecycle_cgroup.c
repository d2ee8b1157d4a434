/* The cgroup of a container that exists.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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

int lifecycle_open_subcgroup(const struct lifecycle *lifecycle, const char *path)
{
    autoclose int top = lifecycle_open_cgroup(lifecycle);
    if (top == -ENOENT && !error_is_set())
        return fail_state(ENOENT, "%s: the container has no cgroup of its own",
                          state_id(&lifecycle->state));
    return top < 0 ? top : cgroup_open_below(top, path);
}

/* The kernel takes no processes beside cgroups that have been given controllers. What an init of
 * the container has moved into, before it gave them away, is still the container's. */
int lifecycle_open_own_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autocgroup struct cgroup own = NO_CGROUP;
    char pid[16];
    int result = find_cgroup(lifecycle, &cgroup);
    if (result < 0)
        return result;
    snprintf(pid, sizeof(pid), "%d", (int)lifecycle->record.init.pid);
    autoclose int process = openat(lifecycle->proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0 || !cgroup_holds(&cgroup, process))
        return -ENOENT;
    result = cgroup_find(&own, process, "");
    return result < 0 ? result : cgroup_open(&own);
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
