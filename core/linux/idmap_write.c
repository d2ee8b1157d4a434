/* Giving a user namespace its ID mappings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"

/* One side of the two maps: what differs between users and groups. */
struct side {
    const char *what;   /* "uid map" */
    const char *file;   /* in /proc/PID */
    const char *helper; /* set-uid program that may write what we may not */
    const struct idmap *map;
    uint32_t own; /* the caller's effective id */
};

/* Since Linux 5.12 whoever maps user 0 of the parent namespace needs a capability for it, root too:
 * a file capability that is set inside is one outside. */
static bool maps_root_without_right(const struct side *side)
{
    uint32_t container;
    return strcmp(side->file, "uid_map") == 0 &&
           idmap_to_container(side->map, 0, &container) == 0 && !capability_have(CAP_SETFCAP);
}

static int fail_write(int number, const struct side *side)
{
    int result = fail(number, "cannot write the %s", side->what);
    if (number == EPERM && maps_root_without_right(side))
        error_hint("to map user 0 takes CAP_SETFCAP: give it to the container that this is in, "
                   "spec --cap-add SETFCAP");
    else if (number == EPERM)
        error_hint(
            "the kernel lets this user map only its own id (0: with CAP_SETFCAP), or ids it has "
            "privilege over");
    else if (number == EINVAL)
        error_hint("a host id is not mapped in the present user namespace");
    return result;
}

static int write_map(int process, const struct side *side)
{
    autotext struct text lines = {0};
    for (size_t i = 0; i < side->map->count; i++) {
        const struct id_range *range = &side->map->ranges[i];
        text_append_format(&lines, "%u %u %u\n", range->container, range->host, range->size);
    }
    if (lines.failed)
        return fail(ENOMEM, "cannot write the %s", side->what);
    /* user_namespaces(7): one write, of less than a page. */
    if (lines.length >= (size_t)getpagesize())
        return fail(E2BIG, "the %s is longer than the kernel takes", side->what);
    int result = write_value(process, side->file, lines.data);
    if (result < 0) {
        error_clear();
        return fail_write(-result, side);
    }
    return 0;
}

/* newuidmap PID CONTAINER HOST SIZE ...; it checks /etc/subuid, and has the privilege. */
static int run_helper(pid_t pid, const struct side *side)
{
    size_t count = 2 + side->map->count * 3;
    autofree char **argv = calloc(count + 1, sizeof(*argv));
    autofree char *numbers = calloc(count, 11);
    if (!argv || !numbers)
        return fail(ENOMEM, "cannot run %s", side->helper);
    for (size_t i = 0; i < count; i++)
        argv[i] = numbers + i * 11;
    argv[0] = (char *)(uintptr_t)side->helper;
    snprintf(argv[1], 11, "%d", (int)pid);
    for (size_t i = 0; i < side->map->count; i++) {
        const struct id_range *range = &side->map->ranges[i];
        snprintf(argv[2 + i * 3], 11, "%u", range->container);
        snprintf(argv[3 + i * 3], 11, "%u", range->host);
        snprintf(argv[4 + i * 3], 11, "%u", range->size);
    }
    step("run %s", side->helper);
    pid_t helper;
    int number = posix_spawnp(&helper, side->helper, NULL, NULL, argv, environ);
    if (number != 0) {
        int result = fail(number, "cannot run %s", side->helper);
        if (number == ENOENT)
            error_hint("install the package uidmap or shadow-utils, or map one id only");
        return result;
    }
    int status;
    while (waitpid(helper, &status, 0) < 0) {
        if (errno != EINTR)
            return fail(errno, "cannot wait for %s", side->helper);
    }
    if (status == 0)
        return 0;
    int result = fail(EPERM, "%s failed to write the %s", side->helper, side->what);
    error_hint("its own message is above; see /etc/subuid and /etc/subgid");
    return result;
}

/* Does the file say what was asked for? The kernel keeps the order of up to five ranges, and sorts
 * more by the first container id. */
static int verify_map(int process, const struct side *side)
{
    autotext struct text lines = {0};
    struct id_range asked[IDMAP_EXTENTS_MAX];
    struct id_range found[IDMAP_EXTENTS_MAX];
    size_t count = side->map->count;
    size_t lines_found = 0;
    int result = read_file(process, side->file, 65536, &lines);
    if (result < 0)
        return result;
    const char *rest = lines.data ? lines.data : "";
    for (; *rest && lines_found < IDMAP_EXTENTS_MAX; lines_found++) {
        char *end;
        found[lines_found].container = (uint32_t)strtoul(rest, &end, 10);
        found[lines_found].host = (uint32_t)strtoul(end, &end, 10);
        found[lines_found].size = (uint32_t)strtoul(end, &end, 10);
        rest = end + strspn(end, "\n");
    }
    bool same = lines_found == count && !*rest;
    if (same) {
        memcpy(asked, side->map->ranges, count * sizeof(*asked));
        id_ranges_sort(asked, count);
        id_ranges_sort(found, count);
        same = memcmp(asked, found, count * sizeof(*asked)) == 0;
    }
    return same ? 0 : fail(EIO, "the kernel's %s differs from what was written", side->what);
}

/* What the kernel lets everybody do: map the own id, alone. */
static bool is_own_id(const struct side *side)
{
    return side->map->count == 1 && side->map->ranges[0].size == 1 &&
           side->map->ranges[0].host == side->own;
}

static int write_side(int process, pid_t pid, const struct side *side, bool privileged)
{
    int result;
    if (side->map->count == 0)
        return 0;
    step("write the %s of process %d", side->what, (int)pid);
    if (privileged || is_own_id(side))
        return write_map(process, side); /* the kernel takes all of it or nothing */
    result = run_helper(pid, side);
    if (result < 0)
        return result;
    step("read the %s back", side->what);
    return verify_map(process, side);
}

int idmaps_write(int proc, pid_t pid, const struct idmaps *maps)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", (int)pid);
    autoclose int process = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0)
        return fail(errno, "cannot open /proc/%s", name);
    const struct side uid = {"uid map", "uid_map", "newuidmap", &maps->uid, geteuid()};
    const struct side gid = {"gid map", "gid_map", "newgidmap", &maps->gid, getegid()};
    bool privileged = capability_have(CAP_SETUID) && capability_have(CAP_SETGID);
    int result = write_side(process, pid, &uid, privileged);
    if (result < 0)
        return result;
    /* Without privilege the own gid may be mapped only once setgroups is given up, for good: a
     * group can also take rights away, and dropping it would give them back (CVE-2014-8989). */
    if (maps->deny_setgroups || (!privileged && is_own_id(&gid))) {
        result = write_value(process, "setgroups", "deny");
        if (result < 0)
            return result;
    }
    return write_side(process, pid, &gid, privileged);
}

bool idmaps_are_own(const struct idmaps *maps)
{
    const struct side uid = {.map = &maps->uid, .own = geteuid()};
    const struct side gid = {.map = &maps->gid, .own = getegid()};
    return (maps->uid.count == 0 || is_own_id(&uid)) && (maps->gid.count == 0 || is_own_id(&gid));
}

int idmaps_write_own(int proc, const struct idmaps *maps)
{
    const struct side uid = {.what = "uid map", .file = "self/uid_map", .map = &maps->uid};
    const struct side gid = {.what = "gid map", .file = "self/gid_map", .map = &maps->gid};
    step("write the own ID mappings");
    int result = write_side(proc, 0, &uid, true);
    if (result == 0 && (maps->deny_setgroups || maps->gid.count > 0))
        result = write_value(proc, "self/setgroups", "deny");
    return result < 0 ? result : write_side(proc, 0, &gid, true);
}
