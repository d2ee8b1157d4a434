/* What there is to say about a call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/container/function.h"
#include "core/linux/signals.h"

static const char ends[][10] = {
    [FUNCTION_FAILED] = "failed",
    [FUNCTION_ENDED] = "ended",
    [FUNCTION_EXCEEDED] = "exceeded",
    [FUNCTION_TIMED_OUT] = "timed-out",
};

const char function_streams[FUNCTION_STREAMS][7] = {"input", "output", "errors"};

void function_tell(const struct function_result *result, int code, struct text *text)
{
    text_append_format(text, "\"exit\":%d,\"end\":\"%s\"", code, ends[result->end]);
    if (result->signal) {
        text_append(text, ",\"signal\":");
        text_append_json(text, signal_name(result->signal));
    }
    if (result->exceeded >= 0)
        text_append_format(text, ",\"truncated\":\"%s\"", function_streams[result->exceeded]);
    text_append_format(text, ",\"oom\":%s,\"bytes\":{", result->oom ? "true" : "false");
    for (int i = 0; i < FUNCTION_STREAMS; i++)
        text_append_format(text, "%s\"%s\":%llu", i > 0 ? "," : "", function_streams[i],
                           (unsigned long long)result->flows[i].moved);
    text_append_format(text, "},\"wall_us\":%lld,\"user_us\":%lld,\"system_us\":%lld",
                       (long long)result->wall, (long long)result->user, (long long)result->system);
    if (result->peak)
        text_append_format(text, ",\"peak_memory\":%llu", (unsigned long long)result->peak);
    if (error_is_set()) {
        char line[1024];
        error_format(error_get(), line, sizeof(line));
        text_append(text, ",\"error\":");
        text_append_json(text, line);
    }
}
