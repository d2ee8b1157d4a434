/* Building and changing JSON documents.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A failure is either a lack of memory or a document whose members have other types than
 * runtime-spec gives them; both are recorded, and the functions return a negative errno.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct idmaps;
struct json_object;

/* Set a member; value is taken over, also on failure. A value of NULL is a lack of memory. */
int json_set(struct json_object *object, const char *key, struct json_object *value);

/* Append to an array; value is taken over, also on failure. */
int json_append(struct json_object *array, struct json_object *value);

/* The object (or array) at the end of a path of member names, made where it is missing or null:
 * json_descend(document, "linux", "resources", NULL). NULL with a recorded error when something
 * else stands there. The document keeps owning it. */
struct json_object *json_descend_object(struct json_object *document, const char *first,
                                        const char *second, const char *third);
struct json_object *json_descend_array(struct json_object *document, const char *first,
                                       const char *second, const char *third);

struct json_object *json_text(const char *text);
struct json_object *json_number(uint64_t number);

/* An array of strings; NULL when the memory runs out. */
struct json_object *json_texts(const char *const *texts, size_t count);

/* Set linux.uidMappings and linux.gidMappings, and list a user namespace. */
int json_set_maps(struct json_object *document, const struct idmaps *maps);

/* List a namespace of that type unless one is listed. */
int json_add_namespace(struct json_object *document, const char *type);
