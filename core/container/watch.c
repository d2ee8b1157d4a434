/* Waiting for what happens to a container: the end of its process, and of others by lack of memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/moment.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"
#include "core/container/stats.h"
#include "core/linux/cgroup.h"

/* How many processes were killed so far. Reading from the beginning also makes poll(2) wait for the
 * next change. Returns 0, -ENODEV (not recorded) when the cgroup is gone, or another negative errno
 * (recorded). */
static int read_kills(const struct watch *watch, uint64_t *kills)
{
    char text[512];
    ssize_t length = pread(watch->memory, text, sizeof(text) - 1, 0);
    if (length < 0)
        return errno == ENODEV ? -ENODEV : fail(errno, "cannot read memory.events");
    text[length] = '\0';
    *kills = 0;
    cgroup_number(text, "oom_kill", kills);
    return 0;
}

int watch_open(struct watch *watch, const struct lifecycle *lifecycle)
{
    const char *id = state_id(&lifecycle->state);
    *watch = NO_WATCH;
    watch->process = lifecycle->recorded && lifecycle->status != STATUS_CREATING
                         ? lifecycle_pidfd(lifecycle)
                         : -ESRCH;
    if (watch->process < 0)
        return error_is_set() ? watch->process
                              : fail_state(ESRCH, "container with id %s is not running", id);
    watch->cgroup = lifecycle_open_cgroup(lifecycle);
    if (watch->cgroup < 0)
        return error_is_set() ? watch->cgroup : lifecycle_fail_without_cgroup(lifecycle);
    watch->memory = openat(watch->cgroup, "memory.events", O_RDONLY | O_CLOEXEC);
    if (watch->memory < 0)
        return errno == ENOENT ? 0 : fail(errno, "cannot open memory.events");
    int result = read_kills(watch, &watch->kills);
    if (result == -EISDIR) { /* the container's own, without the controller */
        error_clear();
        close_fd(&watch->memory);
        return 0;
    }
    return result == -ENODEV ? fail_state(ESRCH, "container with id %s is not running", id)
                             : result;
}

void watch_warn(const struct watch *watch, const struct lifecycle *lifecycle, bool oom)
{
    static const struct {
        char name[7];
        char file[15];
    } table[] = {{"memory", "memory.current"}, {"pids", "pids.current"}, {"io", "io.stat"}};
    autotext struct text names = {0};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (faccessat(watch->cgroup, table[i].file, F_OK, 0) < 0)
            text_append_format(&names, " %s", table[i].name);
    }
    autoclose int self = openat(lifecycle->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (names.data && self >= 0 && cgroup_has_old(self))
        report_warning("left out is what controllers tell that cgroup version 1 has:%s",
                       names.data);
    if (oom && watch->memory < 0)
        report_warning("no oom events will come: the container's cgroup has no memory controller");
}

void watch_close(struct watch *watch)
{
    close_fd(&watch->memory);
    close_fd(&watch->process);
    close_fd(&watch->cgroup);
}

int64_t watch_now(void)
{
    return moment_now() / 1000;
}

/* Returns 1 when there are more than before, else 0 or a negative errno (recorded). */
static int count(struct watch *watch)
{
    uint64_t kills = 0;
    int result = watch->memory < 0 ? 0 : read_kills(watch, &kills);
    if (result == -ENODEV) {
        /* Its process has ended, which is the next thing to be seen. */
        close_fd(&watch->memory);
        return 0;
    }
    if (result < 0 || kills <= watch->kills)
        return result;
    watch->kills = kills;
    return 1;
}

int watch_wait(struct watch *watch, int64_t until)
{
    for (;;) {
        struct pollfd events[] = {{.fd = watch->process, .events = POLLIN},
                                  {.fd = watch->memory, .events = POLLPRI}};
        int64_t left = until - watch_now();
        int timeout = left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
        int ready = poll(events, 2, timeout);
        if (ready < 0 && errno != EINTR)
            return fail(errno, "cannot wait for events");
        if (ready == 0 && left <= INT_MAX)
            return WATCHED_TIME;
        if (ready <= 0)
            continue;
        /* The kernel holds news of memory.events back for up to 10 ms, but counts at once: so it is
         * looked at when the process has ended, too. */
        int killed = count(watch);
        if (killed != 0)
            return killed < 0 ? killed : WATCHED_OOM;
        if (events[0].revents)
            return WATCHED_END;
    }
}
