/* What a container uses, and when the lack of memory has cost it a process.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The names and the structure are those of runc's `events` (its types/events.go), the sources the
 * files of cgroup version 2: the kernel's Documentation/admin-guide/cgroup-v2.rst.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lifecycle;
struct text;

/* A container that is watched. */
struct watch {
    int cgroup;     /* O_PATH */
    int process;    /* a pidfd of its first process */
    int memory;     /* memory.events; -1: there is no such controller */
    uint64_t kills; /* of which has been told */
};
#define NO_WATCH ((struct watch){.cgroup = -1, .process = -1, .memory = -1})

/* Begin to watch. What comes from now on is told, nothing that was before. Returns 0 or a negative
 * errno (recorded: it does not run, or has no cgroup). Close it in any case. */
int watch_open(struct watch *watch, const struct lifecycle *lifecycle);
void watch_close(struct watch *watch);
#define autowatch __attribute__((cleanup(watch_close)))

/* Wait until something happens, or until that moment, in milliseconds of CLOCK_MONOTONIC. Returns
 * one of these, or a negative errno (recorded). */
enum watched {
    WATCHED_TIME = 0, /* the time has come */
    WATCHED_OOM,      /* processes were killed for lack of memory, since the last time */
    WATCHED_END,      /* its first process has ended; all has been told before */
};
int watch_wait(struct watch *watch, int64_t until);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t watch_now(void);

/* Append a line of JSON: an event of that type, and with data what is used now. What there is no
 * controller for is left out. Returns 0, -ENODEV (not recorded) when its cgroup is gone, or another
 * negative errno (recorded). */
int stats_line(const struct watch *watch, const char *type, const char *id, bool data,
               struct text *line);

/* Warn of what cannot be told since cgroup version 1 has the controllers; oom: and that no such
 * events will come. */
void watch_warn(const struct watch *watch, const struct lifecycle *lifecycle, bool oom);
