/* boot: the first process of a machine, started by its kernel.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/init.h"
#include "core/linux/network.h"

#define DEFAULT_BUNDLE "/etc/shimbox"

/* What is left at the end of what was run gets this time to end. */
static const struct timespec grace = {.tv_sec = 5};

/* What the machine is for, and what became of it. */
struct machine {
    struct boot_settings settings;
    struct text line; /* the kernel's command line, which the settings point into */
    bool failed;      /* something was not as it should be, and has been told of */
};

/* Tell of what is recorded, and go on: process 1 may not end. */
static void note(struct machine *machine, int result)
{
    if (result >= 0)
        return;
    report_error(0);
    error_clear();
    machine->failed = true;
}

/* ---- a program ---- */

/* Run the command, words split at blanks, or this program itself with these arguments, until it
 * ends. Returns its exit code. */
static int run_program(const char *command, char *const *arguments)
{
    struct init init;
    sigset_t mask;
    init_prepare(&init);
    init.own_group = true;
    follow_begin(&mask);
    pid_t pid = init_start(&init);
    if (pid == 0) {
        trace_child("program");
        follow_cancel(&mask);
        if (command) {
            process_execute_words(command);
        } else {
            execv("/proc/self/exe", arguments);
            fail_exec(errno, "cannot execute shimbox itself");
        }
        _exit(report_failure(EXIT_OWN_FAILURE));
    }
    int status = pid < 0 ? 0 : init_wait(&init);
    if (pid > 0 && init_end_rest(&init, grace) < 0)
        report_error(0);
    error_clear();
    follow_cancel(&mask);
    return pid < 0 ? EXIT_OWN_FAILURE : process_exit_code(status);
}

/* This program itself, as one of its applets. */
static int run_self(const char *first, const char *second, const char *third)
{
    char *arguments[] = {"shimbox", (char *)first, (char *)second, (char *)third, NULL};
    return run_program(NULL, arguments);
}

/* A path of the command line, which is one of the device's if there is one. Allocated, or NULL. */
static char *find_path(const struct boot_settings *settings, const char *path)
{
    char *found;
    bool relative = settings->device && *path != '/';
    const char *above = settings->device ? BOOT_DEVICE : "";
    return asprintf(&found, "%s%s%s", above, relative ? "/" : "", path) < 0 ? NULL : found;
}

static int run_bundle(const struct boot_settings *settings)
{
    if (!settings->bundle && !settings->device) {
        if (access(DEFAULT_BUNDLE "/config.json", F_OK) == 0)
            return run_self("run", "--bundle", DEFAULT_BUNDLE);
        fail_usage("nothing to boot: no shimbox.run or shimbox.bundle in the kernel's command "
                   "line, and no " DEFAULT_BUNDLE "/config.json");
        return report_error(EXIT_OWN_FAILURE);
    }
    autofree char *path = find_path(settings, settings->bundle ? settings->bundle : "/");
    return path ? run_self("run", "--bundle", path) : EXIT_OWN_FAILURE;
}

/* Returns only when it failed. */
static int hand_over(const struct boot_settings *settings)
{
    autofree char *path = find_path(settings, settings->switch_root);
    if (path)
        boot_switch_root(path, settings->init);
    return report_failure(EXIT_OWN_FAILURE);
}

/* ---- shimbox.debug ---- */

static void offer_shell(void)
{
    static const char text[] = "shimbox boot: this is a shell; the machine goes on when it ends\n";
    if (access("/bin/sh", X_OK) < 0) {
        report_warning("there is no /bin/sh to look around with");
        return;
    }
    write_all(STDERR_FILENO, "the console", text, sizeof(text) - 1);
    error_clear();
    run_program("/bin/sh", NULL);
}

static void show_machine(void)
{
    run_self("rootless-check", "--report", NULL);
    run_self("inspect", "--system", NULL);
    offer_shell();
}

/* ---- from the start to the end ---- */

static void set_up(struct machine *machine, int proc)
{
    struct boot_settings *settings = &machine->settings;
    note(machine, boot_mount_all(proc));
    note(machine, boot_open_console());
    int result = read_file(proc, "cmdline", 1 << 16, &machine->line);
    if (result == 0)
        result = boot_read_settings(machine->line.data, settings);
    note(machine, result);
    note(machine, boot_name_machine());
    note(machine, network_loopback_up());
    if (!machine->failed && settings->modules)
        note(machine, boot_load_modules(settings->modules));
    if (!machine->failed && settings->ip)
        note(machine, boot_set_network(settings->ip, settings->wait));
    if (!machine->failed && settings->device)
        note(machine, boot_mount_device(settings));
}

/* Returns the exit code of the whole. */
static int run_settings(const struct machine *machine)
{
    const struct boot_settings *settings = &machine->settings;
    int code = EXIT_OWN_FAILURE;
    if (settings->debug)
        show_machine();
    if (!machine->failed)
        code = settings->run           ? run_program(settings->run, NULL)
               : settings->switch_root ? hand_over(settings)
                                       : run_bundle(settings);
    if (settings->debug && code != 0)
        offer_shell();
    return code;
}

static void tell_end(int code)
{
    char line[64];
    /* What was run may have left a line unfinished. */
    int length = snprintf(line, sizeof(line), "\nshimbox: exit %d\n", code);
    if (boot_tell_console(line, (size_t)length) < 0)
        error_clear(); /* there is nobody left to tell */
}

static int run(const struct call *call)
{
    struct machine machine = {0};
    autoclose int proc = -1;
    (void)call; /* words that the kernel does not know come as operands */
    if (boot_begin(&proc) < 0)
        return report_error(EXIT_OWN_FAILURE);
    /* From here on nothing may end this process, for the kernel would panic. */
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
    unsetenv("SHIMBOX_FDS");
    set_up(&machine, proc);
    close_fd(&proc);
    int code = run_settings(&machine);
    boot_unmount_all();
    trace_flush();
    tell_end(code);
    boot_end(machine.settings.exit);
}

static const struct applet applet = {
    .name = "boot",
    .texts = APPLET_TEXTS(
        "be the first process of a machine: mount, run, power off", "[WORD...]",
        "For process 1 of a machine: as /init of an initramfs, where a kernel starts it under that "
        "name with nothing mounted, or as init=. WORDs, which the kernel did not know, are passed "
        "over. Mounts proc, sys, dev, dev/pts, dev/shm, run, tmp "
        "and cgroup2 where they are missing, makes the console its terminal, names the machine by "
        "/etc/hostname and brings the loopback interface up. Then it does what the kernel's "
        "command line says, where double quotes keep blanks together:\n"
        "\n"
        "shimbox.run=\"COMMAND ARG...\" runs a command, words split at blanks, as 'shimbox init' "
        "does.\n"
        "\n"
        "shimbox.bundle=PATH runs an OCI bundle as a container, as 'shimbox run' does; so is "
        "/etc/shimbox/config.json where the command line names nothing.\n"
        "\n"
        "shimbox.device=/dev/vda is waited for, mounted read-only on /run/device, and PATH is "
        "there "
        "(default: /). shimbox.overlay keeps in memory what is written to it. shimbox.wait=SECONDS "
        "is the longest time to wait (10).\n"
        "\n"
        "shimbox.modules=A,B loads kernel modules before that: files by their paths, others by "
        "name, with what they need, from /lib/modules.\n"
        "\n"
        "ip=ADDRESS::GATEWAY:NETMASK:NAME:INTERFACE gives a static address, as the kernel does "
        "where it can, with servers of names in their places; other forms are refused.\n"
        "\n"
        "shimbox.switch_root=PATH hands over to a system instead, on the device or not, where rw "
        "mounts it for writing: what is mounted moves there, the initramfs is freed, and its init "
        "(init=, else the first of /sbin/init, /etc/init, /bin/init, /bin/sh) takes the place of "
        "this.\n"
        "\n"
        "shimbox.debug prints 'rootless-check --report' and 'inspect --system' first, and starts "
        "/bin/sh if there is one; again after a failure.\n"
        "\n"
        "shimbox.exit=poweroff|reboot|halt is what the machine does at the end (poweroff). First "
        "what is still running gets SIGTERM, and five seconds later SIGKILL; file systems are "
        "unmounted, or set read-only. The last line on the console is 'shimbox: exit N': the "
        "program's exit code, or 128 plus the number of its signal.\n"
        "\n"
        "Whatever goes wrong is told on the console, a kernel argument that is wrong included; "
        "then nothing is run, N is 125, and the machine ends all the same. A machine without a "
        "console finds all that in the kernel's log. With SHIMBOX_TRACE=- in the command line each "
        "step is shown.\n",
        "# an initramfs with a shell, made from the source tree\n"
        "make initramfs FILES=/usr/bin/busybox:/bin/sh\n"
        "\n"
        "# a machine that runs it; add what follows to the argument of -append\n"
        "qemu-system-x86_64 -nographic -no-reboot -kernel vmlinuz -initrd build/initramfs \\\n"
        "    -append 'console=ttyS0 shimbox.run=/bin/sh'\n"
        "\n"
        "# a bundle on a disk, -drive file=bundle.ext4,format=raw,if=virtio\n"
        "shimbox.device=/dev/vda shimbox.overlay\n"
        "\n"
        "# a system on a disk\n"
        "shimbox.device=/dev/vda shimbox.switch_root=/ rw\n"),
    .flags = APPLET_REGARDLESS,
    .failure = EXIT_OWN_FAILURE,
    .run = run,
};
APPLET(applet);
