/* Running a chain of links (core/base/chain.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct call;
struct chain;

/* The run function of every link: check the whole chain that starts with this call, apply it,
 * execute what stands at its end. Returns an exit code if this process does not become another
 * program: failures are reported, EXIT_NOT_FOUND and EXIT_CANNOT_EXEC for the program at the end.
 */
int chain_run(const struct call *first);

/* For an apply() that ends in a child of its own: go on with chain->program, or, where result is a
 * negative errno (recorded), report that. Returns only on failure, with the exit code. */
int chain_finish(const struct call *last, const struct chain *chain, int result);

/* For check(): without a NEXT, the chain goes on with $SHELL, or /bin/sh. */
void chain_default_shell(struct call *call);

/* For the tables of links. */
#define LINK_APPLET(...)                                                                           \
    .flags = APPLET_LINK, .run = chain_run, .link = &(const struct link_steps)                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
