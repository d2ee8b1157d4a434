/* "Created, not started": a container's process that waits at a fifo to be started.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All is done but for the execution. The process opens the fifo for writing, which takes until
 * somebody opens it for reading; so whoever may read it may start the container, once. What can be
 * read from it then, until its end:
 *
 *     "0"             the program has been executed: this byte is written before that, and the
 *                     end comes by it
 *     "0" TEXT "\n"   it could not be: one line that says why, printable UTF-8, at most 512 bytes
 *     nothing         the process ended, or was killed, before it could say anything
 *
 * As runc has it: its `start` reads the "0" and is content. A reader that goes away before there is
 * anything to read starts nothing.
 *
 * The fifo must be writable for the user that the program gets, as an inode (mode 0622):
 * directories on the way to it do not matter. While it waits, the process is not tied to who made
 * it; SIGTERM, SIGINT, SIGHUP and SIGQUIT end it even if it is the first one of a pid namespace.
 */
#pragma once

struct container;

/* In the container's process: say that it is created, then wait. From then on the fifo, and not the
 * channel, is where errors go. Returns 0 when it is started, or a negative errno (recorded). */
int start_wait(struct container *container);

/* Tell who started it why its program could not be executed: this process's error record. */
void start_send_error(const struct container *container);

/* Start a container from outside. fifo: its path, relative to directory; pidfd: its process, whose
 * end ends the wait, -1 if that is not known. Returns 0 when the program has been executed, or a
 * negative errno (recorded; -EPIPE when the process ended without saying why). */
int start_container(int directory, const char *fifo, int pidfd);
