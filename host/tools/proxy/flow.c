/* flow.c -- a queue of chunks, each with the time when it is due. */
#include "tools/proxy/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/deadline.h"

#define CHUNK 65536
#define CHUNKS_AHEAD 16 /* more is left in the kernel while something is held */

struct chunk {
    struct chunk *next;
    int64_t due_ms;
    size_t len;
    size_t sent;
    char bytes[];
};

static bool roomy(const struct flow *flow)
{
    size_t held = 0;

    for (const struct chunk *c = flow->first; c; c = c->next)
        held++;
    return held < CHUNKS_AHEAD;
}

/* How many bytes may be taken before the fault. */
static uint64_t allowed(const struct flow *flow)
{
    return flow->fault.kind == FAULT_NONE ? UINT64_MAX : flow->fault.after - flow->taken;
}

bool flow_reads(const struct flow *flow)
{
    return !flow->ended && !flow->struck && allowed(flow) > 0 && roomy(flow);
}

bool flow_writes(const struct flow *flow)
{
    return flow->first && flow->first->due_ms <= clock_ms() &&
           (flow->blocked || flow->fault.drip);
}

int flow_wait_ms(const struct flow *flow)
{
    int64_t wait = flow->first ? flow->first->due_ms - clock_ms() : -1;

    return !flow->first || flow->blocked ? -1 : wait > 0 ? (int)wait : 0;
}

/* False: the socket has failed. */
static bool take(struct flow *flow)
{
    size_t want = allowed(flow) < CHUNK ? (size_t)allowed(flow) : CHUNK;
    struct chunk *chunk = malloc(sizeof(*chunk) + want);
    ssize_t n = chunk ? recv(flow->from, chunk->bytes, want, MSG_DONTWAIT) : -1;

    if (n <= 0) {
        free(chunk);
        flow->ended = n == 0;
        return n == 0 || errno == EAGAIN || errno == EINTR;
    }
    chunk->next = NULL;
    chunk->len = (size_t)n;
    chunk->sent = 0;
    chunk->due_ms = clock_ms() + flow->fault.delay_ms;
    if (flow->first)
        flow->last->next = chunk;
    else
        flow->first = chunk;
    flow->last = chunk;
    flow->taken += (size_t)n;
    return true;
}

/* One write. False: the socket has failed. */
static bool pass(struct flow *flow)
{
    struct chunk *chunk = flow->first;
    size_t len = flow->fault.drip ? 1 : chunk->len - chunk->sent;
    ssize_t n =
        send(flow->to, chunk->bytes + chunk->sent, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    flow->blocked = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (n < 0)
        return flow->blocked;
    flow->passed += (size_t)n;
    chunk->sent += (size_t)n;
    if (chunk->sent == chunk->len) {
        flow->first = chunk->next;
        free(chunk);
    }
    return true;
}

enum flow_state flow_move(struct flow *flow)
{
    bool going = true;

    if (flow_reads(flow) && !take(flow))
        return FLOW_BROKEN;
    flow->blocked = false;
    while (going && flow->first && flow->first->due_ms <= clock_ms()) {
        if (!pass(flow))
            return FLOW_BROKEN;
        going = !flow->blocked && !flow->fault.drip;
    }
    if (flow->fault.kind != FAULT_NONE && !flow->struck &&
        flow->passed == flow->fault.after) {
        flow->struck = true;
        return FLOW_STRIKES;
    }
    if (flow->ended && !flow->first && !flow->shut) {
        shutdown(flow->to, SHUT_WR);
        flow->shut = true;
    }
    return FLOW_GOES;
}

void flow_clear(struct flow *flow)
{
    while (flow->first) {
        struct chunk *next = flow->first->next;

        free(flow->first);
        flow->first = next;
    }
}
