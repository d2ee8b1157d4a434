/* The privileges of this process, shown. The text is that of setpriv(1).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/linux/privilege.h"
#include "core/linux/privilege_text.h"
#include "core/linux/signals.h"

/* One line, or one member. */
static void append_key(struct text *text, bool json, const char *key, const char *title)
{
    if (json)
        text_append_format(text, "%s\"%s\":", text->length > 1 ? "," : "", key);
    else
        text_append_format(text, "%s: ", title);
}

static void append_number(struct text *text, bool json, const char *key, unsigned number)
{
    append_key(text, json, key, key);
    text_append_format(text, json ? "%u" : "%u\n", number);
}

/* What the lists of privilege_text.h say, as text or as an array of its words. */
static void append_list(struct text *text, bool json, const char *key, const char *title,
                        struct text *list)
{
    append_key(text, json, key, title);
    if (!json) {
        text_append_format(text, "%s\n", list->data ? list->data : "");
    } else {
        char *rest = list->data && list->data[0] != '[' ? list->data : NULL;
        text_append(text, "[");
        for (bool first = true; rest; first = false) {
            text_append(text, first ? "" : ",");
            text_append_json(text, strsep(&rest, ","));
        }
        text_append(text, "]");
    }
    text->failed |= list->failed;
    text_free(list);
}

static int append_groups(struct text *text, bool json)
{
    int count = getgroups(0, NULL);
    autofree gid_t *groups = calloc((size_t)(count < 0 ? 0 : count) + 1, sizeof(*groups));
    if (!groups || (count = getgroups(count, groups)) < 0)
        return fail(errno, "cannot read the additional groups");
    append_key(text, json, "groups", "Supplementary groups");
    if (json)
        text_append(text, "[");
    for (int i = 0; i < count; i++)
        text_append_format(text, "%s%u", i > 0 ? "," : "", groups[i]);
    text_append(text, json ? "]" : count > 0 ? "\n" : "[none]\n");
    return 0;
}

static void append_capabilities(struct text *text, bool json, bool all,
                                const struct capability_sets *sets)
{
    const struct {
        bool shown;
        uint64_t set;
        const char *key;
        const char *title;
    } rows[] = {
        {all || json, sets->effective, "effective", "Effective capabilities"},
        {all || json, sets->permitted, "permitted", "Permitted capabilities"},
        {true, sets->inheritable, "inheritable", "Inheritable capabilities"},
        {true, sets->ambient, "ambient", "Ambient capabilities"},
        {true, sets->bounding, "bounding", "Capability bounding set"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text list = {0};
        if (!rows[i].shown)
            continue;
        capabilities_list(&list, rows[i].set);
        append_list(text, json, rows[i].key, rows[i].title, &list);
    }
}

static void append_death_signal(struct text *text, bool json)
{
    int number = 0;
    prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0);
    const char *name = signal_name(number);
    append_key(text, json, "pdeathsig", "Parent death signal");
    if (number <= 0)
        text_append(text, json ? "null" : "[none]\n");
    else if (!name[0])
        text_append_format(text, json ? "%d" : "%d\n", number);
    else if (json)
        text_append_json(text, name);
    else
        text_append_format(text, "%s\n", name + 3); /* as setpriv(1) does, without SIG */
}

int privilege_dump(struct text *text, bool json, unsigned detail)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    getresuid(&ruid, &euid, &suid);
    getresgid(&rgid, &egid, &sgid);
    struct capability_sets sets;
    struct text bits = {0};
    int securebits = prctl(PR_GET_SECUREBITS);
    if (capability_need(&sets) < 0)
        return -EINVAL;
    sets.bounding = capability_bounding();
    text_append(text, json ? "{" : "");
    append_number(text, json, "uid", ruid);
    append_number(text, json, "euid", euid);
    if (detail > 2 || json)
        append_number(text, json, "suid", suid);
    append_number(text, json, "gid", rgid);
    append_number(text, json, "egid", egid);
    if (detail > 2 || json)
        append_number(text, json, "sgid", sgid);
    int result = append_groups(text, json);
    append_number(text, json, "no_new_privs", (unsigned)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    append_capabilities(text, json, detail > 1, &sets);
    securebits_list(&bits, securebits < 0 ? 0 : (unsigned)securebits);
    append_list(text, json, "securebits", "Securebits", &bits);
    append_death_signal(text, json);
    text_append(text, json ? "}\n" : "");
    if (result == 0 && text->failed)
        result = fail(ENOMEM, "cannot compose the output");
    return result;
}
