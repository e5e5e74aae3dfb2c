/* broker.h -- one AMQP connection to RabbitMQ: connect, publish, wait for the proof.
 *
 * One connection and one channel in confirm mode; every message persistent and
 * mandatory, with the version of the rules that decided it in its header rules_version.
 * No wait is longer than the deadline it is given. What to do after a failure is
 * delivery.h's to know: a broker that failed has no connection any more. The settings'
 * strings stay the caller's and must live as long as the broker. */
#ifndef PIGEON_AMQP_BROKER_H
#define PIGEON_AMQP_BROKER_H

#include <stdbool.h>

#include "amqp/failure.h"
#include "base/deadline.h"
#include "net/tls.h"
#include "outbox.h"

struct broker;

struct broker_settings {
    const char *virtual_host;
    const char *user;
    const char *password;
    const char *connection_name; /* what the broker's own list of connections shows */
    const char *version;
    struct tls_settings tls; /* where TLS is used */
};

/* No connection is made yet. NULL: memory ran out. */
struct broker *broker_open(const struct broker_settings *settings);

/* What the next login says, in place of the settings; the strings are the caller's, too.
 */
void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password);

/* Says the first words over a connected socket without TLS, which the next
 * broker_connect() is given: the broker's answer is on its way meanwhile. */
void broker_greet(struct broker *broker, int fd);

/* Logs in over a connected, non-blocking socket, which it takes over even when it fails,
 * and opens the channel; there must be no connection. tls_name: what the broker's
 * certificate must have, a name or an address; NULL: no TLS. False: failure says why not.
 */
bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct failure *failure);

/* The connection's version of TLS, "1.3"; NULL: there is no connection, or no TLS. */
const char *broker_tls(const struct broker *broker);

/* Whether there is a connection that may be used: one that was idle for longer than the
 * heartbeat, or of which the broker has meanwhile said or shown that it is closed, is
 * dropped here. False without a connection. */
bool broker_connected(struct broker *broker);

/* Publishes each message that has no fate, at most CONFIRMS_WINDOW at a time without a
 * confirm, and waits until the broker settled it. Needs a connection. False: the
 * connection is gone, and the messages that still have no fate have no proof. */
bool broker_publish(struct broker *broker, struct outbox *outbox,
                    const struct deadline *deadline, struct failure *failure);

/* Asks whether there is a queue of this name, and declares none. Needs a connection.
 * False: failure says what the broker answered, and the connection is gone. */
bool broker_ask(struct broker *broker, const char *queue, const struct deadline *deadline,
                struct failure *failure);

/* Ends the connection, where there is one, without a word. */
void broker_drop(struct broker *broker);

/* Says connection.close where there is a connection, and waits 500 ms at most. */
void broker_close(struct broker *broker);

#endif
