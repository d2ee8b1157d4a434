/* The configuration of a container as a command is given it, and what there is to say about it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct config;
struct json_object;

/* Read the configuration: from file ("-": standard input), or where that is NULL, from config.json
 * of the bundle. Returns 0 or a negative errno (recorded). */
int bundle_read(struct config *config, const char *bundle, const char *file);

/* The same from a stream that is open. name: for messages. */
int bundle_read_stream(struct config *config, int stream, const char *name);

/* A whole file ("-": standard input) as a document, the caller's (json_object_put). Returns 0 or a
 * negative errno (recorded). */
int bundle_read_document(struct json_object **document, const char *file);

/* With --strict: a field that is not applied is an error, before anything is done. Returns 0 or a
 * negative errno (recorded with the field). */
int bundle_refuse_unapplied(const struct config *config);

/* Warn of fields that are not applied (not with --strict, which has refused them), and of ambient
 * capabilities that the program will not have. */
void bundle_warn(const struct config *config, bool strict);

/* What the state tells of a container, when this process has entered its bundle: that directory,
 * and the root file system (rootfs, or else the config's; NULL where there is none), absolute. Both
 * are allocated. Returns 0 or a negative errno (recorded). */
int bundle_name(const struct config *config, const char *rootfs, char **bundle, char **root);

/* May its terminal go where it was asked to? socket: of --console-socket, or NULL; detached: nobody
 * is there to relay it. Returns 0 or -EINVAL (recorded). */
int bundle_check_terminal(const struct config *config, const char *socket, bool detached);

/* After a failure: did the kernel refuse a new proc or sysfs? In a user namespace it does when the
 * ones that are there are covered in part (mount_namespaces(7)), as they are in a container. */
bool bundle_was_refused_proc(const struct config *config);
