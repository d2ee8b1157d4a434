/* A machine from its first process on: what a kernel leaves undone, and the end.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only for process 1 of a machine, of which boot_begin() makes sure. All record their errors, and
 * leave the rest to the caller, who must not end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/linux/boot_settings.h"
#include "core/linux/network.h"
#include "core/linux/uts.h"

/* Is this the first process of a machine, not that of a container? Nothing is changed before that
 * is known. *proc: /proc, or a detached mount of one where there is none. Returns 0 or a negative
 * errno. */
int boot_begin(int *proc);

/* Mount what is not there: proc, sys, dev, dev/pts, dev/shm, run, tmp, cgroup2 on /sys/fs/cgroup.
 * A cgroup2 that the kernel does not have is left out with a warning. Goes on after a failure.
 * proc: of boot_begin(). Returns 0 or a negative errno. */
int boot_mount_all(int proc);

/* Make the nodes of all devices that sysfs knows, as devtmpfs does. dev, sys: descriptors of /dev
 * and /sys. Returns 0 or a negative errno. */
int boot_make_devices(int dev, int sys);

/* Use /dev/console as standard streams and controlling terminal; where there is no console, write
 * to the kernel's log. Ctrl-Alt-Delete becomes a SIGINT. Returns 0 or a negative errno. */
int boot_open_console(void);

/* The machine's name: that of /etc/hostname, else what the kernel was given, else "localhost". */
int boot_name_machine(void);

/* Load kernel modules: files of that path if they have a slash, else by name, with those that they
 * need, from /lib/modules/RELEASE. names: separated by commas. What is loaded, or a part of the
 * kernel, is fine. Returns 0 or a negative errno. */
int boot_load_modules(const char *names);

/* Where boot_mount_device() mounts, and where it keeps what is written. */
#define BOOT_DEVICE  "/run/device"
#define BOOT_OVERLAY "/run/overlay"

/* Wait for the device, and mount it on BOOT_DEVICE, read-only unless settings->writable is wanted
 * by who hands over, under a tmpfs if settings->overlay. Returns 0 or a negative errno. */
int boot_mount_device(const struct boot_settings *settings);

/* A static address: "client:server:gateway:netmask:hostname:device:autoconf:dns0:dns1:ntp0". */
struct boot_network {
    struct network_address address;
    struct network_address gateway;
    bool has_gateway;
    char hostname[UTS_NAME_MAX + 1]; /* "": none given */
    char device[16];                 /* "": the first one that there is */
    char servers[2][16];             /* of names, "" where there is none */
};

/* Parse the value of the kernel's argument ip, of which only the static form is supported. The
 * addresses of the NFS and the time server are for others. nfsroot.rst of Linux'
 * Documentation/admin-guide. Returns 1, 0 where nothing is to be done ("off"), or -EINVAL. */
int boot_read_ip(const char *text, struct boot_network *network);

/* Give the interface that address, once it is there, at most `seconds` from now; the machine its
 * name; and write /etc/resolv.conf unless there is one. A kernel that does it by itself has done
 * it. Returns 0 or a negative errno. */
int boot_set_network(const char *ip, uint32_t seconds);

/* Become the init of the system at path: that of its root (NULL: the first of /sbin/init,
 * /etc/init, /bin/init and /bin/sh). What is mounted on /dev, /proc, /sys, /run and /tmp goes
 * along, the files of the initramfs are deleted. Nothing is changed before the init was found.
 * Returns only when it failed: a negative errno. */
int boot_switch_root(const char *path, const char *init);

/* Give the console back, for another init. */
void boot_leave_console(void);

/* Write this to the console, with no message of the kernel's in between, and wait until it is
 * there. Returns 0 or a negative errno. */
int boot_tell_console(const char *text, size_t length);

/* End with a clean disk: sync, unmount what can be, and set what cannot read-only. A file system on
 * a device that is still writable is reported as a warning. */
void boot_unmount_all(void);

/* Power off, reboot or halt. Never returns. */
void boot_end(enum boot_exit how) __attribute__((noreturn));
