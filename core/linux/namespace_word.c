/* Namespaces as command lines name them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/namespace_word.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/linux/sys.h"

static bool is_descriptor(const char *word, uint32_t *fd)
{
    return starts_with(word, "fd:") && parse_u32(word + 3, INT_MAX, fd) == 0;
}

int namespace_check_word(const char *option, const char *word, enum namespace_type type)
{
    uint32_t number;
    if (!*word || is_descriptor(word, &number) || strchr(word, '/') ||
        parse_u32(word, INT_MAX, &number) == 0)
        return 0;
    if (starts_with(word, "fd:"))
        return fail_usage("option %s: '%s' is not fd:N", option, word);
    if (type == NAMESPACE_NETWORK)
        return 0;
    return fail_usage("option %s: '%s' is neither a pid, fd:N nor a path with a slash", option,
                      word);
}

/* A copy, so that the caller's own stays what it was. */
static int copy_checked(int fd, const char *what, enum namespace_type type)
{
    int found = ioctl(fd, NS_GET_NSTYPE);
    if (found < 0 || (uint64_t)found != namespace_flag(type))
        return fail(EINVAL, "%s is not a %s namespace", what, namespace_name(type));
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? fail(errno, "cannot copy %s", what) : copy;
}

static int fail_missing(enum namespace_type type)
{
    int result = fail(ENOENT, "no %s namespace in the chain", namespace_name(type));
    error_hint("an earlier link makes one: %s",
               type == NAMESPACE_USER ? "userns-fd ... --" : "netns-new ... --");
    return result;
}

int namespace_of_chain(struct chain *chain, enum namespace_type type)
{
    autoclose int fd = chain_take(chain, type == NAMESPACE_USER ? CHAIN_USERNS : CHAIN_NETNS);
    return fd < 0 ? fail_missing(type) : copy_checked(fd, "the chain's descriptor", type);
}

int userns_of_chain_shared(struct chain *chain)
{
    int fd = chain_use(chain, CHAIN_USERNS);
    return fd < 0 ? fail_missing(NAMESPACE_USER)
                  : copy_checked(fd, "the chain's descriptor", NAMESPACE_USER);
}

int mount_of_chain(struct chain *chain)
{
    autoclose int fd = chain_take(chain, CHAIN_MOUNT);
    if (fd < 0) {
        int result = fail(ENOENT, "no detached mount in the chain");
        error_hint("an earlier link makes one: idmap-mount --detached DIR --");
        return result;
    }
    return take_fd(&fd);
}

int namespace_by_word(const char *word, enum namespace_type type, struct chain *chain)
{
    uint32_t number;
    char path[PATH_MAX];
    if (!*word)
        return namespace_of_chain(chain, type);
    if (is_descriptor(word, &number))
        return copy_checked((int)number, word, type);
    if (strchr(word, '/'))
        return namespace_open(word, type);
    const char *form = parse_u32(word, INT_MAX, &number) == 0 ? "/proc/%s/ns/%s" : "/run/netns/%s";
    if (snprintf(path, sizeof(path), form, word, namespace_file(type)) >= (int)sizeof(path))
        return fail(ENAMETOOLONG, "cannot open namespace %s", word);
    return namespace_open(path, type);
}
