/* Removing a directory with all that is in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Remove a directory and everything below it, on its file system alone; nothing is followed. How
 * deep it is does not matter: what is in it may be of somebody hostile, whose processes have ended.
 * Where it is not there, nothing is done. Needs the right to all of it. name: in `parent`, one
 * component or more, trusted. Returns 0 or a negative errno (not recorded). */
int remove_tree(int parent, const char *name);
