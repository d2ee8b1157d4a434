/* Fuzz target: /proc/PID/status and stat, in which a process has a name of its choice.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/linux/process_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct text *text, const char *string)
{
    if (string && (string < text->data || string + strlen(string) > text->data + text->length))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    struct process_status status;
    struct process_stat stat;

    text_append_bytes(&text, data, size);
    text_append_bytes(&text, "", 0);
    if (process_stat_parse(text.data, &stat) == 0) {
        char path[32];

        if (memchr(stat.name, 0, sizeof(stat.name)) == NULL)
            abort();
        terminal_path(stat.terminal, path, sizeof(path));
        if (memchr(path, 0, sizeof(path)) == NULL)
            abort();
    }
    process_status_parse(text.data, &status);
    check(&text, status.state);
    check(&text, status.groups);
    check(&text, status.pid_chain);
    check(&text, status.cpus);
    process_status_free(&status);
    return 0;
}
