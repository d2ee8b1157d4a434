// floor_tools: the kernel work of the single steps, with constants and no parsing.
// SPDX-License-Identifier: Apache-2.0
//
// floor_tools [--seal] STEP...                   --seal: as in floor.c
// floor_tools userns PROGRAM [ARG...]            a user namespace as a descriptor
// floor_tools idmap SRC DST PROGRAM [ARG...]     the same, and SRC idmapped on DST
// floor_tools umount DST
// floor_tools unshare PROGRAM [ARG...]           -Urmpf
// floor_tools nsenter PID PROGRAM [ARG...]       uts, ipc, net and mount namespace
// floor_tools netns-add FILE                     a network namespace kept on FILE
// floor_tools netns-delete FILE
// floor_tools chain SRC PROGRAM [ARG...]         userns, SRC idmapped and detached, mount and pid
//                                                namespace, SRC as root, proc, uid 1000 without
//                                                capabilities
// floor_tools hold PROGRAM [ARG...]              in new namespaces for nsenter
//
// The denominators of toolbox.py. Only for root. Ids from 0 on are mapped to 100000 on.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "floor_descriptor.h"

// The same on every architecture; musl has no names for them.
enum {
    number_open_tree = 428,
    number_move_mount = 429,
    number_fsopen = 430,
    number_fsconfig = 431,
    number_fsmount = 432,
    number_pidfd_open = 434,
    number_mount_setattr = 442,
};

static const char ids[] = "0 100000 65536\n";

void floor_check(long result, const char *what)
{
    if (result < 0) {
        dprintf(2, "floor_tools: %s: %s\n", what, strerror(errno));
        _exit(125);
    }
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    floor_check(fd, path);
    floor_check(write(fd, text, strlen(text)), path);
    close(fd);
}

static int make_userns(void)
{
    char path[40];
    int fd;
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    floor_check(pid, "clone");
    snprintf(path, sizeof path, "/proc/%ld/ns/user", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    floor_check(fd, path);
    snprintf(path, sizeof path, "/proc/%ld/uid_map", pid);
    write_file(path, ids);
    snprintf(path, sizeof path, "/proc/%ld/gid_map", pid);
    write_file(path, ids);
    floor_check(kill((pid_t)pid, SIGKILL), "kill");
    floor_check(waitpid((pid_t)pid, NULL, 0), "waitpid");
    return fd;
}

static int idmap(const char *source, int userns)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
    long tree =
        syscall(number_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH);

    floor_check(tree, source);
    floor_check(
        syscall(number_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes),
        "mount_setattr");
    return (int)tree;
}

static void attach(int tree, const char *target)
{
    floor_check(syscall(number_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH),
                target);
}

static _Noreturn void execute(char **arguments)
{
    execvp(arguments[0], arguments);
    floor_check(-1, arguments[0]);
    _exit(125);
}

// Goes on in a child.
static void go_on_in_child(void)
{
    int status;
    pid_t pid = fork();

    floor_check(pid, "fork");
    if (pid == 0) {
        return;
    }
    floor_check(waitpid(pid, &status, 0), "waitpid");
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void mount_proc(void)
{
    long context = syscall(number_fsopen, "proc", FSOPEN_CLOEXEC), tree;

    floor_check(context, "fsopen proc");
    floor_check(syscall(number_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "proc");
    tree = syscall(number_fsmount, context, FSMOUNT_CLOEXEC,
                   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    floor_check(tree, "fsmount proc");
    attach((int)tree, "/proc");
}

static void unshare_all(void)
{
    floor_check(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID), "unshare");
    write_file("/proc/self/uid_map", "0 0 1\n");
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/gid_map", "0 0 1\n");
    floor_check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private /");
    go_on_in_child();
}

static void enter(const char *pid)
{
    long fd = syscall(number_pidfd_open, atoi(pid), 0);

    floor_check(fd, "pidfd_open");
    floor_check(setns((int)fd, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET), "setns");
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    floor_check(fd, "socket");
    floor_check(ioctl(fd, SIOCSIFFLAGS, &request), "loopback up");
    close(fd);
}

static void add_netns(const char *path)
{
    int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

    floor_check(fd, path);
    close(fd);
    floor_check(unshare(CLONE_NEWNET), "unshare");
    raise_loopback();
    floor_check(mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL), path);
}

static void drop_privileges(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++) {
    }
    floor_check(setgroups(0, NULL), "setgroups");
    floor_check(setresgid(1000, 1000, 1000), "setresgid");
    floor_check(setresuid(1000, 1000, 1000), "setresuid");
}

static void chain(const char *source)
{
    int userns = make_userns(), tree = idmap(source, userns);

    floor_check(setns(userns, CLONE_NEWUSER), "setns");
    floor_check(setresgid(0, 0, 0), "setresgid");
    floor_check(setresuid(0, 0, 0), "setresuid");
    floor_check(unshare(CLONE_NEWNS | CLONE_NEWPID), "unshare");
    floor_check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private /");
    go_on_in_child();
    attach(tree, "/");
    floor_check(fchdir(tree), "fchdir");
    floor_check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    mount_proc();
    floor_check(umount2(".", MNT_DETACH), "umount old root");
    floor_check(chdir("/"), "chdir /");
    drop_privileges();
}

int main(int argc, char **argv)
{
    const char *what;
    int used = 2;

    if (argc > 1 && strcmp(argv[1], "--seal") == 0) {
        floor_seal(argv);
        argv++, argc--;
    }
    what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "userns") == 0) {
        fcntl(make_userns(), F_SETFD, 0);
    } else if (strcmp(what, "idmap") == 0 && argc > 4) {
        attach(idmap(argv[2], make_userns()), argv[3]);
        used = 4;
    } else if (strcmp(what, "unshare") == 0) {
        unshare_all();
    } else if (strcmp(what, "nsenter") == 0 && argc > 3) {
        enter(argv[2]);
        used = 3;
    } else if (strcmp(what, "chain") == 0 && argc > 3) {
        chain(argv[2]);
        used = 3;
    } else if (strcmp(what, "hold") == 0) {
        floor_check(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET), "unshare");
    } else if (strcmp(what, "netns-add") == 0) {
        add_netns(argv[2]);
        return 0;
    } else if (strcmp(what, "umount") == 0 || strcmp(what, "netns-delete") == 0) {
        floor_check(umount2(argv[2], MNT_DETACH), argv[2]);
        if (*what == 'n') {
            floor_check(unlink(argv[2]), argv[2]);
        }
        return 0;
    } else {
        dprintf(2, "usage: see the top of floor_tools.c\n");
        return 125;
    }
    execute(argv + used);
}
