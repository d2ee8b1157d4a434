/* cmocka, and the headers that it wants before it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* cmocka's macro of this name is in the way of core/base/error.h. fail_msg() goes with it. */
#undef fail
