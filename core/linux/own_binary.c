/* The protection of our own executable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/own_binary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/linux/pages.h"
#include "core/linux/sys.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#define DONE_BY "SHIMBOX_PROTECTED_PID"

#ifndef ST_RDONLY
#define ST_RDONLY 1
#endif

/* The name by which the kernel knows a program that was executed through a descriptor, "/dev/fd/N"
 * or
 * "/dev/fd/N/NAME", tells that execute() below may have started this process. Returns N or -1. */
static int descriptor_of_start(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr) */
    if (!name || !starts_with(name, "/dev/fd/"))
        return -1;
    return (int)strtol(name + strlen("/dev/fd/"), NULL, 10);
}

/* Whether it has: what lies behind the name, and behind this process, has to be one of our two
 * kinds of file. The root directory of an overlay goes to the caller (own_binary.h). */
static bool is_protected(int exe, int start, int *overlay)
{
    int seals = fcntl(exe, F_GET_SEALS);
    if (seals >= 0)
        return (seals & SEALS) == SEALS;
    struct statfs file;
    struct statfs root;
    if (fstatfs(exe, &file) < 0 || fstatfs(start, &root) < 0 ||
        file.f_type != OVERLAYFS_SUPER_MAGIC || root.f_type != OVERLAYFS_SUPER_MAGIC ||
        !(root.f_flags & ST_RDONLY) || memcmp(&file.f_fsid, &root.f_fsid, sizeof(file.f_fsid)) != 0)
        return false;
    fcntl(start, F_SETFD, FD_CLOEXEC);
    *overlay = start;
    return true;
}

/* Without these capabilities, a container's ids are the caller's own and its subordinate ones. The
 * file is out of their reach if it is root's and only root may write to it. */
static bool is_out_of_reach(int exe)
{
    static const int reaching[] = {CAP_SYS_ADMIN, CAP_SETUID, CAP_DAC_OVERRIDE};
    for (size_t i = 0; i < sizeof(reaching) / sizeof(reaching[0]); i++) {
        if (capability_have(reaching[i]))
            return false;
    }
    struct stat status;
    return geteuid() != 0 && fstat(exe, &status) == 0 && status.st_uid == 0 &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* A read-only overlay whose only use is that its files cannot be written to. Without an upper one
 * it takes two lower directories that do not overlap: beside the binary's own, /sys or /dev, which
 * is never looked into. procfs would be refused. name: of the binary in it. Returns a descriptor of
 * its root directory, or -1. */
static int open_overlay(char name[NAME_MAX + 1])
{
    char lower[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", lower, sizeof(lower) - sizeof(":/sys"));
    if (length <= 0)
        return -1;
    lower[length] = '\0';
    char *slash = strrchr(lower, '/');
    if (!slash || slash == lower)
        return -1;
    *slash = '\0';
    snprintf(name, NAME_MAX + 1, "%s", slash + 1);
    /* ':' separates and '\\' escapes in lowerdir; such a path takes the other way. */
    if (strpbrk(lower, ":\\,"))
        return -1;
    memcpy(slash, access("/sys", F_OK) == 0 ? ":/sys" : ":/dev", sizeof(":/sys"));
    autoclose int context = sys_fsopen("overlay", FSOPEN_CLOEXEC);
    if (context < 0 || sys_fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", lower, 0) < 0 ||
        sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return sys_fsmount(context, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
}

/* A copy in memory that nobody, not even its owner, can change any more. */
static int open_in_memory(int exe)
{
    autoclose int memory = memfd_create("shimbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat status;
    if (memory < 0 || fstat(exe, &status) < 0)
        return fail(errno, "cannot copy the own binary to memory");
    off_t offset = 0;
    while (offset < status.st_size) {
        ssize_t count = sendfile(memory, exe, &offset, (size_t)(status.st_size - offset));
        if (count <= 0)
            return fail(count < 0 ? errno : EIO, "cannot copy the own binary to memory");
    }
    if (fchmod(memory, 0555) < 0 || fcntl(memory, F_ADD_SEALS, SEALS) < 0)
        return fail(errno, "cannot seal the copy of the own binary");
    return take_fd(&memory);
}

/* Execute that file of ours. Returns only if it fails, with errno. Our pid in the environment tells
 * the new program that this was done: under an emulator, whose /proc/self/exe or AT_EXECFN may be
 * another program's, it could not see it, and would do it again and again. Nothing is allocated for
 * it: the pages would be used for this alone. */
static void execute_marked(int directory, const char *name, char **argv, int flags)
{
    static const char variable[] = DONE_BY "=";
    char mark[sizeof(variable) + 16];
    size_t count = 0;
    size_t kept = 0;
    trace_hand_over();
    snprintf(mark, sizeof(mark), "%s%d", variable, (int)getpid());
    while (environ[count])
        count++;
    /* The kernel lets argv and environ take a quarter of what the stack may. */
    char *environment[count + 2];
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], variable, sizeof(variable) - 1) != 0)
            environment[kept++] = environ[i];
    }
    environment[kept++] = mark;
    environment[kept] = NULL;
    sys_execveat(directory, name, argv, environment, flags);
    int number = errno;
    trace_resume();
    errno = number;
}

/* Start anew from the protected file; returns only if that fails. */
static int execute(int exe, char **argv)
{
    char name[NAME_MAX + 1];
    const char *earlier = getenv(DONE_BY);
    if (earlier && strtol(earlier, NULL, 10) == getpid())
        return fail(ELOOP, "cannot tell that the own binary is protected");
    autoclose int overlay = -1;
    if (capability_have(CAP_SYS_ADMIN)) {
        step("make an overlay of the own binary");
        overlay = open_overlay(name);
    }
    if (overlay >= 0)
        execute_marked(overlay, name, argv, 0);
    step("copy the own binary to memory");
    autoclose int copy = open_in_memory(exe);
    if (copy < 0)
        return copy;
    execute_marked(copy, "", argv, AT_EMPTY_PATH);
    return fail(errno, "cannot execute the protected copy of the own binary");
}

static int protect(char **argv, int *overlay)
{
    step("examine the own binary");
    autoclose int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (exe < 0) {
        int result = fail(errno, "cannot open the own binary, /proc/self/exe");
        error_hint("/proc must be mounted, and the binary readable");
        return result;
    }
    int start = descriptor_of_start();
    if (start >= 0 && is_protected(exe, start, overlay)) {
        /* The kernel may have taken the descriptor's number for the name; ps should show ours. */
        prctl(PR_SET_NAME, "shimbox", 0, 0, 0);
        unsetenv(DONE_BY);
        pages_begin();
        return 0;
    }
    return is_out_of_reach(exe) ? 0 : execute(exe, argv);
}

int own_binary_protect(char **argv, int *overlay)
{
    *overlay = -1;
    pages_of_stack();
    int result = protect(argv, overlay);
    if (result < 0)
        error_step("protect own binary");
    return result;
}
