/* Fuzz target: user and group tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/oci/passwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct passwd_notes notes = {0};
    struct passwd_user user;
    struct group_set set = {0};
    uint32_t gid = ID_MAX;
    bool found;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    for (int round = 0; round < 2; round++) {
        lseek(fd, 0, SEEK_SET);
        if (passwd_find(fd, "fuzz", round ? NULL : "a", 1, &user, &notes) < 0)
            abort();
        if (user.found && (user.uid > ID_MAX || user.gid > ID_MAX || (round && user.uid != 1) ||
                           (!round && strcmp(user.name, "a") != 0)))
            abort();
    }
    lseek(fd, 0, SEEK_SET);
    if (group_find(fd, "fuzz", "a", &found, &gid, "a", &set, &notes) < 0 && !error_is_set())
        abort();
    if (gid > ID_MAX || set.count > PASSWD_GROUPS_MAX)
        abort();
    group_set_free(&set);
    error_clear();
    close(fd);
    return 0;
}
