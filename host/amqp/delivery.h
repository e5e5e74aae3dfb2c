/* delivery.h -- brings an outbox to the broker: how often, how long, and when to stop.
 *
 * After delivery_publish() each message has exactly one fate. After an error in the
 * middle: one reconnect, and a second publish of the messages without a fate. After a
 * nack: up to five more publishes in 3 s. After a failed connect: a pause before the next
 * one. After a refused login: another one, where AWS has new values; after a refused
 * publish, or a token that has ended, the one reconnect has them. So an event makes at
 * most seven connects (the first, the reconnect, one for each publish after a nack), and
 * one more for each exchange that is missing or refused; each connect tries every host
 * once. Broker, connector and secrets stay the caller's. */
#ifndef PIGEON_AMQP_DELIVERY_H
#define PIGEON_AMQP_DELIVERY_H

#include "amqp/broker.h"
#include "aws/secrets.h"
#include "net/connector.h"

/* Valid when broker and connector are set and the rest zero. */
struct delivery {
    struct broker *broker;
    struct connector *connector; /* the hosts of PIGEON_HOST */
    size_t host;                 /* the last one that worked */
    bool refused; /* the last connect: the broker refused user, password or vhost */
    bool connected_before; /* the next connect is a reconnect */
    int64_t pause_ms;      /* 0: the last outbox or connect went well */
    int64_t next_try_ms;   /* clock_ms(): no connect before that */
    struct err err;        /* the cause of the pause */

    struct secrets *secrets; /* how to log in; NULL: by the broker's own login */
};

/* Makes a connection where there is none: to one of the hosts, the last one that worked
 * first, each with its share of the time, 10 s in all at most. Before that, secrets that
 * are not known yet are resolved. False: err has the answer of each host, or why
 * a secret is missing. */
bool delivery_connect(struct delivery *delivery, const struct deadline *deadline,
                      struct err *err);

/* Publishes every message that has no fate yet. An empty outbox does not touch the
 * broker. Fills in facts: confirmed, broker_wide, reconnects, publish_us, connect_us. */
void delivery_publish(struct delivery *delivery, struct outbox *outbox,
                      const struct deadline *deadline, struct facts *facts);

#endif
