/* Tests of core/container/start.c: a process that waits to be started, and who starts it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/container/container.h"
#include "core/container/start.h"
#include "core/container/sync.h"
#include "core/linux/process.h"
#include "core/oci/config.h"

/* What becomes of the process once it is started. */
enum { EXECUTED, FAILED };

static char folder[] = "/tmp/start-test-XXXXXX";
static char fifo[64];

static int set_up(void **state)
{
    (void)state;
    error_clear();
    return mkfifo(fifo, 0622);
}

static int tear_down(void **state)
{
    (void)state;
    error_clear();
    return unlink(fifo);
}

static _Noreturn void play_container(struct container *container, int outcome)
{
    if (start_wait(container) < 0) {
        sync_send_error(container->channel);
        _exit(99);
    }
    if (outcome == FAILED) {
        fail_exec(ENOENT, "cannot find a\nb in $PATH of the container");
        start_send_error(container);
    }
    _exit(40 + prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

/* Returns our end of the channel. */
static int begin(const char *path, int outcome, struct process *child)
{
    struct config config = {0};
    struct container container;
    int ends[2];
    container_init(&container, &config);
    container.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    container.start_fifo = open(path, O_PATH | O_CLOEXEC);
    assert_int_equal(sync_open(ends), 0);
    container.channel = ends[1];
    pid_t pid = process_clone(0, -1, child);
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        play_container(&container, outcome);
    }
    close(ends[1]);
    container_free(&container);
    return ends[0];
}

static int end(struct process *child)
{
    int status;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->pidfd);
    return process_exit_code(status);
}

/* It has said that it waits, and has nothing more to say there. */
static void expect_created(int channel)
{
    assert_int_equal(sync_receive(channel, NULL), SYNC_CREATED);
    assert_int_equal(sync_receive(channel, NULL), SYNC_EOF);
    close(channel);
}

static void started(void **state)
{
    struct process child;
    (void)state;
    int channel = begin(fifo, EXECUTED, &child);
    expect_created(channel);
    assert_int_equal(waitpid(child.pid, NULL, WNOHANG), 0);
    assert_int_equal(start_container(AT_FDCWD, fifo, child.pidfd), 0);
    /* It was hidden while it waited. */
    assert_int_equal(end(&child), 40);
}

/* As runc's start does it: an open that waits, and no pidfd. */
static void started_by_others(void **state)
{
    struct process child;
    char bytes[8];
    (void)state;
    int channel = begin(fifo, EXECUTED, &child);
    int reader = open(fifo, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(reader, bytes, sizeof(bytes)), 1);
    assert_int_equal(bytes[0], '0');
    assert_int_equal(read(reader, bytes, sizeof(bytes)), 0);
    close(reader);
    expect_created(channel);
    assert_int_equal(end(&child), 40);
}

static void not_executed(void **state)
{
    struct process child;
    (void)state;
    expect_created(begin(fifo, FAILED, &child));
    assert_true(start_container(AT_FDCWD, fifo, child.pidfd) < 0);
    assert_string_equal(error_get()->text, "cannot find a\\x0ab in $PATH of the container: "
                                           "No such file or directory");
    assert_int_equal(error_get()->kind, ERROR_CANNOT_EXEC);
    assert_int_equal(end(&child), 40);
}

static void ended_before(void **state)
{
    static const int numbers[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1};
    struct process child;
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        error_clear();
        expect_created(begin(fifo, EXECUTED, &child));
        kill(child.pid, numbers[i]);
        assert_int_equal(start_container(AT_FDCWD, fifo, child.pidfd), -EPIPE);
        assert_string_equal(error_get()->text,
                            "the container's process ended before it was started");
        assert_int_equal(end(&child), 128 + numbers[i]);
    }
}

static void no_fifo(void **state)
{
    struct process child;
    (void)state;
    int channel = begin("/dev/null", EXECUTED, &child);
    assert_int_equal(sync_receive(channel, NULL), SYNC_ERROR);
    assert_string_equal(error_get()->text, "the start fifo is no fifo");
    assert_int_equal(end(&child), 99);
    close(channel);
    error_clear();
    assert_int_equal(start_container(AT_FDCWD, "/dev/null", -1), -EINVAL);
    error_clear();
    assert_int_equal(start_container(AT_FDCWD, "/nonexistent", -1), -ENOENT);
}

static void write_answer(const char *answer)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(fifo, O_WRONLY | O_CLOEXEC);
        _exit(write(fd, answer, strlen(answer)) != (ssize_t)strlen(answer));
    }
}

static void an_answer_that_is_none(void **state)
{
    static const char *const answers[] = {"1", "0text", "0\n\n0", "00"};
    char flood[2048];
    int status;
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        write_answer(answers[i]);
        assert_int_equal(start_container(AT_FDCWD, fifo, -1), -EPROTO);
        error_clear();
        assert_true(wait(&status) > 0);
    }
    memset(flood, '0', sizeof(flood));
    flood[sizeof(flood) - 1] = '\0';
    write_answer(flood);
    assert_int_equal(start_container(AT_FDCWD, fifo, -1), -EPROTO);
    assert_true(wait(&status) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(started, set_up, tear_down),
        cmocka_unit_test_setup_teardown(started_by_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_executed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ended_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_fifo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_is_none, set_up, tear_down),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return result;
}
