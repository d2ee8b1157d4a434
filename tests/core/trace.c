/* The step trace.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/trace.h"
#include "tests/core/test.h"

static char path[64];

static int start(void **state)
{
    (void)state;
    strcpy(path, "/tmp/shimbox-trace-XXXXXX");
    int fd = mkstemp(path);
    error_clear();
    return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

/* The events of the file, which must be JSON without anything lenient. The caller puts them. */
static json_object *read_events(void)
{
    static char content[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, content, sizeof(content) - 1);
    close(fd);
    assert_true(length > 0);
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    json_object *events = json_tokener_parse_ex(tokener, content, (int)length);
    assert_int_equal(json_tokener_get_error(tokener), json_tokener_success);
    json_tokener_free(tokener);
    assert_true(json_object_is_type(events, json_type_array));
    return events;
}

static const char *get_string(json_object *event, const char *key)
{
    return json_object_get_string(json_object_object_get(event, key));
}

/* The step of that name; NULL if there is none. */
static json_object *find_step(json_object *events, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        json_object *event = json_object_array_get_idx(events, i);
        if (strcmp(get_string(event, "ph"), "X") == 0 &&
            strcmp(get_string(event, "name"), name) == 0)
            return event;
    }
    return NULL;
}

static int get_track(json_object *event)
{
    return json_object_get_int(json_object_object_get(event, "tid"));
}

static void test_off(void **state)
{
    (void)state;
    int evaluated = 0;
    step("never %d", ++evaluated);
    trace_field("/x");
    trace_child("child");
    trace_flush();
    trace_end();
    assert_int_equal(evaluated, 0);
    assert_int_equal(trace_descriptor(), -1);
}

static void test_file(void **state)
{
    (void)state;
    assert_int_equal(trace_start(path), 0);
    assert_true(trace_descriptor() >= 0);
    assert_true(fcntl(trace_descriptor(), F_GETFD) & FD_CLOEXEC);
    step("mount %s on \"%s\"\n", "proc", "/proc");
    trace_field("/mounts/0");
    usleep(2000);
    step("second");
    step("third");
    trace_end();
    assert_false(trace_enabled);
    assert_int_equal(trace_descriptor(), -1);

    json_object *events = read_events();
    /* Two more name the track. */
    assert_int_equal(json_object_array_length(events), 5);
    json_object *first = find_step(events, "mount proc on \"/proc\"\n");
    assert_non_null(first);
    assert_int_equal(get_track(first), 1);
    assert_string_equal(get_string(json_object_object_get(first, "args"), "field"), "/mounts/0");
    double begin = json_object_get_double(json_object_object_get(first, "ts"));
    double took = json_object_get_double(json_object_object_get(first, "dur"));
    assert_true(begin >= 0 && took >= 2000);
    json_object *second = find_step(events, "second");
    assert_null(json_object_object_get(second, "args"));
    assert_true(json_object_get_double(json_object_object_get(second, "ts")) >= begin + took);
    json_object_put(events);
}

static double get_begin(json_object *event)
{
    return json_object_get_double(json_object_object_get(event, "ts"));
}

static double get_end(json_object *event)
{
    return get_begin(event) + json_object_get_double(json_object_object_get(event, "dur"));
}

static void test_groups(void **state)
{
    (void)state;
    assert_int_equal(trace_start(path), 0);
    step("before");
    trace_group("first");
    trace_field("/%s", "first");
    step("one");
    step("two");
    trace_group("second");
    trace_field("/second");
    trace_end();
    json_object *events = read_events();
    json_object *first = find_step(events, "first");
    json_object *two = find_step(events, "two");
    json_object *second = find_step(events, "second");
    assert_string_equal(get_string(json_object_object_get(first, "args"), "field"), "/first");
    assert_string_equal(get_string(json_object_object_get(second, "args"), "field"), "/second");
    assert_null(json_object_object_get(two, "args"));
    assert_true(get_begin(first) >= get_end(find_step(events, "before")) - 0.001);
    assert_true(get_begin(find_step(events, "one")) >= get_begin(first));
    assert_true(get_begin(two) >= get_end(find_step(events, "one")) - 0.001);
    assert_true(get_end(two) < get_end(first));
    assert_true(get_begin(second) >= get_end(first) - 0.001);
    json_object_put(events);
}

/* The parent ends what the child cannot. */
static void test_execution(void **state)
{
    (void)state;
    assert_int_equal(trace_start(path), 0);
    trace_executed(); /* nobody has executed anything: no event */
    step("wait");
    trace_sent(7, "start");
    pid_t child = fork();
    if (child == 0) {
        trace_child("child");
        trace_group("program");
        trace_received(7, "start");
        trace_execution();
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    trace_executed();
    trace_end();
    json_object *events = read_events();
    assert_int_equal(get_track(find_step(events, "execve")), 2);
    assert_int_equal(get_track(find_step(events, "program")), 2);
    assert_int_equal(get_track(find_step(events, "wait")), 1);
    int ends[2] = {0};
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        json_object *event = json_object_array_get_idx(events, i);
        const char *kind = get_string(event, "ph");
        if (strcmp(kind, "s") != 0 && strcmp(kind, "f") != 0)
            continue;
        int number = json_object_get_int(json_object_object_get(event, "id"));
        assert_string_equal(get_string(event, "name"), number ? "start" : "executed");
        assert_true(number == 7 || number == 0);
        ends[number == 0] = ends[number == 0] * 10 + get_track(event);
    }
    /* From whom, to whom. */
    assert_int_equal(ends[0], 12);
    assert_int_equal(ends[1], 21);
    json_object_put(events);
}

/* What an execution of the same program in the same process finds. */
static void test_hand_over(void **state)
{
    (void)state;
    assert_int_equal(trace_start(path), 0);
    int fd = trace_descriptor();
    step("before");
    trace_hand_over();
    assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    char *handed = strdup(getenv("SHIMBOX_TRACE_STATE"));
    /* It failed. */
    assert_true(trace_resume());
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_null(getenv("SHIMBOX_TRACE_STATE"));
    assert_false(trace_resume());
    /* It did not, and this is a new image. */
    trace_enabled = false;
    setenv("SHIMBOX_TRACE_STATE", handed, 1);
    free(handed);
    assert_true(trace_resume());
    assert_true(trace_enabled);
    assert_int_equal(trace_descriptor(), fd);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    step("after");
    trace_end();
    json_object *events = read_events();
    json_object *execution = find_step(events, "execute the protected binary");
    assert_true(get_begin(execution) >= get_end(find_step(events, "before")) - 0.001);
    assert_true(get_begin(find_step(events, "after")) >= get_end(execution) - 0.001);
    json_object_put(events);
}

static void test_hand_over_of_others(void **state)
{
    (void)state;
    static const char *const states[] = {"", "0:2:1:0:0", "x", "%d:-1:1:0:0", "%d:2:1:0"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char text[64];
        const char *pid = strstr(states[i], "%d");
        snprintf(text, sizeof(text), "%s", states[i]);
        if (pid)
            snprintf(text, sizeof(text), "%d%s", (int)getpid(), pid + 2);
        setenv("SHIMBOX_TRACE_STATE", text, 1);
        assert_false(trace_resume());
        assert_false(trace_enabled);
        assert_null(getenv("SHIMBOX_TRACE_STATE"));
    }
}

static void test_killed_child(void **state)
{
    (void)state;
    assert_int_equal(trace_start(path), 0);
    step("before the child");
    pid_t child = fork();
    if (child == 0) {
        trace_child("set-up \"child\"");
        step("in the child");
        step("never ended");
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    trace_end();
    json_object *events = read_events();
    assert_int_equal(get_track(find_step(events, "before the child")), 1);
    assert_int_equal(get_track(find_step(events, "in the child")), 2);
    assert_null(find_step(events, "never ended"));
    bool named = false;
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        json_object *event = json_object_array_get_idx(events, i);
        if (strcmp(get_string(event, "ph"), "M") == 0 && get_track(event) == 2)
            named = strcmp(get_string(json_object_object_get(event, "args"), "name"),
                           "set-up \"child\"") == 0;
    }
    assert_true(named);
    json_object_put(events);
}

static void test_children_at_once(void **state)
{
    (void)state;
    enum { CHILDREN = 4, STEPS = 200 };
    assert_int_equal(trace_start(path), 0);
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            trace_child("child");
            for (int j = 0; j < STEPS; j++)
                step("step %d", j);
            trace_flush();
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        continue;
    trace_end();
    json_object *events = read_events();
    int count[CHILDREN + 2] = {0};
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        int track = get_track(json_object_array_get_idx(events, i));
        assert_in_range(track, 1, CHILDREN + 1);
        count[track]++;
    }
    /* Two events more name the track. */
    for (int track = 2; track <= CHILDREN + 1; track++)
        assert_int_equal(count[track], STEPS + 2);
    json_object_put(events);
}

static void test_child_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(trace_start(path), 0);
    pid_t child = fork();
    if (child == 0) {
        /* Neither the path nor standard error leads anywhere any more. */
        trace_child("child");
        if (chdir("/proc/self/fdinfo") < 0)
            _exit(1);
        close(STDERR_FILENO);
        step("far away");
        trace_end();
        _exit(trace_enabled ? 0 : 2);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    trace_end();
    json_object *events = read_events();
    assert_non_null(find_step(events, "far away"));
    json_object_put(events);
}

static void test_standard_error(void **state)
{
    (void)state;
    char line[256] = "";
    int saved = dup(STDERR_FILENO);
    int file = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    dup2(file, STDERR_FILENO);
    int result = trace_start(NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(result, 0);
    step("odd \n name");
    trace_end();
    assert_true(pread(file, line, sizeof(line) - 1, 0) > 0);
    close(file);
    unsigned microseconds;
    char name[64];
    assert_int_equal(sscanf(line, "%u us  shimbox: %63[^\n]", &microseconds, name), 2);
    assert_string_equal(name, "odd \\x0a name");
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void test_cannot_open(void **state)
{
    (void)state;
    assert_int_equal(trace_start("/nonexistent/trace"), -ENOENT);
    assert_string_equal(error_get()->text, "cannot open the trace /nonexistent/trace");
    assert_false(trace_enabled);
    error_clear();
    assert_int_equal(trace_start("/dev/full"), -ENOSPC);
    assert_false(trace_enabled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        cmocka_unit_test_setup_teardown(test_file, start, end),
        cmocka_unit_test_setup_teardown(test_groups, start, end),
        cmocka_unit_test_setup_teardown(test_execution, start, end),
        cmocka_unit_test_setup_teardown(test_hand_over, start, end),
        cmocka_unit_test(test_hand_over_of_others),
        cmocka_unit_test_setup_teardown(test_killed_child, start, end),
        cmocka_unit_test_setup_teardown(test_children_at_once, start, end),
        cmocka_unit_test_setup_teardown(test_child_elsewhere, start, end),
        cmocka_unit_test_setup_teardown(test_standard_error, start, end),
        cmocka_unit_test_setup_teardown(test_cannot_open, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
