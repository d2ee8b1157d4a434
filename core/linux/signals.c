/* Signals by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/signals.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include "core/base/text.h"

/* libc keeps the first few for itself, and its SIGRTMIN is another. */
#define REALTIME_FIRST 34

/* The numbers of x86_64 and aarch64, which are the same. */
static const char names[][10] = {
    "",          "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
    "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
    "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
    "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
};

const char *signal_name(int number)
{
    return number > 0 && number < 32 ? names[number] : "";
}

static const struct {
    char name[6];
    unsigned char number;
} others[] = {{"IOT", 6}, {"CLD", 17}, {"POLL", 29}};

/* What follows "RTMIN" or "RTMAX": nothing, or a distance. */
static int realtime(const char *rest, int first, char sign)
{
    uint32_t distance = 0;
    if (*rest &&
        (*rest != sign || parse_u32(rest + 1, SIGNAL_LAST - REALTIME_FIRST, &distance) < 0))
        return -ENOENT;
    return sign == '+' ? first + (int)distance : first - (int)distance;
}

int signal_number(const char *name)
{
    uint32_t number;
    if (parse_u32(name, SIGNAL_LAST, &number) == 0)
        return number > 0 ? (int)number : -ENOENT;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    if (strncasecmp(name, "RTMIN", 5) == 0)
        return realtime(name + 5, REALTIME_FIRST, '+');
    if (strncasecmp(name, "RTMAX", 5) == 0)
        return realtime(name + 5, SIGNAL_LAST, '-');
    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i] + 3) == 0)
            return (int)i;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcasecmp(name, others[i].name) == 0)
            return others[i].number;
    }
    return -ENOENT;
}
