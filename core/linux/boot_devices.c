/* Device nodes, where the kernel has no devtmpfs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/device.h"
#include "core/linux/path.h"

/* The value of a line KEY=VALUE, which is ended there; NULL without one. */
static char *find_value(char *lines, const char *key)
{
    size_t length = strlen(key);
    for (char *line = lines; *line; line += strcspn(line, "\n") + 1) {
        if (strncmp(line, key, length) == 0 && line[length] == '=')
            return line + length + 1;
        if (!line[strcspn(line, "\n")])
            break;
    }
    return NULL;
}

/* numbers: "1:3", the name of the device's folder in sysfs. Its uevent says what the node is called
 * and may be used by; some devices have none. */
static int make_node(int dev, int folder, const char *numbers, mode_t type)
{
    struct device device = {.type = type, .mode = 0600};
    char path[48];
    autotext struct text lines = {0};
    if (sscanf(numbers, "%u:%u", &device.major, &device.minor) != 2)
        return 0;
    snprintf(path, sizeof(path), "%.30s/uevent", numbers);
    if (read_file(folder, path, 4096, &lines) < 0) {
        error_clear(); /* it went away */
        return 0;
    }
    const char *mode = lines.data ? find_value(lines.data, "DEVMODE") : NULL;
    char *name = lines.data ? find_value(lines.data, "DEVNAME") : NULL;
    if (!name)
        return 0;
    if (mode)
        device.mode = (mode_t)strtoul(mode, NULL, 8) & 0777;
    name[strcspn(name, "\n")] = '\0';
    const char *leaf;
    autoclose int parent = path_make_parent_in_root(dev, name, &leaf);
    int result = parent < 0 ? parent : device_make(parent, leaf, name, &device);
    return result == -EPERM ? fail(EPERM, "cannot make device %s", name) : result;
}

static int make_nodes(int dev, int sys, const char *path, mode_t type)
{
    int fd = openat(sys, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int result = 0;
    if (!folder) {
        result = fail(errno, "cannot open /sys/%s", path);
        close_fd(&fd);
        return result;
    }
    while (result == 0 && (entry = readdir(folder)))
        result = make_node(dev, fd, entry->d_name, type);
    closedir(folder);
    return result;
}

int boot_make_devices(int dev, int sys)
{
    step("make the device nodes");
    mode_t before = umask(0);
    int result = make_nodes(dev, sys, "dev/char", S_IFCHR);
    if (result == 0)
        result = make_nodes(dev, sys, "dev/block", S_IFBLK);
    umask(before);
    return result;
}
