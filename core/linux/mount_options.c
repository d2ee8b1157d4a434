/* Mount options by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/mount_options.h"

#include <errno.h>
#include <linux/mount.h>
#include <stddef.h>
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

/* Who else may mount or unmount is nobody's question here, but what goes with it is: mount(8),
 * "user" and its like. Not recursive. */
static const struct attribute implying[] = {
    {"user", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0},
    {"users", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0},
    {"owner", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0},
    {"group", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0},
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

/* Words that are only about one thing. */
static const struct switch_word {
    char name[12];
    uint8_t offset; /* of a bool in struct mount_options */
} switches[] = {
    {"tmpcopyup", offsetof(struct mount_options, copy_up)},
    {"remount", offsetof(struct mount_options, remount)},
    {"nofail", offsetof(struct mount_options, optional)},
};

/* Passed over: see the header. */
static const char notes[][20] = {
    "",
    "defaults",
    "auto",
    "noauto",
    "nouser",
    "nousers",
    "noowner",
    "nogroup",
    "_netdev",
    "silent",
    "loud",
    "iversion",
    "noiversion",
    /* Directories to mount on are always made, with this mode. */
    "X-mount.mkdir",
    "x-mount.mkdir",
    "X-mount.mkdir=0755",
    "x-mount.mkdir=0755",
};
static const char note_prefixes[][10] = {"x-", "X-", "comment=", "helper=", "uhelper="};

/* Real options that would have to do something; X-mount.* are those of mount(8) that do. */
static const struct unsupported {
    char name[24];
    char instead[72]; /* "": nothing */
} unsupported[] = {
    {"loop", "set the loop device up with losetup(8), and mount that"},
    {"idmap", "give the mount uidMappings and gidMappings"},
    {"ridmap", "give the mount uidMappings and gidMappings"},
    {"X-mount.idmap", "give the mount uidMappings and gidMappings, and the option idmap"},
    {"X-mount.mkdir", "directories to mount on are made with mode 0755"},
    {"x-mount.mkdir", "directories to mount on are made with mode 0755"},
    {"X-mount.subdir", ""},
    {"X-mount.owner", ""},
    {"X-mount.group", ""},
    {"X-mount.mode", ""},
    {"X-mount.auto-fstypes", ""},
};

/* For a file system to be told, but true of a bind mount as well. Not here: mand, which since Linux
 * 5.15 a file system can be told without effect. */
static const char defaults_of_filesystems[][12] = {"async", "nolazytime", "nomand"};

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

static bool is_note(const char *word)
{
    for (size_t i = 0; i < COUNT(notes); i++) {
        if (strcmp(word, notes[i]) == 0)
            return true;
    }
    return false;
}

static bool has_note_prefix(const char *word)
{
    for (size_t i = 0; i < COUNT(note_prefixes); i++) {
        if (strncmp(word, note_prefixes[i], strlen(note_prefixes[i])) == 0)
            return true;
    }
    return false;
}

/* Words that stand for a member of the struct. */
static bool parse_switch(struct mount_options *options, const char *word)
{
    for (size_t i = 0; i < COUNT(switches); i++) {
        if (strcmp(word, switches[i].name) == 0) {
            *(bool *)((char *)options + switches[i].offset) = true;
            return true;
        }
    }
    if (strcmp(word, "bind") == 0 || strcmp(word, "rbind") == 0) {
        options->bind = true;
        options->bind_recursive = word[0] == 'r';
        return true;
    }
    if (strcmp(word, "idmap") == 0 || strcmp(word, "ridmap") == 0) {
        options->idmap = true;
        options->idmap_recursive = word[0] == 'r';
        return true;
    }
    bool recursive;
    uint64_t propagation = mount_propagation(word, &recursive);
    if (propagation) {
        options->propagation = propagation;
        options->propagation_recursive = recursive;
    }
    return propagation != 0;
}

/* "user", and "user=NAME" that /etc/mtab had. */
static bool parse_implying(struct mount_options *options, const char *word)
{
    for (size_t i = 0; i < COUNT(implying); i++) {
        size_t length = strlen(implying[i].name);
        if (strncmp(word, implying[i].name, length) != 0 ||
            (word[length] != '\0' && (word[length] != '=' || i != 0)))
            continue;
        merge(&options->set, &options->clear, &implying[i]);
        return true;
    }
    return false;
}

static int refuse_unsupported(const char *word, const char *field)
{
    for (size_t i = 0; i < COUNT(unsupported); i++) {
        size_t length = strlen(unsupported[i].name);
        if (strncmp(word, unsupported[i].name, length) != 0 ||
            (word[length] != '\0' && word[length] != '='))
            continue;
        int result = fail_config(field, "mount option %s is not supported", word);
        if (unsupported[i].instead[0])
            error_hint("%s", unsupported[i].instead);
        return result;
    }
    return 0;
}

static int parse_word(struct mount_options *options, const char *word, const char *field)
{
    if (is_note(word) || parse_switch(options, word) || parse_attribute(options, word) ||
        parse_implying(options, word))
        return 0;
    int result = refuse_unsupported(word, field);
    if (result < 0 || has_note_prefix(word))
        return result;
    return text_list_add(&options->filesystem, word);
}

static bool is_default_of_filesystems(const char *word)
{
    for (size_t i = 0; i < COUNT(defaults_of_filesystems); i++) {
        if (strcmp(word, defaults_of_filesystems[i]) == 0)
            return true;
    }
    return false;
}

int mount_options_refuse_filesystem(const struct mount_options *options, const char *field)
{
    for (size_t i = 0; i < options->filesystem.count; i++) {
        const char *word = options->filesystem.items[i];
        if (options->remount)
            return fail_config(field, "mount option %s cannot be changed by remount", word);
        if (!is_default_of_filesystems(word))
            return fail_config(field, "mount option %s means nothing to a bind mount", word);
    }
    return 0;
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

int mount_options_each(int (*visit)(void *context, const char *name, bool recursive), void *context)
{
    int result = visit(context, "bind", true);
    if (result == 0)
        result = visit(context, "idmap", true);
    for (size_t i = 0; result == 0 && i < COUNT(attributes); i++)
        result = visit(context, attributes[i].name, true);
    for (size_t i = 0; result == 0 && i < COUNT(propagations); i++)
        result = visit(context, propagations[i].name, true);
    for (size_t i = 0; result == 0 && i < COUNT(implying); i++)
        result = visit(context, implying[i].name, false);
    for (size_t i = 0; result == 0 && i < COUNT(switches); i++)
        result = visit(context, switches[i].name, false);
    /* The first is the empty one; those with a value are forms of others. */
    for (size_t i = 1; result == 0 && i < COUNT(notes); i++) {
        if (!strchr(notes[i], '='))
            result = visit(context, notes[i], false);
    }
    for (size_t i = 0; result == 0 && i < COUNT(defaults_of_filesystems); i++)
        result = visit(context, defaults_of_filesystems[i], false);
    return result;
}
