/* state.json: what is known of a container between two commands.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It is written before what it tells of is made, so that after kill -9 or a loss of power all is
 * known that has to be removed. A process is told by its pid together with its start time and the
 * boot, since pids are given away again. Version 1; others are refused.
 *
 * Once the program of the container runs, nobody changes it any more, and it is made read-only: so
 * who has just opened it knows that.
 */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/oci/hooks.h"

struct config;
struct json_object;
struct process;
struct stat;
struct state;
struct text;

#define RECORD_BOOT 40
#define RECORD_TIME 40

#define RECORD_NAME       "state.json"
#define RECORD_OPEN_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* Beside the record, where the config was not the bundle's own. */
#define RECORD_CONFIG "config.json"

#define RECORD_VERSION "1"
#define RECORD_PID_MAX (1U << 22)

/* A process, which may have ended. */
struct record_process {
    pid_t pid;      /* 0: none */
    uint64_t start; /* proc_pid_stat(5), field 22 */
    uint64_t inode; /* of its pidfd, 0: not known. Since Linux 6.9 no other one of this boot has it;
                       before, all have the same (process_has_pidfs()) */
};

struct record {
    /* Owned, after record_read(): strings point into the one or the other. */
    struct json_object *document;
    char *text;
    const char *id;
    const char *version;   /* ociVersion of the config */
    const char *bundle;    /* absolute */
    const char *rootfs;    /* absolute; "": none */
    const char *cgroup;    /* "": none */
    uint64_t cgroup_inode; /* of its directory: another one of that name is not the container's */
    char created[RECORD_TIME];
    char boot[RECORD_BOOT]; /* the kernel's boot_id */
    uint32_t owner;         /* uid of who created it */
    bool ready;             /* its creation is complete */
    struct record_process init;
    struct record_process runner; /* `run` in the foreground, which removes the entry in the end */
    struct json_object *annotations; /* NULL: none */
    struct hooks poststart;
    struct hooks poststop;
};

#define NO_RECORD ((struct record){.version = "", .bundle = "", .rootfs = "", .cgroup = ""})

/* That of a new container, made from its config, whose strings it uses. bundle, rootfs: absolute;
 * rootfs may be NULL. Returns 0 or a negative errno (recorded). */
int record_init(struct record *record, const struct config *config, const char *id,
                const char *bundle, const char *rootfs);

/* Write it to the entry, which must be locked: to a temporary file, synced, and renamed. Returns 0
 * or a negative errno (recorded). */
int record_write(struct state *state, const struct record *record);

/* The two halves of that: what nobody reads yet, whose name goes to *draft; and its renaming. */
int record_draft(const struct state *state, const struct record *record, struct text *draft);
int record_use(struct state *state, const struct text *draft);

/* Beside the record: where the container's cgroup is about to be made (inode 0), or has been, until
 * the record has it. Not synced: no cgroup outlives what a kernel that goes down has not written.
 * Opened in the directory of the entry. Returns a descriptor, or a negative errno (recorded), as
 * does the other one. */
int record_open_note(int directory);
int record_note_cgroup(int note, const char *path, uint64_t inode);

/* What was noted: *path lies in *text. Returns 0, -ENOENT (not recorded) when nothing is, or
 * another negative errno (recorded). */
int record_read_note(const struct state *state, struct text *text, const char **path,
                     uint64_t *inode);

/* Nothing came of it. */
void record_forget_note(int directory);

/* Make it read-only: the program runs, or has ended before it could. That only saves who looks at
 * it a question, so a failure is none. */
void record_seal(const struct state *state);
bool record_is_sealed(const struct stat *status);

/* May what is in that file be done with our rights? Only if nobody but owner, who is us, may have
 * written it. */
bool record_is_trusted(const struct stat *status, uid_t owner);

/* Read a text that has just the form in which record_write() writes it, with nothing but ASCII in
 * it, and which is about that ID; with a NUL behind its length. brief: annotations and hooks are
 * left out, where there are any, and only their brackets are looked at. On success the strings of
 * the record lie in the text, which is changed; it owns nothing, and is not freed. Otherwise all is
 * as it was, and nothing is recorded: it is for record_read() to say what is wrong, if anything. */
bool record_parse_quickly(struct record *record, const char *id, char *text, size_t length,
                          bool brief);

/* Read it from the entry, and check it: it belongs to us alone, is of the right version, and about
 * this ID. Returns 0 or a negative errno (recorded, but for -ENOENT: there is none). Free it. */
int record_read(const struct state *state, struct record *record);

/* Release what record_read() has made. */
void record_free(struct record *record);
#define autorecord __attribute__((cleanup(record_free)))

/* Append what `state`, `list` and hooks are told, a JSON object: runtime-spec, runtime.md, "State",
 * and what runc adds to it. pid: 0 where there is none. indent: on several lines. */
void record_tell(const struct record *record, const char *status, pid_t pid, const char *owner,
                 bool indent, struct text *text);

/* Fill in who a process is, but for the inode. Returns 0 or a negative errno (recorded). */
int record_process(struct record_process *process, int proc, pid_t pid);

/* The same of this process. */
int record_own(struct record_process *process, int proc);

/* The present boot. Returns 0 or a negative errno (recorded). */
int record_boot(char boot[RECORD_BOOT]);
