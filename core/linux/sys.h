/* Raw system calls: the only place with their numbers.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2(2), Linux 5.6. */
static inline int sys_openat2(int directory, const char *path, const struct open_how *how)
{
    return (int)syscall(SYS_openat2, directory, path, how, sizeof(*how));
}
