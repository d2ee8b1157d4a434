/* A program that becomes known when its container is ready for it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/late.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/error.h"
#include "core/container/container.h"
#include "core/container/setup.h"

struct late *late_open(void)
{
    void *pages = mmap(NULL, LATE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages != MAP_FAILED)
        return pages;
    fail(ENOMEM, "cannot make room for the program's arguments");
    return NULL;
}

static void *take(struct late *late, size_t size)
{
    const char *limit = (const char *)late + LATE_BYTES;
    char *taken = late->end;
    if (size > (size_t)(limit - taken))
        return NULL;
    late->end += size;
    return taken;
}

static char **take_pointers(struct late *late, size_t count)
{
    size_t over = (size_t)late->end % sizeof(char *);
    if (over > 0 && !take(late, sizeof(char *) - over))
        return NULL;
    return take(late, count * sizeof(char *));
}

static size_t count_of(char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    return count;
}

/* Returns whether there was room. */
static bool copy(struct late *late, char *const *list, char ***copied)
{
    size_t count = count_of(list);
    *copied = NULL;
    if (!list)
        return true;
    char **pointers = take_pointers(late, count + 1);
    for (size_t i = 0; pointers && i < count; i++) {
        size_t size = strlen(list[i]) + 1;
        pointers[i] = take(late, size);
        if (!pointers[i])
            return false;
        memcpy(pointers[i], list[i], size);
    }
    if (pointers)
        pointers[count] = NULL;
    *copied = pointers;
    return pointers != NULL;
}

int late_write(struct late *late, char *const *program, char *const *env)
{
    late->end = (char *)(late + 1);
    if (copy(late, program, &late->program) && copy(late, env, &late->env))
        return 0;
    return fail_exec(E2BIG, "cannot execute %s", program ? *program : "the program");
}

/* One behind the other, but for an empty HOME: that asks for the user's home directory, which is
 * there already (setup_environment()). */
static void join(char **all, char *const *before, char *const *more)
{
    for (; *before; before++)
        *all++ = *before;
    for (; *more; more++)
        if (strcmp(*more, "HOME=") != 0)
            *all++ = *more;
    *all = NULL;
}

/* Of two entries for one variable the later one counts. */
static int merge(struct late *late, char **before, char ***merged)
{
    char **all = take_pointers(late, count_of(before) + count_of(late->env) + 1);
    if (!all)
        return fail(E2BIG, "cannot make the environment");
    join(all, before, late->env);
    char **kept = all;
    for (char **entry = all; *entry; entry++)
        if (!setup_is_overridden((const char *const *)entry))
            *kept++ = *entry;
    *kept = NULL;
    *merged = all;
    return 0;
}

int late_adopt(struct container *container)
{
    struct late *late = container->late;
    if (late->program)
        container->program = late->program;
    return late->env ? merge(late, container->environment, &container->environment) : 0;
}
