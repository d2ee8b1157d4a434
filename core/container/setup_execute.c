/* The program: its working directory, its environment, and its execution.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/setup.h"
#include "core/container/start.h"
#include "core/linux/path.h"
#include "core/linux/process.h"
#include "core/linux/descriptors.h"
#include "core/linux/sys.h"
#include "core/oci/config.h"
#include "core/oci/passwd.h"

#define PASSWD_SIZE_MAX (256 << 20) /* bytes that are worth reading to find a home directory */

/* The kernel's own answer, not libc's: it does not start with a slash when the directory cannot be
 * reached from the root, which means that it is none of the container's (CVE-2024-21626). */
static int check_inside(const char *cwd)
{
    char path[PATH_MAX];
    if (sys_getcwd(path, sizeof(path)) < 0)
        return fail(errno, "cannot find out the working directory");
    if (path[0] != '/')
        return fail(EXDEV, "working directory %s is outside of the root file system", cwd);
    return 0;
}

/* Below the root by descriptor: a link of procfs, such as /proc/self/fd/3, leads nowhere. */
static int enter_directory(const struct container *container, const char *cwd)
{
    autoclose int directory = path_open_in_root(container->root, cwd, O_PATH | O_DIRECTORY);
    if (directory < 0)
        return directory;
    if (fchdir(directory) < 0)
        return fail(errno, "cannot enter the working directory %s", cwd);
    return check_inside(cwd);
}

/* First as root, who may enter what the user may not; if root may not (a network file system), the
 * user tries. It is created when it is missing, as other runtimes do. */
int setup_working_directory(struct container *container)
{
    const char *cwd = container->config->process.cwd;
    int result = enter_directory(container, cwd);
    if (result == -ENOENT) {
        error_clear();
        autoclose int made = path_make_in_root(container->root, cwd, S_IFDIR);
        if (made < 0)
            return made;
        result = enter_directory(container, cwd);
    }
    if (result != -EACCES && result != -EPERM)
        return result;
    error_clear();
    container->enter_as_user = true;
    return 0;
}

int setup_working_directory_as_user(struct container *container)
{
    return container->enter_as_user ? enter_directory(container, container->config->process.cwd)
                                    : 0;
}

static const char *find_variable(const char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    }
    return NULL;
}

/* 1, 0, or a negative errno (recorded). */
static int is_plain_file(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail(errno, "cannot examine /etc/passwd");
    return S_ISREG(status.st_mode) && status.st_size <= PASSWD_SIZE_MAX;
}

/* Says this errno that the image has no such file that we may read, rather than that we are short
 * of something? */
static bool is_absence(int result)
{
    return result == -ENOENT || result == -ENOTDIR || result == -ELOOP || result == -EACCES ||
           result == -EPERM || result == -ENXIO || result == -ENAMETOOLONG || result == -EAGAIN;
}

/* The image may have a device under that name, which never ends, or acts when it is opened: it is
 * looked at before. -ENOENT (not recorded): there is nothing to read. */
static int open_passwd(const struct container *container)
{
    static const int flags[] = {O_PATH, O_RDONLY | O_NONBLOCK | O_NOCTTY};
    autoclose int file = -1;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        close_fd(&file);
        file = path_open_in_root(container->root, "/etc/passwd", flags[i]);
        if (is_absence(file)) {
            error_clear();
            return -ENOENT;
        }
        int plain = file < 0 ? file : is_plain_file(file);
        if (plain <= 0)
            return plain < 0 ? plain : -ENOENT;
    }
    return take_fd(&file);
}

/* What the container's own passwd says of its user; without one that can be read: nothing. */
static int find_user(const struct container *container, struct passwd_user *user)
{
    *user = (struct passwd_user){.found = false};
    struct passwd_notes notes = {0};
    autoclose int file = open_passwd(container);
    if (file < 0)
        return file == -ENOENT ? 0 : file;
    int result =
        passwd_find(file, "/etc/passwd", NULL, container->config->process.uid, user, &notes);
    if (!is_absence(result))
        return result;
    error_clear();
    return 0;
}

bool setup_is_overridden(const char *const *entry)
{
    size_t length = strcspn(*entry, "=") + 1;
    for (const char *const *later = entry + 1; *later; later++) {
        if (strncmp(*later, *entry, length) == 0)
            return true;
    }
    return false;
}

/* Of two entries for one variable the later counts: programs read the first one. HOME, where the
 * config does not say: what the container's own passwd has, or "/". */
int setup_environment(struct container *container)
{
    const char *const *environment = (const char *const *)container->config->process.env;
    size_t count = 0;
    while (environment[count])
        count++;
    /* Nothing is allocated for a small one: the heap is the parent's as well, and would be copied.
     */
    container->environment = container->few_variables;
    if (count + 2 > sizeof(container->few_variables) / sizeof(container->few_variables[0]))
        container->environment = calloc(count + 2, sizeof(*container->environment));
    if (!container->environment)
        return fail(ENOMEM, "cannot make the environment");
    size_t used = 0;
    for (; *environment; environment++) {
        if (strcmp(*environment, "HOME=") != 0 && !setup_is_overridden(environment))
            container->environment[used++] = (char *)(uintptr_t)*environment;
    }
    if (find_variable((const char *const *)container->environment, "HOME"))
        return 0;
    struct passwd_user user;
    int result = find_user(container, &user);
    if (result < 0)
        return result;
    if (!user.home[0])
        container->environment[used] = "HOME=/";
    else if (asprintf(&container->environment[used], "HOME=%s", user.home) < 0)
        return fail(ENOMEM, "cannot make the environment");
    return 0;
}

/* Find the program as execvp(3) would, with the container's PATH and user. A candidate that cannot
 * be executed is remembered: "permission denied" says more than "not found". Returns 0, or the
 * errno, positive. */
static int find_program(const char *name, const char *search, char *path, size_t size)
{
    if (strchr(name, '/')) {
        return snprintf(path, size, "%s", name) < (int)size ? 0 : ENAMETOOLONG;
    }
    int found = ENOENT;
    while (search && *name) {
        size_t length = strcspn(search, ":");
        /* An empty entry is the working directory. */
        if (snprintf(path, size, "%.*s%s%s", (int)length, search, length ? "/" : "./", name) <
            (int)size) {
            struct stat status;
            if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
                if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
                    return 0;
                found = EACCES;
            }
        }
        search = search[length] ? search + length + 1 : NULL;
    }
    return found;
}

int setup_follow_parent(const struct container *container)
{
    char byte;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return fail(errno, "cannot follow the parent process");
    ssize_t count = recv(container->channel, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count == 0)
        return fail(EPIPE, "the parent process is gone");
    if (count < 0 && errno != EAGAIN)
        return fail(errno, "cannot see whether the parent process is there");
    return 0;
}

/* Whatever was opened outside, by us or by who started us, may lead outside: it is gone before the
 * program's path is looked up, or an image could name a program behind /proc/self/fd
 * (CVE-2024-21626). Only the channel and the trace stay, which are no directories, and closed by
 * the exec; and what start_wait() needs, and closes before anything is executed. */
static int close_descriptors(struct container *container)
{
    autoclose int fifo = take_fd(&container->start_fifo);
    autoclose int proc = fifo >= 0 ? take_fd(&container->proc) : -1;
    const int kept[] = {container->channel, trace_descriptor(), fifo, proc};
    container_close(container);
    container->start_fifo = take_fd(&fifo);
    container->proc = take_fd(&proc);
    return descriptors_close(3 + container->preserved_fds, kept, sizeof(kept) / sizeof(kept[0]));
}

/* Returns 0 or the errno, positive, that executing it would give. */
static int check_program(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0 || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        return errno;
    return S_ISREG(status.st_mode) ? 0 : EACCES;
}

static int fail_program(int number, const char *name)
{
    if (number == ENOENT && !strchr(name, '/'))
        return fail_exec(number, "cannot find %s in $PATH of the container", name);
    return fail_exec(number, "cannot execute %s", name);
}

int setup_execute(struct container *container)
{
    const struct config_process *process = &container->config->process;
    char *const *argv = container->program;
    char path[PATH_MAX];
    step("close descriptors");
    int result = close_descriptors(container);
    if (result < 0)
        return result;
    step("find %s", argv[0]);
    int number =
        find_program(argv[0], find_variable((const char *const *)container->environment, "PATH"),
                     path, sizeof(path));
    /* Better known to who creates it than to who starts it; the execution tells the rest. */
    if (!number && container->start_fifo >= 0)
        number = check_program(path);
    if (number)
        return fail_program(number, argv[0]);
    if (container->start_fifo >= 0) {
        result = setup_seccomp_notify(container);
        if (result == 0)
            result = start_wait(container);
    } else if (container->detached) {
        step("leave the parent");
        if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
            return fail(errno, "cannot leave the parent process");
    } else {
        step("follow the parent");
        result = setup_follow_parent(container);
    }
    if (result < 0)
        return result;
    result = setup_start_hooks(container);
    if (result < 0)
        return result;
    umask(process->umask < 0 ? 0022 : (mode_t)process->umask);
    step("unblock signals");
    /* Who has waited to be started has caught some. */
    result = container->started ? process_reset_signals() : process_unblock_signals();
    if (result == 0)
        result = setup_seccomp_late(container);
    if (result < 0)
        return result;
    trace_execution();
    execve(path, argv, container->environment);
    number = errno;
    result = fail_exec(number, "cannot execute %s", path);
    if (number == ENOENT && access(path, F_OK) == 0)
        error_hint("the interpreter of the script, or the loader of the program, is missing");
    else if (number == ENOEXEC)
        error_hint("neither a program for this machine nor a script with a #! line");
    return result;
}
