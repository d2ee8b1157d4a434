/* JSON documents: parsed strictly, read with types, written with indentation. RFC 8259, json-c.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"

struct json_object;

/* Objects and arrays inside each other, at most. */
#define JSON_DEPTH_MAX 64

/* Bytes of a document that is read from a file, at most. */
#define JSON_BYTES_MAX (16U << 20)

/* Parse a whole document. Refused: anything that RFC 8259 does not allow, NUL bytes and \u0000 (C
 * strings would end there), text that is not UTF-8, numbers outside of 64 bits, two members of one
 * object with the same name (json-c would keep the last one silently).
 * name: the file, for messages, which give line and column (in bytes, from 1).
 * *document is the caller's, to be released with json_object_put(); NULL is the document `null`.
 * Returns 0 or a negative errno (recorded). */
int json_parse(struct json_object **document, const char *name, const char *text, size_t length);

/* json_object_put() of *document, for autojson. */
void json_release(struct json_object **document);
#define autojson __attribute__((cleanup(json_release)))

/* Append the document as indented text that ends with a newline. Members keep their order.
 * Returns 0 or -ENOMEM (recorded). */
int json_write(struct json_object *document, struct text *text);

/* A value and the place where it stands. Places are only spelled out when a message needs it. */
struct json_field {
    struct json_object *value;       /* NULL: not there, or null, which counts as not there */
    const struct json_field *parent; /* NULL: the document itself. Must live as long as this */
    const char *key;                 /* NULL: element `index` of an array */
    size_t index;
};

struct json_field json_root(struct json_object *document);
/* The member of that name; without a value if parent is not an object or has none. */
struct json_field json_member(const struct json_field *parent, const char *key);
struct json_field json_element(const struct json_field *parent, size_t index);

/* Write the JSON pointer (RFC 6901) of the field; what does not fit is cut. */
void json_pointer(const struct json_field *field, char *pointer, size_t size);

/* Record a mistake in this field: "POINTER: message". Returns -EINVAL. */
int json_fail(const struct json_field *field, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Typed access. A field that is not there leaves the result as it was and is no error; a wrong type
 * is -EINVAL (recorded: pointer, what was expected, what was found). */
int json_get_text(const struct json_field *field, const char **text);
int json_get_bool(const struct json_field *field, bool *value);
/* Whole numbers from 0 to max; 1.0 and 1e3 are not whole numbers here. */
int json_get_number(const struct json_field *field, uint64_t max, uint64_t *number);
int json_get_u32(const struct json_field *field, uint32_t max, uint32_t *number);
/* Whole numbers that may be negative. */
int json_get_signed(const struct json_field *field, int64_t min, int64_t max, int64_t *number);
/* *count: number of elements, 0 when the field is not there. */
int json_get_array(const struct json_field *field, size_t *count);
/* Only checks that it is an object, if it is there. */
int json_check_object(const struct json_field *field);
/* -EINVAL (recorded) if the field is not there. */
int json_require(const struct json_field *field);

/* An array of strings as a NULL-terminated array that the caller frees (the strings belong to the
 * document); an empty one when the field is not there. Returns 0 or a negative errno (recorded). */
int json_get_texts(const struct json_field *field, const char ***texts);

/* What a value is, for messages: "a string", "an array", "nothing". */
const char *json_type_text(struct json_object *value);
