/* Exit codes: the numbers. What they mean is told by manual.c and the README, which tests compare.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Commands that answer a question, or write a file (spec). */
#define EXIT_YES     0
#define EXIT_NO      1
#define EXIT_TROUBLE 2 /* bad usage or input, or no answer could be found */

/* Lifecycle commands (run): their own failure, as runc has it. */
#define EXIT_LIFECYCLE 1
#define EXIT_EXEC      255 /* exec: its own failure, as runc has it */

/* Stand-ins for the tools of util-linux: what those end with. */
#define EXIT_STAND_IN 1   /* stand-ins (unshare, nsenter, setpriv): their own failure */
#define EXIT_PRIVERR  127 /* setpriv: a privilege could not be changed */

/* Links and other commands that run a program and become it, or wait for it. */
#define EXIT_OUTPUT_LIMIT 123 /* the program was ended because it wrote too much */
#define EXIT_TIMEOUT      124 /* the program was ended because its time was up */
#define EXIT_OWN_FAILURE  125 /* shimbox itself failed, bad usage included */
#define EXIT_CANNOT_EXEC  126 /* the program exists, but cannot be executed */
#define EXIT_NOT_FOUND    127 /* the program does not exist */
#define EXIT_SIGNAL       128 /* plus N: the program was ended by signal N */
