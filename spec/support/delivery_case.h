/* delivery_case.h -- a delivery between made-up neighbours, and one event at a time.
 *
 * A spec that includes this includes fake/delivery_neighbours.h and fake/clock.h, too. */
#ifndef PIGEON_SPEC_DELIVERY_CASE_H
#define PIGEON_SPEC_DELIVERY_CASE_H

#include "amqp/delivery.h"
#include "case_outbox.h"
#include "fake/clock.h"
#include "fake/delivery_neighbours.h"

#define MINUTE_MS 60000
#define REFUSED                                                                         \
    "127.0.0.1: Connection refused; next: is RabbitMQ running, and is PIGEON_PORT its " \
    "port?"
#define LOG "; next: see the broker's log; AWS retries the event"

extern struct delivery delivery;

extern const struct turn good[];    /* confirms three messages */
extern const struct turn no_turn[]; /* nothing is published */

int delivery_case_setup(void **state);
int delivery_case_teardown(void **state);

/* An event with these messages, this long before its deadline, and these turns of the
 * broker. "a b:x c:x/k" is message a for a queue and messages b and c for exchange x, c
 * with the routing key k. All names have one letter. */
void deliver(const char *messages, int64_t deadline_ms, const struct turn *turns);

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, delivery_case_setup, delivery_case_teardown)

#endif
