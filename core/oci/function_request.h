/* A request to a function: one line of JSON.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     {"id": 7, "args": ["/bin/wc", "-c"], "env": {"LANG": "C"}, "input": "text"}
 *
 * Every member may be missing. The input is text, or base64 in "input_base64", or what is in
 * "input_file". A member that is not known is a mistake.
 */
#pragma once

#include <stddef.h>

struct json_object;

struct function_request {
    struct json_object *document; /* owned: what is not allocated points into it */
    char *id;                     /* as JSON, allocated; NULL: none, or not to be made out */
    const char **args;            /* NULL-terminated, allocated; NULL: none given */
    char **env;                   /* NAME=VALUE, NULL-terminated, allocated; NULL: none given */
    char *input;                  /* allocated, if not NULL */
    size_t input_length;
    const char *input_file; /* NULL: none */
};
#define NO_REQUEST ((struct function_request){.document = 0})

/* Read it. name: for messages. Returns 0 or -EINVAL (recorded), and even then the id, if there is a
 * good one. Free it in any case. */
int request_parse(struct function_request *request, const char *name, const char *line,
                  size_t length);
void request_free(struct function_request *request);
#define autorequest __attribute__((cleanup(request_free)))
