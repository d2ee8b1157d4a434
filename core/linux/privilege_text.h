/* Sets of capabilities and securebits as setpriv(1) writes them. capabilities(7).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "core/base/text.h"

/* Change the set by "+NAME,-NAME,...": NAME is a capability with or without cap_, a number, a range
 * of numbers (12-15), cap_N, or all. Items apply in their order. option: for messages. Returns 0 or
 * -EINVAL (recorded, a usage error). */
int capabilities_edit(uint64_t *set, const char *option, const char *text);

/* Append "chown,kill", "[none]" for an empty set. Numbers without a name are cap_N. */
void capabilities_list(struct text *text, uint64_t set);

/* The same to an empty text, one in a line. Returns 0 or -ENOMEM (recorded). */
int capabilities_lines(struct text *text, uint64_t set);

/* The same for securebits: noroot, no_setuid_fixup, no_cap_ambient_raise, each with _locked, and
 * keep_caps_locked; -all. (keep_caps itself is gone with the next exec.) */
int securebits_edit(unsigned *bits, const char *option, const char *text);
void securebits_list(struct text *text, unsigned bits);

/* "noroot" for bit 0 (SECURE_NOROOT); NULL for a bit without a name. */
const char *securebit_name(unsigned bit);
