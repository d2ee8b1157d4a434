/* What belongs to the process and its namespaces, and is neither a mount nor an id.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/linux/keyring.h"
#include "core/linux/label.h"
#include "core/linux/procfs.h"
#include "core/linux/sysctl.h"
#include "core/oci/config.h"

int setup_time(struct container *container)
{
    const struct config *config = container->config;
    const struct config_namespace *time = &config->namespaces[NAMESPACE_TIME];
    if (!time->wanted || time->path)
        return 0;
    /* Joining a user namespace has made this process undumpable, so that its files in /proc are
     * root's. Of an ordinary user's there is nothing to hide, see join_and_clone(). */
    if (!container->privileged && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return fail(errno, "cannot get hold of the own files in /proc");
    return time_namespace_enter(container->proc, config->time_offsets);
}

static int join_keyring(const struct container *container)
{
    char name[272];
    if (!container->id)
        return keyring_join(NULL, container->config->namespaces[NAMESPACE_USER].wanted);
    snprintf(name, sizeof(name), "_ses.%s", container->id);
    return keyring_join(name, container->config->namespaces[NAMESPACE_USER].wanted);
}

/* With the program's label, or it could not use it. */
int setup_keyring(struct container *container)
{
    const char *label = container->config->process.selinux_label;
    int result = 0;
    if (container->no_new_keyring)
        return 0;
    if (label)
        result = label_set_key_context(container->proc, label);
    if (result < 0) {
        error_field("/process/selinuxLabel");
        return result;
    }
    result = join_keyring(container);
    return result == 0 && label ? label_set_key_context(container->proc, NULL) : result;
}

/* By a procfs where nobody can have mounted anything; where there cannot be one, by the host's, of
 * which the same is checked. */
int setup_sysctls(struct container *container)
{
    const struct config *config = container->config;
    if (config->sysctl_count == 0)
        return 0;
    autoclose int own = procfs_create();
    if (own < 0)
        error_clear();
    for (size_t i = 0; i < config->sysctl_count; i++) {
        const struct config_sysctl *sysctl = &config->sysctls[i];
        step("set sysctl %s", sysctl->name);
        trace_field("/linux/sysctl");
        int result = sysctl_write(own >= 0 ? own : container->proc, sysctl->name, sysctl->value);
        if (result < 0)
            return result;
    }
    return 0;
}

int setup_schedule(const struct container *container, pid_t pid)
{
    const struct config_process *process = &container->config->process;
    int result = 0;
    if (process->scheduler.given) {
        step("set the scheduling policy");
        trace_field("/process/scheduler");
        result = scheduler_set(pid, &process->scheduler);
        if (result < 0)
            error_field("/process/scheduler");
    }
    if (result == 0 && process->io_priority.class) {
        step("set the priority of input and output");
        trace_field("/process/ioPriority");
        result = io_priority_set(pid, &process->io_priority);
        if (result < 0)
            error_field("/process/ioPriority");
    }
    return result;
}

int setup_schedule_as_user(struct container *container)
{
    return container->privileged ? 0 : setup_schedule(container, 0);
}

int setup_memory_policy(struct container *container)
{
    const struct memory_policy *policy = &container->config->memory_policy;
    return policy->given ? memory_policy_set(policy) : 0;
}

int setup_personality(struct container *container)
{
    const struct config *config = container->config;
    if (config->has_personality && personality((unsigned long)config->personality) < 0)
        return fail(errno, "cannot set the personality");
    return 0;
}
