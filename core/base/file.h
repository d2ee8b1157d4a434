/* Whole files, read and written.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All functions record their errors, naming the file.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "core/base/text.h"

/* Append all that fd still gives to *text. name: for messages. limit: most bytes accepted, more is
 * -EFBIG. Returns 0 or a negative errno. */
int read_all(int fd, const char *name, size_t limit, struct text *text);

/* Open path (relative to directory, AT_FDCWD allowed) and read it whole, as read_all does. A path
 * that is a directory is -EISDIR. */
int read_file(int directory, const char *path, size_t limit, struct text *text);

/* Write all bytes, going on after short writes and EINTR. Returns 0 or a negative errno. */
int write_all(int fd, const char *name, const void *bytes, size_t length);

/* The same, and where the descriptor does not wait for room, this does. */
int write_all_in_time(int fd, const char *name, const void *bytes, size_t length);

/* Write a line of text, and its newline, to standard output: a command's answer. Returns 0 or a
 * negative errno (recorded). */
int write_line(const char *text);

/* Write a small value to a kernel file that exists (procfs, sysfs, cgroupfs) in one write(2).
 * Returns 0 or a negative errno. */
int write_value(int directory, const char *path, const char *value);

/* Create path with these bytes, or leave nothing: written under a temporary name beside it, synced,
 * and given its name by link(2) so that a file which is there is never replaced (-EEXIST).
 * replace: take the place of an existing file, atomically. */
int create_file(const char *path, mode_t mode, const void *bytes, size_t length);
int replace_file(const char *path, mode_t mode, const void *bytes, size_t length);

/* The two halves of the latter: the temporary file, complete and synced, whose name goes to
 * *temporary; and that it takes the place. If that fails it is removed. */
int draft_file(const char *path, mode_t mode, const void *bytes, size_t length,
               struct text *temporary);
int use_draft(const char *temporary, const char *path);

/* The path made absolute by the working directory, for use after that has changed. Links and ".."
 * stay as they are. *absolute is allocated. Returns 0 or a negative errno. */
int absolute_path(const char *path, char **absolute);
