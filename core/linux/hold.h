/* Keeping something alive for somebody else.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Before it is told what is held: from now on the signals wait that ask this process to end (HUP,
 * INT, TERM, QUIT). */
void hold_signals(void);

/* After that: wait until standard input ends or one of them has come: what is read is thrown away.
 * Returns 0 or a negative errno (recorded). */
int hold(void);
