// stamp: how long ago the kernel started /init, by the times in the kernel's log.
// SPDX-License-Identifier: Apache-2.0
//
// Prints "stamp N", N in microseconds. For boot.py, as the first program of a machine.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    char record[8192];
    long long now = -1, start = -1, time;
    int log = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    write(log, "stamp\n", 6);
    for (long length; (length = read(log, record, sizeof record - 1)) > 0;) {
        record[length] = 0;
        if (sscanf(record, "%*u,%*u,%lld,", &time) != 1) {
            continue;
        }
        if (strstr(record, ";Run /init as init process")) {
            start = time;
        } else if (strstr(record, ";stamp\n")) {
            now = time;
        }
    }
    printf("\nstamp %lld\n", start < 0 || now < 0 ? -1 : now - start);
    fflush(stdout);
    sleep(1); // until the console has said it
    return 0;
}
