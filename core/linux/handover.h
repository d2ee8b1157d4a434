/* The effect of execve(2) on a process, without executing anything.
 * SPDX-License-Identifier: Apache-2.0
 *
 * In a chain, a link of this binary takes over in the same process. It must find what it would have
 * found had it been executed, above all no more privilege.
 */
#pragma once

struct chain;

/* Apply the kernel's rules for an execve(2) of a file without set-user-ID bits and capabilities:
 *
 * - capabilities(7), "Transformation of capabilities during execve": for effective user id 0
 * without SECBIT_NOROOT permitted becomes bounding and inheritable together, for others ambient;
 * effective follows. What this process does not have it does not get back: a root that gave up
 * permitted capabilities but kept them in its bounding set would regain them by a real exec.
 * SECBIT_KEEP_CAPS is cleared.
 * - dumpable becomes 1 (prctl(2), PR_SET_DUMPABLE).
 * - close-on-exec descriptors are closed, but not those of the chain, the log and the trace.
 * - signal(7): caught signals get their default action, ignored ones stay ignored, the alternate
 *   stack is gone. Mask, pending signals and parent-death signal stay.
 * - memory is no longer locked.
 *
 * Real and effective ids that differ are refused, as a shimbox executed with them refuses to start.
 * Not reproduced: the switch to the time namespace for children (Linux 6.2 and newer do it at
 * exec). Returns 0 or a negative errno (recorded). */
int hand_over(const struct chain *keep);
