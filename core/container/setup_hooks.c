/* Hooks that the container's process executes itself. runtime-spec, config.md, "POSIX-platform
 * Hooks".
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

#include "core/container/container.h"
#include "core/container/hooks.h"
#include "core/container/lifecycle.h"
#include "core/container/setup.h"
#include "core/oci/config.h"

/* The pid is the one that the hook sees, as with runc. */
static int run_hooks(const struct container *container, enum hook_type type, enum status status)
{
    const struct hooks *hooks = &container->config->hooks[type];
    return hooks_run(hooks, type, container->record, status_name(status), getpid());
}

int setup_create_hooks(struct container *container)
{
    return run_hooks(container, HOOK_CREATE_CONTAINER, STATUS_CREATING);
}

int setup_start_hooks(struct container *container)
{
    return run_hooks(container, HOOK_START_CONTAINER, STATUS_CREATED);
}
