/* Signals by name. signal(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Signals of the kernel: 1 to 64. */
#define SIGNAL_LAST 64

/* "SIGKILL" for 9; "" for the real-time signals, 32 and up, which every libc counts from another
 * number, and for what is no signal. */
const char *signal_name(int number);

/* The number of "TERM", "SIGTERM" or "15", in any case; "RTMIN+2" and "RTMAX-1" too, counted as the
 * kernel counts from 34. -ENOENT (not recorded) when there is no such signal. */
int signal_number(const char *name);
