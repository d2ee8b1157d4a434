/* Signals by name. signal(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Signals of the kernel: 1 to 64. */
#define SIGNAL_LAST 64

/* "SIGKILL" for 9; "" for the real-time signals, 32 and up, which every libc counts from another
 * number, and for what is no signal. */
const char *signal_name(int number);
