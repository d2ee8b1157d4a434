/* Control groups of version 2, through their file system. cgroups(7), and the kernel's
 * Documentation/admin-guide/cgroup-v2.rst.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A cgroup is walked to from the root of the mount, name by name; no link is followed, and nothing
 * but a cgroup is entered. All functions record their errors, with the path.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/text.h"

/* How deep below the mount a cgroup can be. */
#define CGROUP_DEPTH_MAX 64

/* How many files cgroup_make() sets. */
#define CGROUP_SETTINGS_MAX 64

/* Where a cgroup is, or will be. */
struct cgroup {
    char path[PATH_MAX]; /* "/sys/fs/cgroup/a/b": for messages, and cut where the walk needs it */
    size_t mount;        /* length of the part of it that is the mount point */
    int root;            /* what is mounted there, O_PATH */
};
#define NO_CGROUP ((struct cgroup){.root = -1})

/* Find the place of a cgroup. process: a directory of /proc, "/proc/self", as an O_PATH descriptor.
 * path: absolute is below the mounted root, otherwise below the cgroup of that process ("": just
 * that one); its form must be good (cgroup_check_path). -ENOENT where no version 2 is mounted. The
 * caller closes. */
int cgroup_find(struct cgroup *cgroup, int process, const char *path);

/* The place of another one in the same mount, for who has found one. path: absolute. The caller
 * closes both. */
int cgroup_beside(struct cgroup *cgroup, const struct cgroup *found, const char *path);
void cgroup_close(struct cgroup *cgroup);
#define autocgroup __attribute__((cleanup(cgroup_close)))

/* Names between single slashes, none of them "." or ".."; "/" is the root. For the command line:
 * 0 or -EINVAL (recorded, a usage error). */
int cgroup_check_path(const char *path);

/* FILE=VALUE, where FILE is one of a controller ("memory.high"), or cgroup.max.*: those that move,
 * kill or freeze processes are no settings. Results as above. */
int cgroup_check_setting(const char *option, const char *text);

/* Is that the name of such a file, which has that many bytes? */
bool cgroup_is_setting(const char *file, size_t length);

/* The next directory of a walk: opened as O_PATH, checked to be a cgroup. exclusive: it must not be
 * there. *created: NULL, or create it where it is missing, and tell. name: one component. Returns
 * the descriptor, or a negative errno which is not recorded. */
int cgroup_step(int parent, const char *name, bool exclusive, bool *created);

/* Open it. Returns an O_PATH descriptor, or a negative errno. */
int cgroup_open(struct cgroup *cgroup);

/* Open the one at path below a cgroup whose descriptor is given; "/" is that itself. The form of
 * path must be good. Likewise. */
int cgroup_open_below(int top, const char *path);

/* Does it give controllers to the cgroups below it? 1, 0 or a negative errno. */
int cgroup_gives_controllers(int directory);

/* Lock a cgroup (flock(2)), as long as the descriptor is open, which is replaced by another one of
 * the same directory: whoever makes one holds it until its processes are in it, and whoever removes
 * one takes it before, and looks by cgroup_is() whether it is still there. Waits that many
 * milliseconds. Returns 0 or a negative errno (not recorded; -EAGAIN: somebody else has it). */
int cgroup_lock(int *fd, unsigned milliseconds);

/* Is it the directory that its path leads to? Another of the same name may have taken its place.
 * Records nothing. */
bool cgroup_is(struct cgroup *cgroup, int fd);

/* The hint where a cgroup that has given controllers away cannot have processes. */
#define CGROUP_BUSY "controllers are enabled for the cgroups below it; give a PATH below"

/* Move this process into it. path: for messages. Returns 0 or a negative errno. */
int cgroup_join(int directory, const char *path);

struct cgroup_wish {
    const struct text_list *settings; /* FILE=VALUE, at most CGROUP_SETTINGS_MAX */
    bool only_enable;                 /* the controllers of the settings: do not write these yet */
    /* Asked of each setting before it is written, when all controllers are there: can it be left
     * out? NULL: none can. */
    bool (*moot)(int directory, const char *setting);
    bool exclusive; /* the cgroup must not be there */
    bool present;   /* the cgroup must be there */
    bool join;      /* move this process into it */
    bool delegate;  /* to this owner, as cgroups(7) has it */
    uid_t owner;
    gid_t group;
    /* What else belongs to it, when the settings are written: if it fails, they are undone as well.
     * NULL: nothing. */
    int (*finish)(void *context, int directory);
    void *context;
};

/* Create it where it is missing, cgroups above included; enable the controllers of the settings in
 * those above; write the settings; join it. All or nothing: on failure the process is where it was,
 * what was created is gone, and values and controllers are as they were (but for files that hold
 * more than one line, as io.max does; what cannot be put back is named in the hint; and controllers
 * stay if somebody has made another cgroup that may use them meanwhile; the owner changes last). A
 * controller that cannot be had is -EOPNOTSUPP, before anything is done. process: as for
 * cgroup_find(), of this process. Returns its O_PATH descriptor. */
int cgroup_make(struct cgroup *cgroup, int process, const struct cgroup_wish *wish);

/* Can a setting not be made below the mounted root, since that has no such controller? Returns 0
 * (it can), one of these, or a negative errno (recorded). process: as for cgroup_find(). */
#define CGROUP_LACKS     1 /* nobody has it, or the cgroup above has not enabled it */
#define CGROUP_LACKS_NEW 2 /* version 1 has it */
int cgroup_lacks(const struct cgroup *cgroup, int process, const char *setting);

/* Does version 1 have any controllers (a hybrid system)? process: likewise. */
bool cgroup_has_old(int process);

/* Write settings to the cgroup whose descriptor is given, in their order; what was written before a
 * failure stays. path: for messages. Returns 0 or a negative errno (recorded). */
int cgroup_set(int directory, const char *path, const struct text_list *settings);

/* Give it to that owner and group (-1: as it is): the directory, and the files in it that the
 * kernel names for that in /sys/kernel/cgroup/delegate. Likewise. */
int cgroup_delegate(int directory, const char *path, uid_t owner, gid_t group);

/* Append the pids of all processes in it and below, each with a newline. One may come twice when it
 * moves meanwhile. Returns 0 or a negative errno (recorded). */
int cgroup_processes(struct cgroup *cgroup, struct text *pids);

/* Stop all processes in it and below, or let them go on, and wait until they have, for that many
 * milliseconds at most (-ETIMEDOUT; what was not frozen in time is thawed again). Return 0 or a
 * negative errno (recorded). */
int cgroup_freeze(struct cgroup *cgroup, unsigned milliseconds);
int cgroup_thaw(struct cgroup *cgroup, unsigned milliseconds);

/* directory: its descriptor. Returns 1, 0, or a negative errno (recorded). */
int cgroup_is_frozen(int directory);

/* In the text of a flat keyed file, such as memory.events: the number of that key. Returns whether
 * it is there, without it *number stays. */
bool cgroup_number(const char *lines, const char *key, uint64_t *number);

/* Send a signal to all processes in it and below but the calling one; they are frozen meanwhile, so
 * that none is missed. Returns 0 or a negative errno (recorded). */
int cgroup_signal(struct cgroup *cgroup, int number);

/* Kill all processes in it and below, and wait until they have ended, for at most ten seconds
 * (-ETIMEDOUT). Before Linux 5.14 they are frozen for that. The calling process must not be one of
 * them. */
int cgroup_kill(struct cgroup *cgroup);

/* Wait until no process is in it and below, for that many milliseconds at most. Returns 0,
 * -ETIMEDOUT (not recorded) or another negative errno (recorded). */
int cgroup_wait(struct cgroup *cgroup, unsigned milliseconds);

/* Remove it with all cgroups below. -EBUSY, with nothing removed, while it has processes. */
int cgroup_delete(struct cgroup *cgroup);

/* Both: whatever is in it and below is killed, and all of it is removed. It need not be there. */
int cgroup_end(struct cgroup *cgroup);

/* Is that process in it, or below it? */
int cgroup_holds(const struct cgroup *cgroup, int process);
