/* Releasing what is owned. In one place: inline, these would be in every file, 3 KB together.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void close_fd(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
        *fd = -1;
    }
}

void free_pointer(void *variable)
{
    int saved = errno;
    free(*(void **)variable);
    *(void **)variable = NULL;
    errno = saved;
}
