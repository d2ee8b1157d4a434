/* The one error record of a process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/annex.h"
#include "core/base/text.h"

static struct error_state own_errors;

/* Of the process, or of the child that runs in its memory and asks. */
static struct error_state *errors(void)
{
    struct annex *annex = annex_here();
    return annex ? annex_errors(annex) : &own_errors;
}

static void set_format(char *field, size_t size, const char *format, va_list arguments)
{
    if (vsnprintf(field, size, format, arguments) < 0)
        field[0] = '\0';
}

static int put_record(enum error_kind kind, int number, const char *format, va_list arguments)
{
    struct error_state *state = errors();
    state->superseded = state->record.kind != ERROR_NONE;
    if (state->superseded)
        return 0;
    state->record.kind = (int32_t)kind;
    state->record.number = number;
    set_format(state->record.text, sizeof(state->record.text), format, arguments);
    return 0;
}

int fail(int number, const char *format, ...)
{
    va_list arguments;
    if (number <= 0)
        number = EIO;
    va_start(arguments, format);
    put_record(ERROR_SYSTEM, number, format, arguments);
    va_end(arguments);
    return -number;
}

int fail_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_record(ERROR_USAGE, 0, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

int fail_config(const char *field, const char *format, ...)
{
    struct error_state *state = errors();
    va_list arguments;
    va_start(arguments, format);
    put_record(ERROR_CONFIG, 0, format, arguments);
    va_end(arguments);
    if (field && !state->superseded)
        error_field(field);
    return -EINVAL;
}

int fail_state(int number, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_record(ERROR_STATE, 0, format, arguments);
    va_end(arguments);
    return -number;
}

int fail_exec(int number, const char *format, ...)
{
    va_list arguments;
    if (number <= 0)
        number = EIO;
    va_start(arguments, format);
    put_record(number == ENOENT || number == ENOTDIR ? ERROR_NOT_FOUND : ERROR_CANNOT_EXEC, number,
               format, arguments);
    va_end(arguments);
    return -number;
}

void error_hint(const char *format, ...)
{
    struct error_state *state = errors();
    va_list arguments;
    if (state->record.kind == ERROR_NONE || state->superseded || state->record.hint[0])
        return;
    va_start(arguments, format);
    set_format(state->record.hint, sizeof(state->record.hint), format, arguments);
    va_end(arguments);
}

void error_context(const char *format, ...)
{
    struct error *record = &errors()->record;
    va_list arguments;
    char context[sizeof(record->text)];
    if (record->kind == ERROR_NONE)
        return;
    va_start(arguments, format);
    set_format(context, sizeof(context), format, arguments);
    va_end(arguments);

    size_t length = strlen(context);
    if (length > sizeof(record->text) - 3)
        length = sizeof(record->text) - 3;
    /* What no longer fits is cut from the end of the old text. */
    memmove(record->text + length + 2, record->text, sizeof(record->text) - length - 2);
    memcpy(record->text, context, length);
    memcpy(record->text + length, ": ", 2);
    record->text[sizeof(record->text) - 1] = '\0';
}

static void set_once(char *field, size_t size, const char *value)
{
    struct error *record = &errors()->record;
    if (record->kind == ERROR_NONE || field[0])
        return;
    size_t length = strnlen(value, size - 1);
    memcpy(field, value, length);
    field[length] = '\0';
}

void error_field(const char *pointer)
{
    struct error *record = &errors()->record;
    set_once(record->field, sizeof(record->field), pointer);
}

void error_step(const char *step)
{
    struct error *record = &errors()->record;
    set_once(record->step, sizeof(record->step), step);
}

const struct error *error_get(void)
{
    return &errors()->record;
}

bool error_is_set(void)
{
    return errors()->record.kind != ERROR_NONE;
}

void error_clear(void)
{
    memset(errors(), 0, sizeof(struct error_state));
}

struct error error_set_aside(void)
{
    struct error aside = *error_get();
    error_clear();
    return aside;
}

void error_put_back(const struct error *aside)
{
    error_clear();
    if (aside->kind != ERROR_NONE)
        error_adopt(aside);
}

int error_adopt(const struct error *foreign)
{
    struct error *record = &errors()->record;
    if (record->kind == ERROR_NONE) {
        *record = *foreign;
        /* The sender may have been taken over: any value may stand in any field. */
        if (record->kind <= ERROR_NONE || record->kind > ERROR_STATE)
            record->kind = ERROR_SYSTEM;
        if (record->number < 0 || record->number > 4095)
            record->number = EIO;
        record->step[sizeof(record->step) - 1] = '\0';
        record->field[sizeof(record->field) - 1] = '\0';
        record->text[sizeof(record->text) - 1] = '\0';
        record->hint[sizeof(record->hint) - 1] = '\0';
    }
    return record->number > 0 ? -record->number : -EIO;
}

size_t error_format(const struct error *error, char *line, size_t size)
{
    /* Four parts, and every byte may take four characters. */
    char plain[sizeof(error->field) + sizeof(error->text) + sizeof(error->hint) + 128];
    /* Messages about a document name the field themselves, behind the file. */
    bool named = !error->field[0] || strstr(error->text, error->field);
    snprintf(plain, sizeof(plain), "%s%s%s%s%s%s%s%s", named ? "" : error->field, named ? "" : ": ",
             error->text, error->number ? ": " : "", error->number ? strerror(error->number) : "",
             error->hint[0] ? " (" : "", error->hint, error->hint[0] ? ")" : "");
    return text_printable(plain, line, size);
}
