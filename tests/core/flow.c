/* core/container/flow: bytes, limits and ends between each kind of descriptor.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/container/flow.h"

#define SIZE 200000

enum kind { PIPE, FILE_AT_START, FILE_APPENDED, SOCKET };

static char bytes[SIZE], found[SIZE + 10];

/* Two ends of that kind: what is written to the second can be read from the first. */
static void make_ends(enum kind kind, int ends[2])
{
    if (kind == PIPE) {
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    } else if (kind == SOCKET) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    } else {
        char path[] = "/tmp/flow-test.XXXXXX";
        ends[1] = mkostemp(path, kind == FILE_APPENDED ? O_APPEND : 0);
        ends[0] = open(path, O_RDONLY);
        unlink(path);
    }
    assert_true(ends[0] >= 0 && ends[1] >= 0);
}

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    error_clear();
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 2654435761U >> 13);
    return 0;
}

static struct flow begin(int from, int to, uint64_t limit, bool keeping)
{
    struct flow flow = {.from = from,
                        .to = to,
                        .owned = {true, true},
                        .name = "it",
                        .limit = limit,
                        .keeping = keeping};
    assert_int_equal(fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK), 0);
    flow_begin(&flow);
    return flow;
}

/* Serve it once if it is ready. Returns whether it was. */
static bool serve(struct flow *flow)
{
    struct pollfd event = flow_wait(flow);
    if (event.fd < 0 || poll(&event, 1, 0) != 1)
        return false;
    assert_int_equal(flow_serve(flow), 0);
    return true;
}

/* Give it as much, take what comes, until neither goes on. Returns how much has come. */
static size_t run(struct flow *flow, int source, int sink, size_t size)
{
    size_t given = 0;
    size_t taken = 0;
    fcntl(source, F_SETFL, fcntl(source, F_GETFL) | O_NONBLOCK);
    fcntl(sink, F_SETFL, fcntl(sink, F_GETFL) | O_NONBLOCK);
    for (int idle = 0; idle < 3; idle++) {
        ssize_t count = given < size ? write(source, bytes + given, size - given) : 0;
        if (count > 0)
            given += (size_t)count;
        if (given == size && source >= 0) {
            close(source);
            source = -1;
        }
        if (serve(flow))
            idle = 0;
        count = read(sink, found + taken, sizeof(found) - taken);
        if (count > 0) {
            taken += (size_t)count;
            idle = 0;
        }
    }
    if (source >= 0)
        close(source);
    close(sink);
    return taken;
}

static void test_each_kind(void **state)
{
    (void)state;
    for (int from = PIPE; from <= SOCKET; from++) {
        for (int to = PIPE; to <= SOCKET; to++) {
            for (int keeping = 0; keeping < 2; keeping++) {
                int source[2];
                int sink[2];
                make_ends((enum kind)from, source);
                make_ends((enum kind)to, sink);
                bool file = from == FILE_AT_START || from == FILE_APPENDED;
                if (file)
                    assert_int_equal(write(source[1], bytes, SIZE), SIZE);
                struct flow flow = begin(source[0], sink[1], 0, keeping);
                assert_int_equal(run(&flow, source[1], sink[0], file ? 0 : SIZE), SIZE);
                assert_memory_equal(found, bytes, SIZE);
                assert_int_equal(flow.moved, SIZE);
                assert_int_equal(flow.from, -1);
                assert_false(flow.exceeded);
                assert_int_equal(flow.length, keeping ? FLOW_TAIL : 0);
                if (keeping)
                    assert_memory_equal(flow.tail, bytes + SIZE - FLOW_TAIL, FLOW_TAIL);
            }
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const uint64_t limits[] = {1, 4095, 4096, 4097, 65536, 65537, SIZE - 1};
    for (size_t i = 0; i < 2 * sizeof(limits) / sizeof(limits[0]); i++) {
        uint64_t limit = limits[i / 2];
        for (int more = 0; more < 2; more++) {
            int source[2];
            int sink[2];
            make_ends(PIPE, source);
            make_ends(PIPE, sink);
            struct flow flow = begin(source[0], sink[1], limit, i % 2);
            assert_int_equal(run(&flow, source[1], sink[0], limit + (size_t)more), limit);
            assert_memory_equal(found, bytes, limit);
            assert_int_equal(flow.exceeded, more);
            assert_int_equal(flow.moved, limit);
            assert_int_equal(flow.from, -1);
        }
    }
}

static void test_tail(void **state)
{
    (void)state;
    static const size_t parts[] = {1, 5, 500, 20, 511, 512, 513, 4000, 1};
    int source[2];
    int sink[2];
    size_t given = 0;
    make_ends(PIPE, source);
    make_ends(PIPE, sink);
    struct flow flow = begin(source[0], sink[1], 0, true);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_int_equal(write(source[1], bytes + given, parts[i]), parts[i]);
        given += parts[i];
        while (serve(&flow))
            continue;
        size_t kept = given < FLOW_TAIL ? given : FLOW_TAIL;
        assert_int_equal(flow.length, kept);
        assert_memory_equal(flow.tail, bytes + given - kept, kept);
    }
    flow_close(&flow);
    close(source[1]);
    close(sink[0]);
}

/* Nothing is read before there is room for it. */
static void test_no_room(void **state)
{
    (void)state;
    for (int keeping = 0; keeping < 2; keeping++) {
        int source[2];
        int sink[2];
        make_ends(PIPE, source);
        make_ends(PIPE, sink);
        fcntl(source[1], F_SETFL, O_NONBLOCK);
        struct flow flow = begin(source[0], sink[1], 0, keeping);
        size_t given = 0;
        for (int idle = 0; idle < 3; idle++) {
            ssize_t count = write(source[1], bytes, 4096);
            given += count > 0 ? (size_t)count : 0;
            if (count > 0 || serve(&flow))
                idle = 0;
        }
        assert_true(flow.full);
        assert_int_equal(flow.moved, 65536);
        assert_int_equal(given, 2 * 65536);
        assert_int_equal(read(sink[0], found, 65536), 65536);
        assert_true(serve(&flow));
        flow_close(&flow);
        close(source[1]);
        close(sink[0]);
    }
}

static void test_reader_gone(void **state)
{
    (void)state;
    for (int to = PIPE; to <= SOCKET; to += SOCKET) {
        int source[2];
        int sink[2];
        make_ends(PIPE, source);
        make_ends((enum kind)to, sink);
        struct flow flow = begin(source[0], sink[1], 0, false);
        close(sink[0]);
        assert_int_equal(write(source[1], bytes, 100), 100);
        for (int i = 0; i < 5 && flow.from >= 0; i++)
            serve(&flow);
        assert_int_equal(flow.from, -1);
        assert_false(error_is_set());
        assert_int_equal(write(source[1], bytes, 100), -1);
        assert_int_equal(errno, EPIPE);
        close(source[1]);
    }
}

static void test_no_space(void **state)
{
    (void)state;
    int source[2];
    make_ends(PIPE, source);
    struct flow flow = begin(source[0], open("/dev/full", O_WRONLY), 0, false);
    assert_int_equal(write(source[1], bytes, 100), 100);
    int result = 0;
    for (int i = 0; i < 5 && result == 0; i++)
        result = flow_serve(&flow);
    assert_int_equal(result, -ENOSPC);
    assert_string_equal(error_get()->text, "cannot write it");
    error_clear();
    flow_close(&flow);
    close(source[1]);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Two that are over, of which one is not taken: the other one comes, and there is an end. */
static void test_drain(void **state)
{
    (void)state;
    int source[2][2];
    int sink[2][2];
    struct flow flows[2];
    for (int i = 0; i < 2; i++) {
        make_ends(PIPE, source[i]);
        make_ends(PIPE, sink[i]);
        flows[i] = begin(source[i][0], sink[i][1], 0, i == 1);
        assert_int_equal(write(source[i][1], bytes, 1000), 1000);
    }
    assert_int_equal(fcntl(sink[0][1], F_SETPIPE_SZ, 4096), 4096);
    assert_int_equal(write(sink[0][1], bytes, 4096), 4096);
    close(source[0][1]);
    /* One that somebody still holds, but has written to before. */
    assert_int_equal(flow_drain(flows, 2, now() + 20000), -ETIMEDOUT);
    assert_false(error_is_set());
    assert_int_equal(flows[1].from, -1);
    assert_int_equal(read(sink[1][0], found, SIZE), 1000);
    assert_int_equal(flows[0].moved, 0);
    assert_int_equal(read(sink[0][0], found, 4096), 4096);
    assert_int_equal(flow_drain(flows, 2, 0), 0);
    assert_int_equal(flows[0].moved, 1000);
    assert_int_equal(read(sink[0][0], found, SIZE), 1000);
    for (int i = 0; i < 2; i++)
        close(sink[i][0]);
    close(source[1][1]);
}

/* What was read, and then not taken, is not lost at the end. */
static void test_held(void **state)
{
    int from[2];
    int to[2];
    (void)state;
    make_ends(PIPE, from);
    make_ends(PIPE, to);
    assert_int_equal(fcntl(to[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(to[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(write(from[1], bytes, 100), 100);
    close(from[1]);
    struct flow flow = begin(from[0], to[1], 0, true);
    assert_int_equal(flow_serve(&flow), 0);
    while (write(to[1], found, 1000) > 0)
        ;
    assert_int_equal(flow_serve(&flow), 0);
    assert_int_equal(flow.moved, 100);
    assert_int_equal(flow_serve(&flow), 0);
    while (read(to[0], found, 1000) > 0)
        ;
    assert_int_equal(flow_drain(&flow, 1, 0), 0);
    assert_int_equal(flow.from, -1);
    assert_int_equal(read(to[0], found, sizeof(found)), 100);
    assert_memory_equal(found, bytes, 100);
    close(to[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_kind, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_tail, setup),
        cmocka_unit_test_setup(test_no_room, setup),
        cmocka_unit_test_setup(test_reader_gone, setup),
        cmocka_unit_test_setup(test_no_space, setup),
        cmocka_unit_test_setup(test_drain, setup),
        cmocka_unit_test_setup(test_held, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
