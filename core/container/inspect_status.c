/* What /proc/PID/status tells, in the sections where it belongs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <json-c/json.h>

#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/linux/capability.h"
#include "core/linux/privilege_text.h"
#include "core/linux/process_status.h"
#include "core/linux/signals.h"

/* A status, and why what is not known in it is not. */
struct facts {
    struct inspect *inspect;
    struct process_status *status;
    int number;
};

static bool is_known(const struct facts *facts, enum process_status_field field)
{
    return facts->status->known >> field & 1;
}

static void put(const struct facts *facts, struct json_object *object, const char *key,
                enum process_status_field field, struct json_object *value)
{
    if (is_known(facts, field)) {
        inspect_put(facts->inspect, object, key, value);
        return;
    }
    json_object_put(value);
    inspect_put(facts->inspect, object, key,
                facts->number ? inspect_error(facts->number)
                              : inspect_refusal("the kernel does not tell"));
}

static void put_number(const struct facts *facts, struct json_object *object, const char *key,
                       enum process_status_field field, uint32_t number)
{
    put(facts, object, key, field, json_object_new_int64(number));
}

static void put_text(const struct facts *facts, struct json_object *object, const char *key,
                     enum process_status_field field, const char *text)
{
    put(facts, object, key, field, inspect_string(text ? text : "", strlen(text ? text : "")));
}

static void put_ids(const struct facts *facts, struct json_object *object, const char *key,
                    enum process_status_field field, const uint32_t ids[4])
{
    static const char names[][12] = {"real", "effective", "saved", "filesystem"};
    struct json_object *four = json_object_new_object();
    for (int i = 0; four && i < 4; i++)
        inspect_put_number(facts->inspect, four, names[i], ids[i]);
    put(facts, object, key, field, four);
}

static void put_process(const struct facts *facts, struct json_object *document)
{
    const struct process_status *status = facts->status;
    struct json_object *process = json_object_object_get(document, "process");
    struct json_object *scheduling = json_object_object_get(document, "scheduling");
    char octal[16];
    put_text(facts, process, "state", STATUS_STATE, status->state);
    put_number(facts, process, "thread_group", STATUS_THREAD_GROUP, status->thread_group);
    put_number(facts, process, "parent", STATUS_PARENT, status->parent);
    put_number(facts, process, "tracer", STATUS_TRACER, status->tracer);
    put_number(facts, process, "threads", STATUS_THREADS, status->threads);
    put(facts, process, "pid_in_namespaces", STATUS_PID_CHAIN,
        inspect_numbers(status->pid_chain ? status->pid_chain : ""));
    snprintf(octal, sizeof(octal), "%04o", (unsigned)status->umask);
    put_text(facts, process, "umask", STATUS_UMASK, octal);
    put_text(facts, scheduling, "affinity", STATUS_CPUS, status->cpus);
}

static struct json_object *list_capabilities(struct inspect *inspect, uint64_t set)
{
    struct json_object *array = json_object_new_array();
    for (int number = 0; array && number < 64; number++) {
        char digits[16];
        const char *name = capability_name(number);
        snprintf(digits, sizeof(digits), "CAP_%d", number);
        if (set >> number & 1)
            inspect_add(inspect, array, json_object_new_string(name ? name : digits));
    }
    return array;
}

static void put_capabilities(const struct facts *facts, struct json_object *document)
{
    const struct capability_sets *sets = &facts->status->capabilities;
    struct json_object *object = json_object_new_object();
    const struct {
        const char *key;
        enum process_status_field field;
        uint64_t set;
    } rows[] = {
        {"bounding", STATUS_BOUNDING, sets->bounding},
        {"effective", STATUS_EFFECTIVE, sets->effective},
        {"permitted", STATUS_PERMITTED, sets->permitted},
        {"inheritable", STATUS_INHERITABLE, sets->inheritable},
        {"ambient", STATUS_AMBIENT, sets->ambient},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        put(facts, object, rows[i].key, rows[i].field,
            list_capabilities(facts->inspect, rows[i].set));
    inspect_put(facts->inspect, document, "capabilities", object);
}

/* Only prctl(2) tells them, and only to the process itself. */
static struct json_object *list_securebits(struct inspect *inspect)
{
    if (!inspect->self)
        return inspect_refusal("the kernel tells them to the process itself alone");
    int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (bits < 0)
        return inspect_error(errno);
    struct json_object *array = json_object_new_array();
    for (unsigned bit = 0; array && bit < 32; bit++) {
        char digits[16];
        const char *name = securebit_name(bit);
        snprintf(digits, sizeof(digits), "%u", bit);
        if ((unsigned)bits >> bit & 1)
            inspect_add(inspect, array, json_object_new_string(name ? name : digits));
    }
    return array;
}

/* attr/current is EINVAL where no security module gives labels. */
static void put_label(struct inspect *inspect, struct json_object *object)
{
    autotext struct text text = {0};
    int result = inspect_read(inspect, "attr/current", &text);
    if (result == -EINVAL)
        inspect_put_null(inspect, object, "label");
    else if (result < 0)
        inspect_put(inspect, object, "label", inspect_error(result));
    else
        inspect_put(inspect, object, "label", inspect_string(text.data, strcspn(text.data, "\n")));
}

static void put_security(const struct facts *facts, struct json_object *document)
{
    static const char modes[][12] = {"disabled", "strict", "filter"};
    const struct process_status *status = facts->status;
    struct json_object *object = json_object_new_object();
    put(facts, object, "no_new_privs", STATUS_NO_NEW_PRIVS,
        json_object_new_boolean(status->no_new_privs != 0));
    put_text(facts, object, "seccomp", STATUS_SECCOMP,
             status->seccomp < 3 ? modes[status->seccomp] : "unknown mode");
    put_number(facts, object, "seccomp_filters", STATUS_FILTERS, status->filters);
    inspect_put(facts->inspect, object, "securebits", list_securebits(facts->inspect));
    put_label(facts->inspect, object);
    inspect_put(facts->inspect, document, "security", object);
}

static struct json_object *list_signals(struct inspect *inspect, uint64_t set)
{
    struct json_object *array = json_object_new_array();
    for (int number = 1; array && number <= SIGNAL_LAST; number++) {
        char digits[16];
        const char *name = signal_name(number);
        snprintf(digits, sizeof(digits), "SIG%d", number);
        if (set >> (number - 1) & 1)
            inspect_add(inspect, array, json_object_new_string(*name ? name : digits));
    }
    return array;
}

static void put_signals(const struct facts *facts, struct json_object *document)
{
    const struct process_status *status = facts->status;
    struct json_object *object = json_object_new_object();
    const struct {
        const char *key;
        enum process_status_field field;
        uint64_t set;
    } rows[] = {
        {"blocked", STATUS_BLOCKED, status->blocked},
        {"ignored", STATUS_IGNORED, status->ignored},
        {"caught", STATUS_CAUGHT, status->caught},
        {"pending_thread", STATUS_PENDING, status->pending},
        {"pending_process", STATUS_PENDING_SHARED, status->pending_shared},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        put(facts, object, rows[i].key, rows[i].field, list_signals(facts->inspect, rows[i].set));
    inspect_put(facts->inspect, document, "signals", object);
}

void inspect_status(struct inspect *inspect, struct json_object *document)
{
    autotext struct text text = {0};
    struct process_status status = {0};
    struct facts facts = {.inspect = inspect, .status = &status};
    int result = inspect_read(inspect, "status", &text);
    if (result == 0)
        process_status_parse(text.data, &status);
    else if (inspect->self)
        process_status_own(&status);
    facts.number = result;
    struct json_object *ids = json_object_new_object();
    put_ids(&facts, ids, "uid", STATUS_UID, status.uid);
    put_ids(&facts, ids, "gid", STATUS_GID, status.gid);
    put(&facts, ids, "groups", STATUS_GROUPS, inspect_numbers(status.groups ? status.groups : ""));
    inspect_put(inspect, document, "ids", ids);
    put_process(&facts, document);
    put_capabilities(&facts, document);
    put_security(&facts, document);
    put_signals(&facts, document);
    process_status_free(&status);
}
