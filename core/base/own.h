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
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Close *fd if there is one, and set it to -1. close(2) is never repeated after EINTR: on Linux the
 * descriptor is gone by then and the number may belong to another. */
void close_fd(int *fd);

/* Hand the descriptor over to the caller: the variable owns nothing afterwards. */
static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Free what *variable points to, and set it to NULL. variable: the address of a pointer. */
void free_pointer(void *variable);

static inline void *take_pointer_from(void *variable)
{
    void *taken = *(void **)variable;
    *(void **)variable = NULL;
    return taken;
}

/* Hand the allocated memory over to the caller. */
#define take_pointer(variable) ((__typeof__(variable))take_pointer_from(&(variable)))

/* What lives until the process ends is left to its end: after a fork, each page of the heap that is
 * written to costs a fault. The sanitizers are to see that nothing else is left. */
#ifdef __SANITIZE_ADDRESS__
#define FREE_AT_END true
#else
#define FREE_AT_END false
#endif

#define autoclose __attribute__((cleanup(close_fd)))
#define autofree  __attribute__((cleanup(free_pointer)))
