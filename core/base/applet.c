/* The applets that this binary holds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/applet.h"

#include <stdint.h>
#include <string.h>

#include "core/base/text.h"

/* The linker defines both for a section whose name is a C identifier; weak, since there may be no
 * applet at all (a test program that is linked with core). */
extern const struct applet *const __start_applets[] __attribute__((weak));
extern const struct applet *const __stop_applets[] __attribute__((weak));

/* By numbers: to C, the two symbols are different objects, whose addresses may not be compared. */
static size_t count_applets(void)
{
    return ((uintptr_t)__stop_applets - (uintptr_t)__start_applets) / sizeof(__start_applets[0]);
}

const struct applet *applet_at(size_t index)
{
    /* The order in the section is the linker's. Selecting again and again is quadratic, but only
     * lists ask for it, and it needs neither memory nor time at start. */
    const struct applet *last = NULL;
    const size_t count = count_applets();
    for (size_t rank = 0;; rank++) {
        const struct applet *least = NULL;
        for (size_t i = 0; i < count; i++) {
            const struct applet *applet = __start_applets[i];
            if ((!last || strcmp(applet->name, last->name) > 0) &&
                (!least || strcmp(applet->name, least->name) < 0))
                least = applet;
        }
        if (!least || rank == index)
            return least;
        last = least;
    }
}

const char *applet_text(const struct applet *applet, enum applet_text which)
{
    const char *text = applet->texts ? applet->texts : "\0\0\0";
    for (unsigned i = 0; i < which; i++)
        text += strlen(text) + 1;
    return text;
}

const struct applet *applet_find(const char *name)
{
    const size_t count = count_applets();
    for (size_t i = 0; i < count; i++)
        if (strcmp(__start_applets[i]->name, name) == 0)
            return __start_applets[i];
    return NULL;
}

const struct applet *applet_nearest(const char *name)
{
    const struct applet *nearest = NULL;
    unsigned least = 3;
    for (size_t i = 0; i < count_applets(); i++) {
        const struct applet *applet = __start_applets[i];
        unsigned distance = text_distance(name, applet->name);
        if (distance < least && distance <= strlen(applet->name) / 3) {
            least = distance;
            nearest = applet;
        }
    }
    return nearest;
}
