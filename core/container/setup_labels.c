/* Labels of security modules: what confines the program, and what its files are labelled.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "core/base/error.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/linux/label.h"
#include "core/oci/config.h"

/* Without AppArmor everything is unconfined. */
static const char *profile_of(const struct container *container)
{
    const char *profile = container->config->process.apparmor_profile;
    return profile && strcmp(profile, "unconfined") == 0 && label_has_apparmor(container->proc) == 0
               ? NULL
               : profile;
}

static int check_selinux(const struct container *container, const char *label, const char *field)
{
    int result = label ? label_has_selinux(container->proc) : 1;
    if (result == 0)
        return fail_config(field, "no SELinux is at work here");
    return result < 0 ? result : 0;
}

int labels_prepare_mounts(const struct container *container)
{
    return check_selinux(container, container->config->mount_label, "/linux/mountLabel");
}

int labels_prepare(const struct container *container)
{
    int result = profile_of(container) ? label_has_apparmor(container->proc) : 1;
    if (result == 0)
        return fail_config("/process/apparmorProfile", "no AppArmor is at work here");
    if (result > 0)
        result = check_selinux(container, container->config->process.selinux_label,
                               "/process/selinuxLabel");
    return result < 0 ? result : labels_prepare_mounts(container);
}

int setup_profile(struct container *container)
{
    const char *profile = profile_of(container);
    return profile ? label_set_profile(container->proc, profile) : 0;
}

int setup_label(struct container *container)
{
    const char *label = container->config->process.selinux_label;
    return label ? label_set_context(container->proc, label) : 0;
}
