/* What a process that calls functions leaves in file systems.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/function_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
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
        waitpid(child.pid, &status, 0);
    close_fd(&child.pidfd);
    return status == 0 ? 0 : -EACCES;
}

static void remove_scratch(const char *path, const struct idmaps *maps)
{
    step("remove %s", path);
    int result = remove_tree(AT_FDCWD, path);
    if ((result == -EACCES || result == -EPERM) && maps)
        result = remove_as_root(path, maps);
    if (result < 0)
        report_warning("cannot remove %s: %s", path, strerror(-result));
}

/* ---- sweeping ---- */

/* Only what this program has made, as its name and owner say, is removed. */
static void sweep_scratch(const struct state *state, const struct idmaps *maps)
{
    char path[PATH_MAX];
    struct stat status;
    ssize_t length = readlinkat(state->fd, NOTE, path, sizeof(path) - 1);
    if (length <= 0)
        return;
    path[length] = '\0';
    const char *name = strrchr(path, '/');
    if (path[0] != '/' || strcmp(name + 1, state_id(state) + 1) != 0 || lstat(path, &status) < 0 ||
        !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return;
    remove_scratch(path, maps);
}

static void sweep(struct state *state, const struct idmaps *maps)
{
    if (!starts_with(state_id(state), PREFIX))
        return;
    if (state_lock(state, 0) < 0) {
        error_clear(); /* somebody is at work there, or it has been swept */
        return;
    }
    sweep_scratch(state, maps);
    if (lifecycle_sweep(state) == 0)
        state_remove(state);
}

void function_sweep(const char *root, const struct idmaps *maps)
{
    autostateroot struct state_root all = NO_STATE_ROOT;
    struct error kept = error_set_aside();
    step("sweep what was left behind");
    if (state_open_root(&all, root, true) < 0)
        error_clear();
    for (size_t i = 0; i < all.count; i++) {
        autostate struct state state = NO_STATE;
        if (state_open_below(&state, &all, all.names[i]) == 0)
            sweep(&state, maps);
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

/* It belongs to us, and nobody else may look into it but by the directories in it. */
static int make_scratch(struct function_entry *entry, const char *directory)
{
    if (asprintf(&entry->scratch, "%s/%s", directory, function_entry_name(entry)) < 0) {
        entry->scratch = NULL;
        return fail(ENOMEM, "cannot make room for changes");
    }
    step("make %s", entry->scratch);
    if (symlinkat(entry->scratch, entry->state.fd, NOTE) < 0)
        return fail(errno, "cannot note %s", entry->scratch);
    if (mkdir(entry->scratch, 0711) == 0)
        return 0;
    int result = fail(errno, "cannot create %s", entry->scratch);
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
