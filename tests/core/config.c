/* Tests of core/oci/config*.c, fields.c and spec_default.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/oci/config.h"
#include "core/oci/json.h"
#include "core/oci/spec_default.h"

static const char whole[] =
    "{\"ociVersion\":\"1.0.2-dev\",\"root\":{\"path\":\"r\",\"readonly\":true},\"hostname\":\"h\","
    "\"process\":{\"cwd\":\"/"
    "w\",\"args\":[\"a\",\"\"],\"env\":[\"A=\"],\"terminal\":true,\"consoleSize\":{\"height\":25,"
    "\"width\":65535},"
    "\"noNewPrivileges\":true,\"user\":{\"uid\":4294967294,\"gid\":5,\"umask\":63,"
    "\"additionalGids\":[7,8]},\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NEW\"],"
    "\"ambient\":[\"CAP_CHOWN\"]},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,"
    "\"hard\":18446744073709551615}]},"
    "\"mounts\":[{\"destination\":\"/"
    "d\",\"type\":\"\",\"source\":\"s\",\"options\":[\"\",\"ro\",\"\"]},"
    "{\"destination\":\"/e\",\"uidMappings\":[{\"containerID\":1,\"hostID\":2,\"size\":3}],"
    "\"gidMappings\":[{\"containerID\":4,\"hostID\":5,\"size\":6}]}],"
    "\"linux\":{\"namespaces\":[{\"type\":\"user\"},{\"type\":\"uts\"},{\"type\":\"network\","
    "\"path\":\"/n\"},{\"type\":\"pid\",\"path\":\"\"}],"
    "\"uidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":1}],"
    "\"gidMappings\":[{\"containerID\":0,\"hostID\":8,\"size\":1}],"
    "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438,"
    "\"uid\":1},{\"path\":\"/dev/p\",\"type\":\"p\",\"major\":-1,\"minor\":-1}],"
    "\"rootfsPropagation\":\"rslave\",\"maskedPaths\":[\"/m\"],\"readonlyPaths\":[\"/o\"]}}";

static void every_member_is_read(void **state)
{
    struct config config;

    (void)state;
    assert_int_equal(config_parse(&config, "c", whole, strlen(whole)), 0);
    assert_string_equal(config.root_path, "r");
    assert_true(config.root_readonly);
    assert_string_equal(config.hostname, "h");
    assert_string_equal(config.rootfs_propagation, "rslave");
    assert_string_equal(config.process.args[1], "");
    assert_null(config.process.args[2]);
    assert_string_equal(config.process.env[0], "A=");
    assert_null(config.process.env[1]);
    assert_string_equal(config.process.cwd, "/w");
    assert_true(config.process.terminal && config.process.no_new_privileges);
    assert_int_equal(config.process.console_height, 25);
    assert_int_equal(config.process.console_width, 65535);
    assert_int_equal(config.process.uid, 4294967294U);
    assert_int_equal(config.process.gid, 5);
    assert_int_equal(config.process.umask, 077);
    assert_int_equal(config.process.additional_gid_count, 2);
    assert_int_equal(config.process.additional_gids[1], 8);
    assert_true(config.process.has_capabilities);
    assert_int_equal(config.process.capabilities.bounding, 1 << 5);
    assert_int_equal(config.process.capabilities.ambient, 1);
    assert_int_equal(config.process.rlimit_count, 1);
    assert_int_equal(config.process.rlimits[0].resource, RLIMIT_NOFILE);
    assert_true(config.process.rlimits[0].limit.rlim_max == RLIM_INFINITY);
    assert_int_equal(config.mount_count, 2);
    assert_null(config.mounts[0].type);
    assert_string_equal(config.mounts[0].options[0], "ro");
    assert_null(config.mounts[0].options[1]);
    assert_null(config.mounts[1].source);
    assert_null(config.mounts[1].options[0]);
    assert_int_equal(config.mounts[0].maps.uid.count, 0);
    assert_int_equal(config.mounts[1].maps.uid.ranges[0].size, 3);
    assert_int_equal(config.mounts[1].maps.gid.ranges[0].host, 5);
    assert_true(config.namespaces[NAMESPACE_USER].wanted);
    assert_string_equal(config.namespaces[NAMESPACE_NETWORK].path, "/n");
    assert_null(config.namespaces[NAMESPACE_PID].path);
    assert_false(config.namespaces[NAMESPACE_MOUNT].wanted);
    assert_int_equal(config.maps.uid.ranges[0].host, 9);
    assert_int_equal(config.maps.gid.ranges[0].host, 8);
    assert_int_equal(config.device_count, 2);
    assert_int_equal(config.devices[0].type, S_IFCHR);
    assert_int_equal(config.devices[0].mode, 0666);
    assert_int_equal(config.devices[1].type, S_IFIFO);
    assert_int_equal(config.devices[1].mode, 0666);
    assert_string_equal(config.masked_paths[0], "/m");
    assert_string_equal(config.readonly_paths[0], "/o");
    config_free(&config);
}

static void little_is_needed(void **state)
{
    static const char text[] = "{\"ociVersion\":\"1.0.0\",\"process\":null}";
    struct config config;

    (void)state;
    assert_int_equal(config_parse(&config, "c", text, strlen(text)), 0);
    assert_null(config.process.args);
    assert_null(config.process.env[0]);
    assert_string_equal(config.process.cwd, "/");
    assert_int_equal(config.process.umask, -1);
    assert_null(config.root_path);
    assert_null(config.masked_paths[0]);
    assert_null(config.readonly_paths[0]);
    assert_false(config.process.has_capabilities);
    config_free(&config);
}

static void wrong_versions_are_named(void **state)
{
    static const struct {
        const char *version;
        const char *message;
    } cases[] = {
        {"\"2.0.0\"", "expected a version 1.x.y, found \"2.0.0\""},
        {"\"1.0\"", "expected a version 1.x.y, found \"1.0\""},
        {"\"1.a.0\"", "expected a version 1.x.y, found \"1.a.0\""},
        {"\"\"", "expected a version 1.x.y, found \"\""},
        {"1", "expected a string, found a number"},
        {"null", "missing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        char message[128];
        struct config config;

        snprintf(text, sizeof(text), "{\"ociVersion\":%s}", cases[i].version);
        snprintf(message, sizeof(message), "c: /ociVersion: %s", cases[i].message);
        assert_int_equal(config_parse(&config, "c", text, strlen(text)), -EINVAL);
        assert_string_equal(error_get()->text, message);
        error_clear();
    }
}

/* PROCESS and LINUX are put into a document that is good otherwise. */
static void refuse(const char *process, const char *linux_text, const char *message)
{
    char text[1024];
    struct config config;

    snprintf(text, sizeof(text),
             "{\"ociVersion\":\"1.1.0\",\"process\":{\"cwd\":\"/\"%s},\"linux\":{%s}}", process,
             linux_text);

    int result = config_parse(&config, "c", text, strlen(text));

    assert_int_equal(result, -EINVAL);
    assert_string_equal(error_get()->text, message);
    assert_int_equal(error_get()->kind, ERROR_CONFIG);
    error_clear();
}

#define MAP(uid, gid)                                                                              \
    "\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":[" uid "],\"gidMappings\":[" gid "]"
#define RANGE(container, host, size)                                                               \
    "{\"containerID\":" container ",\"hostID\":" host ",\"size\":" size "}"

static void wrong_processes_are_named(void **state)
{
    (void)state;
    refuse(",\"terminal\":1", "", "c: /process/terminal: expected true or false, found a number");
    refuse(",\"consoleSize\":80", "",
           "c: /process/consoleSize: expected an object, found a number");
    refuse(",\"consoleSize\":{\"height\":24}", "", "c: /process/consoleSize/width: missing");
    refuse(",\"consoleSize\":{\"height\":65536,\"width\":80}", "",
           "c: /process/consoleSize/height: expected a number from 0 to 65535, found 65536");
    refuse(",\"args\":[\"\"]", "", "c: /process/args/0: expected a program, found an empty string");
    refuse(",\"args\":[null]", "", "c: /process/args/0: expected a string, found nothing");
    refuse(",\"args\":\"a\"", "", "c: /process/args: expected an array, found a string");
    refuse(",\"env\":[\"A\"]", "", "c: /process/env/0: expected NAME=VALUE, found \"A\"");
    refuse(",\"user\":[]", "", "c: /process/user: expected an object, found an array");
    refuse(",\"user\":{\"uid\":-1}", "",
           "c: /process/user/uid: expected a number from 0 to 4294967294, found -1");
    refuse(",\"user\":{\"umask\":512}", "",
           "c: /process/user/umask: expected a number from 0 to 511, found 512");
    refuse(",\"user\":{\"additionalGids\":[1,4294967295]}", "",
           "c: /process/user/additionalGids/1: expected a number from 0 to 4294967294, found "
           "4294967295");
    refuse(",\"capabilities\":{\"ambient\":[1]}", "",
           "c: /process/capabilities/ambient/0: expected a string, found a number");
    refuse(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]", "",
           "c: /process/rlimits/0: soft is more than hard");
    refuse(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1}]", "",
           "c: /process/rlimits/0/hard: missing");
    refuse(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
           "{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]",
           "", "c: /process/rlimits/1/type: RLIMIT_CPU is listed twice");
}

static void wrong_linux_sections_are_named(void **state)
{
    (void)state;
    refuse("", "\"namespaces\":[{\"type\":\"x\"}]",
           "c: /linux/namespaces/0/type: unknown namespace \"x\"");
    refuse("", "\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]",
           "c: /linux/namespaces/0/path: expected an absolute path, found \"x\"");
    refuse("", "\"namespaces\":[null]", "c: /linux/namespaces/0: missing");
    refuse("", "\"rootfsPropagation\":\"x\"",
           "c: /linux/rootfsPropagation: unknown propagation \"x\"");
    refuse("", "\"maskedPaths\":[\"x\"]",
           "c: /linux/maskedPaths/0: expected an absolute path, found \"x\"");
    refuse("", "\"readonlyPaths\":[\"\"]",
           "c: /linux/readonlyPaths/0: expected text, found an empty string");
    refuse("", MAP(RANGE("0", "1", "1"), ""),
           "c: /linux/gidMappings: missing, while uidMappings is given");
    refuse("", MAP("", RANGE("0", "1", "1")),
           "c: /linux/uidMappings: missing, while gidMappings is given");
    refuse("", MAP(RANGE("0", "1", "0"), ""),
           "c: /linux/uidMappings/0: uid map: 0:1:0 has a size of 0");
    refuse("", MAP(RANGE("0", "4294967296", "1"), ""),
           "c: /linux/uidMappings/0/hostID: expected a number from 0 to 4294967294, found "
           "4294967296");
    refuse("", MAP(RANGE("0", "1", "4294967295"), ""),
           "c: /linux/uidMappings/0: uid map: 0:1:4294967295 goes beyond the last id, 4294967294");
    refuse("", MAP(RANGE("0", "1", "2") "," RANGE("5", "2", "1"), ""),
           "c: /linux/uidMappings: uid map: 0:1:2 and 5:2:1 overlap in their host ids");
    refuse("", "\"devices\":[{\"path\":\"/x\",\"type\":\"d\"}]",
           "c: /linux/devices/0/type: expected \"c\", \"u\", \"b\" or \"p\", found \"d\"");
    refuse("", "\"devices\":[{\"path\":\"/x\",\"type\":\"c\",\"minor\":1}]",
           "c: /linux/devices/0/major: missing");
    refuse("", "\"devices\":[{\"path\":\"/x\",\"type\":\"b\",\"major\":4096,\"minor\":1}]",
           "c: /linux/devices/0/major: more than 4095");
}

static void note(void *context, const char *pointer, bool known)
{
    text_append_format(context, "%s%s ", pointer, known ? "" : "?");
}

static void unapplied(const char *document, const char *want)
{
    autotext struct text text = {0};
    struct config config;

    assert_int_equal(config_parse(&config, "c", document, strlen(document)), 0);
    config_unapplied(&config, note, &text);
    assert_string_equal(text.data ? text.data : "", want);
    config_free(&config);
}

static void what_is_not_applied_is_named(void **state)
{
    (void)state;
    unapplied(whole, "/process/capabilities/bounding/1? ");
    unapplied(
        "{\"ociVersion\":\"1.0.0\",\"annotations\":{\"a\":\"b\"},\"x\":1,\"root/path\":2,"
        "\"mounts\":[{\"destination\":\"/a\","
        "\"uidMappings\":[{\"containerID\":1,\"hostID\":2,\"size\":3,\"sise\":4}],"
        "\"gidMappings\":[{\"containerID\":1,\"hostID\":2,\"size\":3}],\"typo\":[]}],"
        "\"process\":{\"cwd\":\"/\",\"user\":{\"username\":\"u\"},"
        "\"selinuxLabel\":\"\",\"usr\":{}},"
        "\"hooks\":{\"prestart\":[],\"never\":1},"
        "\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],"
        "\"pids\":{\"limit\":5,\"what\":7},\"cpu\":null},\"seccomp\":{\"defaultAction\":\"SCMP_ACT_"
        "ALLOW\",\"a\":1},\"sysctl\":{},"
        "\"namespaces\":[{\"type\":\"pid\",\"paht\":\"/x\"}]},\"*\":1}",
        "/x? /root~1path? /mounts/0/uidMappings/0/sise? /mounts/0/typo? /process/user/username "
        "/process/usr? /hooks/never? /linux/resources/pids/what? /linux/seccomp/a? "
        "/linux/namespaces/0/paht? /*? ");
}

static void the_defaults_are_good_and_quiet(void **state)
{
    static const enum spec_form forms[] = {SPEC_PLAIN, SPEC_ROOTLESS, SPEC_NESTED,
                                           SPEC_NESTED_ROOTLESS};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        autotext struct text text = {0};
        struct config config;

        assert_int_equal(config_from_document(&config, "c", spec_default(forms[i])), 0);
        config_unapplied(&config, note, &text);
        assert_null(text.data);
        assert_int_equal(config.namespaces[NAMESPACE_USER].wanted, forms[i] == SPEC_ROOTLESS);
        assert_true(forms[i] != SPEC_ROOTLESS || config.maps.uid.count > 0);
        assert_int_equal(config.process.capabilities.ambient, 0);
        assert_int_equal(config.process.capabilities.inheritable, 0);
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(little_is_needed),
        cmocka_unit_test(wrong_versions_are_named),
        cmocka_unit_test(wrong_processes_are_named),
        cmocka_unit_test(wrong_linux_sections_are_named),
        cmocka_unit_test(what_is_not_applied_is_named),
        cmocka_unit_test(the_defaults_are_good_and_quiet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
