/* config.json: how the process is scheduled.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/own.h"
#include "core/base/text.h"
#include "core/oci/config.h"
#include "core/oci/config_parts.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

#define FIRST_PRIORITY 1 /* of the policies fifo and rr, sched(7) */
#define LAST_PRIORITY  99

int config_read_number(const struct json_field *parent, const char *key,
                       int (*number)(const char *name), int *target)
{
    struct json_field field = json_member(parent, key);
    const char *name = NULL;
    int result = json_require(&field);

    if (result == 0)
        result = json_get_text(&field, &name);
    if (result < 0)
        return result;
    *target = number(name);
    return *target < 0 ? json_fail(&field, "unknown value \"%s\"", name) : 0;
}

int config_read_flags(const struct json_field *parent, int (*number)(const char *name),
                      uint64_t *flags)
{
    struct json_field field = json_member(parent, "flags");
    autofree const char **names = NULL;
    int result = json_get_texts(&field, &names);

    for (size_t i = 0; result == 0 && names[i]; i++) {
        int flag = number(names[i]);
        struct json_field element = json_element(&field, i);

        if (flag < 0)
            return json_fail(&element, "unknown flag \"%s\"", names[i]);
        *flags |= (uint64_t)flag;
    }
    return result;
}

static int read_oom_score(struct config_process *process, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "oomScoreAdj");
    int64_t score = 0;
    int result = json_get_signed(&field, -1000, 1000, &score);

    process->has_oom_score = field.value != NULL;
    process->oom_score = (int)score;
    return result;
}

/* What the kernel would ignore, or refuse without a word on what it was. */
static int check_scheduler(const struct scheduler *scheduler, const struct json_field *field,
                           int64_t priority)
{
    struct json_field priority_field = json_member(field, "priority");
    struct json_field runtime = json_member(field, "runtime");

    if (scheduler_has_priority(scheduler->policy)) {
        if (priority < FIRST_PRIORITY || priority > LAST_PRIORITY)
            return json_fail(&priority_field, "expected a number from %d to %d with this policy",
                             FIRST_PRIORITY, LAST_PRIORITY);
    } else if (priority != 0) {
        return json_fail(&priority_field, "only SCHED_FIFO and SCHED_RR have one");
    }
    if (scheduler_has_deadline(scheduler->policy))
        return json_require(&runtime);
    if (scheduler->runtime || scheduler->deadline || scheduler->period)
        return json_fail(field, "only SCHED_DEADLINE has runtime, deadline and period");
    return 0;
}

static int read_scheduler(struct config_process *process, const struct json_field *parent)
{
    static const struct member table[] = {
        {"runtime", MEMBER_U64, 0, offsetof(struct scheduler, runtime)},
        {"deadline", MEMBER_U64, 0, offsetof(struct scheduler, deadline)},
        {"period", MEMBER_U64, 0, offsetof(struct scheduler, period)},
    };
    struct scheduler *scheduler = &process->scheduler;
    struct json_field field = json_member(parent, "scheduler");
    struct json_field nice_field = json_member(&field, "nice");
    struct json_field priority_field = json_member(&field, "priority");
    int64_t nice = 0;
    int64_t priority = 0;
    int result = members_read(&field, table, sizeof(table) / sizeof(table[0]), scheduler);

    if (result < 0 || !field.value)
        return result;
    scheduler->given = true;
    result = config_read_number(&field, "policy", scheduler_policy, &scheduler->policy);
    if (result == 0)
        result = json_get_signed(&nice_field, -20, 19, &nice);
    if (result == 0)
        result = json_get_signed(&priority_field, INT32_MIN, INT32_MAX, &priority);
    if (result == 0)
        result = config_read_flags(&field, scheduler_flag, &scheduler->flags);
    scheduler->nice = (int32_t)nice;
    scheduler->priority = (uint32_t)priority;
    return result < 0 ? result : check_scheduler(scheduler, &field, priority);
}

static int read_io_priority(struct config_process *process, const struct json_field *parent)
{
    struct json_field field = json_member(parent, "ioPriority");
    struct json_field level_field = json_member(&field, "priority");
    int64_t level = 0;
    int result = json_check_object(&field);

    if (result < 0 || !field.value)
        return result;
    result = config_read_number(&field, "class", io_priority_class, &process->io_priority.class);
    if (result == 0)
        result = json_require(&level_field);
    if (result == 0)
        result = json_get_signed(&level_field, 0, 7, &level);
    process->io_priority.level = (int)level;
    return result;
}

/* It is for the processes that join the container later: the first one keeps what it has. */
static int read_exec_affinity(struct config_process *process, const struct json_field *parent)
{
    static const struct member table[] = {
        {"initial", MEMBER_TEXT, 0, offsetof(struct config_process, initial_affinity)},
        {"final", MEMBER_TEXT, 0, offsetof(struct config_process, final_affinity)},
    };
    struct json_field field = json_member(parent, "execCPUAffinity");
    int result = members_read(&field, table, sizeof(table) / sizeof(table[0]), process);

    for (size_t i = 0; result == 0 && i < sizeof(table) / sizeof(table[0]); i++) {
        const char *text = i == 0 ? process->initial_affinity : process->final_affinity;
        struct json_field list = json_member(&field, table[i].key);

        if (text && parse_number_list(text, CPU_MAX, NULL) < 0)
            result = json_fail(&list, "expected processors such as \"0-3,7\", found \"%s\"", text);
    }
    return result;
}

int config_read_schedule(struct config *config, const struct json_field *process_field)
{
    struct config_process *process = &config->process;
    int result = read_oom_score(process, process_field);

    if (result == 0)
        result = read_scheduler(process, process_field);
    if (result == 0)
        result = read_io_priority(process, process_field);
    if (result == 0)
        result = read_exec_affinity(process, process_field);
    return result;
}
