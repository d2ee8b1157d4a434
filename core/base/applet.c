/* The applets that this binary holds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/applet.h"

#include <string.h>

#include "core/base/text.h"

/* The linker defines both for a section whose name is a C identifier; weak, since there may be no
 * applet at all (a test program that is linked with core). */
extern const struct applet *const __start_applets[] __attribute__((weak));
extern const struct applet *const __stop_applets[] __attribute__((weak));

const struct applet *applet_at(size_t index)
{
    /* The order in the section is the linker's. Selecting again and again is quadratic, but only
     * lists ask for it, and it needs neither memory nor time at start. */
    const struct applet *last = NULL;
    for (size_t rank = 0;; rank++) {
        const struct applet *least = NULL;
        for (const struct applet *const *a = __start_applets; a < __stop_applets; a++)
            if ((!last || strcmp((*a)->name, last->name) > 0) &&
                (!least || strcmp((*a)->name, least->name) < 0))
                least = *a;
        if (!least || rank == index)
            return least;
        last = least;
    }
}

const struct applet *applet_find(const char *name)
{
    for (const struct applet *const *a = __start_applets; a < __stop_applets; a++)
        if (strcmp((*a)->name, name) == 0)
            return *a;
    return NULL;
}

const struct applet *applet_nearest(const char *name)
{
    const struct applet *nearest = NULL;
    unsigned least = 3;
    for (const struct applet *const *a = __start_applets; a < __stop_applets; a++) {
        unsigned distance = text_distance(name, (*a)->name);
        if (distance < least && distance * 3 <= strlen((*a)->name)) {
            least = distance;
            nearest = *a;
        }
    }
    return nearest;
}
