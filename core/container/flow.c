/* Bytes from one descriptor to another.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/own.h"

/* At once by the kernel: what a pipe holds. */
#define CHUNK 65536

/* At once through this process: what a pipe, socket or terminal that is ready takes without delay
 * (PIPE_BUF). */
#define COPIED 4096

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

void flow_begin(struct flow *flow)
{
    flow->copying = flow->keeping || !is_spliced(flow->from, false) || !is_spliced(flow->to, true);
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

/* `to` has room. After a failure to write, *write says so. */
static ssize_t copy(struct flow *flow, bool *written)
{
    char bytes[COPIED];
    ssize_t count = read(flow->from, bytes, allowed(flow, sizeof(bytes)));
    *written = false;
    for (ssize_t done = 0; done < count;) {
        ssize_t part = write(flow->to, bytes + done, (size_t)(count - done));
        *written = true;
        if (part < 0 && errno == EAGAIN && poll(&(struct pollfd){flow->to, POLLOUT, 0}, 1, -1) >= 0)
            continue;
        if (part < 0 && errno != EINTR)
            return -1;
        done += part < 0 ? 0 : part;
    }
    if (count > 0 && flow->keeping)
        keep_tail(flow, bytes, (size_t)count);
    return count;
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
    bool written = true;
    ssize_t count;
    size_t most = allowed(flow, CHUNK);
    if (most == 0)
        count = look_beyond(flow);
    else if (flow->copying)
        count = copy(flow, &written);
    else
        count = splice(flow->from, NULL, flow->to, NULL, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (flow->from < 0)
        return 0;
    if (count > 0) {
        flow->moved += (uint64_t)count;
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
    return fail_flow(flow, !written);
}

int flow_serve(struct flow *flow)
{
    if (flow->from < 0)
        return 0;
    /* For a copy both must be ready, since what is read cannot be put back; to look whether there
     * is too much, only the one. */
    bool both = allowed(flow, 1) > 0;
    if ((flow->copying && both && !flow->full) || (!both && flow->full)) {
        flow->full = both;
        return 0;
    }
    int result = move(flow);
    if (flow->copying)
        flow->full = false;
    return result < 0 ? result : 0;
}

/* Milliseconds until then, at least one; -1: no such moment; 0: it is over. */
static int until(int64_t deadline)
{
    struct timespec now;
    if (!deadline)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = deadline - (int64_t)now.tv_sec * 1000000 - now.tv_nsec / 1000;
    return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)((left + 999) / 1000);
}

/* Move what is taken now. Returns 0 or a negative errno (recorded). */
static int pour(struct flow *flow)
{
    while (flow->from >= 0) {
        struct pollfd ends[2] = {{flow->from, POLLIN, 0}, {flow->to, POLLOUT, 0}};
        if (poll(ends, 2, 0) < 0 && errno != EINTR)
            return fail(errno, "cannot wait for %s", flow->name);
        if (!(ends[0].revents & POLLIN)) /* nothing more, whether somebody could write or not */
            flow_close(flow);
        else if (!ends[1].revents && allowed(flow, 1) > 0)
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
        int left = over ? 0 : until(deadline);
        if (left == 0)
            return over ? 0 : -ETIMEDOUT;
        poll(to, count, left);
    }
}
