/* Mounts as descriptors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/linux/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/sys.h"

/* The file system's own explanation, if it left one: "e tmpfs: Bad value for 'size'". */
static void hint_from_context(int context)
{
    char message[200];
    ssize_t length = read(context, message, sizeof(message) - 1);
    if (length <= 2)
        return;
    message[length] = '\0';
    message[strcspn(message, "\n")] = '\0';
    /* This one means that the mounts here hide parts of it; callers have better advice. */
    if (!strstr(message, "Mount too revealing"))
        error_hint("%s", message + 2);
}

/* The quotes that keep the commas of an SELinux context together, for mount(2), which takes them
 * off. */
static bool is_quoted_context(const char *key, const char *value)
{
    size_t length = strlen(key);
    return length >= 7 && strcmp(key + length - 7, "context") == 0 && value[0] == '"' && value[1] &&
           value[strlen(value) - 1] == '"';
}

/* Tell the file system one option: "size=1m" or "sync". */
static int configure(int context, const char *option)
{
    const char *equals = strchr(option, '=');
    if (!equals) {
        return sys_fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0);
    }
    char key[64];
    size_t length = (size_t)(equals - option);
    if (length >= sizeof(key)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(key, option, length);
    key[length] = '\0';
    autofree char *bare =
        is_quoted_context(key, equals + 1) ? strndup(equals + 2, strlen(equals + 2) - 1) : NULL;
    return sys_fsconfig(context, FSCONFIG_SET_STRING, key, bare ? bare : equals + 1, 0);
}

/* All files of the new file system get the label, unless an option gives them one. */
static int configure_label(int context, const char *type, const struct mount_options *wanted)
{
    const struct text_list *options = &wanted->filesystem;
    if (!wanted->label)
        return 0;
    for (size_t i = 0; i < options->count; i++) {
        if (starts_with(options->items[i], "context="))
            return 0;
    }
    if (sys_fsconfig(context, FSCONFIG_SET_STRING, "context", wanted->label, 0) == 0)
        return 0;
    int result = fail(errno, "cannot give a new %s the label %s", type, wanted->label);
    hint_from_context(context);
    return result;
}

static int configure_all(int context, const char *type, const char *source,
                         const struct mount_options *wanted)
{
    const struct text_list *options = &wanted->filesystem;
    if (sys_fsconfig(context, FSCONFIG_SET_STRING, "source", source ? source : type, 0) < 0)
        return fail(errno, "cannot set the source of a new %s", type);
    for (size_t i = 0; i < options->count; i++) {
        if (configure(context, options->items[i]) < 0) {
            int result = fail(errno, "cannot set option %s of a new %s", options->items[i], type);
            hint_from_context(context);
            return result;
        }
    }
    int result = configure_label(context, type, wanted);
    if (result == 0 && sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        result = fail(errno, "cannot create a mount of type %s", type);
        hint_from_context(context);
    }
    return result;
}

int mount_create(const char *type, const char *source, const struct mount_options *options)
{
    autoclose int context = sys_fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0) {
        int number = errno;
        int result = fail(number, "cannot open file system type %s", type);
        if (number == ENODEV)
            error_hint("this kernel has no %s", type);
        return result;
    }
    int result = configure_all(context, type, source, options);
    if (result < 0)
        return result;
    int mount =
        sys_fsmount(context, FSMOUNT_CLOEXEC, (unsigned)(options->set | options->recursive_set));
    if (mount < 0) {
        result = fail(errno, "cannot mount a new %s", type);
        hint_from_context(context);
        return result;
    }
    return mount;
}

int mount_set_label(int mount, const char *label)
{
    autoclose int root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0 && fsetxattr(root, "security.selinux", label, strlen(label), 0) == 0)
        return 0;
    return fail(errno, "cannot give a new mount the label %s", label);
}

int mount_clone(int directory, const char *path, bool recursive)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
    int mount = sys_open_tree(directory, path, recursive ? flags | AT_RECURSIVE : flags);
    if (mount >= 0)
        return mount;
    int number = errno;
    int result = fail(number, "cannot open %s for mounting", *path ? path : "a directory");
    if (number == EMFILE)
        error_hint("takes a descriptor for each bind mount: raise the limit, ulimit -n");
    if (number == EINVAL && !recursive)
        error_hint("in a user namespace, what is mounted below must come along: rbind");
    else if (number == ENOSYS)
        error_hint("needs Linux 5.2");
    return result;
}

int mount_clone_locked(const char *path, bool recursive, int *pinned)
{
    int mount = mount_clone(AT_FDCWD, path, recursive);
    if (mount >= 0 || *pinned < 0)
        return mount;
    error_clear();
    return take_fd(pinned);
}

static int set_attributes(int mount, bool recursive, const struct mount_attr *wanted)
{
    struct mount_attr attributes = *wanted;
    if (sys_mount_setattr(mount, "", recursive ? AT_EMPTY_PATH | AT_RECURSIVE : AT_EMPTY_PATH,
                          &attributes) == 0)
        return 0;
    int number = errno;
    bool idmap = attributes.attr_set & MOUNT_ATTR_IDMAP;
    int result =
        fail(number, idmap ? "cannot idmap a mount" : "cannot change the attributes of a mount");
    if (number == ENOSYS)
        error_hint("needs Linux 5.12");
    else if (number == EPERM && !idmap)
        error_hint("in a user namespace, what the host has set cannot be taken back");
    return result;
}

int mount_change(int mount, const struct mount_options *options, int userns)
{
    struct mount_attr alone = {.attr_set = options->set, .attr_clr = options->clear};
    struct mount_attr below = {.attr_set = options->recursive_set,
                               .attr_clr = options->recursive_clear};
    if (options->propagation_recursive)
        below.propagation = options->propagation;
    else
        alone.propagation = options->propagation;
    if (userns >= 0 && options->idmap) {
        struct mount_attr *idmapped = options->idmap_recursive ? &below : &alone;
        idmapped->attr_set |= MOUNT_ATTR_IDMAP;
        idmapped->userns_fd = (uint64_t)userns;
    }
    int result = 0;
    if (alone.attr_set || alone.attr_clr || alone.propagation)
        result = set_attributes(mount, false, &alone);
    if (result == 0 && (below.attr_set || below.attr_clr || below.propagation))
        result = set_attributes(mount, true, &below);
    return result;
}

/* One is a directory and the other is not, which the kernel calls EINVAL as it does other things.
 */
static bool differ_in_kind(int mount, int target)
{
    struct stat one;
    struct stat other;
    return fstat(mount, &one) == 0 && fstat(target, &other) == 0 &&
           S_ISDIR(one.st_mode) != S_ISDIR(other.st_mode);
}

int mount_attach(int mount, int target, const char *what)
{
    if (sys_move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
        0)
        return 0;
    int number = errno;
    int result = fail(number, "cannot attach a mount on %s", what);
    if (number == ENOSYS)
        error_hint("needs Linux 5.2");
    else if (differ_in_kind(mount, target))
        error_hint("a directory goes on a directory only, and a file on a file");
    return result;
}

int mount_attach_at(int mount, int target, const char *what, enum mount_place place)
{
    char link[40];
    if (place == MOUNT_ON_TOP)
        return mount_attach(mount, target, what);
    if (sys_move_mount(mount, "", target, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_BENEATH) <
        0) {
        int number = errno;
        int result = fail(number, "cannot attach a mount beneath the one on %s", what);
        if (number == EINVAL)
            error_hint("needs Linux 6.5, and a mount there that is not locked");
        return result;
    }
    if (place == MOUNT_BENEATH)
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", target);
    if (sys_umount2(link, MNT_DETACH) == 0)
        return 0;
    /* Nothing has changed for who looks from above; now nothing has changed at all. */
    int result = fail(errno, "cannot unmount what was mounted on %s", what);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", mount);
    sys_umount2(link, MNT_DETACH);
    return result;
}

int mount_attach_path(int mount, const char *path)
{
    step("attach a mount on %s", path);
    autoclose int target = open(path, O_PATH | O_CLOEXEC);
    if (target < 0)
        return fail(errno, "cannot open %s to mount on it", path);
    return mount_attach(mount, target, path);
}

int mount_set_readonly(int mount, bool recursive)
{
    const struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    return set_attributes(mount, recursive, &readonly);
}

int mount_set_propagation(int mount, uint64_t propagation, bool recursive)
{
    const struct mount_attr wanted = {.propagation = propagation};
    return set_attributes(mount, recursive, &wanted);
}
