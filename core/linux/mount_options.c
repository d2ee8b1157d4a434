/* Mount options by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/mount_options.h"

#include <errno.h>
#include <linux/mount.h>
#include <string.h>

#include "core/base/error.h"
#include "core/linux/sys.h"

/* Options of the mount, not of the file system. A leading "r" makes each of them recursive. The
 * access time settings are one field of the attributes: to choose one, the whole field is cleared.
 */
static const struct attribute {
    char name[16];
    uint32_t set;
    uint32_t clear;
} attributes[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

static const struct propagation {
    char name[12];
    uint32_t flag;
} propagations[] = {
    {"shared", MS_SHARED},
    {"slave", MS_SLAVE},
    {"private", MS_PRIVATE},
    {"unbindable", MS_UNBINDABLE},
};

/* Real options whose meaning needs more than a flag. */
static const char unsupported[][12] = {"remount", "idmap", "ridmap", "mand", "nomand"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

uint64_t mount_propagation(const char *word, bool *recursive)
{
    *recursive = false;
    for (int prefixed = 0; prefixed < 2; prefixed++) {
        for (size_t i = 0; i < COUNT(propagations); i++) {
            if (strcmp(word, propagations[i].name) == 0)
                return propagations[i].flag;
        }
        if (word[0] != 'r')
            return 0;
        word++;
        *recursive = true;
    }
    return 0;
}

static const struct attribute *find_attribute(const char *word)
{
    for (size_t i = 0; i < COUNT(attributes); i++) {
        if (strcmp(word, attributes[i].name) == 0)
            return &attributes[i];
    }
    return NULL;
}

/* The later option wins: what it sets is not cleared any more, and the other way round. */
static void merge(uint64_t *set, uint64_t *clear, const struct attribute *attribute)
{
    *set = (*set & ~(uint64_t)attribute->clear) | attribute->set;
    *clear = (*clear & ~(uint64_t)attribute->set) | attribute->clear;
}

/* Returns whether the word was one of ours. */
static bool parse_attribute(struct mount_options *options, const char *word)
{
    const struct attribute *attribute = find_attribute(word);
    if (attribute) {
        merge(&options->set, &options->clear, attribute);
        return true;
    }
    if (word[0] != 'r' || !(attribute = find_attribute(word + 1)))
        return false;
    merge(&options->recursive_set, &options->recursive_clear, attribute);
    return true;
}

static int parse_word(struct mount_options *options, const char *word, const char *field)
{
    for (size_t i = 0; i < COUNT(unsupported); i++) {
        size_t length = strlen(unsupported[i]);
        if (strncmp(word, unsupported[i], length) == 0 &&
            (word[length] == '\0' || word[length] == '='))
            return fail_config(field, "mount option %s is not supported", word);
    }
    if (strcmp(word, "tmpcopyup") == 0) {
        options->copy_up = true;
        return 0;
    }
    bool recursive;
    uint64_t propagation = mount_propagation(word, &recursive);
    if (propagation) {
        options->propagation = propagation;
        options->propagation_recursive = recursive;
        return 0;
    }
    if (strcmp(word, "bind") == 0 || strcmp(word, "rbind") == 0) {
        options->bind = true;
        options->bind_recursive = word[0] == 'r';
        return 0;
    }
    if (strcmp(word, "defaults") == 0 || word[0] == '\0' || parse_attribute(options, word))
        return 0;
    return text_list_add(&options->filesystem, word);
}

int mount_options_parse(struct mount_options *options, const char *const *words, const char *field)
{
    *options = (struct mount_options){0};
    for (; *words; words++) {
        int result = parse_word(options, *words, field);
        if (result < 0)
            return result;
    }
    return 0;
}

void mount_options_free(struct mount_options *options)
{
    text_list_free(&options->filesystem);
}
