/* Which ids a function gets.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct idmaps;

/* As RunFunction of crossplane has it: for who has CAP_SETUID and CAP_SETGID 65,536 ids from these
 * on (100000 where they are NULL); else the caller's own, and its subordinate ones if there are
 * any. These are also what is left where the former do not exist in this user namespace, unless
 * they were asked for. Returns 0 or a negative errno (recorded, naming the options --root-uid and
 * --root-gid).
 */
int function_choose_ids(struct idmaps *maps, const char *root_uid, const char *root_gid);
