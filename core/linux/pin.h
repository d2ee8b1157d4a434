/* Namespaces kept by a file that they are bound on. namespaces(7), "bind mounting".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "core/linux/namespace.h"

/* Make the file called name in directory, which must not exist, and bind the namespace on it. path:
 * for messages. Returns 0 or a negative errno (recorded); on failure there is no file. */
int pin_namespace(int namespace, int directory, const char *name, const char *path);

/* Undo that: unmount and remove the file. Nothing but a namespace of this type is taken away.
 * Returns 0 or a negative errno (recorded). */
int pin_remove(const char *path, enum namespace_type type);

/* Is a namespace of this type bound on that name? */
bool pin_exists(int directory, const char *name, enum namespace_type type);
