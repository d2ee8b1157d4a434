/* The console and the name of a machine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/terminal.h"
#include "core/linux/uts.h"

static int use_for_stdio(int input, int output)
{
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        return fail(errno, "cannot use the console");
    return 0;
}

/* A machine without a console. */
static int use_log(void)
{
    autoclose int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    autoclose int output = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (input < 0 || output < 0)
        return fail(errno, "cannot open the kernel's log");
    return use_for_stdio(input, output);
}

int boot_open_console(void)
{
    step("open the console");
    /* Else the kernel restarts the machine at once. */
    reboot(RB_DISABLE_CAD);
    autoclose int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (console < 0)
        return use_log();
    int result = use_for_stdio(console, console);
    /* Process 1 begins in session 0, which is nobody's. */
    if (setsid() < 0 && errno != EPERM)
        report_warning("cannot start a session: %s", strerror(errno));
    if (result < 0 || !isatty(STDIN_FILENO))
        return result;
    return terminal_control(STDIN_FILENO);
}

void boot_leave_console(void)
{
    reboot(RB_ENABLE_CAD);
    /* This sends SIGHUP to ourselves, which process 1 does not feel. */
    ioctl(STDIN_FILENO, TIOCNOTTY);
}

/* syslog(2) */
#define CONSOLE_OFF 6
#define CONSOLE_ON  7

int boot_tell_console(const char *text, size_t length)
{
    /* Both go to the same line: a message could come between two letters. */
    klogctl(CONSOLE_OFF, NULL, 0);
    int result = write_all(STDOUT_FILENO, "the console", text, length);
    tcdrain(STDOUT_FILENO);
    klogctl(CONSOLE_ON, NULL, 0);
    return result;
}

int boot_name_machine(void)
{
    struct utsname names;
    autotext struct text text = {0};
    if (access("/etc/hostname", F_OK) == 0) {
        int result = read_file(AT_FDCWD, "/etc/hostname", 4096, &text);
        if (result < 0)
            return result;
        if (text.data)
            text.data[strcspn(text.data, "\n")] = '\0';
        if (text.data && *text.data)
            return uts_set_hostname(text.data);
    }
    bool named = uname(&names) == 0 && names.nodename[0] && strcmp(names.nodename, "(none)") != 0;
    return named ? 0 : uts_set_hostname("localhost");
}
