/* Members of JSON objects, read into a struct by a constant table.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct json_field;

/* What a member must be, and the C type of the struct field that it fills. */
enum member_kind {
    MEMBER_TEXT,  /* const char *: a string; "" counts as not given */
    MEMBER_PATH,  /* const char *: the same, an absolute path */
    MEMBER_BOOL,  /* bool */
    MEMBER_ID,    /* uint32_t: 0 to ID_MAX */
    MEMBER_U32,   /* uint32_t */
    MEMBER_U64,   /* uint64_t */
    MEMBER_TEXTS, /* const char **: strings, NULL-terminated, freed by the owner; "" is left out */
    MEMBER_PATHS, /* the same, absolute paths; "" is refused */
};

struct member {
    char key[21];
    uint8_t kind;     /* enum member_kind */
    uint8_t required; /* 1: must be there */
    uint16_t offset;
};

/* Fill target from the members of the object. Those that are not there leave their fields as they
 * are, except MEMBER_TEXTS and MEMBER_PATHS, which become empty arrays. Returns 0 or a negative
 * errno (recorded). The object itself may be missing. */
int members_read(const struct json_field *object, const struct member *table, size_t count,
                 void *target);
