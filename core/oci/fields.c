/* Which fields of config.json are applied: one table, and the walk that names the others.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include <json-c/json.h>

#include "core/linux/capability.h"
#include "core/oci/config.h"
#include "core/oci/json.h"

enum applied { NO, YES };

/* JSON pointers, "*" is any element or member. Fields with a common beginning stand together, since
 * the walk narrows the table member by member. What stands below an entry belongs to it. */
static const struct known_field {
    char pattern[42];
    uint8_t applied;
} known_fields[] = {
    {"/ociVersion", YES},
    {"/process/terminal", YES},
    {"/process/consoleSize/height", YES},
    {"/process/consoleSize/width", YES},
    {"/process/user/uid", YES},
    {"/process/user/gid", YES},
    {"/process/user/umask", YES},
    {"/process/user/additionalGids", YES},
    {"/process/user/username", NO},
    {"/process/args", YES},
    {"/process/commandLine", NO},
    {"/process/env", YES},
    {"/process/cwd", YES},
    {"/process/capabilities/bounding", YES},
    {"/process/capabilities/effective", YES},
    {"/process/capabilities/permitted", YES},
    {"/process/capabilities/inheritable", YES},
    {"/process/capabilities/ambient", YES},
    {"/process/rlimits/*/type", YES},
    {"/process/rlimits/*/soft", YES},
    {"/process/rlimits/*/hard", YES},
    {"/process/noNewPrivileges", YES},
    {"/process/apparmorProfile", YES},
    {"/process/oomScoreAdj", YES},
    {"/process/selinuxLabel", YES},
    {"/process/scheduler/policy", YES},
    {"/process/scheduler/nice", YES},
    {"/process/scheduler/priority", YES},
    {"/process/scheduler/flags", YES},
    {"/process/scheduler/runtime", YES},
    {"/process/scheduler/deadline", YES},
    {"/process/scheduler/period", YES},
    {"/process/ioPriority/class", YES},
    {"/process/ioPriority/priority", YES},
    /* Not for the container's first process, says runtime-spec: checked, which is all of it. */
    {"/process/execCPUAffinity/initial", YES},
    {"/process/execCPUAffinity/final", YES},
    {"/root/path", YES},
    {"/root/readonly", YES},
    {"/hostname", YES},
    {"/domainname", YES},
    {"/mounts/*/destination", YES},
    {"/mounts/*/type", YES},
    {"/mounts/*/source", YES},
    {"/mounts/*/options", YES},
    {"/mounts/*/uidMappings/*/containerID", YES},
    {"/mounts/*/uidMappings/*/hostID", YES},
    {"/mounts/*/uidMappings/*/size", YES},
    {"/mounts/*/gidMappings/*/containerID", YES},
    {"/mounts/*/gidMappings/*/hostID", YES},
    {"/mounts/*/gidMappings/*/size", YES},
    {"/hooks/prestart", YES},
    {"/hooks/createRuntime", YES},
    {"/hooks/createContainer", YES},
    {"/hooks/startContainer", YES},
    {"/hooks/poststart", YES},
    {"/hooks/poststop", YES},
    /* Notes for others, which ask for nothing. */
    {"/annotations", YES},
    {"/linux/uidMappings/*/containerID", YES},
    {"/linux/uidMappings/*/hostID", YES},
    {"/linux/uidMappings/*/size", YES},
    {"/linux/gidMappings/*/containerID", YES},
    {"/linux/gidMappings/*/hostID", YES},
    {"/linux/gidMappings/*/size", YES},
    {"/linux/namespaces/*/type", YES},
    {"/linux/namespaces/*/path", YES},
    {"/linux/devices/*/path", YES},
    {"/linux/devices/*/type", YES},
    {"/linux/devices/*/major", YES},
    {"/linux/devices/*/minor", YES},
    {"/linux/devices/*/fileMode", YES},
    {"/linux/devices/*/uid", YES},
    {"/linux/devices/*/gid", YES},
    {"/linux/rootfsPropagation", YES},
    {"/linux/maskedPaths", YES},
    {"/linux/readonlyPaths", YES},
    {"/linux/sysctl", YES},
    {"/linux/cgroupsPath", YES},
    {"/linux/resources/devices/*/allow", YES},
    {"/linux/resources/devices/*/type", YES},
    {"/linux/resources/devices/*/major", YES},
    {"/linux/resources/devices/*/minor", YES},
    {"/linux/resources/devices/*/access", YES},
    {"/linux/resources/memory/limit", YES},
    {"/linux/resources/memory/reservation", YES},
    {"/linux/resources/memory/swap", YES},
    {"/linux/resources/memory/checkBeforeUpdate", YES},
    /* Version 2 always counts what is below. */
    {"/linux/resources/memory/useHierarchy", YES},
    /* These, and those behind unified: refused where they ask for anything. */
    {"/linux/resources/memory/kernel", YES},
    {"/linux/resources/memory/kernelTCP", YES},
    {"/linux/resources/memory/swappiness", YES},
    {"/linux/resources/memory/disableOOMKiller", YES},
    {"/linux/resources/cpu/shares", YES},
    {"/linux/resources/cpu/quota", YES},
    {"/linux/resources/cpu/burst", YES},
    {"/linux/resources/cpu/period", YES},
    {"/linux/resources/cpu/cpus", YES},
    {"/linux/resources/cpu/mems", YES},
    {"/linux/resources/cpu/idle", YES},
    {"/linux/resources/cpu/realtimeRuntime", YES},
    {"/linux/resources/cpu/realtimePeriod", YES},
    {"/linux/resources/pids/limit", YES},
    {"/linux/resources/unified", YES},
    {"/linux/resources/blockIO", YES},
    {"/linux/resources/hugepageLimits", YES},
    {"/linux/resources/network", YES},
    {"/linux/resources/rdma", YES},
    {"/linux/seccomp/defaultAction", YES},
    {"/linux/seccomp/defaultErrnoRet", YES},
    {"/linux/seccomp/architectures", YES},
    {"/linux/seccomp/flags", YES},
    {"/linux/seccomp/listenerPath", YES},
    {"/linux/seccomp/listenerMetadata", YES},
    {"/linux/seccomp/syscalls/*/names", YES},
    {"/linux/seccomp/syscalls/*/action", YES},
    {"/linux/seccomp/syscalls/*/errnoRet", YES},
    {"/linux/seccomp/syscalls/*/args/*/index", YES},
    {"/linux/seccomp/syscalls/*/args/*/value", YES},
    {"/linux/seccomp/syscalls/*/args/*/valueTwo", YES},
    {"/linux/seccomp/syscalls/*/args/*/op", YES},
    {"/linux/mountLabel", YES},
    {"/linux/intelRdt", NO},
    {"/linux/memoryPolicy/mode", YES},
    {"/linux/memoryPolicy/nodes", YES},
    {"/linux/memoryPolicy/flags", YES},
    {"/linux/personality/domain", YES},
    {"/linux/personality/flags", YES},
    {"/linux/timeOffsets/monotonic/secs", YES},
    {"/linux/timeOffsets/monotonic/nanosecs", YES},
    {"/linux/timeOffsets/boottime/secs", YES},
    {"/linux/timeOffsets/boottime/nanosecs", YES},
    {"/linux/netDevices/*/name", YES},
    {"/solaris", NO},
    {"/windows", NO},
    {"/vm", NO},
    {"/zos", NO},
    {"/freebsd", NO},
};

bool config_applies(const char *pointer)
{
    size_t length = strlen(pointer);

    for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
        const char *pattern = known_fields[i].pattern;

        if (strncmp(pattern, pointer, length) == 0 &&
            (pattern[length] == '/' || pattern[length] == '\0') && known_fields[i].applied)
            return true;
    }
    return false;
}

struct walk {
    void (*visit)(void *context, const char *pointer, bool known);
    void *context;
};

/* The entries that are still possible, and how much of their patterns has been walked. */
struct range {
    size_t first;
    size_t end;
    size_t depth;
};

/* Those of the range whose next part is this one; an empty range if there are none. */
static struct range narrow(struct range range, const char *part)
{
    size_t length = strlen(part);
    struct range found = {.depth = range.depth + 1 + length};

    if (strchr(part, '/'))
        return found; /* a name that only looks like two of the table */
    for (size_t i = range.first; i < range.end; i++) {
        const char *rest = known_fields[i].pattern + range.depth;
        /* The first letter rules most of them out, without a call. */
        bool same = rest[0] == '/' && rest[1] == part[0] && strncmp(rest + 1, part, length) == 0 &&
                    (rest[1 + length] == '/' || rest[1 + length] == '\0');

        if (!same)
            continue;
        if (found.end == 0)
            found.first = i;
        found.end = i + 1;
    }
    return found;
}

static void report(struct walk *walk, const struct json_field *field, bool known)
{
    char pointer[256];

    json_pointer(field, pointer, sizeof(pointer));
    walk->visit(walk->context, pointer, known);
}

/* Does the field ask for nothing? */
static bool is_quiet(const struct json_field *field)
{
    switch (json_object_get_type(field->value)) {
    case json_type_null:
        return true;
    case json_type_boolean:
        return !json_object_get_boolean(field->value);
    case json_type_string:
        return json_object_get_string_len(field->value) == 0;
    case json_type_object:
        return json_object_object_length(field->value) == 0;
    case json_type_array:
        return json_object_array_length(field->value) == 0;
    default:
        return false;
    }
}

static void walk_field(struct walk *walk, const struct json_field *field, struct range range);

static void walk_below(struct walk *walk, const struct json_field *parent, struct range range)
{
    if (json_object_is_type(parent->value, json_type_object)) {
        json_object_object_foreach(parent->value, key, value)
        {
            struct json_field member = {.value = value, .parent = parent, .key = key};
            struct range below = narrow(range, key);

            /* Its members have names that the user chooses. */
            walk_field(walk, &member, below.end == 0 ? narrow(range, "*") : below);
        }
    } else if (json_object_is_type(parent->value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(parent->value); i++) {
            struct json_field element = json_element(parent, i);

            walk_field(walk, &element, narrow(range, "*"));
        }
    }
}

static void walk_field(struct walk *walk, const struct json_field *field, struct range range)
{
    if (range.end == 0)
        report(walk, field, false);
    else if (known_fields[range.first].pattern[range.depth])
        walk_below(walk, field, range);
    else if (!known_fields[range.first].applied && !is_quiet(field))
        report(walk, field, true);
}

/* Names of capabilities that libcap-ng does not know: misspelt, or of a newer kernel. */
static void walk_capabilities(struct walk *walk, const struct json_field *root)
{
    static const char sets[][12] = {"bounding", "effective", "permitted", "inheritable", "ambient"};
    struct json_field process = json_member(root, "process");
    struct json_field object = json_member(&process, "capabilities");

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct json_field set = json_member(&object, sets[i]);
        size_t count = set.value ? json_object_array_length(set.value) : 0;

        for (size_t j = 0; j < count; j++) {
            struct json_field name = json_element(&set, j);

            if (capability_number(json_object_get_string(name.value)) < 0)
                report(walk, &name, false);
        }
    }
}

void config_unapplied(const struct config *config,
                      void (*visit)(void *context, const char *pointer, bool known), void *context)
{
    struct walk walk = {.visit = visit, .context = context};
    struct json_field root = json_root(config->document);
    struct range all = {.end = sizeof(known_fields) / sizeof(known_fields[0])};

    walk_below(&walk, &root, all);
    walk_capabilities(&walk, &root);
}
