/* Bytes as text. RFC 4648, section 4: the usual alphabet, with padding.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

struct text;

/* Append the bytes so. Pieces but the last must have a multiple of three bytes. */
void base64_encode(struct text *text, const void *bytes, size_t length);

/* bytes: room for three quarters of the text. Neither blanks nor anything behind the padding are
 * allowed, nor bits that would be lost. Returns 0 or -EINVAL (not recorded). */
int base64_decode(const char *text, void *bytes, size_t *length);
