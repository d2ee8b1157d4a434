/* Processes: made with clone3(2), known by pidfd, waited for, told signals.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/text.h"

/* A child process, owned: process_end() (autoprocess) kills and reaps it on early return. */
struct process {
    pid_t pid; /* 0: none */
    int pidfd; /* -1: none */
};
#define NO_PROCESS ((struct process){.pid = 0, .pidfd = -1})

/* Make a child like fork(2), in the new namespaces of flags (CLONE_NEW*). CLONE_PARENT makes a
 * sibling. cgroup: descriptor of the cgroup v2 directory that it is to be born in, -1 for the
 * caller's own. Where clone3 is missing or filtered (ENOSYS), clone(2) does.
 * Returns the pid, 0 in the child, or a negative errno (recorded). */
pid_t process_clone(uint64_t flags, int cgroup, struct process *child);

/* Make a child that runs run(argument) in the memory of this process, on `stack`, with no copy of
 * anything: copying is what most of a fork is spent on. flags as above. Without CLONE_VFORK, run()
 * never returns, changes nothing outside of its stack (errno included), and the child is killed
 * before the stack is gone. With it this process stands still until run() has returned an exit code
 * or executed a program; what it recorded or assigned is there afterwards. Only for a child that
 * nobody else can get hold of: who traces it, traces this process. Returns the pid or a negative
 * errno (recorded). */
pid_t process_clone_here(uint64_t flags, int (*run)(void *argument), void *argument, char *stack,
                         size_t size, struct process *child);

/* Make a child that runs run(argument), which never returns, in the memory of this process, and at
 * the same time, with an annex of it: where there are any (annex.h, ANNEX). It may change nothing
 * here but what was given to it; what it is given stays as it is until it executes a program or
 * ends. Only for a child that nobody else can get hold of: who traces it, traces this process, and
 * the kernel ends both where it ends one for lack of memory. flags and cgroup as process_clone()
 * has them. Returns the pid, or a negative errno (not recorded): that cannot be had here,
 * process_clone() may. */
struct annex;
pid_t process_clone_annexed(uint64_t flags, int cgroup, struct annex *annex,
                            void (*run)(void *argument), void *argument, struct process *child);

/* SIGKILL, wait, forget. Does nothing without a process. Never changes errno. */
void process_end(struct process *process);
#define autoprocess __attribute__((cleanup(process_end)))

/* The children of a process (of its first thread), as text: pids separated by blanks. proc:
 * descriptor of /proc. Returns 0 or a negative errno (recorded). */
int process_list_children(int proc, pid_t pid, struct text *children);

/* Kill and reap all children of this process but those listed in spared, and what becomes its child
 * meanwhile (a subreaper gets orphans), until none is left. */
void process_end_children(int proc, const struct text *spared);

/* The pid behind a pidfd, in the caller's pid namespace. Returns it or a negative errno (recorded).
 */
pid_t process_of_pidfd(int pidfd);

/* Is this /proc that of the pid namespace that we are in? It is not where a container got the one
 * from outside: there all processes have other numbers, but "self" is right. */
bool process_knows_proc(int proc);

/* The number that this process has in that /proc. Returns it or a negative errno (recorded). */
pid_t process_number_in(int proc, const struct process *process);

/* Every signal of the kernel's. sigfillset(3) leaves out those that libc uses for its threads, such
 * as 32 to 34; others may send them to us all the same. */
void process_all_signals(sigset_t *set);

/* The signals of a fresh login: nothing blocked, nothing ignored, nothing handled. Returns 0 or a
 * negative errno (recorded). */
int process_reset_signals(void);

/* The two halves of that. */
void process_reset_actions(void);
/* The first half in few system calls, and one for each signal that is not as it shall be: proc, a
 * /proc where "self" is this process, tells which. Where that cannot be read: as above. Returns 0
 * or a negative errno (recorded). */
int process_reset_changed(int proc);
int process_unblock_signals(void);

/* sigaction(2) with a handler, and the one way to install one: process_uncatch() then knows,
 * without asking for every signal, which ones to give their default action. Returns 0 or -1
 * (errno). */
int process_catch(int number, const struct sigaction *action);
void process_uncatch(void);

/* Have the signal sent to this process when its parent ends (0: none), or at once if `parent` is
 * not its parent any more, which has ended before. prctl(2), PR_SET_PDEATHSIG. Returns 0 or a
 * negative errno (recorded). */
int process_follow_parent(int number, pid_t parent);

/* The exit code that a shell would give: the program's, or 128 plus the signal. */
int process_exit_code(int wait_status);

/* Become the command, whose words are split at blanks; there is no quoting. Its program is looked
 * for in PATH. Returns only when that failed: a negative errno (recorded). */
int process_execute_words(const char *command);
