/* linux.resources: what a container may use, and the files of cgroup version 2 that say so.
 * SPDX-License-Identifier: Apache-2.0
 *
 * runtime-spec, config-linux.md, "Control groups"; where that speaks of version 1 only, what runc
 * makes of it on version 2.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"
#include "core/linux/cgroup.h"
#include "core/linux/device_filter.h"

struct json_field;

struct resource_file {
    const char *file; /* "memory.high" */
    const char *value;
};

/* All 0: nothing is asked for. Texts belong to the document. */
struct resources {
    /* Bytes; 0: not given, -1: no limit. */
    int64_t memory_limit;
    int64_t memory_reservation;
    int64_t memory_swap; /* memory and swap space together */
    bool check_memory;   /* refuse a limit that is less than what is in use */
    uint64_t cpu_shares; /* 0: not given */
    int64_t cpu_quota;   /* microseconds in each period; 0: not given, -1: no limit */
    uint64_t cpu_period; /* microseconds; 0: not given */
    bool has_cpu_burst, has_cpu_idle, has_pids_limit;
    uint64_t cpu_burst; /* microseconds */
    bool cpu_idle;
    const char *cpus, *mems; /* "0-3,7"; NULL: not given */
    int64_t pids_limit;      /* -1: no limit */
    struct resource_file *unified;
    size_t unified_count;
    bool has_devices; /* there is a list */
    struct device_rule *devices;
    size_t device_count;
    char unsupported[48]; /* JSON pointer below /linux/resources of a field that asks for what
                             cannot be had, "": none */
};

/* Read the object, whose members are those of linux.resources; it may be missing. Also after a
 * failure the caller frees. Returns 0 or a negative errno (recorded with the JSON pointer). */
int resources_read(struct resources *resources, const struct json_field *field);
void resources_free(struct resources *resources);

/* Is nothing asked for but what the default specification has? Of that, nobody needs to be told
 * that it cannot be had. */
bool resources_are_standard(const struct resources *resources);

/* Limits as settings of a cgroup, FILE=VALUE, in the order in which the kernel takes them. */
struct resource_settings {
    struct text_list list;
    char *texts[CGROUP_SETTINGS_MAX]; /* owned */
};

/* Returns 0 or a negative errno (recorded: values that do not fit together). The caller frees, also
 * after a failure. */
int resources_settings(const struct resources *resources, struct resource_settings *settings);
void resource_settings_free(struct resource_settings *settings);

/* cpu.weight, 1 to 10000, for shares of version 1, of which 1024 are 100; 0 for 0. */
uint64_t resources_cpu_weight(uint64_t shares);
