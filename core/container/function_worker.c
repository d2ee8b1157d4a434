/* One of those that answer requests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/function_service.h"
#include "core/oci/function_request.h"

/* Bytes of an answer that are looked at together; a multiple of three (base64.h). */
#define PIECE       49152
#define PIECE_LEAST 1536

/* A file that has no name. */
static int open_buffer(const struct function_service *service, const char *name)
{
    int fd = -1;
    if (service->scratch)
        fd = open(service->scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    /* Not every file system can do that. */
    if (fd < 0)
        fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? fail(errno, "cannot make room for the function's %s", name) : fd;
}

static int open_input(const struct function_service *service,
                      const struct function_request *request)
{
    if (request->input_file) {
        int fd = open(request->input_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        return fd < 0 ? fail(errno, "cannot open %s", request->input_file) : fd;
    }
    autoclose int fd = open_buffer(service, "input");
    int result =
        fd < 0 ? fd : write_all(fd, "the function's input", request->input, request->input_length);
    return result < 0 ? result : take_fd(&fd);
}

/* ---- an answer ---- */

struct answer {
    int socket;
    bool granted;     /* nobody else writes: it need not ask */
    bool asked;       /* it has said that it writes */
    struct text text; /* what is not written yet */
    char *bytes;      /* of a stream: the present piece, */
    size_t room;      /* at most so many */
};

/* Read the next piece, behind what is left of the one before. */
static ssize_t read_piece(const struct answer *answer, int fd, off_t offset, size_t kept)
{
    ssize_t count;
    do {
        count = pread(fd, answer->bytes + kept, answer->room - kept, offset);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return fail(errno, "cannot read the function's answer");
    answer->bytes[kept + (size_t)count] = '\0';
    return count;
}

/* How much of a piece is complete UTF-8 without NUL bytes; what follows is the beginning of a
 * sequence, at most three bytes, or no text. */
static size_t text_length(const char *bytes, size_t length)
{
    size_t at = 0;
    size_t step;
    while (at < length && (step = utf8_sequence(bytes + at, NULL)) > 0)
        at += step;
    return at;
}

/* 1, 0, or a negative errno (recorded). */
static int is_text(const struct answer *answer, int fd)
{
    char *bytes = answer->bytes;
    off_t offset = 0;
    size_t kept = 0;
    ssize_t count;
    while ((count = read_piece(answer, fd, offset, kept)) > 0) {
        size_t length = kept + (size_t)count;
        size_t good = text_length(bytes, length);
        kept = length - good;
        if (kept > 3)
            return 0;
        memmove(bytes, bytes + good, kept);
        offset += count;
    }
    return count < 0 ? (int)count : kept == 0;
}

static void append_piece(struct text *text, char *bytes, size_t length, bool encoded)
{
    if (encoded) {
        base64_encode(text, bytes, length);
        return;
    }
    autotext struct text literal = {0};
    char last = bytes[length];
    bytes[length] = '\0';
    text_append_json(&literal, bytes);
    bytes[length] = last;
    /* Without its quotes. */
    if (literal.failed)
        text->failed = true;
    else
        text_append_bytes(text, literal.data + 1, literal.length - 2);
}

/* When it is our turn. Before what may be cut off by our end, it is said that something comes. */
static void ask(struct answer *answer)
{
    char byte = WORKER_ASKS;
    if (answer->asked || (answer->granted && answer->text.length <= PIPE_BUF))
        return;
    answer->asked = true;
    if (write(answer->socket, &byte, 1) != 1 ||
        (!answer->granted && read(answer->socket, &byte, 1) != 1))
        _exit(EXIT_OWN_FAILURE);
}

static int flush(struct answer *answer)
{
    struct text *text = &answer->text;
    if (text->failed)
        return fail(ENOMEM, "cannot compose the answer");
    ask(answer);
    int result = write_all_in_time(STDOUT_FILENO, "standard output", text->data, text->length);
    text_free(text);
    *text = (struct text){0};
    return result;
}

/* Write a stream as a member: whatever its size, in pieces. */
static int write_stream(struct answer *answer, int fd, const char *name)
{
    struct text *text = &answer->text;
    char *bytes = answer->bytes;
    off_t offset = 0;
    size_t kept = 0;
    ssize_t count;
    int plain = is_text(answer, fd);
    if (plain < 0)
        return plain;
    text_append_format(text, ",\"%s%s\":\"", name, plain ? "" : "_base64");
    while ((count = read_piece(answer, fd, offset, kept)) > 0) {
        size_t length = kept + (size_t)count;
        size_t good = plain ? text_length(bytes, length) : length - length % 3;
        offset += count;
        append_piece(text, bytes, good, !plain);
        kept = length - good;
        memmove(bytes, bytes + good, kept);
        int result = text->length > PIPE_BUF ? flush(answer) : 0;
        if (result < 0)
            return result;
    }
    if (kept > 0)
        append_piece(text, bytes, kept, !plain);
    text_append(text, "\"");
    return count < 0 ? (int)count : 0;
}

/* Most streams are small. */
static void choose_room(struct answer *answer, const int *streams)
{
    struct stat status;
    answer->room = PIECE_LEAST;
    for (int i = FUNCTION_OUTPUT; i < FUNCTION_STREAMS; i++) {
        if (streams[i] >= 0 && fstat(streams[i], &status) == 0 && status.st_size > PIECE_LEAST)
            answer->room = PIECE;
    }
}

static int write_answer(struct answer *answer, const int *streams)
{
    choose_room(answer, streams);
    answer->bytes = malloc(answer->room + 1);
    int result = answer->bytes ? 0 : fail(ENOMEM, "cannot compose the answer");
    for (int i = FUNCTION_OUTPUT; result == 0 && i < FUNCTION_STREAMS; i++) {
        if (streams[i] >= 0)
            result = write_stream(answer, streams[i], function_streams[i]);
    }
    free(answer->bytes);
    text_append(&answer->text, "}\n");
    return result == 0 ? flush(answer) : result;
}

static void answer(struct answer *answer, const int *streams)
{
    error_clear();
    char byte = write_answer(answer, streams) < 0 ? WORKER_BROKEN : WORKER_DONE;
    text_free(&answer->text);
    if (write(answer->socket, &byte, 1) != 1)
        _exit(EXIT_OWN_FAILURE);
    error_clear();
}

/* ---- a request ---- */

static int parse(const struct function_header *header, char *line, struct function_request *request)
{
    if (header->cut)
        return fail_config(NULL, "a request has at most %u bytes (use input_file)", header->length);
    return request_parse(request, "request", line, header->length);
}

static int call(const struct function_service *service, const struct function_request *request,
                int *streams, struct function_result *result)
{
    const struct function_call call = {.program = (char **)(uintptr_t)request->args,
                                       .env = request->env,
                                       .own_input = !request->input_file,
                                       .streams = {streams[0], streams[1], streams[2]}};
    return service->call(service->context, &call, result);
}

/* failure: the worker could not be made ready. */
static void serve(const struct function_service *service, int socket, const struct error *failure,
                  const struct function_header *header, char *line)
{
    autorequest struct function_request request = NO_REQUEST;
    struct answer own = {.socket = socket, .granted = header->granted};
    struct function_result result = {.exceeded = -1};
    int code = parse(header, line, &request);
    if (code == 0 && failure->kind != ERROR_NONE)
        code = error_adopt(failure);
    autoclose int input = code < 0 ? -1 : open_input(service, &request);
    autoclose int output = input < 0 ? -1 : open_buffer(service, "output");
    autoclose int errors = output < 0 ? -1 : open_buffer(service, "errors");
    int streams[FUNCTION_STREAMS] = {input, output, errors};
    if (errors >= 0)
        code = call(service, &request, streams, &result);
    text_append_format(&own.text, "{\"id\":%s,\"line\":%llu,", request.id ? request.id : "null",
                       (unsigned long long)header->line);
    function_tell(&result, code < 0 || errors < 0 ? function_failure() : code, &own.text);
    answer(&own, streams);
}

/* The whole of it. Returns false at the end of the socket. */
static bool receive(int socket, void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t count = read(socket, (char *)bytes + done, length - done);
        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        done += count < 0 ? 0 : (size_t)count;
    }
    return true;
}

_Noreturn void function_work(const struct function_service *service, int socket)
{
    struct function_header header;
    service->begin(service->context);
    const struct error failure = error_set_aside();
    while (receive(socket, &header, sizeof(header))) {
        char *line = malloc((size_t)header.length + 1);
        if (!line || !receive(socket, line, header.length))
            _exit(EXIT_OWN_FAILURE);
        line[header.length] = '\0';
        serve(service, socket, &failure, &header, line);
        free(line);
    }
    service->end(service->context);
    _exit(0);
}
