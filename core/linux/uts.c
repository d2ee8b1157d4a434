/* The names of the machine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/uts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"

static int check(int result, const char *what, const char *name)
{
    if (result == 0)
        return 0;
    result = fail(errno, "cannot set the %s %s", what, name);
    if (result == -EPERM)
        error_hint("needs CAP_SYS_ADMIN in the user namespace of the uts namespace");
    return result;
}

int uts_set_hostname(const char *name)
{
    return check(sethostname(name, strlen(name)), "hostname", name);
}

int uts_set_domainname(const char *name)
{
    return check(setdomainname(name, strlen(name)), "domainname", name);
}
