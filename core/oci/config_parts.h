/* The parts of config.json, read one by one; config.c puts them together.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct config;
struct idmaps;
struct json_field;

/* Each reads and checks one section of the document into config, whose arrays config_free()
 * releases also after a failure. They return 0 or a negative errno (recorded). */
int config_read_process(struct config *config, const struct json_field *root);
int config_read_linux(struct config *config, const struct json_field *root);

/* uidMappings and gidMappings of an object that has them: both or neither, each of them whole.
 * Returns 0 or a negative errno (recorded); maps are to be freed in any case. */
int config_read_maps(struct idmaps *maps, const struct json_field *parent);
