/* Executing hooks. runtime-spec, config.md, "POSIX-platform Hooks".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <sys/types.h>

#include "core/oci/hooks.h"

struct record;

/* Execute hooks of one kind, one after the other, in this process's namespaces and with its rights:
 * with the state of the container (status, pid) on standard input, and nothing in the environment
 * but what the hook gives. What they write is shown only if they fail. One that takes longer than
 * its timeout is killed with all of its process group; so it is when this process gets one of HUP,
 * INT, QUIT and TERM while they are blocked. The first that fails ends this.
 * Returns 0 or a negative errno (recorded with the config's field). */
int hooks_run(const struct hooks *hooks, enum hook_type type, const struct record *record,
              const char *status, pid_t pid);

/* Those for which a failure is nothing but a warning: all are executed. */
void hooks_run_all(const struct hooks *hooks, enum hook_type type, const struct record *record,
                   const char *status, pid_t pid);
