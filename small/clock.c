/* clock_gettime(2) as a system call: libc reads the clock without one, by a kilobyte of code that
 * finds the kernel's function for it. A small program asks for the time a few times in its life.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <time.h>

#include "core/linux/sys.h"

int clock_gettime(clockid_t clock, struct timespec *time)
{
    return sys_clock_gettime(clock, time);
}
