/* Network interfaces. netdevice(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Bring the loopback interface of this network namespace up, which gives it 127.0.0.1 and ::1.
 * Returns 0 or a negative errno (recorded). */
int network_loopback_up(void);
