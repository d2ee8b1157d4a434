/* The first things a process sees to, before any work.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Give a closed descriptor 0, 1 or 2 something harmless, so that no file opened later is taken for
 * standard output. One poll(2) when all are open. Returns which were closed: bit N is number N. */
unsigned start_stdio(void);

/* Refuse to run with more privilege than the caller's: set-user-ID, set-group-ID, or a file with
 * capabilities. AT_SECURE alone is no sign, since SELinux and AppArmor transitions set it as well
 * (getauxval(3)). Returns 0 or a negative errno (recorded). */
int start_check_privilege(void);
