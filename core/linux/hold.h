/* Keeping something alive for somebody else.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Wait until standard input ends or a signal asks this process to end (HUP, INT, TERM, QUIT): what
 * is read is thrown away. Returns 0 or a negative errno (recorded). */
int hold(void);

/* Before it is told what is held: from now on these signals wait for hold(). */
void hold_signals(void);
