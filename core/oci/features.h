/* What this runtime can do. runtime-spec, features.md and features-linux.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct json_object;

/* Make the document, from the tables that a config.json is read by. Returns it, to be released with
 * json_object_put(), or NULL (recorded). */
struct json_object *features_document(void);
