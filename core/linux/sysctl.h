/* Kernel parameters that a namespace has for itself. sysctl.d(5), proc(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "core/linux/namespace.h"

/* The path below /proc/sys of a name: "net.ipv4.ip_forward" or "net/ipv4/ip_forward". The first
 * separator decides what the other one stands for, as in sysctl.d(5): "net.ipv4.conf.eth0/1.mtu"
 * and "net/ipv4/conf/eth0.1/mtu" are the same.
 * Returns 0, or -EINVAL (not recorded): empty, too long, or with a component that is "", "." or
 * "..". */
int sysctl_path(const char *name, char *path, size_t size);

/* The namespace that the parameter at that path belongs to. Returns its type, or -1: it is the
 * whole machine's, or unknown. */
int sysctl_namespace(const char *path);

/* Write a value. proc: the root of a procfs. Acts on the namespaces that this process is in.
 * Returns 0 or a negative errno (recorded, naming the parameter). */
int sysctl_write(int proc, const char *name, const char *value);
