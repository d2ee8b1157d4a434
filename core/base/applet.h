/* Applets: what a command is, and how a file registers the one it holds.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/option.h"

/* Options that stand before the applet's name; names and meaning as in runc's command line. */
struct globals {
    const char *root;
    const char *log;
    const char *log_format;
    bool debug;
    bool systemd_cgroup;
    const char *rootless; /* "true", "false" or "auto" */
    const char *trace;    /* NULL: off, "": standard error, else a file */
    char **command_line;  /* all of it, from argv[0] on */
    unsigned filled;      /* what start_stdio() returned */
};

/* One call of an applet. */
struct call {
    const struct applet *applet;
    const struct globals *globals;
    void *values;   /* the applet's struct of options, filled in */
    int argc;       /* operands */
    char **argv;    /* operands, NULL-terminated */
    bool separated; /* "--" stood before the operands */
};

enum applet_flags {
    /* Changes this process, then becomes NEXT (chain.h). */
    APPLET_LINK = 1 << 0,
    /* A sub-command of the runtime (run, kill, ps): not linked by --install, never a link by name.
     */
    APPLET_SUBCOMMAND = 1 << 1,
    /* Runs even without what is made ready before: the first process must not end. */
    APPLET_REGARDLESS = 1 << 2,
    /* Works with copies of its arguments, since it takes them out of sight in /proc. */
    APPLET_HIDES_ARGUMENTS = 1 << 3,
};

struct chain;

/* What a link does (core/base/chain.h); release may be NULL. One that can be seen from a container
 * while it is this binary has own_binary_protect as protect (core/linux/own_binary.h): the file is
 * protected before the chain begins. By a pointer, so that a binary without such a link does not
 * hold what it takes. */
struct link_steps {
    int (*check)(struct call *call, int *consumed);
    int (*apply)(const struct call *call, struct chain *chain);
    void (*release)(struct call *call);
    int (*protect)(char **argv, int *overlay);
};

/* Every pointer in here is relocated at each start, whichever applet runs, and the pages that hold
 * them are copied: so few, and small numbers. */
struct applet {
    char name[16];
    const char *texts; /* APPLET_TEXTS */
    const struct option *options;
    unsigned short option_count;
    unsigned short values_size; /* size of the struct of options */
    unsigned char flags;        /* enum applet_flags */
    unsigned char failure;      /* exit code of usage errors and of its own failure, see exit.h */
    /* Do the work and return the exit code. Errors are printed here, by report_error(). A link has
     * chain_run there. */
    int (*run)(const struct call *call);
    const struct link_steps *link; /* LINK_APPLET in core/linux/chain.h, or NULL */
};

/* summary: one line, for lists; synopsis: what follows the name, "[options] [ID] [-- ARG...]";
 * description: paragraphs separated by an empty line; examples: "# what it does\ncommand\n",
 * separated by an empty line. "" where there is none. */
#define APPLET_TEXTS(summary, synopsis, description, examples)                                     \
    summary "\0" synopsis "\0" description "\0" examples

enum applet_text { TEXT_SUMMARY, TEXT_SYNOPSIS, TEXT_DESCRIPTION, TEXT_EXAMPLES };

/* One of its texts; "" if there is none. */
const char *applet_text(const struct applet *applet, enum applet_text which);

/* Keeps a registration although nothing refers to it: GNU ld does so by itself for sections with a
 * name like this one, LLVM's only with this attribute. */
#if defined(__has_attribute) && __has_attribute(retain)
#define APPLET_RETAIN , retain
#else
#define APPLET_RETAIN
#endif

/* Register the applet of this file: places a pointer to the constant in a section that the linker
 * collects. A pointer, not the struct: the linker may pad structs, and the walk would go astray. */
#define APPLET(variable)                                                                           \
    static const struct applet *const variable##_registration                                      \
        __attribute__((used, section("applets") APPLET_RETAIN)) = &(variable)

#define OPTION_TABLE(table) .options = (table), .option_count = sizeof(table) / sizeof((table)[0])

/* The applets of this binary, by number in alphabetical order; NULL past the end. */
const struct applet *applet_at(size_t index);

/* The applet of that name, or NULL. */
const struct applet *applet_find(const char *name);

/* The applet whose name is nearest to this one, for "did you mean"; NULL when none is near. */
const struct applet *applet_nearest(const char *name);

/* Run one applet: parse argv (argv[0] is its name), answer --help, and call it. Returns the exit
 * code. */
int applet_run(const struct applet *applet, const struct globals *globals, int argc, char **argv);

/* Print its --help on standard output. Returns the exit code. */
int applet_help(const struct applet *applet);

/* The same as applet_run(), with all that comes before and after: log and trace are opened, and
 * what an earlier shimbox left for a link is closed if this is none. */
int applet_start(const struct applet *applet, const struct globals *given, int argc, char **argv);

/* The whole program: find the applet by argv[0] or by the first argument, parse, run. What a kernel
 * starts as /init, process 1 without a /proc, is boot. Returns the exit code. A binary of one
 * applet may have another one (small/single.c). */
int dispatch(int argc, char **argv);
