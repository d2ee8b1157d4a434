/* What a process that calls functions leaves in file systems.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/function_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/moment.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/lifecycle.h"
#include "core/linux/credentials.h"
#include "core/linux/idmap.h"
#include "core/linux/process.h"
#include "core/linux/remove.h"
#include "core/linux/sys.h"
#include "core/linux/userns.h"

/* Of entries; without the dot, of what belongs to them. */
#define PREFIX ".spark-"

/* A link to the scratch directory. */
#define NOTE "scratch"

/* Processes of the same number, in other pid namespaces. */
#define NAMES_MAX 100

/* Milliseconds that a sweep waits, in all, for children of a spark that was killed: before they are
 * its guard, they hold its lock until they have seen that it is gone. */
#define DYING_MAX 500

/* ---- removing ---- */

/* In a child, as the root of a user namespace with these maps: an ordinary user may not touch what
 * belongs to its subordinate ids. Returns 0 or a negative errno (not recorded). */
static int remove_as_root(const char *path, const struct idmaps *maps)
{
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autoclose int userns = proc < 0 ? -1 : userns_create(proc, maps);
    struct process child = NO_PROCESS;
    pid_t pid = userns < 0 ? -EACCES : process_clone(0, -1, &child);
    if (pid == 0) {
        int result = sys_setns(userns, CLONE_NEWUSER) < 0 ? -errno : credentials_enter_root();
        _exit(result < 0 ? 1 : remove_tree(AT_FDCWD, path) < 0);
    }
    error_clear();
    int status = 1;
    if (pid > 0)
        while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
            ;
    close_fd(&child.pidfd);
    return status == 0 ? 0 : -EACCES;
}

static int remove_scratch(const char *path, const struct idmaps *maps)
{
    step("remove %s", path);
    int result = remove_tree(AT_FDCWD, path);
    if ((result == -EACCES || result == -EPERM) && maps)
        result = remove_as_root(path, maps);
    if (result < 0)
        report_warning("cannot remove %s: %s", path, strerror(-result));
    return result;
}

/* ---- sweeping ---- */

/* The scratch directory that is noted, if it is one that this program has made, as its name and
 * owner say. path: of PATH_MAX bytes. */
static bool read_note(const struct state *state, char *path)
{
    const char *id = state_id(state) + 1;
    struct stat status;
    ssize_t length = readlinkat(state->fd, NOTE, path, PATH_MAX - 1);
    if (length <= 0 || path[0] != '/')
        return false;
    path[length] = '\0';
    const char *name = strrchr(path, '/') + 1;
    return starts_with(name, id) && name[strlen(id)] == '-' && lstat(path, &status) == 0 &&
           S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

/* Is the process gone that has made it? In another pid namespace it may be alive: the wait is
 * bounded. */
static bool is_left(const struct state *state)
{
    unsigned long pid = strtoul(state_id(state) + strlen(PREFIX), NULL, 10);
    return pid > 0 && pid <= INT_MAX && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* left: milliseconds that may be waited yet. */
static int lock(struct state *state, int64_t *left)
{
    int result = state_lock(state, 0);
    if (result != -EBUSY || *left <= 0 || !is_left(state))
        return result;
    int64_t start = moment_now();
    error_clear();
    result = state_lock(state, (unsigned)*left);
    *left -= (moment_now() - start) / 1000;
    return result;
}

/* First what runs, then what that could write to, last the note of it: for whoever comes next. */
static void sweep(struct state *state, const struct idmaps *maps, int64_t *left)
{
    char scratch[PATH_MAX];
    if (!starts_with(state_id(state), PREFIX))
        return;
    if (lock(state, left) < 0) {
        error_clear(); /* somebody is at work there, or it has been swept */
        return;
    }
    bool noted = read_note(state, scratch);
    if (lifecycle_end_unrecorded(state) == 0 && (!noted || remove_scratch(scratch, maps) == 0))
        state_remove(state);
}

void function_sweep(const char *root, const struct idmaps *maps)
{
    autostateroot struct state_root all = NO_STATE_ROOT;
    struct error kept = error_set_aside();
    int64_t left = DYING_MAX;
    step("sweep what was left behind");
    if (state_open_root(&all, root, true) < 0)
        error_clear();
    for (size_t i = 0; i < all.count; i++) {
        autostate struct state state = NO_STATE;
        if (state_open_below(&state, &all, all.names[i]) == 0)
            sweep(&state, maps, &left);
        if (error_is_set())
            report_warning("%s", error_get()->text);
        error_clear();
    }
    error_put_back(&kept);
}

/* ---- an entry ---- */

static int claim(struct function_entry *entry, const char *root)
{
    int result = -EEXIST;
    for (int i = 0; result == -EEXIST && i < NAMES_MAX; i++) {
        char id[32];
        char number[16] = "";
        error_clear();
        if (i > 0)
            snprintf(number, sizeof(number), "-%d", i);
        snprintf(id, sizeof(id), PREFIX "%d%s", (int)getpid(), number);
        result = state_claim(&entry->state, root, id);
    }
    return result;
}

const char *function_entry_name(const struct function_entry *entry)
{
    return state_id(&entry->state) + 1;
}

/* A name that others have not chosen who share the directory, but not this root. */
static int choose_name(struct function_entry *entry, const char *directory)
{
    uint32_t number;
    free_pointer(&entry->scratch);
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return fail(errno, "cannot get a random number");
    if (asprintf(&entry->scratch, "%s/%s-%08x", directory, function_entry_name(entry), number) <
        0) {
        entry->scratch = NULL;
        return fail(ENOMEM, "cannot make room for changes");
    }
    return 0;
}

/* It belongs to us, and nobody else may look into it but by the directories in it. It is noted
 * before it is there. */
static int make_scratch(struct function_entry *entry, const char *directory)
{
    int result;
    do {
        result = choose_name(entry, directory);
        if (result < 0)
            return result;
        step("make %s", entry->scratch);
        unlinkat(entry->state.fd, NOTE, 0);
        if (symlinkat(entry->scratch, entry->state.fd, NOTE) < 0)
            return fail(errno, "cannot note %s", entry->scratch);
        result = mkdir(entry->scratch, 0711) < 0 ? -errno : 0;
    } while (result == -EEXIST);
    if (result == 0)
        return 0;
    unlinkat(entry->state.fd, NOTE, 0);
    fail(-result, "cannot create %s", entry->scratch);
    free_pointer(&entry->scratch);
    return result;
}

int function_entry_open(struct function_entry *entry, const char *root, const char *scratch,
                        const struct idmaps *maps)
{
    *entry = NO_FUNCTION_ENTRY;
    entry->maps = maps;
    int result = claim(entry, root);
    return result == 0 && scratch ? make_scratch(entry, scratch) : result;
}

void function_entry_close(struct function_entry *entry)
{
    if (entry->scratch)
        remove_scratch(entry->scratch, entry->maps);
    free_pointer(&entry->scratch);
    if (entry->state.path) {
        struct error kept = error_set_aside();
        if (state_remove(&entry->state) < 0)
            report_warning("%s", error_get()->text);
        error_put_back(&kept);
        entry->state.claimed = false;
    }
    state_release(&entry->state);
}

/* ---- places ---- */

/* A directory that the container's root may use as its own. */
static int make_place(const struct function_entry *entry, int parent, const char *name, mode_t mode)
{
    uint32_t uid;
    uint32_t gid;
    if (mkdirat(parent, name, mode) < 0 || fchmodat(parent, name, mode, 0) < 0)
        return fail(errno, "cannot create %s/%s", entry->scratch, name);
    /* An ordinary user is that root. */
    if (idmap_to_host(&entry->maps->uid, 0, &uid) == 0 &&
        idmap_to_host(&entry->maps->gid, 0, &gid) == 0 &&
        fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM)
        return fail(errno, "cannot give %s/%s to the function", entry->scratch, name);
    return 0;
}

int function_entry_place(struct function_entry *entry, char **path)
{
    if (!entry->scratch)
        return 0;
    char name[24];
    snprintf(name, sizeof(name), "%lu", entry->calls++);
    autoclose int parent = open(entry->scratch, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (parent < 0)
        return fail(errno, "cannot open %s", entry->scratch);
    if (asprintf(path, "%s/%s", entry->scratch, name) < 0) {
        *path = NULL;
        return fail(ENOMEM, "cannot make room for changes");
    }
    int result = make_place(entry, parent, name, 0700);
    autoclose int place =
        result < 0 ? -1 : openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (result == 0 && place < 0)
        result = fail(errno, "cannot open %s", *path);
    if (result == 0)
        result = make_place(entry, place, "upper", 0755);
    return result < 0 ? result : make_place(entry, place, "work", 0700);
}

void function_entry_clear(const struct function_entry *entry, const char *path)
{
    struct error kept = error_set_aside();
    remove_scratch(path, entry->maps);
    error_put_back(&kept);
}
