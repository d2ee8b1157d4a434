// probe: reads facts from inside a container and prints them as key=value lines.
// SPDX-License-Identifier: Apache-2.0
//
// probe FACT...
//
// Small, static, without stdio, and with nothing from the product. Facts come from system calls;
// where only /proc knows (marked P), a missing /proc is a failure. Exit code: 0; 64 a fact that
// does not exist or lacks arguments (checked before the first one acts) or a number that is none;
// 65 a fact that cannot be read; 66 stdout cannot be written; or what `exit` and `raise` ask for.
//
// FACT is NAME or NAME=ARGUMENT[,ARGUMENT...]. The key is NAME, or NAME:FIRST-ARGUMENT, then maybe
// `.field`. An attempt answers `ok` or an errno's name. Newlines in values are written as \n.
//   uid gid        real, effective, saved, file system id: uid=0 uid.effective= .saved= .fs=
//   groups         supplementary groups, sorted, separated by blanks
//   caps           caps.inh .prm .eff .bnd .amb: 16 hexadecimal digits
//   securebits nnp dumpable pdeathsig seccomp personality(hex) umask(octal)
//   pid ppid sid pgid pgroup-of-tty
//   cwd            the bare system call, so "(unreachable)/..." shows
//   hostname domainname kernel machine
//   scheduler      scheduler.policy=fifo .nice= .priority= .flags= .runtime= .deadline= .period=
//   ioprio         ioprio.class=be ioprio.level=4         affinity   affinity=0 1
//   mempolicy      mempolicy.mode=2 mempolicy.flags= mempolicy.nodes=0 1
//   keyring        the session keyring: type;uid;gid;permissions;name     keyring-id  .serial=
//   clock          clock.monotonic= .raw= .coarse= .boottime= .realtime= and the same as .vdso.raw
//   rlimits        rlimits.nofile.soft= .hard=, "unlimited" or a number, for all sixteen
//   fds            fds=0 1 2, then fds.0=char:1:3,r (type, access, cloexec) up to number 65535
//   env            env.NAME=value, in order       args    args.0=...
//   signals        signals.blocked= signals.ignored= signals.pending=: numbers
//   ns (P)         ns.pid=inode ...               exe (P), oom_score_adj (P)
//   mounts (P)     mounts:/proc.type= .source= .options= .super= .root= .propagation=, in order
//   mount=PATH (P) the topmost mount on PATH, same fields, or mount:PATH=none
//   interfaces     interfaces.lo.flags=0x49 interfaces.lo.up=yes
//   tty            tty.0=yes tty.0.size=80x24 ... tty.controlling=ok or an errno's name
//   stat=PATH      type mode uid gid size rdev link dev inode; fs (magic) and flags (ro nosuid ...)
//   exists=PATH    yes, no, or an errno's name
//   list=DIR       sorted names, separated by blanks
//   read=PATH      its text (64 KiB at most)
//   label=PATH     its SELinux label
//   open=PATH,MODE (r w rw path create dir)       write=PATH,TEXT
//   mkdir=PATH unlink=PATH rmdir=PATH chmod=PATH,OCTAL chown=PATH,UID,GID
//   mknod=PATH,c|b|p,MAJOR,MINOR                  bind=SOURCE,TARGET   mountfs=TYPE,TARGET
//   remount-rw=PATH  unmount=PATH  chroot=PATH  unshare=FLAGS (a number)  sethostname=NAME
//   kill=PID,SIGNAL  setgroups=GID  setuid=UID  setgid=GID  raise-cap=NUMBER  raise-ambient=NUMBER
//   climb=DIR      makes DIR, a chroot to it, `..` a hundred times, and a chroot to that
//   dig=DIR,N      makes N directories below DIR, each in the one before and with a file
//   reenter=PATH (P) unmounts PATH, then enters its own mount namespace, opened before: .unmount=
//                  .enter=
//   tiocsti=FD     pushes one byte into a terminal's input
//   call=NUMBER[:ARGUMENT...]  a system call by its number: ok, an errno's name, `trap` (SIGSYS,
//                  and a handler for it ran), `thread killed`, or .signal=N: the process was
//   call-int80 call-x32  the same by the other two ways into an x86-64 kernel
// Actions:
//   sleep=MS  exit=CODE  raise=SIGNAL  print=TEXT
//   orphans=N      leaves N children behind, ended already, a thousand at a time
//   orphan=MS      leaves a grandchild behind that sleeps MS; prints orphan=PID
//   zombies=N      N grandchildren that end at once, left to the reaper
//   children       reaps those that have ended, and prints how many they were
//   sigwait        prints sigwait=ready, then signal=N (sender's pid) for each, until TERM
#include "tests/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

// The line being written, and the key of the fact being told.
static char line[1 << 17];
static size_t line_size;
char **all_arguments;
static const char *current_name, *current_argument;

static void complain(const char *first, const char *second, const char *third)
{
    char text[512] = "probe: ";

    strncat(text, first, 200);
    strncat(text, second, 200);
    strncat(text, third, 100);
    text[strlen(text)] = '\n';
    (void)!write(STDERR_FILENO, text, strlen(text));
}

void give_up(const char *what)
{
    complain(what, ": ", errno ? name_errno(errno) : "no answer");
    _exit(65);
}

static _Noreturn void refuse(const char *what, const char *text)
{
    complain(what, text, "");
    _exit(64);
}

static void put_byte(char byte)
{
    if (line_size + 1 >= sizeof line) {
        errno = E2BIG;
        give_up("a line is too long");
    }
    line[line_size++] = byte;
}

void put_text(const char *text)
{
    while (*text) {
        put_byte(*text++);
    }
}

void put_escaped(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte == '\n') {
            put_text("\\n");
        } else if (byte == '\\') {
            put_text("\\\\");
        } else if (byte < ' ' || byte == 127) {
            put_text("\\x");
            put_base(byte, 16, 2);
        } else {
            put_byte((char)byte);
        }
    }
}

void put_base(uint64_t number, unsigned base, int least_digits)
{
    char digits[64];
    int count = 0;

    while (number > 0 || count < least_digits || count == 0) {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    }
    while (count > 0) {
        put_byte(digits[--count]);
    }
}

void put_number(int64_t number)
{
    if (number < 0) {
        put_byte('-');
    }
    put_base(number < 0 ? -(uint64_t)number : (uint64_t)number, 10, 1);
}

void end_line(void)
{
    put_byte('\n');
    for (size_t done = 0; done < line_size;) {
        ssize_t count = write(STDOUT_FILENO, line + done, line_size - done);

        if (count < 0 && errno != EINTR) {
            complain("cannot write: ", name_errno(errno), "");
            _exit(66);
        }
        done += count > 0 ? (size_t)count : 0;
    }
    line_size = 0;
}

void put_key(const char *field)
{
    put_text(current_name);
    if (current_argument) {
        put_byte(':');
        put_text(current_argument);
    }
    if (field) {
        put_byte('.');
        put_text(field);
    }
    put_byte('=');
}

void put_numbered_key(int number)
{
    put_key("");
    line_size--;
    put_number(number);
    put_byte('=');
}

void tell_text(const char *field, const char *value)
{
    put_key(field);
    put_escaped(value, strlen(value));
    end_line();
}

void tell_number(const char *field, int64_t value)
{
    put_key(field);
    put_number(value);
    end_line();
}

void tell_result(const char *field, long result)
{
    int error = errno;

    tell_text(field, result < 0 ? name_errno(error) : "ok");
}

const char *name_errno(int number)
{
#define NAME(name)                                                                                 \
    {                                                                                              \
        name, #name                                                                                \
    }
    static const struct {
        int number;
        const char *name;
    } names[] = {
        NAME(EPERM),     NAME(ENOENT),     NAME(ESRCH),   NAME(EINTR),        NAME(EIO),
        NAME(ENXIO),     NAME(E2BIG),      NAME(ENOEXEC), NAME(EBADF),        NAME(ECHILD),
        NAME(EAGAIN),    NAME(ENOMEM),     NAME(EACCES),  NAME(EFAULT),       NAME(EBUSY),
        NAME(EEXIST),    NAME(EXDEV),      NAME(ENODEV),  NAME(ENOTDIR),      NAME(EISDIR),
        NAME(EINVAL),    NAME(ENFILE),     NAME(EMFILE),  NAME(ENOTTY),       NAME(ETXTBSY),
        NAME(EFBIG),     NAME(ENOSPC),     NAME(ESPIPE),  NAME(EROFS),        NAME(EMLINK),
        NAME(EPIPE),     NAME(ERANGE),     NAME(ENOSYS),  NAME(ENOTEMPTY),    NAME(ELOOP),
        NAME(EOVERFLOW), NAME(EOPNOTSUPP), NAME(ENODATA), NAME(ENOTSOCK),     NAME(EADDRINUSE),
        NAME(EUSERS),    NAME(EDQUOT),     NAME(ESTALE),  NAME(ENAMETOOLONG), NAME(ENOTCONN),
    };
    static char other[16];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    other[0] = 'E';
    for (int i = 0, left = number, scale = 100; i < 3; i++, left %= scale, scale /= 10) {
        other[i + 1] = (char)('0' + left / scale % 10);
    }
    return other;
}

int64_t parse_number(const char *text)
{
    const char *digit = text[0] == '-' ? text + 1 : text;
    uint64_t value = 0, base = 10;

    if (digit[0] == '0' && digit[1] == 'x') {
        base = 16;
        digit += 2;
    } else if (digit[0] == '0' && digit[1]) {
        base = 8;
    }
    for (const char *start = digit; *digit || digit == start; digit++) {
        static const char digits[] = "0123456789abcdef";
        const char *found = *digit ? strchr(digits, *digit) : NULL;

        if (!found || (uint64_t)(found - digits) >= base || value >> 58) {
            refuse("not a number: ", text);
        }
        value = value * base + (uint64_t)(found - digits);
    }
    return text[0] == '-' ? -(int64_t)value : (int64_t)value;
}

int parse_signal(const char *text)
{
    static const struct {
        const char *name;
        int number;
    } names[] = {
        {"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"KILL", SIGKILL},
        {"USR1", SIGUSR1}, {"USR2", SIGUSR2},   {"PIPE", SIGPIPE}, {"TERM", SIGTERM},
        {"CHLD", SIGCHLD}, {"CONT", SIGCONT},   {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},
        {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},   {"SEGV", SIGSEGV}, {"ABRT", SIGABRT},
        {"ALRM", SIGALRM}, {"WINCH", SIGWINCH},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, text) == 0) {
            return names[i].number;
        }
    }
    return (int)parse_number(text);
}

long read_whole(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error;
    size_t length = 0;
    ssize_t count = -1;

    if (fd < 0) {
        return -1;
    }
    while (length < size - 1 && (count = read(fd, buffer + length, size - 1 - length)) > 0) {
        length += (size_t)count;
    }
    error = errno;
    close(fd);
    errno = error;
    buffer[length] = '\0';
    return count < 0 ? -1 : (long)length;
}

static const struct fact *find_fact(const char *name)
{
    const struct fact *const lists[] = {process_facts, state_facts,  descriptor_facts,
                                        file_facts,    kernel_facts, syscall_facts};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (const struct fact *fact = lists[i]; fact->name; fact++) {
            if (strcmp(fact->name, name) == 0) {
                return fact;
            }
        }
    }
    refuse("unknown fact: ", name);
}

// Checks one FACT of the command line and, with ACT, tells it. A copy is split, since the text
// itself is what `args` shows.
static void take_fact(const char *text, bool act)
{
    static char copy[1 << 16];
    char *arguments[most_arguments + 1] = {NULL}, *rest;
    const struct fact *fact;
    int count = 0;

    if (strlen(text) >= sizeof copy) {
        refuse("too long: ", "an argument");
    }
    strcpy(copy, text);
    rest = strchr(copy, '=');
    if (rest) {
        *rest++ = '\0';
    }
    fact = find_fact(copy);
    while (rest && count < fact->most) {
        char *comma = ++count < fact->most ? strchr(rest, ',') : NULL;

        arguments[count - 1] = rest;
        rest = comma ? comma + 1 : NULL;
        if (comma) {
            *comma = '\0';
        }
    }
    if (count < fact->least || rest) {
        refuse("wrong number of arguments: ", text);
    }
    if (act) {
        current_name = fact->name;
        current_argument = arguments[0];
        errno = 0;
        fact->tell(arguments);
    }
}

int main(int argc, char **argv)
{
    all_arguments = argv;
    if (argc < 2) {
        refuse("usage: probe FACT... ", "(see the head of tests/probe/probe.c)");
    }
    for (int i = 1; i < argc; i++) {
        take_fact(argv[i], false);
    }
    for (int i = 1; i < argc; i++) {
        take_fact(argv[i], true);
    }
    return 0;
}
