/* What the kernel tells of a process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/process_status.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/signals.h"
#include "core/linux/sys.h"

enum kind { DECIMAL, OCTAL, HEXADECIMAL, FOUR, WORDS, STATE };

#define AT(field) offsetof(struct process_status, field)

static const struct {
    char name[18];
    uint8_t kind;
    uint16_t offset;
} fields[STATUS_FIELDS] = {
    [STATUS_UMASK] = {"Umask", OCTAL, AT(umask)},
    [STATUS_STATE] = {"State", STATE, AT(state)},
    [STATUS_THREAD_GROUP] = {"Tgid", DECIMAL, AT(thread_group)},
    [STATUS_PARENT] = {"PPid", DECIMAL, AT(parent)},
    [STATUS_TRACER] = {"TracerPid", DECIMAL, AT(tracer)},
    [STATUS_UID] = {"Uid", FOUR, AT(uid)},
    [STATUS_GID] = {"Gid", FOUR, AT(gid)},
    [STATUS_GROUPS] = {"Groups", WORDS, AT(groups)},
    [STATUS_PID_CHAIN] = {"NSpid", WORDS, AT(pid_chain)},
    [STATUS_THREADS] = {"Threads", DECIMAL, AT(threads)},
    [STATUS_PENDING] = {"SigPnd", HEXADECIMAL, AT(pending)},
    [STATUS_PENDING_SHARED] = {"ShdPnd", HEXADECIMAL, AT(pending_shared)},
    [STATUS_BLOCKED] = {"SigBlk", HEXADECIMAL, AT(blocked)},
    [STATUS_IGNORED] = {"SigIgn", HEXADECIMAL, AT(ignored)},
    [STATUS_CAUGHT] = {"SigCgt", HEXADECIMAL, AT(caught)},
    [STATUS_INHERITABLE] = {"CapInh", HEXADECIMAL, AT(capabilities.inheritable)},
    [STATUS_PERMITTED] = {"CapPrm", HEXADECIMAL, AT(capabilities.permitted)},
    [STATUS_EFFECTIVE] = {"CapEff", HEXADECIMAL, AT(capabilities.effective)},
    [STATUS_BOUNDING] = {"CapBnd", HEXADECIMAL, AT(capabilities.bounding)},
    [STATUS_AMBIENT] = {"CapAmb", HEXADECIMAL, AT(capabilities.ambient)},
    [STATUS_NO_NEW_PRIVS] = {"NoNewPrivs", DECIMAL, AT(no_new_privs)},
    [STATUS_SECCOMP] = {"Seccomp", DECIMAL, AT(seccomp)},
    [STATUS_FILTERS] = {"Seccomp_filters", DECIMAL, AT(filters)},
    [STATUS_CPUS] = {"Cpus_allowed_list", WORDS, AT(cpus)},
};

/* A number in that base up to max, with nothing but blanks around it. *text moves behind it. */
static bool take_number(char **text, int base, uint64_t max, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, base);
    if (end == *text || errno != 0 || value > max || strchr("\t \n", *end) == NULL)
        return false;
    *text = end + strspn(end, "\t ");
    *number = value;
    return true;
}

static bool take_value(char *text, unsigned kind, void *field)
{
    uint64_t number;
    uint32_t *numbers = field;
    switch (kind) {
    case DECIMAL:
    case OCTAL:
        if (!take_number(&text, kind == OCTAL ? 8 : 10, UINT32_MAX, &number) || *text)
            return false;
        *numbers = (uint32_t)number;
        return true;
    case HEXADECIMAL:
        return take_number(&text, 16, UINT64_MAX, field) && !*text;
    case FOUR:
        for (int i = 0; i < 4; i++) {
            if (!take_number(&text, 10, UINT32_MAX, &number))
                return false;
            numbers[i] = (uint32_t)number;
        }
        return !*text;
    case STATE:
        /* "S (sleeping)" */
        if (!text[0] || strncmp(text + 1, " (", 2) != 0)
            return false;
        text += 3;
        text[strcspn(text, ")")] = '\0';
        break;
    default:
        break;
    }
    *(const char **)field = text;
    return true;
}

void process_status_parse(char *text, struct process_status *status)
{
    memset(status, 0, sizeof(*status));
    for (char *line; (line = strsep(&text, "\n"));) {
        char *value = line + strcspn(line, ":");
        if (!*value)
            continue;
        *value++ = '\0';
        value += strspn(value, "\t ");
        for (int i = 0; i < STATUS_FIELDS; i++) {
            if (strcmp(line, fields[i].name) == 0 &&
                take_value(value, fields[i].kind, (char *)status + fields[i].offset))
                status->known |= UINT32_C(1) << i;
        }
    }
}

/* The groups and the processors, as /proc has them; both texts in status->own. */
static void own_lists(struct process_status *status)
{
    struct text *own = &status->own;
    int count = getgroups(0, NULL);
    autofree gid_t *groups = count > 0 ? calloc((size_t)count, sizeof(*groups)) : NULL;
    count = groups ? getgroups(count, groups) : count;
    for (int i = 0; i < count; i++)
        text_append_format(own, "%u ", (unsigned)groups[i]);
    text_append_bytes(own, "", 1);
    size_t cpus = own->length;
    cpu_set_t set;
    CPU_ZERO(&set);
    bool known = sched_getaffinity(0, sizeof(set), &set) == 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int last = cpu;
        while (last < CPU_SETSIZE && CPU_ISSET(last, &set))
            last++;
        if (last == cpu)
            continue;
        const char *comma = own->length > cpus ? "," : "";
        if (last - cpu > 1)
            text_append_format(own, "%s%d-%d", comma, cpu, last - 1);
        else
            text_append_format(own, "%s%d", comma, cpu);
        cpu = last;
    }
    if (own->failed)
        return;
    status->groups = own->data;
    status->known |= count >= 0 ? UINT32_C(1) << STATUS_GROUPS : 0;
    status->cpus = own->data + cpus;
    status->known |= known ? UINT32_C(1) << STATUS_CPUS : 0;
}

static void own_signals(struct process_status *status)
{
    sigset_t set;
    if (sigprocmask(SIG_BLOCK, NULL, &set) == 0) {
        memcpy(&status->blocked, &set, sizeof(status->blocked));
        status->known |= UINT32_C(1) << STATUS_BLOCKED;
    }
    for (int number = 1; number <= SIGNAL_LAST; number++) {
        uintptr_t handler = (uintptr_t)SIG_DFL;
        if (sys_signal_handler(number, &handler) < 0)
            continue;
        if (handler == (uintptr_t)SIG_IGN)
            status->ignored |= UINT64_C(1) << (number - 1);
        else if (handler != (uintptr_t)SIG_DFL)
            status->caught |= UINT64_C(1) << (number - 1);
    }
    /* Those of the thread and of the process, in one. */
    if (sigpending(&set) == 0) {
        memcpy(&status->pending_shared, &set, sizeof(status->pending_shared));
        status->known |= UINT32_C(1) << STATUS_PENDING_SHARED;
    }
    status->known |= UINT32_C(1) << STATUS_IGNORED | UINT32_C(1) << STATUS_CAUGHT;
}

void process_status_own(struct process_status *status)
{
    *status = (struct process_status){.state = "running",
                                      .thread_group = (uint32_t)getpid(),
                                      .parent = (uint32_t)getppid(),
                                      .threads = 1};
    getresuid(&status->uid[0], &status->uid[1], &status->uid[2]);
    getresgid(&status->gid[0], &status->gid[1], &status->gid[2]);
    /* An id that does not exist changes nothing, and the answer is the present one. */
    status->uid[3] = (uint32_t)setfsuid((uid_t)-1);
    status->gid[3] = (uint32_t)setfsgid((gid_t)-1);
    status->umask = umask(0);
    umask((mode_t)status->umask);
    status->known = UINT32_C(1) << STATUS_STATE | UINT32_C(1) << STATUS_THREAD_GROUP |
                    UINT32_C(1) << STATUS_PARENT | UINT32_C(1) << STATUS_THREADS |
                    UINT32_C(1) << STATUS_UID | UINT32_C(1) << STATUS_GID |
                    UINT32_C(1) << STATUS_UMASK;
    own_lists(status);
    own_signals(status);
    if (capability_get(&status->capabilities) == 0) {
        status->capabilities.bounding = capability_bounding();
        status->known |= UINT32_C(1) << STATUS_INHERITABLE | UINT32_C(1) << STATUS_PERMITTED |
                         UINT32_C(1) << STATUS_EFFECTIVE | UINT32_C(1) << STATUS_BOUNDING |
                         UINT32_C(1) << STATUS_AMBIENT;
    }
    int value = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    if (value >= 0) {
        status->no_new_privs = (uint32_t)value;
        status->known |= UINT32_C(1) << STATUS_NO_NEW_PRIVS;
    }
    value = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
    if (value >= 0) {
        status->seccomp = (uint32_t)value;
        status->known |= UINT32_C(1) << STATUS_SECCOMP;
    }
}

void process_status_free(struct process_status *status)
{
    text_free(&status->own);
}

int process_stat_parse(const char *text, struct process_stat *stat)
{
    /* The name may hold blanks and brackets; nothing behind it does. */
    const char *name = strchr(text, '(');
    const char *end = strrchr(text, ')');
    if (!name || !end || end < name)
        return -EINVAL;
    size_t length = (size_t)(end - name) - 1;
    if (length >= sizeof(stat->name))
        length = sizeof(stat->name) - 1;
    memcpy(stat->name, name + 1, length);
    stat->name[length] = '\0';
    /* Numbers of fields as in proc_pid_stat(5); the state is the third. */
    long long values[42] = {0};
    char *next = (char *)(uintptr_t)end + 1;
    if (strncmp(next, " ", 1) != 0 || !next[1])
        return -EINVAL;
    stat->state = next[1];
    next += 2;
    for (int i = 4; i < 42; i++) {
        char *at = next;
        /* The addresses among them may be beyond a long long; they are not wanted. */
        values[i] = strtoll(at, &next, 10);
        if (next == at)
            return -EINVAL;
    }
    stat->parent = (int)values[4];
    stat->process_group = (int)values[5];
    stat->session = (int)values[6];
    stat->terminal = (int)values[7];
    stat->flags = (unsigned)values[9];
    stat->ticks = (uint64_t)values[14] + (uint64_t)values[15];
    stat->nice = (int)values[19];
    stat->threads = (int)values[20];
    stat->start = (uint64_t)values[22];
    stat->priority = (unsigned)values[40];
    stat->policy = (unsigned)values[41];
    return 0;
}

int process_stat_read(int proc, int pid, struct process_stat *stat)
{
    char text[2048];
    char path[24];
    snprintf(path, sizeof(path), "%d/stat", pid);
    autoclose int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ESRCH ? -ESRCH
                                                 : fail(errno, "cannot open /proc/%s", path);
    ssize_t length;
    do {
        length = read(fd, text, sizeof(text) - 1);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno == ESRCH ? -ESRCH : fail(errno, "cannot read /proc/%s", path);
    text[length] = '\0';
    return process_stat_parse(text, stat) < 0 ? fail(EPROTO, "cannot read /proc/%s", path) : 0;
}

void process_stat_own(struct process_stat *stat)
{
    struct sched_param parameters = {0};
    int policy = sys_sched_getscheduler(0);
    *stat = (struct process_stat){.state = 'R',
                                  .process_group = getpgrp(),
                                  .session = getsid(0),
                                  .nice = getpriority(PRIO_PROCESS, 0),
                                  .policy = policy < 0 ? 0 : (unsigned)policy};
    prctl(PR_GET_NAME, stat->name);
    if (sys_sched_getparam(0, &parameters) == 0)
        stat->priority = (unsigned)parameters.sched_priority;
}

void terminal_path(int device, char *path, size_t size)
{
    unsigned number = (unsigned)device;
    unsigned major = number >> 8 & 0xfff;
    unsigned minor = (number & 0xff) | (number >> 12 & 0xfff00);
    /* Linux' Documentation/admin-guide/devices.txt */
    static const struct {
        unsigned char major;
        unsigned char first; /* minor number of the one called 0 */
        unsigned char last;
        char name[8];
    } drivers[] = {
        {4, 0, 63, "tty"},    {4, 64, 255, "ttyS"},    {204, 64, 79, "ttyAMA"},
        {229, 0, 255, "hvc"}, {188, 0, 255, "ttyUSB"},
    };
    if (major >= 136 && major <= 143) {
        snprintf(path, size, "/dev/pts/%u", (major - 136) * 256 + minor);
        return;
    }
    if (major == 5 && minor == 1) {
        snprintf(path, size, "/dev/console");
        return;
    }
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (drivers[i].major == major && drivers[i].first <= minor && minor <= drivers[i].last) {
            snprintf(path, size, "/dev/%s%u", drivers[i].name, minor - drivers[i].first);
            return;
        }
    }
    snprintf(path, size, "%u:%u", major, minor);
}
