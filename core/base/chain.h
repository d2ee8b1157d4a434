/* Chaining: links that change one thing about the process, then become the next command.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     shimbox userns-fd … -- unshare … -- setpriv … -- /bin/server
 *
 * A link's check() validates its options and operands, changes nothing, and says by *consumed how
 * many operands are its own; what follows, after one "--" if there is one, is NEXT. A link that
 * runs a default program when there is no NEXT puts one into call->argv. All links of a chain are
 * checked before the first one is applied. apply() acts on this process and may leave descriptors
 * in the chain. What check() has read and apply() is to have is kept in call->values, and freed by
 * release(), which is called in any case once check() was. NEXT without a slash that names a link
 * of this binary is applied in this very process; anything else is executed.
 *
 * Here is what travels along the chain; chain_run(), which runs it, is in core/linux/chain.h, since
 * a hand-over inside one process follows the kernel's rules for execve(2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CHAIN_DESCRIPTORS_MAX 16

/* Descriptors that one link made for a later one. Start with {0}. */
struct chain {
    size_t count;
    struct chain_descriptor {
        char name[16];
        int fd;
        bool used; /* chain_use(): not for a foreign program any more */
    } descriptors[CHAIN_DESCRIPTORS_MAX];
    char **program; /* for apply(): what is executed after it; NULL: another link follows */
};

/* What check() puts into *consumed when this link is the last one and nothing follows: its apply()
 * returns CHAIN_END(). */
#define CHAIN_LAST (-1)

/* What a link's apply() returns, beside 0 (go on with NEXT) and a negative errno (recorded): this
 * process is done with exit code `code`, e.g. the parent that waited for the child which became
 * NEXT. Such a child calls trace_child() first, so that it does not end the trace of its parent. */
#define CHAIN_END(code) ((code) + 1)

/* Leave a descriptor for later links: "userns", "mount", "netns"… The chain owns fd from here on,
 * on failure, too; an older one of the same name is closed. Returns 0 or a negative errno
 * (recorded). */
int chain_put(struct chain *chain, const char *name, int fd);

/* Take the descriptor of that name out of the chain, -1 if it has none. The caller owns it, and
 * checks that it is what its name says. */
int chain_take(struct chain *chain, const char *name);

/* The same, but later links can have it, too: the chain still owns it. A program that is executed
 * does not get it any more, since somebody has used it. */
int chain_use(struct chain *chain, const char *name);

/* Take over what a shimbox that executed this one left in the environment variable SHIMBOX_FDS
 * (userns:3,mount:5), and remove the variable. All of it must be well-formed, and each descriptor
 * open and none of the standard ones. Returns 0 or a negative errno (recorded). */
int chain_inherit(struct chain *chain);

/* The way back, before a program is executed: the descriptors that are left stay open, and
 * SHIMBOX_FDS names them. Returns 0 or a negative errno (recorded). */
int chain_export(const struct chain *chain);

/* Close what is left. */
void chain_close(struct chain *chain);
#define autochain __attribute__((cleanup(chain_close)))
