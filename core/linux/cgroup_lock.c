/* Who may remove a cgroup: whoever has its lock, while it is still what its path leads to.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/cgroup.h"

int cgroup_lock(int *fd, unsigned milliseconds)
{
    autoclose int locked = openat(*fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (locked < 0)
        return -errno;
    for (unsigned i = 0; flock(locked, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK || i >= milliseconds)
            return -errno;
        poll(NULL, 0, 1);
    }
    close_fd(fd);
    *fd = take_fd(&locked);
    return 0;
}

bool cgroup_is(struct cgroup *cgroup, int fd)
{
    struct error record = *error_get();
    struct stat own;
    struct stat present;
    error_clear();
    autoclose int found = cgroup_open(cgroup);
    bool same = found >= 0 && fstat(found, &present) == 0 && fstat(fd, &own) == 0 &&
                own.st_ino == present.st_ino && own.st_dev == present.st_dev;
    error_clear();
    if (record.kind)
        error_adopt(&record);
    return same;
}
