/* core/linux/boot_devices: the nodes of a kernel without devtmpfs, beside those of one that has it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/boot.h"

static char folder[64];

static int setup(void **state)
{
    (void)state;
    error_clear();
    snprintf(folder, sizeof(folder), "/tmp/boot-devices-test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int count;
static int nested;

/* Each is what sysfs says of its numbers, and nothing else is there. */
static int check_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    char sys[64];
    char lines[1024] = "";
    (void)type;
    if (S_ISDIR(status->st_mode))
        return 0;
    assert_true(S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode));
    snprintf(sys, sizeof(sys), "/sys/dev/%s/%u:%u/uevent",
             S_ISCHR(status->st_mode) ? "char" : "block", major(status->st_rdev),
             minor(status->st_rdev));
    int fd = open(sys, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, lines, sizeof(lines) - 1) > 0);
    close(fd);
    char wanted[512];
    snprintf(wanted, sizeof(wanted), "DEVNAME=%s\n", path + strlen(folder) + 1);
    assert_non_null(strstr(lines, wanted));
    count++;
    nested += walk->level > 1;
    return 0;
}

static void check_node(const char *name, unsigned minor_number, mode_t mode)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    assert_int_equal(status.st_rdev, makedev(1, minor_number));
    assert_int_equal(status.st_mode & 07777, mode);
}

static void nodes_are_those_of_sysfs(void **state)
{
    (void)state;
    if (mknodat(AT_FDCWD, folder, S_IFCHR | 0600, makedev(1, 3)) < 0 && errno == EPERM)
        skip();
    int dev = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int sys = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(dev >= 0 && sys >= 0);
    mode_t before = umask(077);
    assert_int_equal(boot_make_devices(dev, sys), 0);
    assert_int_equal(umask(before), 077);
    close(dev);
    close(sys);
    check_node("null", 3, 0666);
    check_node("zero", 5, 0666);
    check_node("kmsg", 11, 0644);
    assert_int_equal(nftw(folder, check_one, 16, FTW_PHYS), 0);
    assert_true(count > 10);
    /* As there is in every machine: cpu, net, mapper, snd... */
    struct stat status;
    assert_true(nested > 0 || (stat("/dev/cpu", &status) < 0 && stat("/dev/net", &status) < 0));
}

static void without_sysfs(void **state)
{
    (void)state;
    int dev = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(dev >= 0);
    assert_int_equal(boot_make_devices(dev, dev), -ENOENT);
    assert_string_equal(error_get()->text, "cannot open /sys/dev/char");
    close(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_are_those_of_sysfs, setup, teardown),
        cmocka_unit_test_setup_teardown(without_sysfs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
