/* The parts of config.json, read one by one; config.c puts them together.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

struct config;
struct idmaps;
struct json_field;

/* Each reads and checks one section of the document into config, whose arrays config_free()
 * releases also after a failure. They return 0 or a negative errno (recorded). */
int config_read_process(struct config *config, const struct json_field *root);
int config_read_linux(struct config *config, const struct json_field *root);

/* The same of a part of the process section, and of the linux section, whose field is given. The
 * latter needs the namespaces and the domain name. */
int config_read_schedule(struct config *config, const struct json_field *process_field);
int config_read_kernel(struct config *config, const struct json_field *linux_field);
int config_read_seccomp(struct config *config, const struct json_field *linux_field);

/* A member that must be there, whose text stands for a number: number() knows it, or returns -1.
 * Returns 0 or a negative errno (recorded). */
int config_read_number(const struct json_field *parent, const char *key,
                       int (*number)(const char *name), int *target);

/* The member "flags", an array of names of bits, which are added to *flags. Likewise. */
int config_read_flags(const struct json_field *parent, int (*number)(const char *name),
                      uint64_t *flags);
/* uidMappings and gidMappings of an object that has them: both or neither, each of them whole.
 * Returns 0 or a negative errno (recorded); maps are to be freed in any case. */
int config_read_maps(struct idmaps *maps, const struct json_field *parent);
