/* The folder of a fuzz target that needs files.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER_MAX 64

/* Make one for this process, in memory where that can be had. at_exit: removes it. */
static inline void make_folder(char folder[FOLDER_MAX], void (*at_exit)(void))
{
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz.XXXXXX" : "/tmp/fuzz.XXXXXX");
    if (!mkdtemp(folder) || atexit(at_exit) != 0)
        abort();
}
