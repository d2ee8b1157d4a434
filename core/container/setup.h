/* The set-up of a container, done by its first process: a table of steps.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct container;

/* Do all steps and execute the program. Never returns; a failure is sent to the parent. */
_Noreturn void setup_container(struct container *container);

/* Parse the options of what covers masked directories. In the parent: what the child allocates
 * takes copies of the heap's pages. Returns 0 or a negative errno (recorded). */
int setup_parse_nothing(struct container *container);

/* Only those that concern the file systems, in a mount namespace of this process's own. Then either
 * the new root is this process's, or container->root is a detached clone of the whole tree. Return
 * 0 or a negative errno (recorded with step and field). */
int setup_enter_tree(struct container *container);
int setup_detach_tree(struct container *container);

/* Steps that have a file of their own. Each returns 0 or a negative errno (recorded with the
 * config's field). All work on the container's root by descriptor, before the root is changed. */
int setup_sources(struct container *container);        /* of bind mounts, before the root */
int setup_mounts(struct container *container);         /* mounts */
int setup_devices(struct container *container);        /* linux.devices, the default ones, links */
int setup_terminal(struct container *container);       /* process.terminal, consoleSize */
int setup_null_streams(struct container *container);   /* standard streams that are /dev/null */
int setup_masked_paths(struct container *container);   /* linux.maskedPaths */
int setup_readonly_paths(struct container *container); /* linux.readonlyPaths */
int setup_attach_root(struct container *container);    /* root.path */
int setup_pivot(struct container *container);

/* Make the embedded root: a detached tmpfs that holds this binary and its links.
 * Returns the mount's descriptor or a negative errno (recorded). */
int setup_embedded_root(struct container *container);

/* Is a later entry of the environment, which ends with NULL, about the same variable? */
bool setup_is_overridden(const char *const *entry);

/* After the root was changed: limits of the program, then the program itself. */
int setup_environment(struct container *container);
int setup_working_directory(struct container *container);         /* process.cwd */
int setup_working_directory_as_user(struct container *container); /* once more, if root could not */
int setup_execute(struct container *container);

/* Hooks that the container's process executes itself: createContainer, where paths are still those
 * of the host, and startContainer, with the program's own rights. */
int setup_create_hooks(struct container *container);
int setup_start_hooks(struct container *container);

/* linux.seccomp: before the ids change, without noNewPrivileges; else just before the execution,
 * but while the parent still listens, if it has to hand over the filter's listener. */
int setup_seccomp_early(struct container *container);
int setup_seccomp_notify(struct container *container);
int setup_seccomp_late(struct container *container);

/* process.apparmorProfile and process.selinuxLabel: what the program is executed with. */
int setup_profile(struct container *container);
int setup_label(struct container *container);

/* For the parent: are the security modules there that the config has labels for? */
int labels_prepare(const struct container *container);
int labels_prepare_mounts(const struct container *container); /* only for linux.mountLabel */

/* Where there is a guard (guard.h), a child of it goes on, by setup_program(): all steps that come
 * after this one. Then this does not return but in case of a failure. */
int setup_guard(struct container *container);
_Noreturn void setup_program(struct container *container);

/* Die with the parent. The kernel forgets this when ids change; if the parent is gone already, its
 * end of the channel is closed. Returns 0 or a negative errno (recorded). */
int setup_follow_parent(const struct container *container);

/* What belongs to the process and its namespaces. */
int setup_time(struct container *container);    /* linux.timeOffsets, a new time namespace */
int setup_keyring(struct container *container); /* a session keyring of its own */
int setup_sysctls(struct container *container); /* linux.sysctl */
int setup_schedule_as_user(struct container *container); /* as below, where the caller is no root */
int setup_memory_policy(struct container *container);    /* linux.memoryPolicy */
int setup_personality(struct container *container);      /* linux.personality */

/* process.scheduler and process.ioPriority of the process pid, 0 for the caller. Returns 0 or a
 * negative errno (recorded with the config's field). */
int setup_schedule(const struct container *container, pid_t pid);
