/* Tests of core/oci/config_schedule.c and config_kernel.c: what is read, and what is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>

#include "core/base/error.h"
#include "core/oci/config.h"

#define NAMESPACES                                                                                 \
    "\"namespaces\":[{\"type\":\"time\"},{\"type\":\"ipc\"},{\"type\":\"network\"},"               \
    "{\"type\":\"uts\"},{\"type\":\"user\"}],"

/* PROCESS and LINUX are put into a document that is good otherwise, and has all namespaces. */
static int parse(struct config *config, const char *process, const char *linux_text)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "{\"ociVersion\":\"1.1.0\",\"process\":{\"cwd\":\"/\",%s},\"linux\":{" NAMESPACES
             "%s}}",
             process, linux_text);
    return config_parse(config, "c", text, strlen(text));
}

struct bad {
    const char *text;
    const char *message; /* behind "c: " and the field's name */
};

static void refuse_all(const char *section, const char *name, const struct bad *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct config config;
        char text[512];
        char message[512];
        bool process = strcmp(section, "process") == 0;

        snprintf(text, sizeof(text), "\"%s\":%s", name, cases[i].text);
        snprintf(message, sizeof(message), "c: /%s/%s%s", section, name, cases[i].message);
        assert_int_equal(parse(&config, process ? text : "\"a\":0", process ? "\"a\":0" : text),
                         -EINVAL);
        assert_string_equal(error_get()->text, message);
        assert_int_equal(error_get()->kind, ERROR_CONFIG);
        error_clear();
    }
}

#define REFUSE(section, name, cases)                                                               \
    refuse_all(section, name, cases, sizeof(cases) / sizeof((cases)[0]))

static void all_is_read(void **state)
{
    struct config config;

    (void)state;
    assert_int_equal(
        parse(&config,
              "\"oomScoreAdj\":-5,\"scheduler\":{\"policy\":\"SCHED_RR\",\"nice\":-20,"
              "\"priority\":9,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\",\"SCHED_FLAG_RECLAIM\"]},"
              "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\",\"priority\":7},"
              "\"execCPUAffinity\":{\"initial\":\"0-3,7\",\"final\":\"\"}",
              "\"sysctl\":{\"net.a\":\"1\",\"kernel/sem\":\"\"},"
              "\"personality\":{\"domain\":\"LINUX32\",\"flags\":[]},"
              "\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0,64-65,1023\","
              "\"flags\":[\"MPOL_F_STATIC_NODES\"]},"
              "\"timeOffsets\":{\"boottime\":{\"secs\":-7,\"nanosecs\":999999999}}"),
        0);
    assert_true(config.process.has_oom_score);
    assert_int_equal(config.process.oom_score, -5);
    assert_true(config.process.scheduler.given);
    assert_int_equal(config.process.scheduler.policy, 2);
    assert_int_equal(config.process.scheduler.nice, -20);
    assert_int_equal(config.process.scheduler.priority, 9);
    assert_int_equal(config.process.scheduler.flags, 3);
    assert_int_equal(config.process.io_priority.class, 3);
    assert_int_equal(config.process.io_priority.level, 7);
    assert_int_equal(config.sysctl_count, 2);
    assert_string_equal(config.sysctls[0].name, "net.a");
    assert_int_equal(config.sysctls[0].type, NAMESPACE_NETWORK);
    assert_string_equal(config.sysctls[1].value, "");
    assert_int_equal(config.sysctls[1].type, NAMESPACE_IPC);
    assert_true(config.has_personality);
    assert_int_equal(config.personality, PER_LINUX32);
    assert_true(config.memory_policy.given && config.memory_policy.has_nodes);
    assert_int_equal(config.memory_policy.mode, 2);
    assert_int_equal(config.memory_policy.flags, 1 << 15);
    assert_true(config.memory_policy.nodes[0] == 1 && config.memory_policy.nodes[1] == 3);
    assert_true(config.memory_policy.nodes[15] == UINT64_C(1) << 63);
    assert_false(config.time_offsets[TIME_MONOTONIC].given);
    assert_true(config.time_offsets[TIME_BOOTTIME].given);
    assert_int_equal(config.time_offsets[TIME_BOOTTIME].seconds, -7);
    assert_int_equal(config.time_offsets[TIME_BOOTTIME].nanoseconds, 999999999);
    config_free(&config);
}

static void nothing_is_the_default(void **state)
{
    struct config config;

    (void)state;
    assert_int_equal(parse(&config, "\"oomScoreAdj\":null,\"scheduler\":null",
                           "\"sysctl\":{},\"timeOffsets\":{\"monotonic\":null}"),
                     0);
    assert_false(config.process.has_oom_score || config.process.scheduler.given);
    assert_int_equal(config.process.io_priority.class, 0);
    assert_int_equal(config.sysctl_count, 0);
    assert_false(config.has_personality || config.memory_policy.given);
    assert_false(config.time_offsets[TIME_MONOTONIC].given);
    config_free(&config);
}

static void wrong_schedules_are_named(void **state)
{
    static const struct bad scores[] = {
        {"1001", ": expected a number from -1000 to 1000, found 1001"},
        {"-1001", ": expected a number from -1000 to 1000, found -1001"},
        {"\"0\"", ": expected a number from -1000 to 1000, found a string"},
        {"1.5", ": expected a number from -1000 to 1000, found a fraction"},
        {"18446744073709551615",
         ": expected a number from -1000 to 1000, found 18446744073709551615"},
    };
    static const struct bad schedulers[] = {
        {"[]", ": expected an object, found an array"},
        {"{}", "/policy: missing"},
        {"{\"policy\":1}", "/policy: expected a string, found a number"},
        {"{\"policy\":\"FIFO\"}", "/policy: unknown value \"FIFO\""},
        {"{\"policy\":\"SCHED_OTHER\",\"nice\":20}",
         "/nice: expected a number from -20 to 19, found 20"},
        {"{\"policy\":\"SCHED_OTHER\",\"priority\":1}",
         "/priority: only SCHED_FIFO and SCHED_RR have one"},
        {"{\"policy\":\"SCHED_FIFO\"}",
         "/priority: expected a number from 1 to 99 with this policy"},
        {"{\"policy\":\"SCHED_RR\",\"priority\":100}",
         "/priority: expected a number from 1 to 99 with this policy"},
        {"{\"policy\":\"SCHED_IDLE\",\"period\":1}",
         ": only SCHED_DEADLINE has runtime, deadline and period"},
        {"{\"policy\":\"SCHED_DEADLINE\",\"deadline\":1}", "/runtime: missing"},
        {"{\"policy\":\"SCHED_DEADLINE\",\"runtime\":-1}",
         "/runtime: expected a number from 0 to 18446744073709551615, found -1"},
        {"{\"policy\":\"SCHED_IDLE\",\"flags\":[\"X\"]}", "/flags/0: unknown flag \"X\""},
        {"{\"policy\":\"SCHED_IDLE\",\"flags\":[null]}",
         "/flags/0: expected a string, found nothing"},
        {"{\"policy\":\"SCHED_IDLE\",\"flags\":\"X\"}",
         "/flags: expected an array, found a string"},
    };
    static const struct bad priorities[] = {
        {"{\"priority\":1}", "/class: missing"},
        {"{\"class\":\"IOPRIO_CLASS_BE\"}", "/priority: missing"},
        {"{\"class\":\"BE\",\"priority\":1}", "/class: unknown value \"BE\""},
        {"{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}",
         "/priority: expected a number from 0 to 7, found 8"},
        {"{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":-1}",
         "/priority: expected a number from 0 to 7, found -1"},
    };

    (void)state;
    REFUSE("process", "oomScoreAdj", scores);
    REFUSE("process", "scheduler", schedulers);
    REFUSE("process", "ioPriority", priorities);
}

static void wrong_lists_are_named(void **state)
{
    static const char *const lists[] = {
        "x",    "3-1",    "0-", "-1", "0,,1", ",",     "0,",
        "8192", "0-8192", " 0", "+1", "1 ",   "0-1-2", "99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char text[128];
        char message[160];
        struct bad cases[] = {{text, message}};

        snprintf(text, sizeof(text), "{\"initial\":\"0-8191\",\"final\":\"%s\"}", lists[i]);
        snprintf(message, sizeof(message),
                 "/final: expected processors such as \"0-3,7\", found \"%s\"", lists[i]);
        REFUSE("process", "execCPUAffinity", cases);
    }
}

static void wrong_sysctls_are_named(void **state)
{
    static const struct bad machine[] = {
        {"{\"kernel.panic\":\"1\"}", "/kernel.panic: no namespace has this parameter for itself"},
        {"{\"vm/swappiness\":\"1\"}",
         "/vm~1swappiness: no namespace has this parameter for itself"},
        {"{\"kernel.shm\":\"1\"}", "/kernel.shm: no namespace has this parameter for itself"},
        {"{\"kernel.msgmax.x\":\"1\"}",
         "/kernel.msgmax.x: no namespace has this parameter for itself"},
        {"{\"network.x\":\"1\"}", "/network.x: no namespace has this parameter for itself"},
        {"{\"net\":\"1\"}", "/net: no namespace has this parameter for itself"},
        {"{\"kernel.hostname\":\"x\"}", "/kernel.hostname: is set by /hostname"},
        {"{\"net/../kernel/panic\":\"1\"}",
         "/net~1..~1kernel~1panic: not the name of a kernel parameter"},
        {"{\"net..kernel\":\"1\"}", "/net..kernel: not the name of a kernel parameter"},
        {"{\"net.\":\"1\"}", "/net.: not the name of a kernel parameter"},
        {"{\"/net/x\":\"1\"}", "/~1net~1x: not the name of a kernel parameter"},
        {"{\"net/./x\":\"1\"}", "/net~1.~1x: not the name of a kernel parameter"},
        {"{\"\":\"1\"}", "/: not the name of a kernel parameter"},
        {"{\"net.x\":1}", "/net.x: expected a string, found a number"},
        {"{\"net.x\":null}", "/net.x: missing"},
        {"[]", ": expected an object, found an array"},
    };

    (void)state;
    REFUSE("linux", "sysctl", machine);
}

static void sysctls_need_their_namespace(void **state)
{
    static const struct bad cases[] = {
        {"net.a", "c: /linux/sysctl/net.a: needs a namespace of type network in /linux/namespaces"},
        {"kernel.sem",
         "c: /linux/sysctl/kernel.sem: needs a namespace of type ipc in /linux/namespaces"},
        {"user.a", "c: /linux/sysctl/user.a: needs a namespace of type user in /linux/namespaces"},
        {"kernel.domainname",
         "c: /linux/sysctl/kernel.domainname: needs a namespace of type uts in /linux/namespaces"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct config config;

        snprintf(text, sizeof(text),
                 "{\"ociVersion\":\"1.0.2\",\"linux\":{\"sysctl\":{\"%s\":\"1\"}}}", cases[i].text);
        assert_int_equal(config_parse(&config, "c", text, strlen(text)), -EINVAL);
        assert_string_equal(error_get()->text, cases[i].message);
        error_clear();
    }
}

static void wrong_policies_are_named(void **state)
{
    static const struct bad personalities[] = {
        {"{}", "/domain: missing"},
        {"{\"domain\":\"BSD\"}", "/domain: unknown value \"BSD\""},
        {"{\"domain\":\"LINUX\",\"flags\":[\"ADDR_NO_RANDOMIZE\"]}",
         "/flags/0: unknown flag \"ADDR_NO_RANDOMIZE\""},
        {"\"LINUX\"", ": expected an object, found a string"},
    };
    static const struct bad policies[] = {
        {"{}", "/mode: missing"},
        {"{\"mode\":\"BIND\"}", "/mode: unknown value \"BIND\""},
        {"{\"mode\":\"MPOL_BIND\"}", "/nodes: missing, which this mode needs"},
        {"{\"mode\":\"MPOL_LOCAL\",\"nodes\":\"0\"}", "/nodes: not with this mode"},
        {"{\"mode\":\"MPOL_BIND\",\"nodes\":\"1024\"}",
         "/nodes: expected memory nodes such as \"0-3,7\", found \"1024\""},
        {"{\"mode\":\"MPOL_BIND\",\"nodes\":0}", "/nodes: expected a string, found a number"},
        {"{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":[\"X\"]}",
         "/flags/0: unknown flag \"X\""},
        {"{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":[\"MPOL_F_STATIC_NODES\","
         "\"MPOL_F_RELATIVE_NODES\"]}",
         "/flags: static and relative nodes exclude each other"},
    };

    (void)state;
    REFUSE("linux", "personality", personalities);
    REFUSE("linux", "memoryPolicy", policies);
}

static void wrong_times_are_named(void **state)
{
    static const struct bad offsets[] = {
        {"{\"realtime\":{\"secs\":1}}", "/realtime: unknown clock; expected monotonic or boottime"},
        {"{\"monotonic\":1}", "/monotonic: expected an object, found a number"},
        {"{\"monotonic\":{\"secs\":\"1\"}}",
         "/monotonic/secs: expected a number from -9223372036854775808 to 9223372036854775807, "
         "found a string"},
        {"{\"monotonic\":{\"nanosecs\":1000000000}}",
         "/monotonic/nanosecs: expected a number from 0 to 999999999, found 1000000000"},
        {"{\"boottime\":{\"nanosecs\":-1}}",
         "/boottime/nanosecs: expected a number from 0 to 999999999, found -1"},
    };

    (void)state;
    REFUSE("linux", "timeOffsets", offsets);
}

static void offsets_need_a_new_namespace(void **state)
{
    static const struct bad cases[] = {
        {"{\"type\":\"pid\"}",
         "c: /linux/timeOffsets: needs a time namespace in /linux/namespaces"},
        {"{\"type\":\"time\",\"path\":\"/t\"}",
         "c: /linux/timeOffsets: needs a new time namespace, not one to join"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct config config;

        snprintf(text, sizeof(text),
                 "{\"ociVersion\":\"1.0.2\",\"linux\":{\"namespaces\":[%s],"
                 "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}}}",
                 cases[i].text);
        assert_int_equal(config_parse(&config, "c", text, strlen(text)), -EINVAL);
        assert_string_equal(error_get()->text, cases[i].message);
        error_clear();
    }
}

static void wrong_names_are_named(void **state)
{
    static const struct bad cases[] = {
        {"\"domainname\":\"x\"", "c: /domainname: needs a uts namespace in /linux/namespaces"},
        {"\"domainname\":5", "c: /domainname: expected a string, found a number"},
        {"\"domainname\":\"x\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}],"
         "\"sysctl\":{\"kernel.domainname\":\"y\"}}",
         "c: /linux/sysctl/kernel.domainname: is set by /domainname"},
        {"\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]},\"domainname\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123X\"",
         "c: /domainname: longer than 64 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct config config;

        snprintf(text, sizeof(text), "{\"ociVersion\":\"1.0.2\",%s}", cases[i].text);
        assert_int_equal(config_parse(&config, "c", text, strlen(text)), -EINVAL);
        assert_string_equal(error_get()->text, cases[i].message);
        error_clear();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_read),
        cmocka_unit_test(nothing_is_the_default),
        cmocka_unit_test(wrong_schedules_are_named),
        cmocka_unit_test(wrong_lists_are_named),
        cmocka_unit_test(wrong_sysctls_are_named),
        cmocka_unit_test(sysctls_need_their_namespace),
        cmocka_unit_test(wrong_policies_are_named),
        cmocka_unit_test(wrong_times_are_named),
        cmocka_unit_test(offsets_need_a_new_namespace),
        cmocka_unit_test(wrong_names_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
