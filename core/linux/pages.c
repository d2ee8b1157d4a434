/* Pages of memory, asked for before they are touched.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/pages.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/populate.h"

#define HEAP_PAGES 16
#define STACK_SIZE (6 * PAGE) /* what a caller needs */
#define STACK_USED (3 * PAGE) /* what is above it, and will be returned to */

/* The piece that the heap begins with; bit N of free_pages: its page N is not in use. */
static char *heap;
static uint32_t free_pages;

#ifdef __GLIBC__
static void begin_heap(void)
{
    /* With the malloc() of a sanitizer. */
}
#else
/* malloc() would begin at the break, which lies apart from all else: three pages for page tables
 * alone, here and in each child. With something in the way there it does without. */
static void begin_heap(void)
{
    uintptr_t behind_data = ((uintptr_t)sbrk(0) + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    mmap((void *)behind_data, PAGE, PROT_NONE, /* NOLINT(performance-no-int-to-ptr) */
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    void *piece = mmap(NULL, HEAP_PAGES * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (piece == MAP_FAILED)
        return;
    heap = piece;
    free_pages = (1U << HEAP_PAGES) - 1;
}
#endif

void pages_begin(void)
{
    if (getauxval(AT_PAGESZ) == PAGE)
        begin_heap();
}

void pages_of_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    populate(here - STACK_SIZE, here, MADV_POPULATE_WRITE);
}

/* What the linker knows of this program: where it begins; the end of the code that is needed often
 * (layout.ld; NULL without that). */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char often_end[] __attribute__((weak, visibility("hidden")));

/* What both sides of a fork write to, which is copied at the first touch by either. Upwards last:
 * there may be less stack than that. */
static void own_pages(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    populate((uintptr_t)_edata, (uintptr_t)_end, MADV_POPULATE_WRITE);
    populate(here - STACK_SIZE, here + STACK_USED, MADV_POPULATE_WRITE);
}

void pages_of_child(void)
{
    /* A fork leaves out what is in a file. */
    if (often_end) /* cppcheck-suppress knownConditionTrueFalse; weak: a layout defines it */
        populate((uintptr_t)__ehdr_start, (uintptr_t)often_end, MADV_POPULATE_READ);
    own_pages();
}

void pages_of_parent(void)
{
    own_pages();
    if (heap)
        populate((uintptr_t)heap, (uintptr_t)heap + (size_t)HEAP_PAGES * PAGE, MADV_POPULATE_WRITE);
}

void pages_release(void)
{
    for (unsigned page = 0; page < HEAP_PAGES; page++) {
        unsigned count = 0;
        while (free_pages >> (page + count) & 1)
            count++;
        if (count > 0)
            madvise(heap + (size_t)page * PAGE, (size_t)count * PAGE, MADV_DONTNEED);
        page += count;
    }
}

#ifndef __GLIBC__
/* By these musl's malloc() asks for pages and gives them back: the linker makes it so (Makefile).
 * Some of what it asks for has no access at first. */
void *__real___mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap___mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
    size_t count = size / PAGE;
    if (free_pages && !start && flags == (MAP_PRIVATE | MAP_ANONYMOUS) && size % PAGE == 0 &&
        count > 0 && count <= HEAP_PAGES) {
        uint32_t wanted = (1U << count) - 1;
        for (unsigned page = 0; page + count <= HEAP_PAGES; page++) {
            if ((free_pages >> page & wanted) != wanted)
                continue;
            free_pages &= ~(wanted << page);
            return heap + (size_t)page * PAGE;
        }
    }
    return __real___mmap(start, size, protection, flags, fd, offset);
}

/* New pages are zero, which calloc() relies on. */
int __real_munmap(void *start, size_t size);
int __wrap_munmap(void *start, size_t size)
{
    size_t offset = (size_t)((char *)start - heap);
    if (!heap || offset >= (size_t)HEAP_PAGES * PAGE)
        return __real_munmap(start, size);
    memset(start, 0, size);
    free_pages |= ((1U << size / PAGE) - 1) << offset / PAGE;
    return 0;
}
#endif
