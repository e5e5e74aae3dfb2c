/* connection.h -- one connection of rabbitmq-c: how it is opened, and the words for what
 * fails on it.
 *
 * For host/amqp alone. Plain data; zeroed, it is not connected. */
#ifndef PIGEON_AMQP_CONNECTION_H
#define PIGEON_AMQP_CONNECTION_H

#include <amqp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "amqp/login.h"
#include "base/deadline.h"
#include "base/err.h"
#include "net/tls.h"

#define CHANNEL 1
#define HEARTBEAT_S 30 /* the broker forgets a dead client within 90 s */

struct connection {
    struct login login;
    amqp_connection_state_t amqp; /* NULL: none */
    int fd;                       /* its socket, which rabbitmq-c owns */
    bool secure;                  /* over TLS */
    struct tls tls;
};

/* As broker_connect() and broker_drop(). */
bool connection_open(struct connection *connection, int fd, const char *tls_name,
                     const struct deadline *deadline, struct err *err);
void connection_drop(struct connection *connection);

/* Puts a status of rabbitmq-c into words; errno has to be 0 before rabbitmq-c is called.
 * All three return false. */
bool connection_fail(const struct connection *connection, struct err *err,
                     const char *stage, int status);

/* A close of connection or channel by the broker. */
bool connection_fail_closed(const struct connection *connection, struct err *err,
                            const char *stage, const amqp_method_t *method);

/* connection.blocked: memory or disk alarm. */
bool connection_fail_blocked(struct err *err, const amqp_method_t *method);

/* Milliseconds, as rabbitmq-c waits. */
struct timeval connection_wait(int64_t ms);

/* An entry of a table; both strings stay the caller's. */
amqp_table_entry_t connection_text(const char *key, const char *value);

#endif
