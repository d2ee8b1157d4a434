/* One container while it is made and runs: what the parent pins, and what parent and child share.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "core/container/resources.h"
#include "core/linux/idmap.h"
#include "core/linux/mount_options.h"
#include "core/linux/namespace.h"
#include "core/linux/seccomp.h"

struct config;
struct driver;
struct net_devices;
struct process;
struct record;

/* A mount that is held on to, and the file that its root is. */
struct covered {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

/* The directory that the container has at /dev at present. */
struct dev_directory {
    bool known; /* there is one */
    bool bound; /* by the config: it is taken as it is */
    dev_t device;
    ino_t inode;
};

/* What lies over the root file system, which is one mount then, without what is mounted below. */
struct root_layer {
    bool overlay;        /* what the container changes is kept apart, and goes with it */
    bool idmap;          /* ids on disk are those of the container; takes privilege */
    bool *told;          /* with idmap, the caller's: it has been said that this cannot be had */
    const char *scratch; /* where changes are kept: a directory, absolute, with an "upper" and a
                            "work" of the container's root; NULL: in memory */
    int changes; /* pinned by the parent: a detached clone of that, -1: the child opens it */
};

struct container {
    /* Given by the caller. */
    const struct config *config;
    char **program;     /* arguments instead of the config's, NULL-terminated; NULL: the config's */
    struct late *late;  /* where they are once the child may run (late.h); NULL: they are known */
    const char *rootfs; /* root directory; NULL: the
                             config's root.path. Relative paths start at the working directory,
                             which is to be the bundle: unlike a descriptor of it, the kernel takes
                             it along into the new mount namespace */
    bool embedded_root; /* a tmpfs with shimbox and its links is the root */
    bool listed_devices_only; /* no default ones and no links in /dev */
    bool no_pivot;            /* cover the old root instead of pivot_root(2) */
    bool no_new_keyring;      /* keep the caller's session keyring */
    const char *id;           /* the container's name, NULL: it has none */
    unsigned preserved_fds;   /* descriptors from 3 on that the program gets */
    const char *pid_file;     /* NULL: none */
    int state;                /* directory of its ID, not owned; -1: none */
    bool detached;            /* once it runs the program is on its own, and container_run() done */
    bool strict;              /* limits that this system cannot set are an error, not a warning */
    bool limited_outside;     /* who has started this sees to cgroup, limits and devices */
    bool unlimited;           /* the limits of the default specification alone need no cgroup */
    /* For each of the config's mounts -1, or a descriptor, taken over. NULL: for none. */
    int *given_mounts;   /* a detached mount, instead of its source */
    int *given_mappings; /* a user namespace that it is idmapped by, instead of its own maps */
    /* pidfd, the caller's: the namespaces of this process are joined, by one setns(2); the config
     * names the same ones by path. -1: one by one, by path */
    int join_process;
    const struct driver *driver; /* who decides (driver.h), NULL: nobody has to */
    void *driver_context;
    const struct process *child; /* set here as soon as there is one, for the driver */
    const struct record *record; /* what hooks are told of it, NULL: it has none */
    bool wait_for_hooks;         /* the driver has something to do before the root is changed */
    struct root_layer layer;     /* what its root file system is seen through */
    int streams[3];              /* its standard streams, the caller's; -1: as ours */
    int guard;   /* socket of who it is not to outlive, the caller's (guard.h); -1: it is its parent
                  */
    int overlay; /* own_binary_protect(), taken over; -1: none */
    char **arguments; /* our own, which a guard is not to show; NULL: they may be seen */
    int start_fifo;   /* where the program waits to be started (start.h), O_PATH or better, taken
                         over; -1: it need not. In the child, once started: open for writing */

    /* Pinned by the parent before it creates the child (prepare.c). */
    bool privileged;           /* may mount in the present mount namespace */
    bool new_user;             /* the child gets a new user namespace */
    bool new_pid;              /* and a new pid namespace, which ends with it */
    int proc;                  /* the host's /proc */
    int root;                  /* detached clone of the root directory, -1: the child makes it;
                                  in the child: the root of the container */
    struct idmaps own_maps;    /* chosen here, where the config has none */
    const struct idmaps *maps; /* of the new user namespace */
    int exe;                   /* our own executable, for the embedded root */
    int namespaces[NAMESPACE_TYPES]; /* to be joined, -1 for none */
    size_t mount_count;              /* the config's */
    struct mount_options *options;   /* parsed, one for each of the config's mounts */
    struct mount_options nothing;    /* of what covers masked directories, where paths are masked */
    int *sources;                    /* detached clones of bind mounts, -1: the child makes it */
    struct rlimit files;             /* the caller's, while more may be open; else all 0 */
    int *mappings;                   /* user namespaces that mounts are idmapped by; -1: none, or
                                        the container's own */
    struct filter_program filter;    /* of system calls */
    int listener;                    /* connection to who answers some of those, -1: nobody */
    struct text
        earlier_children; /* what the process had when it became shimbox; not the container's */
    struct net_devices *net_devices; /* to be moved, or moved; NULL: none */
    sigset_t signals;                /* signal mask of the caller */
    struct own_cgroup cgroup;        /* made when the container is */

    /* The child's own. */
    int channel;               /* to the parent, sync.h */
    struct covered covered[2]; /* what is mounted on /proc and on /sys */
    struct dev_directory dev;
    bool enter_as_user; /* root may not enter the working directory, the user will try */
    bool started;       /* has come past the start fifo */
    char **environment; /* of the program */
    char *few_variables[32];
};

/* Everything that is unset. */
void container_init(struct container *container, const struct config *config);
void container_free(struct container *container);

/* Close all descriptors but the channel. */
void container_close(struct container *container);

/* Check what can only be checked against this machine and caller, and pin what has to be opened
 * outside: /proc, namespaces, root and mount sources. Changes nothing.
 * Returns 0 or a negative errno (recorded with the config's field). */
int container_prepare(struct container *container);

/* Of this, what the config alone tells of its mounts: parse their options into the container, and
 * check that they fit together. Raises the limit of open files until container_free(). Returns 0 or
 * a negative errno (recorded with the config's field). */
int container_parse_mounts(struct container *container);

/* Does it join any namespace that exists? */
bool container_joins_namespaces(const struct container *container);

/* Create the container, run its program, pass signals on, and wait until it ends. Everything that
 * was made is gone when this returns. The container must be prepared. Returns the exit code (the
 * program's, or 128 plus the signal) or a negative errno (recorded). */
int container_run(struct container *container);

/* Create the container up to where its program would be executed: it waits at the start fifo, which
 * must be given. It is no longer tied to this process then, and becomes the child of whoever gets
 * this one's orphans. Returns 0 or a negative errno (recorded); then everything that was made is
 * gone. */
int container_create(struct container *container);
