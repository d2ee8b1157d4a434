// files.c: the probe's facts about files, mounts, and what may be done to them.
// SPDX-License-Identifier: Apache-2.0
#include "tests/probe/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static char contents[1 << 16];

static const char *name_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "dir";
    case S_IFLNK:
        return "link";
    case S_IFCHR:
        return "char";
    case S_IFBLK:
        return "block";
    case S_IFIFO:
        return "fifo";
    default:
        return "socket";
    }
}

static void tell_device(const char *field, dev_t device)
{
    put_key(field);
    put_number(major(device));
    put_text(":");
    put_number(minor(device));
    end_line();
}

// f_flags of statfs(2); bit 0x20 says that the others are valid.
static void tell_file_system(const char *path)
{
    static const struct {
        unsigned long bit;
        const char *name;
    } flags[] = {
        {0x0001, "ro"},         {0x0002, "nosuid"},   {0x0004, "nodev"},
        {0x0008, "noexec"},     {0x0010, "sync"},     {0x0400, "noatime"},
        {0x0800, "nodiratime"}, {0x1000, "relatime"}, {0x2000, "nosymfollow"},
    };
    struct statfs fs;
    bool first = true;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstatfs(fd, &fs) < 0) {
        give_up(path);
    }
    close(fd);
    put_key("fs");
    put_text("0x");
    put_base((uint32_t)fs.f_type, 16, 1);
    end_line();
    put_key("flags");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if ((unsigned long)fs.f_flags & flags[i].bit) {
            put_text(first ? "" : " ");
            put_text(flags[i].name);
            first = false;
        }
    }
    end_line();
}

static void tell_stat(char **arguments)
{
    struct stat status;

    if (lstat(arguments[0], &status) < 0) {
        tell_text("type", name_errno(errno));
        return;
    }
    tell_text("type", name_type(status.st_mode));
    put_key("mode");
    put_base(status.st_mode & 07777, 8, 4);
    end_line();
    tell_number("uid", status.st_uid);
    tell_number("gid", status.st_gid);
    tell_number("size", status.st_size);
    tell_number("inode", (int64_t)status.st_ino);
    tell_device("dev", status.st_dev);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
        tell_device("rdev", status.st_rdev);
    }
    if (S_ISLNK(status.st_mode)) {
        ssize_t size = readlink(arguments[0], contents, sizeof contents);

        put_key("link");
        put_escaped(contents, size > 0 ? (size_t)size : 0);
        end_line();
    }
    tell_file_system(arguments[0]);
}

static void tell_exists(char **arguments)
{
    struct stat status;

    if (lstat(arguments[0], &status) == 0) {
        tell_text(NULL, "yes");
    } else {
        tell_text(NULL, errno == ENOENT ? "no" : name_errno(errno));
    }
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void tell_list(char **arguments)
{
    static char *names[8192];
    size_t count = 0;
    DIR *directory = opendir(arguments[0]);
    struct dirent *entry;

    if (!directory) {
        tell_text(NULL, name_errno(errno));
        return;
    }
    while ((entry = readdir(directory)) && count < sizeof names / sizeof *names) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            names[count] = strdup(entry->d_name);
            if (!names[count++]) {
                give_up("memory");
            }
        }
    }
    closedir(directory);
    qsort(names, count, sizeof *names, compare_names);
    put_key(NULL);
    for (size_t i = 0; i < count; i++) {
        put_text(i ? " " : "");
        put_escaped(names[i], strlen(names[i]));
        free(names[i]);
    }
    end_line();
}

static void tell_read(char **arguments)
{
    long size = read_whole(arguments[0], contents, sizeof contents);

    if (size < 0) {
        tell_text(NULL, name_errno(errno));
        return;
    }
    put_key(NULL);
    put_escaped(contents, (size_t)size);
    end_line();
}

static void try_open(char **arguments)
{
    static const struct {
        const char *name;
        int flags;
    } modes[] = {
        {"r", O_RDONLY},
        {"w", O_WRONLY},
        {"rw", O_RDWR},
        {"path", O_PATH},
        {"create", O_WRONLY | O_CREAT | O_EXCL},
        {"dir", O_RDONLY | O_DIRECTORY},
    };

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(arguments[1], modes[i].name) == 0) {
            int flags = modes[i].flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
            int fd = open(arguments[0], flags, 0600);

            tell_result(NULL, fd);
            if (fd >= 0) {
                close(fd);
            }
            return;
        }
    }
    errno = EINVAL;
    give_up(arguments[1]);
}

static void try_write(char **arguments)
{
    int fd = open(arguments[0], O_WRONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t size = fd < 0 ? -1 : write(fd, arguments[1], strlen(arguments[1]));

    tell_result(NULL, size);
    if (fd >= 0) {
        close(fd);
    }
}

static void try_mkdir(char **arguments)
{
    tell_result(NULL, mkdir(arguments[0], 0755));
}

static void try_unlink(char **arguments)
{
    tell_result(NULL, unlink(arguments[0]));
}

static void try_rmdir(char **arguments)
{
    tell_result(NULL, rmdir(arguments[0]));
}

// MODE is octal with or without a leading zero.
static void try_chmod(char **arguments)
{
    char octal[32] = "0";

    strncat(octal, arguments[1], sizeof octal - 2);
    tell_result(NULL, chmod(arguments[0], (mode_t)parse_number(octal)));
}

static void try_chown(char **arguments)
{
    tell_result(NULL, chown(arguments[0], (uid_t)parse_number(arguments[1]),
                            (gid_t)parse_number(arguments[2])));
}

static void try_mknod(char **arguments)
{
    mode_t type = *arguments[1] == 'c' ? S_IFCHR : *arguments[1] == 'b' ? S_IFBLK : S_IFIFO;
    dev_t device = 0;

    if (arguments[2] && arguments[3]) {
        device =
            makedev((unsigned)parse_number(arguments[2]), (unsigned)parse_number(arguments[3]));
    }
    tell_result(NULL, mknod(arguments[0], type | 0600, device));
}

static void try_bind(char **arguments)
{
    tell_result(NULL, mount(arguments[0], arguments[1], NULL, MS_BIND, NULL));
}

static void try_mountfs(char **arguments)
{
    tell_result(NULL, mount(arguments[0], arguments[1], arguments[0], 0, NULL));
}

static void try_remount(char **arguments)
{
    tell_result(NULL, mount(NULL, arguments[0], NULL, MS_REMOUNT | MS_BIND, NULL));
}

static void try_unmount(char **arguments)
{
    tell_result(NULL, umount2(arguments[0], MNT_DETACH));
}

static void try_chroot(char **arguments)
{
    tell_result(NULL, chroot(arguments[0]));
}

// The old way out of a chroot: with the root moved below the working directory, `..` knows no end.
static void try_climb(char **arguments)
{
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long result = before < 0 ? -1 : mkdir(arguments[0], 0700);

    if (result == 0)
        result = chroot(arguments[0]);
    if (result == 0)
        result = fchdir(before);
    for (int i = 0; i < 100 && result == 0; i++)
        result = chdir("..");
    if (result == 0)
        result = chroot(".");
    tell_result(NULL, result);
}

// Directories in one another, each with a file; the working directory is the last one.
static void try_dig(char **arguments)
{
    int64_t levels = parse_number(arguments[1]);
    long result = chdir(arguments[0]);

    for (int64_t i = 0; i < levels && result == 0; i++) {
        result = mkdir("d", 0700);
        if (result == 0)
            result = chdir("d");
        if (result == 0)
            result = mknod("f", S_IFREG | 0600, 0);
    }
    tell_result(NULL, result);
}

// One line of mountinfo, see proc_pid_mountinfo(5): numbers, root, target, options, tags up to a
// lone hyphen, type, source, options of the file system.
struct mount_line {
    char *root, *target, *options, *tags, *type, *source, *super;
};

static bool split_mount(char *text, struct mount_line *mount)
{
    char *words[32], *rest = text;
    size_t count = 0, tags = 6;

    while (count < 32 && (words[count] = strsep(&rest, " "))) {
        count++;
    }
    while (tags < count && strcmp(words[tags], "-") != 0) {
        tags++;
    }
    if (tags + 3 >= count) {
        return false;
    }
    *mount = (struct mount_line){
        words[3],        words[4],        words[5],       tags > 6 ? words[6] : "private",
        words[tags + 1], words[tags + 2], words[tags + 3]};
    return true;
}

static void tell_mount_line(const char *prefix, const struct mount_line *mount)
{
    const struct {
        const char *name, *value;
    } fields[] = {
        {".type=", mount->type},   {".source=", mount->source}, {".options=", mount->options},
        {".super=", mount->super}, {".root=", mount->root},     {".propagation=", mount->tags},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        put_text(prefix);
        put_text(mount->target);
        put_text(fields[i].name);
        put_text(fields[i].value);
        end_line();
    }
}

static void walk_mounts(const char *wanted)
{
    static char whole[1 << 20];
    struct mount_line mount, last = {0};
    char *rest = whole, *text;

    if (read_whole("/proc/self/mountinfo", whole, sizeof whole) < 0) {
        give_up("/proc/self/mountinfo");
    }
    while ((text = strsep(&rest, "\n")) && *text) {
        if (!split_mount(text, &mount)) {
            errno = EINVAL;
            give_up("/proc/self/mountinfo");
        }
        if (!wanted) {
            tell_mount_line("mounts:", &mount);
        } else if (strcmp(mount.target, wanted) == 0) {
            last = mount;
        }
    }
    if (wanted && last.target) {
        tell_mount_line("mount:", &last);
    } else if (wanted) {
        tell_text(NULL, "none");
    }
}

static void tell_mounts(char **arguments)
{
    (void)arguments;
    walk_mounts(NULL);
}

/* The SELinux label. */
static void tell_label(char **arguments)
{
    char label[256];
    ssize_t size = lgetxattr(arguments[0], "security.selinux", label, sizeof label - 1);

    if (size < 0) {
        tell_result(NULL, size);
        return;
    }
    label[size] = '\0';
    tell_text(NULL, label);
}

static void tell_mount(char **arguments)
{
    walk_mounts(arguments[0]);
}

const struct fact file_facts[] = {
    {"stat", 1, 1, tell_stat},      {"exists", 1, 1, tell_exists},
    {"list", 1, 1, tell_list},      {"read", 1, 1, tell_read},
    {"open", 2, 2, try_open},       {"label", 1, 1, tell_label},
    {"write", 2, 2, try_write},     {"mkdir", 1, 1, try_mkdir},
    {"unlink", 1, 1, try_unlink},   {"rmdir", 1, 1, try_rmdir},
    {"chmod", 2, 2, try_chmod},     {"chown", 3, 3, try_chown},
    {"mknod", 2, 4, try_mknod},     {"bind", 2, 2, try_bind},
    {"mountfs", 2, 2, try_mountfs}, {"remount-rw", 1, 1, try_remount},
    {"unmount", 1, 1, try_unmount}, {"chroot", 1, 1, try_chroot},
    {"mounts", 0, 0, tell_mounts},  {"mount", 1, 1, tell_mount},
    {"climb", 1, 1, try_climb},     {"dig", 2, 2, try_dig},
    {NULL, 0, 0, NULL},
};
