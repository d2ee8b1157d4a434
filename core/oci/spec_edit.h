/* Changes to a config.json that is under construction: what the options of `spec` do.
 * SPDX-License-Identifier: Apache-2.0
 *
 * They work on the JSON tree and not on struct config, so that what shimbox does not know survives.
 * All return 0 or a negative errno (recorded: a usage error where an option's argument is wrong).
 * Text given to them is copied.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct image_config;
struct json_object;
struct text_list;
struct user;

/* process.args */
int spec_set_args(struct json_object *document, const char *const *args, size_t count);

/* "NAME=VALUE": takes the place of an entry of that name, otherwise it is the last one. */
int spec_set_env(struct json_object *document, const char *entry);

/* An absolute path. */
int spec_set_cwd(struct json_object *document, const char *path);

/* process.terminal, and TERM=xterm for lack of a TERM. */
int spec_set_terminal(struct json_object *document);

int spec_set_user(struct json_object *document, const struct user *user);

/* Also lists a uts namespace. */
int spec_set_hostname(struct json_object *document, const char *name);

/* root.path, root.readonly. */
int spec_set_rootfs(struct json_object *document, const char *path);
int spec_set_readonly(struct json_object *document);

/* "KEY=VALUE" */
int spec_set_annotation(struct json_object *document, const char *entry);

/* linux.resources.cpu becomes shares, quota and period for that many CPUs; linux.resources.memory
 * becomes that limit. Quantities as in quantity.h. */
int spec_set_cpu(struct json_object *document, const char *quantity);
int spec_set_memory(struct json_object *document, const char *quantity);

/* A new network namespace, even where one was to be joined. */
int spec_set_own_network(struct json_object *document);

/* No network namespace, and the host's /etc/resolv.conf. In a user namespace the kernel refuses a
 * new sysfs without a network namespace of one's own: such a mount becomes a bind mount of /sys. */
int spec_set_host_network(struct json_object *document);

/* The form for the inside of a container, as SPEC_NESTED: proc and sysfs are bound. */
int spec_set_nested(struct json_object *document);

/* "type=…,src=…,dst=…,option…", see the manual page of spec. Appends to mounts. */
int spec_add_mount(struct json_object *document, const char *text);

/* The mount of the default specification that has this destination. */
int spec_add_default_mount(struct json_object *document, const char *destination);

/* One more path in linux.maskedPaths or linux.readonlyPaths, whichever list is called. */
int spec_add_path(struct json_object *document, const char *list, const char *path);

/* The device that path is here, as an entry of linux.devices. */
int spec_add_device(struct json_object *document, const char *path);

/* Capability names, "ALL" for all that are known, first dropped and then added. Added: to the
 * bounding, effective and permitted sets. Dropped: from all sets. A name in both lists is an error.
 */
int spec_edit_capabilities(struct json_object *document, const struct text_list *add,
                           const struct text_list *drop);

/* Command, environment, working directory and hostname of an image; not its user. args_given: a
 * missing command is no error. */
int spec_apply_image(struct json_object *document, const struct image_config *image,
                     bool args_given);
