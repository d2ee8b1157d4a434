/* A request to a function.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/function_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/base64.h"
#include "core/base/error.h"
#include "core/base/own.h"
#include "core/oci/json.h"

static int read_id(struct function_request *request, const struct json_field *field)
{
    bool good = json_object_is_type(field->value, json_type_string) ||
                json_object_is_type(field->value, json_type_int);
    if (!field->value)
        return 0;
    if (!good)
        return json_fail(field, "expected a string or a whole number, found %s",
                         json_type_text(field->value));
    const char *text = json_object_to_json_string_ext(
        field->value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    request->id = text ? strdup(text) : NULL;
    return request->id ? 0 : fail(ENOMEM, "cannot read a request");
}

static int read_args(struct function_request *request, const struct json_field *field)
{
    if (!field->value)
        return 0;
    int result = json_get_texts(field, &request->args);
    return result == 0 && !request->args[0] ? json_fail(field, "no program to run") : result;
}

static int read_env(struct function_request *request, const struct json_field *field)
{
    int result = json_check_object(field);
    if (result < 0 || !field->value)
        return result;
    size_t count = 0;
    request->env = calloc((size_t)json_object_object_length(field->value) + 1, sizeof(char *));
    if (!request->env)
        return fail(ENOMEM, "cannot read a request");
    json_object_object_foreach(field->value, key, value)
    {
        const struct json_field member = {.value = value, .parent = field, .key = key};
        const char *text = NULL;
        if (!*key || strchr(key, '='))
            return json_fail(&member, "not the name of a variable");
        result = json_require(&member);
        if (result == 0)
            result = json_get_text(&member, &text);
        if (result < 0)
            return result;
        if (asprintf(&request->env[count], "%s=%s", key, text) < 0) {
            request->env[count] = NULL;
            return fail(ENOMEM, "cannot read a request");
        }
        count++;
    }
    return 0;
}

static int read_input(struct function_request *request, const struct json_field *root)
{
    const struct json_field text = json_member(root, "input");
    const struct json_field base64 = json_member(root, "input_base64");
    const struct json_field file = json_member(root, "input_file");
    const char *value = NULL;
    if ((text.value != NULL) + (base64.value != NULL) + (file.value != NULL) > 1)
        return json_fail(root, "input, input_base64 and input_file exclude each other");
    int result = json_get_text(&file, &request->input_file);
    if (result == 0 && request->input_file && request->input_file[0] != '/')
        return json_fail(&file, "expected an absolute path");
    if (result == 0)
        result = json_get_text(text.value ? &text : &base64, &value);
    if (result < 0 || !value)
        return result;
    if (text.value) {
        request->input = strdup(value);
        request->input_length = strlen(value);
    } else {
        request->input = malloc(strlen(value) / 4 * 3 + 1);
        if (request->input && base64_decode(value, request->input, &request->input_length) < 0)
            return json_fail(&base64, "this is not base64");
    }
    return request->input ? 0 : fail(ENOMEM, "cannot read a request");
}

static int check_members(const struct json_field *root)
{
    static const char known[][13] = {"id", "args", "env", "input", "input_base64", "input_file"};
    json_object_object_foreach(root->value, key, value)
    {
        const struct json_field member = {.value = value, .parent = root, .key = key};
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) && strcmp(key, known[i]) != 0)
            i++;
        if (i == sizeof(known) / sizeof(known[0]))
            return json_fail(&member, "a request has no such member");
    }
    return 0;
}

int request_parse(struct function_request *request, const char *name, const char *line,
                  size_t length)
{
    *request = NO_REQUEST;
    int result = json_parse(&request->document, name, line, length);
    if (result < 0)
        return result;
    const struct json_field root = json_root(request->document);
    if (!json_object_is_type(request->document, json_type_object))
        return json_fail(&root, "expected an object, found %s", json_type_text(root.value));
    const struct json_field id = json_member(&root, "id");
    const struct json_field args = json_member(&root, "args");
    const struct json_field env = json_member(&root, "env");
    result = read_id(request, &id);
    if (result == 0)
        result = check_members(&root);
    if (result == 0)
        result = read_args(request, &args);
    if (result == 0)
        result = read_env(request, &env);
    return result == 0 ? read_input(request, &root) : result;
}

void request_free(struct function_request *request)
{
    for (char **entry = request->env; entry && *entry; entry++)
        free(*entry);
    free_pointer(&request->env);
    free_pointer(&request->args);
    free_pointer(&request->input);
    free_pointer(&request->id);
    json_release(&request->document);
}
