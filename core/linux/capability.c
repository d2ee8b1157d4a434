/* Capability sets by name, and giving them to this process.
 * SPDX-License-Identifier: Apache-2.0
 *
 * From libcap-ng comes the table of names, and nothing else: its part that sets capabilities opens
 * /proc/sys/kernel/cap_last_cap by path in a constructor, before main(), so that a fifo in a
 * hostile /proc would stop every start, and the others would pay for it. capset(2) is called
 * through libc.
 */
#include "core/linux/capability.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "core/base/error.h"
#include "core/base/trace.h"

/* The one thing that libcap-ng's table wants of the rest of the library is this number. Since it is
 * here, a static link leaves that rest, with its constructor, in the archive. */
extern const unsigned int last_cap;
const unsigned int last_cap = 63;

/* Both libcs have them, and leave their declaration to libcap. */
int capget(cap_user_header_t header, cap_user_data_t data);
int capset(cap_user_header_t header, const cap_user_data_t data);

/* By number. libcap-ng's own names have no prefix and are not in upper case. */
static const char names[][24] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

int capability_number(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;

    int number = capng_name_to_capability(name);

    return number < 0 ? -ENOENT : number;
}

const char *capability_name(int number)
{
    if (number < 0 || (size_t)number >= sizeof(names) / sizeof(names[0]))
        return NULL;
    return names[number];
}

uint64_t capability_known(void)
{
    int first = 0;
    int end = 64;

    /* EINVAL beyond the last one: the kernel's own word, and no file of /proc in between. */
    while (first < end) {
        int middle = (first + end) / 2;

        if (prctl(PR_CAPBSET_READ, middle, 0, 0, 0) >= 0)
            first = middle + 1;
        else
            end = middle;
    }
    return end == 64 ? UINT64_MAX : (UINT64_C(1) << end) - 1;
}

uint64_t capability_bounding(void)
{
    uint64_t bounding = 0;

    for (int number = 0; number < 64; number++) {
        int present = prctl(PR_CAPBSET_READ, number, 0, 0, 0);

        if (present < 0)
            break; /* past the last one that this kernel has */
        bounding |= (uint64_t)present << number;
    }
    return bounding;
}

/* Version 3 has two words per set, the lower capabilities first. */
static uint64_t join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

bool capability_have(int number)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    if (number < 0 || number > 63 || capget(&header, data) < 0)
        return false;
    return join(data[0].effective, data[1].effective) >> number & 1;
}

int capability_get(struct capability_sets *sets)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    if (capget(&header, data) < 0)
        return -errno;
    *sets = (struct capability_sets){
        .effective = join(data[0].effective, data[1].effective),
        .permitted = join(data[0].permitted, data[1].permitted),
        .inheritable = join(data[0].inheritable, data[1].inheritable),
    };
    /* capabilities(7): nothing can be ambient that is not inheritable. */
    for (uint64_t left = sets->inheritable; left; left &= left - 1) {
        int number = __builtin_ctzll(left);

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0) > 0)
            sets->ambient |= UINT64_C(1) << number;
    }
    return 0;
}

int capability_bound(uint64_t bounding)
{
    step("drop capabilities from the bounding set");
    for (int number = 0; number < 64; number++) {
        if (bounding >> number & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0)
            continue;
        int reason = errno;
        int present = prctl(PR_CAPBSET_READ, number, 0, 0, 0);

        /* Without CAP_SETPCAP the kernel refuses also what would change nothing. */
        if (present == 0)
            continue;
        if (present < 0 && errno == EINVAL)
            break; /* past the last one that this kernel has */

        const char *name = capability_name(number);

        return fail(reason, "cannot drop %s (%d) from the bounding set", name ? name : "it",
                    number);
    }
    return 0;
}

static int apply_ambient(uint64_t ambient)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return fail(errno, "cannot clear the ambient set");
    for (int number = 0; number < 64; number++) {
        if (!(ambient >> number & 1))
            continue;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0) {
            const char *name = capability_name(number);

            fail(errno, "cannot raise %s (%d) in the ambient set", name ? name : "it", number);
            error_hint("it must be in the permitted and the inheritable set as well");
            return -error_get()->number;
        }
    }
    return 0;
}

int capability_apply(const struct capability_sets *sets)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
        data[word].effective = (uint32_t)(sets->effective >> (32 * word));
        data[word].permitted = (uint32_t)(sets->permitted >> (32 * word));
        data[word].inheritable = (uint32_t)(sets->inheritable >> (32 * word));
    }
    step("set the permitted, effective and inheritable sets");
    if (capset(&header, data) < 0) {
        int number = errno;
        int result = fail(number, "cannot set the permitted, effective and inheritable sets");

        if (number == EPERM)
            error_hint("the caller must have them; effective ones must be permitted, inheritable "
                       "ones in the bounding set");
        return result;
    }
    step("set the ambient set");
    return apply_ambient(sets->ambient);
}

int capability_need(struct capability_sets *sets)
{
    int result = capability_get(sets);

    return result < 0 ? fail(-result, "cannot read the capabilities of this process") : 0;
}

int capability_keep_over_exec(void)
{
    struct capability_sets sets;
    int result = capability_need(&sets);

    if (result < 0)
        return result;
    sets.inheritable = sets.permitted & capability_bounding();
    sets.ambient = sets.inheritable;
    return capability_apply(&sets);
}
