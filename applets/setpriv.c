/* setpriv: go on with other privileges.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Names, meaning and exit codes of the options are those of util-linux' setpriv(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/linux/chain.h"
#include "core/linux/privilege.h"
#include "core/linux/privilege_text.h"
#include "core/linux/process.h"
#include "core/linux/rlimit.h"
#include "core/linux/signals.h"
#include "core/linux/sys.h"
#include "core/oci/user.h"

struct setpriv_options {
    unsigned dump;
    bool json, list, nnp, clear_groups, keep_groups, init_groups, reset_env;
    const char *ambient, *inheritable, *permitted, *bounding;
    const char *ruid, *euid, *reuid, *rgid, *egid, *regid;
    const char *groups, *securebits, *pdeathsig, *selinux, *apparmor;
    struct text_list rlimits;
};

#define AT(field) ((uint16_t)offsetof(struct setpriv_options, field))

#define ONCE_TEXT (OPTION_TEXT | OPTION_ONCE)
#define ONCE_FLAG (OPTION_FLAG | OPTION_ONCE)

static const struct option options[] = {
    {'d', OPTION_COUNT, AT(dump),
     OPTION_WORDS("dump", "", "Show the present state; repeated: more of it")},
    {0, OPTION_FLAG, AT(json), OPTION_WORDS("json", "", "Show it as JSON")},
    {0, OPTION_FLAG, AT(list),
     OPTION_WORDS("list-caps", "", "List the capabilities of this kernel")},
    {0, ONCE_FLAG, AT(nnp), OPTION_WORDS("nnp", "", "The same as --no-new-privs")},
    {0, ONCE_FLAG, AT(nnp), OPTION_WORDS("no-new-privs", "", "No exec gives more privileges")},
    {0, ONCE_TEXT, AT(ambient),
     OPTION_WORDS("ambient-caps", "+CAP,-CAP,...", "Change the ambient set")},
    {0, ONCE_TEXT, AT(inheritable),
     OPTION_WORDS("inh-caps", "+CAP,-CAP,...", "Change the inheritable set")},
    {0, ONCE_TEXT, AT(bounding),
     OPTION_WORDS("bounding-set", "+CAP,-CAP,...", "Change the bounding set")},
    {0, ONCE_TEXT, AT(permitted),
     OPTION_WORDS("permitted-caps", "+CAP,-CAP,...", "Change the permitted and effective sets")},
    {0, ONCE_TEXT, AT(ruid), OPTION_WORDS("ruid", "USER", "Set the real user")},
    {0, ONCE_TEXT, AT(euid), OPTION_WORDS("euid", "USER", "Set the effective user")},
    {0, ONCE_TEXT, AT(reuid), OPTION_WORDS("reuid", "USER", "Set both")},
    {0, ONCE_TEXT, AT(rgid), OPTION_WORDS("rgid", "GROUP", "Set the real group")},
    {0, ONCE_TEXT, AT(egid), OPTION_WORDS("egid", "GROUP", "Set the effective group")},
    {0, ONCE_TEXT, AT(regid), OPTION_WORDS("regid", "GROUP", "Set both")},
    {0, ONCE_FLAG, AT(clear_groups),
     OPTION_WORDS("clear-groups", "", "Drop all additional groups")},
    {0, ONCE_FLAG, AT(keep_groups), OPTION_WORDS("keep-groups", "", "Keep the additional groups")},
    {0, ONCE_FLAG, AT(init_groups), OPTION_WORDS("init-groups", "", "Take the groups of the user")},
    {0, ONCE_TEXT, AT(groups), OPTION_WORDS("groups", "GROUP,...", "Set the additional groups")},
    {0, ONCE_TEXT, AT(securebits),
     OPTION_WORDS("securebits", "+BIT,-BIT,...", "Change the securebits")},
    {0, OPTION_TEXT, AT(pdeathsig),
     OPTION_WORDS("pdeathsig", "keep|clear|SIGNAL", "Signal that comes when the parent dies")},
    {0, OPTION_LIST, AT(rlimits),
     OPTION_WORDS("rlimit", "NAME=SOFT[:HARD]", "Set a resource limit: nofile=64")},
    {0, OPTION_FLAG, AT(reset_env),
     OPTION_WORDS("reset-env", "", "HOME, SHELL, USER, LOGNAME, PATH and TERM only")},
    {0, ONCE_TEXT, AT(selinux),
     OPTION_WORDS("selinux-label", "LABEL", "Refused: only run and exec set labels")},
    {0, ONCE_TEXT, AT(apparmor),
     OPTION_WORDS("apparmor-profile", "PROFILE", "Refused: only run and exec set profiles")},
};

/* What the options ask for. */
struct wish {
    struct privilege privilege;
    uint32_t *groups;   /* owned */
    struct user member; /* of --init-groups; owned */
    int death_signal;   /* -1: as it is */
};

static void free_wish(struct wish *wish)
{
    free(wish->groups);
    user_free(&wish->member);
}

/* One id from its own option, or from the one that sets both. */
static int read_id(const char *option, const char *text, const char *both_option, const char *both,
                   bool group, bool *given, uint32_t *id)
{
    if (text && both)
        return fail_usage("%s and %s exclude each other", option, both_option);
    if (!text && !both)
        return 0;
    *given = true;
    return user_find_id(text ? option : both_option, text ? text : both, group, id);
}

static int read_ids(const struct setpriv_options *values, struct privilege *privilege)
{
    int result = read_id("--ruid", values->ruid, "--reuid", values->reuid, false,
                         &privilege->ruid.given, &privilege->ruid.id);
    if (result == 0)
        result = read_id("--euid", values->euid, "--reuid", values->reuid, false,
                         &privilege->euid.given, &privilege->euid.id);
    if (result == 0)
        result = read_id("--rgid", values->rgid, "--regid", values->regid, true,
                         &privilege->rgid.given, &privilege->rgid.id);
    if (result == 0)
        result = read_id("--egid", values->egid, "--regid", values->regid, true,
                         &privilege->egid.given, &privilege->egid.id);
    return result;
}

/* "GROUP,GROUP" */
static int read_group_list(const char *text, struct wish *wish)
{
    autofree char *copy = strdup(text);
    size_t count = 1;
    char *rest = copy;
    for (const char *at = text; *at; at++)
        count += *at == ',';
    wish->groups = calloc(count, sizeof(*wish->groups));
    if (!copy || !wish->groups)
        return fail(ENOMEM, "cannot read the list of groups");
    for (size_t i = 0; i < count; i++) {
        char *word = strsep(&rest, ",");
        if (user_find_id("--groups", word, true, &wish->groups[i]) < 0)
            return -EINVAL;
    }
    wish->privilege.groups = wish->groups;
    wish->privilege.group_count = count;
    return 0;
}

/* The groups of the user in /etc/group, and the one of /etc/passwd. */
static int read_user_groups(const struct setpriv_options *values, struct wish *wish)
{
    static const struct user_tables tables = {.passwd = "/etc/passwd", .group = "/etc/group"};
    const char *name = values->reuid ? values->reuid : values->ruid;
    if (!name)
        return fail_usage("--init-groups needs --ruid or --reuid");
    int result = user_resolve(&wish->member, name, &tables);
    if (result < 0)
        return result;
    wish->groups = calloc(wish->member.groups.count + 1, sizeof(*wish->groups));
    if (!wish->groups)
        return fail(ENOMEM, "cannot read the groups of %s", name);
    wish->groups[0] = wish->member.gid;
    if (wish->member.groups.count > 0)
        memcpy(wish->groups + 1, wish->member.groups.gids,
               wish->member.groups.count * sizeof(*wish->groups));
    wish->privilege.groups = wish->groups;
    wish->privilege.group_count = wish->member.groups.count + 1;
    return 0;
}

static int read_groups(const struct setpriv_options *values, struct wish *wish)
{
    int given =
        values->clear_groups + values->keep_groups + values->init_groups + (values->groups != NULL);
    if (given > 1)
        return fail_usage("--clear-groups, --keep-groups, --init-groups and --groups exclude each "
                          "other");
    /* The additional groups of somebody else would be kept unnoticed. */
    if (given == 0 && (wish->privilege.rgid.given || wish->privilege.egid.given))
        return fail_usage("a change of group needs --keep-groups, --clear-groups, --init-groups or "
                          "--groups");
    wish->privilege.set_groups = given > 0 && !values->keep_groups;
    if (values->groups)
        return read_group_list(values->groups, wish);
    return values->init_groups ? read_user_groups(values, wish) : 0;
}

static int read_capabilities(const struct setpriv_options *values, struct privilege *privilege)
{
    struct capability_sets *sets = &privilege->capabilities;
    uint64_t permitted;
    int securebits = prctl(PR_GET_SECUREBITS);
    int result = capability_need(sets);
    privilege->set_ambient = values->ambient != NULL;
    privilege->set_inheritable = values->inheritable != NULL;
    privilege->set_bounding = values->bounding != NULL;
    privilege->set_permitted = values->permitted != NULL;
    privilege->set_securebits = values->securebits != NULL;
    privilege->securebits = securebits < 0 ? 0 : (unsigned)securebits;
    permitted = sets->permitted;
    if (result == 0 && values->ambient)
        result = capabilities_edit(&sets->ambient, "--ambient-caps", values->ambient);
    if (result == 0 && values->inheritable)
        result = capabilities_edit(&sets->inheritable, "--inh-caps", values->inheritable);
    if (result == 0 && values->bounding) {
        sets->bounding = capability_bounding();
        result = capabilities_edit(&sets->bounding, "--bounding-set", values->bounding);
    }
    if (result == 0 && values->permitted)
        result = capabilities_edit(&permitted, "--permitted-caps", values->permitted);
    if (result == 0 && values->securebits)
        result = securebits_edit(&privilege->securebits, "--securebits", values->securebits);
    if (values->permitted)
        sets->permitted = sets->effective = permitted;
    return result;
}

static int read_death_signal(const char *word, int *number)
{
    *number = -1;
    if (!word || strcmp(word, "keep") == 0)
        return 0;
    *number = strcmp(word, "clear") == 0 ? 0 : signal_number(word);
    return *number >= 0
               ? 0
               : fail_usage("option --pdeathsig: '%s' is neither keep, clear nor a signal", word);
}

static int read_wish(const struct setpriv_options *values, struct wish *wish)
{
    int result = read_ids(values, &wish->privilege);
    if (result == 0)
        result = read_groups(values, wish);
    if (result == 0)
        result = read_capabilities(values, &wish->privilege);
    if (result == 0)
        result = read_death_signal(values->pdeathsig, &wish->death_signal);
    return result == 0 ? rlimits_check("--rlimit", &values->rlimits) : result;
}

/* Byte by byte: options were set in memory that was zero, what lies between them is so still. */
static bool asks_alone(const struct setpriv_options *values)
{
    static const struct setpriv_options none;
    struct setpriv_options rest;
    memcpy(&rest, values, sizeof(rest));
    rest.list = false;
    rest.dump = values->list ? values->dump : 0;
    rest.json = values->list && values->json;
    return memcmp((const char *)&rest, (const char *)&none, sizeof(rest)) == 0;
}

static int check(struct call *call, int *consumed)
{
    const struct setpriv_options *values = call->values;
    struct wish wish = {0};
    *consumed = 0;
    if (values->dump || values->json || values->list) {
        *consumed = CHAIN_LAST;
        return asks_alone(values) ? 0 : fail_usage("--dump and --list-caps exclude other options");
    }
    int result = read_wish(values, &wish);
    free_wish(&wish);
    return result;
}

/* ---- doing it ---- */

static int set_variable(const char *name, const char *value)
{
    return setenv(name, value, 1) < 0 ? fail(ENOMEM, "cannot set %s", name) : 0;
}

/* What a login of the user that the program runs as would have. */
static int reset_environment(const struct privilege *privilege)
{
    uint32_t uid = privilege->ruid.given ? privilege->ruid.id : getuid();
    struct passwd_user user = {.found = false};
    struct passwd_notes notes = {0};
    autoclose int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    autofree char *terminal = getenv("TERM") ? strdup(getenv("TERM")) : NULL;
    if (file >= 0 && passwd_find(file, "/etc/passwd", NULL, uid, &user, &notes) < 0)
        return -EINVAL;
    if (!user.found) {
        int result = fail(ENOENT, "cannot find user %u in /etc/passwd", uid);
        error_hint("--reset-env takes home and shell from there");
        return result;
    }
    clearenv();
    int result = terminal ? set_variable("TERM", terminal) : 0;
    if (result == 0)
        result = set_variable("PATH", uid ? "/usr/local/bin:/bin:/usr/bin"
                                          : "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:"
                                            "/usr/bin");
    if (result == 0)
        result = set_variable("HOME", user.home);
    if (result == 0)
        result = set_variable("SHELL", *user.shell ? user.shell : "/bin/sh");
    if (result == 0)
        result = set_variable("USER", user.name);
    return result == 0 ? set_variable("LOGNAME", user.name) : result;
}

static int go_on(const struct setpriv_options *values, const struct wish *wish, pid_t parent)
{
    int result = 0;
    if (values->selinux || values->apparmor)
        result = fail(EOPNOTSUPP, "cannot set a label (--selinux-label, --apparmor-profile)");
    if (result == 0 && values->reset_env)
        result = reset_environment(&wish->privilege);
    if (result == 0)
        result = rlimits_set("--rlimit", &values->rlimits);
    if (result == 0 && values->nnp && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        result = fail(errno, "cannot forbid new privileges");
    if (result == 0)
        result = privilege_apply(&wish->privilege);
    /* A change of ids makes the kernel forget it, so it comes late; a parent that is gone by then
     * is answered at once, as the signal would. */
    if (result == 0 && wish->death_signal >= 0)
        result = process_follow_parent(wish->death_signal, parent);
    return result;
}

static int dump(const struct setpriv_options *values)
{
    autotext struct text text = {0};
    int result = values->list ? capabilities_lines(&text, capability_known())
                              : privilege_dump(&text, values->json, values->dump);
    if (result == 0)
        result = write_all(STDOUT_FILENO, "standard output", text.data, text.length);
    return result < 0 ? result : CHAIN_END(0);
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct setpriv_options *values = call->values;
    if (values->dump || values->json || values->list)
        return dump(values);
    pid_t parent = getppid();
    struct wish wish = {0};
    (void)chain;
    int result = read_wish(call->values, &wish);
    if (result == 0)
        result = go_on(call->values, &wish, parent);
    free_wish(&wish);
    /* As setpriv(1) has it, which tells bad usage from missing rights. */
    return result < 0 && error_get()->kind == ERROR_SYSTEM ? CHAIN_END(report_error(EXIT_PRIVERR))
                                                           : result;
}

static const struct applet applet = {
    .name = "setpriv",
    .texts = APPLET_TEXTS(
        "go on with other privileges", "[options] -- NEXT [ARG...]",
        "Changes ids, groups, capabilities, securebits and limits of this process and becomes "
        "NEXT. "
        "Options, defaults and exit codes are those of util-linux' setpriv(1). Beside them are "
        "--permitted-caps, --rlimit and --json.\n"
        "\n"
        "CAP is a name with or without cap_, a number, a range such as 12-15, or all. What an exec "
        "does to capabilities holds here as well, whether NEXT is a program or another link: a "
        "user "
        "other than root keeps ambient ones only.\n"
        "\n"
        "What the kernel refuses ends with exit code 127, also where setpriv(1) goes on in "
        "silence: a bounding set, or an ambient set, that cannot be changed. --pdeathsig notices "
        "when the parent has died meanwhile.\n",
        "# an ordinary user, and no way back\n"
        "shimbox setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs -- id\n"
        "\n"
        "# one capability for a user\n"
        "shimbox setpriv --reuid 1000 --inh-caps +net_bind_service \\\n"
        "    --ambient-caps +net_bind_service -- /srv/server\n"
        "\n"
        "# what there is\n"
        "shimbox setpriv --dump\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct setpriv_options),
    .failure = EXIT_STAND_IN,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
