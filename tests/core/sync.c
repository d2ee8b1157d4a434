/* Tests of core/container/sync.c: whatever the other side sends.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/container/sync.h"

static int ends[2];

static int set_up(void **state)
{
    (void)state;
    error_clear();
    return sync_open(ends);
}

static int tear_down(void **state)
{
    (void)state;
    error_clear();
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* How many descriptors this process has. */
static int count_open(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Send bytes as they are, with so many descriptors. */
static void send_raw(const void *bytes, size_t length, size_t fd_count)
{
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    const int fds[3] = {0, 1, 2};
    if (fd_count > 0) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(ends[1], &packet, 0), (ssize_t)length);
}

static void check_malformed(const void *bytes, size_t length, size_t fd_count)
{
    int before = count_open();
    int fd = -1;
    send_raw(bytes, length, fd_count);
    assert_int_equal(sync_receive(ends[0], &fd), -EPROTO);
    assert_int_equal(fd, -1);
    assert_int_equal(count_open(), before);
    assert_true(error_is_set());
    error_clear();
}

static void messages_arrive(void **state)
{
    (void)state;
    assert_int_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
    assert_int_equal(sync_send(ends[1], SYNC_READY), 0);
    assert_int_equal(sync_receive(ends[0], NULL), SYNC_READY);
    assert_int_equal(sync_send(ends[0], SYNC_RUN), 0);
    assert_int_equal(sync_expect(ends[1], SYNC_RUN), 0);
}

static void descriptors_arrive_once(void **state)
{
    (void)state;
    int fd = -1;
    int before = count_open();
    assert_int_equal(sync_send_fd(ends[1], SYNC_CHILD, 0), 0);
    assert_int_equal(sync_receive(ends[0], &fd), SYNC_CHILD);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_int_equal(sync_send_fd(ends[1], SYNC_TERMINAL, 1), 0);
    assert_int_equal(sync_receive(ends[0], &fd), SYNC_TERMINAL);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    /* One that should come with a descriptor, and does not. */
    assert_int_equal(sync_send(ends[1], SYNC_TERMINAL), 0);
    assert_int_equal(sync_receive(ends[0], &fd), SYNC_TERMINAL);
    assert_int_equal(fd, -1);
    uint32_t number = 7;
    assert_int_equal(sync_send_mount(ends[1], 41, 0), 0);
    assert_int_equal(sync_receive_numbered(ends[0], &fd, &number), SYNC_IDMAP);
    assert_int_equal(number, 41);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(sync_send(ends[1], SYNC_IDMAPPED), 0);
    assert_int_equal(sync_receive_numbered(ends[0], &fd, &number), SYNC_IDMAPPED);
    assert_int_equal(number, 0);
    assert_int_equal(fd, -1);
    /* Nobody asked for this one. */
    assert_int_equal(sync_send_fd(ends[1], SYNC_READY, 0), 0);
    assert_int_equal(sync_receive(ends[0], NULL), SYNC_READY);
    assert_int_equal(count_open(), before);
}

static void malformed_packets_are_refused(void **state)
{
    char bytes[2 * sizeof(struct error)] = {0};
    const uint32_t types[] = {SYNC_EOF, SYNC_TYPES, UINT32_MAX};
    uint32_t type = SYNC_READY;
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        check_malformed(&types[i], sizeof(types[i]), 0);
    memcpy(bytes, &type, sizeof(type));
    for (size_t length = 1; length < sizeof(bytes); length += length == 1 ? 2 : 97)
        check_malformed(bytes, length, 0);
    for (size_t count = 2; count <= 3; count++)
        check_malformed(&type, sizeof(type), count);
    /* An error without its record, with a piece of it, and with more. */
    type = SYNC_ERROR;
    memcpy(bytes, &type, sizeof(type));
    check_malformed(bytes, sizeof(type), 0);
    check_malformed(bytes, sizeof(type) + sizeof(struct error) - 1, 0);
    check_malformed(bytes, sizeof(type) + sizeof(struct error) + 1, 0);
    check_malformed(bytes, sizeof(bytes), 1);
}

static void errors_are_adopted(void **state)
{
    struct {
        uint32_t type;
        uint32_t number;
        struct error error;
    } message = {.type = SYNC_ERROR};
    (void)state;
    /* No string ends, no number is one. */
    memset(&message.error, 0xff, sizeof(message.error));
    send_raw(&message, sizeof(message), 0);
    assert_int_equal(sync_receive(ends[0], NULL), SYNC_ERROR);
    assert_true(error_is_set());
    assert_true(error_get()->number > 0 && error_get()->number < 4096);
    assert_true(strlen(error_get()->text) < sizeof(error_get()->text));
    assert_true(strlen(error_get()->hint) < sizeof(error_get()->hint));
    error_clear();

    error_adopt(&(struct error){.kind = ERROR_SYSTEM, .number = ENOSPC, .text = "cannot go on"});
    sync_send_error(ends[1]);
    error_clear();
    assert_int_equal(sync_expect(ends[0], SYNC_READY), -EPROTO);
    assert_int_equal(error_get()->number, ENOSPC);
    assert_string_equal(error_get()->text, "cannot go on");
}

static void order_and_end_are_told(void **state)
{
    (void)state;
    assert_int_equal(sync_send(ends[1], SYNC_READY), 0);
    assert_int_equal(sync_expect(ends[0], SYNC_RUN), -EPROTO);
    error_clear();
    close(ends[1]);
    assert_int_equal(sync_receive(ends[0], NULL), SYNC_EOF);
    assert_int_equal(sync_expect(ends[0], SYNC_RUN), -EPIPE);
    error_clear();
    assert_int_equal(sync_send(ends[0], SYNC_RUN), -EPIPE);
    assert_int_equal(error_get()->number, EPIPE);
    ends[1] = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_arrive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptors_arrive_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_packets_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_adopted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_and_end_are_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
