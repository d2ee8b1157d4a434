// kernel.c: the probe's facts about how the kernel treats the process: processors, memory, keys,
// time. SPDX-License-Identifier: Apache-2.0
#include "tests/probe/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

// What sched_getattr(2) fills in.
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static void tell_big(const char *field, uint64_t value)
{
    put_key(field);
    put_base(value, 10, 1);
    end_line();
}

static void tell_scheduler(char **arguments)
{
    static const char *const names[] = {"other", "fifo", "rr", "batch", "iso", "idle", "deadline"};
    struct attributes found = {0};

    (void)arguments;
    if (syscall(SYS_sched_getattr, 0, &found, sizeof found, 0) < 0) {
        give_up("sched_getattr");
    }
    tell_text("policy", found.policy < 7 ? names[found.policy] : "unknown");
    tell_number("nice", found.nice);
    tell_number("priority", found.priority);
    tell_big("flags", found.flags);
    tell_big("runtime", found.runtime);
    tell_big("deadline", found.deadline);
    tell_big("period", found.period);
}

static void tell_ioprio(char **arguments)
{
    static const char *const names[] = {"none", "rt", "be", "idle"};
    long value = syscall(SYS_ioprio_get, 1, 0);

    (void)arguments;
    if (value < 0) {
        give_up("ioprio_get");
    }
    tell_text("class", value >> 13 < 4 ? names[value >> 13] : "unknown");
    tell_number("level", value & 7);
}

// The numbers of the bits that are set, as a list without ranges.
static void tell_bits(const char *field, const unsigned long *bits, size_t count)
{
    const char *between = "";

    put_key(field);
    for (size_t i = 0; i < count; i++) {
        if (bits[i / (8 * sizeof *bits)] >> i % (8 * sizeof *bits) & 1) {
            put_text(between);
            put_number((int64_t)i);
            between = " ";
        }
    }
    end_line();
}

static void tell_affinity(char **arguments)
{
    static unsigned long bits[8192 / (8 * sizeof(long))];
    long size = syscall(SYS_sched_getaffinity, 0, sizeof bits, bits);

    (void)arguments;
    if (size < 0) {
        give_up("sched_getaffinity");
    }
    tell_bits(NULL, bits, (size_t)size * 8);
}

static void tell_mempolicy(char **arguments)
{
    static unsigned long bits[1024 / (8 * sizeof(long))];
    int mode = 0;

    (void)arguments;
    if (syscall(SYS_get_mempolicy, &mode, bits, 1025UL, NULL, 0) < 0) {
        give_up("get_mempolicy");
    }
    tell_number("mode", mode & 0xfff);
    tell_number("flags", mode & ~0xfff);
    tell_bits("nodes", bits, 1024);
}

enum { keyctl_get_keyring_id = 0, keyctl_describe = 6, session_keyring = -3 };

static void describe_keyring(const char *field)
{
    char text[1024];
    long ring = syscall(SYS_keyctl, keyctl_get_keyring_id, session_keyring, 0, 0, 0);

    memset(text, 0, sizeof text);
    if (ring < 0 || syscall(SYS_keyctl, keyctl_describe, ring, text, sizeof text - 1, 0) < 0) {
        tell_text(field, name_errno(errno));
        return;
    }
    if (field) {
        tell_number(field, ring);
    } else {
        tell_text(NULL, text);
    }
}

static void tell_keyring(char **arguments)
{
    (void)arguments;
    describe_keyring(NULL);
}

static void tell_keyring_id(char **arguments)
{
    (void)arguments;
    describe_keyring("serial");
}

static void tell_clock(char **arguments)
{
    static const struct {
        const char *name;
        clockid_t id;
    } clocks[] = {
        {"monotonic", CLOCK_MONOTONIC},     {"raw", CLOCK_MONOTONIC_RAW},
        {"coarse", CLOCK_MONOTONIC_COARSE}, {"boottime", CLOCK_BOOTTIME},
        {"realtime", CLOCK_REALTIME},
    };

    (void)arguments;
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct timespec now;

        // The bare system call: the library's way reads memory that the kernel maps.
        if (syscall(SYS_clock_gettime, clocks[i].id, &now) < 0) {
            give_up("clock_gettime");
        }
        put_key(clocks[i].name);
        put_number(now.tv_sec);
        put_text(".");
        put_base((uint64_t)now.tv_nsec, 10, 9);
        end_line();
        if (clock_gettime(clocks[i].id, &now) < 0) {
            give_up("clock_gettime");
        }
        put_text("clock.vdso.");
        put_text(clocks[i].name);
        put_text("=");
        put_number(now.tv_sec);
        put_text(".");
        put_base((uint64_t)now.tv_nsec, 10, 9);
        end_line();
    }
}

static void tell_machine(char **arguments)
{
    struct utsname names;

    (void)arguments;
    uname(&names);
    tell_text(NULL, names.machine);
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

const struct fact kernel_facts[] = {
    {"scheduler", 0, 0, tell_scheduler},
    {"ioprio", 0, 0, tell_ioprio},
    {"affinity", 0, 0, tell_affinity},
    {"mempolicy", 0, 0, tell_mempolicy},
    {"keyring", 0, 0, tell_keyring},
    {"keyring-id", 0, 0, tell_keyring_id},
    {"clock", 0, 0, tell_clock},
    {"machine", 0, 0, tell_machine},
    {"dig", 2, 2, try_dig},
    {NULL, 0, 0, NULL},
};
