/* The configuration of a container as a command is given it, and what there is to say about it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/capability.h"
#include "core/oci/config.h"
#include "core/oci/json.h"

int bundle_read_stream(struct config *config, int stream, const char *name)
{
    autotext struct text text = {0};
    int result = read_all(stream, name, JSON_BYTES_MAX, &text);
    return result < 0 ? result
                      : config_parse(config, name, text.data ? text.data : "", text.length);
}

/* *name: a file, or "-", which gets a name for messages. */
static int open_stream(const char **name)
{
    if (strcmp(*name, "-") != 0)
        return open(*name, O_RDONLY | O_CLOEXEC);
    *name = "standard input";
    return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
}

int bundle_read(struct config *config, const char *bundle, const char *file)
{
    step("read the configuration");
    autofree char *path = NULL;
    autoclose int stream = -1;
    const char *name = file;
    if (!name && asprintf(&path, "%s/config.json", bundle) < 0)
        return fail(ENOMEM, "cannot open bundle %s", bundle);
    name = name ? name : path;
    stream = open_stream(&name);
    if (stream < 0) {
        int result = fail(errno, "cannot open %s", name);
        if (!file)
            error_hint("make one with: shimbox spec --bundle %s", bundle);
        return result;
    }
    return bundle_read_stream(config, stream, name);
}

int bundle_read_document(struct json_object **document, const char *file)
{
    autotext struct text text = {0};
    autoclose int stream = open_stream(&file);
    if (stream < 0)
        return fail(errno, "cannot open %s", file);
    int result = read_all(stream, file, JSON_BYTES_MAX, &text);
    return result < 0 ? result
                      : json_parse(document, file, text.data ? text.data : "", text.length);
}

struct unapplied {
    bool strict;
    bool found;
};

static void note_unapplied(void *context, const char *pointer, bool known)
{
    struct unapplied *unapplied = context;
    const char *why = known ? "is not applied" : "is not known";
    if (unapplied->strict && !unapplied->found)
        fail_config(pointer, "%s (--strict)", why);
    else if (!unapplied->strict)
        report_warning("%s %s", pointer, why);
    unapplied->found = true;
}

int bundle_refuse_unapplied(const struct config *config)
{
    struct unapplied unapplied = {.strict = true};
    config_unapplied(config, note_unapplied, &unapplied);
    return unapplied.found ? -EINVAL : 0;
}

/* Ambient capabilities are what a user other than root keeps: worth a word when some are lost. */
static void warn_ambient(const struct config_process *process)
{
    const struct capability_sets *sets = &process->capabilities;
    uint64_t lost = sets->ambient & ~(sets->permitted & sets->inheritable);
    for (int number = 0; process->uid != 0 && lost >> number; number++) {
        if (lost >> number & 1)
            report_warning("/process/capabilities/ambient: %s is left out, since it is not both "
                           "permitted and inheritable",
                           capability_name(number));
    }
}

void bundle_warn(const struct config *config, bool strict)
{
    struct unapplied unapplied = {.strict = false};
    if (!strict)
        config_unapplied(config, note_unapplied, &unapplied);
    warn_ambient(&config->process);
}

int bundle_name(const struct config *config, const char *rootfs, char **bundle, char **root)
{
    const char *path = rootfs ? rootfs : config->root_path;
    step("note the state");
    int result = absolute_path(".", bundle);
    if (result < 0)
        return result;
    /* "/." of absolute_path() */
    size_t length = strlen(*bundle);
    (*bundle)[length > 3 ? length - 2 : 1] = '\0';
    return path ? absolute_path(path, root) : 0;
}

int bundle_check_terminal(const struct config *config, const char *socket, bool detached)
{
    bool terminal = config->process.terminal;
    if (terminal && detached && !socket)
        return fail_config("/process/terminal", "cannot allocate tty if the container is detached "
                                                "without setting --console-socket");
    if (socket && (!terminal || !detached))
        return fail_usage("--console-socket: for a detached container with process.terminal");
    return 0;
}

bool bundle_was_refused_proc(const struct config *config)
{
    static const char field[] = "/mounts/";
    const struct error *error = error_get();
    if (error->number != EPERM || !starts_with(error->field, field))
        return false;
    size_t i = strtoul(error->field + strlen(field), NULL, 10);
    if (i >= config->mount_count || !config->mounts[i].type)
        return false;
    const char *type = config->mounts[i].type;
    return strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0;
}
