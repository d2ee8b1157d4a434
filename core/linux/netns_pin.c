/* Network namespaces, kept under a name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/linux/mount.h"
#include "core/linux/netns.h"
#include "core/linux/pin.h"
#include "core/linux/sys.h"

int netns_directory(const char *directory, char **path)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int length;
    if (directory)
        length = asprintf(path, "%s", directory);
    else if (runtime && runtime[0] == '/')
        length = asprintf(path, "%s/netns", runtime);
    else if (geteuid() == 0)
        length = asprintf(path, "/run/netns");
    else
        return fail_usage("XDG_RUNTIME_DIR is not set: say where with --dir");
    return length < 0 ? fail(ENOMEM, "cannot make the path of the network namespaces") : 0;
}

void netns_random_name(char name[48])
{
    static const char groups[] = {4, 2, 2, 2, 6};
    unsigned char bytes[16];
    size_t length = 3;
    size_t used = 0;
    while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        continue;
    memcpy(name, "net", 4);
    for (size_t i = 0; i < sizeof(groups); i++) {
        name[length++] = '-';
        for (int j = 0; j < groups[i]; j++, used++, length += 2)
            snprintf(name + length, 3, "%02x", bytes[used]);
    }
}

int netns_check_name(const char *name)
{
    if (*name && strlen(name) <= 255 && !strchr(name, '/') && strcmp(name, ".") != 0 &&
        strcmp(name, "..") != 0)
        return 0;
    return fail_usage("'%s' cannot be the name of a network namespace", name);
}

/* mkdir -p; what is made is for its owner only, but for the place that everybody knows. made: the
 * last one was not there before. */
static int make_directories(const char *directory, bool *made)
{
    autofree char *path = strdup(directory);
    mode_t mode = strcmp(directory, "/run/netns") == 0 ? 0755 : 0700;
    if (!path)
        return fail(ENOMEM, "cannot create %s", directory);
    for (char *slash = path + 1;; slash++) {
        slash += strcspn(slash, "/");
        char end = *slash;
        *slash = '\0';
        *made = mkdir(path, mode) == 0;
        if (!*made && errno != EEXIST)
            return fail(errno, "cannot create %s", path);
        *slash = end;
        if (!end)
            return 0;
    }
}

/* The directory must be ours: whoever owns it could put something else in the place of a name. */
static int open_directory(const char *directory)
{
    autoclose int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(errno, "cannot open %s", directory);
    if (status.st_uid != geteuid() && status.st_uid != 0)
        return fail(EPERM, "cannot use %s, which belongs to uid %u", directory, status.st_uid);
    return take_fd(&fd);
}

/* A shared mount, as ip netns makes it once: it is there already, or the directory is bound on
 * itself. A lock keeps two who do this at the same time apart. Returns a descriptor of the
 * directory inside of that mount. */
static int share_directory(const char *directory)
{
    autoclose int under = open_directory(directory);
    if (under < 0)
        return under;
    while (flock(under, LOCK_EX) < 0) {
        if (errno != EINTR)
            return fail(errno, "cannot lock %s", directory);
    }
    autoclose int fd = open_directory(directory);
    if (fd < 0)
        return fd;
    step("share %s", directory);
    if (mount_set_propagation(fd, MS_SHARED, true) == 0)
        return take_fd(&fd);
    if (error_get()->number != EINVAL)
        return -error_get()->number;
    error_clear();
    autoclose int mount = mount_clone(fd, "", true);
    if (mount < 0)
        return mount;
    int result = mount_attach(mount, fd, directory);
    if (result == 0)
        result = mount_set_propagation(mount, MS_SHARED, true);
    return result < 0 ? result : open_directory(directory);
}

static int pin(int netns, const char *directory, const char *name)
{
    autoclose int parent = share_directory(directory);
    if (parent < 0)
        return parent;
    autofree char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return fail(ENOMEM, "cannot keep the network namespace");
    return pin_namespace(netns, parent, name, path);
}

int netns_pin(int netns, const char *directory, const char *name)
{
    bool made = false;
    int result = make_directories(directory, &made);
    if (result < 0)
        return result;
    result = pin(netns, directory, name);
    /* Not if it has become a mount, or somebody else has put something there meanwhile. */
    if (result < 0 && made)
        rmdir(directory);
    return result;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int netns_list(const char *directory, struct text_list *names)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(errno, "cannot open %s", directory);
    DIR *entries = fdopendir(fd);
    if (!entries) {
        close(fd);
        return fail(errno, "cannot read %s", directory);
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        char *name =
            pin_exists(fd, entry->d_name, NAMESPACE_NETWORK) ? strdup(entry->d_name) : NULL;
        if (name)
            result = text_list_add(names, name);
    }
    closedir(entries);
    if (names->count > 0)
        qsort(names->items, names->count, sizeof(*names->items), compare);
    return result;
}
