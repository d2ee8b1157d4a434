/* A driver that asks another program, by messages on a socket.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/foreign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/linux/namespace.h"
#include "core/linux/packet.h"
#include "core/linux/process.h"
#include "core/oci/config.h"
#include "core/oci/json.h"

#define ANSWER_MAX 512 /* bytes of a message from the parent */

struct answer {
    char type[24];
    bool has_index;
    uint32_t index;
    int fd; /* -1: none came with it */
};

int foreign_check(int socket)
{
    int type;
    int domain;
    socklen_t size = sizeof(type);
    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
        getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
        return fail(errno, "cannot use descriptor %d to talk with the parent", socket);
    if (type != SOCK_SEQPACKET || domain != AF_UNIX)
        return fail(EPROTOTYPE, "descriptor %d is no unix socket of the type SOCK_SEQPACKET",
                    socket);
    return 0;
}

static int tell(int socket, struct text *message, int fd)
{
    if (message->failed)
        return fail(ENOMEM, "cannot make a message to the parent");
    int result = packet_send(socket, message->data, message->length, fd);
    return result < 0 ? fail(-result, "cannot tell the parent") : 0;
}

/* A message that is nothing but its type; and what is to be answered, NULL: nothing. */
static int tell_type(struct foreign *foreign, const char *type, int fd, const char *answer)
{
    autotext struct text message = {0};
    text_append_format(&message, "{\"type\":\"%s\"}", type);
    foreign->awaited = answer;
    return tell(foreign->socket, &message, fd);
}

static int read_answer(struct json_object *document, struct answer *answer)
{
    const char *type = NULL;
    struct json_field root = json_root(document);
    struct json_field fields[2] = {json_member(&root, "type"), json_member(&root, "index")};
    int result = json_check_object(&root);
    if (result == 0)
        result = json_require(&fields[0]);
    if (result == 0)
        result = json_get_text(&fields[0], &type);
    if (result == 0)
        result = json_get_u32(&fields[1], UINT32_MAX, &answer->index);
    if (result < 0)
        return result;
    answer->has_index = fields[1].value != NULL;
    if (json_object_object_length(document) != (answer->has_index ? 2 : 1))
        return fail_config(NULL, "members that are not known");
    text_printable(type, answer->type, sizeof(answer->type));
    return 0;
}

/* The next message of the parent. Its descriptor is the caller's, always. */
static int hear(const struct foreign *foreign, struct answer *answer)
{
    char bytes[ANSWER_MAX];
    bool malformed;
    struct json_object *document = NULL;
    *answer = (struct answer){.fd = -1};
    ssize_t length = packet_receive(foreign->socket, bytes, sizeof(bytes), &answer->fd, &malformed);
    if (length < 0)
        return fail((int)-length, "cannot hear from the parent");
    if (length == 0)
        return fail(EPIPE, "the parent is gone");
    if (malformed)
        return fail(EPROTO,
                    "a message of the parent has more than %d bytes, or more than one descriptor",
                    ANSWER_MAX);
    int result = json_parse(&document, "message of the parent", bytes, (size_t)length);
    if (result < 0)
        return result;
    result = read_answer(document, answer);
    if (result < 0)
        error_context("message of the parent");
    json_object_put(document);
    return result;
}

/* Exactly this one, and nothing with it. */
static int check_answer(const struct foreign *foreign, const struct answer *answer)
{
    if (!foreign->awaited)
        return fail(EPROTO, "the parent says '%s' where nothing is due", answer->type);
    if (strcmp(answer->type, foreign->awaited) != 0)
        return fail(EPROTO, "the parent says '%s' where '%s' is due", answer->type,
                    foreign->awaited);
    if (answer->fd >= 0 || answer->has_index)
        return fail(EPROTO, "the parent says '%s' with %s, which it does not take", answer->type,
                    answer->fd >= 0 ? "a descriptor" : "an index");
    return 0;
}

/* What is given for a mount: into its place of the list. */
static int take_given(struct answer *answer, size_t count, int *list)
{
    bool userns = strcmp(answer->type, "idmap") == 0;
    if (!answer->has_index || answer->fd < 0)
        return fail(EPROTO, "the parent says '%s' without %s", answer->type,
                    answer->has_index ? "a descriptor" : "an index");
    if (answer->index >= count)
        return fail(EPROTO, "the parent says '%s' for mount %u of %zu", answer->type, answer->index,
                    count);
    if (list[answer->index] >= 0)
        return fail(EPROTO, "the parent says '%s' for mount %u twice", answer->type, answer->index);
    if (userns && !namespace_has_type(answer->fd, NAMESPACE_USER))
        return fail(EPROTO,
                    "the parent says 'idmap' for mount %u with something else than a user "
                    "namespace",
                    answer->index);
    list[answer->index] = take_fd(&answer->fd);
    return 0;
}

/* Until "begin" has come. */
static int hear_given(struct foreign *foreign, struct container *container)
{
    size_t count = container->config->mount_count;
    for (;;) {
        struct answer answer;
        int result = hear(foreign, &answer);
        autoclose int fd = answer.fd;
        bool mount = strcmp(answer.type, "mount") == 0;
        if (result == 0 && !mount && strcmp(answer.type, "idmap") != 0)
            return check_answer(foreign, &answer);
        if (result == 0)
            result = take_given(&answer, count,
                                mount ? container->given_mounts : container->given_mappings);
        if (result < 0)
            return result;
        take_fd(&fd);
    }
}

static int made(void *context, const struct process *child)
{
    struct foreign *foreign = context;
    autotext struct text message = {0};
    text_append_format(&message, "{\"type\":\"pid\",\"pid\":%d}", (int)child->pid);
    foreign->awaited = "pid-done";
    int result = tell(foreign->socket, &message, child->pidfd);
    return result < 0 ? result : DRIVER_LATER;
}

static int hooks(void *context)
{
    int result = tell_type(context, "hooks", -1, "hooks-done");
    return result < 0 ? result : DRIVER_LATER;
}

static int ready(void *context)
{
    int result = tell_type(context, "ready", -1, "run");
    return result < 0 ? result : DRIVER_LATER;
}

static int listener(void *context, int fd)
{
    int result = tell_type(context, "seccomp", fd, "seccomp-done");
    return result < 0 ? result : DRIVER_LATER;
}

static int terminal(void *context, int *master)
{
    return tell_type(context, "console", *master, NULL);
}

static int running(void *context)
{
    struct foreign *foreign = context;
    bool created = foreign->container->start_fifo >= 0;
    return tell_type(foreign, created ? "created" : "running", -1, NULL);
}

static void ended(void *context, int wait_status)
{
    const struct foreign *foreign = context;
    autotext struct text message = {0};
    text_append_format(&message, "{\"type\":\"exited\",\"status\":%d",
                       process_exit_code(wait_status));
    if (WIFSIGNALED(wait_status))
        text_append_format(&message, ",\"signal\":%d", WTERMSIG(wait_status));
    text_append(&message, "}");
    if (!message.failed)
        packet_send(foreign->socket, message.data, message.length, -1);
}

static int await(void *context, struct pollfd events[DRIVER_EVENTS])
{
    events[0] = (struct pollfd){.fd = ((const struct foreign *)context)->socket, .events = POLLIN};
    return -1;
}

static int serve(void *context, const struct pollfd events[DRIVER_EVENTS])
{
    struct foreign *foreign = context;
    if (!events[0].revents)
        return DRIVER_LATER;
    struct answer answer;
    int result = hear(foreign, &answer);
    autoclose int fd = answer.fd;
    if (result == 0)
        result = check_answer(foreign, &answer);
    foreign->awaited = NULL;
    return result < 0 ? result : DRIVER_GO;
}

static const struct driver foreign_driver = {.made = made,
                                             .hooks = hooks,
                                             .ready = ready,
                                             .terminal = terminal,
                                             .listener = listener,
                                             .running = running,
                                             .ended = ended,
                                             .wait = await,
                                             .serve = serve};

int foreign_begin(struct foreign *foreign, struct container *container)
{
    size_t count = container->config->mount_count;
    step("ask the parent to begin");
    foreign->container = container;
    container->driver = &foreign_driver;
    container->driver_context = foreign;
    container->wait_for_hooks = !container->config->namespaces[NAMESPACE_MOUNT].path;
    container->given_mounts = malloc((count + 1) * sizeof(int));
    container->given_mappings = malloc((count + 1) * sizeof(int));
    if (!container->given_mounts || !container->given_mappings)
        return fail(ENOMEM, "cannot prepare %zu mounts", count);
    for (size_t i = 0; i < count; i++)
        container->given_mounts[i] = container->given_mappings[i] = -1;
    autotext struct text message = {0};
    text_append_format(&message, "{\"type\":\"configured\",\"version\":1,\"mounts\":%zu}", count);
    foreign->awaited = "begin";
    int result = tell(foreign->socket, &message, -1);
    if (result == 0)
        result = hear_given(foreign, container);
    foreign->awaited = NULL;
    return result;
}

void foreign_tell_error(int socket, const struct error *error, int code)
{
    const struct {
        const char *key;
        const char *value;
    } texts[] = {{"text", error->text},
                 {"field", error->field},
                 {"step", error->step},
                 {"hint", error->hint}};
    autotext struct text message = {0};
    text_append_format(&message, "{\"type\":\"error\",\"code\":%d", code);
    if (error->number)
        text_append_format(&message, ",\"errno\":%d", error->number);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!texts[i].value[0])
            continue;
        text_append_format(&message, ",\"%s\":", texts[i].key);
        text_append_json(&message, texts[i].value);
    }
    text_append(&message, "}");
    if (!message.failed)
        packet_send(socket, message.data, message.length, -1);
}
