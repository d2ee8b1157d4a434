/* Namespaces as command lines name them.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "core/linux/namespace.h"

struct chain;

/* The names of what links leave in the chain for each other. */
#define CHAIN_USERNS "userns"
#define CHAIN_NETNS  "netns"
#define CHAIN_MOUNT  "mount"

/* Is the word one that namespace_by_word() could understand? Nothing is opened. Returns 0 or
 * -EINVAL (recorded, a usage error that names the option). */
int namespace_check_word(const char *option, const char *word, enum namespace_type type);

/* Open the namespace of this type that the word names: "" is the chain's, "fd:3" a descriptor, a
 * number the process with that pid, a word with a slash a file, and for a network namespace any
 * other word a file of /run/netns. Its type is checked. The caller owns the descriptor, which is
 * close-on-exec. Returns it or a negative errno (recorded). */
int namespace_by_word(const char *word, enum namespace_type type, struct chain *chain);

/* Take the descriptor out of the chain that an earlier link left there under one of the names
 * above, and check what it is. Returns it or a negative errno (recorded). */
int namespace_of_chain(struct chain *chain, enum namespace_type type);
int mount_of_chain(struct chain *chain);

/* The user namespace of the chain for a use that leaves it to later links, too. */
int userns_of_chain_shared(struct chain *chain);
