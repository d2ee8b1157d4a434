/* The effect of execve(2) on a process, without executing anything.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/linux/process.h"

/* musl and glibc both have the functions, and neither a header of its own for them. */
extern int capget(cap_user_header_t header, cap_user_data_t data);
extern int capset(cap_user_header_t header, cap_user_data_t data);

static bool has_bit(const struct __user_cap_data_struct *data, bool inheritable, int number)
{
    uint32_t word = inheritable ? data[number / 32].inheritable : data[number / 32].permitted;
    return word >> (number % 32) & 1;
}

/* For root: does everything that is permitted survive an exec, being bounding or inheritable? One
 * question to the kernel instead of one for each capability: capset(2) allows as inheritable just
 * what is so already, or bounding. What it answers is taken back by the capset() that follows. */
static bool all_survives(cap_user_header_t header, const struct __user_cap_data_struct *data)
{
    struct __user_cap_data_struct asked[_LINUX_CAPABILITY_U32S_3];
    for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
        asked[word] = data[word];
        asked[word].inheritable |= data[word].permitted;
    }
    return capset(header, asked) == 0;
}

/* Will this capability, which is permitted now, still be permitted after an exec? */
static bool survives(const struct __user_cap_data_struct *data, int number, bool root)
{
    bool inheritable = has_bit(data, true, number);
    if (root)
        return inheritable || prctl(PR_CAPBSET_READ, number) == 1;
    /* Nothing can be ambient that is not inheritable. */
    return inheritable && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0) == 1;
}

static int transform_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    int securebits = prctl(PR_GET_SECUREBITS);
    if (securebits < 0 || capget(&header, data) < 0)
        return fail(errno, "cannot read the capabilities of this process");
    bool root = geteuid() == 0 && !(securebits & SECBIT_NOROOT);
    if (!root || !all_survives(&header, data)) {
        for (int number = 0; number < 64; number++) {
            uint32_t bit = 1U << (number % 32);
            if (has_bit(data, false, number) && !survives(data, number, root))
                data[number / 32].permitted &= ~bit;
        }
    }
    /* Effective follows permitted: all of it for root, and for others permitted is just ambient. */
    for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++)
        data[word].effective = data[word].permitted;
    if (capset(&header, data) < 0)
        return fail(errno, "cannot give up capabilities");
    if ((securebits & SECBIT_KEEP_CAPS) && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return fail(errno, "cannot clear the securebit keep_caps");
    return 0;
}

static void reset_signals(void)
{
    process_uncatch();
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
}

static bool is_kept(const struct chain *keep, int fd)
{
    for (size_t i = 0; i < keep->count; i++)
        if (keep->descriptors[i].fd == fd)
            return true;
    return fd == report_descriptor() || fd == trace_descriptor();
}

/* Descriptors with the flag were all opened by this very process, an earlier exec having closed any
 * other: they are the lowest that were free, so a gap below one holds only what this process had
 * open and closed since, which is never so many. Asking for each costs less than /proc, which may
 * be missing, or belong to a container. */
static void close_on_exec(const struct chain *keep)
{
    const int gap = 32;
    for (int fd = 0, unused = 0; unused < gap; fd++) {
        int flags = fcntl(fd, F_GETFD);
        unused = flags < 0 ? unused + 1 : 0;
        if (flags >= 0 && (flags & FD_CLOEXEC) && !is_kept(keep, fd))
            close(fd);
    }
}

int hand_over(const struct chain *keep)
{
    if (getuid() != geteuid() || getgid() != getegid()) {
        int result = fail(EPERM, "cannot go on with real and effective ids that differ");
        error_hint("set both: --reuid, --regid");
        return result;
    }
    step("hand over to the next link");
    int result = transform_capabilities();
    if (result < 0)
        return result;
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return fail(errno, "cannot make this process dumpable");
    reset_signals();
    close_on_exec(keep);
    munlockall();
    return 0;
}
