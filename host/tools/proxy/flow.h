/* flow.h -- one direction of a proxied connection: bytes taken from one socket, held for
 * a while, passed on to another, and a fault after a given number of them.
 *
 * The sockets are non-blocking and stay the caller's; flow_clear() gives back what is
 * held. */
#ifndef PIGEON_TOOLS_PROXY_FLOW_H
#define PIGEON_TOOLS_PROXY_FLOW_H

#include <stdbool.h>
#include <stdint.h>

struct fault {
    enum fault_kind {
        FAULT_NONE,
        FAULT_CUT,    /* both ends are closed */
        FAULT_RESET,  /* both ends get a RST */
        FAULT_HALF,   /* the receiver sees the end, the other direction goes on */
        FAULT_STALL,  /* nothing is read any more; the kernel still acknowledges */
        FAULT_SILENCE /* packets are dropped before the kernel acknowledges them */
    } kind;
    uint64_t after; /* how many bytes are passed on before that */
    int delay_ms;   /* each byte is held so long */
    bool drip;      /* one byte a write */
};

struct flow {
    int from, to;
    struct fault fault; /* `after` counts from the flow's beginning */
    uint64_t taken;
    uint64_t passed;
    struct chunk *first, *last; /* what is held */
    bool blocked;               /* the receiver takes no more for now */
    bool ended;                 /* the sender has closed its side */
    bool shut;                  /* the receiver knows that */
    bool struck;                /* the fault has happened; nothing is taken any more */
};

/* Whether to wait until `from` can be read, or `to` be written; and how long at most, in
 * milliseconds, until what is held becomes due (-1: nothing is). */
bool flow_reads(const struct flow *flow);
bool flow_writes(const struct flow *flow);
int flow_wait_ms(const struct flow *flow);

enum flow_state {
    FLOW_GOES,
    FLOW_STRIKES, /* the fault is due now; returned once, the caller acts */
    FLOW_BROKEN   /* one of the sockets has failed */
};

/* Takes and passes on what is possible without waiting. */
enum flow_state flow_move(struct flow *flow);

void flow_clear(struct flow *flow);

#endif
