/* The system call filter of a container: loading it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Without no_new_privs this takes privilege, which the set-up is about to give up; all that it does
 * after that, the program's profile has to allow. With it, the filter comes as late as can be: then
 * only the execution has to be allowed.
 */
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/container/sync.h"
#include "core/linux/seccomp.h"
#include "core/oci/config.h"

static int load(struct container *container)
{
    step("load the system call filter");
    /* The parent's connection, which ends only when all have closed it: whoever answers may wait
     * for its end first. */
    close_fd(&container->listener);
    autoclose int listener = filter_load(&container->filter);
    if (listener < 0)
        return listener;
    container->filter.code = NULL; /* done; no call more than needed, so it is not freed */
    if (!container->config->seccomp.notifies) {
        (void)take_fd(&listener);
        return 0;
    }
    /* From here on whatever this process does may wait for the listener, but for this one call. */
    int result = sync_send_fd(container->channel, SYNC_SECCOMP, listener);
    return result < 0 ? result : sync_expect(container->channel, SYNC_SECCOMP_DONE);
}

int setup_seccomp_early(struct container *container)
{
    return container->filter.code && !container->config->process.no_new_privileges ? load(container)
                                                                                   : 0;
}

static bool is_late(const struct container *container)
{
    return container->filter.code && container->config->process.no_new_privileges;
}

int setup_seccomp_notify(struct container *container)
{
    return is_late(container) && container->config->seccomp.notifies ? load(container) : 0;
}

int setup_seccomp_late(struct container *container)
{
    return is_late(container) ? load(container) : 0;
}
