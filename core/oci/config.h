/* config.json as one typed struct. runtime-spec, config.md and config-linux.md.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All strings point into the parsed document, which the struct owns: they live until config_free().
 * Only what shimbox applies has a member; config_unapplied() names what else a document asks for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/namespace.h"
#include "core/linux/schedule.h"
#include "core/linux/seccomp.h"
#include "core/linux/time_namespace.h"
#include "core/oci/hooks.h"
#include "core/oci/resources.h"

struct json_object;

struct config_namespace {
    bool wanted;      /* listed: new, unless it has a path */
    const char *path; /* join this one; NULL: a new one */
};

struct config_rlimit {
    int resource; /* RLIMIT_NOFILE ... */
    struct rlimit limit;
};

struct config_process {
    const char **args; /* NULL-terminated, at least one; NULL: no args given */
    const char **env;  /* NULL-terminated, never NULL; every entry is NAME=VALUE */
    const char *cwd;   /* absolute */
    bool terminal;
    uint16_t console_height; /* rows and columns; 0: not given */
    uint16_t console_width;
    uint32_t uid;
    uint32_t gid;
    uint32_t *additional_gids;
    size_t additional_gid_count;
    int umask; /* -1: not given */
    bool no_new_privileges;
    const char *apparmor_profile; /* NULL: not given */
    const char *selinux_label;    /* NULL: not given */
    bool has_capabilities;        /* the object is there */
    struct capability_sets capabilities;
    struct config_rlimit *rlimits;
    size_t rlimit_count;
    bool has_oom_score;
    int oom_score; /* -1000 to 1000 */
    struct scheduler scheduler;
    struct io_priority io_priority;
    const char *initial_affinity; /* execCPUAffinity: lists of processors, NULL: not given. For a */
    const char *final_affinity;   /* process that joins: of who makes it, and its own */
};

struct config_mount {
    const char *destination; /* absolute */
    const char *type;        /* NULL: not given */
    const char *source;      /* NULL: not given */
    const char **options;    /* NULL-terminated, never NULL */
    struct idmaps maps;      /* of an idmapped mount; empty: not given */
};

struct config_device {
    const char *path; /* absolute */
    mode_t type;      /* S_IFCHR, S_IFBLK or S_IFIFO */
    uint32_t major;
    uint32_t minor;
    mode_t mode; /* permission bits, 0666 when not given */
    uint32_t uid;
    uint32_t gid;
};

struct config_sysctl {
    const char *name; /* as written, see sysctl.h */
    const char *value;
    enum namespace_type type; /* the namespace that it belongs to, which is listed */
};

struct config_net_device {
    const char *name;   /* on the host */
    const char *inside; /* in the container, may have a %d for a number; never NULL */
};

struct config {
    struct json_object *document;
    const char *version;             /* ociVersion */
    struct json_object *annotations; /* NULL: not given; all members are strings */
    struct hooks hooks[HOOK_TYPES];
    const char *root_path; /* as written: may be relative to the bundle; NULL: no root object */
    bool root_readonly;
    const char *hostname;           /* NULL: not given */
    const char *domainname;         /* NULL: not given */
    const char *rootfs_propagation; /* NULL: not given */
    struct config_process process;
    struct config_mount *mounts;
    size_t mount_count;
    struct config_namespace namespaces[NAMESPACE_TYPES];
    struct idmaps maps; /* empty without mappings */
    struct config_device *devices;
    size_t device_count;
    const char **masked_paths;   /* NULL-terminated, never NULL */
    const char **readonly_paths; /* NULL-terminated, never NULL */
    struct config_sysctl *sysctls;
    size_t sysctl_count;
    struct config_net_device *net_devices;
    size_t net_device_count;
    bool has_personality;
    int personality; /* PER_LINUX or PER_LINUX32 */
    struct memory_policy memory_policy;
    struct filter_profile seccomp;
    struct time_offset time_offsets[TIME_CLOCKS]; /* only with a new time namespace */
    const char *mount_label;                      /* SELinux context; NULL: not given */
    const char *cgroups_path;                     /* as written, of good form; NULL: not given */
    struct resources resources;
};

/* Parse and check a whole config.json. name: the file, for messages ("config.json", "<stdin>").
 * Wrong syntax is reported with line and column, a wrong value with its JSON pointer, a duplicate
 * key with both. On success config is filled, the caller frees it. Returns 0 or a negative errno
 * (recorded). */
int config_parse(struct config *config, const char *name, const char *text, size_t length);

/* As config_parse, of a document that is there already (taken over, also on failure). */
int config_from_document(struct config *config, const char *name, struct json_object *document);

void config_free(struct config *config);

/* Does the document have the field that pointer, a JSON pointer, leads to? An empty pointer is no
 * field. Members of objects only, without escapes. */
bool config_has(const struct config *config, const char *pointer);

/* Is any field below that pointer applied, by the table that config_unapplied() goes by? */
bool config_applies(const char *pointer);

/* Call visit for each field of the document that shimbox does not apply: pointer is its JSON
 * pointer; known tells whether runtime-spec has a field of that name. Fields that ask for nothing
 * are passed over. */
void config_unapplied(const struct config *config,
                      void (*visit)(void *context, const char *pointer, bool known), void *context);
