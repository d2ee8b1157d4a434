/* Tests of core/linux/capability.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include "core/base/error.h"
#include "core/linux/capability.h"

/* The set of that name in /proc/self/status. */
static uint64_t status_set(const char *name)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    uint64_t set = 0;
    bool found = false;

    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            set = strtoull(line + strlen(name) + 1, NULL, 16);
            found = true;
        }
    }
    if (file)
        fclose(file);
    if (!found)
        _exit(99);
    return set;
}

static void names_and_numbers_agree(void **state)
{
    (void)state;
    for (int number = 0; number <= CAP_LAST_CAP; number++) {
        const char *name = capability_name(number);

        assert_non_null(name);
        assert_int_equal(capability_number(name), number);
        assert_int_equal(capability_number(name + strlen("CAP_")), number);
    }
    assert_int_equal(capability_number("cap_net_ADMIN"), CAP_NET_ADMIN);
    assert_int_equal(capability_number("CAP_"), -ENOENT);
    assert_int_equal(capability_number(""), -ENOENT);
    assert_int_equal(capability_number("ALL"), -ENOENT);
    assert_int_equal(capability_number("cap_cap_kill"), -ENOENT);
    assert_null(capability_name(-1));
    assert_null(capability_name(64));
    assert_false(error_is_set());
}

static void the_kernels_last_one_is_known(void **state)
{
    FILE *file = fopen("/proc/sys/kernel/cap_last_cap", "re");
    unsigned last = 0;

    (void)state;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%u", &last), 1);
    fclose(file);
    assert_true(capability_known() == (UINT64_C(2) << last) - 1);
}

static void the_effective_set_is_asked(void **state)
{
    uint64_t effective = status_set("CapEff");

    (void)state;
    for (int number = 0; number < 64; number++)
        assert_int_equal(capability_have(number), effective >> number & 1);
    assert_false(capability_have(-1));
    assert_false(capability_have(64));
}

/* In a child, since there is no way back. Exits with the number of the check that failed. */
static void give_up(void)
{
    const uint64_t kill = UINT64_C(1) << CAP_KILL;
    const uint64_t chown = UINT64_C(1) << CAP_CHOWN;
    const struct capability_sets sets = {.bounding = kill | chown,
                                         .effective = kill,
                                         .permitted = kill | chown,
                                         .inheritable = chown,
                                         .ambient = chown};
    const struct capability_sets wrong = {.permitted = kill, .ambient = kill};
    const struct capability_sets more = {.permitted = kill | UINT64_C(1) << CAP_SYS_ADMIN};

    if (capability_bound(kill | chown) != 0 || status_set("CapBnd") != (kill | chown))
        _exit(1);
    if (capability_apply(&sets) != 0 || status_set("CapEff") != kill ||
        status_set("CapPrm") != (kill | chown) || status_set("CapInh") != chown ||
        status_set("CapAmb") != chown)
        _exit(2);
    if (capability_apply(&more) != -EPERM || error_get()->kind != ERROR_SYSTEM)
        _exit(3);
    error_clear();
    /* Ambient, but not inheritable. */
    if (capability_apply(&wrong) != -EPERM || !strstr(error_get()->text, "CAP_KILL"))
        _exit(4);
    error_clear();
    /* No CAP_SETPCAP any more, and something to drop. */
    if (capability_bound(0) != -EPERM || capability_bound(kill | chown) != 0)
        _exit(5);
    _exit(0);
}

static void sets_are_applied(void **state)
{
    int status;

    (void)state;
    if (!capability_have(CAP_SETPCAP)) {
        print_message("skipped: CapEff is %llx, needs CAP_SETPCAP\n",
                      (unsigned long long)status_set("CapEff"));
        skip();
    }

    pid_t child = fork();

    if (child == 0)
        give_up();
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_agree),
        cmocka_unit_test(the_kernels_last_one_is_known),
        cmocka_unit_test(the_effective_set_is_asked),
        cmocka_unit_test(sets_are_applied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
