// floor_init: the first process of a machine that makes the calls of `shimbox boot` with constants.
// SPDX-License-Identifier: Apache-2.0
//
// As /init of an initramfs: mounts, console, name, loopback, then /bin/stamp, then power-off. The
// denominator of boot.py.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char controllers[] = "/sys/fs/cgroup/cgroup.subtree_control";

static void place(const char *type, const char *path, unsigned long flags, const char *options)
{
    mkdir(path, 0755);
    if (mount(type, path, type, flags, options) < 0) {
        dprintf(2, "floor_init: %s: %s\n", path, strerror(errno));
    }
}

static void mount_all(void)
{
    const unsigned long quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;

    place("proc", "/proc", quiet, NULL);
    place("sysfs", "/sys", quiet, NULL);
    place("devtmpfs", "/dev", MS_NOSUID, "mode=755");
    symlink("/proc/self/fd", "/dev/fd");
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
    place("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
    place("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
    place("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
    place("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
    place("cgroup2", "/sys/fs/cgroup", quiet, "nsdelegate");
}

static void enable_controllers(void)
{
    char names[256], word[64];
    int from = open("/sys/fs/cgroup/cgroup.controllers", O_RDONLY | O_CLOEXEC);
    long length = from < 0 ? 0 : read(from, names, sizeof names - 1);

    close(from);
    names[length > 0 ? length : 0] = 0;
    for (char *name = strtok(names, " \n"); name; name = strtok(NULL, " \n")) {
        int fd = open(controllers, O_WRONLY | O_CLOEXEC);

        write(fd, word, (size_t)snprintf(word, sizeof word, "+%s", name));
        close(fd);
    }
}

static void open_console(void)
{
    int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

    reboot(RB_DISABLE_CAD);
    dup2(console, 0);
    dup2(console, 1);
    dup2(console, 2);
    setsid();
    ioctl(0, TIOCSCTTY, 0);
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

int main(void)
{
    char line[4096];
    int fd;

    mount_all();
    enable_controllers();
    open_console();
    fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    read(fd, line, sizeof line);
    close(fd);
    sethostname("localhost", 9);
    raise_loopback();
    if (fork() == 0) {
        execl("/bin/stamp", "stamp", NULL);
        _exit(127);
    }
    wait(NULL);
    sync();
    reboot(RB_POWER_OFF);
}
