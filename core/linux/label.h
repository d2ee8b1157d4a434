/* Labels that a security module gives the programs that a process executes. apparmor(7),
 * selinux(8), and the kernel's Documentation/admin-guide/LSM/. SPDX-License-Identifier: Apache-2.0
 *
 * A process asks for them by its own files in /proc/PID/attr. What is written there must not land
 * anywhere else, or the program would run without (CVE-2019-16884, CVE-2025-52881): see procfs.h.
 * proc: the root of a procfs that knows this process. All functions record their errors.
 */
#pragma once

/* Is the module at work here? Return 1, 0 or a negative errno. */
int label_has_apparmor(int proc);
int label_has_selinux(int proc);

/* What this process executes next is confined by that profile, or has that context. Children that
 * it has before inherit the wish. Return 0 or a negative errno; -ENOENT: no such profile is loaded.
 */
int label_set_profile(int proc, const char *profile);
int label_set_context(int proc, const char *context);

/* The context of keyrings that this process makes from now on, NULL: what the policy says. */
int label_set_key_context(int proc, const char *context);
