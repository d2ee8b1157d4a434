/* The configuration of a container as a command is given it, and what there is to say about it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct config;

/* Read the configuration: from file ("-": standard input), or where that is NULL, from config.json
 * of the bundle. Returns 0 or a negative errno (recorded). */
int bundle_read(struct config *config, const char *bundle, const char *file);

/* The same from a stream that is open. name: for messages. */
int bundle_read_stream(struct config *config, int stream, const char *name);

/* With --strict: a field that is not applied is an error, before anything is done. Returns 0 or a
 * negative errno (recorded with the field). */
int bundle_refuse_unapplied(const struct config *config);

/* Warn of fields that are not applied (not with --strict, which has refused them), and of ambient
 * capabilities that the program will not have. */
void bundle_warn(const struct config *config, bool strict);
