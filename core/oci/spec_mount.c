/* Changes to a config.json that is under construction: one mount, from text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/oci/json_build.h"
#include "core/oci/spec_edit.h"

struct written_mount {
    const char *type;
    const char *source;
    const char *destination;
    struct text_list options;
};

/* Cut the next field off *rest, in place. As in CSV, a field that begins with a double quote goes
 * on to the next lone one, and "" stands for a quote inside. Returns NULL if that is not so. */
static char *take_field(char **rest, bool *more)
{
    char *read = *rest;
    char *field = read;

    if (*read != '"') {
        read += strcspn(read, ",");
    } else {
        char *write = field;

        for (read++; *read && (*read != '"' || read[1] == '"'); read++) {
            if (*read == '"')
                read++;
            *write++ = *read;
        }
        if (*read != '"' || (read[1] && read[1] != ','))
            return NULL;
        read++;
        *more = *read == ',';
        *write = '\0';
        *rest = read + *more;
        return field;
    }
    *more = *read == ',';
    *read = '\0';
    *rest = read + *more;
    return field;
}

/* The member that a key sets, or NULL for an option. */
static const char **find_target(struct written_mount *mount, const char *key, size_t length)
{
    static const struct {
        char name[12];
        uint8_t offset;
    } keys[] = {
        {"type", offsetof(struct written_mount, type)},
        {"src", offsetof(struct written_mount, source)},
        {"source", offsetof(struct written_mount, source)},
        {"dst", offsetof(struct written_mount, destination)},
        {"destination", offsetof(struct written_mount, destination)},
        {"target", offsetof(struct written_mount, destination)},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strlen(keys[i].name) == length && memcmp(keys[i].name, key, length) == 0)
            return (const char **)((char *)mount + keys[i].offset);
    }
    return NULL;
}

static int read_field(struct written_mount *mount, const char *text, const char *field)
{
    const char *equals = strchr(field, '=');
    const char **target = equals ? find_target(mount, field, (size_t)(equals - field)) : NULL;

    if (!*field)
        return fail_usage("--mount: \"%s\" has an empty part", text);
    if (!target)
        return text_list_add(&mount->options, strcmp(field, "readonly") == 0 ? "ro" : field);
    if (*target)
        return fail_usage("--mount: \"%s\" gives %.*s twice", text, (int)(equals - field), field);
    if (!equals[1])
        return fail_usage("--mount: \"%s\" has an empty %.*s", text, (int)(equals - field), field);
    *target = equals + 1;
    return 0;
}

static bool has_option(const struct text_list *options, const char *option)
{
    for (size_t i = 0; i < options->count; i++) {
        if (strcmp(options->items[i], option) == 0)
            return true;
    }
    return false;
}

/* Check the whole, and fill in what can be left out. */
static int complete(struct written_mount *mount, const char *text)
{
    if (!mount->destination || *mount->destination != '/')
        return fail_usage("--mount: \"%s\" has no dst=/ABSOLUTE/PATH", text);

    bool bind = has_option(&mount->options, "bind") || has_option(&mount->options, "rbind");

    if (!mount->type && !bind)
        return fail_usage("--mount: \"%s\" has no type=", text);
    if (!mount->type)
        mount->type = "bind";
    if (strcmp(mount->type, "bind") == 0 && !mount->source)
        return fail_usage("--mount: \"%s\" is a bind mount without src=", text);
    if (!mount->source)
        mount->source = mount->type;
    if (strcmp(mount->type, "bind") == 0 && !bind)
        return text_list_add(&mount->options, "rbind");
    return 0;
}

static int append_mount(struct json_object *document, const struct written_mount *written)
{
    struct json_object *mounts = json_descend_array(document, "mounts", NULL, NULL);
    struct json_object *mount = mounts ? json_object_new_object() : NULL;

    if (!mounts)
        return -EINVAL;

    int result = json_append(mounts, mount);

    if (result == 0)
        result = json_set(mount, "destination", json_text(written->destination));
    if (result == 0)
        result = json_set(mount, "type", json_text(written->type));
    if (result == 0)
        result = json_set(mount, "source", json_text(written->source));
    if (result == 0 && written->options.count > 0)
        result =
            json_set(mount, "options", json_texts(written->options.items, written->options.count));
    return result;
}

int spec_add_mount(struct json_object *document, const char *text)
{
    struct written_mount mount = {0};
    autofree char *copy = strdup(text);
    char *rest = copy;
    bool more = true;
    int result = copy ? 0 : fail(ENOMEM, "cannot allocate memory");

    while (result == 0 && more) {
        const char *field = take_field(&rest, &more);

        result = field ? read_field(&mount, text, field)
                       : fail_usage("--mount: \"%s\" has a wrong quote", text);
    }
    if (result == 0)
        result = complete(&mount, text);
    if (result == 0)
        result = append_mount(document, &mount);
    text_list_free(&mount.options);
    return result;
}
