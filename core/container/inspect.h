/* What a process is and sees, and what the machine is, as JSON documents.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A value that could not be read is an object with one member, {"error": "Permission denied"}, in
 * the place of the value; nothing is guessed. null is "there is none".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;
struct text;

/* In place of an errno: there is no proc file system at /proc. */
#define INSPECT_NO_PROC 0x1000

struct inspect {
    bool self;       /* the process itself */
    pid_t pid;       /* as /proc counts, or getpid() where there is none */
    unsigned filled; /* bit N: descriptor N is shimbox' own doing (start_stdio()) */
    int proc;        /* /proc, checked to be a proc file system, or -1 */
    int process;     /* its directory of the process, which no other process can get, or -1 */
    int number;      /* why there is no `process`: an errno or INSPECT_NO_PROC */
    bool failed;     /* out of memory: the document is not complete */
};

/* The process with that number, or this one (0). Nothing that was opened for this is told of among
 * its descriptors. *document: the caller's, to be released with json_object_put().
 * Returns 0 or a negative errno (recorded), also when the process ended before all was read. */
int inspect_process(pid_t pid, unsigned filled, struct json_object **document);

/* The machine; messages: how many of the last kernel messages. */
int inspect_system(unsigned messages, struct json_object **document);

/* What is on a device or in an image file. */
int inspect_device(const char *path, struct json_object **document);

/* Append the document as text: one fact a line ("ids.uid.real: 0"), or, aligned, sections with
 * tables, and the mounts as a tree. colour: with the escape sequences of a terminal.
 * width: columns of the terminal. */
void inspect_lines(struct json_object *document, struct text *text);
void inspect_aligned(struct json_object *document, bool colour, unsigned width, struct text *text);

/* ---- for the parts of inspect ---- */

/* Setting members. A NULL value is a lack of memory, which is kept in inspect->failed, as the value
 * of json_put_null() is null. */
void inspect_put(struct inspect *inspect, struct json_object *object, const char *key,
                 struct json_object *value);
void inspect_put_null(struct inspect *inspect, struct json_object *object, const char *key);
void inspect_put_text(struct inspect *inspect, struct json_object *object, const char *key,
                      const char *value);
void inspect_put_number(struct inspect *inspect, struct json_object *object, const char *key,
                        int64_t value);
void inspect_put_bool(struct inspect *inspect, struct json_object *object, const char *key,
                      bool value);
void inspect_add(struct inspect *inspect, struct json_object *array, struct json_object *value);

/* A string; bytes that are not UTF-8 become U+FFFD, as JSON knows no others. */
struct json_object *inspect_string(const char *bytes, size_t length);
/* {"error": …}, for an errno (positive or negative) or INSPECT_NO_PROC, and for words. */
struct json_object *inspect_error(int number);
struct json_object *inspect_refusal(const char *words);
/* The words of a text between any of the separators, as an array of strings. */
struct json_object *inspect_words(const char *words, const char *separators);
/* The numbers in a text, between blanks. */
struct json_object *inspect_numbers(const char *words);

/* Read a file of the process, or a link. Return 0 or a negative errno (not recorded). */
int inspect_read(const struct inspect *inspect, const char *name, struct text *text);
int inspect_link(const struct inspect *inspect, const char *name, struct text *text);
/* The same for a file of /proc itself. */
int inspect_read_proc(const struct inspect *inspect, const char *name, struct text *text);

struct json_object *inspect_namespaces(struct inspect *inspect);
struct json_object *inspect_descriptors(struct inspect *inspect);
struct json_object *inspect_mounts(struct inspect *inspect);
struct json_object *inspect_interfaces(struct inspect *inspect);
void inspect_status(struct inspect *inspect, struct json_object *document);
