/* Pages of memory, asked for before they are touched.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A page that is not there is an exception at its first touch, and so is one that is written to
 * after a fork. In a virtual machine that takes as long as ten or twenty system calls, where to be
 * given the page takes no longer than one. Only time depends on what is done here: where the kernel
 * does not know how (MADV_POPULATE_WRITE is of Linux 5.14), pages come one by one as ever.
 */
#pragma once

/* For a command that has much to do: the first pages of the heap, in one piece. Before anything is
 * allocated. */
void pages_begin(void);

/* As much of the stack as such a command needs. */
void pages_of_stack(void);

/* After a fork, in either process: what it has written to and will write to again, and so would be
 * copied page by page; in the child also what it executes. */
void pages_of_child(void);
void pages_of_parent(void);

/* Give back what the heap does not use any more, for a process that stays for a while. */
void pages_release(void);
