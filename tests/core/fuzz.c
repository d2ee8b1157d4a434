/* The targets of tests/fuzz without a fuzzer: with each file of their seeds, and with inputs made
 * of those by chance, the same ones in the same order every time. `make fuzz` searches.
 * SPDX-License-Identifier: Apache-2.0
 *
 * fuzz [TARGET]: that one, or all. FUZZ_SECONDS: how long each goes on, beyond ROUNDS.
 */
#include "tests/core/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"

/* Inputs for each target at least: a few seconds for all of them together. */
#define ROUNDS 2000

#define INPUT_MAX 65536
#define SEEDS_MAX 512

/* TARGETS comes from the Makefile: TARGET(config) TARGET(foreign) ... */
#define TARGET(name) int fuzz_##name(const uint8_t *data, size_t size);
TARGETS
#undef TARGET

struct target {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
};

struct seeds {
    struct text files[SEEDS_MAX];
    size_t count;
};

/* What a target has now: its size, then its bytes. It is left in a file if that ends this process.
 */
static struct input {
    uint64_t size;
    uint8_t bytes[INPUT_MAX];
} * input;
static char input_path[4096];

static void open_input(const char *target)
{
    char program[4000];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    assert_true(length > 0);
    program[length] = '\0';
    snprintf(input_path, sizeof(input_path), "%s.%s.input", program, target);

    int fd = open(input_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(*input)), 0);
    input = mmap(NULL, sizeof(*input), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(input != MAP_FAILED);
    close(fd);
}

static void read_seed(const char *folder, const char *name, struct text *text)
{
    char path[512];
    char buffer[4096];
    ssize_t count;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while ((count = read(fd, buffer, sizeof(buffer))) > 0)
        text_append_bytes(text, buffer, (size_t)count);
    assert_int_equal(count, 0);
    assert_false(text->failed);
    close(fd);
}

static void read_seeds(const char *target, struct seeds *seeds)
{
    char folder[256];
    const struct dirent *entry;

    snprintf(folder, sizeof(folder), "tests/fuzz/%s.seeds", target);
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        assert_true(seeds->count < SEEDS_MAX);
        read_seed(folder, entry->d_name, &seeds->files[seeds->count++]);
    }
    closedir(directory);
    assert_true(seeds->count > 0);
}

/* A copy of exactly that size, so that a read behind its end is found. */
static void run(const struct target *target, const void *bytes, size_t size)
{
    if (size > INPUT_MAX)
        size = INPUT_MAX;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    input->size = size;
    if (size > 0) {
        memcpy(copy, bytes, size);
        memcpy(input->bytes, bytes, size);
    }
    error_clear();
    assert_int_equal(target->run(copy, size), 0);
    assert_false(error_is_set());
    free(copy);
}

/* xorshift64*: the same numbers everywhere. */
static uint64_t chance(uint64_t *state, uint64_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * UINT64_C(0x2545f4914f6cdd1d) >> 16) % below;
}

/* A seed, changed in a few places: a byte is another, is left out or doubled; a part is another
 * seed's; the end is cut off. */
static void change(const struct seeds *seeds, uint64_t *state, struct text *text)
{
    static const char special[] = "\"{}[]:,\\/=-+.0019\n\t \xff\x80";
    const struct text *other = &seeds->files[chance(state, seeds->count)];
    char part[64];
    size_t length;

    for (uint64_t left = 1 + chance(state, 4); left > 0 && text->length > 0; left--) {
        size_t at = chance(state, text->length);
        switch (chance(state, 6)) {
        case 0:
            text->data[at] = (char)chance(state, 256);
            break;
        case 1:
            text->data[at] = special[chance(state, sizeof(special))];
            break;
        case 2:
            memmove(text->data + at, text->data + at + 1, text->length - at - 1);
            text->length--;
            break;
        case 3:
            length = text->length - at < sizeof(part) ? text->length - at : sizeof(part);
            memcpy(part, text->data + at, length);
            text_append_bytes(text, part, length);
            break;
        case 4:
            if (other->length > 0) {
                size_t from = chance(state, other->length);
                size_t room = text->length - at < other->length - from ? text->length - at
                                                                       : other->length - from;
                memcpy(text->data + at, other->data + from, room);
            }
            break;
        default:
            text->length = at;
        }
    }
}

static time_t now(void)
{
    struct timespec time;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &time), 0);
    return time.tv_sec;
}

static void target_holds(void **state)
{
    const struct target *target = *state;
    const char *seconds = getenv("FUZZ_SECONDS");
    time_t end = now() + (seconds ? atoi(seconds) : 0);
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    struct seeds *seeds = calloc(1, sizeof(*seeds));

    assert_non_null(seeds);
    fprintf(stderr, "# %s: if this ends here, its input is %s\n", target->name, input_path);
    read_seeds(target->name, seeds);
    run(target, "", 0);
    for (size_t i = 0; i < seeds->count; i++)
        run(target, seeds->files[i].data, seeds->files[i].length);
    for (size_t i = 0; i < ROUNDS || now() < end; i++) {
        const struct text *seed = &seeds->files[chance(&random, seeds->count)];
        autotext struct text text = {0};

        text_append_bytes(&text, seed->data, seed->length);
        change(seeds, &random, &text);
        assert_false(text.failed);
        run(target, text.data, text.length);
    }
    for (size_t i = 0; i < seeds->count; i++)
        text_free(&seeds->files[i]);
    free(seeds);
}

int main(int argc, char **argv)
{
#define TARGET(target) {#target, fuzz_##target},
    static struct target targets[] = {TARGETS};
#undef TARGET
    struct CMUnitTest tests[sizeof(targets) / sizeof(targets[0])];

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        tests[i] = (struct CMUnitTest){
            .name = targets[i].name, .test_func = target_holds, .initial_state = &targets[i]};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    open_input(argc > 1 ? argv[1] : "all");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(input_path);
    return failed;
}
