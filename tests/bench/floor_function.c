// floor_function: the kernel work of programs run as functions, with constants and no parsing.
// SPDX-License-Identifier: Apache-2.0
//
// floor_function N ROOTFS PROGRAM [ARG...]    N calls, one after the other, of this one process
//
// The denominator of spark.py: what `shimbox spark` does for a call. Each has new namespaces, ids
// from 0 on mapped to 100000 on, ROOTFS idmapped under an overlay whose changes are in memory, the
// mounts of the default specification, and a guard as its first process, whose child is PROGRAM.
// That gets "hello\n", and what it answers is written to standard output. Only for root.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "floor_descriptor.h"

// The same on every architecture; musl has no names for them.
enum {
    number_open_tree = 428,
    number_move_mount = 429,
    number_clone3 = 435,
    number_close_range = 436,
    number_mount_setattr = 442,
    cgroup2_magic = 0x63677270,
    first_id = 100000,
};
#define CLONE_PIDFD_BIT 0x1000UL
#define NAMESPACES                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)

struct clone_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

struct call {
    char **arguments;
    int root;          // idmapped, detached
    int streams[3][2]; // pipes: read end, write end
    int guard[2];      // sockets
    int channel[2];
    bool cgroup2;
};

struct report {
    int status;
    struct rusage usage;
};

void floor_check(long result, const char *what)
{
    if (result < 0) {
        dprintf(2, "floor_function: %s: %s\n", what, strerror(errno));
        _exit(125);
    }
}

// ---- the container ----

static void become_root(void)
{
    floor_check(syscall(SYS_setresgid, 0, 0, 0), "setresgid");
    floor_check(syscall(SYS_setgroups, 0, NULL), "setgroups");
    floor_check(syscall(SYS_setresuid, 0, 0, 0), "setresuid");
}

static int open_top(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    floor_check(fd, path);
    return fd;
}

// What it is made of has to be in this mount namespace for that. Below another directory than the
// root it goes with the old root.
static int make_overlay(int lower)
{
    static const struct floor_file_system memory = {.type = "tmpfs",
                                                    .attributes = MOUNT_ATTR_NODEV};
    char lowerdir[32], upperdir[32], workdir[32];
    struct floor_file_system overlay = {
        .type = "overlay",
        .options = {{"lowerdir", lowerdir},
                    {"upperdir", upperdir},
                    {"workdir", workdir},
                    {"volatile", NULL},
                    {"userxattr", NULL}},
        .attributes = MOUNT_ATTR_NODEV,
    };
    struct stat status;
    int changes = floor_create(&memory), root;

    floor_check(fstat(lower, &status), "fstat");
    floor_check(mkdirat(changes, "upper", status.st_mode & 07777), "upper");
    floor_check(mkdirat(changes, "work", 0700), "work");
    snprintf(lowerdir, sizeof lowerdir, "/proc/self/fd/%d", lower);
    snprintf(upperdir, sizeof upperdir, "/proc/self/fd/%d/upper", changes);
    snprintf(workdir, sizeof workdir, "/proc/self/fd/%d/work", changes);
    floor_attach(lower, open_top("/"), true);
    floor_attach(changes, open_top("/"), true);
    root = floor_create(&overlay);
    close(changes);
    floor_attach(lower, open_top("/proc"), false);
    return root;
}

static _Noreturn void run_program(struct call *call)
{
    static char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", NULL};
    sigset_t none;

    close(call->guard[1]);
    become_root();
    floor_drop_privileges();
    floor_check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig");
    floor_check(syscall(number_close_range, 3U, ~0U, 0U), "close_range");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(call->arguments[0], call->arguments, environment);
    floor_check(-1, call->arguments[0]);
    _exit(125);
}

static void keep_only_kill(void)
{
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } data[2] = {{1U << 5, 1U << 5, 0}, {0, 0, 0}};

    floor_check(syscall(SYS_capset, &header, data), "capset");
}

// As process 1; ends with the program, or with the parent.
static _Noreturn void guard(pid_t program, int parent, int signals)
{
    struct pollfd events[2] = {{.fd = parent, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    struct signalfd_siginfo signal;
    struct report report;

    while (poll(events, 2, -1) > 0 && !events[0].revents) {
        floor_check(read(signals, &signal, sizeof signal), "signal");
        if (waitpid(-1, &report.status, WNOHANG) == program) {
            getrusage(RUSAGE_CHILDREN, &report.usage);
            send(parent, &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
            _exit(WEXITSTATUS(report.status));
        }
    }
    _exit(1);
}

static _Noreturn void run_container(struct call *call)
{
    int channel = call->channel[1], parent = call->guard[1], signals, root;
    sigset_t all;
    pid_t pid;
    char byte;

    close(call->channel[0]);
    floor_check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig");
    floor_check(recv(channel, &byte, 1, 0), "hear of the maps");
    become_root();
    floor_check(unshare(CLONE_NEWIPC), "unshare");
    floor_check(setsid(), "setsid");
    floor_check(dup2(call->streams[0][0], 0), "dup2");
    floor_check(dup2(call->streams[1][1], 1), "dup2");
    floor_check(dup2(call->streams[2][1], 2), "dup2");
    floor_join_keyring();
    floor_check(sethostname("shimbox", 7), "sethostname");
    floor_raise_loopback();
    floor_check(mount("", "/", NULL, MS_SLAVE | MS_REC, NULL), "slave /");
    root = make_overlay(call->root);
    floor_attach(root, open_top("/"), true);
    umask(0);
    floor_fill_root(root, call->cgroup2, true);
    floor_change_root(root, channel);
    sigfillset(&all);
    signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    floor_check(signals, "signalfd");
    floor_check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable");
    pid = vfork();
    if (pid == 0) {
        run_program(call);
    }
    floor_check(pid, "vfork");
    // Low numbers, so that what is between and behind them goes by two calls.
    floor_check(dup3(parent, 0, O_CLOEXEC), "dup3");
    floor_check(dup3(signals, 1, O_CLOEXEC), "dup3");
    floor_check(syscall(number_close_range, 2U, ~0U, 0U), "close_range");
    keep_only_kill();
    guard(pid, 0, 1);
}

// ---- its parent ----

static void write_map(long pid, const char *name)
{
    static const char map[] = "0 100000 65536\n";
    char path[40];
    int fd;

    snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    floor_check(fd, path);
    floor_check(write(fd, map, sizeof map - 1), path);
    close(fd);
}

static void change_mount(int mount, uint64_t attributes, int userns)
{
    struct mount_attr change = {
        .attr_set = attributes, .propagation = MS_PRIVATE, .userns_fd = (uint64_t)userns};

    floor_check(syscall(number_mount_setattr, mount, "", AT_EMPTY_PATH, &change, sizeof change),
                "mount_setattr");
}

static void prepare(struct call *call, const char *rootfs)
{
    for (int i = 0; i < 3; i++) {
        floor_check(pipe2(call->streams[i], O_CLOEXEC), "pipe");
        floor_check(fchown(call->streams[i][0], first_id, first_id), "fchown");
    }
    floor_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, call->guard), "socketpair");
    floor_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, call->channel), "socketpair");
    call->root = (int)syscall(number_open_tree, AT_FDCWD, rootfs, OPEN_TREE_CLONE | O_CLOEXEC);
    floor_check(call->root, rootfs);
    change_mount(call->root, MOUNT_ATTR_NODEV, 0);
}

static void map_ids(const struct call *call, long pid)
{
    char path[40];
    int userns;

    write_map(pid, "uid_map");
    write_map(pid, "gid_map");
    snprintf(path, sizeof path, "/proc/%ld/ns/user", pid);
    userns = open(path, O_RDONLY | O_CLOEXEC);
    floor_check(userns, path);
    change_mount(call->root, MOUNT_ATTR_IDMAP, userns);
    close(userns);
    close(call->root);
}

// What it answers goes on; what it complains of, too.
static void move_streams(struct call *call)
{
    static const char input[] = "hello\n";
    struct pollfd events[2] = {{.fd = call->streams[1][0], .events = POLLIN},
                               {.fd = call->streams[2][0], .events = POLLIN}};
    char bytes[4096];

    close(call->streams[0][0]);
    close(call->streams[1][1]);
    close(call->streams[2][1]);
    if (write(call->streams[0][1], input, sizeof input - 1) < 0 && errno != EPIPE) {
        floor_check(-1, "input");
    }
    close(call->streams[0][1]);
    for (int open = 2; open > 0;) {
        floor_check(poll(events, 2, -1), "poll");
        for (int i = 0; i < 2; i++) {
            ssize_t count = events[i].revents ? read(events[i].fd, bytes, sizeof bytes) : -1;

            if (count > 0) {
                floor_check(write(i + 1, bytes, (size_t)count), "answer");
            } else if (count == 0) {
                close(events[i].fd);
                events[i].fd = -1;
                open--;
            }
        }
    }
}

static int call_function(struct call *call, const char *rootfs)
{
    int pidfd = -1;
    struct clone_arguments clone = {.flags = NAMESPACES | CLONE_PIDFD_BIT,
                                    .pidfd = (uint64_t)(uintptr_t)&pidfd,
                                    .exit_signal = SIGCHLD};
    siginfo_t info = {0};
    struct report report;
    long pid;

    prepare(call, rootfs);
    pid = syscall(number_clone3, &clone, sizeof clone);
    if (pid == 0) {
        run_container(call);
    }
    floor_check(pid, "clone3");
    close(call->channel[1]);
    close(call->guard[1]);
    map_ids(call, pid);
    floor_check(send(call->channel[0], "m", 1, 0), "say that ids are mapped");
    floor_serve(call->channel[0], (int)pid);
    close(call->channel[0]);
    move_streams(call);
    floor_check(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), "waitid");
    floor_check(recv(call->guard[0], &report, sizeof report, MSG_DONTWAIT), "hear of the guard");
    close(pidfd);
    close(call->guard[0]);
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int main(int argc, char **argv)
{
    int count = argc > 3 ? atoi(argv[1]) : 0, code = 0;
    struct call call = {.arguments = argv + 3};
    struct statfs fs;
    sigset_t all;

    if (count <= 0) {
        dprintf(2, "usage: floor_function N ROOTFS PROGRAM [ARG...]\n");
        return 125;
    }
    call.cgroup2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == cgroup2_magic;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < count && code == 0; i++) {
        code = call_function(&call, argv[2]);
    }
    return code;
}
