/* The log of --log: what the functions of report.h have to say, for programs to read.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

struct globals;

/* Open the FILE of --log, which is created 0600 and appended to; from here on report.h writes to
 * it, one record for each error, warning and line of --debug:
 * {"errno":1,"field":"/root/path","level":"error","msg":…,"step":…,"time":…}, the errno, field and
 * step where they are known, or runc's text form of that. Without --log it only checks the form.
 * Returns 0 or a negative errno (recorded). */
int log_open(const struct globals *globals);

/* Write the log to a copy of this descriptor, as JSON whatever --log-format says. Not together with
 * --log. Returns 0 or a negative errno (recorded). */
int log_use(const struct globals *globals, int fd);
