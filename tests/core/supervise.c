/* Tests of core/container/supervise.c: a container that says what it should not.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/supervise.h"

static void a_terminal_nobody_asked_for(void **state)
{
    (void)state;
    check_refused(false, (struct message[]){{SYNC_TERMINAL, MASTER}, END}, out_of_order);
    check_refused(false, (struct message[]){{SYNC_TERMINAL, NOTHING}, END}, out_of_order);
    check_refused(false, (struct message[]){{SYNC_READY, NOTHING}, {SYNC_TERMINAL, MASTER}, END},
                  out_of_order);
}

static void a_terminal_that_is_missing_or_late(void **state)
{
    (void)state;
    check_refused(true, (struct message[]){{SYNC_READY, NOTHING}, END}, out_of_order);
    check_refused(true, (struct message[]){{SYNC_READY, NOTHING}, {SYNC_TERMINAL, MASTER}, END},
                  out_of_order);
}

static void a_second_terminal(void **state)
{
    (void)state;
    check_refused(true, (struct message[]){{SYNC_TERMINAL, MASTER}, {SYNC_TERMINAL, MASTER}, END},
                  out_of_order);
    check_refused(true,
                  (struct message[]){
                      {SYNC_TERMINAL, MASTER}, {SYNC_READY, NOTHING}, {SYNC_TERMINAL, MASTER}, END},
                  out_of_order);
}

static void something_else_than_a_terminal(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind == MASTER)
            continue;
        check_refused(true, (struct message[]){{SYNC_TERMINAL, kind}, END},
                      "the container sent something else than a terminal");
    }
}

static void mounts_that_are_none(void **state)
{
    (void)state;
    check_refused(false, (struct message[]){{SYNC_IDMAP, NOTHING}, END}, out_of_order);
    check_refused(false, (struct message[]){{SYNC_IDMAP, NULL_DEVICE}, END}, out_of_order);
}

static void messages_of_others(void **state)
{
    static const enum sync_type types[] = {SYNC_MAPPED, SYNC_RUN, SYNC_CHILD, SYNC_IDMAPPED};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        check_refused(false, (struct message[]){{types[i], NOTHING}, END}, out_of_order);
        check_refused(true, (struct message[]){{SYNC_TERMINAL, MASTER}, {types[i], MASTER}, END},
                      out_of_order);
    }
    /* The pid file has been written by then, and is taken back. */
    check_refused(false, (struct message[]){{SYNC_READY, NOTHING}, {SYNC_READY, NOTHING}, END},
                  out_of_order);
}

/* The other side of it: what is in order is not refused. */
static void in_order(void **state)
{
    (void)state;
    assert_int_equal(supervise(false, (struct message[]){{SYNC_READY, NOTHING}, END}, true), 0);
    assert_int_equal(access(pid_file, F_OK), 0);
    assert_int_equal(
        supervise(true, (struct message[]){{SYNC_TERMINAL, MASTER}, {SYNC_READY, NOTHING}, END},
                  true),
        0);
    unlink(pid_file);
    assert_int_equal(supervise(false, &END, true), -EPIPE);
    assert_string_equal(error_get()->text, "the container's process ended during its set-up");
    assert_int_equal(access(pid_file, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_terminal_nobody_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_terminal_that_is_missing_or_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(something_else_than_a_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mounts_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_order, set_up, tear_down),
    };

    return replace_input() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
