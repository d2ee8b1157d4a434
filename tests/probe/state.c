// state.c: the probe's facts about what the process holds and meets, and its actions.
// SPDX-License-Identifier: Apache-2.0
#include "tests/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void tell_env(char **arguments)
{
    (void)arguments;
    for (char **entry = environ; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        size_t size = equals ? (size_t)(equals - *entry) : 0;

        put_text("env.");
        put_escaped(*entry, size);
        put_text("=");
        put_escaped(equals ? equals + 1 : *entry, strlen(equals ? equals + 1 : *entry));
        end_line();
    }
}

static void tell_args(char **arguments)
{
    (void)arguments;
    for (int i = 0; all_arguments[i]; i++) {
        put_numbered_key(i);
        put_escaped(all_arguments[i], strlen(all_arguments[i]));
        end_line();
    }
}

static void tell_signal_set(const char *field, uint64_t set)
{
    bool first = true;

    put_key(field);
    for (int number = 1; number <= 64; number++) {
        if (set >> (number - 1) & 1) {
            put_text(first ? "" : " ");
            put_number(number);
            first = false;
        }
    }
    end_line();
}

// The bare system calls: the library keeps signals 32 to 34 for itself and hides them.
static void tell_signals(char **arguments)
{
    struct {
        uintptr_t handler;
        unsigned long rest[15];
    } action;
    uint64_t set = 0;

    (void)arguments;
    if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &set, sizeof set) < 0) {
        give_up("rt_sigprocmask");
    }
    tell_signal_set("blocked", set);
    set = 0;
    for (int number = 1; number <= 64; number++) {
        if (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof set) < 0) {
            give_up("rt_sigaction");
        }
        set |= action.handler == (uintptr_t)SIG_IGN ? 1ULL << (number - 1) : 0;
    }
    tell_signal_set("ignored", set);
    set = 0;
    syscall(SYS_rt_sigpending, &set, sizeof set);
    tell_signal_set("pending", set);
}

static void tell_interfaces(char **arguments)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)arguments;
    if (fd < 0) {
        give_up("socket");
    }
    for (int index = 1; index <= 4096; index++) {
        struct ifreq request = {.ifr_ifindex = index};

        if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
            continue;
        }
        put_text("interfaces.");
        put_text(request.ifr_name);
        put_text(".flags=0x");
        put_base((unsigned short)request.ifr_flags, 16, 1);
        end_line();
        put_text("interfaces.");
        put_text(request.ifr_name);
        put_text(request.ifr_flags & IFF_UP ? ".up=yes" : ".up=no");
        end_line();
    }
    close(fd);
}

static void tell_tty(char **arguments)
{
    struct winsize size;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    (void)arguments;
    tell_result("controlling", fd);
    if (fd >= 0) {
        close(fd);
    }
    for (fd = 0; fd < 3; fd++) {
        bool terminal = ioctl(fd, TIOCGWINSZ, &size) == 0;

        put_numbered_key(fd);
        put_text(terminal ? "yes" : "no");
        end_line();
        if (terminal) {
            put_text(fd == 0 ? "tty.0.size=" : fd == 1 ? "tty.1.size=" : "tty.2.size=");
            put_number(size.ws_col);
            put_text("x");
            put_number(size.ws_row);
            end_line();
        }
    }
}

static void try_tiocsti(char **arguments)
{
    tell_result(NULL, ioctl((int)parse_number(arguments[0]), TIOCSTI, "x"));
}

static void try_setgroups(char **arguments)
{
    gid_t group = (gid_t)parse_number(arguments[0]);

    tell_result(NULL, syscall(SYS_setgroups, 1, &group));
}

static void try_setuid(char **arguments)
{
    tell_result(NULL, setuid((uid_t)parse_number(arguments[0])));
}

static void try_setgid(char **arguments)
{
    tell_result(NULL, setgid((gid_t)parse_number(arguments[0])));
}

static void try_unshare(char **arguments)
{
    tell_result(NULL, unshare((int)parse_number(arguments[0])));
}

// With the descriptor from before, a missing /proc does not matter afterwards.
static void try_reenter(char **arguments)
{
    int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

    if (own < 0)
        give_up("/proc/self/ns/mnt");
    tell_result("unmount", umount2(arguments[0], MNT_DETACH));
    tell_result("enter", setns(own, CLONE_NEWNS));
    close(own);
}

static void try_sethostname(char **arguments)
{
    tell_result(NULL, sethostname(arguments[0], strlen(arguments[0])));
}

static void try_kill(char **arguments)
{
    tell_result(NULL, kill((pid_t)parse_number(arguments[0]), parse_signal(arguments[1])));
}

static void sleep_milliseconds(int64_t milliseconds)
{
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

static void act_sleep(char **arguments)
{
    sleep_milliseconds(parse_number(arguments[0]));
}

static void act_exit(char **arguments)
{
    _exit((int)parse_number(arguments[0]));
}

static void act_raise(char **arguments)
{
    tell_result(NULL, kill(getpid(), parse_signal(arguments[0])));
}

static void act_print(char **arguments)
{
    put_text(arguments[0]);
    end_line();
}

// A grandchild of the probe whose parent has ended, so that it belongs to the reaper.
static pid_t leave_orphan(int64_t milliseconds)
{
    int ends[2];
    pid_t pid = -1, child;

    if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0) {
        give_up("fork");
    }
    if (child == 0) {
        pid = fork();
        if (pid == 0) {
            sleep_milliseconds(milliseconds);
            _exit(0);
        }
        _exit(write(ends[1], &pid, sizeof pid) == sizeof pid && pid > 0 ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &pid, sizeof pid) != sizeof pid || pid < 0) {
        give_up("orphan");
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    return pid;
}

static void act_orphan(char **arguments)
{
    put_text("orphan=");
    put_number(leave_orphan(parse_number(arguments[0])));
    end_line();
}

static void act_zombies(char **arguments)
{
    int64_t count = parse_number(arguments[0]);

    for (int64_t i = 0; i < count; i++) {
        leave_orphan(0);
    }
    tell_text(NULL, "ok");
}

// As many orphans, in bursts that end at once: children that nobody waits for, whose parent ends.
static void act_orphans(char **arguments)
{
    int64_t count = parse_number(arguments[0]);

    for (int64_t done = 0; done < count; done += 1000) {
        pid_t parent = fork();

        for (int64_t i = done; parent == 0 && i < count && i < done + 1000; i++) {
            if (vfork() == 0) {
                _exit(0);
            }
        }
        if (parent == 0) {
            _exit(0);
        }
        waitpid(parent, NULL, 0);
    }
    tell_text(NULL, "ok");
}

static void tell_children(char **arguments)
{
    int64_t count = 0;

    (void)arguments;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
        count++;
    }
    tell_number(NULL, count);
}

static void act_sigwait(char **arguments)
{
    uint64_t all = ~0ULL;
    siginfo_t info = {0};

    (void)arguments;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    tell_text(NULL, "ready");
    do {
        if (syscall(SYS_rt_sigtimedwait, &all, &info, NULL, sizeof all) < 0) {
            if (errno == EINTR) {
                continue;
            }
            give_up("rt_sigtimedwait");
        }
        put_text("signal=");
        put_number(info.si_signo);
        put_text(" from=");
        put_number(info.si_pid);
        end_line();
    } while (info.si_signo != SIGTERM);
}

const struct fact state_facts[] = {
    {"env", 0, 0, tell_env},
    {"args", 0, 0, tell_args},
    {"signals", 0, 0, tell_signals},
    {"interfaces", 0, 0, tell_interfaces},
    {"tty", 0, 0, tell_tty},
    {"tiocsti", 1, 1, try_tiocsti},
    {"setgroups", 1, 1, try_setgroups},
    {"setuid", 1, 1, try_setuid},
    {"setgid", 1, 1, try_setgid},
    {"unshare", 1, 1, try_unshare},
    {"reenter", 1, 1, try_reenter},
    {"sethostname", 1, 1, try_sethostname},
    {"kill", 2, 2, try_kill},
    {"sleep", 1, 1, act_sleep},
    {"exit", 1, 1, act_exit},
    {"raise", 1, 1, act_raise},
    {"print", 1, 1, act_print},
    {"orphan", 1, 1, act_orphan},
    {"orphans", 1, 1, act_orphans},
    {"zombies", 1, 1, act_zombies},
    {"children", 0, 0, tell_children},
    {"sigwait", 0, 0, act_sigwait},
    {NULL, 0, 0, NULL},
};
