/* Tests of core/linux/label.c: what is in the way of /proc is told as that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/label.h"

/* Each in a child with mounts of its own. They return NULL, or what is wrong. */
static void run_apart(const char *(*run)(void))
{
    int status;

    if (geteuid() != 0)
        skip();

    pid_t pid = fork();

    if (pid == 0) {
        const char *wrong = "cannot unshare";

        error_clear();
        if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
            wrong = run();
        if (wrong)
            fprintf(stderr, "%s: %s: %s\n", wrong, error_get()->text, error_get()->hint);
        _exit(wrong != NULL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static const char *cover(void)
{
    char path[64];
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

    snprintf(path, sizeof(path), "/proc/%d/attr/exec", (int)getpid());
    if (proc < 0 || mount("/dev/null", path, NULL, MS_BIND, NULL) < 0)
        return "cannot cover it";
    if (label_set_context(proc, "a:b:c") != -EXDEV)
        return "it is not told that it is covered";
    if (strcmp(error_get()->text, "cannot use the SELinux label a:b:c") != 0)
        return "the label is not named";
    return strcmp(error_get()->hint, "something is mounted on it, or above it") ? "no hint" : NULL;
}

static void what_covers_a_file_is_told(void **state)
{
    (void)state;
    run_apart(cover);
}

/* The first process of a pid namespace gives this one its /proc, in which this one is not. */
static const char *look_from_outside(void)
{
    int ends[2];
    char byte;

    if (pipe(ends) < 0 || unshare(CLONE_NEWPID) < 0)
        return "cannot make a pid namespace";
    pid_t pid = fork();
    if (pid == 0) {
        if (mount("proc", "/proc", "proc", 0, NULL) < 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1)
        return "cannot mount its /proc";
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = proc < 0 ? 1 : label_has_apparmor(proc);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (result != -ENOENT || !error_is_set())
        return "it is not told that /proc does not know us";
    return strstr(error_get()->text, "/proc/self") ? NULL : "it is not named";
}

static void a_proc_that_does_not_know_us_is_not_a_module_that_is_missing(void **state)
{
    (void)state;
    run_apart(look_from_outside);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_covers_a_file_is_told),
        cmocka_unit_test(a_proc_that_does_not_know_us_is_not_a_module_that_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
