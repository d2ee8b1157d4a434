/* state.json: what is known of a container between two commands.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/container/state.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"
#include "core/oci/json.h"
#include "core/oci/member.h"

/* Annotations are the only thing in it that may be large. */
#define BYTES_MAX (4U << 20)

static const char file_name[] = RECORD_NAME;
static const char note_name[] = "cgroup";

/* RFC 3339 with nanoseconds, as runc has it: without zeros at the end. */
static void tell_time(char text[RECORD_TIME])
{
    struct timespec now;
    struct tm parts;
    /* libc would ask the kernel's own code in our memory, three pages that nothing else needs. */
    if (sys_clock_gettime(CLOCK_REALTIME, &now) < 0)
        clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(text, RECORD_TIME, "%Y-%m-%dT%H:%M:%S", &parts);
    char fraction[16];
    size_t digits = (size_t)snprintf(fraction, sizeof(fraction), ".%09ld", now.tv_nsec);
    while (digits > 1 && fraction[digits - 1] == '0')
        digits--;
    snprintf(text + length, RECORD_TIME - length, "%.*sZ", digits > 1 ? (int)digits : 0, fraction);
}

int record_init(struct record *record, const struct config *config, const char *id,
                const char *bundle, const char *rootfs)
{
    *record = (struct record){
        .id = id,
        .version = config->version,
        .bundle = bundle,
        .rootfs = rootfs ? rootfs : "",
        .cgroup = "",
        .owner = geteuid(),
        .annotations = config->annotations,
        .poststart = config->hooks[HOOK_POSTSTART],
        .poststop = config->hooks[HOOK_POSTSTOP],
    };
    tell_time(record->created);
    return record_boot(record->boot);
}

static void add_text(struct text *text, const char *key, const char *value)
{
    text_append_format(text, ",\"%s\":", key);
    text_append_json(text, value);
}

static void add_value(struct text *text, const char *key, struct json_object *value)
{
    if (!value)
        return;
    const char *string = json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE);
    text->failed = text->failed || !string;
    text_append_format(text, ",\"%s\":%s", key, string ? string : "");
}

static void add_process(struct text *text, const char *key, const struct record_process *process)
{
    if (process->pid == 0)
        return;
    text_append_format(text, ",\"%s\":{\"pid\":%d,\"start\":%llu", key, (int)process->pid,
                       (unsigned long long)process->start);
    if (process->inode)
        text_append_format(text, ",\"inode\":%llu", (unsigned long long)process->inode);
    text_append(text, "}");
}

int record_draft(const struct state *state, const struct record *record, struct text *draft)
{
    /* record_quick.c knows this order. */
    step("write the state");
    autotext struct text text = {0};
    text_append(&text, "{\"version\":" RECORD_VERSION);
    add_text(&text, "ociVersion", record->version);
    add_text(&text, "id", record->id);
    add_text(&text, "bundle", record->bundle);
    add_text(&text, "rootfs", record->rootfs);
    add_text(&text, "cgroup", record->cgroup);
    if (record->cgroup[0])
        text_append_format(&text, ",\"cgroupInode\":%llu",
                           (unsigned long long)record->cgroup_inode);
    add_text(&text, "created", record->created);
    add_text(&text, "boot", record->boot);
    text_append_format(&text, ",\"owner\":%u,\"ready\":%s", record->owner,
                       record->ready ? "true" : "false");
    add_process(&text, "init", &record->init);
    add_process(&text, "runner", &record->runner);
    add_value(&text, "annotations", record->annotations);
    add_value(&text, "poststart", record->poststart.value);
    add_value(&text, "poststop", record->poststop.value);
    text_append(&text, "}\n");
    autofree char *path = NULL;
    if (text.failed || asprintf(&path, "%s/%s", state->path, file_name) < 0)
        return fail(ENOMEM, "cannot write %s", file_name);
    return draft_file(path, 0600, text.data, text.length, draft);
}

int record_use(struct state *state, const struct text *draft)
{
    autofree char *path = NULL;
    if (asprintf(&path, "%s/%s", state->path, file_name) < 0)
        return fail(ENOMEM, "cannot write %s", file_name);
    int result = use_draft(draft->data, path);
    if (result == 0)
        state->claimed = false;
    return result;
}

int record_write(struct state *state, const struct record *record)
{
    autotext struct text draft = {0};
    int result = record_draft(state, record, &draft);
    return result < 0 ? result : record_use(state, &draft);
}

static void tell_annotations(const struct record *record, bool indent, struct text *text)
{
    if (!record->annotations || json_object_object_length(record->annotations) == 0)
        return;
    const char *before = indent ? "\n    " : "";
    text_append(text, indent ? ",\n  \"annotations\": {" : ",\"annotations\":{");
    json_object_object_foreach(record->annotations, key, value)
    {
        text_append(text, before);
        text_append_json(text, key);
        text_append(text, indent ? ": " : ":");
        text_append_json(text, json_object_get_string(value));
        before = indent ? ",\n    " : ",";
    }
    text_append(text, indent ? "\n  }" : "}");
}

/* json-c indents by two as runc does, but leaves no blank behind the colon of the one and puts one
 * before the colon of the other: so this is written here. */
void record_tell(const struct record *record, const char *status, pid_t pid, const char *owner,
                 bool indent, struct text *text)
{
    const char *next = indent ? ",\n  " : ",";
    const char *colon = indent ? ": " : ":";
    const struct {
        char key[11];
        const char *value;
    } before[] = {{"ociVersion", record->version}, {"id", record->id}},
      after[] = {{"status", status},
                 {"bundle", record->bundle},
                 {"rootfs", record->rootfs},
                 {"created", record->created}};
    text_append(text, indent ? "{\n  " : "{");
    for (size_t i = 0; i < 2; i++) {
        text_append_format(text, "\"%s\"%s", before[i].key, colon);
        text_append_json(text, before[i].value);
        text_append(text, next);
    }
    text_append_format(text, "\"pid\"%s%d", colon, (int)pid);
    for (size_t i = 0; i < 4; i++) {
        text_append_format(text, "%s\"%s\"%s", next, after[i].key, colon);
        text_append_json(text, after[i].value);
    }
    tell_annotations(record, indent, text);
    text_append_format(text, "%s\"owner\"%s", next, colon);
    text_append_json(text, owner);
    text_append(text, indent ? "\n}" : "}");
}

void record_seal(const struct state *state)
{
    (void)!fchmodat(state->fd, file_name, 0400, 0);
}

bool record_is_sealed(const struct stat *status)
{
    return !(status->st_mode & S_IWUSR);
}

bool record_is_trusted(const struct stat *status, uid_t owner)
{
    return S_ISREG(status->st_mode) && status->st_uid == owner &&
           !(status->st_mode & (S_IWGRP | S_IWOTH));
}

static int open_record(const struct state *state, const char *name, struct text *text)
{
    autoclose int fd = openat(state->fd, name, RECORD_OPEN_FLAGS);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : fail(errno, "cannot open %s", name);
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail(errno, "cannot examine %s", name);
    if (!record_is_trusted(&status, geteuid()))
        return fail(EPERM, "cannot trust %s, which is not a file that uid %u alone can write to",
                    name, geteuid());
    return read_all(fd, name, BYTES_MAX, text);
}

/* ---- the note ---- */

int record_open_note(int directory)
{
    int fd = openat(directory, note_name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? fail(errno, "cannot note the cgroup") : fd;
}

/* Over what was there, in one call and without making it empty before: there is always one of the
 * two. What is left of a longer one comes behind the end of the line. */
int record_note_cgroup(int note, const char *path, uint64_t inode)
{
    autotext struct text line = {0};
    text_append_format(&line, "%020llu %s\n", (unsigned long long)inode, path);
    if (line.failed)
        return fail(ENOMEM, "cannot note the cgroup");
    ssize_t count = pwrite(note, line.data, line.length, 0);
    return count == (ssize_t)line.length ? 0
                                         : fail(count < 0 ? errno : EIO, "cannot note the cgroup");
}

int record_read_note(const struct state *state, struct text *text, const char **path,
                     uint64_t *inode)
{
    int result = open_record(state, note_name, text);
    if (result < 0)
        return result;
    char *end;
    char *line_end = strchr(text->data, '\n');
    *inode = strtoull(text->data, &end, 10);
    if (!line_end || end[0] != ' ' || end[1] != '/')
        return -ENOENT;
    *line_end = '\0';
    *path = end + 1;
    return 0;
}

void record_forget_note(int directory)
{
    unlinkat(directory, note_name, 0);
}

static int read_process(struct record_process *process, const struct json_field *root,
                        const char *key)
{
    struct json_field field = json_member(root, key);
    struct json_field pid = json_member(&field, "pid");
    struct json_field start = json_member(&field, "start");
    struct json_field inode = json_member(&field, "inode");
    uint32_t number = 0;
    int result = json_check_object(&field);
    if (result < 0 || !field.value)
        return result;
    result = json_require(&pid);
    if (result == 0)
        result = json_require(&start);
    if (result == 0)
        result = json_get_u32(&pid, RECORD_PID_MAX, &number);
    if (result == 0)
        result = json_get_number(&start, UINT64_MAX, &process->start);
    if (result == 0)
        result = json_get_number(&inode, UINT64_MAX, &process->inode);
    if (result == 0 && number < 2)
        result = json_fail(&pid, "not the pid of a container");
    process->pid = (pid_t)number;
    return result;
}

static int copy_text(const struct json_field *root, const char *key, char *target, size_t size)
{
    struct json_field field = json_member(root, key);
    const char *text = NULL;
    int result = json_require(&field);
    if (result == 0)
        result = json_get_text(&field, &text);
    if (result == 0 && snprintf(target, size, "%s", text) >= (int)size)
        result = json_fail(&field, "too long");
    return result;
}

static int read_values(struct record *record, const struct json_field *root)
{
    static const struct member table[] = {
        {"ociVersion", MEMBER_TEXT, 1, offsetof(struct record, version)},
        {"id", MEMBER_TEXT, 1, offsetof(struct record, id)},
        {"bundle", MEMBER_PATH, 1, offsetof(struct record, bundle)},
        {"rootfs", MEMBER_PATH, 1, offsetof(struct record, rootfs)},
        {"cgroup", MEMBER_PATH, 1, offsetof(struct record, cgroup)},
        {"cgroupInode", MEMBER_U64, 0, offsetof(struct record, cgroup_inode)},
        {"owner", MEMBER_ID, 1, offsetof(struct record, owner)},
        {"ready", MEMBER_BOOL, 1, offsetof(struct record, ready)},
    };
    struct json_field annotations = json_member(root, "annotations");
    struct json_field poststart = json_member(root, "poststart");
    struct json_field poststop = json_member(root, "poststop");
    int result = members_read(root, table, sizeof(table) / sizeof(table[0]), record);
    if (result == 0)
        result = copy_text(root, "created", record->created, sizeof(record->created));
    if (result == 0)
        result = copy_text(root, "boot", record->boot, sizeof(record->boot));
    if (result == 0)
        result = read_process(&record->init, root, "init");
    if (result == 0)
        result = read_process(&record->runner, root, "runner");
    if (result == 0)
        result = json_check_object(&annotations);
    if (result == 0)
        record->annotations = annotations.value;
    if (result == 0)
        result = hooks_read(&record->poststart, &poststart);
    if (result == 0)
        result = hooks_read(&record->poststop, &poststop);
    return result;
}

static int parse_record(struct record *record, const char *id, const struct text *text)
{
    int result = json_parse(&record->document, file_name, text->data, text->length);
    if (result < 0)
        return result;
    struct json_field root = json_root(record->document);
    struct json_field version = json_member(&root, "version");
    struct json_field name = json_member(&root, "id");
    uint32_t number = 0;
    if (!json_object_is_type(record->document, json_type_object))
        return fail_config(NULL, "expected an object");
    result = json_require(&version);
    if (result == 0)
        result = json_get_u32(&version, UINT32_MAX, &number);
    if (result == 0 && number != (uint32_t)(RECORD_VERSION[0] - '0'))
        result = json_fail(&version, "expected " RECORD_VERSION ", found %u", number);
    if (result == 0)
        result = read_values(record, &root);
    if (result == 0 && strcmp(record->id ? record->id : "", id) != 0)
        result = json_fail(&name, "not that of its directory");
    return result;
}

int record_read(const struct state *state, struct record *record)
{
    autotext struct text text = {0};
    *record = NO_RECORD;
    step("read the state");
    int result = open_record(state, file_name, &text);
    if (result == -ENOENT && !error_is_set())
        return result;
    if (result == 0 &&
        record_parse_quickly(record, state_id(state), text.data, text.length, false)) {
        record->text = take_pointer(text.data);
    } else if (result == 0) {
        result = parse_record(record, state_id(state), &text);
        if (result < 0)
            error_context("%s", file_name);
    }
    if (result < 0) {
        error_context("%s", state_id(state));
        record_free(record);
    }
    return result;
}

void record_free(struct record *record)
{
    if (!record->document && !record->text)
        return;
    hooks_free(&record->poststart);
    hooks_free(&record->poststop);
    json_object_put(record->document);
    free(record->text);
    *record = (struct record){0};
}
