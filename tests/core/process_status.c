/* Tests of core/linux/process_status.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/linux/process_status.h"
#include "core/linux/signals.h"

static bool knows(const struct process_status *status, enum process_status_field field)
{
    return status->known >> field & 1;
}

static void lines_are_read(void **state)
{
    char text[] = "Name:\ta:b\\n\nUmask:\t0027\nState:\tT (stopped)\nTgid:\t5\nPPid:\t4294967295\n"
                  "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\n Groups:\t1\nGroups:\t10 20 \nNSpid:\t5\t1\n"
                  "SigBlk:\tfffffffe7ffbfeff\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t1x\n"
                  "Seccomp:\t2\nThreads:\t-1\nCapBnd:\t1ffffffffffffffff\nUnknown\n\n"
                  "Cpus_allowed_list:\t0-3,8\n";
    struct process_status status;

    (void)state;
    process_status_parse(text, &status);
    assert_true(knows(&status, STATUS_UMASK));
    assert_int_equal(status.umask, 027);
    assert_string_equal(status.state, "stopped");
    assert_int_equal(status.thread_group, 5);
    assert_int_equal(status.parent, 4294967295);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(status.uid[i], i + 1);
    assert_string_equal(status.groups, "10 20 ");
    assert_string_equal(status.pid_chain, "5\t1");
    assert_int_equal(status.blocked, 0xfffffffe7ffbfeff);
    assert_int_equal(status.capabilities.effective, 0x1ffffffffff);
    assert_int_equal(status.seccomp, 2);
    assert_string_equal(status.cpus, "0-3,8");
    /* Values that make no sense, and lines that are not there. */
    assert_false(knows(&status, STATUS_GID));
    assert_false(knows(&status, STATUS_NO_NEW_PRIVS));
    assert_false(knows(&status, STATUS_THREADS));
    assert_false(knows(&status, STATUS_BOUNDING));
    assert_false(knows(&status, STATUS_AMBIENT));
    process_status_free(&status);
}

/* What system calls tell is what /proc tells. */
static void both_ways_agree(void **state)
{
    autotext struct text text = {0};
    struct process_status told, own;
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    umask(053);
    assert_int_equal(read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &text), 0);
    process_status_parse(text.data, &told);
    process_status_own(&own);
    assert_int_equal(own.umask, 053);
    assert_int_equal(told.umask, 053);
    assert_int_equal(own.thread_group, told.thread_group);
    assert_int_equal(own.parent, told.parent);
    assert_memory_equal(own.uid, told.uid, sizeof(own.uid));
    assert_memory_equal(own.gid, told.gid, sizeof(own.gid));
    assert_int_equal(own.no_new_privs, told.no_new_privs);
    assert_int_equal(own.seccomp, told.seccomp);
    assert_int_equal(own.blocked, told.blocked);
    assert_true(own.blocked >> (SIGUSR1 - 1) & 1);
    assert_int_equal(own.ignored, told.ignored);
    assert_true(own.ignored >> (SIGPIPE - 1) & 1);
    assert_int_equal(own.caught, told.caught);
    assert_int_equal(own.pending_shared, told.pending | told.pending_shared);
    assert_true(own.pending_shared >> (SIGUSR1 - 1) & 1);
    assert_memory_equal(&own.capabilities, &told.capabilities, sizeof(own.capabilities));
    assert_string_equal(own.cpus, told.cpus);
    assert_int_equal(strtoul(own.groups, NULL, 10), strtoul(told.groups, NULL, 10));
    process_status_free(&own);
    process_status_free(&told);
}

static void stat_is_read(void **state)
{
    static const char line[] =
        "42 (a) b( c) S 1 41 40 34820 41 4194560 1 2 3 4 5 6 7 8 20 -5 1 0 987654 8 9 "
        "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 3 1 0 0 0 0\n";
    struct process_stat stat;

    (void)state;
    assert_int_equal(process_stat_parse(line, &stat), 0);
    assert_string_equal(stat.name, "a) b( c");
    assert_int_equal(stat.state, 'S');
    assert_int_equal(stat.process_group, 41);
    assert_int_equal(stat.session, 40);
    assert_int_equal(stat.terminal, 34820);
    assert_int_equal(stat.nice, -5);
    assert_int_equal(stat.start, 987654);
    assert_int_equal(stat.priority, 3);
    assert_int_equal(stat.policy, 1);
    assert_int_equal(process_stat_parse("", &stat), -EINVAL);
    assert_int_equal(process_stat_parse("1 (", &stat), -EINVAL);
    assert_int_equal(process_stat_parse("1 )(", &stat), -EINVAL);
    assert_int_equal(process_stat_parse("1 (a)", &stat), -EINVAL);
    assert_int_equal(process_stat_parse("1 (a) S 1 2", &stat), -EINVAL);
}

static void terminals_have_paths(void **state)
{
    static const struct {
        unsigned major;
        unsigned minor;
        const char *path;
    } rows[] = {
        {136, 4, "/dev/pts/4"}, {137, 1, "/dev/pts/257"}, {4, 1, "/dev/tty1"},
        {4, 64, "/dev/ttyS0"},  {5, 1, "/dev/console"},   {204, 65, "/dev/ttyAMA1"},
        {229, 0, "/dev/hvc0"},  {200, 3, "200:3"},        {136, 300, "/dev/pts/300"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned minor = rows[i].minor;
        char path[32];

        terminal_path((int)(rows[i].major << 8 | (minor & 0xff) | (minor & 0xfff00) << 12), path,
                      sizeof(path));
        assert_string_equal(path, rows[i].path);
    }
}

static void signals_have_names(void **state)
{
    (void)state;
    assert_string_equal(signal_name(SIGHUP), "SIGHUP");
    assert_string_equal(signal_name(SIGKILL), "SIGKILL");
    assert_string_equal(signal_name(SIGSTKFLT), "SIGSTKFLT");
    assert_string_equal(signal_name(SIGCHLD), "SIGCHLD");
    assert_string_equal(signal_name(SIGWINCH), "SIGWINCH");
    assert_string_equal(signal_name(SIGSYS), "SIGSYS");
    assert_string_equal(signal_name(0), "");
    assert_string_equal(signal_name(32), "");
    assert_string_equal(signal_name(-1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),     cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(stat_is_read),       cmocka_unit_test(terminals_have_paths),
        cmocka_unit_test(signals_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
