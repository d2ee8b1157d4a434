/* The protection of our own executable.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A container can make its program be /proc/self/exe, and so get hold of the file that this process
 * was started from; once no process runs it, the file can be opened for writing, and the next
 * container is started by whatever was written (CVE-2019-5736). So before a process can be seen
 * from a container, it is started anew from a file that cannot be written to.
 */
#pragma once

/* Make sure that /proc/self/exe cannot be written to from a container whose ids come from the
 * caller's own: returns 0 at once if it is so; otherwise executes this program anew with the same
 * arguments and environment, from a read-only overlay of its directory, or from a sealed memfd
 * where overlay cannot be mounted. Does not return in that case, or returns a negative errno
 * (recorded). argv: the whole command line of this process. *overlay: the root of that overlay,
 * close-on-exec, or -1. It is of no use any more, but closing it makes the kernel take the detached
 * mount apart, which the caller can do while it has nothing else to do (about 0.1 ms). */
int own_binary_protect(char **argv, int *overlay);
