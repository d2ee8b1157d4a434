/* The processes of a cgroup: listed, stopped, told signals, killed; and the end of the cgroup.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/cgroup_parts.h"
#include "core/linux/sys.h"

/* What is killed ends within this time, and a cgroup can be removed shortly after. */
#define KILL_MS   10000
#define REMOVE_MS 1000

/* Bytes of a list of processes, at most. */
#define PROCESSES_MAX (4U << 20)

/* Waiting in steps that become longer: most that is waited for takes less than the first one. */
struct wait {
    unsigned left_us;
    unsigned step_us;
};

static struct wait wait_for(unsigned milliseconds)
{
    return (struct wait){.left_us = milliseconds * 1000, .step_us = 100};
}

/* Returns false, at once, when the time is over. */
static bool wait_more(struct wait *wait)
{
    if (wait->left_us == 0)
        return false;
    unsigned pause = wait->step_us < wait->left_us ? wait->step_us : wait->left_us;
    struct timespec time = {.tv_sec = 0, .tv_nsec = (long)pause * 1000};
    ppoll(NULL, 0, &time, NULL);
    wait->left_us -= pause;
    wait->step_us = wait->step_us < 10000 ? wait->step_us * 2 : wait->step_us;
    return true;
}

/* "populated", "frozen": 1 or 0 as cgroup.events has it, or a negative errno (recorded). */
static int event(int directory, const char *name)
{
    autotext struct text events = {0};
    char line[32];
    int result = read_file(directory, "cgroup.events", 4096, &events);
    snprintf(line, sizeof(line), "%s 1", name);
    return result < 0 ? result : events.data && strstr(events.data, line) != NULL;
}

/* Until the event has that value. Returns 0, -ETIMEDOUT (not recorded) or another negative errno
 * (recorded). */
static int wait_for_event(int directory, const char *name, int value, unsigned milliseconds)
{
    struct wait wait = wait_for(milliseconds);
    for (;;) {
        int result = event(directory, name);
        if (result < 0 || result == value)
            return result < 0 ? result : 0;
        if (!wait_more(&wait))
            return -ETIMEDOUT;
    }
}

/* ---- processes ---- */

/* Those of the cgroups below as well. Not recorded. */
static int list_tree(int parent, const char *name, int depth, struct text *pids)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!directory) {
        /* Removed meanwhile: then nobody was in it. */
        int result = errno == ENOENT && depth > 0 ? 0 : -errno;
        close_fd(&fd);
        return result;
    }
    int result = read_file(fd, "cgroup.procs", PROCESSES_MAX, pids);
    if (result == -ENODEV)
        result = 0; /* likewise */
    error_clear();
    while (result == 0 && (entry = readdir(directory))) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            result =
                depth < CGROUP_DEPTH_MAX ? list_tree(fd, entry->d_name, depth + 1, pids) : -ELOOP;
    }
    closedir(directory);
    return result;
}

int cgroup_processes(struct cgroup *cgroup, struct text *pids)
{
    autoclose int fd = cgroup_open(cgroup);
    int result = fd < 0 ? fd : list_tree(fd, ".", 0, pids);
    return result < 0 && fd >= 0
               ? fail(-result, "cannot list the processes of cgroup %s", cgroup->path)
               : result;
}

static int set_frozen(int fd, const struct cgroup *cgroup, bool frozen, unsigned milliseconds)
{
    const char *verb = frozen ? "freeze" : "thaw";
    step("%s the cgroup %s", verb, cgroup->path);
    int result = write_value(fd, "cgroup.freeze", frozen ? "1" : "0");
    error_clear();
    if (result == 0)
        result = wait_for_event(fd, "frozen", frozen, milliseconds);
    if (result == -ETIMEDOUT && frozen)
        write_value(fd, "cgroup.freeze", "0");
    error_clear();
    if (result < 0)
        fail(-result, "cannot %s the cgroup %s", verb, cgroup->path);
    if (result == -ETIMEDOUT && !frozen)
        error_hint("a cgroup above is frozen");
    else if (result == -ETIMEDOUT)
        error_hint("a process of it hangs in the kernel; it goes on");
    return result;
}

int cgroup_freeze(struct cgroup *cgroup, unsigned milliseconds)
{
    autoclose int fd = cgroup_open(cgroup);
    return fd < 0 ? fd : set_frozen(fd, cgroup, true, milliseconds);
}

int cgroup_thaw(struct cgroup *cgroup, unsigned milliseconds)
{
    autoclose int fd = cgroup_open(cgroup);
    return fd < 0 ? fd : set_frozen(fd, cgroup, false, milliseconds);
}

int cgroup_is_frozen(int directory)
{
    return event(directory, "frozen");
}

/* What is on the list may have ended, but not its number be another's: they are frozen. */
static int send_to_all(int fd, int number)
{
    autotext struct text pids = {0};
    int result = list_tree(fd, ".", 0, &pids);
    char *rest = pids.data;
    for (long pid; result == 0 && rest && (pid = strtol(rest, &rest, 10)) > 0;) {
        if (pid == getpid())
            continue;
        autoclose int pidfd = sys_pidfd_open((pid_t)pid);
        if ((pidfd < 0 || sys_pidfd_send_signal(pidfd, number) < 0) && errno != ESRCH)
            result = -errno;
    }
    return result;
}

/* While they are frozen nobody forks, ends, or makes room for another process of that number. */
static int signal_frozen(int fd, const struct cgroup *cgroup, int number)
{
    int frozen = event(fd, "frozen");
    int result = frozen == 0 ? set_frozen(fd, cgroup, true, 1000) : 0;
    if (result < 0)
        error_clear(); /* then as well as it goes */
    result = send_to_all(fd, number);
    /* What was frozen before stays so, but does not outlive being killed. */
    if (frozen == 0 || number == SIGKILL)
        write_value(fd, "cgroup.freeze", "0");
    error_clear();
    return result < 0 ? fail(-result, "cannot send signal %d to cgroup %s", number, cgroup->path)
                      : 0;
}

int cgroup_signal(struct cgroup *cgroup, int number)
{
    autoclose int fd = cgroup_open(cgroup);
    return fd < 0 ? fd : signal_frozen(fd, cgroup, number);
}

int cgroup_kill(struct cgroup *cgroup)
{
    autoclose int fd = cgroup_open(cgroup);
    if (fd < 0)
        return fd;
    step("kill the processes of cgroup %s", cgroup->path);
    int result = write_value(fd, "cgroup.kill", "1");
    error_clear();
    if (result == -ENOENT)
        result = signal_frozen(fd, cgroup, SIGKILL);
    if (result == 0)
        result = wait_for_event(fd, "populated", 0, KILL_MS);
    if (result == -ETIMEDOUT)
        return fail(ETIMEDOUT, "processes of cgroup %s are still there", cgroup->path);
    return result < 0 && !error_is_set()
               ? fail(-result, "cannot kill the processes of cgroup %s", cgroup->path)
               : result;
}

int cgroup_wait(struct cgroup *cgroup, unsigned milliseconds)
{
    autoclose int fd = cgroup_open(cgroup);
    return fd < 0 ? fd : wait_for_event(fd, "populated", 0, milliseconds);
}

/* ---- the end ---- */

/* From the leaves up. Not recorded. */
static int remove_tree(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
        return 0;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int result = 0;
    if (!directory) {
        result = -errno;
        close_fd(&fd);
        return result;
    }
    while (result == 0 && (entry = readdir(directory))) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            result = depth < CGROUP_DEPTH_MAX ? remove_tree(fd, entry->d_name, depth + 1) : -ELOOP;
    }
    closedir(directory);
    return result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : result;
}

/* What has just ended may still be counted for a moment. */
static int remove_patiently(int parent, const char *name, const struct cgroup *cgroup)
{
    struct wait wait = wait_for(REMOVE_MS);
    int result;
    step("remove the cgroup %s", cgroup->path);
    do
        result = remove_tree(parent, name, 0);
    while (result == -EBUSY && wait_more(&wait));
    return result < 0 ? fail(-result, "cannot remove cgroup %s", cgroup->path) : 0;
}

int cgroup_delete(struct cgroup *cgroup)
{
    const char *name;
    autoclose int parent = cgroup_open_parent(cgroup, &name);
    if (parent < 0)
        return parent;
    autoclose int fd = cgroup_step(parent, name, false, NULL);
    if (fd < 0)
        return fail(-fd, "cannot open cgroup %s", cgroup->path);
    int result = event(fd, "populated");
    if (result < 0)
        return result;
    if (result > 0) {
        result = fail(EBUSY, "cannot remove cgroup %s: it has processes", cgroup->path);
        error_hint("--kill ends them");
        return result;
    }
    return remove_patiently(parent, name, cgroup);
}

int cgroup_end(struct cgroup *cgroup)
{
    const char *name;
    autoclose int parent = cgroup_open_parent(cgroup, &name);
    int result = parent;
    step("remove the cgroup %s", cgroup->path);
    /* Mostly nobody is left in it. */
    if (parent >= 0 && unlinkat(parent, name, AT_REMOVEDIR) == 0)
        return 0;
    if (parent >= 0)
        result = errno == ENOENT ? -ENOENT : cgroup_kill(cgroup);
    if (result == -ENOENT) {
        error_clear();
        return 0;
    }
    return result < 0 ? result : remove_patiently(parent, name, cgroup);
}
