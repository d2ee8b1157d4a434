/* Strict parsing of JSON text: json-c builds the tree, this file refuses what json-c lets pass.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"

struct source {
    const char *name;
    const char *text;
    size_t length;
};

/* Record a mistake at an offset of the text, as "NAME:LINE:COLUMN: message". */
static int fail_at(const struct source *source, size_t offset, const char *message)
{
    size_t line = 1;
    size_t start = 0;

    if (offset > source->length)
        offset = source->length;
    for (size_t i = 0; i < offset; i++) {
        if (source->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return fail_config(NULL, "%s:%zu:%zu: %s", source->name, line, offset - start + 1, message);
}

/* Step over the string literal whose opening quote is at *offset; afterwards *offset is that of the
 * closing quote, or the end of the text. */
static int scan_string(const struct source *source, size_t *offset)
{
    size_t i = *offset + 1;

    for (; i < source->length && source->text[i] != '"'; i++) {
        if ((unsigned char)source->text[i] < 0x20)
            return fail_at(source, i, "control character in a string");
        if (source->text[i] != '\\')
            continue;
        if (source->length - i >= 6 && memcmp(source->text + i, "\\u0000", 6) == 0)
            return fail_at(source, i, "\\u0000 in a string");
        i++;
    }
    *offset = i < source->length ? i : source->length;
    return 0;
}

static bool is_digit(const struct source *source, size_t offset)
{
    return offset < source->length && source->text[offset] >= '0' && source->text[offset] <= '9';
}

/* The same of a number that begins there. json-c takes 00 and -01, and makes the largest number
 * that it knows of a larger one. */
static const char *find_number_fault(const struct source *source, size_t i)
{
    static const char limits[2][21] = {"18446744073709551615", "9223372036854775808"};
    bool negative = source->text[i] == '-';
    const char *limit = limits[negative];
    size_t first = i + negative;
    size_t end = first;

    if (!is_digit(source, first) || (i > 0 && strchr("0123456789+-.eE", source->text[i - 1])))
        return NULL;
    while (is_digit(source, end))
        end++;

    size_t length = end - first;
    bool whole = end == source->length || !strchr(".eE", source->text[end]);

    if (length > 1 && source->text[first] == '0')
        return "leading zero";
    if (whole && (length > strlen(limit) ||
                  (length == strlen(limit) && memcmp(source->text + first, limit, length) > 0)))
        return "not of 64 bits";
    return NULL;
}

/* What may not stand at that place outside of strings, or NULL. json-c takes 'a', NaN and "1.". */
static const char *find_fault(const struct source *source, size_t i)
{
    switch (source->text[i]) {
    case '\0':
        return "NUL byte";
    case 'N':
    case 'I':
        return "NaN and Infinity are not JSON";
    case '\'':
        return "strings have double quotes";
    case '\f':
    case '\v':
        return "unexpected character";
    case '.':
        return is_digit(source, i + 1) ? NULL : "no digit behind the decimal point";
    default:
        return find_number_fault(source, i);
    }
}

/* One pass for what json-c accepts even in strict mode, which also counts the members of all
 * objects: each has the one colon that stands outside of strings. */
static int scan(const struct source *source, size_t *members)
{
    *members = 0;
    for (size_t i = 0; i < source->length; i++) {
        char c = source->text[i];

        const char *fault = find_fault(source, i);

        if (fault)
            return fail_at(source, i, fault);
        if (c == ':')
            ++*members;
        if (c == '"') {
            int result = scan_string(source, &i);

            if (result < 0)
                return result;
        }
    }
    return 0;
}

/* The depth is bounded by the tokener. */
static size_t count_members(struct json_object *value)
{
    size_t count = 0;

    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            count += 1 + count_members(member);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    }
    return count;
}

/* Is the string that ends before offset the name of a member? */
static bool is_name(const struct source *source, size_t offset)
{
    while (offset < source->length && strchr(" \t\r\n", source->text[offset]))
        offset++;
    return offset < source->length && source->text[offset] == ':';
}

/* Enter the name in the set of its object. Returns -EEXIST if it is there. */
static int note_name(struct json_object *names, const char *literal, size_t length)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *name =
        tokener ? json_tokener_parse_ex(tokener, literal, (int)length) : NULL;
    int result = 0;

    if (!name)
        result = -ENOMEM;
    else if (json_object_object_get_ex(names, json_object_get_string(name), NULL))
        result = -EEXIST;
    else
        result =
            json_object_object_add(names, json_object_get_string(name), NULL) < 0 ? -ENOMEM : 0;
    json_object_put(name);
    if (tokener)
        json_tokener_free(tokener);
    return result;
}

/* The text is valid JSON and has more members than its tree: find the first name that comes twice.
 * names: one set per depth. */
static int find_duplicate(const struct source *source, struct json_object **names)
{
    size_t depth = 0;

    for (size_t i = 0; i < source->length; i++) {
        char c = source->text[i];
        size_t start = i;

        if (c == '{' || c == '[') {
            depth++;
            json_object_put(names[depth]);
            names[depth] = json_object_new_object();
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == '"') {
            scan_string(source, &i);
            if (!is_name(source, i + 1))
                continue;

            int result = note_name(names[depth], source->text + start, i + 1 - start);

            if (result == -ENOMEM)
                return fail(ENOMEM, "cannot allocate memory");
            if (result == -EEXIST) {
                char message[160];
                size_t length = i + 1 - start < 120 ? i + 1 - start : 120;

                snprintf(message, sizeof(message), "duplicate key %.*s", (int)length,
                         source->text + start);
                return fail_at(source, start, message);
            }
        }
    }
    return fail_at(source, 0, "duplicate key");
}

static int refuse_duplicate(const struct source *source)
{
    struct json_object *names[JSON_DEPTH_MAX + 2] = {0};
    int result = find_duplicate(source, names);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_object_put(names[i]);
    return result;
}

/* Record what json-c had against the text. */
static int fail_syntax(const struct source *source, struct json_tokener *tokener)
{
    enum json_tokener_error error = json_tokener_get_error(tokener);

    switch (error) {
    case json_tokener_continue:
        return fail_at(source, source->length, "unexpected end of the document");
    case json_tokener_error_depth:
        return fail_at(source, json_tokener_get_parse_end(tokener), "nested too deeply");
    case json_tokener_error_parse_number:
        return fail_at(source, json_tokener_get_parse_end(tokener),
                       "not a number, or not of 64 bits");
    case json_tokener_error_parse_utf8_string:
        return fail_at(source, json_tokener_get_parse_end(tokener), "not UTF-8");
    default:
        return fail_at(source, json_tokener_get_parse_end(tokener), json_tokener_error_desc(error));
    }
}

static int parse_source(struct json_object **document, const struct source *source,
                        struct json_tokener *tokener)
{
    size_t members;
    int result = scan(source, &members);

    if (result < 0)
        return result;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);

    struct json_object *tree = json_tokener_parse_ex(tokener, source->text, (int)source->length);

    /* A number at the very end could go on: a NUL byte tells that it does not. */
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        tree = json_tokener_parse_ex(tokener, "", 1);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        return fail_syntax(source, tokener);
    if (members != count_members(tree)) {
        json_object_put(tree);
        return refuse_duplicate(source);
    }
    *document = tree;
    return 0;
}

int json_parse(struct json_object **document, const char *name, const char *text, size_t length)
{
    struct source source = {.name = name, .text = text, .length = length};

    *document = NULL;
    if (length > INT_MAX - 1)
        return fail_config(NULL, "%s: too large", name);

    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);

    if (!tokener)
        return fail(ENOMEM, "cannot allocate memory");

    int result = parse_source(document, &source, tokener);

    json_tokener_free(tokener);
    return result;
}
