/* Another process in a container that is there already: the namespaces of one that is in it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * By pidfd, so that it is this process or none: a pid may belong to another one by the time that
 * its files in /proc are opened. What is opened there tells only which namespaces there are, and
 * that they are not ours.
 */
#pragma once

#include "core/linux/namespace.h"

struct config;
struct container;

struct join {
    char paths[NAMESPACE_TYPES][40];
};

/* Have the configuration join all namespaces of the process that this one is not in: it must list
 * none itself. pidfd and join are used until the container has been made. Returns 0 or a negative
 * errno (recorded). */
int join_config(struct join *join, struct config *config, int pidfd);
