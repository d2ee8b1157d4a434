/* Bytes from one descriptor to another.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/moment.h"
#include "core/base/own.h"

/* At once by the kernel: what a pipe holds. */
#define CHUNK 65536

void flow_close(struct flow *flow)
{
    if (flow->owned[0])
        close_fd(&flow->from);
    if (flow->owned[1])
        close_fd(&flow->to);
    flow->from = flow->to = -1;
}

/* Only of pipes and files splice(2) never waits for either side. */
static bool is_spliced(int fd, bool written)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return false;
    if (S_ISREG(status.st_mode))
        return !written || !(fcntl(fd, F_GETFL) & O_APPEND);
    return S_ISFIFO(status.st_mode);
}

/* Others may write there as well, and take the room that poll(2) has told of: then this process
 * must not wait, though the caller's descriptor would. So it has one of its own, where that can be.
 */
static void reopen(struct flow *flow)
{
    struct stat status;
    char path[32];
    if (fstat(flow->to, &status) < 0)
        return;
    flow->socket = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", flow->to);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0)
        return;
    flow->to = own;
    flow->owned[1] = true;
}

void flow_begin(struct flow *flow)
{
    flow->copying = flow->keeping || !is_spliced(flow->from, false) || !is_spliced(flow->to, true);
    if (flow->copying && !flow->owned[1])
        reopen(flow);
}

struct pollfd flow_wait(const struct flow *flow)
{
    if (flow->from >= 0 && flow->full)
        return (struct pollfd){.fd = flow->to, .events = POLLOUT};
    return (struct pollfd){.fd = flow->from, .events = POLLIN};
}

/* How many bytes may still come; none: one more would be too many. */
static size_t allowed(const struct flow *flow, size_t most)
{
    if (!flow->limit || flow->limit - flow->moved > most)
        return most;
    return (size_t)(flow->limit - flow->moved);
}

static void keep_tail(struct flow *flow, const char *bytes, size_t length)
{
    if (length >= FLOW_TAIL) {
        memcpy(flow->tail, bytes + length - FLOW_TAIL, FLOW_TAIL);
        flow->length = FLOW_TAIL;
        return;
    }
    size_t kept = flow->length + length > FLOW_TAIL ? FLOW_TAIL - length : flow->length;
    memmove(flow->tail, flow->tail + flow->length - kept, kept);
    memcpy(flow->tail + kept, bytes, length);
    flow->length = kept + length;
}

/* Is there anything beyond the limit? */
static ssize_t look_beyond(struct flow *flow)
{
    char byte;
    ssize_t count = read(flow->from, &byte, 1);
    if (count > 0) {
        flow->exceeded = true;
        flow_close(flow);
    }
    return count;
}

/* Write what is held, as far as it is taken. Returns its length, or -1. */
static ssize_t write_held(struct flow *flow)
{
    const char *bytes = flow->held + flow->start;
    size_t length = flow->end - flow->start;
    ssize_t count = flow->socket ? send(flow->to, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write(flow->to, bytes, length);
    if (count > 0)
        flow->start += (size_t)count;
    return count;
}

/* `to` has room. *writing: what has failed, if anything has. */
static ssize_t copy(struct flow *flow, bool *writing)
{
    ssize_t count = 0;
    *writing = flow->start < flow->end;
    if (!*writing) {
        count = read(flow->from, flow->held, allowed(flow, sizeof(flow->held)));
        if (count <= 0)
            return count;
        flow->start = 0;
        flow->end = (size_t)count;
        flow->moved += (uint64_t)count;
        if (flow->keeping)
            keep_tail(flow, flow->held, flow->end);
        *writing = true;
    }
    return write_held(flow);
}

/* Whoever reads may end before all is read, and whoever was to get it may not want it. */
static int fail_flow(struct flow *flow, bool reading)
{
    if (errno == EPIPE || errno == ECONNRESET) {
        flow_close(flow);
        return 0;
    }
    return fail(errno, "cannot %s %s", reading ? "read" : "write", flow->name);
}

/* One step. Returns 1 (there may be more), 0 (not now, or over), or a negative errno (recorded). */
static int move(struct flow *flow)
{
    bool writing = false;
    ssize_t count;
    size_t most = allowed(flow, CHUNK);
    if (flow->copying && (most > 0 || flow->start < flow->end))
        count = copy(flow, &writing);
    else if (most == 0)
        count = look_beyond(flow);
    else
        count = splice(flow->from, NULL, flow->to, NULL, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (flow->from < 0)
        return 0;
    if (count > 0) {
        flow->moved += flow->copying ? 0 : (uint64_t)count;
        return 1;
    }
    if (count == 0) {
        flow_close(flow);
        return 0;
    }
    if (errno == EINTR)
        return 1;
    if (errno == EAGAIN) {
        /* Which of the two was not ready is not said: wait for the other one now. */
        flow->full = !flow->full;
        return 0;
    }
    if (errno == EINVAL && !flow->copying) {
        flow->copying = true;
        flow->full = true;
        return 0;
    }
    return fail_flow(flow, flow->copying && !writing);
}

int flow_serve(struct flow *flow)
{
    if (flow->from < 0)
        return 0;
    /* For a copy both must be ready, since what is read cannot be put back; to look whether there
     * is too much, only the one. */
    bool held = flow->start < flow->end;
    bool both = held || allowed(flow, 1) > 0;
    if ((flow->copying && both && !flow->full) || (!both && flow->full)) {
        flow->full = both;
        return 0;
    }
    int result = move(flow);
    if (flow->copying)
        flow->full = flow->start < flow->end;
    return result < 0 ? result : 0;
}

/* Move what is taken now. Returns 0 or a negative errno (recorded). */
static int pour(struct flow *flow)
{
    while (flow->from >= 0) {
        struct pollfd ends[2] = {{flow->from, POLLIN, 0}, {flow->to, POLLOUT, 0}};
        if (poll(ends, 2, 0) < 0 && errno != EINTR)
            return fail(errno, "cannot wait for %s", flow->name);
        bool held = flow->start < flow->end;
        /* Nothing more, whether somebody could write or not. */
        if (!held && !(ends[0].revents & POLLIN))
            flow_close(flow);
        else if (!ends[1].revents && (held || allowed(flow, 1) > 0))
            return 0;
        else if (move(flow) < 0)
            return -error_get()->number;
    }
    return 0;
}

int flow_drain(struct flow *flows, size_t count, int64_t deadline)
{
    for (;;) {
        struct pollfd to[FLOWS_MAX];
        bool over = true;
        for (size_t i = 0; i < count; i++) {
            int result = pour(&flows[i]);
            if (result < 0)
                return result;
            to[i] = (struct pollfd){.fd = flows[i].to, .events = POLLOUT};
            over &= flows[i].from < 0;
        }
        int left = over ? 0 : moment_left(deadline);
        if (left == 0)
            return over ? 0 : -ETIMEDOUT;
        poll(to, count, left);
    }
}
