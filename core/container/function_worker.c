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

/* What a worker has of a call. */
struct work {
    const struct function_service *service;
    int socket;
    struct function_header header;
    char *line;
    struct function_request request;
    int streams[FUNCTION_STREAMS];
    bool arrived; /* there is a request */
    bool ended;   /* there will not be one */
};

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

static void forget(struct work *work)
{
    request_free(&work->request);
    work->request = NO_REQUEST;
    free_pointer(&work->line);
    close_fd(&work->streams[FUNCTION_INPUT]);
    work->arrived = false;
}

/* code: what function_run() has returned, or an error on the way there. streams: as write_answer()
 * takes them. */
static void tell(const struct work *work, const struct function_result *result, int code,
                 const int *streams)
{
    const struct function_header *header = &work->header;
    struct answer own = {.socket = work->socket, .granted = header->granted};
    text_append_format(&own.text, "{\"id\":%s,\"line\":%llu,",
                       work->request.id ? work->request.id : "null",
                       (unsigned long long)header->line);
    function_tell(result, code < 0 ? function_failure() : code, &own.text);
    answer(&own, streams);
}

static int open_outputs(struct work *work)
{
    for (int i = FUNCTION_OUTPUT; i < FUNCTION_STREAMS; i++) {
        if (work->streams[i] < 0)
            work->streams[i] = open_buffer(work->service, function_streams[i]);
        if (work->streams[i] < 0)
            return -EIO;
    }
    return 0;
}

/* Take a request. One that is none is answered, and the next one may come. Returns 0, 1 or a
 * negative errno (recorded): there are no more. */
static int take(struct work *work)
{
    struct function_header *header = &work->header;
    work->ended = !receive(work->socket, header, sizeof(*header));
    if (work->ended)
        return fail_state(ECANCELED, "there are no more requests");
    work->line = malloc((size_t)header->length + 1);
    if (!work->line || !receive(work->socket, work->line, header->length))
        _exit(EXIT_OWN_FAILURE);
    work->line[header->length] = '\0';
    error_clear();
    int result = parse(header, work->line, &work->request);
    if (result == 0)
        result = work->streams[FUNCTION_INPUT] = open_input(work->service, &work->request);
    work->arrived = true;
    if (result >= 0)
        return 0;
    const struct function_result nothing = {.exceeded = -1};
    const int none[FUNCTION_STREAMS] = {-1, -1, -1};
    tell(work, &nothing, result, none);
    forget(work);
    return 1;
}

static void fill(const struct work *work, struct function_call *call)
{
    call->program = (char **)(uintptr_t)work->request.args;
    call->env = work->request.env;
    call->own_input = !work->request.input_file;
    call->begun = work->header.begun;
    memcpy(call->streams, work->streams, sizeof(call->streams));
}

static int arrive(void *context, struct function_call *call)
{
    struct work *work = context;
    int result = take(work);
    if (result == 0)
        fill(work, call);
    return result;
}

/* With a container that is made before there is a request. */
static int call_ahead(struct work *work, struct function_result *result)
{
    int code = open_outputs(work);
    if (code < 0)
        return code;
    const struct function_call call = {
        .streams = {-1, work->streams[FUNCTION_OUTPUT], work->streams[FUNCTION_ERRORS]},
        .arrive = arrive,
        .context = work,
        .requests = work->socket};
    return work->service->call(work->service->context, &call, result);
}

static int be_there(void *context, struct function_call *call)
{
    fill(context, call);
    return 0;
}

static int call_now(struct work *work, const struct error *failure, struct function_result *result)
{
    int code = failure->kind == ERROR_NONE ? open_outputs(work) : error_adopt(failure);
    if (code < 0)
        return code;
    const struct function_call call = {
        .streams = {-1, work->streams[FUNCTION_OUTPUT], work->streams[FUNCTION_ERRORS]},
        .arrive = be_there,
        .context = work,
        .requests = -1};
    return work->service->call(work->service->context, &call, result);
}

/* failure: the worker could not be made ready. What cannot be made ahead is tried once more when it
 * is asked for: then there is somebody to be told why not. */
static void serve(struct work *work, const struct error *failure, bool ahead)
{
    struct function_result result = {.exceeded = -1};
    int code = ahead ? call_ahead(work, &result) : 0;
    if (!work->arrived && !work->ended) {
        result = (struct function_result){.exceeded = -1};
        while ((code = take(work)) > 0)
            ;
        if (code == 0)
            code = call_now(work, failure, &result);
    }
    if (work->arrived)
        tell(work, &result, code, work->streams);
    forget(work);
    close_fd(&work->streams[FUNCTION_OUTPUT]);
    close_fd(&work->streams[FUNCTION_ERRORS]);
}

_Noreturn void function_work(const struct function_service *service, int socket)
{
    struct work work = {
        .service = service, .socket = socket, .request = NO_REQUEST, .streams = {-1, -1, -1}};
    service->begin(service->context);
    const struct error failure = error_set_aside();
    while (!work.ended)
        serve(&work, &failure, failure.kind == ERROR_NONE && !work.header.last);
    service->end(service->context);
    _exit(0);
}
