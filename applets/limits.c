/* limits: what a process has beside its ids: limits, parameters, names, directory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/chain.h"
#include "core/linux/namespace.h"
#include "core/linux/procfs.h"
#include "core/linux/rlimit.h"
#include "core/linux/sysctl.h"
#include "core/linux/uts.h"

struct limits_options {
    struct text_list rlimits;
    const char *oom_score;
    const char *nice;
    struct text_list sysctls;
    const char *hostname;
    const char *domainname;
    bool host;
    const char *umask;
    const char *chdir;
};

#define AT(field) ((uint16_t)offsetof(struct limits_options, field))

static const struct option options[] = {
    {'l', OPTION_LIST, AT(rlimits),
     OPTION_WORDS("rlimit", "NAME=SOFT[:HARD]", "Set a resource limit: nofile=64")},
    {0, OPTION_TEXT, AT(oom_score),
     OPTION_WORDS("oom-score-adj", "NUMBER",
                  "From -1000 (never killed for want of memory) to 1000")},
    {'n', OPTION_TEXT, AT(nice),
     OPTION_WORDS("nice", "NUMBER", "Niceness, from -20 (most time) to 19")},
    {'s', OPTION_LIST, AT(sysctls),
     OPTION_WORDS("sysctl", "NAME=VALUE", "Set a kernel parameter of a namespace")},
    {'H', OPTION_TEXT, AT(hostname), OPTION_WORDS("hostname", "NAME", "Set the hostname")},
    {0, OPTION_TEXT, AT(domainname),
     OPTION_WORDS("domainname", "NAME", "Set the (NIS) domain name")},
    {0, OPTION_FLAG, AT(host),
     OPTION_WORDS("host", "", "Parameters and names may be those of the host itself")},
    {0, OPTION_TEXT, AT(umask),
     OPTION_WORDS("umask", "OCTAL", "Permissions that new files do not get: 022")},
    {'C', OPTION_TEXT, AT(chdir),
     OPTION_WORDS("chdir", "DIR", "Change the working directory to DIR")},
};

/* ---- what the options ask for, checked before anything is done ---- */

/* With a sign or without. */
static int read_signed(const char *option, const char *text, int least, int most, int *number)
{
    uint32_t magnitude;
    if (!text)
        return 0;
    bool negative = *text == '-';
    if (parse_u32(text + negative, INT_MAX, &magnitude) == 0) {
        *number = negative ? -(int)magnitude : (int)magnitude;
        if (*number >= least && *number <= most)
            return 0;
    }
    return fail_usage("option %s: '%s' is not a number from %d to %d", option, text, least, most);
}

static int read_umask(const char *text, mode_t *mask)
{
    size_t length = text ? strlen(text) : 0;
    *mask = 0;
    if (!text)
        return 0;
    if (length == 0 || length > 4 || strspn(text, "01234567") != length ||
        (length == 4 && *text != '0'))
        return fail_usage("option --umask: '%s' is not an octal number from 0 to 777", text);
    for (; *text; text++)
        *mask = *mask << 3 | (mode_t)(*text - '0');
    return 0;
}

/* Cut "NAME=VALUE". Returns the namespace that it belongs to, or a negative errno (recorded). */
static int read_sysctl(const char *text, char *name, size_t size, const char **value)
{
    char path[PATH_MAX];
    size_t length = strcspn(text, "=");
    if (!text[length])
        return fail_usage("option --sysctl: expected NAME=VALUE, found '%s'", text);
    if (length >= size)
        return fail_usage("option --sysctl: the name is too long");
    memcpy(name, text, length);
    name[length] = '\0';
    *value = text + length + 1;
    if (sysctl_path(name, path, sizeof(path)) < 0)
        return fail_usage("option --sysctl: '%s' is not the name of a kernel parameter", name);
    int type = sysctl_namespace(path);
    if (type < 0)
        return fail_usage("option --sysctl: no namespace has %s for itself", name);
    if (type == NAMESPACE_UTS)
        return fail_usage("option --sysctl: %s is set by --%s", name, strrchr(path, '/') + 1);
    return type;
}

static int check_uts_name(const char *option, const char *name)
{
    return name && strlen(name) > UTS_NAME_MAX
               ? fail_usage("option %s: longer than %d bytes", option, UTS_NAME_MAX)
               : 0;
}

static int check(struct call *call, int *consumed)
{
    const struct limits_options *values = call->values;
    int number;
    mode_t mask;
    char name[256];
    const char *value;
    *consumed = 0;
    int result = rlimits_check("--rlimit", &values->rlimits);
    if (result == 0)
        result = read_signed("--oom-score-adj", values->oom_score, -1000, 1000, &number);
    if (result == 0)
        result = read_signed("--nice", values->nice, -20, 19, &number);
    for (size_t i = 0; result >= 0 && i < values->sysctls.count; i++)
        result = read_sysctl(values->sysctls.items[i], name, sizeof(name), &value);
    if (result >= 0)
        result = check_uts_name("--hostname", values->hostname);
    if (result == 0)
        result = check_uts_name("--domainname", values->domainname);
    return result == 0 ? read_umask(values->umask, &mask) : result;
}

/* ---- doing it ---- */

static int refuse_initial(const char *what, enum namespace_type type)
{
    static const char options_of[NAMESPACE_TYPES][16] = {
        [NAMESPACE_USER] = "--map-root-user",
        [NAMESPACE_NETWORK] = "--net",
        [NAMESPACE_IPC] = "--ipc",
        [NAMESPACE_UTS] = "--uts",
    };
    int initial = namespace_own_is_initial(type);
    if (initial <= 0)
        return initial;
    int result = fail(EPERM, "%s is the host's own here", what);
    error_hint("put this before: unshare %s --; or give --host", options_of[type]);
    return result;
}

/* Before anything is set. */
static int check_namespaces(const struct limits_options *values)
{
    char name[256];
    const char *value;
    int result = 0;
    if (values->host)
        return 0;
    if (values->hostname)
        result = refuse_initial("the hostname", NAMESPACE_UTS);
    else if (values->domainname)
        result = refuse_initial("the domainname", NAMESPACE_UTS);
    for (size_t i = 0; result == 0 && i < values->sysctls.count; i++) {
        int type = read_sysctl(values->sysctls.items[i], name, sizeof(name), &value);
        result = type < 0 ? type : refuse_initial(name, (enum namespace_type)type);
    }
    return result;
}

/* By a procfs where nobody can have mounted anything, where there can be one. */
static int set_sysctls(int proc, const struct text_list *sysctls)
{
    char name[256];
    const char *value;
    autoclose int own = sysctls->count > 0 ? procfs_create() : -1;
    if (own < 0)
        error_clear();
    for (size_t i = 0; i < sysctls->count; i++) {
        int result = read_sysctl(sysctls->items[i], name, sizeof(name), &value);
        step("set sysctl %s", name);
        if (result >= 0)
            result = sysctl_write(own >= 0 ? own : proc, name, value);
        if (result < 0)
            return result;
    }
    return 0;
}

static int set_by_proc(const struct limits_options *values)
{
    int score = 0;
    int result = 0;
    if (!values->oom_score && values->sysctls.count == 0)
        return 0;
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return fail(errno, "cannot open /proc");
    if (values->oom_score) {
        step("set the oom score adjustment");
        pid_t self = procfs_self(proc);
        result = self < 0 ? self
                          : read_signed("--oom-score-adj", values->oom_score, -1000, 1000, &score);
        if (result == 0)
            result = procfs_set_oom_score(proc, self, score);
    }
    return result == 0 ? set_sysctls(proc, &values->sysctls) : result;
}

static int set_nice(const char *text)
{
    int number = 0;
    int result = read_signed("--nice", text, -20, 19, &number);
    if (!text || result < 0)
        return result;
    step("set the niceness");
    if (setpriority(PRIO_PROCESS, 0, number) == 0)
        return 0;
    result = fail(errno, "cannot set the niceness to %d", number);
    error_hint("lowering it needs CAP_SYS_NICE, or a higher RLIMIT_NICE");
    return result;
}

/* Limits come last: they could deny what is needed to set the rest. */
static int apply(const struct call *call, struct chain *chain)
{
    const struct limits_options *values = call->values;
    mode_t mask;
    (void)chain;
    int result = check_namespaces(values);
    if (result == 0)
        result = set_by_proc(values);
    if (result == 0 && values->hostname)
        result = uts_set_hostname(values->hostname);
    if (result == 0 && values->domainname)
        result = uts_set_domainname(values->domainname);
    if (result == 0 && values->chdir && chdir(values->chdir) < 0)
        result = fail(errno, "cannot enter %s", values->chdir);
    if (result == 0)
        result = read_umask(values->umask, &mask);
    if (result == 0 && values->umask)
        umask(mask);
    if (result == 0)
        result = set_nice(values->nice);
    return result == 0 ? rlimits_set("--rlimit", &values->rlimits) : result;
}

static const struct applet applet = {
    .name = "limits",
    .texts = APPLET_TEXTS(
        "go on with limits, kernel parameters, names, a directory", "[options] -- NEXT [ARG...]",
        "Sets what a process and its namespaces have beside ids and mounts, and becomes NEXT.\n"
        "\n"
        "Kernel parameters are those that a network, ipc or user namespace has for itself. "
        "Parameters, hostname and domainname are refused while the namespace is the one that the "
        "host started with, unless --host; an unshare earlier in the chain makes another one.\n"
        "\n"
        "Resource limits are set last, in the order given; NAME is one of getrlimit(2), without "
        "RLIMIT_ and in any case, and SOFT and HARD are numbers or unlimited.\n",
        "# 64 open files, killed first, and files for the user alone\n"
        "shimbox limits --rlimit nofile=64 --oom-score-adj 1000 --umask 077 -- /srv/job\n"
        "\n"
        "# another hostname, and packets passed on, in namespaces of its own\n"
        "shimbox unshare --uts --net -- \\\n"
        "    limits --hostname box --sysctl net.ipv4.ip_forward=1 -- sh\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct limits_options),
    .failure = EXIT_OWN_FAILURE,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
