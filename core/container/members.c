/* Which processes are a container's, as far as namespaces and parents tell.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"
#include "core/linux/namespace.h"
#include "core/linux/process_status.h"

#define PROCESSES_MAX (1U << 22)

/* What the search is for. */
struct search {
    const struct lifecycle *lifecycle;
    uint64_t inode; /* of the container's pid namespace; 0: it is ours */
    pid_t *pids;
    size_t count;
    size_t room;
};

/* Its pid namespace, unless it is our own. Returns 0 or -ESRCH (not recorded). */
static int find_namespace(struct search *search)
{
    const struct lifecycle *lifecycle = search->lifecycle;
    uint64_t own = 0;
    int result =
        namespace_inode(lifecycle->proc, lifecycle->record.init.pid, NAMESPACE_PID, &search->inode);
    if (result == 0)
        result = namespace_inode(lifecycle->proc, getpid(), NAMESPACE_PID, &own);
    if (search->inode == own)
        search->inode = 0;
    return result < 0 ? -ESRCH : 0;
}

/* Does it descend from the container's first process? Orphans do not, any more. */
static bool descends(const struct lifecycle *lifecycle, pid_t pid)
{
    struct process_stat stat = {.parent = pid};
    for (unsigned depth = 0; depth < PROCESSES_MAX && stat.parent > 1; depth++) {
        if (stat.parent == lifecycle->record.init.pid)
            return true;
        if (process_stat_read(lifecycle->proc, stat.parent, &stat) < 0) {
            error_clear();
            return false;
        }
    }
    return false;
}

static bool belongs(const struct search *search, pid_t pid)
{
    return search->inode ? namespace_is_below(search->lifecycle->proc, pid, search->inode) > 0
                         : descends(search->lifecycle, pid);
}

bool lifecycle_has(const struct lifecycle *lifecycle, pid_t pid)
{
    struct search search = {.lifecycle = lifecycle};
    return find_namespace(&search) == 0 && belongs(&search, pid);
}

static int add(struct search *search, pid_t pid)
{
    if (search->count == search->room) {
        size_t room = search->room ? search->room * 2 : 64;
        pid_t *pids = realloc(search->pids, room * sizeof(*pids));
        if (!pids)
            return fail(ENOMEM, "cannot list processes");
        search->pids = pids;
        search->room = room;
    }
    search->pids[search->count++] = pid;
    return 0;
}

static int compare(const void *a, const void *b)
{
    pid_t first = *(const pid_t *)a;
    pid_t second = *(const pid_t *)b;
    return first < second ? -1 : first > second;
}

static int search_all(struct search *search)
{
    int copy = openat(search->lifecycle->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int result = fail(errno, "cannot list processes");
        close_fd(&copy);
        return result;
    }
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (errno = 0, entry = readdir(directory))) {
        uint32_t pid;
        if (parse_u32(entry->d_name, PROCESSES_MAX, &pid) == 0 && belongs(search, (pid_t)pid))
            result = add(search, (pid_t)pid);
    }
    if (result == 0 && errno)
        result = fail(errno, "cannot list processes");
    closedir(directory);
    return result;
}

int lifecycle_pids(const struct lifecycle *lifecycle, pid_t **pids, size_t *count)
{
    struct search search = {.lifecycle = lifecycle};
    int result = 0;
    *pids = NULL;
    *count = 0;
    if (lifecycle->recorded && lifecycle->status != STATUS_STOPPED && find_namespace(&search) == 0)
        result = search_all(&search);
    if (search.count > 0)
        qsort(search.pids, search.count, sizeof(*search.pids), compare);
    *pids = search.pids;
    *count = search.count;
    return result;
}
