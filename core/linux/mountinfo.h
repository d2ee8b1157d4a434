/* The lines of /proc/PID/mountinfo. proc_pid_mountinfo(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/* One mount. The strings lie in the text that was parsed. */
struct mountinfo {
    unsigned id;
    unsigned parent;         /* of the root of the tree: a mount that is not listed, or itself */
    const char *device;      /* "8:1" */
    const char *root;        /* the directory of the file system that is mounted */
    const char *point;       /* where, from the root directory of the process */
    const char *options;     /* of the mount, "rw,nosuid" */
    const char *propagation; /* "shared:1 master:2"; "" is private */
    const char *type;        /* "ext4" */
    const char *source;      /* "/dev/sda1", or whatever the file system calls itself */
    const char *filesystem;  /* options of the file system, "rw,size=1024k" */
};

/* Parse the next line of *text, which is written to (a line becomes strings, \040 becomes a blank),
 * and move *text on behind it. Returns 1, 0 at the end, or -EINVAL for a line that is none (not
 * recorded; *text is behind it). */
int mountinfo_next(char **text, struct mountinfo *mount);
