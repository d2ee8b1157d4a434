/* Fuzz target: state.json, and the note of a cgroup beside it. What is accepted can be told, and
 * written, and is then read again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/container/record.h"
#include "core/container/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "fuzz"

/* Of this process, in memory where that can be had. */
static char folder[64];

static void remove_folder(void)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/" ID "/state.json", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/" ID "/cgroup", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/" ID, folder);
    rmdir(path);
    rmdir(folder);
}

static void open_entry(struct state *state)
{
    if (!folder[0]) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz.XXXXXX" : "/tmp/fuzz.XXXXXX");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_folder);
        if (state_claim(state, folder, ID) < 0)
            abort();
        state->claimed = false;
        return;
    }
    if (state_open(state, folder, ID) < 0)
        abort();
}

static void check_again(struct state *state, const struct record *record)
{
    struct record again;

    if (record_write(state, record) < 0 || record_read(state, &again) < 0)
        abort();
    if (strcmp(again.bundle, record->bundle) != 0 || strcmp(again.cgroup, record->cgroup) != 0 ||
        again.init.pid != record->init.pid || again.init.start != record->init.start ||
        again.runner.pid != record->runner.pid || again.ready != record->ready ||
        again.owner != record->owner || again.poststop.count != record->poststop.count)
        abort();
    if (record->cgroup[0] && again.cgroup_inode != record->cgroup_inode)
        abort();
    record_free(&again);
}

static void write_bytes(const struct state *state, const char *name, const uint8_t *data,
                        size_t size)
{
    int fd = openat(state->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

static bool is_same(const struct record_process *one, const struct record_process *other)
{
    return one->pid == other->pid && one->start == other->start && one->inode == other->inode;
}

static void check_same(const struct record *one, const struct record *other)
{
    if (strcmp(one->id, other->id) != 0 || strcmp(one->version, other->version) != 0 ||
        strcmp(one->bundle, other->bundle) != 0 || strcmp(one->rootfs, other->rootfs) != 0 ||
        strcmp(one->cgroup, other->cgroup) != 0 || strcmp(one->created, other->created) != 0 ||
        strcmp(one->boot, other->boot) != 0 || one->cgroup_inode != other->cgroup_inode ||
        one->owner != other->owner || one->ready != other->ready ||
        !is_same(&one->init, &other->init) || !is_same(&one->runner, &other->runner))
        abort();
}

/* What is read in one pass is what the parser reads; which alone takes a blank in front. */
static void check_quick(struct state *state, const uint8_t *data, size_t size, bool brief)
{
    struct record quick, slow;
    char *text = malloc(size + 2);

    if (!text)
        abort();
    memcpy(text + 1, data, size);
    text[0] = ' ';
    text[size + 1] = '\0';
    write_bytes(state, "state.json", (const uint8_t *)text, size + 1);
    if (!record_parse_quickly(&quick, ID, text + 1, size, brief)) {
        if (memcmp(text + 1, data, size) != 0)
            abort();
    } else if (record_read(state, &slow) == 0) {
        check_same(&quick, &slow);
        record_free(&slow);
    } else if (!brief) {
        abort();
    }
    error_clear();
    free(text);
}

static void check_note(const struct state *state)
{
    autotext struct text text = {0};
    uint64_t inode;
    const char *path;

    if (record_read_note(state, &text, &path, &inode) == 0 &&
        (path[0] != '/' || path < text.data || path + strlen(path) > text.data + text.length ||
         strchr(path, '\n')))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autostate struct state state = NO_STATE;
    struct record record;

    open_entry(&state);

    write_bytes(&state, "cgroup", data, size);
    check_note(&state);
    error_clear();
    check_quick(&state, data, size, false);
    check_quick(&state, data, size, true);
    write_bytes(&state, "state.json", data, size);

    int result = record_read(&state, &record);

    if ((result < 0) != error_is_set())
        abort();
    if (result == 0) {
        autotext struct text text = {0};

        record_tell(&record, "running", 2, "fuzz", data[size - 1] & 1, &text);
        if (strcmp(record.id, ID) != 0 || text.length == 0)
            abort();
        check_again(&state, &record);
        record_free(&record);
    }
    error_clear();
    return 0;
}
