/* Ownership in the declaration: what a variable owns is released when it goes out of scope.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     autoclose int fd = -1;      closed on every return, unless handed over with take_fd()
 *     autofree char *text = NULL; freed on every return, unless handed over with take_pointer()
 *
 * -1 is the only "no descriptor". Releasing never changes errno.
 */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Close *fd if there is one, and set it to -1. close(2) is never repeated after EINTR: on Linux the
 * descriptor is gone by then and the number may belong to another. */
static inline void close_fd(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
        *fd = -1;
    }
}

/* Hand the descriptor over to the caller: the variable owns nothing afterwards. */
static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

static inline void free_pointer(void *variable)
{
    int saved = errno;
    free(*(void **)variable);
    *(void **)variable = NULL;
    errno = saved;
}

static inline void *take_pointer_from(void *variable)
{
    void *taken = *(void **)variable;
    *(void **)variable = NULL;
    return taken;
}

/* Hand the allocated memory over to the caller. */
#define take_pointer(variable) ((__typeof__(variable))take_pointer_from(&(variable)))

#define autoclose __attribute__((cleanup(close_fd)))
#define autofree  __attribute__((cleanup(free_pointer)))
