/* Keeping something alive for somebody else.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/hold.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"

static void choose(sigset_t *set)
{
    static const int ending[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        sigaddset(set, ending[i]);
}

void hold_signals(void)
{
    sigset_t set;
    choose(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int hold(void)
{
    sigset_t set;
    char bytes[4096];
    choose(&set);
    autoclose int signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0)
        return fail(errno, "cannot receive signals by descriptor");
    step("hold");
    for (;;) {
        struct pollfd events[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                   {.fd = signals, .events = POLLIN}};
        if (poll(events, 2, -1) < 0 && errno != EINTR)
            return fail(errno, "cannot wait for the end of standard input");
        if (events[1].revents)
            return 0;
        if (!events[0].revents)
            continue;
        ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
        if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN))
            return 0;
    }
}
