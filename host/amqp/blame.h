/* blame.h -- which messages RabbitMQ means where it closes a channel: it names the
 * exchange and, with topic permissions, the routing key, but no message. */
#ifndef PIGEON_AMQP_BLAME_H
#define PIGEON_AMQP_BLAME_H

#include <stdbool.h>

#include "outbox.h"

/* How the words of a 403 begin that are about a routing key. */
#define BLAME_TOPIC "access to topic '"

/* Whether the words of a 403 or 404 are about where this message goes. */
bool blame(const char *words, const struct message *message);

#endif
