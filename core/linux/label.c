/* Labels that a security module gives the programs that a process executes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/label.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/procfs.h"

#define APPARMOR "attr/apparmor/" /* since Linux 5.8; attr/ alone may be another module's */

/* A process may write to the files of its own threads only; this one has no other thread. By
 * number, since /proc/self is a link. */
static int own_path(int proc, const char *file, char path[64])
{
    pid_t pid = procfs_self(proc);
    if (pid < 0)
        return pid;
    snprintf(path, 64, "%d/%s", (int)pid, file);
    return 0;
}

/* The file is there with any kernel that could have it; read it can be only where it is at work. */
int label_has_apparmor(int proc)
{
    char path[64];
    char text[8] = "";
    int result = own_path(proc, APPARMOR "current", path);
    if (result < 0)
        return result;
    result = procfs_read(proc, path, text, sizeof(text));
    if (result != -ENOENT && result != -EINVAL)
        return result < 0 ? result : 1;
    error_clear();
    return 0;
}

/* Its file system is registered only where it has not been turned off when the kernel booted. */
int label_has_selinux(int proc)
{
    char text[8192];
    int result = procfs_read(proc, "filesystems", text, sizeof(text));
    return result < 0 ? result : strstr(text, "\tselinuxfs\n") != NULL;
}

/* Write, and see that it has been understood. */
static int set(int proc, const char *file, const char *value)
{
    char path[64];
    char text[8] = "";
    int result = own_path(proc, file, path);
    if (result == 0)
        result = procfs_write(proc, path, value);
    if (result == 0)
        result = procfs_read(proc, path, text, sizeof(text));
    if (result < 0)
        return result;
    return text[0] ? 0 : fail(EIO, "cannot write to /proc/%s", path);
}

/* In words that name the label. */
static int fail_label(int result, const char *module, const char *label)
{
    const struct error kept = *error_get();
    error_clear();
    fail(-result, "cannot use the %s %s", module, label);
    if (kept.hint[0])
        error_hint("%s", kept.hint);
    return result;
}

int label_set_profile(int proc, const char *profile)
{
    autofree char *command = NULL;
    step("have the program confined by %s", profile);
    if (asprintf(&command, "exec %s", profile) < 0) {
        command = NULL;
        return fail(ENOMEM, "cannot allocate memory");
    }
    int result = set(proc, APPARMOR "exec", command);
    if (result == 0)
        return 0;
    fail_label(result, "AppArmor profile", profile);
    if (result == -ENOENT)
        error_hint("no such profile is loaded");
    else if (result == -EACCES || result == -EPERM)
        error_hint("the profile of the caller does not allow it");
    return result;
}

static int set_context(int proc, const char *file, const char *context)
{
    int result = set(proc, file, context);
    if (result == 0)
        return 0;
    fail_label(result, "SELinux label", context);
    if (result == -EINVAL)
        error_hint("the policy that is loaded has no such context");
    else if (result == -EACCES || result == -EPERM)
        error_hint("the policy that is loaded does not allow it");
    return result;
}

int label_set_context(int proc, const char *context)
{
    step("have the program labelled %s", context);
    return set_context(proc, "attr/exec", context);
}

int label_set_key_context(int proc, const char *context)
{
    char path[64];
    if (context)
        return set_context(proc, "attr/keycreate", context);
    int result = own_path(proc, "attr/keycreate", path);
    return result < 0 ? result : procfs_write(proc, path, "\n");
}
