/* Tests of core/linux/cgroup_end.c, and of resources_update(): in a tree of version 2 that is
 * mounted here for it, where that can be had. SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/container/resources.h"
#include "core/linux/cgroup.h"

#define MOUNT "/sys/fs/cgroup"

static char name[64];
static int process_directory = -1;

/* A cgroup with one below, and a child in each, which sends back what it gets. */
struct pair {
    struct cgroup cgroup;
    pid_t pids[2];
    int sockets[2];
};

static int start(void **state)
{
    (void)state;
    snprintf(name, sizeof(name), "/shimbox-test-%d-cgroup-end", (int)getpid());
    process_directory = open("/proc/self", O_PATH | O_DIRECTORY);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("cgroup2", MOUNT, "cgroup2", 0, NULL) < 0) {
        print_message("# SKIPPED: no cgroup2 can be mounted here: %s\n", strerror(errno));
        process_directory = -1;
    }
    return 0;
}

static pid_t start_in(const char *path, int *socket)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);

    pid_t pid = fork();

    if (pid == 0) {
        int fd = open(path, O_PATH | O_DIRECTORY);

        if (write_value(fd, "cgroup.procs", "0") < 0)
            _exit(1);
        for (char byte; read(ends[1], &byte, 1) == 1;)
            (void)!write(ends[1], &byte, 1);
        _exit(0);
    }
    close(ends[1]);
    *socket = ends[0];
    return pid;
}

static void make_pair(struct pair *pair)
{
    struct cgroup_wish wish = {.settings = &(struct text_list){0}};
    char path[PATH_MAX];
    autotext struct text pids = {0};

    if (process_directory < 0)
        skip();
    snprintf(path, sizeof(path), "%s/below", name);
    assert_int_equal(cgroup_find(&pair->cgroup, process_directory, path), 0);

    autoclose int fd = cgroup_make(&pair->cgroup, process_directory, &wish);

    assert_true(fd >= 0);
    pair->pids[0] = start_in(pair->cgroup.path, &pair->sockets[0]);
    cgroup_close(&pair->cgroup);
    assert_int_equal(cgroup_find(&pair->cgroup, process_directory, name), 0);
    pair->pids[1] = start_in(pair->cgroup.path, &pair->sockets[1]);
    /* Both are there. */
    for (int i = 0; i < 6000; i++) {
        text_free(&pids);
        assert_int_equal(cgroup_processes(&pair->cgroup, &pids), 0);
        if (pids.data && strchr(pids.data, '\n') != strrchr(pids.data, '\n'))
            break;
        poll(NULL, 0, 10);
    }
    for (int i = 0; i < 2; i++) {
        char number[16];

        snprintf(number, sizeof(number), "%d\n", (int)pair->pids[i]);
        assert_non_null(strstr(pids.data, number));
    }
}

/* What both ended of. */
static void check_signal(const struct pair *pair, int number)
{
    for (int i = 0; i < 2; i++) {
        int status = 0;

        assert_int_equal(waitpid(pair->pids[i], &status, 0), pair->pids[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), number);
    }
}

static void end_pair(struct pair *pair)
{
    assert_int_equal(cgroup_end(&pair->cgroup), 0);
    assert_int_equal(access(pair->cgroup.path, F_OK), -1);
    assert_int_equal(cgroup_end(&pair->cgroup), 0);
    cgroup_close(&pair->cgroup);
    close(pair->sockets[0]);
    close(pair->sockets[1]);
    assert_false(error_is_set());
}

static int is_frozen(struct cgroup *cgroup)
{
    autoclose int fd = cgroup_open(cgroup);
    assert_true(fd >= 0);
    return cgroup_is_frozen(fd);
}

static void frozen_and_thawed(void **state)
{
    struct pair pair;
    char byte = 'x';

    (void)state;
    make_pair(&pair);
    assert_int_equal(is_frozen(&pair.cgroup), 0);
    assert_int_equal(cgroup_freeze(&pair.cgroup, 60000), 0);
    assert_int_equal(is_frozen(&pair.cgroup), 1);
    for (int i = 0; i < 2; i++) {
        struct pollfd answer = {.fd = pair.sockets[i], .events = POLLIN};

        assert_int_equal(write(pair.sockets[i], &byte, 1), 1);
        assert_int_equal(poll(&answer, 1, 50), 0);
    }
    assert_int_equal(cgroup_thaw(&pair.cgroup, 60000), 0);
    assert_int_equal(is_frozen(&pair.cgroup), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(pair.sockets[i], &byte, 1), 1);
        kill(pair.pids[i], SIGTERM);
    }
    check_signal(&pair, SIGTERM);
    assert_int_equal(cgroup_wait(&pair.cgroup, 60000), 0);
    end_pair(&pair);
}

static void signals_reach_all(void **state)
{
    struct pair pair;

    (void)state;
    make_pair(&pair);
    assert_int_equal(cgroup_wait(&pair.cgroup, 1), -ETIMEDOUT);
    assert_int_equal(cgroup_delete(&pair.cgroup), -EBUSY);
    error_clear();
    assert_int_equal(cgroup_signal(&pair.cgroup, 0), 0);
    assert_int_equal(cgroup_signal(&pair.cgroup, SIGUSR1), 0);
    check_signal(&pair, SIGUSR1);
    end_pair(&pair);
}

static void frozen_ones_are_killed(void **state)
{
    struct pair pair;

    (void)state;
    make_pair(&pair);
    assert_int_equal(cgroup_freeze(&pair.cgroup, 60000), 0);
    /* As before Linux 5.14. */
    assert_int_equal(cgroup_signal(&pair.cgroup, SIGKILL), 0);
    check_signal(&pair, SIGKILL);
    end_pair(&pair);
    make_pair(&pair);
    assert_int_equal(cgroup_freeze(&pair.cgroup, 60000), 0);
    end_pair(&pair);
    check_signal(&pair, SIGKILL);
}

/* The errno of a process in the cgroup that opens a character device which nobody drives. */
static int open_device(const char *cgroup)
{
    char node[] = "/tmp/cgroup-end.XXXXXX";
    int status = 0;

    assert_non_null(mkdtemp(node));

    pid_t pid = fork();

    if (pid == 0) {
        int fd = open(cgroup, O_PATH | O_DIRECTORY);

        if (write_value(fd, "cgroup.procs", "0") < 0 || chdir(node) < 0 ||
            mknod("node", S_IFCHR | 0600, makedev(240, 1)) < 0)
            _exit(255);
        _exit(open("node", O_RDONLY | O_NONBLOCK) < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    char path[64];

    snprintf(path, sizeof(path), "%s/node", node);
    unlink(path);
    rmdir(node);
    return WEXITSTATUS(status);
}

static void updated_or_not(void **state)
{
    struct resource_file files[] = {{"cgroup.max.depth", "7"}, {"cgroup.max.descendants", "many"}};
    struct device_rule rules[] = {{false, 'a', DEVICE_ANY, DEVICE_ANY, DEVICE_ALL}};
    struct resources resources = {.unified = files, .unified_count = 1};
    struct pair pair;
    char path[PATH_MAX + 32];
    autotext struct text depth = {0};

    (void)state;
    make_pair(&pair);
    snprintf(path, sizeof(path), "%s/cgroup.max.depth", pair.cgroup.path);
    assert_int_equal(resources_update(&pair.cgroup, process_directory, &resources), 0);
    files[0].value = "8";
    resources.unified_count = 2;
    assert_int_equal(resources_update(&pair.cgroup, process_directory, &resources), -EINVAL);
    error_clear();
    assert_int_equal(read_file(AT_FDCWD, path, 64, &depth), 0);
    assert_string_equal(depth.data, "7\n");
    /* The filter is replaced, and replaced again. */
    resources = (struct resources){.has_devices = true, .devices = rules, .device_count = 1};
    for (int i = 0; i < 3; i++) {
        int result = resources_update(&pair.cgroup, process_directory, &resources);

        assert_true(result == 0 || result == -EPERM);
        error_clear();
        if (result == 0)
            assert_int_equal(open_device(pair.cgroup.path), rules[0].allow ? ENXIO : EPERM);
        rules[0].allow = !rules[0].allow;
    }
    assert_int_equal(resources_oom_kills(&pair.cgroup), 0);
    end_pair(&pair);
    check_signal(&pair, SIGKILL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_and_thawed),
        cmocka_unit_test(signals_reach_all),
        cmocka_unit_test(frozen_ones_are_killed),
        cmocka_unit_test(updated_or_not),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
