/* The error line, warnings and the log.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/log.h"
#include "core/base/report.h"
#include "tests/core/test.h"

static char output[8192], log_text[8192], log_path[64];

static void read_back(int fd, char *text, size_t size)
{
    ssize_t length = pread(fd, text, size - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    close(fd);
}

/* Run act in a child of its own, since who speaks and the log are set once in a process; what it
 * printed and logged is left in output and log_text. Returns its exit code. */
static int in_child(int (*act)(void))
{
    char error_path[] = "/tmp/shimbox-error-XXXXXX";
    int fd = mkstemp(error_path), status;
    unlink(error_path);
    strcpy(log_path, "/tmp/shimbox-log-XXXXXX");
    int log = mkstemp(log_path);
    unlink(log_path);
    error_clear();
    pid_t child = fork();
    if (child == 0) {
        dup2(fd, STDERR_FILENO);
        _exit(act());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    read_back(fd, output, sizeof(output));
    close(log);
    log = open(log_path, O_RDONLY | O_CLOEXEC);
    log_text[0] = '\0';
    if (log >= 0)
        read_back(log, log_text, sizeof(log_text));
    unlink(log_path);
    return WEXITSTATUS(status);
}

static int act_error(void)
{
    report_start("run", NULL);
    fail(EPERM, "cannot attach %s", "/mnt");
    error_hint("try harder");
    return report_error(7);
}

static void test_error(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_error), 7);
    assert_string_equal(output,
                        "shimbox run: cannot attach /mnt: Operation not permitted (try harder)\n");
}

static int act_nothing(void)
{
    report_start(NULL, NULL);
    return report_error(7);
}

static int act_nobody(void)
{
    report_start(NULL, NULL);
    fail_usage("wrong");
    return report_failure(EXIT_TROUBLE);
}

static void test_speaker(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_nothing), 7);
    assert_string_equal(output, "");
    assert_int_equal(in_child(act_nobody), EXIT_TROUBLE);
    assert_string_equal(output, "shimbox: wrong\n");
}

static int act_missing(void)
{
    fail_exec(ENOENT, "cannot execute x");
    return report_failure(EXIT_LIFECYCLE);
}

static int act_denied(void)
{
    fail_exec(EACCES, "cannot execute x");
    return report_failure(EXIT_LIFECYCLE);
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_missing), EXIT_NOT_FOUND);
    assert_int_equal(in_child(act_denied), EXIT_CANNOT_EXEC);
}

static int act_levels(bool debug, const char *format)
{
    struct globals globals = {.debug = debug, .log = log_path, .log_format = format};
    report_start("run", &globals);
    if (log_open(&globals) < 0)
        return report_error(1);
    report_warning("odd %s", "\n\"line\"");
    report_debug("detail");
    fail(EPERM, "cannot do");
    error_field("/root/path");
    error_step("mount rootfs");
    return report_error(3);
}

static int act_text(void)
{
    return act_levels(false, "text");
}

static int act_debug(void)
{
    return act_levels(true, NULL);
}

static int act_json(void)
{
    return act_levels(true, "json");
}

static int act_unknown(void)
{
    return act_levels(true, "JSON");
}

/* Does the log have this line, after the time of today? */
static bool has_record(const char *before, const char *after)
{
    const char *place = strstr(log_text, after);
    return starts_with(log_text, before) && place;
}

static void test_levels(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_text), 3);
    /* The warning is for the log alone. */
    assert_string_equal(output, "shimbox run: /root/path: cannot do: Operation not permitted\n");
    assert_true(has_record("time=\"20", "Z\" level=warning msg=\"odd \\\\x0a\\\"line\\\"\"\n"));
    assert_true(has_record("time=\"20",
                           "Z\" level=error msg=\"/root/path: cannot do: Operation not permitted\" "
                           "errno=1 field=\"/root/path\" step=\"mount rootfs\"\n"));
    assert_null(strstr(log_text, "level=debug"));

    assert_int_equal(in_child(act_debug), 3);
    assert_string_equal(output, "shimbox run: /root/path: cannot do: Operation not permitted\n"
                                "shimbox run: debug: failed in step 'mount rootfs'\n");
    assert_true(has_record("time=\"20", "level=debug msg=\"detail\"\n"));
}

static void test_json(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_json), 3);
    assert_true(
        has_record("{\"level\":\"warning\",\"msg\":\"odd \\\\x0a\\\"line\\\"\",\"time\":\"20",
                   "{\"errno\":1,\"field\":\"/root/path\",\"level\":\"error\","
                   "\"msg\":\"/root/path: cannot do: Operation not permitted\","
                   "\"step\":\"mount rootfs\",\"time\":\"20"));
    assert_int_equal(in_child(act_unknown), 1);
    assert_string_equal(output, "shimbox run: unknown log format 'JSON': text or json\n");
    assert_string_equal(log_text, "");
}

static int act_long(void)
{
    static char large[4000];
    memset(large, '\n', sizeof(large) - 1);
    report_warning("%s", large);
    fail(EPERM, "%s", large);
    error_hint("%s", large);
    return report_error(3);
}

static void test_long_lines(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_long), 3);
    size_t lines = 0;
    for (const char *c = output; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 2);
    assert_int_equal(output[strlen(output) - 1], '\n');
}

static int act_descriptor(void)
{
    struct globals globals = {.log = log_path, .log_format = "text"};
    struct stat status;
    umask(0);
    if (report_descriptor() != -1 || log_open(&globals) < 0)
        return 1;
    if (report_descriptor() < 40 || !(fcntl(report_descriptor(), F_GETFD) & FD_CLOEXEC))
        return 2;
    return fstat(report_descriptor(), &status) == 0 && (status.st_mode & 07777) == 0600 ? 0 : 3;
}

static void test_descriptor(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_descriptor), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),      cmocka_unit_test(test_speaker),
        cmocka_unit_test(test_exit_codes), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_json),       cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
