/* Terminals: pseudoterminals that are made, and the caller's own. pty(7), ioctl_tty(2), termios(3).
 * SPDX-License-Identifier: Apache-2.0
 *
 * No slave is ever opened by a name in /dev/pts, which may belong to another file system by then:
 * the kernel is asked for the one that belongs to a master (CVE-2025-52565, CVE-2016-10124).
 */
#pragma once

#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>

/* Make a pseudoterminal. ptmx: O_PATH descriptor of a node ptmx, which is examined; proc: of /proc.
 * Its instance of devpts is the one that ptmx belongs to, or stands beside. Any process that may
 * open the slave's file can then open it by name. Returns the master, or a negative errno
 * (recorded). */
int terminal_open_master(int proc, int ptmx);

/* Open the slave of a master, not as the controlling terminal. Returns it, or a negative errno
 * (recorded). */
int terminal_open_slave(int master);

/* Is it the master of a pseudoterminal? */
bool terminal_is_master(int fd);

/* Do not turn each newline that the slave is given into carriage return and newline: whoever shows
 * the output does that. Returns 0 or a negative errno (recorded). */
int terminal_clear_onlcr(int fd);

/* Make it the controlling terminal of this process, a session leader without one. Returns 0 or a
 * negative errno (recorded). */
int terminal_control(int fd);

/* Let bytes through one by one and unchanged: no echo, no editing, no signals by keys. Output is
 * still processed. original: the settings to start from. A process in the background is stopped by
 * this until it is in the foreground, as by any change of its terminal. Returns 0, or a negative
 * errno not recorded (-EIO: in the background, and nobody there to continue it). */
int terminal_set_raw(int fd, const struct termios *original);

/* The same file, opened once more so that it never blocks us: the flag O_NONBLOCK on a descriptor
 * that others share would be seen by them. Only for terminals and pipes. access: O_RDONLY or
 * O_WRONLY. Returns a descriptor, or -1: not possible, or another kind of file. */
int terminal_reopen(int proc, int fd, int access);
