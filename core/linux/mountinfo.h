/* The mounts of a process, as /proc/PID/mountinfo lists them. proc_pid_mountinfo(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct mountinfo {
    int id;
    const char *path;    /* where it is mounted; blanks and their like as they are */
    const char *options; /* of the mount: "rw,nosuid,idmapped" */
    const char *type;    /* of the file system */
};

/* Cut the next line off *rest, the text of a mountinfo, in place. Lines that are not of the known
 * form are passed over. Returns false at the end. */
bool mountinfo_next(char **rest, struct mountinfo *mount);
