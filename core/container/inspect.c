/* The documents of inspect: how they are built.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"

/* No file of /proc that is read whole is larger: the environment and the arguments together may
 * have 6 MiB, and there may be 100,000 mounts. */
#define FILE_BYTES_MAX (64U << 20)

void inspect_put(struct inspect *inspect, struct json_object *object, const char *key,
                 struct json_object *value)
{
    if (value && json_object_object_add(object, key, value) == 0)
        return;
    json_object_put(value);
    inspect->failed = true;
}

void inspect_put_null(struct inspect *inspect, struct json_object *object, const char *key)
{
    if (json_object_object_add(object, key, NULL) < 0)
        inspect->failed = true;
}

void inspect_put_text(struct inspect *inspect, struct json_object *object, const char *key,
                      const char *value)
{
    inspect_put(inspect, object, key, inspect_string(value, strlen(value)));
}

void inspect_put_number(struct inspect *inspect, struct json_object *object, const char *key,
                        int64_t value)
{
    inspect_put(inspect, object, key, json_object_new_int64(value));
}

void inspect_put_bool(struct inspect *inspect, struct json_object *object, const char *key,
                      bool value)
{
    inspect_put(inspect, object, key, json_object_new_boolean(value));
}

void inspect_add(struct inspect *inspect, struct json_object *array, struct json_object *value)
{
    if (value && json_object_array_add(array, value) == 0)
        return;
    json_object_put(value);
    inspect->failed = true;
}

struct json_object *inspect_string(const char *bytes, size_t length)
{
    autotext struct text text = {0};
    while (length > 0) {
        /* It stops at the NUL that is behind every text here. */
        size_t size = *bytes ? utf8_sequence(bytes, NULL) : 0;
        if (size > 0 && size <= length)
            text_append_bytes(&text, bytes, size);
        else
            text_append(&text, "\xef\xbf\xbd");
        size = size > 0 && size <= length ? size : 1;
        bytes += size;
        length -= size;
    }
    text_append_bytes(&text, "", 0);
    return text.failed ? NULL : json_object_new_string_len(text.data, (int)text.length);
}

struct json_object *inspect_refusal(const char *words)
{
    struct json_object *object = json_object_new_object();
    struct inspect inspect = {0};
    if (object)
        inspect_put_text(&inspect, object, "error", words);
    if (!inspect.failed)
        return object;
    json_object_put(object);
    return NULL;
}

struct json_object *inspect_error(int number)
{
    number = abs(number);
    return inspect_refusal(number == INSPECT_NO_PROC ? "/proc is not mounted" : strerror(number));
}

struct json_object *inspect_words(const char *words, const char *separators)
{
    struct json_object *array = json_object_new_array();
    struct inspect inspect = {0};
    while (array && *(words += strspn(words, separators))) {
        size_t length = strcspn(words, separators);
        inspect_add(&inspect, array, inspect_string(words, length));
        words += length;
    }
    if (!inspect.failed)
        return array;
    json_object_put(array);
    return NULL;
}

struct json_object *inspect_numbers(const char *words)
{
    struct json_object *array = json_object_new_array();
    struct inspect inspect = {0};
    char *end;
    for (; array; words = end) {
        unsigned long number = strtoul(words, &end, 10);
        if (end == words)
            break;
        inspect_add(&inspect, array, json_object_new_int64((int64_t)number));
    }
    if (!inspect.failed)
        return array;
    json_object_put(array);
    return NULL;
}

/* What cannot be read is a fact here, not a failure of the command. */
static int read_quietly(int directory, const char *name, struct text *text)
{
    int result = read_file(directory, name, FILE_BYTES_MAX, text);
    if (result < 0)
        error_clear();
    return result;
}

int inspect_read(const struct inspect *inspect, const char *name, struct text *text)
{
    return inspect->process < 0 ? -inspect->number : read_quietly(inspect->process, name, text);
}

int inspect_read_proc(const struct inspect *inspect, const char *name, struct text *text)
{
    return inspect->proc < 0 ? -INSPECT_NO_PROC : read_quietly(inspect->proc, name, text);
}

int inspect_link(const struct inspect *inspect, const char *name, struct text *text)
{
    /* The kernel composes them in one page. */
    char target[4097];
    if (inspect->process < 0)
        return -inspect->number;
    ssize_t length = readlinkat(inspect->process, name, target, sizeof(target) - 1);
    if (length < 0)
        return -errno;
    text_append_bytes(text, target, (size_t)length);
    return text->failed ? -ENOMEM : 0;
}
