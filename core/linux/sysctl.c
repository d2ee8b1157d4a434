/* Kernel parameters that a namespace has for itself.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/sysctl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/path.h"
#include "core/linux/procfs.h"

/* Names that end with a slash stand for all below. What is not here has one value for the whole
 * machine; below net and user, the kernel shows to other namespaces only what is their own. */
static const struct {
    char path[24];
    uint8_t type;
} owners[] = {
    {"net/", NAMESPACE_NETWORK},           {"user/", NAMESPACE_USER},
    {"fs/mqueue/", NAMESPACE_IPC},         {"kernel/auto_msgmni", NAMESPACE_IPC},
    {"kernel/msg_next_id", NAMESPACE_IPC}, {"kernel/msgmax", NAMESPACE_IPC},
    {"kernel/msgmnb", NAMESPACE_IPC},      {"kernel/msgmni", NAMESPACE_IPC},
    {"kernel/sem", NAMESPACE_IPC},         {"kernel/sem_next_id", NAMESPACE_IPC},
    {"kernel/shm_next_id", NAMESPACE_IPC}, {"kernel/shm_rmid_forced", NAMESPACE_IPC},
    {"kernel/shmall", NAMESPACE_IPC},      {"kernel/shmmax", NAMESPACE_IPC},
    {"kernel/shmmni", NAMESPACE_IPC},      {"kernel/domainname", NAMESPACE_UTS},
    {"kernel/hostname", NAMESPACE_UTS},
};

int sysctl_path(const char *name, char *path, size_t size)
{
    size_t length = strlen(name);
    const char *separator = strpbrk(name, "./");
    if (length == 0 || length >= size)
        return -EINVAL;
    memcpy(path, name, length + 1);
    for (char *at = path; separator && *separator == '.' && *at; at++) {
        if (*at == '.' || *at == '/')
            *at = *at == '.' ? '/' : '.';
    }
    return path_is_plain(path) ? 0 : -EINVAL;
}

int sysctl_namespace(const char *path)
{
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        if (ends_with(owners[i].path, "/") ? starts_with(path, owners[i].path)
                                           : strcmp(path, owners[i].path) == 0)
            return owners[i].type;
    }
    return -1;
}

int sysctl_write(int proc, const char *name, const char *value)
{
    static const char top[] = "sys/";
    char path[PATH_MAX];
    memcpy(path, top, sizeof(top));
    if (sysctl_path(name, path + strlen(top), sizeof(path) - strlen(top)) < 0)
        return fail(EINVAL, "'%s' is no kernel parameter", name);
    /* The file belongs to the root of the first user namespace, whoever owns the uts namespace. */
    if (strcmp(path, "sys/kernel/domainname") == 0)
        return setdomainname(value, strlen(value)) < 0 ? fail(errno, "cannot set sysctl %s", name)
                                                       : 0;
    /* With the newline an empty value is one as well: a write of no bytes does nothing. */
    autotext struct text line = {0};
    text_append_format(&line, "%s\n", value);
    if (line.failed)
        return fail(ENOMEM, "cannot set sysctl %s", name);
    int result = procfs_write(proc, path, line.data);
    if (result < 0)
        error_context("cannot set sysctl %s to '%s'", name, value);
    if (result == -ENOENT)
        error_hint("this kernel has none of that name, or not for namespaces");
    return result;
}
