/* Members of JSON objects, read into a struct by a constant table.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/member.h"

#include <stdlib.h>

#include "core/base/own.h"
#include "core/base/text.h"
#include "core/oci/json.h"

static int check_path(const struct json_field *field, const char *path)
{
    if (path[0] != '/')
        return json_fail(field, "expected an absolute path, found \"%s\"", path);
    return 0;
}

static int read_text(const struct json_field *field, bool path, const char **target)
{
    const char *text = NULL;
    int result = json_get_text(field, &text);

    if (result < 0 || !text || !*text)
        return result;
    *target = text;
    return path ? check_path(field, text) : 0;
}

static int read_texts(const struct json_field *field, bool paths, const char ***target)
{
    autofree const char **texts = NULL;
    int result = json_get_texts(field, &texts);
    size_t kept = 0;

    for (size_t i = 0; result == 0 && texts[i]; i++) {
        struct json_field element = json_element(field, i);

        if (paths && !*texts[i])
            result = json_fail(&element, "expected text, found an empty string");
        else if (paths)
            result = check_path(&element, texts[i]);
        /* buildah writes one for a volume without options. */
        if (*texts[i])
            texts[kept++] = texts[i];
    }
    if (result < 0)
        return result;
    texts[kept] = NULL;
    free(*target);
    *target = take_pointer(texts);
    return 0;
}

static int read_member(const struct json_field *field, const struct member *member, void *target)
{
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_PATH:
        return read_text(field, member->kind == MEMBER_PATH, target);
    case MEMBER_BOOL:
        return json_get_bool(field, target);
    case MEMBER_ID:
        return json_get_u32(field, ID_MAX, target);
    case MEMBER_U32:
        return json_get_u32(field, UINT32_MAX, target);
    case MEMBER_U64:
        return json_get_number(field, UINT64_MAX, target);
    default:
        return read_texts(field, member->kind == MEMBER_PATHS, target);
    }
}

int members_read(const struct json_field *object, const struct member *table, size_t count,
                 void *target)
{
    int result = json_check_object(object);

    for (size_t i = 0; result == 0 && i < count; i++) {
        struct json_field field = json_member(object, table[i].key);

        if (table[i].required && object->value)
            result = json_require(&field);
        if (result == 0)
            result = read_member(&field, &table[i], (char *)target + table[i].offset);
    }
    return result;
}
