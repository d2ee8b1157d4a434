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

static int open_self(const struct lifecycle *lifecycle)
{
    int self = openat(lifecycle->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return self < 0 ? fail(errno, "cannot open /proc/self") : self;
}

/* Of many containers, the mount is looked for once. Results as below. */
static int find_place(const struct lifecycle *lifecycle, struct cgroup *cgroup)
{
    struct lifecycle_view *view = lifecycle->view;
    const char *path = lifecycle->record.cgroup;
    if (view && view->tree.root >= 0)
        return cgroup_beside(cgroup, &view->tree, path);
    autoclose int self = open_self(lifecycle);
    if (self < 0)
        return self;
    if (!view)
        return cgroup_find(cgroup, self, path);
    int result = cgroup_find(&view->tree, self, "/");
    return result < 0 ? result : cgroup_beside(cgroup, &view->tree, path);
}

/* Find it, and open it. Returns an O_PATH descriptor, -ENOENT (not recorded) where it has none, or
 * another negative errno (recorded). */
static int open_cgroup(const struct lifecycle *lifecycle, struct cgroup *cgroup)
{
    struct stat status;
    if (!lifecycle->recorded || !lifecycle->this_boot || !lifecycle->record.cgroup[0])
        return -ENOENT;
    int result = find_place(lifecycle, cgroup);
    if (result < 0)
        return result;
    autoclose int fd = cgroup_open(cgroup);
    if (fd == -ENOENT)
        error_clear();
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return fail(errno, "cannot examine cgroup %s", cgroup->path);
    /* Once it is empty, another container's may have taken its place and name. */
    return status.st_ino == lifecycle->record.cgroup_inode ? take_fd(&fd) : -ENOENT;
}

int lifecycle_open_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    return open_cgroup(lifecycle, &cgroup);
}

/* Whatever is in it is killed. Somebody who wants the name may look whether it can be removed. */
int lifecycle_end_cgroup(const struct lifecycle *lifecycle)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autoclose int fd = open_cgroup(lifecycle, &cgroup);
    int result = fd < 0 ? fd : cgroup_lock(&fd, PATIENCE);
    if (result == -ENOENT && !error_is_set())
        return 0;
    if (result < 0)
        return error_is_set() ? result : fail(-result, "cannot lock cgroup %s", cgroup.path);
    return cgroup_is(&cgroup, fd) ? cgroup_end(&cgroup) : 0;
}

int lifecycle_signal_cgroup(const struct lifecycle *lifecycle, int number)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    autoclose int fd = open_cgroup(lifecycle, &cgroup);
    if (fd < 0)
        return fd;
    return number == SIGKILL ? cgroup_kill(&cgroup) : cgroup_signal(&cgroup, number);
}

int lifecycle_is_frozen(const struct lifecycle *lifecycle)
{
    autoclose int fd = lifecycle_open_cgroup(lifecycle);
    if (fd == -ENOENT && !error_is_set())
        return 0;
    int result = fd < 0 ? fd : cgroup_is_frozen(fd);
    if (result != -ENOENT && result != -ENODEV)
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
    autoclose int fd = open_cgroup(lifecycle, &cgroup);
    if (fd < 0)
        return error_is_set() ? fd : fail_without(lifecycle);
    return freeze ? cgroup_freeze(&cgroup, PATIENCE) : cgroup_thaw(&cgroup, PATIENCE);
}

int lifecycle_update(const struct lifecycle *lifecycle, const struct resources *resources)
{
    autocgroup struct cgroup cgroup = NO_CGROUP;
    if (lifecycle->status == STATUS_STOPPED || lifecycle->status == STATUS_CREATING)
        return fail_state(ESRCH, "%s: container not running", state_id(&lifecycle->state));
    autoclose int fd = open_cgroup(lifecycle, &cgroup);
    if (fd < 0)
        return error_is_set() ? fd : fail_without(lifecycle);
    /* So that a `run` in the foreground does not remove it meanwhile. */
    int result = cgroup_lock(&fd, PATIENCE);
    if (result < 0)
        return error_is_set() ? result : fail(-result, "cannot lock cgroup %s", cgroup.path);
    if (!cgroup_is(&cgroup, fd))
        return fail_without(lifecycle);
    autoclose int self = open_self(lifecycle);
    return self < 0 ? self : resources_update(&cgroup, self, resources);
}
