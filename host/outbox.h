/* outbox.h -- messages and their fates; plain data, what script and broker share.
 *
 * The script fills it with what was decided; the broker gives each message exactly one
 * fate; the script reads the fates. The outbox owns the strings of its messages. Valid
 * when zeroed; outbox_clear() empties it. */
#ifndef PIGEON_OUTBOX_H
#define PIGEON_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum fate {
    FATE_NONE,      /* not settled yet */
    FATE_CONFIRMED, /* the broker has it, in every queue it was routed to */
    FATE_RETURNED,  /* no queue for it: basic.return, final */
    FATE_NACKED,    /* refused for now: basic.nack */
    FATE_UNKNOWN,   /* it may have arrived, or was never sent: no proof */
};

struct message {
    struct bytes exchange; /* "" is the default exchange */
    struct bytes routing_key;
    struct bytes message_id;
    struct bytes body;
    enum fate fate;
    int code;          /* the AMQP reply code, 0 where there is none */
    const char *stage; /* a constant, where it went wrong: "connect", "confirm" ... */
    bool lasting;      /* no retry succeeds before somebody has changed something */
    char *text;        /* the cause; NULL: none */
};

struct outbox {
    const char *rules_version; /* of the rules that decided; the script's. NULL: none */
    struct message *messages;
    size_t count;
    size_t capacity;
};

/* What happened to the outbox as a whole: the broker fills it in, conclude reads it. */
struct facts {
    size_t confirmed;
    char broker_wide[2200]; /* the cause that kept everything from being published; "":
                               none */
    unsigned reconnects;
    bool cold;          /* the first event of this process, which waited for its start */
    int64_t decide_us;  /* how long each part took, in microseconds */
    int64_t publish_us; /* connect included */
    int64_t connect_us;
};

/* Appends a message of copies. False: memory ran out, nothing was added. */
bool outbox_add(struct outbox *outbox, struct bytes exchange, struct bytes routing_key,
                struct bytes message_id, struct bytes body);

/* Gives a message its fate; `text` is copied (NULL: none). */
void outbox_settle(struct message *message, enum fate fate, const char *stage, int code,
                   const char *text);

/* "confirmed", "returned", "nacked" or "unknown"; "none" before it is settled. */
const char *fate_name(enum fate fate);

/* Drops every message from number `count` on (the first is 0). */
void outbox_truncate(struct outbox *outbox, size_t count);

void outbox_clear(struct outbox *outbox);

#endif
