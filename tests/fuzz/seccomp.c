/* Fuzz target: linux.seccomp, from text to a program that the kernel would take.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/seccomp.h"
#include "core/oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Jumps lead forward, to where there are instructions, and the last one ends it. */
static void check_program(const struct filter_program *program)
{
    if (program->length == 0 || program->length > FILTER_LENGTH_MAX ||
        BPF_CLASS(program->code[program->length - 1].code) != BPF_RET)
        abort();
    for (size_t i = 0; i < program->length; i++) {
        const struct sock_filter *code = &program->code[i];
        size_t left = program->length - i - 1;

        if (BPF_CLASS(code->code) != BPF_JMP)
            continue;
        if (BPF_OP(code->code) == BPF_JA ? code->k >= left : code->jt >= left || code->jf >= left)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autotext struct text text = {0};
    struct filter_program program;
    struct config config;
    long bad_rule;

    text_append(&text, "{\"ociVersion\":\"1.0.2\",\"linux\":{\"seccomp\":");
    text_append_bytes(&text, data, size);
    text_append(&text, "}}");
    if (config_parse(&config, "fuzz", text.data, text.length) == 0) {
        if (config.seccomp.given && filter_compile(&config.seccomp, -1, &program, &bad_rule) == 0) {
            check_program(&program);
            free(program.code);
        }
        config_free(&config);
    }
    error_clear();
    return 0;
}
