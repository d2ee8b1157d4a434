/* Test link: print what execve(2) has rules for, then go on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/linux/chain.h"

struct options {
    const char *take;
    uint32_t end;
};

static const struct option table[] = {
    {0, OPTION_TEXT, offsetof(struct options, take),
     OPTION_WORDS("take", "NAME", "Take a descriptor")},
    {0, OPTION_NUMBER, offsetof(struct options, end),
     OPTION_WORDS("end", "CODE", "End the chain here")},
};

static int print_status(void)
{
    static const char *const wanted[] = {
        "Uid:",    "Gid:",    "Groups:", "VmLck:",  "SigBlk:", "SigIgn:", "SigCgt:",
        "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "Name:",   "NoNewPrivs:"};
    autotext struct text status = {0};
    int result = read_file(AT_FDCWD, "/proc/self/status", 1 << 16, &status);
    if (result < 0)
        return result;
    for (char *line = strtok(status.data, "\n"); line; line = strtok(NULL, "\n"))
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (starts_with(line, wanted[i]))
                dprintf(1, "%s\n", line);
    return 0;
}

static void print_descriptors(void)
{
    for (int fd = 0; fd < 256; fd++) {
        char path[32], target[PATH_MAX];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof(target));
        if (length >= 0)
            dprintf(1, "fd %d: %.*s\n", fd, (int)length, target);
    }
}

static int check(struct call *call, int *consumed)
{
    (void)call;
    *consumed = 0;
    return 0;
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct options *o = call->values;
    struct stat self = {0};
    stack_t stack = {0};
    int death = 0;
    if (o->take) {
        int fd = chain_take(chain, o->take);
        dprintf(1, "taken: %s\n", fd < 0 ? "none" : o->take);
        if (fd >= 0)
            close(fd);
    }
    if (print_status() < 0)
        return -1;
    stat("/proc/self", &self);
    sigaltstack(NULL, &stack);
    prctl(PR_GET_PDEATHSIG, &death);
    dprintf(1, "dumpable %d owner %u\nsecurebits %d\ndeath %d\nstack %s\nSHIMBOX_FDS %s\n",
            prctl(PR_GET_DUMPABLE), self.st_uid, prctl(PR_GET_SECUREBITS), death,
            stack.ss_flags & SS_DISABLE ? "none" : "set",
            getenv("SHIMBOX_FDS") ? getenv("SHIMBOX_FDS") : "unset");
    print_descriptors();
    return o->end ? CHAIN_END((int)o->end) : 0;
}

static const struct applet facts = {
    .name = "facts",
    .texts = APPLET_TEXTS("Print facts about this process", "[options] -- NEXT [ARG...]", "", ""),
    OPTION_TABLE(table),
    .values_size = sizeof(struct options),
    .failure = 125,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(facts);
