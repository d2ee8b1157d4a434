// probe.h: what the files of the probe share: output and errors.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

// One fact: ARGUMENTS are what follows NAME=, split at commas; those not given are NULL. When
// there are more commas than the fact has arguments, the last one holds the rest.
enum { most_arguments = 4 };
struct fact {
    const char *name;
    int least, most; // arguments
    void (*tell)(char **arguments);
};

// The facts of the other files; each list ends with a NULL name.
extern const struct fact process_facts[];
extern const struct fact state_facts[];
extern const struct fact descriptor_facts[];
extern const struct fact file_facts[];
extern const struct fact kernel_facts[];
extern const struct fact syscall_facts[];

// The command line of the probe.
extern char **all_arguments;

// The current line of output: a key, `=`, a value. Each line is one write(2).
void put_text(const char *text);
void put_escaped(const char *text, size_t size); // newline as \n, backslash as two, others as \xHH
void put_number(int64_t number);
void put_base(uint64_t number, unsigned base, int least_digits);
void end_line(void);

// The key of the current fact with an optional field: `stat:/dev/null.mode=`.
void put_key(const char *field);
void put_numbered_key(int number);
void tell_text(const char *field, const char *value);
void tell_number(const char *field, int64_t value);
// `ok` when RESULT is not negative, else the name of errno.
void tell_result(const char *field, long result);
const char *name_errno(int number);

// Something that the fact needs is not there: says so on stderr and ends with 65.
_Noreturn void give_up(const char *what);
// TEXT as a number (decimal, 0x or 0 prefix), whole; anything else ends with 64.
int64_t parse_number(const char *text);
// A signal's number from its number or its name without SIG.
int parse_signal(const char *text);
// Reads a whole file of at most SIZE - 1 bytes; returns the length, ends with a NUL; -1 and errno.
long read_whole(const char *path, char *buffer, size_t size);
