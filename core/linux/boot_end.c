/* The end of a machine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/mountinfo.h"
#include "core/linux/sys.h"

#ifndef MS_RDONLY
#define MS_RDONLY  1
#define MS_REMOUNT 32
#endif

static void unmount(const char *point, const char *source)
{
    if (sys_umount2(point, UMOUNT_NOFOLLOW) == 0)
        return;
    /* The root, and what is in use. It is the file systems on devices that matter. */
    if (source[0] != '/')
        return;
    step("set %s read-only", point);
    if (sys_mount(NULL, point, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        report_warning("%s is neither unmounted nor read-only: %s", point, strerror(errno));
}

void boot_unmount_all(void)
{
    autotext struct text lines = {0};
    struct text_list mounts = {0};
    struct mountinfo mount;
    int result;
    step("sync");
    sync();
    if (chdir("/") < 0 || read_file(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &lines) < 0) {
        report_warning("cannot unmount: the list of mounts cannot be read");
        error_clear();
        return;
    }
    step("unmount");
    for (char *rest = lines.data; rest && (result = mountinfo_next(&rest, &mount)) != 0;) {
        if (result > 0) {
            text_list_add(&mounts, mount.point);
            text_list_add(&mounts, mount.source);
        }
    }
    /* What is mounted on another one is listed behind it. */
    for (size_t i = mounts.count & ~(size_t)1; i > 0; i -= 2)
        unmount(mounts.items[i - 2], mounts.items[i - 1]);
    text_list_free(&mounts);
    error_clear();
    sync();
}

void boot_end(enum boot_exit how)
{
    static const int commands[] = {RB_POWER_OFF, RB_AUTOBOOT, RB_HALT_SYSTEM};
    reboot(commands[how]);
    report_warning("cannot end the machine: %s", strerror(errno));
    for (;;)
        pause();
}
