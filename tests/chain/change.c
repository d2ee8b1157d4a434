/* Test link: change this process in ways that execve(2) undoes, or keeps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/linux/chain.h"
#include "core/linux/process.h"

extern int capget(cap_user_header_t header, cap_user_data_t data);
extern int capset(cap_user_header_t header, cap_user_data_t data);

struct options {
    struct text_list ambient, drop, give_up, ignore, catch;
    uint32_t securebits, uid, euid, death;
    const char *put, *refuse;
    bool keep, privs, stack, lock, open, kept, hidden, userns;
};

#define AT(field) ((uint16_t)offsetof(struct options, field))

static const struct option table[] = {
    {0, OPTION_LIST, AT(ambient), OPTION_WORDS("ambient", "N", "Raise in inheritable and ambient")},
    {0, OPTION_LIST, AT(drop), OPTION_WORDS("drop", "N", "Drop from the bounding set")},
    {0, OPTION_LIST, AT(give_up),
     OPTION_WORDS("give-up", "N", "Drop from permitted and effective")},
    {0, OPTION_LIST, AT(ignore), OPTION_WORDS("ignore", "N", "Ignore a signal")},
    {0, OPTION_LIST, AT(catch), OPTION_WORDS("catch", "N", "Catch a signal")},
    {0, OPTION_NUMBER, AT(securebits), OPTION_WORDS("securebits", "N", "Set securebits")},
    {0, OPTION_NUMBER, AT(uid), OPTION_WORDS("uid", "N", "Become this user")},
    {0, OPTION_NUMBER, AT(euid), OPTION_WORDS("euid", "N", "Change the effective user only")},
    {0, OPTION_NUMBER, AT(death), OPTION_WORDS("death", "N", "Set the parent-death signal")},
    {0, OPTION_TEXT, AT(put), OPTION_WORDS("put", "NAME", "Leave a descriptor in the chain")},
    {0, OPTION_TEXT, AT(refuse), OPTION_WORDS("refuse", "WORD", "Fail in: check, apply")},
    {0, OPTION_FLAG, AT(keep),
     OPTION_WORDS("keep-caps", "", "Keep capabilities over a change of user")},
    {0, OPTION_FLAG, AT(privs), OPTION_WORDS("no-new-privs", "", "Set no_new_privs")},
    {0, OPTION_FLAG, AT(stack), OPTION_WORDS("stack", "", "Set an alternate signal stack")},
    {0, OPTION_FLAG, AT(lock), OPTION_WORDS("lock", "", "Lock a page")},
    {0, OPTION_FLAG, AT(open), OPTION_WORDS("open", "", "Open files with close-on-exec")},
    {0, OPTION_FLAG, AT(kept), OPTION_WORDS("kept", "", "Open a file without close-on-exec")},
    {0, OPTION_FLAG, AT(hidden), OPTION_WORDS("hidden", "", "Become not dumpable")},
    {0, OPTION_FLAG, AT(userns), OPTION_WORDS("userns", "", "Enter a user namespace as its root")},
};

static void catch_signal(int number)
{
    (void)number;
}

static int change_capability(uint32_t number, bool raise)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    uint32_t bit = 1U << (number % 32);
    if (capget(&header, data) < 0)
        return -1;
    if (raise) {
        data[number / 32].inheritable |= bit;
    } else {
        data[number / 32].permitted &= ~bit;
        data[number / 32].effective &= ~bit;
    }
    if (capset(&header, data) < 0)
        return -1;
    return raise ? prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) : 0;
}

static int each_number(const struct text_list *list, int (*act)(uint32_t number))
{
    for (size_t i = 0; i < list->count; i++) {
        uint32_t number;
        if (parse_u32(list->items[i], 64, &number) < 0 || act(number) < 0)
            return fail(errno, "cannot change %s", list->items[i]);
    }
    return 0;
}

static int act_ambient(uint32_t number)
{
    return change_capability(number, true);
}

static int act_give_up(uint32_t number)
{
    return change_capability(number, false);
}

static int act_drop(uint32_t number)
{
    return prctl(PR_CAPBSET_DROP, number);
}

static int act_ignore(uint32_t number)
{
    return signal((int)number, SIG_IGN) == SIG_ERR ? -1 : 0;
}

static int act_catch(uint32_t number)
{
    struct sigaction action = {.sa_handler = catch_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    return process_catch((int)number, &action);
}

static int change_rest(const struct options *o)
{
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    if (o->stack && sigaltstack(&alternate, NULL) < 0)
        return fail(errno, "cannot set the stack");
    if (o->lock && mlock(stack, 4096) < 0)
        return fail(errno, "cannot lock memory");
    for (int i = 0; o->open && i < 5; i++)
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
            return fail(errno, "cannot open /dev/null");
    /* Beyond others that are closed already. */
    if (o->open && fcntl(0, F_DUPFD_CLOEXEC, 36) < 0)
        return fail(errno, "cannot duplicate");
    if (o->kept && fcntl(0, F_DUPFD, 20) < 0)
        return fail(errno, "cannot duplicate");
    if (o->hidden && prctl(PR_SET_DUMPABLE, 0) < 0)
        return fail(errno, "cannot hide");
    if (o->death && prctl(PR_SET_PDEATHSIG, o->death) < 0)
        return fail(errno, "cannot set the signal");
    if (o->privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(errno, "cannot set no_new_privs");
    return 0;
}

static int enter_userns(void)
{
    char map[64];
    long uid = (long)getuid();
    if (unshare(CLONE_NEWUSER) < 0)
        return fail(errno, "cannot unshare");
    snprintf(map, sizeof(map), "0 %ld 1", uid);
    return write_value(AT_FDCWD, "/proc/self/uid_map", map);
}

static int check(struct call *call, int *consumed)
{
    const struct options *o = call->values;
    *consumed = 0;
    if (o->refuse && strcmp(o->refuse, "check") == 0)
        return fail_usage("told to refuse");
    return 0;
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct options *o = call->values;
    dprintf(2, "applied\n");
    if (o->refuse && strcmp(o->refuse, "apply") == 0)
        return fail(EPERM, "cannot do what it was told");
    if (o->userns && enter_userns() < 0)
        return -EPERM;
    if (o->securebits && prctl(PR_SET_SECUREBITS, o->securebits) < 0)
        return fail(errno, "cannot set securebits");
    if (o->keep && prctl(PR_SET_KEEPCAPS, 1) < 0)
        return fail(errno, "cannot keep capabilities");
    if (each_number(&o->ignore, act_ignore) < 0 || each_number(&o->catch, act_catch) < 0)
        return -EINVAL;
    if (o->uid && setresuid(o->uid, o->uid, o->uid) < 0)
        return fail(errno, "cannot become %u", o->uid);
    if (o->euid && seteuid(o->euid) < 0)
        return fail(errno, "cannot become %u", o->euid);
    if (each_number(&o->ambient, act_ambient) < 0 || each_number(&o->give_up, act_give_up) < 0 ||
        each_number(&o->drop, act_drop) < 0)
        return -EINVAL;
    if (o->put && chain_put(chain, o->put, open("/dev/zero", O_RDONLY | O_CLOEXEC)) < 0)
        return -EINVAL;
    return change_rest(o);
}

static const struct applet change = {
    .name = "change",
    .texts = APPLET_TEXTS("Change this process", "[options] -- NEXT [ARG...]", "", ""),
    OPTION_TABLE(table),
    .values_size = sizeof(struct options),
    .failure = 125,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(change);
