/* The documents of inspect as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/container/inspect_text.h"

const char *inspect_error_of(struct json_object *value)
{
    struct json_object *words;
    if (json_object_is_type(value, json_type_object) && json_object_object_length(value) == 1 &&
        json_object_object_get_ex(value, "error", &words))
        return json_object_get_string(words);
    return NULL;
}

/* Control characters as \xNN. */
static void append_printable(struct text *text, const char *string)
{
    size_t size = strlen(string) * 4 + 1;
    autofree char *line = malloc(size);
    if (line)
        text_printable(string, line, size);
    else
        text->failed = true;
    text_append(text, line ? line : "");
}

/* quoted: where blanks separate, a text with blanks is put in quotes. */
static void append_scalar(struct text *text, struct json_object *value, bool quoted)
{
    const char *string = json_object_get_string(value);
    const char *error = inspect_error_of(value);
    autotext struct text words = {0};
    if (error) {
        text_append_format(&words, "(%s)", error);
        string = words.data ? words.data : "";
    } else if (!value) {
        string = "-";
    } else if (json_object_is_type(value, json_type_boolean)) {
        string = json_object_get_boolean(value) ? "yes" : "no";
    }
    if (quoted && (!*string || string[strcspn(string, " \t\n\"")]))
        text_append_json(text, string);
    else
        append_printable(text, string);
}

static void append_list(struct text *text, struct json_object *array, const char *separator)
{
    size_t count = json_object_array_length(array);
    if (count == 0)
        text_append(text, "-");
    for (size_t i = 0; i < count; i++) {
        text_append(text, i > 0 ? separator : "");
        inspect_append(text, json_object_array_get_idx(array, i), ",", true);
    }
}

/* "key=value key=value" */
static void append_members(struct text *text, struct json_object *object)
{
    const char *blank = "";
    json_object_object_foreach(object, key, value)
    {
        text_append_format(text, "%s%s=", blank, key);
        inspect_append(text, value, ",", true);
        blank = " ";
    }
}

void inspect_append(struct text *text, struct json_object *value, const char *separator,
                    bool quoted)
{
    if (json_object_is_type(value, json_type_array))
        append_list(text, value, separator);
    else if (json_object_is_type(value, json_type_object) && !inspect_error_of(value))
        append_members(text, value);
    else
        append_scalar(text, value, quoted);
}

/* ---- one fact a line ---- */

bool inspect_holds_objects(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) && json_object_array_length(array) > 0 &&
           json_object_is_type(json_object_array_get_idx(array, 0), json_type_object);
}

static void append_lines(struct text *text, const char *name, struct json_object *value, bool top)
{
    if (json_object_is_type(value, json_type_object) && !inspect_error_of(value)) {
        json_object_object_foreach(value, key, member)
        {
            autotext struct text path = {0};
            text_append_format(&path, "%s.%s", name, key);
            append_lines(text, path.data ? path.data : "", member, false);
        }
        return;
    }
    if (json_object_is_type(value, json_type_array) && (top || inspect_holds_objects(value))) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            text_append_format(text, "%s: ", name);
            inspect_append(text, json_object_array_get_idx(value, i), ",", false);
            text_append(text, "\n");
        }
        return;
    }
    text_append_format(text, "%s: ", name);
    inspect_append(text, value, " ", false);
    text_append(text, "\n");
}

void inspect_lines(struct json_object *document, struct text *text)
{
    json_object_object_foreach(document, key, value)
    {
        append_lines(text, key, value, true);
    }
}
