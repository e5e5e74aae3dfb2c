/* broker_case.h -- a broker without a connection, and the fake one that it can talk to.
 *
 * The teardown fails where a file descriptor is left open. */
#ifndef PIGEON_SPEC_BROKER_CASE_H
#define PIGEON_SPEC_BROKER_CASE_H

#include "amqp/broker.h"
#include "case_outbox.h"
#include "fake_broker.h"

#define MINUTE_MS 60000
#define HANG_MS 30000 /* each test ends long before that */
#define SHORT_MS 200  /* the deadline where the fake broker is silent */

#define OVERLOADED \
    "; next: is the broker overloaded, frozen or cut off from its cluster? see its log"

extern struct fake_broker *fake;
extern struct broker *broker;
extern struct err failure;
extern int socket_fd; /* the broker's, after log_in() */

int broker_case_setup(void **state);
int broker_case_teardown(void **state);

/* Starts the fake broker with this script. */
void play_broker(void (*script)(struct session *session));

/* Messages "1", "2" ... for a queue, with bodies of this size. */
void fill(size_t count, size_t body_len);

/* A socket that has connected to the fake broker. `buffer` is for bytes that were not
 * sent yet; 0: the system's choice. */
int dial(int buffer);

bool log_in(int64_t deadline_ms);
bool publish(int64_t deadline_ms);

void assert_failure(const char *stage, int code, const char *text);

/* ------------------------------------------------------------- scripts */

/* Lets the client log in, and reads so many publishes. */
void ready(struct session *session, size_t publishes);

void acks_each(struct session *session);
void acks_all(struct session *session);

#endif
