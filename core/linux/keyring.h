/* Session keyrings. session-keyring(7), keyctl(2).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/* Leave the caller's session keyring for a new one, or for the one of that name, if this user has
 * one. name: NULL for one without. search_by_others: not only its owner may search it.
 * Where the kernel has no keyrings, or a seccomp filter forbids them, nothing is done.
 * Returns 0 or a negative errno (recorded). */
int keyring_join(const char *name, bool search_by_others);
