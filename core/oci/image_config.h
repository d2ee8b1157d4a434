/* What an OCI image says about its process. image-spec, config.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

struct json_object;

/* Strings belong to the document; empty strings count as not given (NULL). */
struct image_config {
    struct json_object *document;
    const char **entrypoint; /* NULL-terminated, never NULL */
    const char **command;    /* likewise */
    const char **env;        /* likewise; every entry is NAME=VALUE */
    const char *working_dir; /* absolute */
    const char *hostname;    /* not in image-spec, but images have it */
    const char *user;
};

/* Parse the image's configuration, the JSON that the manifest points to. Names of members are found
 * whatever their case is, as the field's Go programs do. name: the file, for messages. The caller
 * frees with image_config_free(), also after a failure. Returns 0 or a negative errno (recorded).
 */
int image_config_parse(struct image_config *image, const char *name, const char *text,
                       size_t length);

void image_config_free(struct image_config *image);
