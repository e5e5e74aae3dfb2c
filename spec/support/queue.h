/* queue.h -- a queue of the private broker, seen from the consumer's side.
 *
 * The broker is that of the PIGEON_* variables, as `bin/rabbitmq env` sets them; where
 * they are missing, everything here fails. Each call is a connection of its own. */
#ifndef PIGEON_SPEC_QUEUE_H
#define PIGEON_SPEC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "amqp/broker.h"
#include "base/err.h"

/* Pigeon's settings for that broker, and its port. */
bool queue_broker(struct login *settings, int *port, struct err *err);

/* A queue that lives in memory: its confirms do not wait for the disk. */
bool queue_declare(const char *name, struct err *err);

/* Takes everything out of it; `each` sees every body. */
bool queue_take(const char *name,
                void (*each)(void *context, const char *body, size_t len), void *context,
                struct err *err);

bool queue_delete(const char *name, struct err *err);

#endif
