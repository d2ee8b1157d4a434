/* linux.resources as files of cgroup version 2.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/resources.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/oci/quantity.h"
#include "core/oci/spec_default.h"

#define SHARES_LEAST 2
#define SHARES_MOST  262144
#define WEIGHT_MOST  10000

void resources_free(struct resources *resources)
{
    free(resources->unified);
    free(resources->devices);
    *resources = (struct resources){0};
}

bool resources_are_standard(const struct resources *resources)
{
    const struct device_rule *rule = resources->devices;
    struct resources rest = *resources;

    rest.has_pids_limit = false;
    rest.has_devices = false;
    return !rest.memory_limit && !rest.memory_reservation && !rest.memory_swap &&
           !rest.cpu_shares && !rest.cpu_quota && !rest.cpu_period && !rest.has_cpu_burst &&
           !rest.has_cpu_idle && !rest.cpus && !rest.mems && rest.unified_count == 0 &&
           (!resources->has_pids_limit || resources->pids_limit == SPEC_PIDS_LIMIT) &&
           (resources->device_count == 0 ||
            (resources->device_count == 1 && !rule->allow && rule->type == 'a' &&
             rule->major == DEVICE_ANY && rule->minor == DEVICE_ANY && rule->access == DEVICE_ALL));
}

/* The base-2 logarithm of a number from 1 on, and 10 to the power of one from 0 to 4: as exact as
 * needed here, and without libm, which brings tables of 10 KB. */
static double logarithm(double number)
{
    double whole = 0;

    while (number >= 2) {
        number /= 2;
        whole++;
    }

    /* ln(x) = 2 artanh((x - 1) / (x + 1)) */
    double ratio = (number - 1) / (number + 1);
    double power = ratio;
    double sum = 0;

    for (int i = 1; i < 60; i += 2) {
        sum += power / i;
        power *= ratio * ratio;
    }
    return whole + 2 * sum / 0.693147180559945309417;
}

static double power_of_ten(double exponent)
{
    double result = 1;
    int whole = (int)exponent;

    for (int i = 0; i < whole; i++)
        result *= 10;
    exponent -= whole;

    double term = 1;
    double sum = 1;

    for (int i = 1; i < 40; i++) {
        term *= exponent * 2.302585092994045684018 / i;
        sum += term;
    }
    return result * sum;
}

/* The formula that github.com/opencontainers/cgroups (ConvertCPUSharesToCgroupV2Value) and crun
 * have had since 2025, a parabola through (2, 1), (1024, 100) and (262144, 10000) on logarithmic
 * scales: https://github.com/opencontainers/runc/issues/4772. The least is taken off so that 1024
 * are 100, however the last bits are rounded. */
uint64_t resources_cpu_weight(uint64_t shares)
{
    if (shares == 0)
        return 0;
    if (shares <= SHARES_LEAST)
        return 1;
    if (shares >= SHARES_MOST)
        return WEIGHT_MOST;

    double length = logarithm((double)shares);
    double weight = power_of_ten((length * length + 125 * length) / 612 - 7.0 / 34) - 1e-9;
    uint64_t whole = (uint64_t)weight;

    return (double)whole < weight ? whole + 1 : whole;
}

/* ---- settings ---- */

static int __attribute__((format(printf, 2, 3)))
add(struct resource_settings *settings, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    size_t count = settings->list.count;

    if (count == CGROUP_SETTINGS_MAX)
        return fail_config("/linux/resources", "more than %d limits", CGROUP_SETTINGS_MAX);
    va_start(arguments, format);

    int length = vasprintf(&text, format, arguments);

    va_end(arguments);
    if (length < 0)
        return fail(ENOMEM, "cannot allocate memory");
    settings->texts[count] = text;
    return text_list_add(&settings->list, text);
}

static int add_bytes(struct resource_settings *settings, const char *file, int64_t bytes)
{
    if (bytes == 0)
        return 0;
    return bytes < 0 ? add(settings, "%s=max", file)
                     : add(settings, "%s=%lld", file, (long long)bytes);
}

/* Version 1 counts memory and swap space together, version 2 each for itself. */
static int add_swap(struct resource_settings *settings, const struct resources *resources)
{
    static const char field[] = "/linux/resources/memory/swap";
    int64_t swap = resources->memory_swap;
    int64_t memory = resources->memory_limit;

    /* As it was with version 1: no limit at all. */
    if (swap < 0 || (swap == 0 && memory < 0))
        return add(settings, "memory.swap.max=max");
    if (swap == 0)
        return 0;
    if (memory == 0)
        return fail_config(field, "needs a limit as well, with which it is counted together");
    if (memory < 0)
        return fail_config(field, "no limit of memory, but one of memory and swap space together");
    if (swap < memory)
        return fail_config(field, "less than the limit, with which it is counted together");
    return add(settings, "memory.swap.max=%lld", (long long)(swap - memory));
}

static int add_memory(struct resource_settings *settings, const struct resources *resources)
{
    int result = add_swap(settings, resources);

    if (result == 0)
        result = add_bytes(settings, "memory.low", resources->memory_reservation);
    return result == 0 ? add_bytes(settings, "memory.max", resources->memory_limit) : result;
}

/* What may be used beyond the quota is at most the quota: of the old values, the smaller one goes
 * first. */
static int add_quota(struct resource_settings *settings, const struct resources *resources)
{
    unsigned long long period = resources->cpu_period ? resources->cpu_period : CPU_PERIOD;
    int result = 0;

    if (resources->has_cpu_burst)
        result = add(settings, "cpu.max.burst=0");
    if (result == 0 && resources->cpu_quota > 0)
        result = add(settings, "cpu.max=%lld %llu", (long long)resources->cpu_quota, period);
    else if (result == 0 && (resources->cpu_quota < 0 || resources->cpu_period))
        result = add(settings, "cpu.max=max %llu", period);
    if (result == 0 && resources->has_cpu_burst && resources->cpu_burst)
        result = add(settings, "cpu.max.burst=%llu", (unsigned long long)resources->cpu_burst);
    return result;
}

/* An idle cgroup has no weight, and takes none. */
static int add_weight(struct resource_settings *settings, const struct resources *resources)
{
    uint64_t weight = resources_cpu_weight(resources->cpu_shares);
    int result = 0;

    if (resources->has_cpu_idle)
        result = add(settings, "cpu.idle=%d", resources->cpu_idle);
    if (result == 0 && weight && !(resources->has_cpu_idle && resources->cpu_idle))
        result = add(settings, "cpu.weight=%llu", (unsigned long long)weight);
    return result;
}

static int add_files(struct resource_settings *settings, const struct resources *resources)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < resources->unified_count; i++) {
        const struct resource_file *file = &resources->unified[i];

        result = add(settings, "%s=%s", file->file, file->value);
    }
    return result;
}

int resources_settings(const struct resources *resources, struct resource_settings *settings)
{
    *settings = (struct resource_settings){0};

    int result = add_weight(settings, resources);

    if (result == 0)
        result = add_quota(settings, resources);
    if (result == 0 && resources->cpus)
        result = add(settings, "cpuset.cpus=%s", resources->cpus);
    if (result == 0 && resources->mems)
        result = add(settings, "cpuset.mems=%s", resources->mems);
    /* runc, too: 0 would be refused by systemd, and the first process is there before the limit. */
    if (result == 0 && resources->has_pids_limit)
        result = resources->pids_limit < 0
                     ? add(settings, "pids.max=max")
                     : add(settings, "pids.max=%lld",
                           (long long)(resources->pids_limit ? resources->pids_limit : 1));
    if (result == 0)
        result = add_memory(settings, resources);
    return result == 0 ? add_files(settings, resources) : result;
}

void resource_settings_free(struct resource_settings *settings)
{
    for (size_t i = 0; i < CGROUP_SETTINGS_MAX; i++)
        free(settings->texts[i]);
    text_list_free(&settings->list);
    *settings = (struct resource_settings){0};
}
