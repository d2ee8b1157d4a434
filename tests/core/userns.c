/* Tests of core/linux/userns.c: what the namespace is, and that nobody is left who made it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/idmap.h"
#include "core/linux/sys.h"
#include "core/linux/userns.h"

static int proc;

static int setup(void **state)
{
    (void)state;
    error_clear();
    proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return proc < 0;
}

/* Also after a failure: no child, no descriptor but proc. */
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    int next = dup(proc);
    assert_int_equal(next, proc + 1);
    close(next);
    close(proc);
    return 0;
}

static void make_maps(struct idmaps *maps, const char *uid, const char *gid)
{
    *maps = (struct idmaps){0};
    assert_int_equal(idmap_parse(&maps->uid, "uid map", uid), 0);
    assert_int_equal(idmap_parse(&maps->gid, "gid map", gid), 0);
}

/* The first line of a file of a process in the namespace, numbers with one blank between them. */
static void read_map(int userns, const char *path, char line[64])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char text[256] = "";
        unsigned numbers[3];
        if (sys_setns(userns, 0x10000000 /* CLONE_NEWUSER */) < 0)
            _exit(1);
        int fd = open(path, O_RDONLY);
        if (read(fd, text, sizeof(text) - 1) <= 0 ||
            sscanf(text, "%u %u %u", &numbers[0], &numbers[1], &numbers[2]) != 3)
            _exit(2);
        int length = snprintf(text, sizeof(text), "%u %u %u", numbers[0], numbers[1], numbers[2]);
        _exit(write(ends[1], text, (size_t)length + 1) != length + 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(read(ends[0], line, 64) > 0);
    close(ends[0]);
    close(ends[1]);
}

static void it_has_the_maps(void **state)
{
    struct idmaps maps;
    char line[64];
    (void)state;
    if (geteuid() == 0)
        make_maps(&maps, "7:100000:5", "8:200000:6");
    else
        idmaps_by_word(&maps, "root");
    int fd = userns_create(proc, &maps);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    if (geteuid() == 0) {
        read_map(fd, "/proc/self/uid_map", line);
        assert_string_equal(line, "7 100000 5");
        read_map(fd, "/proc/self/gid_map", line);
        assert_string_equal(line, "8 200000 6");
    }
    close(fd);
    idmaps_free(&maps);
}

/* More than five ranges are not kept in the order in which they were written. */
static void many_ranges_in_any_order(void **state)
{
    struct idmaps maps = {0};
    (void)state;
    if (geteuid() != 0)
        skip();
    for (uint32_t i = 0; i < IDMAP_EXTENTS_MAX; i++) {
        uint32_t container = i * 7 % IDMAP_EXTENTS_MAX;
        assert_int_equal(idmap_add(&maps.uid, "u", container, 1000 + 2 * i, 1), 0);
        assert_int_equal(idmap_add(&maps.gid, "g", container, 9000 - 2 * i, 1), 0);
    }
    assert_int_equal(idmap_check(&maps.uid, "u"), 0);
    assert_int_equal(idmap_check(&maps.gid, "g"), 0);
    int fd = userns_create(proc, &maps);
    assert_true(fd >= 0);
    close(fd);
    idmaps_free(&maps);
}

/* Each call makes one of its own. */
static void two_are_two(void **state)
{
    struct idmaps maps = {0};
    struct stat one;
    struct stat other;
    struct stat own;
    (void)state;
    assert_int_equal(idmaps_by_word(&maps, "root"), 0);
    int first = userns_create(proc, &maps);
    int second = userns_create(proc, &maps);
    assert_int_equal(fstat(first, &one), 0);
    assert_int_equal(fstat(second, &other), 0);
    assert_int_equal(stat("/proc/self/ns/user", &own), 0);
    assert_true(one.st_ino != other.st_ino && one.st_ino != own.st_ino);
    close(first);
    close(second);
    idmaps_free(&maps);
}

static void bad_maps_leave_nothing(void **state)
{
    struct idmaps maps;
    (void)state;
    if (geteuid() != 0)
        skip();
    /* Two ranges that overlap, which the kernel refuses. */
    make_maps(&maps, "0:100000:5,1:200000:5", "0:0:1");
    assert_true(userns_create(proc, &maps) < 0);
    assert_non_null(strstr(error_get()->text, "uid map"));
    idmaps_free(&maps);
    error_clear();
    make_maps(&maps, "0:0:1", "0:100000:5,1:200000:5");
    assert_true(userns_create(proc, &maps) < 0);
    assert_non_null(strstr(error_get()->text, "gid map"));
    idmaps_free(&maps);
}

static void another_file_system_is_no_proc(void **state)
{
    struct idmaps maps = {0};
    (void)state;
    assert_int_equal(idmaps_by_word(&maps, "root"), 0);
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(userns_create(root, &maps), -ENOENT);
    assert_non_null(strstr(error_get()->text, "self/fdinfo/"));
    close(root);
    idmaps_free(&maps);
}

static void maps_are_compared(void **state)
{
    struct idmaps one;
    struct idmaps other;
    struct idmaps none = {0};
    static const struct {
        const char *uid;
        const char *gid;
        bool same;
    } rows[] = {
        {"0:1:2,5:6:7", "0:1:2", true},
        {"0:1:2,5:6:8", "0:1:2", false},
        {"0:1:2", "0:1:2", false},
        {"5:6:7,0:1:2", "0:1:2", false},
        {"0:1:2,5:6:7", "0:1:2,9:9:9", false},
        {"0:1:2,5:6:7", "1:1:2", false},
    };
    (void)state;
    make_maps(&one, "0:1:2,5:6:7", "0:1:2");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make_maps(&other, rows[i].uid, rows[i].gid);
        assert_int_equal(userns_same_maps(&one, &other), rows[i].same);
        idmaps_free(&other);
    }
    assert_false(userns_same_maps(&one, &none));
    assert_true(userns_same_maps(&none, &none));
    idmaps_free(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_has_the_maps, setup, teardown),
        cmocka_unit_test_setup_teardown(many_ranges_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(two_are_two, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_maps_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(another_file_system_is_no_proc, setup, teardown),
        cmocka_unit_test(maps_are_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
