// moments: how long a program that runs another one takes before it, and after it.
// SPDX-License-Identifier: Apache-2.0
//
// moments ROUNDS COMMAND...     each COMMAND is one argument, split at blanks, to which this
// program is appended, as one that tells the time and ends
//
// One line per command, in microseconds, medians: from before the fork to that moment, and from it
// to the end of the command as its parent sees it. Commands run in turn, so that noise hits all.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_words = 64, pipe_end = 9 };

struct command {
    char *words[most_words];
    double *before;
    double *after;
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static void run_once(struct command *command, size_t round, int told)
{
    int status;
    double moment;
    double start = now();
    pid_t pid = vfork();

    if (pid == 0) {
        execvp(command->words[0], command->words);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        perror("moments");
        exit(1);
    }
    double end = now();
    if (status != 0 || read(told, &moment, sizeof moment) != sizeof moment) {
        fprintf(stderr, "moments: %s: wait status %#x\n", command->words[0], status);
        exit(1);
    }
    command->before[round] = moment - start;
    command->after[round] = end - moment;
}

static void split(struct command *command, char *text, char *self)
{
    size_t count = 0;

    for (char *word = strtok(text, " "); word && count + 2 < most_words; word = strtok(NULL, " ")) {
        command->words[count++] = word;
    }
    command->words[count] = self;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    size_t count = argc > 2 ? (size_t)argc - 2 : 0;
    struct command *commands = calloc(count + 1, sizeof *commands);
    int ends[2];

    if (argc == 1) { // the program at the end
        double moment = now();

        return write(pipe_end, &moment, sizeof moment) != sizeof moment;
    }
    if (rounds == 0 || !commands || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ||
        dup2(ends[1], pipe_end) < 0) {
        fprintf(stderr, "usage: moments ROUNDS COMMAND...\n");
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        split(&commands[i], argv[i + 2], argv[0]);
        commands[i].before = calloc(rounds, sizeof(double));
        commands[i].after = calloc(rounds, sizeof(double));
        if (!commands[i].before || !commands[i].after) {
            return 1;
        }
    }
    for (size_t i = 0; i < count * 3; i++) { // warm up
        run_once(&commands[i % count], 0, ends[0]);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            run_once(&commands[i], round, ends[0]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        qsort(commands[i].before, rounds, sizeof(double), compare);
        qsort(commands[i].after, rounds, sizeof(double), compare);
        printf("%.2f %.2f\n", commands[i].before[rounds / 2], commands[i].after[rounds / 2]);
    }
    return 0;
}
