/* The parts of config.json, read one by one; config.c puts them together.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct config;
struct json_field;

/* Each reads and checks one section of the document into config, whose arrays config_free()
 * releases also after a failure. They return 0 or a negative errno (recorded). */
int config_read_process(struct config *config, const struct json_field *root);
int config_read_linux(struct config *config, const struct json_field *root);
