/* Chaining: links that change one thing about the process, then become the next command.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     shimbox userns-fd … -- unshare … -- setpriv … -- /bin/server
 *
 * A link's check() validates its options and operands, changes nothing, and says by *consumed how
 * many operands are its own; what follows is NEXT. All links of a chain are checked before the
 * first one is applied. apply() acts on this process and may leave descriptors in the chain. NEXT
 * without a slash that names a link of this binary is applied in this very process; anything else
 * is executed.
 */
#pragma once

#include <stddef.h>

struct call;
struct chain;

/* Run the chain that starts with first (whose operands are still unchecked) and return an exit code
 * if it does not become another program. */
int chain_run(struct call *first);

/* Leave a descriptor for later links: "userns", "mount", "netns"… The chain owns fd from here on;
 * an older one of the same name is closed. Returns 0 or a negative errno (recorded). */
int chain_put(struct chain *chain, const char *name, int fd);

/* Take the descriptor of that name out of the chain, -1 if it has none. The caller owns it, and
 * checks that it is what its name says. */
int chain_take(struct chain *chain, const char *name);
