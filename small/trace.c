/* No trace, in place of core/base/trace.c: compiled with SHIMBOX_NO_TRACE, nothing is announced,
 * and what remains is called from outside of trace_if_wanted(). SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/trace.h"

#include <errno.h>
#include <stddef.h>

#include "core/base/error.h"

bool trace_enabled;

int trace_start(const char *path)
{
    int result = fail(ENOTSUP, "cannot write a trace to %s", path ? path : "standard error");
    error_hint("this binary was built small, without it; unset SHIMBOX_TRACE");
    return result;
}

bool trace_resume(void)
{
    return false;
}

void trace_child(const char *name)
{
    (void)name;
}

int trace_descriptor(void)
{
    return -1;
}

void trace_flush(void)
{
}

void trace_end(void)
{
}
