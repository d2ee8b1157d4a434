/* Programs that are executed at points of a container's life. runtime-spec, config.md,
 * "POSIX-platform Hooks".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct json_field;
struct json_object;

enum hook_type {
    HOOK_PRESTART,
    HOOK_CREATE_RUNTIME,
    HOOK_CREATE_CONTAINER,
    HOOK_START_CONTAINER,
    HOOK_POSTSTART,
    HOOK_POSTSTOP,
    HOOK_TYPES,
};

/* Strings belong to the document. */
struct hook {
    const char *path;  /* absolute */
    const char **args; /* NULL-terminated, with args[0]; never NULL, may be empty */
    const char **env;  /* NULL-terminated, never NULL: all of its environment */
    uint32_t timeout;  /* seconds, 0: none */
};

struct hooks {
    struct json_object *value; /* the array, NULL: none */
    struct hook *items;
    size_t count;
};

/* The member of `hooks` in config.json: "createRuntime". */
const char *hook_name(enum hook_type type);

/* Read an array of hooks; free also after a failure. Returns 0 or a negative errno (recorded). */
int hooks_read(struct hooks *hooks, const struct json_field *field);
void hooks_free(struct hooks *hooks);
