/* A program that becomes known when its container is ready for it: its arguments and environment go
 * to the child by memory that both have.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The program's own limits are in force by then, so that the child could not be sure to get memory;
 * and pointers mean the same on both sides of a fork.
 */
#pragma once

struct container;

/* More than execve(2) takes, which is three quarters of 8 MiB with the pointers. */
#define LATE_BYTES (8U << 20)

/* What begins that memory. */
struct late {
    char **program; /* NULL: the config's */
    char **env;     /* besides the config's; NULL: none */
    char *end;      /* of what is used */
};

/* Pages are not there before they are written to. Returns NULL (recorded) if there is no room. */
struct late *late_open(void);

/* In the parent, before the child may run its program: lists that end with NULL, or NULL; they are
 * copied. Returns 0 or a negative errno (recorded). */
int late_write(struct late *late, char *const *program, char *const *env);

/* In the child, after that: container->program and container->environment. Returns as above. */
int late_adopt(struct container *container);
