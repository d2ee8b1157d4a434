/* init: the first process of a container or system, for a program that was not made to be it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/chain.h"
#include "core/linux/descriptors.h"
#include "core/linux/init.h"
#include "core/linux/sys.h"

struct init_options {
    struct text_list success;
    struct text_list rewrite;
    const char *parent_signal;
    const char *grace;
    const char *on_exit;
    const char *pid_file;
    const char *chdir;
    const char *report;
    unsigned verbose;
    bool subreaper;
    bool group;
    bool warn;
    bool single_child;
    bool pause;
    bool cloexec;
    bool die_by_signal;
};

#define AT(field) ((uint16_t)offsetof(struct init_options, field))

static const struct option options[] = {
    {'s', OPTION_FLAG, AT(subreaper),
     OPTION_WORDS("subreaper", "", "Adopt orphans; not needed: done where init is not process 1")},
    {'p', OPTION_TEXT, AT(parent_signal),
     OPTION_WORDS("parent-signal", "SIGNAL", "Get SIGNAL when the parent process ends")},
    {'g', OPTION_FLAG, AT(group),
     OPTION_WORDS("group", "", "Pass signals on to the program's process group")},
    {'e', OPTION_LIST, AT(success),
     OPTION_WORDS("success", "CODE", "End with 0 when the program ends with CODE")},
    {'v', OPTION_COUNT, AT(verbose),
     OPTION_WORDS("verbose", "", "Tell of the end; twice: of each signal, too")},
    {'w', OPTION_FLAG, AT(warn), OPTION_WORDS("warn", "", "Warn of each orphan that was reaped")},
    {'r', OPTION_LIST, AT(rewrite),
     OPTION_WORDS("rewrite", "FROM:TO", "Pass signal TO on when FROM comes; 0: nothing")},
    {'c', OPTION_FLAG, AT(single_child),
     OPTION_WORDS("single-child", "", "Leave the program in this process group")},
    {'P', OPTION_FLAG, AT(pause),
     OPTION_WORDS("pause", "", "Run nothing: reap orphans until SIGTERM or SIGINT")},
    {0, OPTION_TEXT, AT(grace),
     OPTION_WORDS("grace", "SECONDS",
                  "End what the program leaves: SIGTERM, SIGKILL after SECONDS")},
    {0, OPTION_TEXT, AT(on_exit),
     OPTION_WORDS("on-exit", "COMMAND", "Run COMMAND, words split at blanks, after the program")},
    {0, OPTION_TEXT, AT(pid_file),
     OPTION_WORDS("pid-file", "FILE", "Write the program's pid to FILE")},
    {'C', OPTION_TEXT, AT(chdir), OPTION_WORDS("chdir", "DIR", "Run the program in DIR")},
    {0, OPTION_FLAG, AT(cloexec),
     OPTION_WORDS("cloexec", "", "Give the program no descriptors but the standard ones")},
    {0, OPTION_MAYBE, AT(report),
     OPTION_WORDS("report", "text|json", "Write a line about the end to standard error")},
    {0, OPTION_FLAG, AT(die_by_signal),
     OPTION_WORDS("die-by-signal", "", "End by the signal that ended the program")},
};

/* ---- what the options and variables ask for ---- */

struct wish {
    struct init init;
    bool success[256]; /* exit codes that count as 0 */
    int parent_signal;
    bool end_rest;
    struct timespec grace;
    unsigned verbose;
};

static int read_signal(const char *option, const char *text)
{
    int number = signal_number(text);
    return number > 0 ? number : fail_usage("option %s: there is no signal '%s'", option, text);
}

static int read_rewrite(const char *text, uint8_t *passed_on)
{
    char from[16];
    size_t length = strcspn(text, ":");
    if (!text[length] || length >= sizeof(from))
        return fail_usage("option --rewrite: expected FROM:TO, found '%s'", text);
    memcpy(from, text, length);
    from[length] = '\0';
    const char *to = text + length + 1;
    int source = read_signal("--rewrite", from);
    int target = source < 0 ? source : strcmp(to, "0") == 0 ? 0 : read_signal("--rewrite", to);
    if (target < 0)
        return target;
    if (source == SIGKILL || source == SIGSTOP || source == SIGCHLD)
        return fail_usage("option --rewrite: %s is never passed on", signal_name(source));
    passed_on[source] = (uint8_t)target;
    return 0;
}

static int read_success(const char *text, bool *success)
{
    uint32_t code;
    if (parse_u32(text, 255, &code) < 0)
        return fail_usage("option --success: '%s' is not a number from 0 to 255", text);
    success[code] = true;
    return 0;
}

/* Those of tini and dumb-init. */
static void read_variables(struct wish *wish)
{
    const char *verbosity = getenv("TINI_VERBOSITY");
    const char *debug = getenv("DUMB_INIT_DEBUG");
    const char *session = getenv("DUMB_INIT_SETSID");
    uint32_t number;
    if (getenv("TINI_KILL_PROCESS_GROUP"))
        wish->init.to_group = true;
    /* Tini counts from its warnings. */
    if (verbosity && parse_u32(verbosity, 1000, &number) == 0 && number > 1)
        wish->verbose = number - 1;
    if (debug && strcmp(debug, "1") == 0)
        wish->verbose = 2;
    if (session && strcmp(session, "0") == 0)
        wish->init.own_group = false;
}

static int read_wish(const struct init_options *values, struct wish *wish)
{
    uint32_t seconds;
    int result = 0;
    init_prepare(&wish->init);
    wish->init.own_group = true;
    read_variables(wish);
    if (values->single_child)
        wish->init.own_group = false;
    if (values->group && values->single_child)
        return fail_usage("--group and --single-child exclude each other");
    wish->init.to_group = (wish->init.to_group || values->group) && wish->init.own_group;
    wish->init.warn = values->warn;
    wish->verbose += values->verbose;
    wish->init.tell = wish->verbose > 1;
    if (values->parent_signal)
        result = wish->parent_signal = read_signal("--parent-signal", values->parent_signal);
    for (size_t i = 0; result >= 0 && i < values->rewrite.count; i++)
        result = read_rewrite(values->rewrite.items[i], wish->init.passed_on);
    for (size_t i = 0; result >= 0 && i < values->success.count; i++)
        result = read_success(values->success.items[i], wish->success);
    if (result < 0 || !values->grace)
        return result < 0 ? result : 0;
    if (parse_u32(values->grace, 86400, &seconds) < 0)
        return fail_usage("option --grace: '%s' is not a number of seconds up to 86400",
                          values->grace);
    wish->end_rest = true;
    wish->grace.tv_sec = (time_t)seconds;
    return 0;
}

static int check(struct call *call, int *consumed)
{
    const struct init_options *values = call->values;
    const char *report = values->report;
    struct wish wish = {0};
    *consumed = values->pause ? CHAIN_LAST : 0;
    int result = read_wish(values, &wish);
    if (result == 0 && report && *report && strcmp(report, "text") != 0 &&
        strcmp(report, "json") != 0)
        result = fail_usage("option --report: '%s' is neither text nor json", report);
    if (result == 0 && values->on_exit && !values->on_exit[strspn(values->on_exit, " \t")])
        result = fail_usage("option --on-exit: there is no command in it");
    return result;
}

/* ---- the program ---- */

/* sd_listen_fds(3): descriptors are for the process that the variable names. */
static int correct_listen_pid(pid_t before)
{
    char number[16];
    uint32_t given;
    const char *variable = getenv("LISTEN_PID");
    if (!variable || parse_u32(variable, INT32_MAX, &given) < 0 || (pid_t)given != before)
        return 0;
    snprintf(number, sizeof(number), "%d", (int)getpid());
    return setenv("LISTEN_PID", number, 1) < 0 ? fail(errno, "cannot set LISTEN_PID") : 0;
}

/* In the child, which goes on with NEXT. */
static int become_program(const struct init_options *values, pid_t parent)
{
    char number[16];
    trace_child("init");
    int result = correct_listen_pid(parent);
    if (result == 0 && values->pid_file) {
        step("write the pid file");
        int length = snprintf(number, sizeof(number), "%d", (int)getpid());
        result = replace_file(values->pid_file, 0644, number, (size_t)length);
    }
    if (result == 0 && values->chdir && chdir(values->chdir) < 0)
        result = fail(errno, "cannot enter %s", values->chdir);
    if (result == 0 && values->cloexec && sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        result = fail(errno, "cannot keep descriptors from the program");
    return result;
}

/* ---- its end ---- */

static void report_end(const char *form, const char *name, pid_t pid, int status,
                       const struct timespec *start)
{
    struct timespec now;
    autotext struct text line = {0};
    bool by_signal = WIFSIGNALED(status);
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long milliseconds =
        (now.tv_sec - start->tv_sec) * 1000LL + (now.tv_nsec - start->tv_nsec) / 1000000;
    int code = by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    if (strcmp(form, "json") == 0) {
        text_append(&line, "{\"command\":");
        text_append_json(&line, name);
        text_append_format(&line, ",\"pid\":%d,\"exit\":", (int)pid);
        text_append_format(&line, by_signal ? "null,\"signal\":%d" : "%d,\"signal\":null", code);
        text_append_format(&line, ",\"core\":%s,\"milliseconds\":%lld}\n",
                           WCOREDUMP(status) ? "true" : "false", milliseconds);
    } else {
        text_append_format(&line, "shimbox init: %s (pid %d) ", name, (int)pid);
        if (by_signal)
            text_append_format(&line, "was ended by %s (%d)%s", signal_name(code), code,
                               WCOREDUMP(status) ? ", core dumped" : "");
        else
            text_append_format(&line, "ended with %d", code);
        text_append_format(&line, " after %lld.%03lld s\n", milliseconds / 1000,
                           milliseconds % 1000);
    }
    if (!line.failed)
        write_all(STDERR_FILENO, "standard error", line.data, line.length);
    error_clear();
}

/* Signals are passed on to this command, too. Its own end changes nothing. */
static void run_on_exit(const struct wish *wish, const char *command, int status,
                        const sigset_t *mask)
{
    struct init init = wish->init;
    char code[16];
    init.own_group = false;
    init.to_group = false;
    step("run the command of --on-exit");
    snprintf(code, sizeof(code), "%d", process_exit_code(status));
    setenv("INIT_EXIT_CODE", code, 1);
    pid_t pid = init_start(&init);
    if (pid == 0) {
        follow_cancel(mask);
        process_execute_words(command);
        exit(report_failure(EXIT_OWN_FAILURE));
    }
    if (pid < 0) {
        report_error(0);
        error_clear();
        return;
    }
    int ended = process_exit_code(init_wait(&init));
    if (ended != 0)
        report_warning("the command of --on-exit ended with %d", ended);
}

/* What this process has no use for: a descriptor that it kept would keep a pipe or socket of the
 * program's open, its directory a file system busy. */
static void let_go(void)
{
    const int kept[] = {report_descriptor(), trace_descriptor()};
    if (chdir("/") < 0)
        report_debug("cannot enter /: %s", strerror(errno));
    if (descriptors_close(3, kept, sizeof(kept) / sizeof(kept[0])) < 0)
        error_clear(); /* Linux before 5.9 */
}

/* The program has ended. Returns the exit code of init. */
static int finish(const struct init_options *values, const struct wish *wish, int status,
                  const sigset_t *mask)
{
    if (values->pid_file)
        unlink(values->pid_file);
    if (wish->end_rest && init_end_rest(&wish->init, wish->grace) < 0) {
        report_error(0);
        error_clear();
    }
    if (values->on_exit)
        run_on_exit(wish, values->on_exit, status, mask);
    trace_flush();
    if (values->die_by_signal && WIFSIGNALED(status))
        follow_end_by(WTERMSIG(status), mask);
    int code = process_exit_code(status);
    return wish->success[code] ? EXIT_YES : code;
}

static int go_on(const struct call *call, struct wish *wish, struct chain *chain)
{
    const struct init_options *values = call->values;
    struct timespec start;
    sigset_t mask;
    pid_t self = getpid();
    clock_gettime(CLOCK_MONOTONIC, &start);
    follow_begin(&mask);
    int result = 0;
    if (wish->parent_signal) {
        step("follow the parent process");
        result = process_follow_parent(wish->parent_signal, getppid());
    }
    if (result == 0 && (values->subreaper || getenv("TINI_SUBREAPER") || self != 1))
        result = init_adopt_orphans();
    if (result < 0)
        return result;
    if (values->pause) {
        init_pause(&wish->init);
        return CHAIN_END(EXIT_YES);
    }
    pid_t pid = init_start(&wish->init);
    if (pid < 0)
        return pid;
    if (pid == 0) {
        follow_cancel(&mask);
        return become_program(values, self);
    }
    chain_close(chain);
    close_fd(&wish->init.child.pidfd); /* until it is reaped, its number is its own */
    let_go();
    if (wish->init.tell) {
        struct globals loud = *call->globals;
        loud.debug = true;
        report_start("init", &loud);
    }
    int status = init_wait(&wish->init);
    const char *form = values->report ? values->report : wish->verbose > 0 ? "text" : NULL;
    if (form)
        report_end(form, call->argv[0], pid, status, &start);
    return CHAIN_END(finish(values, wish, status, &mask));
}

static int apply(const struct call *call, struct chain *chain)
{
    struct wish wish = {0};
    int result = read_wish(call->values, &wish);
    return result == 0 ? go_on(call, &wish, chain) : result;
}

static const struct applet applet = {
    .name = "init",
    .texts = APPLET_TEXTS(
        "run a program as the first process should: signals, orphans, exit code",
        "[options] [--] NEXT [ARG...]",
        "Starts NEXT as its child, passes on every signal, reaps whatever ends, stops and goes on "
        "with the program in a terminal, and ends with its exit code: 128 and more for a signal. "
        "For process 1 of a container or system; elsewhere it adopts orphans as that would.\n"
        "\n"
        "The program leads a process group of its own, in the foreground of the terminal if init "
        "was. init itself goes to / and keeps no descriptors but the standard ones. Options and "
        "variables of tini (TINI_SUBREAPER, TINI_KILL_PROCESS_GROUP, TINI_VERBOSITY), dumb-init "
        "(DUMB_INIT_DEBUG, DUMB_INIT_SETSID) and catatonit work here, but -v counts from 0, and "
        "-h is help. LISTEN_PID is corrected for the program.\n"
        "\n"
        "With --grace, what the program left behind gets SIGTERM, and SIGKILL when SECONDS are "
        "over; without, it ends with process 1, or goes on below another parent. The command of "
        "--on-exit runs last, in /, and finds the exit code in INIT_EXIT_CODE.\n",
        "# the entry point of an image\n"
        "shimbox init /bin/server --port 80\n"
        "\n"
        "# stop it by SIGQUIT, and give what it started five seconds\n"
        "shimbox init --rewrite TERM:QUIT --grace 5 -- nginx -g 'daemon off;'\n"
        "\n"
        "# hold the namespaces of a pod\n"
        "shimbox init --pause\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct init_options),
    .failure = EXIT_OWN_FAILURE,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(applet);
