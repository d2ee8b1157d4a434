/* System call filters that were made before.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One file each, called by a hash of its profile. The file holds the profile as well: that counts,
 * so two profiles with one hash only take turns. Whoever can write here could have any program
 * loaded in place of the profile's, so nobody else may; what is broken is made anew.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/own.h"
#include "core/linux/seccomp_parts.h"

#define FOLDER    ".seccomp" /* no container can have this ID, which starts with a dot */
#define FILES_MAX 64

#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct header {
    char magic[8];
    uint32_t profile;      /* bytes, after the header */
    uint32_t instructions; /* after the profile */
    uint64_t checksum;     /* of both */
};

static const char magic[8] = "shimfil1";

/* FNV-1a: against accidents, not against anybody. */
static uint64_t hash(uint64_t state, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++)
        state = (state ^ byte[i]) * FNV_PRIME;
    return state;
}

static struct header make_header(const struct text *profile, const struct filter_program *program)
{
    struct header header = {.profile = (uint32_t)profile->length,
                            .instructions = (uint32_t)program->length};
    memcpy(header.magic, magic, sizeof(magic));
    header.checksum = hash(FNV_START, profile->data, profile->length);
    header.checksum =
        hash(header.checksum, program->code, program->length * sizeof(program->code[0]));
    return header;
}

static void make_name(const struct text *profile, char name[17])
{
    snprintf(name, 17, "%016llx",
             (unsigned long long)hash(FNV_START, profile->data, profile->length));
}

static bool is_ours_alone(int fd, mode_t type, struct stat *status)
{
    return fstat(fd, status) == 0 && (status->st_mode & S_IFMT) == type &&
           status->st_uid == geteuid() && !(status->st_mode & (S_IWGRP | S_IWOTH));
}

int filter_cache_open(int directory)
{
    struct stat status;
    if (mkdirat(directory, FOLDER, 0700) < 0 && errno != EEXIST)
        return -1;
    autoclose int fd = openat(directory, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && is_ours_alone(fd, S_IFDIR, &status) ? take_fd(&fd) : -1;
}

static bool reads(int fd, void *bytes, size_t length)
{
    return read(fd, bytes, length) == (ssize_t)length;
}

/* -1, or an open file that may be believed and has the size that its header tells. */
static int open_kept(int cache, const struct text *profile, struct header *header)
{
    char name[17];
    struct stat status;
    make_name(profile, name);
    autoclose int file = openat(cache, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 || !is_ours_alone(file, S_IFREG, &status) ||
        !reads(file, header, sizeof(*header)) || memcmp(header->magic, magic, sizeof(magic)) != 0)
        return -1;
    if (header->profile != profile->length || header->instructions == 0 ||
        header->instructions > FILTER_LENGTH_MAX ||
        (uint64_t)status.st_size !=
            sizeof(*header) + header->profile + header->instructions * sizeof(struct sock_filter))
        return -1;
    return take_fd(&file);
}

int filter_cache_find(int cache, const struct text *profile, struct filter_program *program)
{
    struct header header;
    autoclose int file = open_kept(cache, profile, &header);
    if (file < 0)
        return 0;
    struct filter_program kept = {.length = header.instructions};
    size_t size = kept.length * sizeof(kept.code[0]);
    autofree char *bytes = malloc(profile->length);
    autofree struct sock_filter *code = malloc(size);
    if (!bytes || !code || !reads(file, bytes, profile->length) || !reads(file, code, size) ||
        memcmp(bytes, profile->data, profile->length) != 0)
        return 0;
    kept.code = code;
    if (make_header(profile, &kept).checksum != header.checksum)
        return 0;
    program->code = take_pointer(code);
    program->length = kept.length;
    return 1;
}

/* Whoever makes a new profile for each container has nothing of a cache: it begins anew. */
static void bound_files(int cache)
{
    /* A descriptor of its own: this one's place in the directory is everybody's. */
    int fd = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    unsigned count = 0;
    if (!listing) {
        close_fd(&fd);
        return;
    }
    while ((entry = readdir(listing)))
        count += entry->d_name[0] != '.';
    if (count >= FILES_MAX) {
        rewinddir(listing);
        while ((entry = readdir(listing))) {
            if (entry->d_name[0] != '.')
                unlinkat(cache, entry->d_name, 0);
        }
    }
    closedir(listing);
}

void filter_cache_keep(int cache, const struct text *profile, const struct filter_program *program)
{
    char name[17];
    char beside[24];
    struct header header = make_header(profile, program);
    const struct iovec parts[3] = {
        {&header, sizeof(header)},
        {profile->data, profile->length},
        {program->code, program->length * sizeof(program->code[0])},
    };
    size_t size = parts[0].iov_len + parts[1].iov_len + parts[2].iov_len;
    bound_files(cache);
    make_name(profile, name);
    /* In another pid namespace somebody may have the same number, and be at it: then not now. */
    snprintf(beside, sizeof(beside), "new.%d", (int)getpid());
    autoclose int file = openat(cache, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return;
    if (writev(file, parts, 3) != (ssize_t)size || renameat(cache, beside, cache, name) < 0)
        unlinkat(cache, beside, 0);
}

static void put_number(struct text *text, uint64_t number)
{
    text_append_bytes(text, &number, sizeof(number));
}

/* Lengths come before what they are of, so that no two profiles have the same bytes. */
void filter_describe(const struct filter_profile *profile, struct text *text)
{
    char library[32];
    text_append(text, "shimbox " SHIMBOX_VERSION ", libseccomp ");
    text_append(text, filter_library(library, sizeof(library)));
#ifdef __x86_64__
    text_append(text, ", x86_64\n");
#else
    text_append(text, ", aarch64\n");
#endif
    put_number(text, profile->default_action);
    put_number(text, profile->architectures);
    put_number(text, profile->rule_count);
    for (size_t i = 0; i < profile->rule_count; i++) {
        const struct filter_rule *rule = &profile->rules[i];
        put_number(text, rule->action);
        put_number(text, rule->argument_count);
        for (size_t j = 0; j < rule->argument_count; j++) {
            put_number(text, rule->arguments[j].index);
            put_number(text, rule->arguments[j].comparison);
            put_number(text, rule->arguments[j].value);
            put_number(text, rule->arguments[j].value_two);
        }
        for (const char **name = rule->names; *name; name++)
            text_append_bytes(text, *name, strlen(*name) + 1);
        text_append_bytes(text, "", 1);
    }
}
