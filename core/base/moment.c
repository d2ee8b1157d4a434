/* Moments, by a clock that nobody sets.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/moment.h"

#include <time.h>

int64_t moment_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int moment_left(int64_t moment)
{
    if (!moment)
        return -1;
    int64_t left = moment - moment_now();
    int64_t milliseconds = left / 1000 + (left % 1000 > 0);
    return left <= 0 ? 0 : milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds;
}
