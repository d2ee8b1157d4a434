/* Is this process rootless: does it lack the privileges of the machine's root? user_namespaces(7).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rootless is who is not uid 0, and who is uid 0 of a user namespace that is not the initial one,
 * whatever that maps: a namespace that maps 0 to 0, or everything to itself, has no power over the
 * machine either. The initial namespace is known by its inode number, which is fixed; the map only
 * answers where that number cannot be read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The inode number of the initial user namespace (PROC_USER_INIT_INO, Linux 3.8). */
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU

/* What a uid_map or gid_map says. */
struct own_map {
    size_t lines;
    bool odd;           /* a line is not three numbers with a size and an end within 32 bits */
    bool identity;      /* the only line is "0 0 4294967295" */
    bool zero;          /* id 0 is mapped ... */
    uint32_t zero_host; /* ... to this one outside */
};

enum rootless_answer {
    ROOTLESS_YES,
    ROOTLESS_NO,
    ROOTLESS_UNKNOWN,
};

/* What the answer is made of. */
struct rootless_facts {
    uint32_t euid;
    uint64_t inode;     /* of /proc/self/ns/user, 0: cannot be read */
    bool no_namespaces; /* /proc/self/ns is there, and has no user in it */
    bool have_map;      /* /proc/self/uid_map could be read */
    struct own_map map;
};

struct rootless {
    enum rootless_answer answer;
    char reason[160]; /* one line, without a full stop */
};

/* Read all lines of a map. Lines that are odd are counted and passed over. text: NUL-terminated. */
void own_map_parse(struct own_map *map, const char *text);

/* Are all of these ids inside of the map, first to first + size - 1? Odd lines hold none. */
bool own_map_holds(const char *text, uint64_t first, uint64_t size);

/* The rule. */
void rootless_decide(const struct rootless_facts *facts, struct rootless *rootless);

/* Ask the kernel, and decide. Records no error. */
void rootless_ask(struct rootless *rootless);
