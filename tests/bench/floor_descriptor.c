// floor --by-descriptor: the set-up of floor.c with the very kernel calls that `shimbox run` makes.
// SPDX-License-Identifier: Apache-2.0
//
// Mounts are made detached (fsopen, open_tree) and attached by descriptor to targets that openat2
// has resolved inside the root; the root is changed last, while the parent sets the limits.
// Constants all the same, and nothing is checked that a container could do to it: what is left to
// be compared is the reading of a configuration, and being careful.
#include "floor_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
    number_open_tree = 428,
    number_move_mount = 429,
    number_fsopen = 430,
    number_fsconfig = 431,
    number_fsmount = 432,
    number_openat2 = 437,
    number_mount_setattr = 442,
    at_empty_path = 0x1000,
    at_recursive = 0x8000,
    detach = 2,
};

#define HARDENED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int look(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(number_openat2, root, path, &how, sizeof how);
}

static int clone_tree(int directory, const char *path, unsigned int flags)
{
    long tree = syscall(number_open_tree, directory, path,
                        OPEN_TREE_CLONE | O_CLOEXEC | at_empty_path | flags);

    floor_check(tree, "open_tree");
    return (int)tree;
}

// Both descriptors are closed, but for a mount that is to be cloned again.
void floor_attach(int mount, int target, bool keep)
{
    floor_check(syscall(number_move_mount, mount, "", target, "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
                "move_mount");
    close(target);
    if (!keep) {
        close(mount);
    }
}

int floor_create(const struct floor_file_system *wanted)
{
    long context = syscall(number_fsopen, wanted->type, FSOPEN_CLOEXEC), mount;

    floor_check(context, "fsopen");
    floor_check(syscall(number_fsconfig, context, FSCONFIG_SET_STRING, "source", wanted->type, 0),
                "source");
    for (int i = 0; i < 5 && wanted->options[i][0]; i++) {
        floor_check(syscall(number_fsconfig, context,
                            wanted->options[i][1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
                            wanted->options[i][0], wanted->options[i][1], 0),
                    wanted->options[i][0]);
    }
    floor_check(syscall(number_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0),
                wanted->type);
    mount = syscall(number_fsmount, context, FSMOUNT_CLOEXEC, wanted->attributes);
    floor_check(mount, "fsmount");
    close((int)context);
    return (int)mount;
}

static void mount_file_systems(int root, bool cgroup2)
{
    static const struct floor_file_system mounts[] = {
        {.type = "proc", .target = "/proc", .attributes = HARDENED},
        {.type = "tmpfs",
         .target = "/dev",
         .options = {{"mode", "755"}, {"size", "65536k"}},
         .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME},
        {.type = "devpts",
         .target = "/dev/pts",
         .parent = "/dev",
         .name = "pts",
         .options = {{"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "0620"}},
         .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC},
        {.type = "tmpfs",
         .target = "/dev/shm",
         .parent = "/dev",
         .name = "shm",
         .options = {{"mode", "1777"}, {"size", "65536k"}},
         .attributes = HARDENED},
        {.type = "mqueue",
         .target = "/dev/mqueue",
         .parent = "/dev",
         .name = "mqueue",
         .attributes = HARDENED},
        {.type = "tmpfs",
         .target = "/tmp",
         .options = {{"mode", "1777"}, {"size", "65536k"}},
         .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME},
        {.type = "sysfs", .target = "/sys", .attributes = HARDENED | MOUNT_ATTR_RDONLY},
        {.type = "cgroup2", .target = "/sys/fs/cgroup", .attributes = HARDENED | MOUNT_ATTR_RDONLY},
    };

    for (size_t i = 0; i < sizeof mounts / sizeof *mounts - !cgroup2; i++) {
        int mount = floor_create(&mounts[i]), target = look(root, mounts[i].target);

        if (target < 0 && mounts[i].parent) {
            int parent = look(root, mounts[i].parent);

            floor_check(mkdirat(parent, mounts[i].name, 0755), mounts[i].target);
            target = openat(parent, mounts[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
            close(parent);
        }
        floor_check(target, mounts[i].target);
        floor_attach(mount, target, false);
    }
}

// In a user namespace no device can be made.
static void bind_device(int directory, const char *name)
{
    char path[32];

    snprintf(path, sizeof path, "/dev/%s", name);
    floor_check(mknodat(directory, name, S_IFREG | 0666, 0), name);
    floor_attach(clone_tree(AT_FDCWD, path, 0),
                 openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), false);
}

static void make_devices(int root, bool bound)
{
    static const struct {
        const char *name;
        unsigned int major, minor;
    } nodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                 {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"pts/ptmx", "ptmx"}};
    int directory = look(root, "/dev");

    umask(0);
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        if (bound) {
            bind_device(directory, nodes[i].name);
            continue;
        }
        floor_check(mknodat(directory, nodes[i].name, S_IFCHR | 0666,
                            makedev(nodes[i].major, nodes[i].minor)),
                    nodes[i].name);
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        floor_check(symlinkat(links[i][0], directory, links[i][1]), links[i][1]);
    }
    umask(022);
    close(directory);
}

static void mask_paths(int root)
{
    static const struct floor_file_system nothing = {
        .type = "tmpfs",
        .options = {{"nr_blocks", "1"}, {"nr_inodes", "1"}, {"mode", "755"}},
        .attributes = HARDENED | MOUNT_ATTR_RDONLY};
    static const char *const paths[] = {FLOOR_MASKED};
    int null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC), empty = -1;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int target = look(root, paths[i]);
        struct stat status;

        if (target < 0) {
            continue;
        }
        floor_check(fstat(target, &status), paths[i]);
        if (!S_ISDIR(status.st_mode)) {
            floor_attach(clone_tree(null, "", 0), target, false);
        } else if (empty >= 0) {
            floor_attach(clone_tree(empty, "", 0), target, false);
        } else {
            floor_attach(empty = floor_create(&nothing), target, true);
        }
    }
}

static void protect_paths(int root)
{
    static const char *const paths[] = {FLOOR_READONLY};
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int target = look(root, paths[i]), mount;

        if (target < 0) {
            continue;
        }
        mount = clone_tree(target, "", at_recursive);
        floor_check(syscall(number_mount_setattr, mount, "", at_empty_path | at_recursive,
                            &attributes, sizeof attributes),
                    paths[i]);
        floor_attach(mount, target, false);
    }
}

void floor_fill_root(int root, bool cgroup2, bool bound)
{
    mount_file_systems(root, cgroup2);
    make_devices(root, bound);
    mask_paths(root);
    protect_paths(root);
}

void floor_change_root(int root, int channel)
{
    char byte = 'r';

    floor_check(send(channel, &byte, 1, 0), "ready");
    floor_check(fchdir(root), "fchdir");
    floor_check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    floor_check(syscall(SYS_umount2, ".", detach), "umount old root");
    floor_check(chdir("/"), "chdir /");
    floor_check(recv(channel, &byte, 1, 0), "run");
}

void floor_by_descriptor(const char *rootfs, bool cgroup2, int channel)
{
    int root;

    floor_check(syscall(SYS_mount, "", "/", NULL, MS_SLAVE | MS_REC, NULL), "slave /");
    root = clone_tree(AT_FDCWD, rootfs, at_recursive);
    floor_attach(root, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), true);
    floor_fill_root(root, cgroup2, false);
    floor_change_root(root, channel);
}

void floor_serve(int channel, int pid)
{
    static const struct rlimit files = {1024, 1024};
    char byte;

    floor_check(recv(channel, &byte, 1, 0), "hear of ready");
    floor_check(prlimit(pid, RLIMIT_NOFILE, &files, NULL), "prlimit");
    floor_check(send(channel, &byte, 1, 0), "let it run");
    floor_check(recv(channel, &byte, 1, 0), "hear of the program");
}
