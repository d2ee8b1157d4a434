/* Who a process is, as the state of a container has it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/container/record.h"
#include "core/linux/process_status.h"
#include "core/linux/procfs.h"

int record_boot(char boot[RECORD_BOOT])
{
    autotext struct text text = {0};
    int result = read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", RECORD_BOOT, &text);
    if (result < 0)
        return result;
    snprintf(boot, RECORD_BOOT, "%.*s", (int)strcspn(text.data, "\n"), text.data);
    return 0;
}

int record_process(struct record_process *process, int proc, pid_t pid)
{
    struct process_stat stat;
    int result = process_stat_read(proc, pid, &stat);
    if (result == -ESRCH)
        return fail(ESRCH, "cannot look at process %d", (int)pid);
    if (result == 0)
        *process = (struct record_process){.pid = pid, .start = stat.start};
    return result;
}

int record_own(struct record_process *process, int proc)
{
    pid_t number = procfs_self(proc);
    int result = number < 0 ? number : record_process(process, proc, number);
    process->pid = getpid();
    return result;
}
