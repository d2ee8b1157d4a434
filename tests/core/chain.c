/* Chains: descriptors on their way, and the order of checking and applying. That a hand-over has
 * the effect of an exec is what tests/chain.bats shows. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/chain.h"
#include "core/base/error.h"
#include "core/linux/chain.h"
#include "tests/core/test.h"

static int open_null(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int start(void **state)
{
    (void)state;
    error_clear();
    return unsetenv("SHIMBOX_FDS");
}

static void test_put_and_take(void **state)
{
    (void)state;
    struct chain chain = {0};
    int first = open_null(), second = open_null(), third = open_null();
    assert_int_equal(chain_take(&chain, "userns"), -1);
    assert_int_equal(chain_put(&chain, "userns", first), 0);
    assert_int_equal(chain_put(&chain, "mount", second), 0);
    assert_int_equal(chain_put(&chain, "userns", third), 0);
    assert_false(is_open(first));
    assert_int_equal(chain_take(&chain, "userns"), third);
    assert_int_equal(chain_take(&chain, "userns"), -1);
    assert_true(is_open(third));
    chain_close(&chain);
    assert_false(is_open(second));
    assert_int_equal(chain.count, 0);
    close(third);
}

static void test_put_the_same(void **state)
{
    (void)state;
    struct chain chain = {0};
    int fd = open_null();
    assert_int_equal(chain_put(&chain, "a", fd), 0);
    assert_int_equal(chain_put(&chain, "a", fd), 0);
    assert_true(is_open(fd));
    chain_close(&chain);
}

static void test_put_refused(void **state)
{
    (void)state;
    struct chain chain = {0};
    static const char *const names[] = {"",    "A",   "1a",  "-a",
                                        "a:b", "a,b", "a b", "abcdefghijklmnop"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = open_null();
        assert_int_equal(chain_put(&chain, names[i], fd), -EINVAL);
        assert_false(is_open(fd));
    }
    error_clear();
    assert_int_equal(chain_put(&chain, "a", -1), -EBADF);
    for (int i = 0; i < CHAIN_DESCRIPTORS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(chain_put(&chain, name, open_null()), 0);
    }
    int fd = open_null();
    assert_int_equal(chain_put(&chain, "more", fd), -EMFILE);
    assert_false(is_open(fd));
    chain_close(&chain);
}

static void test_export_and_inherit(void **state)
{
    (void)state;
    struct chain chain = {0}, copy = {0};
    char want[64];
    int first = open_null(), second = open_null();
    assert_int_equal(chain_export(&chain), 0);
    assert_null(getenv("SHIMBOX_FDS"));
    assert_int_equal(chain_put(&chain, "userns", first), 0);
    assert_int_equal(chain_put(&chain, "mount-2", second), 0);
    assert_int_equal(chain_export(&chain), 0);
    snprintf(want, sizeof(want), "userns:%d,mount-2:%d", first, second);
    assert_string_equal(getenv("SHIMBOX_FDS"), want);
    assert_int_equal(fcntl(first, F_GETFD), 0);
    assert_int_equal(fcntl(second, F_GETFD), 0);

    assert_int_equal(chain_inherit(&copy), 0);
    assert_null(getenv("SHIMBOX_FDS"));
    assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
    assert_int_equal(chain_take(&copy, "mount-2"), second);
    assert_int_equal(chain_take(&copy, "userns"), first);
    close(first);
    close(second);
}

static void test_inherit_refused(void **state)
{
    (void)state;
    int fd = open_null();
    fcntl(fd, F_SETFD, 0);
    static const char *const formats[] = {
        "a:%d,", ",a:%d", "a:%dx", "a:%d,a:999", "a:%d:", "a=%d", "A:%d", " a:%d", "a:0%d,b:1",
    };
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct chain chain = {0};
        char value[64];
        error_clear();
        snprintf(value, sizeof(value), formats[i], fd);
        setenv("SHIMBOX_FDS", value, 1);
        assert_int_equal(chain_inherit(&chain), -EINVAL);
        assert_int_equal(error_get()->kind, ERROR_USAGE);
        assert_true(starts_with(error_get()->text, "SHIMBOX_FDS: "));
        /* Nothing of it was taken. */
        assert_int_equal(chain.count, 0);
        assert_int_equal(fcntl(fd, F_GETFD), 0);
    }
    unsetenv("SHIMBOX_FDS");
    close(fd);
}

/* Links that note what happens to them, on a pipe. */
static int notes = -1;

struct options {
    const char *name;
    uint32_t operands;
    bool leave, take, refuse, stop;
};

#define AT(field) ((uint16_t)offsetof(struct options, field))

static const struct option table[] = {
    {'n', OPTION_TEXT, AT(name), OPTION_WORDS("name", "NAME", "Its name in the notes")},
    {'o', OPTION_NUMBER, AT(operands), OPTION_WORDS("operands", "N", "Operands of its own")},
    {'l', OPTION_FLAG, AT(leave), OPTION_WORDS("leave", "", "Leave a descriptor")},
    {'t', OPTION_FLAG, AT(take), OPTION_WORDS("take", "", "Take the descriptor")},
    {'r', OPTION_FLAG, AT(refuse), OPTION_WORDS("refuse", "", "Refuse to be applied")},
    {'s', OPTION_FLAG, AT(stop), OPTION_WORDS("stop", "", "End the chain with code 0")},
};

static int check(struct call *call, int *consumed)
{
    const struct options *o = call->values;
    dprintf(notes, "check %s;", o->name);
    *consumed = (int)o->operands;
    return 0;
}

static int apply(const struct call *call, struct chain *chain)
{
    const struct options *o = call->values;
    dprintf(notes, "apply %s%s%s;", o->name, o->operands ? " " : "",
            o->operands ? call->argv[0] : "");
    if (o->leave)
        chain_put(chain, "note", open_null());
    if (o->take)
        dprintf(notes, "took %d;", chain_take(chain, "note") >= 0);
    if (o->refuse)
        return fail(EPERM, "cannot be applied");
    return o->stop ? CHAIN_END(0) : 0;
}

static const struct applet note = {
    .name = "note",
    .texts = APPLET_TEXTS("Take notes", "", "", ""),
    OPTION_TABLE(table),
    .values_size = sizeof(struct options),
    .failure = 125,
    LINK_APPLET(.check = check, .apply = apply),
};
APPLET(note);

static char noted[1024];

/* Run a chain in a child; its notes are left in noted. Returns the exit code. */
static int run_chain(char *first, ...)
{
    char *argv[32];
    int argc = 0, ends[2], status;
    va_list words;
    va_start(words, first);
    for (char *word = first; word; word = va_arg(words, char *))
        argv[argc++] = word;
    va_end(words);
    argv[argc] = NULL;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        notes = ends[1];
        close(ends[0]);
        _exit(dispatch(argc, argv));
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t length = read(ends[0], noted, sizeof(noted) - 1);
    noted[length < 0 ? 0 : length] = '\0';
    close(ends[0]);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_order(void **state)
{
    (void)state;
    assert_int_equal(run_chain("note", "-na", "-l", "--", "note", "-nb", "--", "note", "-nc", "-t",
                               "true", NULL),
                     0);
    assert_string_equal(noted, "check a;check b;check c;apply a;apply b;apply c;took 1;");
    assert_int_equal(run_chain("note", "-na", "--", "note", "-nb", "-r", "--", "true", NULL), 125);
    assert_string_equal(noted, "check a;check b;apply a;apply b;");
    assert_int_equal(run_chain("note", "-na", "--", "note", "--bogus", "--", "true", NULL), 125);
    assert_string_equal(noted, "check a;");
    assert_int_equal(run_chain("note", "-na", "-s", "--", "note", "-nb", "--", "false", NULL), 0);
    assert_string_equal(noted, "check a;check b;apply a;");
}

static void test_operands(void **state)
{
    (void)state;
    assert_int_equal(run_chain("note", "-na", "-o1", "x", "--", "note", "-nb", "-o", "2", "--", "y",
                               "z", "true", NULL),
                     0);
    assert_string_equal(noted, "check a;check b;apply a x;apply b y;");
    assert_int_equal(run_chain("note", "-na", "-o2", "x", NULL), 125);
    assert_string_equal(noted, "check a;");
    assert_int_equal(run_chain("note", "-na", "-o1", "x", "--", NULL), 125);
    assert_string_equal(noted, "check a;");
    assert_int_equal(run_chain("note", "-na", NULL), 125);
}

static void test_program(void **state)
{
    (void)state;
    assert_int_equal(run_chain("note", "-na", "sh", "-c", "exit 9", NULL), 9);
    assert_int_equal(run_chain("note", "-na", "/nonexistent/program", NULL), 127);
    assert_int_equal(run_chain("note", "-na", "/etc/passwd", NULL), 126);
    /* With a slash it is a program, whatever its name. */
    assert_int_equal(run_chain("note", "-na", "/nonexistent/note", NULL), 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_put_and_take, start),
        cmocka_unit_test_setup(test_put_the_same, start),
        cmocka_unit_test_setup(test_put_refused, start),
        cmocka_unit_test_setup(test_export_and_inherit, start),
        cmocka_unit_test_setup(test_inherit_refused, start),
        cmocka_unit_test_setup(test_order, start),
        cmocka_unit_test_setup(test_operands, start),
        cmocka_unit_test_setup(test_program, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
