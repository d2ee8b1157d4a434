/* What the kernel's command line asks of process 1: words that begin with "shimbox.", and some that
 * the kernel has for who mounts a root file system.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum boot_exit {
    BOOT_POWER_OFF,
    BOOT_REBOOT,
    BOOT_HALT,
};

/* Strings lie in the text that was parsed; NULL: not given. */
struct boot_settings {
    const char *run;         /* a command, words split at blanks */
    const char *bundle;      /* of a container; on the device, if there is one */
    const char *switch_root; /* a system to hand over to; likewise */
    const char *device;      /* "/dev/vda" */
    bool overlay;            /* what is written there goes to memory */
    const char *modules;     /* "virtio_blk,/my.ko" */
    bool debug;
    uint32_t wait;       /* for the device and the interface, in seconds */
    enum boot_exit exit; /* what the machine does at the end */
    const char *ip;      /* boot_read_ip() */
    const char *init;    /* of the system that is handed over to */
    bool writable;       /* "rw": its file system is mounted for writing */
};

/* Parse the kernel's command line, which is written to. All of it is read whatever is wrong with
 * it, so that the machine ends as was asked for. Returns 0 or -EINVAL (the first mistake recorded,
 * a usage error). */
int boot_read_settings(char *line, struct boot_settings *settings);
