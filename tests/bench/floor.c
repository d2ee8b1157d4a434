// floor: the kernel work of `shimbox run` of the default spec, with constants and no parsing.
// SPDX-License-Identifier: Apache-2.0
//
// floor [--seal] [--by-descriptor] [--cgroup DIR] [--trace] ROOTFS PROGRAM [ARG...]
//
// The denominator of `make bench`. Only for root, without a user namespace. ROOTFS is a directory
// that holds proc, sys, dev and tmp. The exit code is the program's, or 128+N, or 125.
//   --seal    first becomes a copy of itself that a container cannot write (a read-only overlay)
//   --by-descriptor  mounts and paths as `run` has them, see floor_descriptor.c
//   --cgroup  the program starts in a new cgroup (version 2) below DIR, removed at the end
//   --trace   prints the microseconds of each step on stderr
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "floor_descriptor.h"

// Numbers of kernel 5.2 to 5.14 that are the same on every architecture; musl has no names for
// them.
enum {
    number_open_tree = 428,
    number_move_mount = 429,
    number_clone3 = 435,
    number_close_range = 436,
};
enum {
    open_tree_clone = 1,
    at_recursive = 0x8000,
    move_from_empty_path = 4,
    cgroup2_magic = 0x63677270,
};
#define CLONE_PIDFD_BIT       0x1000UL
#define CLONE_INTO_CGROUP_BIT 0x200000000ULL
#define NAMESPACES                                                                                 \
    (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)
#define HARDENED (MS_NOSUID | MS_NOEXEC | MS_NODEV)

struct clone_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

static bool tracing;
static struct timespec last;

static void step(const char *name)
{
    struct timespec now;

    if (!tracing) {
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (last.tv_sec) {
        dprintf(2, "%7.1f us  %s\n",
                (double)(now.tv_sec - last.tv_sec) * 1e6 +
                    (double)(now.tv_nsec - last.tv_nsec) / 1e3,
                name);
    }
    clock_gettime(CLOCK_MONOTONIC, &last);
}

void floor_check(long result, const char *what)
{
    if (result < 0) {
        dprintf(2, "floor: %s: %s\n", what, strerror(errno));
        _exit(125);
    }
    step(what);
}

// ROOTFS is put on top of "/", becomes the root by pivot_root, and the old one is let go at once:
// from here on no path, however hostile the rootfs, leads outside.
static void enter_rootfs(const char *rootfs)
{
    long tree;

    floor_check(mount("", "/", NULL, MS_SLAVE | MS_REC, NULL), "slave /");
    tree = syscall(number_open_tree, AT_FDCWD, rootfs,
                   open_tree_clone | O_CLOEXEC | at_recursive | AT_SYMLINK_NOFOLLOW);
    floor_check(tree, "open_tree rootfs");
    floor_check(syscall(number_move_mount, tree, "", AT_FDCWD, "/", move_from_empty_path),
                "move_mount");
    floor_check(fchdir((int)tree), "fchdir");
    floor_check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    floor_check(umount2(".", MNT_DETACH), "umount old root");
    floor_check(chdir("/"), "chdir /");
}

static void mount_file_systems(bool cgroup2)
{
    static const struct {
        const char *type, *target, *data;
        unsigned long flags;
        mode_t make;
    } mounts[] = {
        {"proc", "/proc", NULL, HARDENED, 0},
        {"tmpfs", "/dev", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME, 0},
        {"devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0620", MS_NOSUID | MS_NOEXEC, 0755},
        {"mqueue", "/dev/mqueue", NULL, HARDENED, 0755},
        {"tmpfs", "/dev/shm", "mode=1777,size=65536k", HARDENED, 0755},
        {"tmpfs", "/tmp", "mode=1777,size=65536k", MS_NOSUID | MS_NODEV | MS_STRICTATIME, 0},
        {"sysfs", "/sys", NULL, HARDENED | MS_RDONLY, 0},
        {"cgroup2", "/sys/fs/cgroup", NULL, HARDENED | MS_RELATIME | MS_RDONLY, 0},
    };

    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        if (!cgroup2 && strcmp(mounts[i].type, "cgroup2") == 0) {
            continue;
        }
        if (mounts[i].make) {
            floor_check(mkdir(mounts[i].target, mounts[i].make), "mkdir");
        }
        floor_check(mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
                          mounts[i].data),
                    mounts[i].target);
    }
}

static void make_devices(void)
{
    static const struct {
        const char *path;
        unsigned int major, minor;
    } nodes[] = {
        {"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
        {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
    };
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
        {"pts/ptmx", "/dev/ptmx"},
    };

    umask(0);
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        floor_check(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)),
                    nodes[i].path);
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        floor_check(symlink(links[i][0], links[i][1]), links[i][1]);
    }
    umask(022);
}

static void hide_paths(void)
{
    static const char *const masked[] = {FLOOR_MASKED};
    static const char *const readonly[] = {FLOOR_READONLY};
    const char *empty = NULL;
    struct stat status;

    for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++) {
        if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0) {
            floor_check(
                mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HARDENED, NULL),
                readonly[i]);
        } else if (errno != ENOENT) {
            floor_check(-1, readonly[i]);
        }
    }
    // The kind is asked for first: a bind of /dev/null that fails with ENOTDIR throws its copy of
    // the mount away, which waits for an RCU grace period (30 us or so).
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        if (stat(masked[i], &status) < 0) {
            continue;
        }
        if (!S_ISDIR(status.st_mode)) {
            floor_check(mount("/dev/null", masked[i], NULL, MS_BIND, NULL), masked[i]);
        } else if (empty) {
            floor_check(mount(empty, masked[i], NULL, MS_BIND, NULL), masked[i]);
        } else {
            empty = masked[i];
            floor_check(mount("tmpfs", empty, "tmpfs", MS_RDONLY | HARDENED, NULL), empty);
        }
    }
}

// channel: to the parent, with --by-descriptor; else -1.
static _Noreturn void run_child(const char *rootfs, char **arguments, bool cgroup2, int channel)
{
    static const struct rlimit files = {1024, 1024};
    static char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", NULL};

    step("child starts");
    floor_check(setsid(), "setsid");
    floor_join_keyring();
    if (channel >= 0) {
        floor_by_descriptor(rootfs, cgroup2, channel);
    } else {
        enter_rootfs(rootfs);
        mount_file_systems(cgroup2);
        make_devices();
        hide_paths();
        floor_check(setrlimit(RLIMIT_NOFILE, &files), "rlimit");
    }
    floor_check(sethostname("shimbox", 7), "sethostname");
    floor_raise_loopback();
    floor_drop_privileges();
    floor_check(syscall(number_close_range, 3U, ~0U, 0U), "close_range");
    execve(arguments[0], arguments, environment);
    floor_check(-1, arguments[0]);
    _exit(125);
}

static int wait_for(int pidfd)
{
    siginfo_t info = {0};

    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0) {
        if (errno != EINTR) {
            floor_check(-1, "waitid");
        }
    }
    step("child has ended");
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int main(int argc, char **argv)
{
    bool seal = false, by_descriptor = false;
    const char *parent_cgroup = NULL;
    char cgroup[PATH_MAX];
    int pidfd = -1, next = 1, code, ends[2] = {-1, -1};
    struct statfs fs;
    struct clone_arguments clone = {.flags = NAMESPACES | CLONE_PIDFD_BIT,
                                    .pidfd = (uint64_t)(uintptr_t)&pidfd,
                                    .exit_signal = SIGCHLD};
    long pid;

    for (; next < argc && argv[next][0] == '-'; next++) {
        if (strcmp(argv[next], "--seal") == 0) {
            seal = true;
        } else if (strcmp(argv[next], "--by-descriptor") == 0) {
            by_descriptor = true;
        } else if (strcmp(argv[next], "--trace") == 0) {
            tracing = true;
        } else if (strcmp(argv[next], "--cgroup") == 0 && next + 1 < argc) {
            parent_cgroup = argv[++next];
        }
    }
    if (argc - next < 2) {
        dprintf(2, "usage: floor [--seal] [--by-descriptor] [--cgroup DIR] [--trace] ROOTFS "
                   "PROGRAM [ARG...]\n");
        return 125;
    }
    step("start");
    if (seal) {
        floor_seal(argv);
    }
    bool cgroup2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == cgroup2_magic;
    if (parent_cgroup) {
        snprintf(cgroup, sizeof cgroup, "%s/floor-%d", parent_cgroup, getpid());
        floor_check(mkdir(cgroup, 0755), "mkdir cgroup");
        clone.cgroup = (uint64_t)open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
        clone.flags |= CLONE_INTO_CGROUP_BIT;
    }
    if (by_descriptor) {
        floor_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    }
    pid = syscall(number_clone3, &clone, sizeof clone);
    if (pid == 0) {
        run_child(argv[next], argv + next + 1, cgroup2, ends[1]);
    }
    floor_check(pid, "clone3 (parent)");
    if (by_descriptor) {
        close(ends[1]);
        floor_serve(ends[0], (int)pid);
    }
    code = wait_for(pidfd);
    if (parent_cgroup) {
        floor_check(rmdir(cgroup), "rmdir cgroup");
    }
    return code;
}
