/* Tests of core/container/driver.h: what a driver is asked, and what comes of its answers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/supervise.h"

#include "core/container/driver.h"

/* A driver that notes what it is asked for, and answers as it is told. */
struct play {
    char asked[16]; /* a letter each */
    char later;     /* to this one it answers later */
    char never;     /* to this one not at all */
    char refused;   /* this one fails */
    int answers[2]; /* a pipe, where a byte is the answer */
    int master;     /* of the terminal */
    pid_t pid;      /* of the child */
};

static int note(struct play *play, char letter)
{
    play->asked[strlen(play->asked)] = letter;
    if (play->refused == letter)
        return fail(ENOTSUP, "refused");
    if (play->later == letter)
        assert_int_equal(write(play->answers[1], "!", 1), 1);
    return play->later == letter || play->never == letter ? DRIVER_LATER : DRIVER_GO;
}

static int made(void *context, const struct process *child)
{
    struct play *play = context;
    play->pid = child->pid;
    return note(play, 'm');
}

static void setting_up(void *context)
{
    note(context, 's');
}

static int hooks(void *context)
{
    return note(context, 'h');
}

static int ready(void *context)
{
    return note(context, 'r');
}

static int terminal(void *context, int *master)
{
    struct play *play = context;
    play->master = dup(*master);
    return note(play, 't');
}

static int running(void *context)
{
    return note(context, 'x');
}

static void ended(void *context, int wait_status)
{
    assert_true(WIFEXITED(wait_status));
    note(context, 'e');
}

static int await(void *context, struct pollfd events[DRIVER_EVENTS])
{
    events[0] = (struct pollfd){.fd = ((const struct play *)context)->answers[0], .events = POLLIN};
    return -1;
}

static int serve(void *context, const struct pollfd events[DRIVER_EVENTS])
{
    assert_int_not_equal(events[0].revents, 0);
    char byte;
    return read(((struct play *)context)->answers[0], &byte, 1) == 1
               ? DRIVER_GO
               : fail(EPIPE, "the driver's parent is gone");
}

static const struct driver driver = {.made = made,
                                     .hooks = hooks,
                                     .ready = ready,
                                     .terminal = terminal,
                                     .setting_up = setting_up,
                                     .running = running,
                                     .ended = ended,
                                     .wait = await,
                                     .serve = serve};

static void begin_play(struct play *play)
{
    *play = (struct play){.master = -1};
    assert_int_equal(pipe2(play->answers, O_CLOEXEC), 0);
    wanted.driver = &driver;
    wanted.driver_context = play;
    wanted.wait_for_hooks = true;
}

static void end_play(const struct play *play)
{
    close(play->answers[0]);
    if (play->answers[1] >= 0)
        close(play->answers[1]);
    if (play->master >= 0)
        close(play->master);
    error_clear();
}

static const struct message whole[] = {
    {SYNC_MAPPED, AWAIT},  {SYNC_HOOKS, NOTHING}, {SYNC_HOOKS_DONE, AWAIT}, {SYNC_TERMINAL, MASTER},
    {SYNC_READY, NOTHING}, {SYNC_RUN, AWAIT},     {SYNC_EOF, NOTHING},
};

static void a_driver_is_asked_in_order(void **state)
{
    struct play play;
    (void)state;
    for (const char *later = "-mhr"; *later; later++) {
        begin_play(&play);
        play.later = *later;
        assert_int_equal(supervise(true, whole, true), 0);
        assert_string_equal(play.asked, "mshtrxe");
        assert_int_equal(isatty(play.master), 1);
        end_play(&play);
    }
}

static void a_driver_refuses(void **state)
{
    static const char *const asked[] = {"m", "msh", "msht", "mshtr", "mshtrx"};
    struct play play;
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        begin_play(&play);
        play.refused = asked[i][strlen(asked[i]) - 1];
        assert_int_equal(supervise(true, whole, play.refused == 'x'), -ENOTSUP);
        assert_string_equal(error_get()->text, "refused");
        assert_string_equal(play.asked, asked[i]);
        assert_int_equal(waitpid(-1, NULL, 0), -1);
        assert_int_equal(access(PID_FILE, F_OK), -1);
        end_play(&play);
    }
}

/* The child ends, or who answers does, while the answer is waited for. */
static void no_answer_comes(void **state)
{
    static const struct {
        char never;
        struct message messages[5];
    } parts[] = {
        {'m', {{SYNC_EOF, NOTHING}}},
        {'h', {{SYNC_MAPPED, AWAIT}, {SYNC_HOOKS, NOTHING}}},
        {'r',
         {{SYNC_MAPPED, AWAIT},
          {SYNC_HOOKS, NOTHING},
          {SYNC_HOOKS_DONE, AWAIT},
          {SYNC_READY, NOTHING}}},
    };
    struct play play;
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            begin_play(&play);
            play.never = parts[i].never;
            if (gone) {
                close(play.answers[1]);
                play.answers[1] = -1;
            }
            assert_int_equal(supervise(false, parts[i].messages, !gone), -EPIPE);
            assert_string_equal(error_get()->text,
                                gone ? "the driver's parent is gone"
                                     : "the container's process ended during its set-up");
            assert_int_equal(waitpid(-1, NULL, 0), -1);
            assert_int_equal(access(PID_FILE, F_OK), -1);
            end_play(&play);
        }
    }
}

static void an_answer_that_nobody_waits_for(void **state)
{
    struct play play;
    (void)state;
    begin_play(&play);
    assert_int_equal(write(play.answers[1], "!", 1), 1);
    assert_int_equal(supervise(false, &END, false), -EPROTO);
    assert_string_equal(error_get()->text, "an answer of the driver that nobody waits for");
    end_play(&play);
}

/* It was told to wait. */
static void a_message_instead_of_waiting(void **state)
{
    struct play play;
    (void)state;
    for (const char *never = "mhr"; *never; never++) {
        begin_play(&play);
        play.never = *never;
        check_refused(
            false,
            (struct message[]){
                {SYNC_HOOKS, NOTHING}, {SYNC_READY, NOTHING}, {SYNC_CREATED, NOTHING}, END},
            out_of_order);
        end_play(&play);
    }
}

static void hooks_out_of_order(void **state)
{
    const struct message hooks_alone[] = {{SYNC_HOOKS, NOTHING}, END};
    (void)state;
    check_refused(false, hooks_alone, out_of_order);
    wanted.wait_for_hooks = true;
    check_refused(false, (struct message[]){{SYNC_READY, NOTHING}, END}, out_of_order);
    check_refused(false, (struct message[]){{SYNC_HOOKS, NOTHING}, {SYNC_HOOKS, NOTHING}, END},
                  out_of_order);
    check_refused(false,
                  (struct message[]){
                      {SYNC_HOOKS, NOTHING}, {SYNC_READY, NOTHING}, {SYNC_HOOKS, NOTHING}, END},
                  out_of_order);
}

/* Then it is left alone. */
static void created(void **state)
{
    static const struct message messages[] = {
        {SYNC_HOOKS, NOTHING}, {SYNC_READY, NOTHING}, {SYNC_CREATED, NOTHING}, {SYNC_EOF, NOTHING}};
    struct play play;
    int status;
    (void)state;
    begin_play(&play);
    wanted.start_fifo = 1;
    assert_int_equal(supervise(false, messages, false), 0);
    assert_string_equal(play.asked, "mshrx");
    assert_int_equal(access(PID_FILE, F_OK), 0);
    assert_int_equal(waitpid(play.pid, &status, WNOHANG), 0);
    kill(play.pid, SIGKILL);
    assert_int_equal(waitpid(play.pid, &status, 0), play.pid);
    end_play(&play);
}

static void created_out_of_order(void **state)
{
    const struct message ready_and_created[] = {
        {SYNC_READY, NOTHING}, {SYNC_CREATED, NOTHING}, END};
    (void)state;
    check_refused(false, ready_and_created, out_of_order);
    wanted.start_fifo = 1;
    check_refused(false, (struct message[]){{SYNC_CREATED, NOTHING}, END}, out_of_order);
    /* It ends and never says that it waits. */
    assert_int_equal(supervise(false, (struct message[]){{SYNC_READY, NOTHING}, END}, true),
                     -EPIPE);
    assert_string_equal(error_get()->text, "the container's process ended during its set-up");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_driver_is_asked_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_driver_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_answer_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_nobody_waits_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_instead_of_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hooks_out_of_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(created, set_up, tear_down),
        cmocka_unit_test_setup_teardown(created_out_of_order, set_up, tear_down),
    };

    return replace_input() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
