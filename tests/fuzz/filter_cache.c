/* Fuzz target: a file of the cache of system call filters. Either it is of no use, or just what was
 * kept.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/linux/seccomp_parts.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[FOLDER_MAX];
static char name[256]; /* of the file of that profile */

static void remove_folder(void)
{
    char path[sizeof(folder) + sizeof(name)];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
    rmdir(folder);
}

static int open_cache(const struct text *profile, const struct filter_program *program)
{
    if (!folder[0]) {
        make_folder(folder, remove_folder);
        int cache = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        filter_cache_keep(cache, profile, program);
        DIR *listing = fdopendir(cache);
        for (const struct dirent *entry; listing && (entry = readdir(listing));) {
            if (entry->d_name[0] != '.')
                snprintf(name, sizeof(name), "%s", entry->d_name);
        }
        closedir(listing);
        if (!name[0])
            abort();
    }
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                 BPF_STMT(BPF_RET | BPF_K, 0x7fff0000)};
    const struct filter_program program = {.code = code, .length = 2};
    struct filter_program found = {0};
    autotext struct text profile = {0};

    text_append(&profile, "profile");

    int cache = open_cache(&profile, &program);
    int file = openat(cache, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (file < 0 || write(file, data, size) != (ssize_t)size)
        abort();
    close(file);
    if (filter_cache_find(cache, &profile, &found)) {
        if (found.length == 0 || found.length > FILTER_LENGTH_MAX ||
            size != 24 + profile.length + found.length * sizeof(code[0]) || !found.code)
            abort();
        free(found.code);
    }
    close(cache);
    return 0;
}
