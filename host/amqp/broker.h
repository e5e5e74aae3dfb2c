/* broker.h -- one AMQP connection to RabbitMQ: connect, publish, wait for the proof.
 *
 * One connection and one channel in confirm mode; every message persistent and
 * mandatory, with the version of the rules that decided it in its header rules_version.
 * No wait is longer than the deadline it is given. After
 * an error the broker has no connection any more; what to do then is in delivery.h. The
 * strings of the login stay the caller's and must live as long as the broker. */
#ifndef PIGEON_AMQP_BROKER_H
#define PIGEON_AMQP_BROKER_H

#include <stdbool.h>

#include "amqp/login.h"
#include "base/deadline.h"
#include "base/err.h"
#include "outbox.h"

struct broker;

/* No connection is made yet. NULL: memory ran out. */
struct broker *broker_open(const struct login *login);

/* Replaces three strings of the next login; these stay the caller's, too. */
void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password);

/* Logs in over a connected, non-blocking socket, which it takes over even when it fails,
 * and opens the channel; there must be no connection. tls_name: what the broker's
 * certificate must have, a name or an address; NULL: no TLS. False: err has the
 * cause. */
bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct err *err);

/* The connection's version of TLS, "1.3"; NULL: there is no connection, or no TLS. */
const char *broker_tls(const struct broker *broker);

/* Whether there is a usable connection. One that was idle for longer than the heartbeat,
 * or that the broker has closed meanwhile, is dropped here. */
bool broker_connected(struct broker *broker);

/* Publishes each message that has no fate, at most CONFIRMS_WINDOW at a time without a
 * confirm, and waits until the broker settled it. A broker that sends nothing any more is
 * given up when `patience` is over (err->silent), which is the deadline or earlier.
 * Needs a connection. False: the connection is gone, and the messages that still have no
 * fate have no proof. */
bool broker_publish(struct broker *broker, struct outbox *outbox,
                    const struct deadline *patience, const struct deadline *deadline,
                    struct err *err);

/* Asks whether a queue of this name exists (a passive declare). Needs a connection.
 * False: err has the broker's answer, and the connection is gone. */
bool broker_ask(struct broker *broker, const char *queue, const struct deadline *deadline,
                struct err *err);

/* Closes the socket, where there is a connection, without connection.close. */
void broker_drop(struct broker *broker);

/* Sends connection.close, where there is a connection, waits for the answer, 200 ms at
 * most, and drops it. */
void broker_hang_up(struct broker *broker, const struct deadline *deadline);

/* The same, and frees the broker; NULL: nothing. */
void broker_close(struct broker *broker);

#endif
