/* confirms.h -- which publish an ack, nack or return belongs to; pure, no I/O.
 *
 * The broker numbers the publishes of a channel from 1 (the delivery tag) and settles
 * them in any order, singly or all up to one ("multiple"). A return carries no tag: it
 * is matched by exchange, routing key and message id, and comes before its own ack
 * (https://www.rabbitmq.com/docs/confirms). The outbox stays the caller's.
 * Retries of nacks are in delivery.c. */
#ifndef PIGEON_AMQP_CONFIRMS_H
#define PIGEON_AMQP_CONFIRMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "outbox.h"

/* How many publishes may wait for their confirm: more gains nothing
 * (https://www.rabbitmq.com/blog/2020/05/14/quorum-queues-and-flow-control-stress-tests).
 */
#define CONFIRMS_WINDOW 1000

struct confirms {
    struct outbox *outbox;
    uint64_t next;  /* the tag that the next publish gets */
    uint64_t first; /* the lowest tag that may still be open */
    size_t open;    /* how many publishes have no ack and no nack yet */
    struct {
        size_t message; /* its number in the outbox */
        bool open;
    } slots[CONFIRMS_WINDOW]; /* tag modulo the window */
};

/* A new channel: the tags begin at 1. */
void confirms_start(struct confirms *confirms, struct outbox *outbox);

/* A new batch on the same channel: nothing is open, the tags go on. */
void confirms_continue(struct confirms *confirms, struct outbox *outbox);

/* Whether the window has no room for another publish. */
bool confirms_full(const struct confirms *confirms);

/* Message number `message` is about to be published. Not when the window is full. */
void confirms_publish(struct confirms *confirms, size_t message);

/* A basic.ack (FATE_CONFIRMED) or basic.nack (FATE_NACKED): settles one tag, or every
 * open tag up to it. A returned message stays returned; a tag settled before is ignored.
 * False: the tag was never given out, a protocol error, and nothing was settled. */
bool confirms_settle(struct confirms *confirms, uint64_t tag, bool multiple,
                     enum fate fate, struct err *err);

/* A basic.return: the first open publish that matches becomes returned, with the
 * broker's code and text. False: none matches, a protocol error. */
bool confirms_return(struct confirms *confirms, struct bytes exchange,
                     struct bytes routing_key, struct bytes message_id, int code,
                     const char *text, struct err *err);

#endif
