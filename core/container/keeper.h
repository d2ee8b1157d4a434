/* A container that has a state on disk: what `create` and `run ID` add to its making.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The keeper is the driver (driver.h) of such a container: it writes the record before what it
 * tells of is there, and executes the hooks. In case of failure all is taken back, poststop hooks
 * included, as runtime-spec has it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/text.h"
#include "core/container/driver.h"
#include "core/container/record.h"
#include "core/container/state.h"

struct config;
struct container;
struct lifecycle;

struct keeper {
    struct state *state;               /* claimed by the caller */
    const char *bundle;                /* absolute */
    const char *rootfs;                /* absolute, or NULL */
    bool foreground;                   /* this process waits for its end */
    bool kept;                         /* and leaves the entry then */
    bool unbundled;                    /* the config is not config.json of the bundle */
    int console;                       /* connection to who wants the terminal, -1: it is relayed */
    void (*setting_up)(void *context); /* as in driver.h, for the caller */
    void (*lasting)(void *context);
    void *context;

    /* Its own. */
    struct container *container;
    struct driver driver;
    struct record record;
    pid_t pid;
    struct text draft; /* of the record that tells of a container that is ready; data NULL: none */
    bool forgotten;    /* the config, of which the record tells, may be gone */
};

/* Set up the keeper as driver of the container, whose config is read, and write the first record.
 * Returns 0 or a negative errno (recorded). */
int keeper_begin(struct keeper *keeper, struct container *container);

/* Create the container, prepared, up to where `start` goes on. Returns 0 or a negative errno
 * (recorded): then nothing is left but the claim. */
int keeper_create(struct keeper *keeper);

/* Run it to its end. Returns the exit code or a negative errno (recorded); then likewise. */
int keeper_run(struct keeper *keeper);

/* Take back what keeper_begin() has done, where the container could not even be prepared. The error
 * that is recorded stays. */
void keeper_undo(struct keeper *keeper);

/* Start a container that is created, and locked: release its process, and execute its poststart
 * hooks. Returns 0 or a negative errno (recorded). */
int keeper_start(struct lifecycle *lifecycle);
