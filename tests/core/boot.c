/* Tests of core/linux/boot_*.c, as far as they need no machine of their own: tests/boot has those.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/linux/boot.h"

static void addresses_are_read(void **state)
{
    struct boot_network network;

    (void)state;
    assert_int_equal(
        boot_read_ip("10.0.0.2:1.2.3.4:10.0.0.1:255.255.240.0:web:eth0:off:9.9.9.9:8.8.8.8:7.7.7.7",
                     &network),
        1);
    assert_memory_equal(network.address.bytes, "\012\0\0\002", 4);
    assert_int_equal(network.address.prefix, 20);
    assert_true(network.has_gateway);
    assert_memory_equal(network.gateway.bytes, "\012\0\0\001", 4);
    assert_string_equal(network.hostname, "web");
    assert_string_equal(network.device, "eth0");
    assert_string_equal(network.servers[0], "9.9.9.9");
    assert_string_equal(network.servers[1], "8.8.8.8");
    assert_int_equal(boot_read_ip("192.168.1.2", &network), 1);
    assert_int_equal(network.address.prefix, 24);
    assert_false(network.has_gateway);
    assert_string_equal(network.device, "");
    assert_int_equal(boot_read_ip("172.16.1.2::::::none", &network), 1);
    assert_int_equal(network.address.prefix, 16);
    assert_int_equal(boot_read_ip("10.0.0.2:::0.0.0.0", &network), 1);
    assert_int_equal(network.address.prefix, 0);
    assert_int_equal(boot_read_ip("10.0.0.2:::255.255.255.255", &network), 1);
    assert_int_equal(network.address.prefix, 32);
    assert_int_equal(boot_read_ip("off", &network), 0);
    assert_int_equal(boot_read_ip("none", &network), 0);
    assert_false(error_is_set());
}

static void wrong_addresses_are_named(void **state)
{
    static const char *const texts[][2] = {
        {"dhcp", "kernel argument ip: 'dhcp' is not supported, only a static address"},
        {"on", "kernel argument ip: 'on' is not supported, only a static address"},
        {"", "kernel argument ip: '' is not supported, only a static address"},
        {":::::eth0:dhcp", "kernel argument ip: 'dhcp' is not supported, only a static address"},
        {":::::eth0:off", "kernel argument ip: '' is not an address"},
        {"10.0.0", "kernel argument ip: '10.0.0' is not an address"},
        {"10.0.0.2/24", "kernel argument ip: '10.0.0.2/24' is not an address"},
        {"10.0.0.2::x", "kernel argument ip: 'x' is not an address"},
        {"10.0.0.2:::255.0.255.0", "kernel argument ip: '255.0.255.0' is not a netmask"},
        {"10.0.0.2:::24", "kernel argument ip: '24' is not an address"},
        {"10.0.0.2:::::::x", "kernel argument ip: 'x' is not an address"},
        {"10.0.0.2:::::abcdefghijklmnop",
         "kernel argument ip: the interface 'abcdefghijklmnop' is too long"},
        {"1.1.1.1::::::::::", "kernel argument ip: '1.1.1.1::::::::::' has more than 10 fields"},
    };
    struct boot_network network;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(boot_read_ip(texts[i][0], &network), -EINVAL);
        assert_string_equal(error_get()->text, texts[i][1]);
        error_clear();
    }
}

/* A folder in /tmp with what looks like /sys of a machine with these devices. */
static char folder[] = "/tmp/boot-test-XXXXXX";

static void put(const char *path, const char *text)
{
    char whole[256];
    snprintf(whole, sizeof(whole), "%s/%s", folder, path);
    for (char *slash = whole + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(whole, 0755);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static void assert_node(int dev, const char *name, mode_t mode, unsigned major, unsigned minor)
{
    struct stat status;
    assert_int_equal(fstatat(dev, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(status.st_mode, mode);
    assert_int_equal(status.st_rdev, makedev(major, minor));
}

static void device_nodes_are_made_by_hand(void **state)
{
    char path[64];

    (void)state;
    if (geteuid() != 0)
        skip();
    umask(077);
    put("sys/dev/char/1:3/uevent", "MAJOR=1\nMINOR=3\nDEVNAME=null\nDEVMODE=0666\n");
    put("sys/dev/char/13:63/uevent", "MAJOR=13\nMINOR=63\nXDEVNAME=no\nDEVNAME=input/mice\n");
    put("sys/dev/char/14:1/uevent", "MAJOR=14\nMINOR=1\n");
    put("sys/dev/char/15:1/uevent", "");
    put("sys/dev/char/power/uevent", "DEVNAME=none\n");
    put("sys/dev/block/254:0/uevent", "DEVNAME=vda\nDEVTYPE=disk");
    snprintf(path, sizeof(path), "%s/dev", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    int dev = open(path, O_RDONLY | O_DIRECTORY);
    snprintf(path, sizeof(path), "%s/sys", folder);
    int sys = open(path, O_PATH | O_DIRECTORY);
    assert_int_equal(boot_make_devices(dev, sys), 0);
    assert_node(dev, "null", S_IFCHR | 0666, 1, 3);
    assert_node(dev, "input/mice", S_IFCHR | 0600, 13, 63);
    assert_node(dev, "vda", S_IFBLK | 0600, 254, 0);
    assert_int_equal(faccessat(dev, "none", F_OK, 0), -1);
    assert_int_equal(faccessat(dev, "no", F_OK, 0), -1);
    /* Again, and with one that is in the way. */
    assert_int_equal(boot_make_devices(dev, sys), 0);
    put("sys/dev/char/1:5/uevent", "DEVNAME=null\n");
    assert_true(boot_make_devices(dev, sys) < 0);
    assert_string_equal(error_get()->text, "null exists, and is not the device 1:5");
    error_clear();
    close(dev);
    close(sys);
}

static void modules_that_are_missing_are_named(void **state)
{
    (void)state;
    assert_int_equal(boot_load_modules("/nowhere/a.ko"), -ENOENT);
    assert_string_equal(error_get()->text, "cannot open module /nowhere/a.ko");
    error_clear();
    assert_int_equal(boot_load_modules(",no-such-module,/nowhere/a.ko"), -ENOENT);
    assert_non_null(strstr(error_get()->text, "cannot find module no-such-module"));
    error_clear();
    assert_int_equal(boot_load_modules(","), 0);
}

static void devices_that_are_none_are_named(void **state)
{
    struct boot_settings settings = {.device = "/nowhere/vda"};

    (void)state;
    assert_int_equal(boot_mount_device(&settings), -ENOENT);
    assert_string_equal(error_get()->text, "device /nowhere/vda did not come within 0 s");
    error_clear();
    settings.device = "/dev/null";
    assert_int_equal(boot_mount_device(&settings), -ENOTBLK);
    assert_string_equal(error_get()->text, "cannot mount /dev/null");
    error_clear();
}

static void systems_without_an_init_are_refused(void **state)
{
    char text[128];

    (void)state;
    assert_int_equal(boot_switch_root("/nowhere", NULL), -ENOENT);
    assert_string_equal(error_get()->text, "cannot open the new root /nowhere");
    error_clear();
    put("root/sbin/init", "not executable");
    put("root/data", "");
    snprintf(text, sizeof(text), "%s/root", folder);
    assert_int_equal(boot_switch_root(text, NULL), -ENOENT);
    snprintf(text, sizeof(text), "cannot find an init in the new root %s/root", folder);
    assert_string_equal(error_get()->text, text);
    error_clear();
    snprintf(text, sizeof(text), "%s/root", folder);
    assert_int_equal(boot_switch_root(text, "/other"), -ENOENT);
    assert_non_null(strstr(error_get()->text, "cannot find /other in the new root"));
    error_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(wrong_addresses_are_named),
        cmocka_unit_test(device_nodes_are_made_by_hand),
        cmocka_unit_test(modules_that_are_missing_are_named),
        cmocka_unit_test(devices_that_are_none_are_named),
        cmocka_unit_test(systems_without_an_init_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
