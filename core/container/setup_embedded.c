/* The embedded root: enough to run shimbox itself on any machine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/linux/mount.h"
#include "core/oci/config.h"

/* A copy, not a mount: the file behind this process stays out of the container's sight. */
static int copy_binary(int source, int directory)
{
    autoclose int copy =
        openat(directory, "bin/shimbox", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    struct stat status;
    if (copy < 0 || fstat(source, &status) < 0)
        return fail(errno, "cannot create /bin/shimbox");
    off_t offset = 0;
    while (offset < status.st_size) {
        ssize_t count = sendfile(copy, source, &offset, (size_t)(status.st_size - offset));
        if (count <= 0)
            return fail(count < 0 ? errno : EIO, "cannot copy the own binary to /bin/shimbox");
    }
    return 0;
}

static int link_applets(int directory)
{
    const struct applet *applet;
    for (size_t i = 0; (applet = applet_at(i)); i++) {
        char path[64];
        if (applet->flags & APPLET_SUBCOMMAND)
            continue;
        snprintf(path, sizeof(path), "bin/%s", applet->name);
        if (symlinkat("shimbox", directory, path) < 0)
            return fail(errno, "cannot create /%s", path);
    }
    return 0;
}

int setup_embedded_root(struct container *container)
{
    static const char *const words[] = {"mode=755", "nosuid", "nodev", NULL};
    static const char directories[][5] = {"bin", "dev", "etc", "proc", "root", "sys", "tmp"};
    struct mount_options options;
    step("make a tmpfs for the root");
    int result = mount_options_parse(&options, words, NULL);
    options.label = container->config->mount_label;
    autoclose int root = result < 0 ? result : mount_create("tmpfs", "shimbox", &options);
    mount_options_free(&options);
    if (root < 0)
        return root;
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        if (mkdirat(root, directories[i], 0755) < 0)
            return fail(errno, "cannot create /%s", directories[i]);
    }
    step("copy the own binary to /bin/shimbox");
    result = copy_binary(container->exe, root);
    step("link the applets");
    if (result == 0)
        result = link_applets(root);
    return result < 0 ? result : take_fd(&root);
}
