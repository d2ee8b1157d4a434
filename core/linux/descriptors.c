/* Descriptors, many at once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/descriptors.h"

#include <errno.h>

#include "core/base/error.h"
#include "core/linux/sys.h"

int descriptors_close(unsigned from, const int *kept, size_t count)
{
    for (;;) {
        int next = -1;
        for (size_t i = 0; i < count; i++) {
            if (kept[i] >= 0 && (unsigned)kept[i] >= from && (next < 0 || kept[i] < next))
                next = kept[i];
        }
        if ((next < 0 || (unsigned)next > from) &&
            sys_close_range(from, next < 0 ? ~0U : (unsigned)next - 1, 0) < 0)
            return fail(errno, "cannot close descriptors");
        if (next < 0)
            return 0;
        from = (unsigned)next + 1;
    }
}
