/* JSON documents: parsed strictly, read with types, written with indentation.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/json.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"

void json_release(struct json_object **document)
{
    json_object_put(*document);
    *document = NULL;
}

struct json_field json_root(struct json_object *document)
{
    return (struct json_field){.value = document};
}

struct json_field json_member(const struct json_field *parent, const char *key)
{
    struct json_field field = {.parent = parent, .key = key};

    if (json_object_is_type(parent->value, json_type_object))
        field.value = json_object_object_get(parent->value, key);
    return field;
}

struct json_field json_element(const struct json_field *parent, size_t index)
{
    struct json_field field = {.parent = parent, .index = index};

    if (json_object_is_type(parent->value, json_type_array))
        field.value = json_object_array_get_idx(parent->value, index);
    return field;
}

/* Append one reference token: "~" and "/" are written as "~0" and "~1". */
static void append_token(struct text *text, const char *key)
{
    for (; *key; key++) {
        if (*key == '~')
            text_append(text, "~0");
        else if (*key == '/')
            text_append(text, "~1");
        else
            text_append_bytes(text, key, 1);
    }
}

static void append_pointer(struct text *text, const struct json_field *field)
{
    if (!field->parent)
        return;
    append_pointer(text, field->parent);
    text_append(text, "/");
    if (field->key)
        append_token(text, field->key);
    else
        text_append_format(text, "%zu", field->index);
}

void json_pointer(const struct json_field *field, char *pointer, size_t size)
{
    autotext struct text text = {0};

    append_pointer(&text, field);
    snprintf(pointer, size, "%s", text.data ? text.data : "");
}

int json_fail(const struct json_field *field, const char *format, ...)
{
    char pointer[160];
    char message[400];
    va_list arguments;

    json_pointer(field, pointer, sizeof(pointer));
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return fail_config(pointer, "%s%s%s", pointer, *pointer ? ": " : "", message);
}

const char *json_type_text(struct json_object *value)
{
    static const char texts[][16] = {
        [json_type_null] = "nothing",      [json_type_boolean] = "a boolean",
        [json_type_double] = "a fraction", [json_type_int] = "a number",
        [json_type_object] = "an object",  [json_type_array] = "an array",
        [json_type_string] = "a string",
    };

    return texts[json_object_get_type(value)];
}

static int fail_type(const struct json_field *field, const char *expected)
{
    return json_fail(field, "expected %s, found %s", expected, json_type_text(field->value));
}

int json_require(const struct json_field *field)
{
    return field->value ? 0 : json_fail(field, "missing");
}

int json_get_text(const struct json_field *field, const char **text)
{
    if (!field->value)
        return 0;
    if (!json_object_is_type(field->value, json_type_string))
        return fail_type(field, "a string");
    *text = json_object_get_string(field->value);
    return 0;
}

int json_get_bool(const struct json_field *field, bool *value)
{
    if (!field->value)
        return 0;
    if (!json_object_is_type(field->value, json_type_boolean))
        return fail_type(field, "true or false");
    *value = json_object_get_boolean(field->value);
    return 0;
}

int json_get_number(const struct json_field *field, uint64_t max, uint64_t *number)
{
    if (!field->value)
        return 0;

    bool whole = json_object_is_type(field->value, json_type_int);
    bool negative = whole && json_object_get_int64(field->value) < 0;
    uint64_t found = whole ? json_object_get_uint64(field->value) : 0;

    if (whole && !negative && found <= max) {
        *number = found;
        return 0;
    }
    if (whole)
        return json_fail(field, "expected a number from 0 to %llu, found %s",
                         (unsigned long long)max, json_object_get_string(field->value));
    return json_fail(field, "expected a number from 0 to %llu, found %s", (unsigned long long)max,
                     json_type_text(field->value));
}

int json_get_u32(const struct json_field *field, uint32_t max, uint32_t *number)
{
    uint64_t wide = *number;
    int result = json_get_number(field, max, &wide);

    if (result == 0)
        *number = (uint32_t)wide;
    return result;
}

int json_get_signed(const struct json_field *field, int64_t min, int64_t max, int64_t *number)
{
    if (!field->value)
        return 0;

    bool whole = json_object_is_type(field->value, json_type_int);
    /* Larger values than INT64_MAX are cut down to it by json-c: compare as unsigned as well. */
    int64_t found = whole ? json_object_get_int64(field->value) : 0;
    bool huge = whole && found > 0 && json_object_get_uint64(field->value) > (uint64_t)INT64_MAX;

    if (whole && !huge && found >= min && found <= max) {
        *number = found;
        return 0;
    }
    return json_fail(field, "expected a number from %lld to %lld, found %s", (long long)min,
                     (long long)max,
                     whole ? json_object_get_string(field->value) : json_type_text(field->value));
}

int json_get_array(const struct json_field *field, size_t *count)
{
    *count = 0;
    if (!field->value)
        return 0;
    if (!json_object_is_type(field->value, json_type_array))
        return fail_type(field, "an array");
    *count = json_object_array_length(field->value);
    return 0;
}

int json_check_object(const struct json_field *field)
{
    if (field->value && !json_object_is_type(field->value, json_type_object))
        return fail_type(field, "an object");
    return 0;
}

int json_get_texts(const struct json_field *field, const char ***texts)
{
    size_t count;
    int result = json_get_array(field, &count);

    if (result < 0)
        return result;

    autofree const char **array = calloc(count + 1, sizeof(*array));

    if (!array)
        return fail(ENOMEM, "cannot allocate memory");
    for (size_t i = 0; i < count; i++) {
        struct json_field element = json_element(field, i);

        if (!element.value)
            return fail_type(&element, "a string");
        result = json_get_text(&element, &array[i]);
        if (result < 0)
            return result;
    }
    *texts = take_pointer(array);
    return 0;
}

int json_write(struct json_object *document, struct text *text)
{
    size_t length = 0;
    const char *string = json_object_to_json_string_length(
        document,
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE,
        &length);

    if (string) {
        text_append_bytes(text, string, length);
        text_append(text, "\n");
    }
    return string && !text->failed ? 0 : fail(ENOMEM, "cannot allocate memory");
}
