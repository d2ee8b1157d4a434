/* The system call filter of a container: what its parent does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/driver.h"
#include "core/linux/packet.h"
#include "core/linux/seccomp.h"
#include "core/oci/config.h"
#include "core/oci/json.h"

#define LISTENER "/linux/seccomp/listenerPath"

bool filter_is_for_driver(const struct container *container)
{
    return container->driver && container->driver->listener &&
           !container->config->seccomp.listener_path;
}

static int connect_listener(struct container *container)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = container->config->seccomp.listener_path;
    step("connect to %s", path);
    trace_field(LISTENER);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    container->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (container->listener >= 0 &&
        connect(container->listener, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    int result = fail(errno, "cannot connect to %s", path);
    error_field(LISTENER);
    return result;
}

/* Beside the container's state, where there is one: else nothing is to be on disk after its end. */
static int open_cache(const struct container *container)
{
    if (container->state < 0)
        return -1;
    step("open the cache of filters");
    autoclose int root = openat(container->state, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : filter_cache_open(root);
}

int filter_prepare(struct container *container)
{
    const struct filter_profile *profile = &container->config->seccomp;
    long bad_rule = -1;
    if (!profile->given)
        return 0;
    step("check for system call filters");
    trace_field("/linux/seccomp");
    int result = filter_check();
    if (result == 0) {
        autoclose int cache = open_cache(container);
        result = filter_compile(profile, cache, &container->filter, &bad_rule);
    }
    if (result < 0) {
        char field[48] = "/linux/seccomp";
        if (bad_rule >= 0)
            snprintf(field, sizeof(field), "/linux/seccomp/syscalls/%ld", bad_rule);
        error_field(field);
        return result;
    }
    if (!profile->notifies || filter_is_for_driver(container))
        return 0;
    return profile->listener_path ? connect_listener(container)
                                  : fail_config(LISTENER, "missing, which SCMP_ACT_NOTIFY needs");
}

/* The state of the container, of which the process's state tells. */
static int append_state(const struct container *container, pid_t pid, struct text *text)
{
    struct json_object *document = container->config->document;
    char bundle[PATH_MAX];
    if (!getcwd(bundle, sizeof(bundle)))
        return fail(errno, "cannot find out the bundle's path");
    text_append(text, "{\"ociVersion\":");
    text_append_json(text, json_object_get_string(json_object_object_get(document, "ociVersion")));
    text_append(text, ",\"id\":");
    text_append_json(text, container->id ? container->id : "");
    text_append_format(text, ",\"status\":\"creating\",\"pid\":%d,\"bundle\":", (int)pid);
    text_append_json(text, bundle);
    struct json_object *annotations = json_object_object_get(document, "annotations");
    if (annotations) {
        text_append(text, ",\"annotations\":");
        text_append(text, json_object_to_json_string(annotations));
    }
    text_append(text, "}");
    return 0;
}

static int describe(const struct container *container, pid_t pid, struct text *text)
{
    const char *metadata = container->config->seccomp.listener_metadata;
    struct json_object *document = container->config->document;
    text_append(text, "{\"ociVersion\":");
    text_append_json(text, json_object_get_string(json_object_object_get(document, "ociVersion")));
    text_append_format(text, ",\"fds\":[\"seccompFd\"],\"pid\":%d,", (int)pid);
    if (metadata) {
        text_append(text, "\"metadata\":");
        text_append_json(text, metadata);
        text_append(text, ",");
    }
    text_append(text, "\"state\":");
    int result = append_state(container, pid, text);
    text_append(text, "}");
    return result < 0 || !text->failed ? result : fail(ENOMEM, "cannot tell of the container");
}

/* The descriptor goes with the first byte. */
static int send_whole(int socket, const struct text *text, int fd)
{
    for (size_t done = 0; done < text->length; fd = -1) {
        ssize_t sent = packet_send_some(socket, text->data + done, text->length - done, fd);
        if (sent < 0)
            return (int)sent;
        done += (size_t)sent;
    }
    return 0;
}

int filter_hand_over(struct container *container, pid_t pid, int listener)
{
    autotext struct text text = {0};
    step("hand the filter's listener over");
    trace_field(LISTENER);
    int result = describe(container, pid, &text);
    if (result < 0)
        return result;
    result = send_whole(container->listener, &text, listener);
    close_fd(&container->listener);
    if (result == 0)
        return 0;
    fail(-result, "cannot send to %s", container->config->seccomp.listener_path);
    error_field(LISTENER);
    return result;
}
