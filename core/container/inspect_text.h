/* Values of a document of inspect as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

struct json_object;
struct text;

/* The words of {"error": …}, or NULL for another value. */
const char *inspect_error_of(struct json_object *value);

/* Is it an array of objects? */
bool inspect_holds_objects(struct json_object *array);

/* Append a value on one line: "-" for null and empty arrays, yes and no, arrays with separator
 * between their elements, objects as "key=value key=value". Control characters are written as \xNN.
 * quoted: a text with blanks is put in quotes, as blanks separate it from others. */
void inspect_append(struct text *text, struct json_object *value, const char *separator,
                    bool quoted);
