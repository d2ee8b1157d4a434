/* Quantities as Kubernetes writes them: "500m", "1.5Gi", "2e3".
 * SPDX-License-Identifier: Apache-2.0
 *
 * The grammar is that of k8s.io/apimachinery's resource.Quantity, with two differences: a number
 * must have a digit (there "." and "Mi" are 0), and the value must be more than 0. The arithmetic
 * is exact: no floating point, nothing wraps, and no exponent takes longer than another.
 */
#pragma once

#include <stdint.h>

/* CPUs in thousandths, rounded up. what: for messages ("--cpu"). At least 1; at most what the
 * kernel takes as a quota (QUANTITY_MILLI_MAX). Returns 0 or -EINVAL (recorded, a usage error). */
int quantity_milli(const char *what, const char *text, uint64_t *milli);

/* 2^44 microseconds per period of 100 ms: more is refused by the kernel (max_bw_runtime_us in
 * kernel/sched/core.c). */
#define QUANTITY_MILLI_MAX 175921860444U

/* The period that a quota of CPU time is for, and the quota of that many thousandths of a CPU: both
 * in microseconds, at least what the kernel takes. */
#define CPU_PERIOD 100000
uint64_t quantity_cpu_quota(uint64_t milli);

/* Bytes, rounded up; 1 to 2^63-1. Returns 0 or -EINVAL (recorded, a usage error). */
int quantity_bytes(const char *what, const char *text, uint64_t *bytes);
