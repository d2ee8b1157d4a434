// loop: time several commands in turn, so that noise hits them alike; medians, ratios, peak memory.
// SPDX-License-Identifier: Apache-2.0
//
// loop ROUNDS COMMAND...     each COMMAND is one argument, split at blanks; output goes to
// /dev/null. Where a word is ";" another command follows, which is a part of it: they run one after
// the other, and are timed as one. A first word "<FILE" is its standard input, else /dev/null
//
// One line per command: median, 10th percentile, minimum and mean in microseconds, the ratio of its
// median to that of the first command, the highest peak resident size of it or of a process that it
// waited for, in KiB, and how many processors of the machine were busy meanwhile: what a container
// leaves, kernel threads take apart, which are nobody's children.
// This program is static and small on purpose: the kernel counts the memory of the process that
// forks as the child's until the child has executed something.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "null.h"

enum { most_words = 64 };

struct command {
    char *words[most_words];
    double *times;
    double used; // microseconds of the machine's processor time, of all rounds
    long peak;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

// Microseconds that the processors have worked since the machine was started, to 10 ms.
static double worked(void)
{
    char line[512];
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    double ticks = 0;

    close(fd);
    line[size < 0 ? 0 : size] = '\0';
    char *rest = line + strcspn(line, " ");
    // user nice system idle iowait irq softirq steal; what comes then is part of the first two.
    for (int i = 0; i < 8; i++) {
        double value = strtod(rest, &rest);
        ticks += i == 3 || i == 4 ? 0 : value;
    }
    return ticks * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static void run_part(struct command *command, char **words)
{
    struct rusage usage;
    int status;
    const char *input = **words == '<' ? *words++ + 1 : NULL;
    pid_t pid = vfork();

    if (pid == 0) {
        if (input && dup2(open(input, O_RDONLY | O_CLOEXEC), STDIN_FILENO) < 0) {
            _exit(127);
        }
        execvp(words[0], words);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
        perror("loop");
        exit(1);
    }
    if (status != 0) {
        fprintf(stderr, "loop: %s: wait status %#x\n", words[0], status);
        exit(1);
    }
    if (usage.ru_maxrss > command->peak) {
        command->peak = usage.ru_maxrss;
    }
}

static void run_once(struct command *command, size_t round)
{
    double before = worked(), start = now();

    for (char **words = command->words; *words;) {
        run_part(command, words);
        while (*words++) {
        }
    }
    command->times[round] = now() - start;
    command->used += worked() - before;
}

static void split(struct command *command, char *text)
{
    size_t count = 0;

    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        if (count + 2 == most_words) {
            fprintf(stderr, "loop: too many words\n");
            exit(2);
        }
        command->words[count++] = strcmp(word, ";") == 0 ? NULL : word;
    }
    command->words[count] = NULL; // and the one behind it, which ends the list
}

static double print(const struct command *command, size_t rounds, double base)
{
    double sum = 0, median;

    qsort(command->times, rounds, sizeof *command->times, compare);
    median = command->times[rounds / 2];
    for (size_t i = 0; i < rounds; i++) {
        sum += command->times[i];
    }
    printf("median %8.1f  p10 %8.1f  min %8.1f  mean %8.1f  ratio %6.3f  peak %6ld  "
           "busy %5.2f  ",
           median, command->times[rounds / 10], command->times[0], sum / (double)rounds,
           base > 0 ? median / base : 1.0, command->peak, command->used / sum);
    for (char *const *word = command->words; *word; word++) {
        printf(" %s", *word);
    }
    printf("\n");
    return median;
}

int main(int argc, char **argv)
{
    size_t rounds, count = argc > 2 ? (size_t)argc - 2 : 0;
    struct command *commands = calloc(count + 1, sizeof *commands);
    double base = 0;
    int output = dup(STDOUT_FILENO), null = open_null();

    if (count == 0 || (rounds = strtoul(argv[1], NULL, 10)) == 0 || !commands) {
        fprintf(stderr, "usage: loop ROUNDS COMMAND...\n");
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        split(&commands[i], argv[i + 2]);
        commands[i].times = calloc(rounds, sizeof *commands[i].times);
        if (!commands[i].times) {
            return 1;
        }
    }
    fcntl(output, F_SETFD, FD_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    for (size_t i = 0; i < count * 3; i++) { // warm up
        run_once(&commands[i % count], 0);
        commands[i % count].used = 0;
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            run_once(&commands[i], round);
        }
    }
    dup2(output, STDOUT_FILENO);
    for (size_t i = 0; i < count; i++) {
        double median = print(&commands[i], rounds, base);

        base = i == 0 ? median : base;
    }
    return 0;
}
