/* publisher.h -- Pigeon's publish path as a spec holds it: connector, broker and
 * delivery.
 *
 * The settings stay the caller's. In a process that was forked after a session was in
 * its parent, deadlines would not be kept: the guard's timer is not inherited. */
#ifndef PIGEON_SPEC_PUBLISHER_H
#define PIGEON_SPEC_PUBLISHER_H

#include "amqp/delivery.h"

struct publisher {
    struct connector *connector;
    struct broker *broker;
    struct delivery delivery;
};

/* `hosts` as PIGEON_HOST has them, `port` for those that name none. No connection is
 * made yet. False: memory ran out, or the hosts are not right. */
bool publisher_open(struct publisher *publisher, const struct login *settings,
                    const char *hosts, int port);

void publisher_close(struct publisher *publisher);

#endif
