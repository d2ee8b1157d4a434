/* Pages of memory, asked for before they are touched.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096

/* From linux/mman.h (Linux 5.14), which libc's header does not have everywhere. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* From the page of first to that of end - 1, in one system call in place of a fault for each. way:
 * MADV_POPULATE_*. Where the kernel cannot, they come when they are touched. */
static inline void populate(uintptr_t first, uintptr_t end, int way)
{
    first &= ~(uintptr_t)(PAGE - 1);
    madvise((void *)first, end - first, way); /* NOLINT(performance-no-int-to-ptr) */
}

/* The linker's: the end of what has a value in this program's file, and of what has none. */
extern char _edata[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));
