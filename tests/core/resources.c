/* Tests of core/oci/resources.c and config_resources.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/oci/json.h"
#include "core/oci/resources.h"

/* Read them with ' for ". The document must live as long as the resources. */
static int read(const char *text, struct resources *resources, struct json_object **document)
{
    char quoted[2048];

    strncpy(quoted, text, sizeof(quoted) - 1);
    quoted[sizeof(quoted) - 1] = '\0';
    for (char *at = quoted; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    error_clear();
    assert_int_equal(json_parse(document, "test", quoted, strlen(quoted)), 0);

    struct json_field field = json_root(*document);

    return resources_read(resources, &field);
}

static const struct {
    const char *text;
    const char *settings; /* each with a newline behind; or the failure's text */
} cases_of_settings[] = {
    {"{}", ""},
    {"null", ""},
    {"{'memory':{},'cpu':{},'pids':{},'unified':{},'devices':[]}", ""},
    {"{'memory':{'limit':0,'reservation':0,'swap':0},'cpu':{'shares':0,'quota':0,'period':0}}", ""},
    {"{'memory':{'limit':67108864}}", "memory.max=67108864\n"},
    {"{'memory':{'limit':-1}}", "memory.swap.max=max\nmemory.max=max\n"},
    {"{'memory':{'limit':4096,'swap':-1,'reservation':-1}}",
     "memory.swap.max=max\nmemory.low=max\nmemory.max=4096\n"},
    {"{'memory':{'limit':100,'swap':100,'useHierarchy':true}}",
     "memory.swap.max=0\nmemory.max=100\n"},
    {"{'memory':{'limit':100,'swap':350}}", "memory.swap.max=250\nmemory.max=100\n"},
    {"{'memory':{'limit':100,'swap':99}}",
     "less than the limit, with which it is counted together"},
    {"{'memory':{'swap':99}}", "needs a limit as well, with which it is counted together"},
    {"{'memory':{'limit':-1,'swap':99}}",
     "no limit of memory, but one of memory and swap space together"},
    {"{'cpu':{'shares':1024,'quota':50000,'period':200000}}",
     "cpu.weight=100\ncpu.max=50000 200000\n"},
    {"{'cpu':{'quota':50000}}", "cpu.max=50000 100000\n"},
    {"{'cpu':{'quota':-1}}", "cpu.max=max 100000\n"},
    {"{'cpu':{'period':50000}}", "cpu.max=max 50000\n"},
    {"{'cpu':{'quota':50000,'burst':20000}}",
     "cpu.max.burst=0\ncpu.max=50000 100000\ncpu.max.burst=20000\n"},
    {"{'cpu':{'burst':0}}", "cpu.max.burst=0\n"},
    {"{'cpu':{'idle':1,'shares':512}}", "cpu.idle=1\n"},
    {"{'cpu':{'idle':0,'shares':2}}", "cpu.idle=0\ncpu.weight=1\n"},
    {"{'cpu':{'cpus':'0-1,3','mems':'0'}}", "cpuset.cpus=0-1,3\ncpuset.mems=0\n"},
    {"{'cpu':{'cpus':'','mems':''}}", ""},
    {"{'pids':{'limit':-1}}", "pids.max=max\n"},
    {"{'pids':{'limit':0}}", "pids.max=1\n"},
    {"{'pids':{'limit':9}}", "pids.max=9\n"},
    {"{'unified':{'memory.high':'1G','hugetlb.2MB.max':'','cgroup.max.depth':'3'}}",
     "memory.high=1G\nhugetlb.2MB.max=\ncgroup.max.depth=3\n"},
};

static void settings_have_the_order_of_the_kernel(void **state)
{

    (void)state;
    for (size_t i = 0; i < sizeof(cases_of_settings) / sizeof(cases_of_settings[0]); i++) {
        struct resources resources;
        struct resource_settings settings;
        struct json_object *document = NULL;
        char found[512] = "";

        assert_int_equal(read(cases_of_settings[i].text, &resources, &document), 0);
        assert_string_equal(resources.unsupported, "");
        if (resources_settings(&resources, &settings) < 0)
            strncat(found, error_get()->text, sizeof(found) - 1);
        else
            assert_false(error_is_set());
        for (size_t at = 0; !error_is_set() && at < settings.list.count; at++) {
            strncat(found, settings.list.items[at], 100);
            strcat(found, "\n");
        }
        assert_string_equal(found, cases_of_settings[i].settings);
        resource_settings_free(&settings);
        resources_free(&resources);
        json_object_put(document);
    }
    error_clear();
}

static void bad_values_are_named(void **state)
{
    static const struct {
        const char *text;
        const char *field;
    } cases[] = {
        {"[]", ""},
        {"{'memory':[]}", "/memory"},
        {"{'memory':{'limit':-2}}", "/memory/limit"},
        {"{'memory':{'limit':'1G'}}", "/memory/limit"},
        {"{'memory':{'swap':1.5}}", "/memory/swap"},
        {"{'memory':{'checkBeforeUpdate':1}}", "/memory/checkBeforeUpdate"},
        {"{'cpu':7}", "/cpu"},
        {"{'cpu':{'shares':-1}}", "/cpu/shares"},
        {"{'cpu':{'idle':2}}", "/cpu/idle"},
        {"{'cpu':{'cpus':'3-1'}}", "/cpu/cpus"},
        {"{'cpu':{'mems':'a'}}", "/cpu/mems"},
        {"{'cpu':{'burst':-1}}", "/cpu/burst"},
        {"{'pids':{'limit':'many'}}", "/pids/limit"},
        {"{'unified':[]}", "/unified"},
        {"{'unified':{'memory.high':1}}", "/unified/memory.high"},
        {"{'unified':{'memory.high':null}}", "/unified/memory.high"},
        {"{'unified':{'../memory.high':'1'}}", "/unified/..~1memory.high"},
        {"{'unified':{'memory.high/x':'1'}}", "/unified/memory.high~1x"},
        {"{'unified':{'cgroup.procs':'1'}}", "/unified/cgroup.procs"},
        {"{'unified':{'cgroup.freeze':'1'}}", "/unified/cgroup.freeze"},
        {"{'unified':{'cgroup.subtree_control':'+pids'}}", "/unified/cgroup.subtree_control"},
        {"{'unified':{'a=b.max':'1'}}", "/unified/a=b.max"},
        {"{'unified':{'memory':'1'}}", "/unified/memory"},
        {"{'unified':{'io.max':'1\\n2'}}", "/unified/io.max"},
        {"{'devices':{}}", "/devices"},
        {"{'devices':[null]}", "/devices/0"},
        {"{'devices':[{'allow':1}]}", "/devices/0/allow"},
        {"{'devices':[{'type':'p'}]}", "/devices/0/type"},
        {"{'devices':[{},{'major':-2}]}", "/devices/1/major"},
        {"{'devices':[{'minor':2147483648}]}", "/devices/0/minor"},
        {"{'devices':[{'access':'rwx'}]}", "/devices/0/access"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct resources resources;
        struct json_object *document = NULL;

        assert_int_equal(read(cases[i].text, &resources, &document), -EINVAL);
        assert_string_equal(error_get()->field, cases[i].field);
        resources_free(&resources);
        json_object_put(document);
    }
    error_clear();
}

static void what_cannot_be_had_is_known(void **state)
{
    static const struct {
        const char *text;
        const char *field;
    } cases[] = {
        {"{'memory':{'kernel':-1,'kernelTCP':0,'swappiness':null,'disableOOMKiller':false}}", ""},
        {"{'blockIO':{},'hugepageLimits':[],'network':{},'rdma':{}}", ""},
        {"{'blockIO':{'weight':0,'leafWeight':0,'weightDevice':[]}}", ""},
        {"{'network':{'classID':0,'priorities':[]},'cpu':{'realtimeRuntime':0}}", ""},
        {"{'memory':{'kernel':4096}}", "memory/kernel"},
        {"{'memory':{'kernelTCP':1}}", "memory/kernelTCP"},
        {"{'memory':{'swappiness':0}}", "memory/swappiness"},
        {"{'memory':{'disableOOMKiller':true}}", "memory/disableOOMKiller"},
        {"{'cpu':{'realtimeRuntime':950000}}", "cpu/realtimeRuntime"},
        {"{'cpu':{'realtimePeriod':1000000}}", "cpu/realtimePeriod"},
        {"{'blockIO':{'weight':10}}", "blockIO"},
        {"{'blockIO':{'throttleReadBpsDevice':[{'major':8,'minor':0,'rate':1}]}}", "blockIO"},
        {"{'hugepageLimits':[{'pageSize':'2MB','limit':0}]}", "hugepageLimits"},
        {"{'network':{'priorities':[{'name':'eth0','priority':1}]}}", "network"},
        {"{'rdma':{'mlx5_1':{'hcaHandles':3}}}", "rdma"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct resources resources;
        struct json_object *document = NULL;
        char field[64] = "";

        if (cases[i].field[0])
            strcpy(field, "/linux/resources/");
        strcat(field, cases[i].field);
        assert_int_equal(read(cases[i].text, &resources, &document), 0);
        assert_string_equal(resources.unsupported, field);
        resources_free(&resources);
        json_object_put(document);
    }
}

static void the_default_ones_are_known(void **state)
{
    static const struct {
        const char *text;
        bool standard;
    } cases[] = {
        {"{}", true},
        {"{'devices':[{'allow':false,'access':'rwm'}],'pids':{'limit':32768}}", true},
        {"{'devices':[{'allow':false}]}", true},
        {"{'devices':[{'allow':true}]}", false},
        {"{'devices':[{'allow':false,'access':'rw'}]}", false},
        {"{'devices':[{'allow':false,'type':'c'}]}", false},
        {"{'devices':[{'allow':false},{'allow':true,'type':'c','major':1}]}", false},
        {"{'pids':{'limit':32767}}", false},
        {"{'memory':{'limit':1}}", false},
        {"{'cpu':{'idle':0}}", false},
        {"{'unified':{'memory.high':'1'}}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct resources resources;
        struct json_object *document = NULL;

        assert_int_equal(read(cases[i].text, &resources, &document), 0);
        assert_int_equal(resources_are_standard(&resources), cases[i].standard);
        resources_free(&resources);
        json_object_put(document);
    }
}

/* What the formula of github.com/opencontainers/cgroups gives with log2() and pow(). */
static void shares_become_weights(void **state)
{
    static const uint64_t cases[][2] = {
        {0, 0},        {1, 1},          {2, 1},          {3, 2},          {10, 4},
        {100, 17},     {256, 35},       {512, 59},       {1000, 99},      {1024, 100},
        {1025, 101},   {2048, 174},     {4096, 303},     {8192, 532},     {10000, 627},
        {65536, 3023}, {262143, 10000}, {262144, 10000}, {262145, 10000}, {UINT64_MAX, 10000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(resources_cpu_weight(cases[i][0]), cases[i][1]);
    for (uint64_t shares = 1; shares <= 262144; shares++)
        assert_true(resources_cpu_weight(shares) >= resources_cpu_weight(shares - 1));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_have_the_order_of_the_kernel),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(what_cannot_be_had_is_known),
        cmocka_unit_test(the_default_ones_are_known),
        cmocka_unit_test(shares_become_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
