/* The default specification: what `spec` writes without options and `run` uses without a config.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct json_object;

/* Its limit of processes. */
#define SPEC_PIDS_LIMIT 32768

enum spec_form {
    SPEC_PLAIN = 0,     /* for root */
    SPEC_ROOTLESS = 1,  /* user namespace, mapped for the caller */
    SPEC_NESTED = 2,    /* inside a container: /proc and /sys bound from outside */
    SPEC_UNLIMITED = 4, /* without limits, and without the filter of devices */
    SPEC_NESTED_ROOTLESS = SPEC_NESTED | SPEC_ROOTLESS,
};

/* Build the document. The caller owns it (json_object_put). NULL with a recorded error when the
 * memory runs out or the caller's id mappings cannot be found out. */
struct json_object *spec_default(enum spec_form form);
