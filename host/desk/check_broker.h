/* check_broker.h -- what check looks at beside the rules: the variables, and the broker.
 */
#ifndef PIGEON_DESK_CHECK_BROKER_H
#define PIGEON_DESK_CHECK_BROKER_H

#include <stdbool.h>

#include "amqp/delivery.h"
#include "base/buffer.h"
#include "config.h"

/* Whether the variables for the broker are right; none at all is right, too, unless it
 * has to be connected. False: err says what is wrong. */
bool check_broker_settings(struct config *config, bool connect, struct err *err);

/* Connects, and asks for each of these queues, names with commas between them; publishes
 * nothing. Appends to `found` for each queue a word, "ok" or "fault", its name, and what
 * the broker said, a zero byte behind each. A queue that may not be asked for is ok. */
bool check_broker_queues(struct delivery *delivery, const char *queues,
                         struct buffer *found, struct err *err);

#endif
