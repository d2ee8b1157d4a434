/* The names of the machine, which are those of its uts namespace. sethostname(2), setdomainname(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#define UTS_NAME_MAX 64 /* __NEW_UTS_LEN, without the final NUL */

/* Return 0 or a negative errno (recorded). */
int uts_set_hostname(const char *name);
int uts_set_domainname(const char *name);
