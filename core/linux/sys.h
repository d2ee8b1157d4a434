/* System calls that a libc does not wrap (all of those that shimbox uses), and their constants.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The only file with syscall(). Each wrapper returns what syscall(2) does: -1 with errno set on
 * failure. mount(2) and umount2(2) are here as well, because <sys/mount.h> of glibc cannot be
 * included together with <linux/mount.h>.
 */
#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Numbers that are newer than the libc's headers; the same on every architecture since 5.1. */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 /* Linux 6.15 */
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200 /* Linux 6.5 */
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000 /* Linux 5.14 */
#endif

/* From linux/fs.h, which cannot be included beside linux/mount.h everywhere. */
#ifndef MS_REC
#define MS_REC 16384
#endif

/* umount2(2) */
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef UMOUNT_NOFOLLOW
#define UMOUNT_NOFOLLOW 8
#endif

/* ioctl_tty(2) */
#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

/* statfs(2) of a pidfd, Linux 6.9: linux/magic.h */
#ifndef PIDFS_MAGIC
#define PIDFS_MAGIC 0x50494446
#endif

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* statx(2): a request for stx_mnt_id, Linux 5.8 */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

/* linux/keyctl.h */
#ifndef KEYCTL_JOIN_SESSION_KEYRING
#define KEYCTL_JOIN_SESSION_KEYRING 1
#define KEYCTL_SETPERM              5
#define KEYCTL_DESCRIBE             6
#endif

/* sched_setattr(2). Here, because the kernel's header of it and <sched.h> exclude each other. */
struct sys_sched_attr {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* nanoseconds, as the next two */
    uint64_t deadline;
    uint64_t period;
    uint32_t util_min; /* Linux 5.3 */
    uint32_t util_max;
};

static inline int sys_openat2(int directory, const char *path, const struct open_how *how)
{
    return (int)syscall(SYS_openat2, directory, path, how, sizeof(*how));
}

static inline pid_t sys_clone3(struct clone_args *arguments)
{
    return (pid_t)syscall(SYS_clone3, arguments, sizeof(*arguments));
}

/* The same with a size of one's own: without arguments it only tells whether it is there. */
static inline pid_t sys_clone3_size(struct clone_args *arguments, size_t size)
{
    return (pid_t)syscall(SYS_clone3, arguments, size);
}

/* clone(2) as a fork with flags; pidfd receives a descriptor with CLONE_PIDFD. The order of the
 * last two arguments differs between architectures, both are unused here. */
static inline pid_t sys_clone(unsigned long flags, int *pidfd)
{
    return (pid_t)syscall(SYS_clone, flags, NULL, pidfd, NULL, NULL);
}

static inline int sys_pidfd_send_signal(int pidfd, int number)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

static inline int sys_pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* A pidfd by its inode, through any other pidfd; since Linux 6.14. ESTALE: there is no such process
 * (any more), or this kernel cannot. */
static inline int sys_pidfs_open(int pidfd, uint64_t inode)
{
    struct {
        uint32_t size;
        int32_t type; /* FILEID_KERNFS, which pidfs uses */
        uint64_t inode;
    } handle = {sizeof(inode), 0xfe, inode};
    return (int)syscall(SYS_open_by_handle_at, pidfd, &handle, O_RDONLY | O_CLOEXEC);
}

static inline int sys_seccomp(unsigned operation, unsigned flags, void *argument)
{
    return (int)syscall(SYS_seccomp, operation, flags, argument);
}

/* The version of Landlock's interface (LANDLOCK_CREATE_RULESET_VERSION). */
static inline int sys_landlock_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1U);
}

/* A copy of another process's descriptor, close-on-exec. Linux 5.6. */
static inline int sys_pidfd_getfd(int pidfd, int number)
{
    return (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
#ifdef SYS_close_range
    return (int)syscall(SYS_close_range, first, last, flags);
#else
    return (int)syscall(436, first, last, flags);
#endif
}

static inline int sys_setgroups(size_t count, const uint32_t *groups)
{
    return (int)syscall(SYS_setgroups, count, groups);
}

static inline int sys_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return (int)syscall(SYS_setresuid, real, effective, saved);
}

static inline int sys_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    return (int)syscall(SYS_setresgid, real, effective, saved);
}

static inline int sys_setns(int fd, int type)
{
    return (int)syscall(SYS_setns, fd, type);
}

static inline int sys_unshare(unsigned long flags)
{
    return (int)syscall(SYS_unshare, flags);
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int sys_mount(const char *source, const char *target, const char *type,
                            unsigned long flags, const void *data)
{
    return (int)syscall(SYS_mount, source, target, type, flags, data);
}

static inline int sys_umount2(const char *target, int flags)
{
    return (int)syscall(SYS_umount2, target, flags);
}

static inline int sys_open_tree(int directory, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, directory, path, flags);
}

static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path,
                                 unsigned flags)
{
    return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static inline int sys_fsopen(const char *type, unsigned flags)
{
    return (int)syscall(SYS_fsopen, type, flags);
}

static inline int sys_fsconfig(int context, unsigned command, const char *key, const void *value,
                               int number)
{
    return (int)syscall(SYS_fsconfig, context, command, key, value, number);
}

static inline int sys_fsmount(int context, unsigned flags, unsigned attributes)
{
    return (int)syscall(SYS_fsmount, context, flags, attributes);
}

static inline int sys_mount_setattr(int directory, const char *path, unsigned flags,
                                    struct mount_attr *attributes)
{
    return (int)syscall(SYS_mount_setattr, directory, path, flags, attributes, sizeof(*attributes));
}

/* Linux 6.15. */
static inline int sys_open_tree_attr(int directory, const char *path, unsigned flags,
                                     struct mount_attr *attributes, size_t size)
{
    return (int)syscall(SYS_open_tree_attr, directory, path, flags, attributes, size);
}

static inline int sys_execveat(int directory, const char *path, char *const *argv,
                               char *const *environment, int flags)
{
    return (int)syscall(SYS_execveat, directory, path, argv, environment, flags);
}

/* The kernel's own answer: libc's getcwd() turns an unreachable directory into ENOENT. */
static inline int sys_getcwd(char *path, size_t size)
{
    return (int)syscall(SYS_getcwd, path, size);
}

/* sigaction(2) to the default action; libc refuses the signals that it uses itself. */
static inline int sys_default_action(int number)
{
    /* Handler, flags, restorer and mask of the kernel's struct: SIG_DFL is 0, and so is the rest.
     */
    static const unsigned long action[4] = {0};
    return (int)syscall(SYS_rt_sigaction, number, action, NULL, (size_t)8);
}

static inline int sys_sched_setattr(pid_t pid, const struct sys_sched_attr *attributes)
{
    return (int)syscall(SYS_sched_setattr, pid, attributes, 0);
}

static inline int sys_ioprio_set(int which, int who, int priority)
{
    return (int)syscall(SYS_ioprio_set, which, who, priority);
}

/* bits: how many the mask has. The kernel takes one less than it is told. */
static inline int sys_set_mempolicy(int mode, const void *mask, unsigned long bits)
{
    return (int)syscall(SYS_set_mempolicy, mode, mask, mask ? bits + 1 : 0);
}

static inline long sys_keyctl(int operation, unsigned long second, unsigned long third,
                              unsigned long fourth)
{
    return syscall(SYS_keyctl, operation, second, third, fourth, 0UL);
}

/* Which mount the descriptor is on. libc's struct statx is not everywhere, and the kernel's header
 * clashes with <sys/stat.h>: 32 words, of which the first is the mask of what is filled in. */
static inline int sys_mount_id(int fd, uint64_t *id)
{
    union {
        uint32_t mask;
        uint64_t words[32];
    } status = {0};
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0)
        return -1;
    *id = status.words[18];
    return status.mask & STATX_MNT_ID ? 0 : -1;
}

/* sigaction(2): only tells the handler, also of the signals that libc uses itself. */
static inline int sys_signal_handler(int number, uintptr_t *handler)
{
    unsigned long action[4] = {0};
    int result = (int)syscall(SYS_rt_sigaction, number, NULL, action, (size_t)8);
    *handler = action[0];
    return result;
}

/* time: a struct timespec. Always the kernel's. */
static inline int sys_clock_gettime(int clock, void *time)
{
    return (int)syscall(SYS_clock_gettime, clock, time);
}

/* musl answers ENOSYS by itself, as these are about a thread, not about a process. */
static inline int sys_sched_getscheduler(pid_t thread)
{
    return (int)syscall(SYS_sched_getscheduler, thread);
}

/* parameters: a struct sched_param. */
static inline int sys_sched_getparam(pid_t thread, void *parameters)
{
    return (int)syscall(SYS_sched_getparam, thread, parameters);
}

/* attributes: a union bpf_attr. */
static inline int sys_bpf(int command, void *attributes, size_t size)
{
    return (int)syscall(SYS_bpf, command, attributes, size);
}

/* linux/module.h; Linux 5.17 */
#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4
#endif

static inline int sys_finit_module(int fd, const char *parameters, int flags)
{
    return (int)syscall(SYS_finit_module, fd, parameters, flags);
}
