/* connection.h -- one connection of rabbitmq-c and its one channel: how they are made,
 * and how it is said that something failed.
 *
 * For broker.c alone, which publishes over it. Plain data; zeroed, and `greeted` -1, it
 * is no connection. */
#ifndef PIGEON_AMQP_CONNECTION_H
#define PIGEON_AMQP_CONNECTION_H

#include <amqp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "amqp/broker.h"
#include "amqp/failure.h"
#include "base/deadline.h"
#include "net/tls.h"

#define CHANNEL 1
#define HEARTBEAT_S 30 /* the broker forgets a dead client within 90 s */

struct connection {
    struct broker_settings settings;
    amqp_connection_state_t amqp; /* NULL: none */
    int fd;                       /* its socket, which rabbitmq-c owns */
    bool secure;                  /* over TLS */
    struct tls tls;
    int greeted; /* a socket that the protocol's header was sent to; -1: none */
};

/* As broker_greet(), broker_connect(), broker_drop(). */
void connection_greet(struct connection *connection, int fd);
bool connection_open(struct connection *connection, int fd, const char *tls_name,
                     const struct deadline *deadline, struct failure *failure);
void connection_drop(struct connection *connection);

/* What a status of rabbitmq-c's means; errno has to be 0 before rabbitmq-c is called. All
 * three return false. */
bool connection_fail(const struct connection *connection, struct failure *failure,
                     const char *stage, int status);

/* A close of connection or channel by the broker. */
bool connection_fail_closed(struct failure *failure, const char *stage,
                            const amqp_method_t *method);

/* connection.blocked: memory or disk alarm. */
bool connection_fail_blocked(struct failure *failure, const amqp_method_t *method);

/* Milliseconds, as rabbitmq-c waits. */
struct timeval connection_wait(int64_t ms);

/* An entry of a table; both strings stay the caller's. */
amqp_table_entry_t connection_text(const char *key, const char *value);

#endif
