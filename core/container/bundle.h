/* A bundle: a folder with config.json and, mostly, the root file system. runtime-spec, bundle.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct config;
struct config_process;

/* Read the configuration file of that name, "-" for standard input; or, where it is NULL, the
 * config.json of the bundle. Returns 0 or a negative errno (recorded); on success the caller frees
 * the config. */
int bundle_load(struct config *config, const char *bundle, const char *file);

/* --strict: a field that is not applied is an error, before anything is done. Returns 0 or -EINVAL
 * (recorded). */
int bundle_refuse_unapplied(const struct config *config);

/* What the state tells of a container, when this process has entered its bundle: that directory,
 * and the root file system (rootfs, or else the config's; NULL where there is none), absolute. Both
 * are allocated. Returns 0 or a negative errno (recorded). */
int bundle_name(const struct config *config, const char *rootfs, char **bundle, char **root);

/* May its terminal go where it was asked to? socket: of --console-socket, or NULL; detached: nobody
 * is there to relay it. Returns 0 or -EINVAL (recorded). */
int bundle_check_terminal(const struct config *config, const char *socket, bool detached);

/* Warn of fields that are not applied, one by one; and, always, of capabilities that are lost. */
void bundle_warn(const struct config *config, bool unapplied);
